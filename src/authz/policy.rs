//! The built-in roles: the one table that says what each may do. They are seeded as rows at the start and protected.

use super::permission::{Permission, PermissionSet};

/// Where a role can be granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RoleScope {
    Platform,
    Organization,
}

impl RoleScope {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Platform => "PLATFORM",
            Self::Organization => "ORGANIZATION",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Platform, Self::Organization].into_iter().find(|scope| scope.as_str() == text)
    }
}

pub struct BuiltInRole {
    pub code: &'static str,
    pub description: &'static str,
    pub scopes: &'static [RoleScope],
    pub permissions: PermissionSet,
    /// May be asked for when registering.
    pub self_assignable: bool,
}

const ADMIN: PermissionSet = PermissionSet::of(&[
    Permission::UserRead,
    Permission::UserUpdate,
    Permission::UserOnboard,
    Permission::UserActivate,
    Permission::UserDelete,
    Permission::SessionEnd,
    Permission::OrgRead,
    Permission::OrgMemberAdd,
    Permission::OrgMemberRemove,
    Permission::OrgInvite,
    Permission::RoleGrant,
    Permission::EventRead,
]);
const REVIEWER: PermissionSet = PermissionSet::of(&[Permission::UserRead, Permission::OrgRead]);
const NONE: PermissionSet = PermissionSet::of(&[]);

use RoleScope::{Organization, Platform};

pub const BUILT_IN_ROLES: [BuiltInRole; 8] = [
    BuiltInRole {
        code: "SUPERADMIN",
        description: "Everything, on the whole platform.",
        scopes: &[Platform],
        permissions: PermissionSet::all(),
        self_assignable: false,
    },
    BuiltInRole {
        code: "ADMIN",
        description: "Users, members, invitations and grants, on the platform or in one organisation.",
        scopes: &[Platform, Organization],
        permissions: ADMIN,
        self_assignable: false,
    },
    BuiltInRole {
        code: "REVIEWER",
        description: "Reads the users and members of an organisation.",
        scopes: &[Organization],
        permissions: REVIEWER,
        self_assignable: false,
    },
    BuiltInRole {
        code: "TRANSLATOR",
        description: "Works with the models they were given.",
        scopes: &[Organization],
        permissions: NONE,
        self_assignable: true,
    },
    BuiltInRole {
        code: "ANNOTATOR",
        description: "Works with the models they were given.",
        scopes: &[Organization],
        permissions: NONE,
        self_assignable: true,
    },
    BuiltInRole {
        code: "SCHOLAR",
        description: "Works with the models they were given.",
        scopes: &[Organization],
        permissions: NONE,
        self_assignable: true,
    },
    BuiltInRole {
        code: "EXTENSION",
        description: "A user who came in through a browser extension.",
        scopes: &[Platform],
        permissions: NONE,
        self_assignable: false,
    },
    BuiltInRole {
        code: "MEMBER",
        description: "Belongs to an organisation.",
        scopes: &[Organization],
        permissions: NONE,
        self_assignable: true,
    },
];
