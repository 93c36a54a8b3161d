//! The column, index and key shapes that migrations repeat. Frozen like the migrations that use it: what is here may
//! be added to, but what it produces never changes.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, big_integer_null, string_len, uuid},
};

/// The primary key of a table that has one of its own.
pub fn id() -> ColumnDef {
    uuid("id").primary_key().take()
}

/// Milliseconds since the epoch, UTC.
pub fn moment(name: &'static str) -> ColumnDef {
    big_integer(name)
}

pub fn moment_null(name: &'static str) -> ColumnDef {
    big_integer_null(name)
}

/// A column that takes one of a few words. The check carries a name, so that a later migration can replace it.
pub fn one_of(table: &str, name: &'static str, words: &[&'static str]) -> ColumnDef {
    string_len(name, 32)
        .check((format!("ck__{table}__{name}"), Expr::col(name).is_in(words.iter().copied())))
        .take()
}

pub fn primary_key(columns: &[&'static str]) -> IndexCreateStatement {
    let mut key = Index::create();
    for column in columns {
        key.col(*column);
    }
    key.primary().take()
}

pub fn unique(table: &'static str, columns: &[&'static str]) -> IndexCreateStatement {
    index_named("uq", table, columns).unique().take()
}

pub fn index(table: &'static str, columns: &[&'static str]) -> IndexCreateStatement {
    index_named("ix", table, columns)
}

fn index_named(prefix: &str, table: &'static str, columns: &[&'static str]) -> IndexCreateStatement {
    let mut index = Index::create();
    index.name(format!("{prefix}__{table}__{}", columns.join("__"))).table(table);
    for column in columns {
        index.col(*column);
    }
    index
}

/// A foreign key on the `id` of `parent`; the row goes when its parent goes.
pub fn owned_by(
    table: &'static str,
    column: &'static str,
    parent: &'static str,
) -> ForeignKeyCreateStatement {
    reference(table, column, parent).on_delete(ForeignKeyAction::Cascade).take()
}

/// A foreign key on the `id` of `parent`.
pub fn reference(
    table: &'static str,
    column: &'static str,
    parent: &'static str,
) -> ForeignKeyCreateStatement {
    ForeignKey::create().name(format!("fk__{table}__{column}")).from(table, column).to(parent, "id").take()
}
