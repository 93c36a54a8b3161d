//! The schema: the list of rooms, and what spans them (`node`, federation).

mod access;
pub mod entities;
mod node;
mod renewing;
pub mod sdl;

use async_graphql::{MergedObject, MergedSubscription, Request, Response, SchemaBuilder, ValidationMode};
use futures_util::{Stream, StreamExt as _};

use self::renewing::Renewing;
use crate::{
    context::Ctx,
    domain::{
        api_keys::mutation::ApiKeysMutation,
        applications::{mutation::ApplicationsMutation, query::ApplicationsQuery},
        audit::{query::AuditQuery, subscription::AuditSubscription},
        credentials::{
            factors::{logins::mutation::ChallengesMutation, mutation::FactorsMutation},
            mutation::CredentialsMutation,
        },
        identity::{
            account::mutation::AccountMutation, activation::mutation::ActivationMutation,
            mutation::IdentityMutation, onboarding::mutation::OnboardingMutation, query::IdentityQuery,
            updating::mutation::UpdatingMutation,
        },
        models::{mutation::ModelsMutation, query::ModelsQuery},
        orgs::{invitations::mutation::InvitationsMutation, mutation::OrgsMutation, query::OrgsQuery},
        roles::{mutation::RolesMutation, query::RolesQuery},
        sessions::{mutation::SessionsMutation, query::SessionsQuery},
    },
    graphql::{errors, loader, resilient::Resilient, tracing::FederatedTracing},
};

/// What can be asked. A field that is refused becomes null and leaves its siblings alone.
#[derive(MergedObject, Default)]
#[graphql(name = "Query")]
pub struct QueryRooms(
    IdentityQuery,
    OrgsQuery,
    RolesQuery,
    ModelsQuery,
    ApplicationsQuery,
    AuditQuery,
    SessionsQuery,
    node::NodeQuery,
    entities::FederationQuery,
);

/// What can be done. One input, one payload each; what you can mend comes back in the payload's `errors`.
#[derive(MergedObject, Default)]
#[graphql(name = "Mutation")]
pub struct MutationRooms(
    IdentityMutation,
    AccountMutation,
    ActivationMutation,
    OnboardingMutation,
    UpdatingMutation,
    SessionsMutation,
    CredentialsMutation,
    FactorsMutation,
    ChallengesMutation,
    ApiKeysMutation,
    RolesMutation,
    ModelsMutation,
    ApplicationsMutation,
    OrgsMutation,
    InvitationsMutation,
);

/// What can be followed, over a transport that streams.
#[derive(MergedSubscription, Default)]
#[graphql(name = "Subscription")]
pub struct SubscriptionRooms(AuditSubscription);

pub type Schema =
    async_graphql::Schema<Resilient<QueryRooms>, Resilient<Renewing<MutationRooms>>, SubscriptionRooms>;

/// Whether an unknown name is answered with "did you mean".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suggestions {
    Given,
    /// They would tell strangers of a schema that they may not read, and finding them costs.
    Withheld,
}

/// The same schema again, which adds to each answer how long its fields took.
pub fn build_traced(suggestions: Suggestions) -> Schema {
    finish(builder().extension(FederatedTracing), suggestions)
}

pub fn build(suggestions: Suggestions) -> Schema {
    finish(builder(), suggestions)
}

/// The same schema again, for requests in which its rules would find nothing: it does not ask them.
pub fn build_without_rules() -> Schema {
    finish(builder().validation_mode(ValidationMode::Fast), Suggestions::Withheld)
}

type Builder = SchemaBuilder<Resilient<QueryRooms>, Resilient<Renewing<MutationRooms>>, SubscriptionRooms>;

fn builder() -> Builder {
    // Limits are our own, before and after the parser (`graphql::scan`, `graphql::limits`); the one on recursion that
    // async-graphql has by default counts fragments, too, and would refuse what real clients send.
    Schema::build(Resilient::default(), Resilient::default(), SubscriptionRooms::default())
        .limit_recursive_depth(64)
}

fn finish(builder: Builder, suggestions: Suggestions) -> Schema {
    match suggestions {
        Suggestions::Given => builder.finish(),
        Suggestions::Withheld => builder.disable_suggestions().finish(),
    }
}

/// Runs one operation for a caller, and makes its errors fit to be seen.
pub async fn execute(schema: &Schema, ctx: Ctx, request: Request) -> Response {
    let request_id = ctx.request.id.clone();
    let request = request.data(loader::new(ctx.clone())).data(ctx);
    errors::present(schema.execute(request).await, request_id.as_deref())
}

/// Follows one subscription for a caller.
pub fn follow(schema: &Schema, ctx: Ctx, request: Request) -> impl Stream<Item = Response> + Send + use<> {
    let request_id = ctx.request.id.clone();
    let request = request.data(loader::new(ctx.clone())).data(ctx);
    schema.execute_stream(request).map(move |response| errors::present(response, request_id.as_deref()))
}
