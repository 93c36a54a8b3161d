//! Sessions against a model: whoever logs in, refreshes (with any token there ever was), logs out and waits, in whatever
//! order, is answered as a few lines of plain rules do; and those sessions live that the rules say.

use std::time::Duration;

use proptest::{
    prelude::*,
    test_runner::{Config, TestCaseError, TestRunner},
};
use serde_json::json;

use crate::support::{Answer, Backend, PASSWORD, World};

const IDLE: u64 = 6 * 3_600;
const WHOLE: u64 = 12 * 3_600;
const GRACE: u64 = 10;
const ACCESS: u64 = 15 * 60;

#[derive(Clone, Debug)]
enum Step {
    Login,
    /// With the token of this number, counted around.
    Refresh(usize),
    Logout(usize),
    LogoutEverywhere(usize),
    Pass(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => Just(Step::Login),
        8 => any::<usize>().prop_map(Step::Refresh),
        1 => any::<usize>().prop_map(Step::Logout),
        1 => any::<usize>().prop_map(Step::LogoutEverywhere),
        5 => prop_oneof![Just(3), Just(8), Just(12), Just(1_000), Just(2 * 3_600)].prop_map(Step::Pass),
    ];
    prop::collection::vec(step, 1..30)
}

#[derive(Default)]
struct Model {
    now: u64,
    sessions: Vec<Session>,
    /// The session of each token.
    tokens: Vec<usize>,
}

struct Session {
    ended: bool,
    idle_end: u64,
    end: u64,
    /// When its newest access token was signed.
    signed: u64,
    /// The token in force, and the one that it was given for, and when.
    current: usize,
    previous: Option<(usize, u64)>,
}

impl Model {
    fn lives(&self, session: usize) -> bool {
        let Session { ended, idle_end, end, .. } = &self.sessions[session];
        !ended && self.now < *idle_end && self.now < *end
    }

    /// A new token of the session is in force.
    fn hand_out(&mut self, session: usize) {
        let row = &mut self.sessions[session];
        row.idle_end = (self.now + IDLE).min(row.end);
        row.signed = self.now;
        row.current = self.tokens.len();
        self.tokens.push(session);
    }

    fn refresh(&mut self, number: usize) -> String {
        let session = self.tokens[number];
        if !self.lives(session) {
            return "EXPIRED".to_owned();
        }
        let row = &mut self.sessions[session];
        if row.current == number {
            row.previous = Some((number, self.now));
            self.hand_out(session);
            return format!("token {}", self.tokens.len() - 1);
        }
        match row.previous {
            Some((previous, at)) if previous == number && self.now - at < GRACE => {
                row.signed = self.now;
                format!("token {}", row.current)
            }
            _ => {
                row.ended = true;
                "ALREADY_USED".to_owned()
            }
        }
    }

    fn logout(&mut self, number: usize, everywhere: bool) -> u64 {
        let session = self.tokens[number];
        if !self.lives(session) {
            return 0;
        }
        let mut ended = 0;
        for (index, row) in self.sessions.iter_mut().enumerate() {
            if (everywhere || index == session) && !row.ended {
                row.ended = true;
                ended += 1;
            }
        }
        ended
    }

    fn take(&mut self, step: &Step) -> String {
        match step {
            Step::Login => {
                let end = self.now + WHOLE;
                let signed = self.now;
                self.sessions.push(Session {
                    ended: false,
                    idle_end: 0,
                    end,
                    signed,
                    current: 0,
                    previous: None,
                });
                self.hand_out(self.sessions.len() - 1);
                format!("token {}", self.tokens.len() - 1)
            }
            Step::Pass(seconds) => {
                self.now += seconds;
                String::new()
            }
            _ if self.tokens.is_empty() => String::new(),
            Step::Refresh(number) => self.refresh(number % self.tokens.len()),
            Step::Logout(number) => self.logout(number % self.tokens.len(), false).to_string(),
            Step::LogoutEverywhere(number) => self.logout(number % self.tokens.len(), true).to_string(),
        }
    }
}

/// The service, and what it handed out: refresh tokens with their sessions, and each session's newest access token.
struct Real {
    world: World,
    tokens: Vec<(String, usize)>,
    access: Vec<String>,
}

impl Real {
    fn keep(&mut self, answer: &Answer, mutation: &str, session: Option<usize>) -> String {
        let tokens = answer.data(&format!("/{mutation}/tokens"));
        let (Some(refresh), Some(access)) = (tokens["refreshToken"].as_str(), tokens["accessToken"].as_str())
        else {
            let code = answer.data(&format!("/{mutation}/errors/0/code"));
            return code.as_str().unwrap_or(&answer.text).to_owned();
        };
        let session = session.unwrap_or(self.access.len());
        if session == self.access.len() {
            self.access.push(access.to_owned());
        } else {
            access.clone_into(&mut self.access[session]);
        }
        let known = self.tokens.iter().position(|(token, _)| token == refresh);
        let number = known.unwrap_or_else(|| {
            self.tokens.push((refresh.to_owned(), session));
            self.tokens.len() - 1
        });
        format!("token {number}")
    }

    async fn logout(&self, number: usize, everywhere: bool) -> String {
        let document = "mutation ($token: String!, $all: Boolean) {
            logout(input: { refreshToken: $token, everywhere: $all }) { endedSessions } }";
        let token = &self.tokens[number % self.tokens.len()].0;
        let variables = json!({ "token": token, "all": everywhere });
        let answer = self.world.anonymous().run_with(document, variables).await;
        answer.ok("/logout/endedSessions").to_string()
    }

    async fn take(&mut self, step: &Step) -> String {
        match step {
            Step::Login => {
                let answer = self.world.login("ada", PASSWORD).await;
                self.keep(&answer, "login", None)
            }
            Step::Pass(seconds) => {
                self.world.pass(Duration::from_secs(*seconds));
                String::new()
            }
            _ if self.tokens.is_empty() => String::new(),
            Step::Refresh(number) => {
                let (token, session) = self.tokens[number % self.tokens.len()].clone();
                let document = "mutation ($token: String!) { refreshTokens(input: { refreshToken: $token }) {
                    tokens { accessToken refreshToken } errors { code } } }";
                let answer = self.world.anonymous().run_with(document, json!({ "token": token })).await;
                self.keep(&answer, "refreshTokens", Some(session))
            }
            Step::Logout(number) => self.logout(*number, false).await,
            Step::LogoutEverywhere(number) => self.logout(*number, true).await,
        }
    }
}

fn compare(backend: Backend, cases: u32) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 100, ..Config::default() };
    let outcome = TestRunner::new(config).run(&steps(), |steps| {
        runtime.block_on(async {
            let world = World::with(backend, &["--session-idle-ttl", "6h", "--session-ttl", "12h"]).await;
            world.user("ada").await.run("mutation { logout { endedSessions } }").await;
            let mut real = Real { world, tokens: Vec::new(), access: Vec::new() };
            let mut model = Model::default();
            for (number, step) in steps.iter().enumerate() {
                let expected = model.take(step);
                let answered = real.take(step).await;
                prop_assert_eq!(answered, expected, "step {}: {:?}", number, step);
                for (session, access) in real.access.iter().enumerate() {
                    let client = real.world.anonymous().with_token(access);
                    let open = client.run("{ __typename }").await.status == 200;
                    let in_time = model.now < model.sessions[session].signed + ACCESS;
                    prop_assert_eq!(
                        open,
                        model.lives(session) && in_time,
                        "{} after step {}",
                        session,
                        number
                    );
                }
            }
            Ok::<(), TestCaseError>(())
        })
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn sessions_follow_the_rules_on_sqlite() {
    compare(Backend::Sqlite, 24);
}

#[test]
fn sessions_follow_the_rules_on_postgres() {
    compare(Backend::Postgres, 4);
}
