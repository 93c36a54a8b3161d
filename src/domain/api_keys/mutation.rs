//! Making and revoking keys, as GraphQL mutations.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};

use super::{
    service::{self, NewKey},
    types::ApiKey,
};
use crate::{
    graphql::{
        ContextExt,
        errors::{UserError, payload},
        guard::InPerson,
        scalars::DateTime,
    },
    ids::{self, Kind},
};

#[derive(Default)]
pub struct ApiKeysMutation;

#[Object(guard = "crate::graphql::guard::Closed")]
impl ApiKeysMutation {
    /// Makes a key for a program that acts for you. Its secret is shown this once: send it as `Authorization: Bearer …`.
    #[graphql(guard = "InPerson")]
    async fn create_api_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What the key is for.")] input: CreateApiKeyInput,
    ) -> Result<Option<CreateApiKeyPayload>> {
        let (made, errors) = payload(service::create(ctx.ctx()?, input.into()).await)?;
        let (api_key, secret) = made.map(|(row, secret)| (row.into(), secret)).unzip();
        Ok(Some(CreateApiKeyPayload { api_key, secret, errors }))
    }

    /// Revokes one of your keys. Within two seconds it is good for nothing.
    #[graphql(guard = "InPerson")]
    async fn revoke_api_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which key.")] input: RevokeApiKeyInput,
    ) -> Result<Option<RevokeApiKeyPayload>> {
        let RevokeApiKeyInput { api_key_id } = input;
        let id = ids::decode_as(Kind::ApiKey, &api_key_id);
        let (deleted, errors) = payload(service::revoke(ctx.ctx()?, id).await)?;
        let deleted_id = deleted.map(|id| ids::encode(Kind::ApiKey, id).into());
        Ok(Some(RevokeApiKeyPayload { deleted_id, errors }))
    }
}

/// What a key is for.
#[derive(InputObject)]
pub struct CreateApiKeyInput {
    /// What to know it by.
    name: String,
    /// The permissions that it gets: some of your own; or none, for reading what you may read as yourself.
    scopes: Vec<String>,
    /// When it runs out; never when it is left out.
    expires_at: Option<DateTime>,
    /// That it is you, as `verifyOtp` gives for `STEP_UP`: needed when your last sign-in is older than 15 minutes.
    proof: Option<String>,
}

impl From<CreateApiKeyInput> for NewKey {
    fn from(input: CreateApiKeyInput) -> Self {
        let CreateApiKeyInput { name, scopes, expires_at, proof } = input;
        Self { name, scopes, expires_at: expires_at.map(|at| at.0), proof }
    }
}

/// The new key.
#[derive(SimpleObject)]
pub struct CreateApiKeyPayload {
    /// The key.
    api_key: Option<ApiKey>,
    /// What the program shows. It is not kept, and never shown again.
    secret: Option<String>,
    /// What to mend; empty on success.
    errors: Vec<UserError>,
}

/// Which key to revoke.
#[derive(InputObject)]
pub struct RevokeApiKeyInput {
    /// Its id.
    api_key_id: ID,
}

/// What was revoked.
#[derive(SimpleObject)]
pub struct RevokeApiKeyPayload {
    /// The key that is gone.
    deleted_id: Option<ID>,
    /// What to mend; empty on success.
    errors: Vec<UserError>,
}
