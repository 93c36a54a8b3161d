// Owns how the person who is signed in makes a passkey: the server begins, the browser's device makes it, the server
// takes it.
import { ceremonyWords } from './ceremony';
import { refusals, type Problem } from './problem';
import { freshSession } from './signing-in';
import { bearer, post } from './wire';

/** What the server gave to make a passkey with. */
export interface PasskeyStart {
  challengeId: string;
  publicKey: PublicKeyCredentialCreationOptionsJSON;
}

export type Making = { made: string } | { problems: string[] };

const START = `mutation PlaygroundStartPasskey($input: StartPasskeyRegistrationInput!) {
  startPasskeyRegistration(input: $input) { challengeId options errors { code message path } }
}`;
const FINISH = `mutation PlaygroundFinishPasskey($input: FinishPasskeyRegistrationInput!) {
  finishPasskeyRegistration(input: $input) { passkey { name } errors { code message path } }
}`;

interface Started {
  challengeId: string | null;
  options: { publicKey: PublicKeyCredentialCreationOptionsJSON } | null;
  errors: Problem[];
}

interface Finished {
  passkey: { name: string } | null;
  errors: Problem[];
}

export async function makePasskey(name: string): Promise<Making> {
  try {
    const started = await mutate<Started>(START, 'startPasskeyRegistration', { name });
    if ('problems' in started) return started;
    const { challengeId, options } = started.payload;
    if (!challengeId || !options) return { problems: ['The server gave nothing to make a passkey with.'] };
    return await finishPasskey({ challengeId, publicKey: options.publicKey });
  } catch (error) {
    return { problems: [ceremonyWords(error)] };
  }
}

export async function finishPasskey({ challengeId, publicKey }: PasskeyStart): Promise<Making> {
  try {
    const options = PublicKeyCredential.parseCreationOptionsFromJSON(publicKey);
    const credential = (await navigator.credentials.create({ publicKey: options })) as PublicKeyCredential | null;
    if (!credential) return { problems: ['The browser made no passkey.'] };
    const input = { challengeId, passkey: credential.toJSON() as unknown };
    const finished = await mutate<Finished>(FINISH, 'finishPasskeyRegistration', input);
    if ('problems' in finished) return finished;
    return { made: finished.payload.passkey?.name ?? '' };
  } catch (error) {
    return { problems: [ceremonyWords(error)] };
  }
}

async function mutate<Payload extends { errors: Problem[] }>(
  query: string,
  field: string,
  input: unknown,
): Promise<{ payload: Payload } | { problems: string[] }> {
  const session = await freshSession();
  const headers = new Headers(session ? bearer(session.accessToken) : {});
  const { body } = await post<Record<string, Payload | null>>({ query, variables: { input } }, headers);
  const payload = body.data?.[field];
  if (!payload) return { problems: refusals(body) };
  if (payload.errors.length > 0) return { problems: payload.errors.map(withNextStep) };
  return { payload };
}

/** Some minutes after a sign-in the server wants to be sure anew who is there. */
function withNextStep({ message, path }: Problem): string {
  return path?.includes('proof') ? `${message} Sign out and in again, then add the passkey.` : message;
}
