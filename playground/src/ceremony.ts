// Owns what is the same whenever the browser is asked about a passkey: whether it can, and what it says when it fails.
import { words } from './problem';

export const PASSKEYS_WORK = typeof PublicKeyCredential !== 'undefined' && 'parseCreationOptionsFromJSON' in PublicKeyCredential;

/** Asks the browser for a passkey, as JSON for the server; null when none was chosen. */
export async function askForPasskey(options: PublicKeyCredentialRequestOptionsJSON): Promise<unknown> {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
  const credential = (await navigator.credentials.get({ publicKey })) as PublicKeyCredential | null;
  return credential?.toJSON() ?? null;
}

const CEREMONY: Record<string, string> = {
  NotAllowedError: 'No passkey was chosen, or it took too long.',
  InvalidStateError: 'This device holds a passkey of this account already.',
  NotSupportedError: 'This device makes no passkey of a kind that the server takes.',
  SecurityError: `A passkey belongs to the public address of the server, and this page is at ${location.origin}. Open the playground there.`,
};

export function ceremonyWords(error: unknown): string {
  return (error instanceof DOMException && CEREMONY[error.name]) || words(error);
}
