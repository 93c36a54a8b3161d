// Owns how what goes wrong with a request becomes lines for a person, and how long there is to wait.
import type { ExecutionResult } from 'graphql';
import { NoAnswer, type Reply } from './wire';

export interface Problem {
  code: string;
  message: string;
  path?: string[];
  retryAfterSeconds?: number | null;
}

export function refusals(body: ExecutionResult): string[] {
  return body.errors?.map((error) => error.message) ?? ['The server gave no answer.'];
}

export function words(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The longest wait that an answer asks for, in seconds: its errors say it, or its header does. */
export function waitIn({ body, retryAfter }: Reply<unknown>, problems: Problem[]): number | null {
  const asked = [
    ...problems.map((problem) => problem.retryAfterSeconds),
    ...(body.errors ?? []).map((error) => error.extensions?.['retryAfterSeconds']),
  ].filter((seconds): seconds is number => typeof seconds === 'number' && seconds > 0);
  return asked.length > 0 ? Math.max(...asked) : problems.length > 0 || body.errors?.length ? retryAfter : null;
}

/** As above, where the answer was not GraphQL, or none came. */
export function waitAfter(error: unknown): number | null {
  return error instanceof NoAnswer ? error.retryAfter : null;
}
