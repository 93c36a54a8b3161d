//! Codes against a model: whoever asks for codes of several purposes, guesses at them (with the newest, an older one, one of
//! another purpose or person, or a wrong one) and waits, in whatever order, is answered as a few lines of plain rules do.

use std::{collections::HashSet, time::Duration};

use proptest::{
    prelude::*,
    test_runner::{Config, TestCaseError, TestRunner},
};
use serde_json::{Value, json};

use crate::support::{Answer, Backend, PASSWORD, World};

const NEW: &str = "seven umbrellas in may";
const MINUTE: u64 = 60;
const LIFETIME: u64 = 10 * MINUTE;
const TRIES: u32 = 5;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Login,
    Reset,
    StepUp,
    VerifyEmail,
}

/// What there can be a code for. Carl has registered, and is not verified.
const SLOTS: [(&str, Purpose); 7] = [
    ("ada", Purpose::Login),
    ("ada", Purpose::Reset),
    ("ada", Purpose::StepUp),
    ("bob", Purpose::Login),
    ("bob", Purpose::Reset),
    ("bob", Purpose::StepUp),
    ("carl", Purpose::VerifyEmail),
];

#[derive(Clone, Debug)]
enum Pick {
    /// The newest of its own but so many.
    Own(usize),
    /// Whosever it is.
    Any(usize),
    Wrong,
}

#[derive(Clone, Debug)]
enum Step {
    Ask(usize),
    Guess(usize, Pick),
    Pass(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Some are asked more often than others, so that limits are met.
    let slot = || prop_oneof![6 => 0..2_usize, 3 => 2..SLOTS.len(), 2 => Just(SLOTS.len() - 1)];
    let pick = prop_oneof![
        4 => prop_oneof![6 => Just(0_usize), 1 => 1..3_usize].prop_map(Pick::Own),
        1 => any::<usize>().prop_map(Pick::Any),
        5 => Just(Pick::Wrong),
    ];
    let time = prop_oneof![
        3 => Just(30),
        2 => Just(2 * MINUTE),
        2 => Just(5 * MINUTE),
        2 => Just(LIFETIME - 1),
        2 => Just(LIFETIME),
        1 => Just(45 * MINUTE)
    ];
    let step = prop_oneof![
        4 => slot().prop_map(Step::Ask),
        8 => (slot(), pick).prop_map(|(slot, pick)| Step::Guess(slot, pick)),
        3 => time.prop_map(Step::Pass),
    ];
    prop::collection::vec(step, 1..40)
}

/// Five at once, and one more each time so many seconds have passed.
#[derive(Clone, Copy)]
struct Limit {
    every: u64,
    free_at: u64,
}

impl Limit {
    fn new(every: u64) -> Self {
        Self { every, free_at: 0 }
    }

    fn take(&mut self, now: u64) -> bool {
        let free = self.free_at <= now + 4 * self.every;
        if free {
            self.free_at = self.free_at.max(now) + self.every;
        }
        free
    }
}

#[derive(Clone, Copy)]
struct Open {
    code: usize,
    end: u64,
    tries: u32,
}

struct Model {
    now: u64,
    issued: usize,
    open: [Option<Open>; SLOTS.len()],
    guesses: [Limit; SLOTS.len()],
    /// What was asked for, by whom it names; a step-up names nobody.
    asked: [Limit; SLOTS.len()],
    /// What went to the addresses of Ada and Bob, of each purpose.
    sent: [Limit; SLOTS.len()],
    to_carl: Vec<u64>,
    carl_is_verified: bool,
}

impl Model {
    fn new() -> Self {
        let carl = SLOTS.len() - 1;
        let mut open = [None; SLOTS.len()];
        open[carl] = Some(Open { code: 0, end: LIFETIME, tries: 0 });
        Self {
            now: 0,
            issued: 1,
            open,
            guesses: [Limit::new(2 * MINUTE); SLOTS.len()],
            asked: [Limit::new(LIFETIME); SLOTS.len()],
            sent: [Limit::new(LIFETIME); SLOTS.len()],
            to_carl: vec![0],
            carl_is_verified: false,
        }
    }

    fn ask(&mut self, slot: usize) -> &'static str {
        let (who, _) = SLOTS[slot];
        // Codes to log in use up nothing of those that set a password.
        if !self.asked[slot].take(self.now) {
            return "TOO_MANY_ATTEMPTS";
        }
        self.guesses[slot].free_at = 0;
        let sent = match who {
            "ada" | "bob" => self.sent[slot].take(self.now),
            _ => {
                let lately = self.to_carl.iter().filter(|at| **at + LIFETIME > self.now).count();
                let sent = lately < 5 && !self.carl_is_verified;
                if sent {
                    self.to_carl.push(self.now);
                }
                sent
            }
        };
        if !sent {
            return "nothing";
        }
        self.open[slot] = Some(Open { code: self.issued, end: self.now + LIFETIME, tries: 0 });
        self.issued += 1;
        "a code"
    }

    fn guess(&mut self, slot: usize, code: Option<usize>) -> &'static str {
        if !self.guesses[slot].take(self.now) {
            return "TOO_MANY_ATTEMPTS";
        }
        let Some(open) = self.open[slot].as_mut() else {
            return "WRONG_CODE";
        };
        let right = code == Some(open.code);
        if self.now >= open.end {
            return if right { "EXPIRED" } else { "WRONG_CODE" };
        }
        if open.tries >= TRIES {
            return "WRONG_CODE";
        }
        open.tries += 1;
        if !right {
            return "WRONG_CODE";
        }
        self.guesses[slot].free_at = 0;
        self.open[slot] = None;
        let (who, purpose) = SLOTS[slot];
        match purpose {
            // Nothing that waits outlives a new password.
            Purpose::Reset => {
                for (other, open) in self.open.iter_mut().enumerate() {
                    if SLOTS[other].0 == who {
                        *open = None;
                    }
                }
            }
            Purpose::VerifyEmail => self.carl_is_verified = true,
            Purpose::Login | Purpose::StepUp => {}
        }
        "right"
    }
}

/// The service, and every code that it sent, with what it was for.
struct Real {
    world: World,
    codes: Vec<(usize, String)>,
    passwords: [&'static str; 2],
}

impl Real {
    async fn new(backend: Backend) -> Self {
        let world = World::on(backend).await;
        world.user("ada").await;
        world.user("bob").await;
        world.register("carl").await;
        let (_, code) = world.verification_of("carl@example.org").await;
        Self { world, codes: vec![(SLOTS.len() - 1, code)], passwords: [PASSWORD; 2] }
    }

    /// Which code that is; none when it is a wrong one.
    fn picked(&self, slot: usize, pick: &Pick) -> Option<usize> {
        let own = || self.codes.iter().enumerate().filter(|(_, (of, _))| *of == slot).map(|(code, _)| code);
        match pick {
            Pick::Own(back) => own().nth_back(*back),
            Pick::Any(number) => Some(number % self.codes.len()),
            Pick::Wrong => None,
        }
    }

    fn text(&self, code: Option<usize>) -> String {
        let is_known = |text: &String| self.codes.iter().any(|(_, code)| code == text);
        let wrong = || (0..1_000_000).map(|number| format!("{number:06}")).find(|text| !is_known(text));
        code.map_or_else(|| wrong().expect("a wrong one"), |code| self.codes[code].1.clone())
    }

    async fn client(&self, slot: usize) -> crate::support::Client {
        match SLOTS[slot] {
            (who, Purpose::StepUp) => {
                let password = self.passwords[usize::from(who == "bob")];
                self.world.logged_in(who, password).await
            }
            _ => self.world.anonymous(),
        }
    }

    async fn ask(&mut self, slot: usize) -> String {
        let (who, purpose) = SLOTS[slot];
        let (purpose, identifier) = match purpose {
            Purpose::Login => ("LOGIN", Some(who)),
            Purpose::Reset => ("PASSWORD_RESET", Some(who)),
            Purpose::StepUp => ("STEP_UP", None),
            Purpose::VerifyEmail => ("VERIFY_EMAIL", Some(who)),
        };
        let client = self.client(slot).await;
        let known: HashSet<_> = self.world.mails().await.into_iter().map(|mail| mail.id).collect();
        let input = json!({ "purpose": purpose, "identifier": identifier });
        let answer = crate::otp::request(&client, input).await;
        if let Some(code) = refusal(&answer, "requestOtp") {
            return code;
        }
        let mails = self.world.mails_to(&format!("{who}@example.org")).await;
        let mut fresh = mails.into_iter().filter(|mail| !known.contains(&mail.id));
        let code = fresh.find_map(|mail| Some(mail.text.split_once("code: ")?.1.to_owned()));
        match code {
            Some(text) => {
                self.codes.push((slot, text.chars().take(6).collect()));
                "a code".to_owned()
            }
            None => "nothing".to_owned(),
        }
    }

    async fn guess(&mut self, slot: usize, code: &str) -> String {
        let (who, purpose) = SLOTS[slot];
        let (mutation, input) = match purpose {
            Purpose::Login => ("loginWithOtp", json!({ "identifier": who, "code": code })),
            Purpose::Reset => {
                ("resetPassword", json!({ "identifier": who, "code": code, "newPassword": NEW }))
            }
            Purpose::StepUp => ("verifyOtp", json!({ "purpose": "STEP_UP", "code": code })),
            Purpose::VerifyEmail => {
                ("verifyOtp", json!({ "purpose": "VERIFY_EMAIL", "identifier": who, "code": code }))
            }
        };
        let (first, rest) = mutation.split_at(1);
        let kind = format!("{}{rest}Input", first.to_uppercase());
        let document = format!(
            "mutation ($input: {kind}!) {{ {mutation}(input: $input) {{ errors {{ code path }} }} }}"
        );
        let answer = self.client(slot).await.run_with(&document, json!({ "input": input })).await;
        let refused = refusal(&answer, mutation);
        if refused.is_none() && purpose == Purpose::Reset {
            self.passwords[usize::from(who == "bob")] = NEW;
        }
        refused.unwrap_or_else(|| "right".to_owned())
    }
}

fn refusal(answer: &Answer, mutation: &str) -> Option<String> {
    match answer.ok(&format!("/{mutation}/errors/0/code")) {
        Value::String(code) => Some(code),
        _ => None,
    }
}

fn compare(backend: Backend, cases: u32) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 100, ..Config::default() };
    let outcome = TestRunner::new(config).run(&steps(), |steps| {
        runtime.block_on(async {
            let (mut model, mut real) = (Model::new(), Real::new(backend).await);
            for (number, step) in steps.iter().enumerate() {
                let (expected, answered) = match step {
                    Step::Ask(slot) => (model.ask(*slot), real.ask(*slot).await),
                    Step::Guess(slot, pick) => {
                        let code = real.picked(*slot, pick);
                        let text = real.text(code);
                        (model.guess(*slot, code), real.guess(*slot, &text).await)
                    }
                    Step::Pass(seconds) => {
                        model.now += seconds;
                        real.world.pass(Duration::from_secs(*seconds));
                        ("", String::new())
                    }
                };
                prop_assert_eq!(answered, expected, "step {}: {:?}", number, step);
            }
            Ok::<(), TestCaseError>(())
        })
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn codes_follow_the_rules_on_sqlite() {
    compare(Backend::Sqlite, 24);
}

#[test]
fn codes_follow_the_rules_on_postgres() {
    compare(Backend::Postgres, 6);
}
