//! Second factors: authenticator apps, recovery codes, passkeys, and the challenges that wait for one of them.

mod challenges;
mod passkey_logins;
mod passkeys;
mod resets;
mod totp;

use aws_lc_rs::hmac;
use data_encoding::BASE32_NOPAD;
use serde_json::{Value, json};

use crate::support::{Answer, Client, PASSWORD, World};

/// Somebody's authenticator app.
pub struct App {
    secret: Vec<u8>,
}

impl App {
    pub fn new(secret: &str) -> Self {
        Self { secret: BASE32_NOPAD.decode(secret.as_bytes()).expect("base32") }
    }

    /// What it shows so many steps from now.
    pub fn code(&self, world: &World, steps: i64) -> String {
        let step = world.system().now().millis() / 30_000 + steps;
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.secret);
        let tag = hmac::sign(&key, &step.to_be_bytes());
        let hash = tag.as_ref();
        let offset = usize::from(hash[19] & 0x0f);
        let number = u32::from_be_bytes(hash[offset..offset + 4].try_into().expect("four bytes"));
        format!("{:06}", (number & 0x7fff_ffff) % 1_000_000)
    }

    /// Six digits that it shows neither now nor soon.
    pub fn wrong(&self, world: &World) -> String {
        let shown: Vec<_> = (-2..=2).map(|steps| self.code(world, steps)).collect();
        let mut guesses = (0..).map(|number| format!("{number:06}"));
        guesses.find(|guess| !shown.contains(guess)).expect("a wrong one")
    }
}

pub async fn enroll(client: &Client, input: Value) -> Answer {
    let document = "mutation ($input: EnrollTotpInput) { enrollTotp(input: $input) {
        secret uri qrSvg errors { code message path } } }";
    client.run_with(document, json!({ "input": input })).await
}

pub async fn confirm(client: &Client, code: &str) -> Answer {
    let document = "mutation ($code: String!) { confirmTotp(input: { code: $code }) {
        recoveryCodes errors { code message path retryAfterSeconds } } }";
    client.run_with(document, json!({ "code": code })).await
}

/// Puts an authenticator app in force, and returns it with the recovery codes.
pub async fn with_app(world: &World, client: &Client) -> (App, Vec<String>) {
    let secret = enroll(client, Value::Null).await.ok("/enrollTotp/secret");
    let app = App::new(secret.as_str().expect("a secret"));
    let answer = confirm(client, &app.code(world, 0)).await;
    assert_eq!(answer.faults("confirmTotp"), [""; 0]);
    let codes = answer.ok("/confirmTotp/recoveryCodes");
    let codes = codes.as_array().expect("codes").iter().filter_map(Value::as_str);
    (app, codes.map(str::to_owned).collect())
}

pub async fn disable(client: &Client, input: Value) -> Answer {
    let document = "mutation ($input: DisableTotpInput!) { disableTotp(input: $input) {
        user { userName mfa { enabled methods recoveryCodesLeft } } errors { code message path } } }";
    client.run_with(document, json!({ "input": input })).await
}

pub async fn status(client: &Client) -> Value {
    client.run("{ me { mfa { enabled methods recoveryCodesLeft } } }").await.ok("/me/mfa")
}

pub fn password() -> Value {
    json!({ "password": PASSWORD })
}

/// The mail that tells of a change of factors, if there is one. Mails of one moment have no order.
pub async fn notice(world: &World, address: &str, about: &str) -> Option<String> {
    let mails = world.mails_to(address).await;
    let told = mails.into_iter().filter(|mail| mail.subject == "How you log in was changed");
    told.map(|mail| mail.text).find(|text| text.contains(about))
}
