//! What the guards ask for each field, for a router: made from the guards at the resolvers by `make permissions`.
//! Never edited by hand.

use crate::authz::Permission;

pub enum Access {
    SignedIn,
    Holding(Permission),
}

use Access::{Holding, SignedIn};

/// The fields that are not open to everybody, by type and name.
#[rustfmt::skip]
pub const ACCESS: &[(&str, &str, Access)] = &[
    ("Mutation", "acceptInvitation", SignedIn),
    ("Mutation", "activateUsers", Holding(Permission::UserActivate)),
    ("Mutation", "addMembers", Holding(Permission::OrgMemberAdd)),
    ("Mutation", "changeEmail", SignedIn),
    ("Mutation", "deactivateUsers", Holding(Permission::UserActivate)),
    ("Mutation", "deleteUser", SignedIn),
    ("Mutation", "exportMyData", SignedIn),
    ("Mutation", "grantRoles", Holding(Permission::RoleGrant)),
    ("Mutation", "inviteMembers", Holding(Permission::OrgInvite)),
    ("Mutation", "onboardUsers", Holding(Permission::UserOnboard)),
    ("Mutation", "removeMembers", SignedIn),
    ("Mutation", "resendInvitation", Holding(Permission::OrgInvite)),
    ("Mutation", "revokeInvitation", Holding(Permission::OrgInvite)),
    ("Mutation", "revokeRoles", Holding(Permission::RoleGrant)),
    ("Mutation", "updateProfile", SignedIn),
    ("Mutation", "updateUsers", Holding(Permission::UserUpdate)),
    ("Mutation", "upsertModels", Holding(Permission::ModelUpsert)),
    ("Mutation", "upsertOrganizations", Holding(Permission::OrgUpsert)),
    ("Mutation", "upsertRoles", Holding(Permission::RoleUpsert)),
    ("Organization", "invitations", Holding(Permission::OrgInvite)),
    ("Organization", "members", SignedIn),
    ("Query", "events", Holding(Permission::EventRead)),
    ("Query", "models", SignedIn),
    ("Query", "roles", SignedIn),
    ("Query", "users", Holding(Permission::UserRead)),
    ("Subscription", "events", Holding(Permission::EventRead)),
    ("User", "email", SignedIn),
    ("User", "emailVerified", SignedIn),
    ("User", "gender", SignedIn),
    ("User", "invitations", SignedIn),
    ("User", "lastLoginAt", SignedIn),
    ("User", "locale", SignedIn),
    ("User", "memberships", SignedIn),
    ("User", "models", SignedIn),
    ("User", "organization", SignedIn),
    ("User", "phone", SignedIn),
    ("User", "phoneVerified", SignedIn),
    ("User", "roles", SignedIn),
];
