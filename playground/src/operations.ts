// Owns the list of ready operations: each file of ../operations, in the order of its number, with the first line's
// comment and the variables beside it. A new file appears here by itself, in the chapter that its number belongs to.
const documents = import.meta.glob<string>('../operations/*.graphql', { query: '?raw', import: 'default', eager: true });
const variables = import.meta.glob<string>('../operations/*.json', { query: '?raw', import: 'default', eager: true });

export interface Operation {
  name: string;
  kind: 'query' | 'mutation' | 'subscription';
  chapter: string;
  /** The first line of the file: a comment that says in plain words what it is for. */
  about: string;
  query: string;
  variables: string;
}

/** What the numbers of the files stand for: each chapter goes up to the beginning of the next. */
const CHAPTERS: [from: number, title: string][] = [
  [1, 'From sign-up to reading'],
  [20, 'People'],
  [40, 'Roles, models and the record'],
  [60, 'Organisations'],
  [80, 'Sessions and API keys'],
  [100, 'Passwords and codes'],
  [120, 'Second factors and passkeys'],
  [140, 'Applications'],
];

function numberOf(path: string): number {
  return Number(/\/(\d+)-[^/]*$/.exec(path)?.[1] ?? Number.MAX_SAFE_INTEGER);
}

const HEAD = /^(query|mutation|subscription)\s+(\w+)/m;

function read(path: string): Operation {
  const text = (documents[path] ?? '').trimEnd() + '\n';
  const head = HEAD.exec(text);
  if (!head) throw new Error(`${path} holds no named operation`);
  return {
    name: head[2] as string,
    kind: head[1] as Operation['kind'],
    chapter: CHAPTERS.findLast(([from]) => from <= numberOf(path))?.[1] ?? '',
    about: /^#\s*(.*)/.exec(text)?.[1] ?? '',
    query: text,
    variables: (variables[path.replace(/\.graphql$/, '.json')] ?? '').trim(),
  };
}

export const operations: Operation[] = Object.keys(documents)
  .sort((left, right) => numberOf(left) - numberOf(right))
  .map(read);

const EXAMPLES = new Set(operations.flatMap(({ query, variables }) => [query.trim(), variables]));

/** Whether a text is one of those files as it stands: what looks like a secret in it is made up, and public. */
export function isExample(text: string): boolean {
  return EXAMPLES.has(text.trim());
}
