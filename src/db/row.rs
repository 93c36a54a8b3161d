//! A row of any driver, read by place.

use sea_orm::{DbErr, QueryResult, TryGetable};

pub enum Row<'a> {
    Pooled(&'a QueryResult),
    Shared(&'a tokio_postgres::Row),
    Here(&'a rusqlite::Row<'a>),
}

impl Row<'_> {
    /// What stands at this place, counted from 0.
    pub fn get<T>(&self, place: usize) -> Result<Option<T>, DbErr>
    where
        T: TryGetable + for<'a> tokio_postgres::types::FromSql<'a> + rusqlite::types::FromSql,
    {
        match self {
            Self::Pooled(row) => row.try_get_by_index(place),
            Self::Shared(row) => row.try_get(place).map_err(|error| DbErr::Type(error.to_string())),
            Self::Here(row) => row.get(place).map_err(|error| DbErr::Type(error.to_string())),
        }
    }
}
