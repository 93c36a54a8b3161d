//! Registering and changing applications, and coming in through their extensions, as GraphQL mutations.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, Result, SimpleObject};
use entity::IdentityBackend;

use super::{
    id_tokens,
    service::{self, ApplicationChange, Backend, NewApplication, Registered, SecretKind},
    types::{Application, ApplicationSecretKind, IdentityBackendKind},
};
use crate::{
    authz::Permission,
    change::Change,
    domain::sessions::mutation::LoginPayload,
    graphql::{
        ContextExt,
        errors::{UserError, payload},
        guard::{Public, Require},
        scalars::Url,
    },
    ids::{self, Kind},
};

#[derive(Default)]
pub struct ApplicationsMutation;

#[Object(guard = "crate::graphql::guard::Closed")]
impl ApplicationsMutation {
    /// Logs in whom an extension of an application vouches for, with an id token that it has sealed. Whoever comes for
    /// the first time gets an account with the role `EXTENSION`. A token is good for five minutes, and once; whatever is
    /// wrong with one, the answer is `WRONG_CREDENTIALS`.
    #[graphql(guard = "Public")]
    async fn exchange_id_token(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The token, and whose extension has sealed it.")] input: ExchangeIdTokenInput,
    ) -> Result<Option<LoginPayload>> {
        let ExchangeIdTokenInput { id_token, application_id } = input;
        let id = ids::decode_as(Kind::Application, &application_id);
        let (entered, errors) = payload(id_tokens::exchange(ctx.ctx()?, &id_token, id).await)?;
        Ok(Some(LoginPayload::new(entered, errors)))
    }

    /// Registers an application. Its client secret and the key of its extensions are shown this once.
    #[graphql(guard = "Require(Permission::AppRegister)")]
    async fn register_application(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The application.")] input: RegisterApplicationInput,
    ) -> Result<Option<RegisterApplicationPayload>> {
        let (made, errors) = payload(service::register(ctx.ctx()?, input.into()).await)?;
        Ok(Some(RegisterApplicationPayload::new(made, errors)))
    }

    /// Changes an application. One that is switched off lets nobody in and renews no session; those that it has rest, within
    /// two seconds, until it is on again.
    #[graphql(guard = "Require(Permission::AppRegister)")]
    async fn update_application(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which application, and what to change.")] input: UpdateApplicationInput,
    ) -> Result<Option<UpdateApplicationPayload>> {
        let (row, errors) = payload(service::update(ctx.ctx()?, input.into()).await)?;
        Ok(Some(UpdateApplicationPayload { application: row.map(Into::into), errors }))
    }

    /// Gives an application a new client secret, or a new key of its extensions. It is shown this once. The old one is good
    /// for nothing at once: what was sealed with an old key, too.
    #[graphql(guard = "Require(Permission::AppRegister)")]
    async fn rotate_application_secret(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which application, and which of its secrets.")] input: RotateApplicationSecretInput,
    ) -> Result<Option<RotateApplicationSecretPayload>> {
        let RotateApplicationSecretInput { application_id, secret } = input;
        let id = ids::decode_as(Kind::Application, &application_id);
        let kind = secret.map_or(SecretKind::Client, Into::into);
        let (done, errors) = payload(service::rotate_secret(ctx.ctx()?, id, kind).await)?;
        let (application, shown) = done.map(|(row, secret)| (row.into(), secret)).unzip();
        let (client_secret, extension_key) = match kind {
            SecretKind::Client => (shown, None),
            SecretKind::ExtensionKey => (None, shown),
        };
        Ok(Some(RotateApplicationSecretPayload { application, client_secret, extension_key, errors }))
    }
}

/// An id token, and whose it is.
#[derive(InputObject)]
pub struct ExchangeIdTokenInput {
    /// `base64(ciphertext):base64(nonce)`, made by `NaCl`'s secretbox with the application's `extensionKey` from
    /// `id::extension::milliseconds`: the extension's own id of the person, the word `extension`, and the moment.
    id_token: String,
    /// The application that the extension belongs to.
    application_id: ID,
}

/// How to reach a `FusionAuth` that keeps the identities of an application.
#[derive(InputObject)]
pub struct FusionAuthBackendInput {
    /// Where it is.
    url: Url,
    /// A key to its API.
    api_key: String,
    /// What it calls the application.
    application_id: String,
    /// What it calls the tenant, where it has several.
    tenant_id: Option<String>,
}

impl FusionAuthBackendInput {
    fn said(given: Option<&Self>) -> Backend {
        let Some(Self { url: _, api_key: _, application_id: _, tenant_id: _ }) = given else {
            return Backend::Nothing;
        };
        Backend::Settings
    }
}

/// A new application.
#[derive(InputObject)]
pub struct RegisterApplicationInput {
    /// What to know it by: no other application has this name.
    name: String,
    /// Where its identities are kept: `NATIVE`, here, when it is left out. There is no other yet.
    backend: Option<IdentityBackendKind>,
    /// How to reach the backend, if it is not this service. Not supported yet.
    fusion_auth: Option<FusionAuthBackendInput>,
    /// Where it may send people back to, 100 at most: https, or this machine (localhost), without a fragment.
    redirect_urls: Option<Vec<Url>>,
}

impl From<RegisterApplicationInput> for NewApplication {
    fn from(input: RegisterApplicationInput) -> Self {
        let RegisterApplicationInput { name, backend, fusion_auth, redirect_urls } = input;
        let backend = backend.map_or(IdentityBackend::Native, Into::into);
        let redirect_urls = redirect_urls.unwrap_or_default().into_iter().map(|url| url.0).collect();
        Self { name, backend, settings: FusionAuthBackendInput::said(fusion_auth.as_ref()), redirect_urls }
    }
}

/// The new application.
#[derive(SimpleObject)]
pub struct RegisterApplicationPayload {
    /// The application.
    application: Option<Application>,
    /// What it proves with who it is. It is not kept, and never shown again.
    client_secret: Option<String>,
    /// With what its extensions seal id tokens: 32 bytes as base64. It is never shown again.
    extension_key: Option<String>,
    /// What to mend; empty on success.
    errors: Vec<UserError>,
}

impl RegisterApplicationPayload {
    fn new(made: Option<Registered>, errors: Vec<UserError>) -> Self {
        let Some(Registered { application, client_secret, extension_key }) = made else {
            return Self { application: None, client_secret: None, extension_key: None, errors };
        };
        let (client_secret, extension_key) = (Some(client_secret), Some(extension_key));
        Self { application: Some(application.into()), client_secret, extension_key, errors }
    }
}

/// What to change; what is left out stays.
#[derive(InputObject)]
pub struct UpdateApplicationInput {
    /// Which application.
    application_id: ID,
    /// Another name.
    name: MaybeUndefined<String>,
    /// Whether it is in use. The default application always is.
    active: MaybeUndefined<bool>,
    /// How to reach the backend, if it is not this service. Not supported yet.
    fusion_auth: Option<FusionAuthBackendInput>,
    /// All the addresses that it may send people back to; null for none.
    redirect_urls: MaybeUndefined<Vec<Url>>,
}

impl From<UpdateApplicationInput> for ApplicationChange {
    fn from(input: UpdateApplicationInput) -> Self {
        let UpdateApplicationInput { application_id, name, active, fusion_auth, redirect_urls } = input;
        let urls: Change<Vec<Url>> = redirect_urls.into();
        Self {
            id: ids::decode_as(Kind::Application, &application_id),
            name: name.into(),
            active: active.into(),
            settings: FusionAuthBackendInput::said(fusion_auth.as_ref()),
            redirect_urls: urls.map(|urls| urls.into_iter().map(|url| url.0).collect()),
        }
    }
}

/// The application as it is now.
#[derive(SimpleObject)]
pub struct UpdateApplicationPayload {
    /// The application.
    application: Option<Application>,
    /// What to mend; empty on success.
    errors: Vec<UserError>,
}

/// Which application gets a new secret.
#[derive(InputObject)]
pub struct RotateApplicationSecretInput {
    /// Its id.
    application_id: ID,
    /// Which of its secrets: the client secret when it is left out.
    secret: Option<ApplicationSecretKind>,
}

/// The new secret.
#[derive(SimpleObject)]
pub struct RotateApplicationSecretPayload {
    /// The application.
    application: Option<Application>,
    /// What it proves with who it is, if that was asked for. It is not kept, and never shown again.
    client_secret: Option<String>,
    /// With what its extensions seal id tokens, if that was asked for: 32 bytes as base64. It is never shown again.
    extension_key: Option<String>,
    /// What to mend; empty on success.
    errors: Vec<UserError>,
}
