//! The ceremonies of passkeys: a thin layer over webauthn-rs, which judges what browsers answer.
//!
//! User verification (a finger, a face, a PIN) is asked for always: a passkey is something that one has and something
//! that one is or knows, two factors at once.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value as Json;
use uuid::Uuid;
use webauthn_rs::prelude::{
    DiscoverableAuthentication, Passkey, PasskeyRegistration, PublicKeyCredential,
    RegisterPublicKeyCredential, Url, Webauthn, WebauthnBuilder, WebauthnError,
};

use crate::{
    app::App,
    context::Ctx,
    error::{Error, ErrorCode, Fault, Result},
};

/// What browsers send is a few kilobytes; what is much larger is no answer of theirs.
const LARGEST: usize = 32 * 1024;

/// The name by which passkeys know this service: the host of the public URL.
pub fn host(ctx: &Ctx) -> Option<String> {
    origin(&ctx.app)?.host_str().map(str::to_owned)
}

fn origin(app: &App) -> Option<Url> {
    Url::parse(app.public_url.as_str()).ok()
}

/// Whether there can be passkeys: they are bound to a name, and an address is none.
pub fn available(app: &App) -> bool {
    origin(app).is_some_and(|origin| origin.domain().is_some())
}

/// Refuses what has to do with passkeys where there can be none.
pub fn require_available(ctx: &Ctx) -> Result<()> {
    if available(&ctx.app) { Ok(()) } else { Err(unsupported().into()) }
}

fn unsupported() -> Fault {
    let message = "Passkeys need a public URL with a name: they are bound to it, and an address is none.";
    Fault::new(ErrorCode::Unsupported, &[], message)
}

fn is_at_or_below(origin: &Url, host: &str) -> bool {
    let above = origin.host_str().and_then(|name| name.strip_suffix(host));
    above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
}

fn relying_party(ctx: &Ctx) -> Result<Webauthn> {
    // Asked before webauthn-rs is, which writes an error into the log each time.
    require_available(ctx)?;
    let (host, origin) = host(ctx).zip(origin(&ctx.app)).ok_or_else(unsupported)?;
    let builder = WebauthnBuilder::new(&host, &origin).map_err(|_| unsupported())?;
    // A browser offers the passkeys of our name to pages below that name alone; of those, to which we allow it.
    let others = ctx.app.config.server.allowed_origins.iter().flatten();
    let others = others.filter_map(|origin| Url::parse(origin.as_str()).ok());
    let others = others.filter(|origin| is_at_or_below(origin, &host));
    let builder = others.fold(builder, |builder, origin| builder.append_allowed_origin(&origin));
    builder.rp_name(&host).build().map_err(Error::internal)
}

/// Whose passkey is to be made.
pub struct Person<'a> {
    pub id: Uuid,
    pub user_name: &'a str,
    pub name: &'a str,
    /// The ids of the passkeys that they have: no authenticator is to hold two.
    pub held: Vec<Vec<u8>>,
}

/// What the browser is told, and what its answer is judged by.
pub fn start_registration(ctx: &Ctx, person: Person<'_>) -> Result<(Json, PasskeyRegistration)> {
    let Person { id, user_name, name, held } = person;
    let (options, state) = relying_party(ctx)?
        .start_passkey_registration(id, user_name, name, Some(held))
        .map_err(Error::internal)?;
    let mut options = serde_json::to_value(options).map_err(Error::internal)?;
    // To be found without a name where the authenticator has room for it; required would leave out old security keys.
    if let Some(selection) = options.pointer_mut("/publicKey/authenticatorSelection") {
        selection["residentKey"] = "preferred".into();
    }
    Ok((options, state))
}

pub fn finish_registration(
    ctx: &Ctx,
    answer: &Answer<RegisterPublicKeyCredential>,
    state: &PasskeyRegistration,
) -> Result<Passkey> {
    relying_party(ctx)?.finish_passkey_registration(&answer.0, state).map_err(|error| {
        tracing::debug!(%error, "a passkey was not registered");
        Fault::invalid("passkey", "This is not the answer of an authenticator to this challenge.").into()
    })
}

/// What an answer is judged by. It names no passkey: which ones may answer is decided when the answer is here.
#[derive(Serialize, Deserialize)]
pub struct Question(DiscoverableAuthentication);

/// What the browser is told: to use one of these passkeys, or (without any) whichever it finds.
pub fn start_login(ctx: &Ctx, passkey_ids: &[Vec<u8>]) -> Result<(Json, Question)> {
    let (mut options, state) =
        relying_party(ctx)?.start_discoverable_authentication().map_err(Error::internal)?;
    options.mediation = None;
    options.public_key.extensions = None;
    let mut options = serde_json::to_value(options).map_err(Error::internal)?;
    // How a passkey is reached stays out: it would tell real ones from decoys.
    let allowed = passkey_ids.iter().map(
        |id| serde_json::json!({ "type": "public-key", "id": data_encoding::BASE64URL_NOPAD.encode(id) }),
    );
    options["publicKey"]["allowCredentials"] = allowed.collect();
    Ok((options, Question(state)))
}

/// Why an answer does not prove anything.
#[derive(Debug)]
pub enum Refusal {
    /// The counter did not go up: somebody else may have used a copy of the key.
    Cloned,
    Wrong,
}

/// What has been proved: the passkey, with its counter as it is now.
pub fn finish_login(
    ctx: &Ctx,
    answer: &Answer<PublicKeyCredential>,
    question: Question,
    mut passkey: Passkey,
) -> Result<Result<(Passkey, u32), Refusal>> {
    // webauthn-rs judges this at registrations alone.
    if answer.is_framed() {
        return Ok(Err(Refusal::Wrong));
    }
    let judged = relying_party(ctx)?.finish_discoverable_authentication_v2(&answer.0, question.0, &passkey);
    let result = match judged {
        Ok(result) if result.user_verified() => result,
        Ok(_) => return Ok(Err(Refusal::Wrong)),
        Err(WebauthnError::CredentialPossibleCompromise) => return Ok(Err(Refusal::Cloned)),
        Err(error) => {
            tracing::debug!(%error, "a passkey was refused");
            return Ok(Err(Refusal::Wrong));
        }
    };
    passkey.update_credential(&result);
    Ok(Ok((passkey, result.counter())))
}

/// What a browser sent, well-formed as far as JSON goes.
pub struct Answer<T>(T);

impl<T: DeserializeOwned> Answer<T> {
    pub fn parse(json: Json) -> Result<Self> {
        let problem = || Fault::invalid("passkey", "This is not what a browser makes of a passkey.");
        if weight(&json) > LARGEST {
            return Err(problem().into());
        }
        serde_json::from_value(json).map(Self).map_err(|_| problem().into())
    }
}

impl Answer<PublicKeyCredential> {
    /// What the authenticator calls the passkey.
    pub fn credential_id(&self) -> &[u8] {
        self.0.get_credential_id()
    }

    /// Whose passkey it says that it is.
    pub fn user_id(&self) -> Option<Uuid> {
        self.0.get_user_unique_id().and_then(|id| Uuid::from_slice(id).ok())
    }

    /// Whether it was made inside a page of another origin, which can dress up around it what it likes.
    fn is_framed(&self) -> bool {
        let said = serde_json::from_slice::<Json>(&self.0.response.client_data_json);
        said.is_ok_and(|said| said["crossOrigin"] == true)
    }

    /// Whether it says that it is somebody's, in whatever form.
    pub fn names_somebody(&self) -> bool {
        self.0.get_user_unique_id().is_some_and(|id| !id.is_empty())
    }
}

fn weight(json: &Json) -> usize {
    match json {
        Json::Null | Json::Bool(_) | Json::Number(_) => 1,
        Json::String(text) => 1 + text.len(),
        Json::Array(items) => 1 + items.iter().map(weight).sum::<usize>(),
        Json::Object(fields) => {
            1 + fields.iter().map(|(name, value)| name.len() + weight(value)).sum::<usize>()
        }
    }
}
