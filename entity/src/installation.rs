//! Table `installation`.

use sea_orm::entity::prelude::*;

use crate::{Secret, Timestamp};

/// This installation; the table has one row at most, with the id 1.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "installation")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    pub created_at: Timestamp,
    /// A sealed constant: if it does not open at the start, `DENIZEN_SECRET` is not the one the rest was sealed with.
    pub secret_check: Secret,
}

impl ActiveModelBehavior for ActiveModel {}
