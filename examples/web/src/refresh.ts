// New tokens for old ones. A refresh token works once: its answer brings the next. Apart from `request`, which would ask
// for new tokens in order to ask for new tokens.
import type { Tokens } from './session';
import { send } from './transport';

const REFRESH = `mutation RefreshTokens($input: RefreshTokensInput!) {
  refreshTokens(input: $input) {
    tokens { accessToken expiresAt refreshToken }
    errors { code }
  }
}`;

/** None when the session is over: then there is nothing to do but to log in. */
export async function refresh({ refreshToken }: Tokens): Promise<Tokens | null> {
  const answer = await send<{ refreshTokens: { tokens: Tokens | null } | null }>(
    REFRESH,
    { input: { refreshToken } },
    null,
  );
  return answer.data?.refreshTokens?.tokens ?? null;
}
