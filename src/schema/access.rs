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
    ("Mutation", "changePassword", SignedIn),
    ("Mutation", "changePhone", SignedIn),
    ("Mutation", "confirmTotp", SignedIn),
    ("Mutation", "createApiKey", SignedIn),
    ("Mutation", "deactivateUsers", Holding(Permission::UserActivate)),
    ("Mutation", "deleteUser", SignedIn),
    ("Mutation", "disableTotp", SignedIn),
    ("Mutation", "endSessions", SignedIn),
    ("Mutation", "enrollTotp", SignedIn),
    ("Mutation", "exportMyData", SignedIn),
    ("Mutation", "finishPasskeyRegistration", SignedIn),
    ("Mutation", "grantRoles", Holding(Permission::RoleGrant)),
    ("Mutation", "inviteMembers", Holding(Permission::OrgInvite)),
    ("Mutation", "onboardUsers", Holding(Permission::UserOnboard)),
    ("Mutation", "regenerateRecoveryCodes", SignedIn),
    ("Mutation", "registerApplication", Holding(Permission::AppRegister)),
    ("Mutation", "removeMembers", SignedIn),
    ("Mutation", "removePasskey", SignedIn),
    ("Mutation", "resendInvitation", Holding(Permission::OrgInvite)),
    ("Mutation", "revokeApiKey", SignedIn),
    ("Mutation", "revokeInvitation", Holding(Permission::OrgInvite)),
    ("Mutation", "revokeRoles", Holding(Permission::RoleGrant)),
    ("Mutation", "rotateApplicationSecret", Holding(Permission::AppRegister)),
    ("Mutation", "startPasskeyRegistration", SignedIn),
    ("Mutation", "updateApplication", Holding(Permission::AppRegister)),
    ("Mutation", "updateProfile", SignedIn),
    ("Mutation", "updateUsers", Holding(Permission::UserUpdate)),
    ("Mutation", "upsertModels", Holding(Permission::ModelUpsert)),
    ("Mutation", "upsertOrganizations", Holding(Permission::OrgUpsert)),
    ("Mutation", "upsertRoles", Holding(Permission::RoleUpsert)),
    ("Organization", "invitations", Holding(Permission::OrgInvite)),
    ("Organization", "members", SignedIn),
    ("Query", "applications", Holding(Permission::AppRegister)),
    ("Query", "events", Holding(Permission::EventRead)),
    ("Query", "models", SignedIn),
    ("Query", "roles", SignedIn),
    ("Query", "users", Holding(Permission::UserRead)),
    ("Subscription", "events", Holding(Permission::EventRead)),
    ("User", "apiKeys", SignedIn),
    ("User", "email", SignedIn),
    ("User", "emailVerified", SignedIn),
    ("User", "gender", SignedIn),
    ("User", "invitations", SignedIn),
    ("User", "lastLoginAt", SignedIn),
    ("User", "locale", SignedIn),
    ("User", "memberships", SignedIn),
    ("User", "mfa", SignedIn),
    ("User", "models", SignedIn),
    ("User", "organization", SignedIn),
    ("User", "passkeys", SignedIn),
    ("User", "phone", SignedIn),
    ("User", "phoneVerified", SignedIn),
    ("User", "roles", SignedIn),
    ("User", "sessions", SignedIn),
];
