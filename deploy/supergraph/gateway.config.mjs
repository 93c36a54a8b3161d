// Hive Gateway in front of Denizen and its neighbours.
//   DENIZEN_ISSUER         Denizen's DENIZEN_PUBLIC_URL, which stands in its tokens (default: http://localhost:8080)
//   DENIZEN_JWKS           where its keys are (default: /.well-known/jwks.json there)
//   DENIZEN_ROUTER_SECRET  the same as Denizen has: proves that it is the router who asks
import { createRemoteJwksSigningKeyProvider, defineConfig, extractFromHeader } from '@graphql-hive/gateway';

const issuer = process.env.DENIZEN_ISSUER ?? 'http://localhost:8080';
const jwksUri = process.env.DENIZEN_JWKS ?? `${issuer.replace(/\/$/, '')}/.well-known/jwks.json`;
const routerSecret = process.env.DENIZEN_ROUTER_SECRET;

export const gatewayConfig = defineConfig({
  host: process.env.HOST ?? '127.0.0.1',
  jwt: {
    signingKeyProviders: [createRemoteJwksSigningKeyProvider({ jwksUri, cache: true, cacheMaxAge: 600_000 })],
    tokenLookupLocations: [
      extractFromHeader({ name: 'authorization', prefix: 'Bearer' }),
      extractFromConnectionInit,
    ],
    tokenVerification: { issuer, audience: issuer, algorithms: ['ES256'] },
    // Signing up and logging in happen without a token; a bad one is refused before any subgraph is asked.
    reject: { missingToken: false, invalidToken: true },
    forward: { payload: true, token: false },
  },
  // Enforces @authenticated and @requiresScopes. A refused field becomes null with an error, and its siblings live: so
  // does Denizen, which checks again by what is in force now, not by what the token says.
  genericAuth: {
    mode: 'protect-granular',
    // The user is what `jwt` above puts into the context: over WebSocket that happens after this was asked for, so it is read
    // where it stands.
    contextFieldName: 'jwt',
    resolveUserFn: (context) => context.jwt,
    extractScopes: (user) => user?.payload.scope.split(' ') ?? [],
    rejectUnauthenticated: false,
  },
  propagateHeaders: {
    fromClientToSubgraphs({ context, request, subgraphName }) {
      // Denizen bounds guesses by address and writes both into its log. It believes the first of its
      // DENIZEN_TRUSTED_PROXIES alone.
      const headers = { 'x-forwarded-for': addresses(context, request), 'user-agent': request.headers.get('user-agent') };
      // Of a WebSocket it is what `connection_init` brought. The token itself goes to Denizen alone: neighbours get what
      // it says.
      const authorization = context.headers?.authorization;
      if (authorization && subgraphName === 'denizen') headers.authorization = authorization;
      const application = request.headers.get('x-application-id');
      if (application) headers['x-application-id'] = application;
      if (routerSecret) headers['x-router-secret'] = routerSecret;
      return headers;
    },
  },
});

/** Those that a proxy in front of the router names, and the one that it is asked from itself. */
function addresses(context, request) {
  return [request.headers.get('x-forwarded-for'), context.req?.socket.remoteAddress].filter(Boolean).join(', ');
}

/** Over WebSocket the token comes in the payload of `connection_init`, in the words of the header. */
function extractFromConnectionInit({ serverContext }) {
  const authorization = serverContext?.connectionParams?.authorization;
  const [prefix, token] = typeof authorization === 'string' ? authorization.split(' ') : [];
  return token && { prefix, token };
}
