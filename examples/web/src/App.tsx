// Which page an address shows, and who may see it.
import { request } from './api';
import { graphql } from './gql';
import { Invitation } from './pages/Invitation';
import { Login } from './pages/Login';
import { Organization } from './pages/Organization';
import { Organizations } from './pages/Organizations';
import { Profile } from './pages/Profile';
import { Forgot, Reset } from './pages/Reset';
import { SignUp } from './pages/SignUp';
import { Verify } from './pages/Verify';
import { go, link, usePlace } from './router';
import { refreshToken, signedOut, useSignedIn } from './session';

const LOGOUT = graphql(`
  mutation Logout($input: LogoutInput) {
    logout(input: $input) {
      endedSessions
      errors {
        code
        message
      }
    }
  }
`);

export function App() {
  const signedIn = useSignedIn();
  const place = usePlace();
  return (
    <>
      <header>
        <a className="brand" {...link('/')}>
          Denizen
        </a>
        <nav>{signedIn ? <Inside path={place.pathname} /> : <Outside />}</nav>
      </header>
      <main>
        <Page place={place} signedIn={signedIn} />
      </main>
    </>
  );
}

function Inside({ path }: { path: string }) {
  const at = (start: string) => (path.startsWith(start) ? ('page' as const) : undefined);
  return (
    <>
      <a aria-current={at('/profile')} {...link('/profile')}>
        Profile
      </a>
      <a aria-current={at('/organizations')} {...link('/organizations')}>
        Organisations
      </a>
      <button type="button" className="quiet" onClick={() => void logOut()}>
        Log out
      </button>
    </>
  );
}

function Outside() {
  return (
    <>
      <a {...link('/login')}>Log in</a>
      <a {...link('/sign-up')}>Sign up</a>
    </>
  );
}

/** Ends the session at Denizen too; whatever comes of that, this page forgets it. */
async function logOut() {
  // The refresh token names the session even when the access token has run out.
  await request(LOGOUT, { input: { refreshToken: refreshToken() } }).catch(() => {});
  signedOut();
  go('/login');
}

function Page({ place, signedIn }: { place: URL; signedIn: boolean }) {
  const { pathname, searchParams } = place;
  const invitation = searchParams.get('invitation');
  const token = searchParams.get('token') ?? '';
  if (pathname === '/sign-up') return <SignUp invitation={invitation} />;
  if (pathname === '/verify') return <Verify token={token} />;
  if (pathname === '/invitation') return <Invitation token={token} />;
  if (pathname === '/forgot') return <Forgot />;
  if (pathname === '/reset') return <Reset token={token} />;
  if (pathname === '/login' || !signedIn) return <Login invitation={invitation} note={noteOf(searchParams)} />;
  const [, code] = pathname.match(/^\/organizations\/([^/]+)$/) ?? [];
  if (code) return <Organization code={decodeURIComponent(code)} />;
  return pathname === '/organizations' ? <Organizations /> : <Profile />;
}

/** What the page before has done. */
function noteOf(searchParams: URLSearchParams): string | null {
  if (searchParams.has('verified')) return 'Your address is confirmed. Log in to begin.';
  return searchParams.has('reset') ? 'Your password is set. Log in with it.' : null;
}
