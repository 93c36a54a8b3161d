// New tokens for old ones. A refresh token works once: its answer brings the next. Apart from `request`, which would ask
// for new tokens in order to ask for new tokens.
import { graphql } from './gql';
import type { RefreshTokensMutation } from './gql/graphql';
import type { Tokens } from './session';
import { send } from './transport';

const REFRESH = graphql(`
  mutation RefreshTokens($input: RefreshTokensInput!) {
    refreshTokens(input: $input) {
      tokens {
        accessToken
        expiresAt
        refreshToken
      }
    }
  }
`);

/** None when the session is over: then there is nothing to do but to log in. */
export async function refresh({ refreshToken }: Tokens): Promise<Tokens | null> {
  const answer = await send<RefreshTokensMutation>(REFRESH.toString(), { input: { refreshToken } }, null);
  return answer.data?.refreshTokens?.tokens ?? null;
}
