//! Federation: `_service` and `_entities`, and every way to name one of our entities.
//!
//! Defined here rather than by async-graphql's own: there, one bad key fails the whole batch, guards do not run, and
//! each representation is a query of its own. Here the order is kept, what is missing or not to be seen is null, and
//! each kind of key costs one statement. (ADR 0009.)

mod keys;

use std::{borrow::Cow, collections::HashMap, hash::Hash};

use async_graphql::{
    Context, ContextSelectionSet, Guard, InputValueError, InputValueResult, Object, OutputType, Positioned,
    Result, Scalar, ScalarType, ServerResult, SimpleObject, Union, Value,
    parser::types::{Field, Selection, SelectionSet},
    registry::Registry,
};
use entity::user;
use uuid::Uuid;

use keys::Key;
pub use keys::ReadBefore;

use super::sdl::{self, Security};
use crate::{
    authz::Permission,
    config::Switch,
    context::Ctx,
    domain::{
        applications::{service as applications, types::Application},
        identity::{
            names,
            service::{self as identity, Person},
            types::User,
        },
        models::{service as models, types::Model},
        orgs::{service as orgs, types::Organization},
        roles::{service as roles, types::Role},
    },
    error::Error,
    graphql::{ContextExt, guard::Public, in_place::List},
};

pub struct Representation(Value);

/// A key of an entity, with its `__typename`.
#[Scalar(
    name = "_Any",
    specified_by_url = "https://www.apollographql.com/docs/graphos/reference/federation/subgraph-specific-fields"
)]
impl ScalarType for Representation {
    fn parse(value: Value) -> InputValueResult<Self> {
        match value {
            Value::Object(_) => Ok(Self(value)),
            other => Err(InputValueError::expected_type(other)),
        }
    }

    fn to_value(&self) -> Value {
        self.0.clone()
    }
}

/// What a router can ask this subgraph to complete.
#[derive(Union, Clone)]
#[graphql(name = "_Entity")]
pub enum Entity {
    User(User),
    Organization(Organization),
    Role(Role),
    Model(Model),
    Application(Application),
}

/// What this subgraph adds to the supergraph.
#[derive(SimpleObject)]
#[graphql(name = "_Service")]
pub struct ServiceSdl {
    /// The schema of the subgraph, with its federation directives.
    sdl: Option<String>,
}

/// An entity that resolves as the object that it is, and not once more as a union.
pub struct Keyed(Entity);

impl OutputType for Keyed {
    fn type_name() -> Cow<'static, str> {
        Entity::type_name()
    }

    fn introspection_type_name(&self) -> Cow<'static, str> {
        self.0.introspection_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        Entity::create_type_info(registry)
    }

    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
        if names_the_union(ctx, &ctx.item.node) {
            return Box::pin(self.0.resolve(ctx, field)).await;
        }
        match &self.0 {
            Entity::User(user) => user.resolve(ctx, field).await,
            Entity::Organization(organization) => organization.resolve(ctx, field).await,
            Entity::Role(role) => role.resolve(ctx, field).await,
            Entity::Model(model) => model.resolve(ctx, field).await,
            Entity::Application(application) => application.resolve(ctx, field).await,
        }
    }
}

/// Whether a fragment is for whichever entity it is: only the union itself knows it.
fn names_the_union(ctx: &ContextSelectionSet<'_>, selected: &SelectionSet) -> bool {
    selected.items.iter().any(|selection| {
        let (condition, below) = match &selection.node {
            Selection::Field(_) => return false,
            Selection::InlineFragment(fragment) => {
                (fragment.node.type_condition.as_ref(), &fragment.node.selection_set)
            }
            Selection::FragmentSpread(spread) => {
                let Some(fragment) = ctx.query_env.fragments.get(&spread.node.fragment_name.node) else {
                    return false;
                };
                (Some(&fragment.node.type_condition), &fragment.node.selection_set)
            }
        };
        condition.is_some_and(|condition| condition.node.on.node == "_Entity")
            || names_the_union(ctx, &below.node)
    })
}

#[derive(Default)]
pub struct FederationQuery;

/// The schema is for everybody in development; in production, for those who may introspect.
struct Introspective;

impl Guard for Introspective {
    async fn check(&self, ctx: &Context<'_>) -> Result<()> {
        if may_introspect(ctx.ctx()?) { Ok(()) } else { Err(Error::forbidden().into()) }
    }
}

pub fn may_introspect(ctx: &Ctx) -> bool {
    !ctx.app.config.production()
        || ctx.request.from_router
        || ctx.actor.may_somewhere(Permission::SchemaIntrospect)
}

#[Object(guard = "crate::graphql::guard::Closed")]
impl FederationQuery {
    /// The schema of this subgraph, for a router.
    #[graphql(name = "_service", guard = "Introspective")]
    #[expect(clippy::unused_self, reason = "every field is a method of its object")]
    fn service(&self, ctx: &Context<'_>) -> Result<ServiceSdl> {
        let app = &ctx.ctx()?.app;
        let told = app.config.server.subgraph_security == Switch::On;
        let security = if told { Security::Told } else { Security::Untold };
        Ok(ServiceSdl { sdl: Some(sdl::subgraph(&app.schema, security)) })
    }

    /// The entities with these keys, in their order; null for each that there is none, or none that you may see.
    #[graphql(name = "_entities", guard = "Public")]
    async fn entities(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "A `__typename` and a key each, 1,000 at most.")] representations: Vec<
            Representation,
        >,
    ) -> Result<List<Option<Keyed>>> {
        let keys = match ReadBefore::of(ctx) {
            Some(keys) => keys,
            None => &representations.iter().map(|representation| Key::read(&representation.0)).collect(),
        };
        if keys.len() > AT_ONCE {
            return Err(Error::bad_user_input(format!("At most {AT_ONCE} representations at once.")).into());
        }
        let found = Found::load(ctx, keys).await?;
        Ok(List(keys.iter().map(|key| found.get(key.as_ref()?).map(Keyed)).collect()))
    }
}

const AT_ONCE: usize = 1_000;

/// What the keys lead to: one statement for each kind of key that occurs.
struct Found {
    users: HashMap<Uuid, User>,
    users_by_name: HashMap<String, User>,
    organizations: HashMap<Uuid, Organization>,
    organizations_by_code: HashMap<String, Organization>,
    roles: HashMap<Uuid, Role>,
    roles_by_code: HashMap<String, Role>,
    models: HashMap<Uuid, Model>,
    applications: HashMap<Uuid, Application>,
}

impl Found {
    async fn load(context: &Context<'_>, keys: &[Option<Key>]) -> Result<Self> {
        let ctx = context.ctx()?;
        let (mut user_ids, mut names, mut org_ids, mut codes) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (mut role_ids, mut role_codes, mut model_ids) = (Vec::new(), Vec::new(), Vec::new());
        let mut application_ids = Vec::new();
        for key in keys.iter().flatten() {
            match key {
                Key::UserId(id) => user_ids.push(*id),
                Key::UserName(name) => names.push(name.clone()),
                Key::OrganizationId(id) => org_ids.push(*id),
                Key::OrganizationCode(code) => codes.push(code.clone()),
                Key::RoleId(id) => role_ids.push(*id),
                Key::RoleCode(code) => role_codes.push(code.clone()),
                Key::ModelId(id) => model_ids.push(*id),
                Key::ApplicationId(id) => application_ids.push(*id),
            }
        }
        let look = || User::look(&context.look_ahead());
        let users = identity::look_up(ctx, user_ids, look()).await?;
        let users_by_name = identity::by_user_names(ctx, &names, look()).await?;
        Ok(Self {
            users: with_relations(context, users, |row| row.id).await,
            users_by_name: with_relations(context, users_by_name, |row| row.user_name_key.clone()).await,
            organizations: shown(orgs::by_ids(ctx, org_ids).await?, Organization::from),
            organizations_by_code: shown(orgs::by_codes(ctx, &codes).await?, Organization::from),
            roles: shown(roles::by_ids(ctx, role_ids).await?, Role::from),
            roles_by_code: shown(roles::by_codes(ctx, &role_codes).await?, Role::from),
            models: shown(models::by_ids(ctx, model_ids).await?, Model::from),
            applications: shown(applications::by_ids(ctx, application_ids).await?, Application::from),
        })
    }

    fn get(&self, key: &Key) -> Option<Entity> {
        match key {
            Key::UserId(id) => self.users.get(id).cloned().map(Entity::User),
            Key::UserName(name) => self.users_by_name.get(&names::name_key(name)).cloned().map(Entity::User),
            Key::OrganizationId(id) => self.organizations.get(id).cloned().map(Entity::Organization),
            Key::OrganizationCode(code) => {
                self.organizations_by_code.get(&names::name_key(code)).cloned().map(Entity::Organization)
            }
            Key::RoleId(id) => self.roles.get(id).cloned().map(Entity::Role),
            Key::RoleCode(code) => self.roles_by_code.get(&names::name_key(code)).cloned().map(Entity::Role),
            Key::ModelId(id) => self.models.get(id).cloned().map(Entity::Model),
            Key::ApplicationId(id) => self.applications.get(id).cloned().map(Entity::Application),
        }
    }
}

async fn with_relations<K: Eq + Hash>(
    ctx: &Context<'_>,
    people: Vec<Person>,
    key: impl Fn(&user::Model) -> K,
) -> HashMap<K, User> {
    let keys: Vec<_> = people.iter().map(|person| key(&person.row)).collect();
    keys.into_iter().zip(User::all_in_full(ctx, &ctx.look_ahead(), people).await).collect()
}

fn shown<K: Eq + Hash, R, T>(rows: HashMap<K, R>, show: impl Fn(R) -> T) -> HashMap<K, T> {
    rows.into_iter().map(|(key, row)| (key, show(row))).collect()
}
