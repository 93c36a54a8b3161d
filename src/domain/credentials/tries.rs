//! Tries at a one-time code: which codes a guess is compared with, and for whom it counts. (ADR 0064.)

use entity::{CodePurpose, one_time_code as code};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, SimpleExpr},
};
use uuid::Uuid;

use super::failures;
use crate::{
    context::Ctx,
    crypto,
    db::Txn,
    domain::limits::{Network, service as limits},
    error::{ErrorCode, Result},
};

/// So many codes that others asked for are compared with one guess: a stranger who asks after the owner does not hide the
/// owner's code from where the owner enters it.
const MOST_COMPARED: u64 = 3;

/// That a code was asked for from where the request comes from, as a number to sort by: these are looked at before others,
/// so that nobody's code is hidden by those that strangers ask for.
pub fn from_here(ctx: &Ctx) -> SimpleExpr {
    first_where(code::Column::Asker.eq(Network::of(ctx).hash()))
}

fn first_where(condition: SimpleExpr) -> SimpleExpr {
    Expr::case(condition, Expr::cust("1")).finally(Expr::cust("0")).into()
}

/// Counts a try, in a transaction of its own: it stands even if what follows fails. Then says whether the code was
/// right; [`super::codes::spend`] uses it up. The count is raised before the answer is known to anybody, so that of forty
/// parallel guesses five are answered.
///
/// One code is looked at, the one that was asked for from the same network, or else the newest three, of each of which a
/// try is counted. So it is no easier to guess where strangers have asked for many.
///
/// Where there is no code, or nobody (the nil id), as much is asked and written: time does not tell.
pub async fn check_code(
    ctx: &Ctx,
    user_id: Uuid,
    purpose: CodePurpose,
    guess: &str,
) -> Result<Result<code::Model, ErrorCode>> {
    let txn = ctx.app.db.begin().await?;
    let compared = compared(&txn, ctx, user_id, purpose).await?;
    let in_time = compared.first().is_some_and(|row| is_in_time(ctx, row));
    let whose = Tries::from_here(ctx, compared.first());
    let mut compared = compared.into_iter();
    let (mut right, mut same_as_one, mut counted_once) = (None, false, false);
    // However many there are: it takes as long for none.
    for _ in 0..MOST_COMPARED {
        let row = compared.next();
        let id = row.as_ref().map(|row| row.id).unwrap_or_default();
        let guessed = ctx.app.vault.code_hash(id.as_bytes(), guess)?;
        let hash = row.as_ref().and_then(|row| row.code_hash.as_ref());
        let same = hash.is_some_and(|hash| crypto::same(&hash.0, &guessed.0));
        let counted = count_try(&txn, if in_time { id } else { Uuid::nil() }, whose).await?;
        same_as_one |= same;
        counted_once |= counted;
        right = right.or(row.filter(|_| same && counted));
    }
    limits::leave_a_trace(&txn, ctx).await?;
    let whose = if counted_once { user_id } else { Uuid::nil() };
    let is_right = is_worth(&txn, ctx, whose, purpose, right.is_some()).await?;
    txn.commit().await?;
    Ok(match right {
        Some(row) if is_right => Ok(row),
        // Only who has the code learns that it has run out: it tells that there was one.
        _ if same_as_one && !in_time => Err(ErrorCode::Expired),
        _ if in_time && !counted_once => Err(ErrorCode::TooManyAttempts),
        _ => Err(ErrorCode::WrongCode),
    })
}

/// The codes that a guess from here is compared with: all are in time, or none is. In the order of their ids, so that two
/// who guess at once do not wait for each other.
async fn compared(txn: &Txn, ctx: &Ctx, user_id: Uuid, purpose: CodePurpose) -> Result<Vec<code::Model>> {
    let mut open = code::Entity::find()
        .filter(code::Column::UserId.eq(user_id))
        .filter(code::Column::ConsumedAt.is_null())
        .filter(code::Column::Purpose.eq(purpose))
        .filter(code::Column::CodeHash.is_not_null())
        .order_by_desc(first_where(code::Column::ExpiresAt.gt(ctx.now())))
        .order_by_desc(from_here(ctx))
        .order_by_desc(code::Column::CreatedAt)
        .order_by_desc(code::Column::Id)
        .limit(MOST_COMPARED)
        .all(&**txn)
        .await?;
    let Some(first) = open.first() else {
        return Ok(open);
    };
    let in_time = is_in_time(ctx, first);
    match Tries::from_here(ctx, Some(first)) {
        Tries::OfAsker => open.truncate(1),
        Tries::OfOthers => open.retain(|row| is_in_time(ctx, row) == in_time),
    }
    open.sort_by_key(|row| row.id);
    Ok(open)
}

fn is_in_time(ctx: &Ctx, row: &code::Model) -> bool {
    row.expires_at > ctx.now()
}

/// Who has so many tries at one code.
#[derive(Clone, Copy)]
enum Tries {
    /// The network that asked for it.
    OfAsker,
    /// All others together.
    OfOthers,
}

impl Tries {
    /// Those of whoever tries now.
    fn from_here(ctx: &Ctx, code: Option<&code::Model>) -> Self {
        let here = Network::of(ctx).hash();
        match code.and_then(|row| row.asker.as_ref()) {
            Some(asker) if *asker == here => Self::OfAsker,
            Some(_) | None => Self::OfOthers,
        }
    }

    const fn column(self) -> code::Column {
        match self {
            Self::OfAsker => code::Column::AskerAttempts,
            Self::OfOthers => code::Column::Attempts,
        }
    }
}

/// Whether there was a try left.
async fn count_try(txn: &Txn, code_id: Uuid, whose: Tries) -> Result<bool> {
    let column = whose.column();
    let left = Condition::all()
        .add(code::Column::Id.eq(code_id))
        .add(Expr::col(column).lt(Expr::col(code::Column::MaxAttempts)));
    let counted = code::Entity::update_many()
        .col_expr(column, Expr::col(column).add(1))
        .filter(left)
        .exec(&**txn)
        .await?;
    Ok(counted.rows_affected > 0)
}

/// The code was right, and what else was needed was not: that was no wrong code.
pub async fn give_back_try(ctx: &Ctx, code: &code::Model) -> Result<()> {
    let column = Tries::from_here(ctx, Some(code)).column();
    let txn = ctx.app.db.begin().await?;
    code::Entity::update_many()
        .col_expr(column, Expr::col(column).sub(1))
        .filter(code::Column::Id.eq(code.id))
        .filter(column.gt(0))
        .exec(&*txn)
        .await?;
    txn.commit().await
}

/// Whether a code that is `right` proves anything after those that were wrong before it. A wrong one counts, a right one
/// ends the count. The row of the code is held: one guess after the other.
async fn is_worth(txn: &Txn, ctx: &Ctx, user_id: Uuid, purpose: CodePurpose, right: bool) -> Result<bool> {
    if !failures::is_counted(purpose) {
        return Ok(right);
    }
    let full = failures::are_too_many(&**txn, ctx, user_id, purpose).await?;
    let worth = right && !full;
    if worth {
        failures::end(txn, user_id, purpose).await?;
    } else {
        failures::count(txn, user_id, purpose).await?;
    }
    Ok(worth)
}
