//! Every permission. A new one is a variant and its line in `code`.

use std::fmt;

/// One thing that one may be allowed to do. Its code, `room.action`, stands in tokens and in the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Permission {
    UserRead,
    UserUpdate,
    UserOnboard,
    UserActivate,
    UserDelete,
    SessionEnd,
    OrgRead,
    OrgUpsert,
    OrgMemberAdd,
    OrgMemberRemove,
    OrgInvite,
    RoleGrant,
    RoleUpsert,
    ModelUpsert,
    AppRegister,
    EventRead,
    WebhookManage,
    DirectorySync,
    NotificationSend,
    SchemaIntrospect,
}

impl Permission {
    pub const ALL: [Self; 20] = [
        Self::UserRead,
        Self::UserUpdate,
        Self::UserOnboard,
        Self::UserActivate,
        Self::UserDelete,
        Self::SessionEnd,
        Self::OrgRead,
        Self::OrgUpsert,
        Self::OrgMemberAdd,
        Self::OrgMemberRemove,
        Self::OrgInvite,
        Self::RoleGrant,
        Self::RoleUpsert,
        Self::ModelUpsert,
        Self::AppRegister,
        Self::EventRead,
        Self::WebhookManage,
        Self::DirectorySync,
        Self::NotificationSend,
        Self::SchemaIntrospect,
    ];

    pub const fn code(self) -> &'static str {
        match self {
            Self::UserRead => "user.read",
            Self::UserUpdate => "user.update",
            Self::UserOnboard => "user.onboard",
            Self::UserActivate => "user.activate",
            Self::UserDelete => "user.delete",
            Self::SessionEnd => "session.end",
            Self::OrgRead => "org.read",
            Self::OrgUpsert => "org.upsert",
            Self::OrgMemberAdd => "org.member.add",
            Self::OrgMemberRemove => "org.member.remove",
            Self::OrgInvite => "org.invite",
            Self::RoleGrant => "role.grant",
            Self::RoleUpsert => "role.upsert",
            Self::ModelUpsert => "model.upsert",
            Self::AppRegister => "app.register",
            Self::EventRead => "event.read",
            Self::WebhookManage => "webhook.manage",
            Self::DirectorySync => "directory.sync",
            Self::NotificationSend => "notification.send",
            Self::SchemaIntrospect => "schema.introspect",
        }
    }

    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|permission| permission.code() == code)
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// A set of permissions, as cheap to copy as a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PermissionSet(u64);

impl PermissionSet {
    pub const fn of(permissions: &[Permission]) -> Self {
        let mut bits = 0;
        let mut next = 0;
        while next < permissions.len() {
            bits |= 1 << permissions[next] as u64;
            next += 1;
        }
        Self(bits)
    }

    pub const fn all() -> Self {
        Self::of(&Permission::ALL)
    }

    /// The permissions with these codes. A code that this version does not know grants nothing.
    pub fn from_codes<'a>(codes: impl IntoIterator<Item = &'a str>) -> Self {
        let known: Vec<_> = codes.into_iter().filter_map(Permission::from_code).collect();
        Self::of(&known)
    }

    pub const fn contains(self, permission: Permission) -> bool {
        self.0 & (1 << permission as u64) != 0
    }

    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.into_iter().filter(move |permission| self.contains(*permission))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_leads_back_to_its_permission() {
        for permission in Permission::ALL {
            assert_eq!(Permission::from_code(permission.code()), Some(permission));
        }
        assert_eq!(PermissionSet::all().iter().count(), Permission::ALL.len());
    }
}
