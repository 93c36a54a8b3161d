//! A row of either driver, read by place.

use sea_orm::{DbErr, QueryResult, TryGetable};
use tokio_postgres::types::FromSql;

pub enum Row {
    Own(QueryResult),
    Shared(tokio_postgres::Row),
}

impl Row {
    /// What stands at this place, counted from 0.
    pub fn get<T>(&self, place: usize) -> Result<Option<T>, DbErr>
    where
        T: TryGetable + for<'a> FromSql<'a>,
    {
        match self {
            Self::Own(row) => row.try_get_by_index(place),
            Self::Shared(row) => row.try_get(place).map_err(|error| DbErr::Type(error.to_string())),
        }
    }
}
