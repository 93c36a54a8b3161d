//! Invitations, as GraphQL mutations.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};

use super::types::Invitation;
use crate::{
    authz::Permission,
    domain::orgs::{
        invitations::{self, Invitee},
        members::types::Membership,
        mutation::named,
    },
    graphql::{
        ContextExt,
        errors::{UserError, payload},
        guard::{InPerson, Public, Require},
        scalars::EmailAddress,
    },
    ids::Kind,
};

#[derive(Default)]
pub struct InvitationsMutation;

#[Object(guard = "crate::graphql::guard::Closed")]
impl InvitationsMutation {
    /// Mails a link to each address, good for seven days: 100 at most, all of them or none. Who was invited before gets
    /// a new link, and the old one ends. The answer does not tell who has an account.
    #[graphql(guard = "Require(Permission::OrgInvite)")]
    async fn invite_members(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whom, and where.")] input: InviteMembersInput,
    ) -> Result<Option<InviteMembersPayload>> {
        let InviteMembersInput { organization_id, invitees } = input;
        let invitees = invitees.into_iter().map(Invitee::from).collect();
        let organization = named(Kind::Organization, &organization_id);
        let (sent, errors) = payload(invitations::invite(ctx.ctx()?, organization, invitees).await)?;
        let invitations = sent.unwrap_or_default().into_iter().map(|row| Some(row.into())).collect();
        Ok(Some(InviteMembersPayload { invitations, errors }))
    }

    /// Mails a new link for an invitation that waits or has run out, good for another seven days.
    #[graphql(guard = "Require(Permission::OrgInvite)")]
    async fn resend_invitation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which one.")] input: ResendInvitationInput,
    ) -> Result<Option<ResendInvitationPayload>> {
        let ResendInvitationInput { invitation_id } = input;
        let id = named(Kind::Invitation, &invitation_id);
        let (sent, errors) = payload(invitations::resend(ctx.ctx()?, id).await)?;
        Ok(Some(ResendInvitationPayload { invitation: sent.map(Invitation::from), errors }))
    }

    /// Takes an invitation back that was not answered.
    #[graphql(guard = "Require(Permission::OrgInvite)")]
    async fn revoke_invitation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which one.")] input: RevokeInvitationInput,
    ) -> Result<Option<RevokeInvitationPayload>> {
        let RevokeInvitationInput { invitation_id } = input;
        let id = named(Kind::Invitation, &invitation_id);
        let (revoked, errors) = payload(invitations::revoke(ctx.ctx()?, id).await)?;
        Ok(Some(RevokeInvitationPayload { invitation: revoked.map(Invitation::from), errors }))
    }

    /// Makes you a member, with the roles that the invitation brings. Your proved address must be the invited one.
    #[graphql(guard = "InPerson")]
    async fn accept_invitation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What the mail brought.")] input: AcceptInvitationInput,
    ) -> Result<Option<AcceptInvitationPayload>> {
        let AcceptInvitationInput { token } = input;
        let (joined, errors) = payload(invitations::accept(ctx.ctx()?, &token).await)?;
        Ok(Some(AcceptInvitationPayload { membership: joined.map(Membership::from), errors }))
    }

    /// Says no to an invitation. No account is needed.
    #[graphql(guard = "Public")]
    async fn decline_invitation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What the mail brought.")] input: DeclineInvitationInput,
    ) -> Result<Option<DeclineInvitationPayload>> {
        let DeclineInvitationInput { token } = input;
        let (declined, errors) = payload(invitations::decline(ctx.ctx()?, &token).await)?;
        Ok(Some(DeclineInvitationPayload { invitation: declined.map(Invitation::from), errors }))
    }
}

/// Whom to invite.
#[derive(InputObject)]
pub struct InviteeInput {
    /// The address to mail to.
    email: EmailAddress,
    /// The roles that come with it; `MEMBER` when left out.
    role_codes: Option<Vec<String>>,
}

impl From<InviteeInput> for Invitee {
    fn from(input: InviteeInput) -> Self {
        let InviteeInput { email, role_codes } = input;
        Self { email: email.0, role_codes }
    }
}

/// Whom to invite, and where.
#[derive(InputObject)]
pub struct InviteMembersInput {
    /// The organisation.
    organization_id: ID,
    /// The addresses.
    invitees: Vec<InviteeInput>,
}

/// What became of it.
#[derive(SimpleObject)]
pub struct InviteMembersPayload {
    /// The invitations in the order of the input; none when something is to be mended.
    invitations: Vec<Option<Invitation>>,
    /// What to mend; empty on success.
    errors: Vec<UserError>,
}

/// Which invitation to send again.
#[derive(InputObject)]
pub struct ResendInvitationInput {
    /// The invitation.
    invitation_id: ID,
}

/// What became of it.
#[derive(SimpleObject)]
pub struct ResendInvitationPayload {
    /// The invitation, with its new end.
    invitation: Option<Invitation>,
    /// What to mend; empty on success.
    errors: Vec<UserError>,
}

/// Which invitation to take back.
#[derive(InputObject)]
pub struct RevokeInvitationInput {
    /// The invitation.
    invitation_id: ID,
}

/// What became of it.
#[derive(SimpleObject)]
pub struct RevokeInvitationPayload {
    /// The invitation, revoked now.
    invitation: Option<Invitation>,
    /// What to mend; empty on success.
    errors: Vec<UserError>,
}

/// Which invitation to accept.
#[derive(InputObject)]
pub struct AcceptInvitationInput {
    /// What stands behind `token=` in the mailed link.
    token: String,
}

/// What became of it.
#[derive(SimpleObject)]
pub struct AcceptInvitationPayload {
    /// Your membership.
    membership: Option<Membership>,
    /// What to mend; empty on success.
    errors: Vec<UserError>,
}

/// Which invitation to decline.
#[derive(InputObject)]
pub struct DeclineInvitationInput {
    /// What stands behind `token=` in the mailed link.
    token: String,
}

/// What became of it.
#[derive(SimpleObject)]
pub struct DeclineInvitationPayload {
    /// The invitation, declined now.
    invitation: Option<Invitation>,
    /// What to mend; empty on success.
    errors: Vec<UserError>,
}
