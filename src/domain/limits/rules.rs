//! Every bound on guessing and flooding. Some at once, then one more each time an interval has passed.

use std::time::Duration;

/// How many attempts are free at once, and how fast they come back.
#[derive(Debug)]
pub struct Rule {
    /// Keeps the counters of rules apart.
    pub name: &'static str,
    pub burst: u32,
    pub every: Duration,
}

impl Rule {
    pub const fn whole(&self) -> Duration {
        self.every.saturating_mul(self.burst)
    }

    /// For all sources of one block together: as much as so many of them have.
    #[must_use]
    pub fn of_block(&self) -> Self {
        let Self { name, burst, every } = *self;
        Self { name, burst: burst.saturating_mul(SOURCES_OF_BLOCK), every: every / SOURCES_OF_BLOCK }
    }
}

const SOURCES_OF_BLOCK: u32 = 10;

/// Wrong passwords for one name or address, from devices that it was never used on.
pub const LOGIN: Rule = Rule { name: "login", burst: 10, every: Duration::from_mins(3) };
/// The same from a device that the person has logged in on before: an attacker does not use this up.
pub const LOGIN_KNOWN_DEVICE: Rule =
    Rule { name: "login-known-device", burst: 10, every: Duration::from_mins(3) };
/// Wrong passwords and codes from one address of the network, whomever they are for.
pub const SOURCE: Rule = Rule { name: "source", burst: 100, every: Duration::from_secs(6) };
/// Wrong passwords of somebody who is signed in already.
pub const CONFIRM: Rule = Rule { name: "confirm", burst: 10, every: Duration::from_mins(3) };
/// Wrong passwords and tokens for one registration, by whoever holds its mail.
pub const REGISTRATION: Rule = Rule { name: "registration", burst: 10, every: Duration::from_mins(3) };
/// Wrong codes of a second factor, whatever challenges they are for.
pub const SECOND_FACTOR: Rule = Rule { name: "second-factor", burst: 10, every: Duration::from_mins(3) };
/// The same from a device that the person has logged in on before: who holds no more than the password does not use this up.
pub const SECOND_FACTOR_KNOWN_DEVICE: Rule =
    Rule { name: "second-factor-known-device", burst: 10, every: Duration::from_mins(3) };
/// Wrong codes of an authenticator app by somebody who is signed in already.
pub const STEP_UP: Rule = Rule { name: "step-up", burst: 10, every: Duration::from_mins(3) };
/// Wrong codes for one name, address or number from one network, whether or not it is somebody's: all are free again with a
/// new code, whose own tries are counted beside it.
pub const GUESS: Rule = Rule { name: "guess", burst: 5, every: Duration::from_mins(2) };
/// Messages that one network asks for in one name, for each purpose: five, and then one every ten minutes. How many reach
/// whoever is behind the name, the budgets say.
pub const SEND: Rule = Rule { name: "send", burst: 5, every: Duration::from_mins(10) };
/// Messages that one address of the network asks for, whoever gets them.
pub const SEND_SOURCE: Rule = Rule { name: "send-source", burst: 50, every: Duration::from_secs(12) };
/// Registrations from one address of the network whose password is judged: that takes time, and if it is good enough, each
/// opens an account and sends a mail to whoever has the address that is given. An office, or a class, behind one address may register at once.
pub const REGISTER_SOURCE: Rule =
    Rule { name: "register-source", burst: 100, every: Duration::from_secs(12) };
/// New passwords that somebody chooses in one session, good or not: judging one takes time, and so does the current one.
pub const NEW_PASSWORD: Rule = Rule { name: "new-password", burst: 20, every: Duration::from_mins(1) };
/// New passwords that come with a link or a code, from one address of the network, good or not.
pub const NEW_PASSWORD_SOURCE: Rule =
    Rule { name: "new-password-source", burst: 100, every: Duration::from_secs(6) };
/// Passwords that one person chooses for accounts that they make. One after the other, judging and hashing takes longer.
pub const ONBOARD_PASSWORD: Rule =
    Rule { name: "onboard-password", burst: 1_000, every: Duration::from_millis(100) };
/// What the log says of a limit that refuses: once an hour for each subject, however often it refuses.
pub const TOLD: Rule = Rule { name: "told", burst: 1, every: Duration::from_hours(1) };
/// Logins with a passkey that are begun from one address of the network: each costs a row.
pub const PASSKEY: Rule = Rule { name: "passkey", burst: 100, every: Duration::from_secs(2) };
/// How often an organisation's administrator may run into accounts that they cannot see.
pub const UNSEEN: Rule = Rule { name: "unseen", burst: 20, every: Duration::from_mins(3) };
