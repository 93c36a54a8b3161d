// Owns the time that a form waits before the next try, because the server asked for it.
import { useEffect, useState } from 'react';

/** The seconds that are left, and how to begin. */
export function useWait(): [left: number, begin: (seconds: number | null) => void] {
  const [until, setUntil] = useState(0);
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    if (until <= Date.now()) return undefined;
    const timer = setInterval(() => {
      setNow(Date.now());
      if (until <= Date.now()) clearInterval(timer);
    }, 250);
    return () => clearInterval(timer);
  }, [until]);
  const begin = (seconds: number | null) => {
    setNow(Date.now());
    setUntil(seconds === null ? 0 : Date.now() + seconds * 1000);
  };
  return [Math.max(0, Math.ceil((until - now) / 1000)), begin];
}

/** Counts down for the eye; a screen reader hears it when it begins, and when it is over. */
export function WaitLine({ left }: { left: number }) {
  return left > 0 ? (
    <p className="wait" role="timer">
      Try again in {duration(left)}.
    </p>
  ) : null;
}

export function duration(seconds: number): string {
  const [minutes, rest] = [Math.floor(seconds / 60), seconds % 60];
  if (minutes === 0) return `${rest} s`;
  return rest === 0 ? `${minutes} min` : `${minutes} min ${rest} s`;
}
