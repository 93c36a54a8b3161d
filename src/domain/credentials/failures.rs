//! Wrong codes in a row: how many there were for one person, and whether a code still proves anything. (ADR 0045.)

use entity::{CodePurpose, failure};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect, QueryTrait, Statement, Value,
    sea_query::{Expr, SimpleExpr},
};
use uuid::Uuid;

use crate::{
    config::Switch,
    context::Ctx,
    db::Txn,
    domain::identity,
    error::{Error, ErrorCode, Result},
};

/// So many wrong codes of one kind in a row, and a code of this kind proves nothing any more. With those that may be
/// under way at that moment, they are a hundred: NIST SP 800-63B, 3.2.2.
pub const MOST: i32 = 90;

/// Whether wrong ones are counted. A code that proves an address or a number opens no account: its rate is bound enough.
pub const fn is_counted(purpose: CodePurpose) -> bool {
    match purpose {
        CodePurpose::Login | CodePurpose::PasswordReset | CodePurpose::StepUp | CodePurpose::Mfa => true,
        CodePurpose::VerifyEmail
        | CodePurpose::VerifyPhone
        | CodePurpose::ChangeEmail
        | CodePurpose::ChangePhone => false,
    }
}

/// Whether codes of this kind were guessed at too often. For nobody, or where nothing is counted, it looks as well.
pub async fn are_too_many<C: ConnectionTrait>(
    db: &C,
    ctx: &Ctx,
    user_id: Uuid,
    purpose: CodePurpose,
) -> Result<bool> {
    let row = failure::Entity::find_by_id((user_id, purpose)).one(db).await?;
    let limited = ctx.app.config.server.rate_limits == Switch::On;
    Ok(limited && row.is_some_and(|row| row.count >= MOST))
}

/// One more wrong code in a row. For nobody it does as much, and changes nothing.
pub async fn count(txn: &Txn, user_id: Uuid, purpose: CodePurpose) -> Result<()> {
    let sql = "INSERT INTO failures (user_id, purpose, count) SELECT id, $1, 1 FROM users WHERE id = $2 \
               ON CONFLICT (user_id, purpose) DO UPDATE SET count = failures.count + 1 \
               WHERE failures.count < $3";
    let values: [Value; 3] = [sea_orm::ActiveEnum::to_value(&purpose).into(), user_id.into(), MOST.into()];
    let counted = txn.execute_raw(Statement::from_sql_and_values(txn.get_database_backend(), sql, values));
    // Who is deleted at this moment is nobody any more.
    let gone = || identity::service::refusal(ErrorCode::WrongCode, "code");
    counted.await.map_err(|error| Error::from(error).on_gone(gone()))?;
    Ok(())
}

/// Whether there were any for this person, as a part of a statement.
pub fn exist(user_id: Uuid) -> SimpleExpr {
    let theirs = failure::Entity::find().select_only().column(failure::Column::UserId);
    Expr::exists(theirs.filter(failure::Column::UserId.eq(user_id)).into_query())
}

/// A right code of this kind.
pub async fn end(txn: &Txn, user_id: Uuid, purpose: CodePurpose) -> Result<()> {
    failure::Entity::delete_by_id((user_id, purpose)).exec(&**txn).await?;
    Ok(())
}

/// The person was here: what others guessed before is over.
pub async fn end_all(txn: &Txn, user_id: Uuid) -> Result<()> {
    failure::Entity::delete_many().filter(failure::Column::UserId.eq(user_id)).exec(&**txn).await?;
    Ok(())
}
