//! "Contains", in SQL, for short lists: what the reader typed never acts as a pattern.

use sea_orm::{
    ColumnTrait, DbBackend, ExprTrait, IntoSimpleExpr,
    sea_query::{
        Expr, LikeExpr, SimpleExpr,
        extension::{postgres::PgBinOper, sqlite::SqliteBinOper},
    },
};

use crate::{
    domain::identity::names,
    error::{Error, Result},
};

/// Refuses what nobody looks for.
pub fn check(text: Option<&str>) -> Result<()> {
    match text.and_then(names::text_problem) {
        Some(problem) => Err(Error::bad_user_input(format!("`text`: {problem}"))),
        None => Ok(()),
    }
}

/// The column holds keys (`names::name_key`).
pub fn contains_key<C: ColumnTrait>(column: C, text: &str) -> SimpleExpr {
    column.into_simple_expr().like(pattern(&names::name_key(text)))
}

/// The column holds text as people wrote it. Neither database folds more than the letters of ASCII wherever it runs, so
/// each letter is looked for in each of its cases: by a pattern of shell's kind on `SQLite`, by a regular expression on
/// `PostgreSQL`.
pub fn contains<C: ColumnTrait>(backend: DbBackend, column: C, text: &str) -> SimpleExpr {
    let classes: String = text.trim().chars().map(|character| class(backend, character)).collect();
    let column = column.into_simple_expr();
    match backend {
        DbBackend::Postgres => column.binary(PgBinOper::Regex, Expr::value(classes)),
        _ => column.binary(SqliteBinOper::Glob, Expr::value(format!("*{classes}*"))),
    }
}

/// What matches the character in any case, and nothing else.
fn class(backend: DbBackend, character: char) -> String {
    let mut cases = String::from(character);
    for case in [single(character.to_lowercase()), single(character.to_uppercase())].into_iter().flatten() {
        if !cases.contains(case) {
            cases.push(case);
        }
    }
    let plain = character.is_alphanumeric() || !character.is_ascii();
    match backend {
        _ if plain => format!("[{cases}]"),
        DbBackend::Postgres => format!("\\{character}"),
        // `]` ends a class unless it stands first, and `^` negates one only there.
        _ if character == '^' => character.to_string(),
        _ => format!("[{character}]"),
    }
}

/// Some letters are written with two in the other case: those are not looked for.
fn single(mut letters: impl Iterator<Item = char>) -> Option<char> {
    letters.next().filter(|_| letters.next().is_none())
}

fn pattern(text: &str) -> LikeExpr {
    let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    LikeExpr::new(format!("%{escaped}%")).escape('\\')
}
