//! `node` and `nodes`: any object by its global id.

use std::collections::HashMap;

use async_graphql::{Context, ID, Interface, Object, Result};
use uuid::Uuid;

use crate::{
    context::Ctx,
    domain::{
        api_keys::{service as api_keys, types::ApiKey},
        applications::{service as applications, types::Application},
        audit::{service as audit, types::Event},
        credentials::factors::{passkeys, types::Passkey},
        identity::{service as identity, types::User},
        models::{service as models, types::Model},
        orgs::{
            invitations::{self, types::Invitation},
            members::types::Membership,
            service as orgs,
            types::Organization,
        },
        roles::{service as roles, types::Role},
        sessions::{service as sessions, types::Session},
    },
    error::Error,
    graphql::{ContextExt, guard::Public},
    ids::{self, Kind},
};

/// An object with a global id.
#[derive(Interface, Clone)]
#[graphql(field(name = "id", ty = "ID", desc = "The global id."))]
pub enum Node {
    User(User),
    Organization(Organization),
    Membership(Membership),
    Invitation(Invitation),
    Role(Role),
    Session(Session),
    Event(Event),
    Model(Model),
    Application(Application),
    Passkey(Passkey),
    ApiKey(ApiKey),
}

#[derive(Default)]
pub struct NodeQuery;

const AT_ONCE: usize = 100;

#[Object(guard = "crate::graphql::guard::Closed")]
impl NodeQuery {
    /// One object by its global id; null when there is none, or none that you may see.
    #[graphql(guard = "Public")]
    async fn node(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its global id.")] id: ID,
    ) -> Result<Option<Node>> {
        Ok(find(ctx.ctx()?, &[id]).await?.pop().flatten())
    }

    /// Many objects by their global ids, in the order of the ids; null for each that there is none, or none that you
    /// may see.
    #[graphql(guard = "Public")]
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Their global ids, 100 at most.")] ids: Vec<ID>,
    ) -> Result<Vec<Option<Node>>> {
        if ids.len() > AT_ONCE {
            return Err(Error::bad_user_input(format!("At most {AT_ONCE} ids at once.")).into());
        }
        Ok(find(ctx.ctx()?, &ids).await?)
    }
}

/// One statement for each kind of id.
async fn find(ctx: &Ctx, texts: &[ID]) -> crate::error::Result<Vec<Option<Node>>> {
    let ids: Vec<Option<(Kind, Uuid)>> = texts.iter().map(|text| ids::decode(text)).collect();
    let of = |kind: Kind| ids.iter().flatten().filter(move |(found, _)| *found == kind).map(|(_, id)| *id);
    let mut found: HashMap<(Kind, Uuid), Node> = HashMap::new();
    for (id, row) in identity::by_ids(ctx, of(Kind::User)).await? {
        found.insert((Kind::User, id), Node::User(User::in_full(row)));
    }
    for (id, row) in orgs::by_ids(ctx, of(Kind::Organization)).await? {
        found.insert((Kind::Organization, id), Node::Organization(row.into()));
    }
    for (id, row) in orgs::members::by_ids(ctx, of(Kind::Membership)).await? {
        found.insert((Kind::Membership, id), Node::Membership(row.into()));
    }
    for (id, row) in invitations::by_ids(ctx, of(Kind::Invitation)).await? {
        found.insert((Kind::Invitation, id), Node::Invitation(row.into()));
    }
    for (id, row) in roles::by_ids(ctx, of(Kind::Role)).await? {
        found.insert((Kind::Role, id), Node::Role(row.into()));
    }
    for (id, row) in sessions::by_ids(ctx, of(Kind::Session)).await? {
        found.insert((Kind::Session, id), Node::Session(row.into()));
    }
    for (id, row) in audit::by_ids(ctx, of(Kind::Event)).await? {
        found.insert((Kind::Event, id), Node::Event(row.into()));
    }
    for (id, row) in models::by_ids(ctx, of(Kind::Model)).await? {
        found.insert((Kind::Model, id), Node::Model(row.into()));
    }
    for (id, row) in applications::by_ids(ctx, of(Kind::Application)).await? {
        found.insert((Kind::Application, id), Node::Application(row.into()));
    }
    for (id, row) in passkeys::by_ids(ctx, of(Kind::Passkey)).await? {
        found.insert((Kind::Passkey, id), Node::Passkey(row.into()));
    }
    for (id, row) in api_keys::by_ids(ctx, of(Kind::ApiKey)).await? {
        found.insert((Kind::ApiKey, id), Node::ApiKey(row.into()));
    }
    Ok(ids.into_iter().map(|key| key.and_then(|key| found.get(&key).cloned())).collect())
}
