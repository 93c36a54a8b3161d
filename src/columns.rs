//! How much of a row is looked at: who shows two columns does not fetch twenty. Knows no GraphQL.
//!
//! A row that was fetched in part is a model like any other, and what was not asked for is blank in it. So whoever asks
//! for a part hands the row on to nobody but those who said what they look at.

use std::iter;

use sea_orm::{
    DbErr, EntityTrait, Iterable, ModelTrait, Value,
    prelude::Json,
    sea_query::{ArrayType, SelectStatement},
};
use uuid::Uuid;

use crate::db::Row;

/// Some columns of a table. The first one is never null: where a joined table has no row, it says so.
#[derive(Clone, Debug)]
pub struct Columns<E: EntityTrait>(Vec<E::Column>);

impl<E: EntityTrait> Columns<E> {
    pub fn all() -> Self {
        Self(E::Column::iter().collect())
    }

    /// Only these, and the first of the table, which is its key.
    pub fn only(columns: impl IntoIterator<Item = E::Column>) -> Self {
        let mut only = Self(E::Column::iter().take(1).collect());
        columns.into_iter().for_each(|column| only.add(column));
        only
    }

    /// This one, too.
    pub fn add(&mut self, column: E::Column) {
        let name = |column: &E::Column| sea_orm::IdenStatic::as_str(column);
        if !self.0.iter().any(|known| name(known) == name(&column)) {
            self.0.push(column);
        }
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What they are called, the table first.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        let table = E::default().as_str();
        iter::once(table).chain(self.0.iter().map(sea_orm::IdenStatic::as_str))
    }

    /// Selects them, in the order in which [`Columns::read`] reads them.
    pub fn select(&self, statement: &mut SelectStatement) {
        for column in &self.0 {
            statement.column((E::default(), *column));
        }
    }

    /// What stands in the row from this place on; nothing where a join found nothing.
    pub fn read(&self, row: &Row<'_>, from: usize) -> Result<Option<E::Model>, DbErr>
    where
        E::Model: Default,
    {
        let mut model = E::Model::default();
        for (place, column) in self.0.iter().enumerate() {
            let value = value::<E>(row, from + place, *column)?;
            if place == 0 && value == Value::Uuid(None) {
                return Ok(None);
            }
            model.try_set(*column, value)?;
        }
        Ok(Some(model))
    }
}

impl<E: EntityTrait> Default for Columns<E> {
    fn default() -> Self {
        Self::all()
    }
}

fn value<E: EntityTrait>(row: &Row<'_>, place: usize, column: E::Column) -> Result<Value, DbErr> {
    Ok(match <E::Model as ModelTrait>::get_value_type(column) {
        ArrayType::Uuid => row.get::<Uuid>(place)?.into(),
        ArrayType::BigInt => row.get::<i64>(place)?.into(),
        ArrayType::Bool => row.get::<bool>(place)?.into(),
        ArrayType::Json => row.get::<Json>(place)?.into(),
        ArrayType::String => row.get::<String>(place)?.into(),
        other => return Err(DbErr::Type(format!("a column of the type {other:?} is not read in part"))),
    })
}
