//! How lists of users are asked for: by what they are named, chosen and ordered.

use async_graphql::{Enum, ID, InputObject, OneofObject};
use sea_orm::Order;

use super::{UserStatus, service};
use crate::{
    graphql::scalars::{DateTime, EmailAddress},
    ids::{self, Kind},
};

/// Names one user, in one of these ways.
#[derive(OneofObject)]
pub enum UserBy {
    /// By the global id.
    Id(ID),
    /// By the user name, in any spelling.
    UserName(String),
    /// By the proved address, in any spelling.
    Email(EmailAddress),
}

impl UserBy {
    /// `None` when it names nobody.
    pub fn into_service(self) -> Option<service::UserBy> {
        match self {
            Self::Id(id) => ids::decode_as(Kind::User, &id).map(service::UserBy::Id),
            Self::UserName(name) => Some(service::UserBy::UserName(name)),
            Self::Email(email) => Some(service::UserBy::Email(email.0)),
        }
    }
}

/// Which users to list; all conditions must hold.
#[derive(InputObject)]
pub struct UserFilter {
    /// With one of these ids.
    pub ids: Option<Vec<ID>>,
    /// With one of these user names.
    pub user_names: Option<Vec<String>>,
    /// With one of these addresses.
    pub emails: Option<Vec<EmailAddress>>,
    /// Holding one of these roles, anywhere.
    pub role_codes: Option<Vec<String>>,
    /// Members of one of these organisations.
    pub org_codes: Option<Vec<String>>,
    /// That have come so far.
    pub status: Option<Vec<UserStatus>>,
    /// With every word of this text somewhere in the user name, the name or the address, in any case.
    pub text: Option<String>,
    /// Made after this moment.
    pub created_after: Option<DateTime>,
    /// Made before this moment.
    pub created_before: Option<DateTime>,
}

impl From<UserFilter> for service::UserFilter {
    fn from(filter: UserFilter) -> Self {
        let UserFilter {
            ids,
            user_names,
            emails,
            role_codes,
            org_codes,
            status,
            text,
            created_after,
            created_before,
        } = filter;
        let known = |ids: Vec<ID>| ids.iter().filter_map(|id| ids::decode_as(Kind::User, id)).collect();
        Self {
            ids: ids.map(known),
            user_names,
            emails: emails.map(|emails| emails.into_iter().map(|email| email.0).collect()),
            role_codes,
            org_codes,
            status: status.map(|status| status.into_iter().map(Into::into).collect()),
            text,
            created_after: created_after.map(|at| at.0),
            created_before: created_before.map(|at| at.0),
        }
    }
}

/// What a list is ordered by.
#[derive(InputObject)]
pub struct UserOrder {
    /// By what.
    pub field: UserOrderField,
    /// Which way.
    pub direction: OrderDirection,
}

impl From<UserOrder> for service::UserOrder {
    fn from(order: UserOrder) -> Self {
        let UserOrder { field, direction } = order;
        Self { field: field.into(), order: direction.into() }
    }
}

/// What users can be ordered by.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "service::UserOrderField")]
pub enum UserOrderField {
    /// By when the account was made.
    CreatedAt,
    /// By user name.
    UserName,
    /// By name; those without one count as smallest.
    Name,
    /// By the last login; those without one count as smallest.
    LastLoginAt,
}

/// Which way a list is ordered.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderDirection {
    /// The smallest, or the earliest, first.
    Asc,
    /// The largest, or the latest, first.
    Desc,
}

impl From<OrderDirection> for Order {
    fn from(direction: OrderDirection) -> Self {
        match direction {
            OrderDirection::Asc => Self::Asc,
            OrderDirection::Desc => Self::Desc,
        }
    }
}
