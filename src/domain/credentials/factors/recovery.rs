//! Recovery codes: ten, each of which stands in for a lost second factor once.

use entity::{Secret, recovery_code as code};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, Set, sea_query::Expr};
use uuid::Uuid;

use crate::{context::Ctx, db::Txn, error::Result};

pub const COUNT: usize = 10;
/// Of five bits each: 80 bits, which nobody guesses.
const LETTERS: usize = 16;
/// Digits and letters without those that look alike (Crockford's base32).
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Ten new ones. The earlier ones are gone.
pub async fn renew(txn: &Txn, ctx: &Ctx, user_id: Uuid) -> Result<Vec<String>> {
    drop_all(txn, user_id).await?;
    let codes: Vec<String> = (0..COUNT).map(|_| new_code(ctx)).collect();
    let row = |code: &String| -> Result<code::ActiveModel> {
        Ok(code::ActiveModel {
            id: Set(ctx.new_id()),
            user_id: Set(user_id),
            code_hash: Set(hash(ctx, user_id, code)?),
            created_at: Set(ctx.now()),
            used_at: Set(None),
        })
    };
    let rows = codes.iter().map(row).collect::<Result<Vec<_>>>()?;
    code::Entity::insert_many(rows).exec_without_returning(&**txn).await?;
    Ok(codes)
}

pub async fn drop_all(txn: &Txn, user_id: Uuid) -> Result<()> {
    code::Entity::delete_many().filter(code::Column::UserId.eq(user_id)).exec(&**txn).await?;
    Ok(())
}

pub async fn any<C: ConnectionTrait>(db: &C, user_id: Uuid) -> Result<bool> {
    Ok(unused(user_id).count(db).await? > 0)
}

/// Whether this is one of the codes that are left.
pub async fn is_right(ctx: &Ctx, user_id: Uuid, guess: &str) -> Result<bool> {
    let hash = hash(ctx, user_id, guess)?;
    let found = unused(user_id).filter(code::Column::CodeHash.eq(hash));
    Ok(found.count(ctx.app.db.read()).await? > 0)
}

/// Uses the code up. Of two that show it at once, one is right.
pub async fn spend(txn: &Txn, ctx: &Ctx, user_id: Uuid, guess: &str) -> Result<bool> {
    let spent = code::Entity::update_many()
        .col_expr(code::Column::UsedAt, Expr::value(ctx.now()))
        .filter(code::Column::UserId.eq(user_id))
        .filter(code::Column::CodeHash.eq(hash(ctx, user_id, guess)?))
        .filter(code::Column::UsedAt.is_null())
        .exec(&**txn)
        .await?;
    Ok(spent.rows_affected > 0)
}

fn unused(user_id: Uuid) -> sea_orm::Select<code::Entity> {
    code::Entity::find().filter(code::Column::UserId.eq(user_id)).filter(code::Column::UsedAt.is_null())
}

/// As `k3pq-…`: four groups, so that people can copy them from paper.
fn new_code(ctx: &Ctx) -> String {
    let mut bytes = [0; LETTERS];
    ctx.app.random.fill(&mut bytes);
    let letters: Vec<char> = bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte & 31)])).collect();
    letters.chunks(4).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join("-")
}

/// One spelling: case and dashes do not count, nor do the letters that are taken for digits.
fn normalised(guess: &str) -> String {
    let letters = guess.chars().filter(|character| character.is_alphanumeric()).take(LETTERS + 1);
    let folded = letters.map(|letter| match letter.to_ascii_lowercase() {
        'o' => '0',
        'i' | 'l' => '1',
        other => other,
    });
    folded.collect()
}

fn hash(ctx: &Ctx, user_id: Uuid, code: &str) -> Result<Secret> {
    ctx.app.vault.code_hash(&[b"recovery".as_slice(), user_id.as_bytes()].concat(), &normalised(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelling_does_not_matter() {
        assert_eq!(normalised(" K3PQ 0l1I–oOab-cdef "), normalised("k3pq-0111-00ab-cdef"));
        assert_ne!(normalised("k3pq-0111-00ab-cdef"), normalised("k3pq-0111-00ab-cdefg"));
    }
}
