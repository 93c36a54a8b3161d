//! Users as GraphQL shows them.

mod asking;

use std::{mem, sync::Arc};

use async_graphql::{Context, Enum, ID, Lookahead, Object, Result, SimpleObject};
use entity::user;

pub use asking::{OrderDirection, UserBy, UserFilter, UserOrder, UserOrderField};

use super::service::{self, Look, Person, Seen};
use crate::{
    domain::{
        api_keys::types::ApiKeyConnection,
        credentials::factors::{
            loaders::FactorsOf,
            service as factors,
            types::{MfaStatus, Passkey},
        },
        models::{loaders::ModelsOf, types::Model},
        orgs::{
            invitations::types::InvitationConnection, loaders::PrimaryOf,
            members::types::MembershipConnection, types::Organization,
        },
        roles::{loaders::RolesOf, types::Role},
        sessions::{entering, types::SessionConnection},
    },
    graphql::{
        ContextExt,
        afresh::Afresh,
        ahead::{self, Ahead},
        connection::PageInfo,
        guard::{Private, Sees},
        in_place::List,
        resilient::Resilient,
        scalars::{DateTime, EmailAddress, Locale, PhoneNumber, Url},
    },
    ids::{self, Kind},
    page::{Page, PageArgs},
};

/// How far an account has come.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "entity::UserStatus")]
pub enum UserStatus {
    /// Registered; the address is not proved yet, and there is no logging in.
    Unverified,
    /// In use.
    Active,
    /// Closed by an administrator.
    Deactivated,
}

#[derive(Clone)]
pub struct UserObject {
    row: Arc<user::Model>,
    sees: Sees,
    /// What was fetched for all users that were handed out together.
    ahead: Ahead,
}

pub type User = Resilient<UserObject>;

/// The columns behind the fields that are not named after one.
const MADE_OF: &[(&str, &[user::Column])] = &[
    ("emailVerified", &[user::Column::Email, user::Column::EmailVerifiedAt]),
    ("phoneVerified", &[user::Column::Phone, user::Column::PhoneVerifiedAt]),
    ("organization", &[]),
    ("roles", &[]),
    ("models", &[]),
    ("memberships", &[]),
    ("passkeys", &[]),
    ("sessions", &[]),
    ("apiKeys", &[]),
];

impl User {
    /// As the users themselves, and those who administer them, see them.
    pub fn in_full(row: user::Model) -> Self {
        Self(UserObject { row: Arc::new(row), sees: Sees::Everything, ahead: Ahead::default() })
    }

    /// The same, where the caller has just proved to be this person, and is not signed in as them. Where more is asked for,
    /// such as a second factor, they are as far as a stranger.
    pub async fn themselves(ctx: &Context<'_>, row: Option<user::Model>) -> Result<Option<Afresh<Self>>> {
        let Some(row) = row else {
            return Ok(None);
        };
        let ctx = ctx.ctx()?;
        Ok(Some(match entering::as_proved(ctx, &row).await? {
            Some(proved) => Afresh::new(proved, Self::in_full(row)),
            None => Afresh::new(ctx.clone(), Self::seen(row, Seen::FromOutside)),
        }))
    }

    /// What to look at of users of whom this is selected.
    pub fn look(below: &Lookahead<'_>) -> Look {
        let related = |name| Some(below.field(name)).filter(Lookahead::exists);
        Look {
            columns: ahead::columns(below, MADE_OF),
            organization: related("organization").map(|below| ahead::columns(&below, &[])),
            roles: related("roles").map(|below| ahead::columns(&below, &[])),
        }
    }

    /// Many of them, who were looked at for what is selected below them.
    pub async fn all_in_full(
        ctx: &Context<'_>,
        below: &Lookahead<'_>,
        people: impl IntoIterator<Item = Person>,
    ) -> Vec<Self> {
        let mut people: Vec<_> = people.into_iter().collect();
        let organization =
            |person: &mut Person| Some((PrimaryOf(person.row.id), person.organization.take()?));
        let roles = |person: &mut Person| (RolesOf(person.row.id), mem::take(&mut person.roles));
        let ahead = Ahead::of(ctx, below)
            .take("organization", people.iter_mut().filter_map(organization))
            .take("roles", people.iter_mut().map(roles))
            .fetch("models", people.iter().map(|person| ModelsOf(person.row.id)))
            .done()
            .await;
        let user =
            |person: Person| UserObject { row: person.row, sees: Sees::Everything, ahead: ahead.clone() };
        people.into_iter().map(user).map(Self).collect()
    }

    /// As much of them as the caller may see.
    pub fn seen(row: user::Model, extent: Seen) -> Self {
        let sees = match extent {
            Seen::InFull => Sees::Everything,
            Seen::FromOutside => Sees::Outside,
        };
        Self(UserObject { row: Arc::new(row), sees, ahead: Ahead::default() })
    }
}

// Each field that is selected is given room for the largest: what is large and rare waits in a box of its own.
/// A person with an account.
#[Object(name = "User")]
impl UserObject {
    /// The global id.
    pub async fn id(&self) -> ID {
        ids::encode(Kind::User, self.row.id).into()
    }

    /// The name to log in with; unique, whatever its spelling.
    fn user_name(&self) -> &str {
        &self.row.user_name
    }

    /// The name as people say it.
    fn name(&self) -> Option<&str> {
        self.row.name.as_deref()
    }

    /// The given name.
    fn given_name(&self) -> Option<&str> {
        self.row.given_name.as_deref()
    }

    /// The family name.
    fn family_name(&self) -> Option<&str> {
        self.row.family_name.as_deref()
    }

    /// The gender, in the user's own words.
    #[graphql(guard = "Private(self.sees)")]
    fn gender(&self) -> Option<&str> {
        self.row.gender.as_deref()
    }

    /// The language that the user wants to be addressed in.
    #[graphql(guard = "Private(self.sees)")]
    fn locale(&self) -> Option<Locale> {
        self.row.locale.clone().map(Locale)
    }

    /// A picture of the user.
    fn avatar_url(&self) -> Option<Url> {
        self.row.avatar_url.clone().map(Url)
    }

    /// How far the account has come.
    fn status(&self) -> UserStatus {
        self.row.status.into()
    }

    /// The address. For the users themselves and their administrators.
    #[graphql(guard = "Private(self.sees)")]
    fn email(&self) -> Option<EmailAddress> {
        self.row.email.clone().map(EmailAddress)
    }

    /// Whether the address is proved.
    #[graphql(guard = "Private(self.sees)")]
    fn email_verified(&self) -> Option<bool> {
        self.row.email.as_ref().map(|_| self.row.email_verified_at.is_some())
    }

    /// The phone number. For the users themselves and their administrators.
    #[graphql(guard = "Private(self.sees)")]
    fn phone(&self) -> Option<PhoneNumber> {
        self.row.phone.clone().map(PhoneNumber)
    }

    /// Whether the phone number is proved.
    #[graphql(guard = "Private(self.sees)")]
    fn phone_verified(&self) -> Option<bool> {
        self.row.phone.as_ref().map(|_| self.row.phone_verified_at.is_some())
    }

    /// The organisation that the user works for in the first place, if you may see it.
    #[graphql(guard = "Private(self.sees)")]
    async fn organization(&self, ctx: &Context<'_>) -> Result<Option<Organization>> {
        Ok(self.ahead.load(ctx, PrimaryOf(self.row.id)).await?.map(Organization::from))
    }

    /// The roles that the user holds, as far as you may know of them.
    #[graphql(guard = "Private(self.sees)")]
    async fn roles(&self, ctx: &Context<'_>) -> Result<Option<List<Role>>> {
        let roles = self.ahead.load(ctx, RolesOf(self.row.id)).await?.unwrap_or_default();
        Ok(Some(List(roles.into_iter().map(Role::from).collect())))
    }

    /// The language models that the user works with: one at most for each pair of languages.
    #[graphql(guard = "Private(self.sees)")]
    async fn models(&self, ctx: &Context<'_>) -> Result<Option<Vec<Model>>> {
        let models = self.ahead.load(ctx, ModelsOf(self.row.id)).await?.unwrap_or_default();
        Ok(Some(models.into_iter().map(Model::from).collect()))
    }

    /// The organisations that the user belongs to, as far as you may see it: your own, and of others those that you
    /// share or read.
    #[graphql(guard = "Private(self.sees)")]
    async fn memberships(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many from the start: 20 when left out, 100 at most.")] first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, 100 at most.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Option<MembershipConnection>> {
        let page = PageArgs { first, after, last, before };
        Ok(Some(Box::pin(MembershipConnection::of_user(ctx, self.row.id, page)).await?))
    }

    /// The invitations that wait for the answer of the user's proved address: all of your own, and of others those of
    /// the organisations in which you invite.
    #[graphql(guard = "Private(self.sees)")]
    async fn invitations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many from the start: 20 when left out, 100 at most.")] first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, 100 at most.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Option<InvitationConnection>> {
        let proved = self.row.email_proved_at.and(self.row.email_key.clone());
        let page = PageArgs { first, after, last, before };
        Ok(Some(Box::pin(InvitationConnection::waiting_for(ctx, proved, page)).await?))
    }

    /// Whether logins ask for a second factor. For the users themselves and those who may update them.
    #[graphql(guard = "Private(self.sees)")]
    async fn mfa(&self, ctx: &Context<'_>) -> Result<Option<MfaStatus>> {
        let factors = self.ahead.load(ctx, FactorsOf(self.row.id)).await?;
        let ctx = ctx.ctx()?;
        Ok(factors.map(|factors| MfaStatus::new(ctx, &factors, &self.row)))
    }

    /// Your passkeys, the oldest first; null for other users.
    #[graphql(guard = "Private(self.sees)")]
    async fn passkeys(&self, ctx: &Context<'_>) -> Result<Option<Vec<Passkey>>> {
        let passkeys = Box::pin(factors::passkeys_of(ctx.ctx()?, self.row.id)).await?;
        Ok(passkeys.map(|rows| rows.into_iter().map(Passkey::from).collect()))
    }

    /// Where the user is logged in, the newest first: for the users themselves, and for those who may end their sessions.
    #[graphql(guard = "Private(self.sees)")]
    async fn sessions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many from the start: 20 when left out, 100 at most.")] first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, 100 at most.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Option<SessionConnection>> {
        let page = PageArgs { first, after, last, before };
        Ok(Some(Box::pin(SessionConnection::of_user(ctx, self.row.id, page)).await?))
    }

    /// What programs show in place of the user, the newest first: for the users themselves.
    #[graphql(guard = "Private(self.sees)")]
    async fn api_keys(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many from the start: 20 when left out, 100 at most.")] first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, 100 at most.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Option<ApiKeyConnection>> {
        let page = PageArgs { first, after, last, before };
        Ok(Some(Box::pin(ApiKeyConnection::of_user(ctx, self.row.id, page)).await?))
    }

    /// When the account was made.
    fn created_at(&self) -> DateTime {
        DateTime(self.row.created_at)
    }

    /// When the account was last changed.
    fn updated_at(&self) -> DateTime {
        DateTime(self.row.updated_at)
    }

    /// When the user last logged in.
    #[graphql(guard = "Private(self.sees)")]
    fn last_login_at(&self) -> Option<DateTime> {
        self.row.last_login_at.map(DateTime)
    }
}

/// A page of users.
#[derive(SimpleObject)]
pub struct UserConnection {
    /// The users of this page, each with their cursor.
    pub edges: Option<List<Option<UserEdge>>>,
    /// Where this page stands in the list.
    pub page_info: PageInfo,
    /// How many there are in all, on all pages.
    pub total_count: u64,
}

/// A user in a list.
#[derive(SimpleObject)]
#[graphql(name = "UserEdge")]
pub struct UserEdgeObject {
    /// Says where to go on from here.
    pub cursor: String,
    /// The user.
    pub node: Option<User>,
}

pub type UserEdge = Resilient<UserEdgeObject>;

impl UserConnection {
    /// What to look at of the users of a list.
    pub fn look(ctx: &Context<'_>) -> Look {
        User::look(&ctx.look_ahead().field("edges").field("node"))
    }

    pub async fn new(ctx: &Context<'_>, page: Page<Person>, total_count: u64) -> Self {
        let page_info = PageInfo::of(&page);
        let (cursors, people): (Vec<_>, Vec<_>) = page.rows.into_iter().unzip();
        let users = User::all_in_full(ctx, &ctx.look_ahead().field("edges").field("node"), people).await;
        let edge = |(cursor, user)| Some(Resilient(UserEdgeObject { cursor, node: Some(user) }));
        let edges = List(cursors.into_iter().zip(users).map(edge).collect());
        Self { edges: Some(edges), page_info, total_count }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_graphql::{
        ContainerType as _, ContextSelectionSet, OutputType, Positioned, parser::types::Field,
    };

    /// How much room a future takes that is made of these. Whoever awaits it moves all of it.
    const fn room<A, B, F>(_: &impl Fn(A, B) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn what_resolves_a_user_is_moved_as_a_pointer() {
        type Below = (&'static ContextSelectionSet<'static>, &'static Positioned<Field>);
        assert!(room(&|user: &'static User, (ctx, field): Below| user.resolve(ctx, field)) <= 64);
        assert!(room(&|roles: &'static List<Role>, (ctx, field): Below| roles.resolve(ctx, field)) <= 64);
        let field = |user: &'static User, ctx: &'static Context<'static>| user.resolve_field(ctx);
        assert!(room(&field) <= 1024, "each field has room for the largest: {}", room(&field));
    }
}
