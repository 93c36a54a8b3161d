// Owns the one line under the header that says, calmly, why something is missing: the schema, or the session.
import { pick, useGraphiQL, useGraphiQLActions } from '@graphiql/react';
import { useSignIn, type SignIn } from './session';

interface Props {
  schemaWaitsForSignIn: boolean;
}

export function Notice({ schemaWaitsForSignIn }: Props) {
  const signIn = useSignIn();
  const { introspect } = useGraphiQLActions();
  const { fetchError, isIntrospecting } = useGraphiQL(pick('fetchError', 'isIntrospecting'));
  const failed = fetchError && !isIntrospecting && !schemaWaitsForSignIn;
  const lines = [
    signIn.ended === 'refused' && 'Your session has ended. Sign in again to go on.',
    schemaWaitsForSignIn && 'The schema loads when you sign in. Operations run without it.',
    failed && explain(fetchError, signIn),
  ].filter(Boolean);

  return (
    <div className="notice" role="status" hidden={lines.length === 0}>
      <p>{lines.join(' ')}</p>
      {failed && (
        <button type="button" onClick={() => void introspect()}>
          Try again
        </button>
      )}
    </div>
  );
}

/** GraphiQL keeps the failed answer as text: the server's errors, or what kept the request from being answered. */
function explain(fetchError: string, { session }: SignIn): string {
  const { message, code } = firstError(fetchError);
  if (code === undefined) return `The schema could not be loaded: ${message}`;
  if (code === 'RATE_LIMITED' || code === 'OVERLOADED' || code === 'UNAVAILABLE' || code === 'INTERNAL') {
    return `The schema could not be loaded just now: ${message}`;
  }
  return session
    ? `This server does not show its schema to ${session.userName}. Operations run without it.`
    : 'This server shows its schema only to people who may see it. Sign in to load it; operations run without it.';
}

function firstError(text: string): { message: string; code?: string } {
  try {
    const { errors } = JSON.parse(text) as { errors?: { message: string; extensions?: { code?: string } }[] };
    const error = errors?.[0];
    if (error) return { message: error.message, code: error.extensions?.code };
  } catch {
    // Not JSON: the text itself is the message.
  }
  return { message: text };
}
