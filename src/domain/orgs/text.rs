//! "Contains", in SQL, for short lists: what the reader typed never acts as a pattern.

use sea_orm::{
    ColumnTrait, Condition, ExprTrait, IntoSimpleExpr,
    sea_query::{Expr, Func, LikeExpr, SimpleExpr},
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

/// The column holds text as people wrote it. `SQLite` folds the letters of ASCII only, so the spelling as it was typed
/// counts, too.
pub fn contains<C: ColumnTrait>(column: C, text: &str) -> Condition {
    let text = text.trim();
    let folded: SimpleExpr = Func::lower(Expr::expr(column.into_simple_expr())).into();
    Condition::any()
        .add(folded.like(pattern(&text.to_lowercase())))
        .add(column.into_simple_expr().like(pattern(text)))
}

fn pattern(text: &str) -> LikeExpr {
    let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    LikeExpr::new(format!("%{escaped}%")).escape('\\')
}
