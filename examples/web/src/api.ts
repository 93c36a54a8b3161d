// Asks Denizen. Everything that a front end has to know about the protocol is here: where the token goes, when it is
// renewed, and which of the two kinds of errors an answer holds.
import type { TypedDocumentString } from './gql/graphql';
import { accessToken, renew, signedOut } from './session';
import { type Answer, send } from './transport';

/** The request, or all that was asked for, is refused. What a person can mend is not this: it is data, in `errors`. */
export class ApiError extends Error {
  readonly code: string;
  readonly retryAfterSeconds: number | undefined;

  constructor(message: string, code: string, retryAfterSeconds?: number) {
    super(message);
    this.code = code;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

export async function request<Data, Variables>(
  document: TypedDocumentString<Data, Variables>,
  ...[variables]: Variables extends Record<string, never> ? [] : [Variables]
): Promise<Data> {
  const token = await accessToken();
  let answer = await send<Data>(document.toString(), variables, token);
  if (token && isUnauthenticated(answer)) {
    // Ended elsewhere, or by another clock: one renewal, and then the login page.
    const renewed = await renew();
    if (!renewed) throw ended();
    answer = await send<Data>(document.toString(), variables, renewed);
    if (isUnauthenticated(answer)) {
      signedOut();
      throw ended();
    }
  }
  return read(answer);
}

const isUnauthenticated = ({ errors }: Answer<unknown>) => errors?.[0]?.extensions?.code === 'UNAUTHENTICATED';

const ended = () => new ApiError('Your session is over. Log in again.', 'UNAUTHENTICATED');

/** A field that is refused is null and leaves its siblings alone: a page shows what came. */
function read<Data>({ data, errors }: Answer<Data>): Data {
  const [error] = errors ?? [];
  const nothingCame = !data || Object.values(data).every((value) => value === null);
  if (error && nothingCame) {
    const { code = 'INTERNAL', retryAfterSeconds } = error.extensions ?? {};
    throw new ApiError(error.message, code, retryAfterSeconds);
  }
  if (!data) throw new ApiError('The service did not answer the question.', 'INTERNAL');
  return data;
}
