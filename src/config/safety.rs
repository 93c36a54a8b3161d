//! What production refuses to start with, and what of it may be wanted all the same.

use clap::ValueEnum;

use super::{Config, DatabaseUrl, Switch};

/// What production does in spite of its risk, because `DENIZEN_UNSAFE` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Exemption {
    /// Guessing is not bounded: where something in front does that
    RateLimits,
    /// The router proves itself by a secret that can be guessed
    RouterSecret,
    /// Everybody is believed as a proxy: where nobody but the proxy can reach the service
    TrustedProxies,
    /// Access tokens are good for more than a day, which is how long a router takes them after the session has ended
    AccessTokenTtl,
    /// The mail server's password crosses a network that is not encrypted
    SmtpWithoutTls,
    /// What goes to the database, its password too, crosses a network that is not encrypted
    DatabaseWithoutTls,
    /// Logs tell everything that passes
    Trace,
}

impl Exemption {
    /// As it is written in `DENIZEN_UNSAFE`.
    pub fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// A day: whoever wants tokens to last longer means the session.
const LONGEST_TOKEN_SECONDS: u64 = 86_400;
const SHORTEST_ROUTER_SECRET: usize = 32;

/// One reason not to start.
struct Refusal {
    why: &'static str,
    /// Nothing where there is no good reason to want it.
    exemption: Option<Exemption>,
}

impl Config {
    /// What makes these settings unsafe: production refuses to start with any of them. One clear sentence each.
    pub fn unsafe_settings(&self) -> Vec<String> {
        let refusals = self.refusals().into_iter();
        let left = refusals.filter(|refusal| refusal.exemption.is_none_or(|it| !self.exempts(it)));
        left.map(|Refusal { why, exemption }| match exemption {
            None => why.to_owned(),
            Some(exemption) => {
                format!(
                    "{why} Where it is wanted all the same, add `{}` to DENIZEN_UNSAFE.",
                    exemption.name()
                )
            }
        })
        .collect()
    }

    /// What of `DENIZEN_UNSAFE` these settings need.
    pub fn exemptions_in_force(&self) -> Vec<Exemption> {
        let needed = self.refusals().into_iter().filter_map(|refusal| refusal.exemption);
        needed.filter(|exemption| self.exempts(*exemption)).collect()
    }

    fn exempts(&self, exemption: Exemption) -> bool {
        self.server.exemptions.iter().flatten().any(|named| *named == exemption)
    }

    fn refusals(&self) -> Vec<Refusal> {
        if !self.production() {
            return Vec::new();
        }
        let all = self.what_is_missing_or_weak().into_iter().chain(self.what_is_risky());
        all.filter_map(|(applies, refusal)| applies.then_some(refusal)).collect()
    }

    fn what_is_missing_or_weak(&self) -> Vec<(bool, Refusal)> {
        let secret = self.secrets.secret.as_ref();
        let password = self.admin.admin_password.as_ref();
        let default_password = password.is_some_and(|password| {
            let password = password.expose().to_ascii_lowercase();
            ["admin", "password", "changeme", "denizen"].iter().any(|word| password.starts_with(word))
        });
        let never = |applies, why| (applies, Refusal { why, exemption: None });
        vec![
            never(
                secret.is_none(),
                "DENIZEN_SECRET is required in production: 32 random bytes or more in base64, as from `openssl rand -base64 32`.",
            ),
            never(
                secret.is_some_and(super::SecretKey::is_guessable),
                "DENIZEN_SECRET is not random: take the output of `openssl rand -base64 32`.",
            ),
            never(
                !self.server.public_url.as_ref().is_some_and(super::PublicUrl::is_https),
                "DENIZEN_PUBLIC_URL must be an https:// address in production.",
            ),
            never(default_password, "DENIZEN_ADMIN_PASSWORD is a default password: choose another."),
            never(self.passwords.bcrypt_cost < 10, "DENIZEN_BCRYPT_COST must be 10 or more in production."),
            never(
                self.mail.smtp_url.is_none(),
                "DENIZEN_SMTP_URL is required in production: without mail nobody can verify an address.",
            ),
        ]
    }

    fn what_is_risky(&self) -> Vec<(bool, Refusal)> {
        let weak_router =
            self.secrets.router_secret.as_ref().is_some_and(|secret| {
                secret.expose().len() < SHORTEST_ROUTER_SECRET || secret.is_guessable()
            });
        let open_database = match &self.database.database_url {
            DatabaseUrl::Sqlite(_) => false,
            // With or without a password that is known here: one may stand in a file that only the driver reads, and what
            // users write and are is in the statements anyway.
            DatabaseUrl::Postgres(url) => url.is_remote() && !url.insists_on_tls(),
        };
        let unless = |exemption, applies, why| (applies, Refusal { why, exemption: Some(exemption) });
        vec![
            unless(
                Exemption::RateLimits,
                self.server.rate_limits == Switch::Off,
                "DENIZEN_RATE_LIMITS is off: passwords and codes could be guessed without end.",
            ),
            unless(
                Exemption::RouterSecret,
                weak_router,
                "DENIZEN_ROUTER_SECRET can be guessed: take the output of `openssl rand -base64 32`.",
            ),
            unless(
                Exemption::TrustedProxies,
                self.server.trusted_proxies.iter().flatten().any(super::Network::is_everybody),
                "DENIZEN_TRUSTED_PROXIES believes everybody: name the networks of your own proxies.",
            ),
            unless(
                Exemption::AccessTokenTtl,
                self.tokens.access_token_ttl.as_secs() > LONGEST_TOKEN_SECONDS,
                "DENIZEN_ACCESS_TOKEN_TTL is longer than a day: routers take a token until it runs out, whatever became of \
                 its session. DENIZEN_SESSION_TTL says how long people stay logged in.",
            ),
            unless(
                Exemption::SmtpWithoutTls,
                self.mail.smtp_url.as_ref().is_some_and(super::SmtpUrl::tells_its_password),
                "DENIZEN_SMTP_URL sends a password over the network without TLS: use smtps://, or ?tls=required.",
            ),
            unless(
                Exemption::DatabaseWithoutTls,
                open_database,
                "DENIZEN_DATABASE_URL crosses the network without insisting on TLS: add ?sslmode=verify-full, \
                 or sslmode=require where the certificate cannot be checked.",
            ),
            unless(
                Exemption::Trace,
                self.logs.log.traces(),
                "DENIZEN_LOG asks for trace: such logs tell what passes through the service.",
            ),
        ]
    }
}
