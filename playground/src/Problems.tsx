// Owns how a form says what was wrong.
export function Problems({ lines }: { lines: string[] }) {
  return (
    <div role="alert">
      {lines.map((problem) => (
        <p key={problem} className="problem">
          {problem}
        </p>
      ))}
    </div>
  );
}
