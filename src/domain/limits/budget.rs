//! How many messages reach one address or number, and who used them up. (ADR 0064.)
//!
//! Anybody can cause a message to anybody. If all who ask shared one budget for each target, a few strangers would keep the
//! owner's messages away; so each network has a share of its own, and whoever is new to a target gets some messages beyond
//! its budget. What is not sent is announced like what is sent: the asker learns nothing of others who asked.

use std::{collections::HashMap, time::Duration};

use data_encoding::HEXLOWER;
use entity::dispatch;
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, ExprTrait, QueryFilter, QuerySelect, Set,
    sea_query::{CaseStatement, Expr, SimpleExpr},
};
use uuid::Uuid;

use super::{Block, Network};
use crate::{app::App, config::Switch, context::Ctx, crypto, db::Txn, error::Result};

/// What messages are about. Each has a budget of its own: codes for logins that a stranger asks for use up no links to a new
/// password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matter {
    /// The proof of an address, and what is told instead to whoever has it already.
    Verification,
    PasswordReset,
    Login,
    /// The proof of a number.
    Phone,
    StepUp,
    SecondFactor,
    Invitation,
}

impl Matter {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Verification => "verification",
            Self::PasswordReset => "password-reset",
            Self::Login => "login",
            Self::Phone => "phone",
            Self::StepUp => "step-up",
            Self::SecondFactor => "second-factor",
            Self::Invitation => "invitation",
        }
    }

    /// Messages to one target in a day, whoever asks. A code comes with each, and each code can be guessed at: where wrong
    /// guesses in a row are counted (`failures`), or nothing can be guessed, a day needs no end.
    const fn most_of_target_in_day(self) -> i64 {
        match self {
            Self::Verification | Self::Phone => 100,
            Self::PasswordReset | Self::Login | Self::StepUp | Self::SecondFactor | Self::Invitation => {
                i64::MAX
            }
        }
    }
}

/// Who causes messages.
pub struct Asker {
    key: String,
    block: Block,
}

impl Asker {
    pub fn network(network: &Network) -> Self {
        Self { key: network.hash(), block: network.block() }
    }

    pub fn organization(id: Uuid) -> Self {
        let key = id.to_string();
        let block = Block { hash: key.clone(), most_networks: 1 };
        Self { key, block }
    }
}

/// The time in which the two numbers below count.
pub const WINDOW: Duration = Duration::from_mins(10);
/// Messages that one asker causes to one target.
const MOST_OF_ASKER: i64 = 5;
/// Messages to one target, whoever asks.
const MOST_OF_TARGET: i64 = 20;

const DAY: Duration = Duration::from_hours(24);
/// Askers to whom messages go beyond these in a day.
const MOST_NEWCOMERS_IN_DAY: i64 = 100;
/// Such messages: an asker's first ones of a day.
const FIRST_OF_ASKER_IN_DAY: i64 = 5;

/// Whether a message goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Send,
    /// The asker has had their share: they may be told.
    ShareUsedUp,
    /// Others used it up, of which nobody is told.
    TargetUsedUp,
}

/// Takes one message to this target (in the form in which it is compared) out of its budget, together with what the
/// transaction writes.
pub async fn take(txn: &Txn, ctx: &Ctx, matter: Matter, target: &str, asker: &Network) -> Result<Verdict> {
    let verdicts = take_all(txn, ctx, matter, &[target], &Asker::network(asker)).await?;
    Ok(verdicts.into_iter().next().unwrap_or(Verdict::TargetUsedUp))
}

/// One message to each of these different targets, in a constant number of statements.
pub async fn take_all(
    txn: &Txn,
    ctx: &Ctx,
    matter: Matter,
    targets: &[&str],
    asker: &Asker,
) -> Result<Vec<Verdict>> {
    if ctx.app.config.server.rate_limits == Switch::Off {
        return Ok(vec![Verdict::Send; targets.len()]);
    }
    let keys: Vec<String> = targets.iter().map(|target| key(matter, target)).collect();
    // Whoever takes from one of these budgets waits for whoever does so at this moment: what is counted below stays true.
    txn.queue_for(&keys.iter().map(String::as_str).collect::<Vec<_>>()).await?;
    let used = used(txn, ctx, &keys, asker).await?;
    let verdict = |key: &String| used.get(key).copied().unwrap_or_default().verdict(matter, asker);
    let verdicts: Vec<(Verdict, bool)> = keys.iter().map(verdict).collect();
    let sent = keys.into_iter().zip(&verdicts).filter(|(_, (verdict, _))| *verdict == Verdict::Send);
    let rows: Vec<_> = sent
        .map(|(target, (_, newcomer))| dispatch::ActiveModel {
            id: Set(ctx.new_id()),
            target: Set(target),
            asker: Set(asker.key.clone()),
            block: Set(asker.block.hash.clone()),
            newcomer: Set(*newcomer),
            sent_at: Set(ctx.now()),
        })
        .collect();
    if !rows.is_empty() {
        dispatch::Entity::insert_many(rows).exec_without_returning(&**txn).await?;
    }
    Ok(verdicts.into_iter().map(|(verdict, _)| verdict).collect())
}

/// What went to one target lately.
#[derive(Clone, Copy, Default)]
struct Used {
    of_asker: i64,
    of_asker_in_day: i64,
    /// Of the asker's, those that went out beyond the target's budget.
    beyond_of_asker: i64,
    of_target: i64,
    of_target_in_day: i64,
    /// Those to whom messages went beyond it, and how many of them are of the asker's block.
    newcomers: i64,
    newcomers_of_block: i64,
}

impl Used {
    /// And whether it goes out beyond the target's budget.
    const fn verdict(self, matter: Matter, asker: &Asker) -> (Verdict, bool) {
        let Self {
            of_asker,
            of_asker_in_day,
            beyond_of_asker,
            of_target,
            of_target_in_day,
            newcomers,
            newcomers_of_block,
        } = self;
        if of_asker >= MOST_OF_ASKER {
            return (Verdict::ShareUsedUp, false);
        }
        if of_target < MOST_OF_TARGET && of_target_in_day < matter.most_of_target_in_day() {
            return (Verdict::Send, false);
        }
        let is_newcomer = beyond_of_asker > 0;
        let has_place = newcomers < MOST_NEWCOMERS_IN_DAY && newcomers_of_block < asker.block.most_networks;
        if of_asker_in_day < FIRST_OF_ASKER_IN_DAY && (is_newcomer || has_place) {
            return (Verdict::Send, true);
        }
        (Verdict::TargetUsedUp, false)
    }
}

/// The target, and what of it was used, in the order of the statement below.
type UsedRow = (String, i64, i64, i64, i64, i64, i64, i64);

async fn used(txn: &Txn, ctx: &Ctx, keys: &[String], asker: &Asker) -> Result<HashMap<String, Used>> {
    let lately = || dispatch::Column::SentAt.gt(ctx.now().minus(WINDOW));
    let own = || dispatch::Column::Asker.eq(asker.key.as_str());
    let of_block = || dispatch::Column::Block.eq(asker.block.hash.as_str());
    let newcomers = || dispatch::Column::Newcomer.eq(true);
    let all = Condition::all;
    let rows: Vec<UsedRow> = dispatch::Entity::find()
        .select_only()
        .column(dispatch::Column::Target)
        .column_as(how_many(all().add(own()).add(lately())), "of_asker")
        .column_as(how_many(all().add(own())), "of_asker_in_day")
        .column_as(how_many(all().add(own()).add(newcomers())), "beyond_of_asker")
        // What went out beyond the budget does not use it up.
        .column_as(how_many(all().add(newcomers().not()).add(lately())), "of_target")
        .column_as(how_many(all().add(newcomers().not())), "of_target_in_day")
        .column_as(how_many_askers(all().add(newcomers())), "newcomers")
        .column_as(how_many_askers(all().add(newcomers()).add(of_block())), "newcomers_of_block")
        .filter(dispatch::Column::Target.is_in(keys.iter().map(String::as_str)))
        .filter(dispatch::Column::SentAt.gt(ctx.now().minus(DAY)))
        .group_by(dispatch::Column::Target)
        .into_tuple()
        .all(&**txn)
        .await?;
    let read = |row| {
        let (
            target,
            of_asker,
            of_asker_in_day,
            beyond_of_asker,
            of_target,
            of_target_in_day,
            newcomers,
            newcomers_of_block,
        ) = row;
        let used = Used {
            of_asker,
            of_asker_in_day,
            beyond_of_asker,
            of_target,
            of_target_in_day,
            newcomers,
            newcomers_of_block,
        };
        (target, used)
    };
    Ok(rows.into_iter().map(read).collect())
}

fn how_many(which: Condition) -> SimpleExpr {
    let counted: SimpleExpr = CaseStatement::new().case(which, Expr::cust("1")).into();
    counted.count()
}

fn how_many_askers(which: Condition) -> SimpleExpr {
    let counted: SimpleExpr = CaseStatement::new().case(which, Expr::col(dispatch::Column::Asker)).into();
    counted.count_distinct()
}

fn key(matter: Matter, target: &str) -> String {
    HEXLOWER.encode(&crypto::token_hash(&format!("{}\0{target}", matter.as_str())).0)
}

/// Forgets what has no effect any more.
pub async fn sweep(app: &App) -> Result<()> {
    let txn = app.db.begin().await?;
    let old = app.clock.now().minus(DAY);
    dispatch::Entity::delete_many().filter(dispatch::Column::SentAt.lte(old)).exec(&*txn).await?;
    txn.commit().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_ends_before_a_budget_and_a_newcomer_goes_beyond_it() {
        let (fresh, asker) = (Used::default(), Asker::organization(Uuid::nil()));
        let login = |used: Used| used.verdict(Matter::Login, &asker);
        assert_eq!(login(fresh), (Verdict::Send, false));
        let greedy = Used { of_asker: 5, of_asker_in_day: 5, of_target: 5, of_target_in_day: 5, ..fresh };
        assert_eq!(login(greedy), (Verdict::ShareUsedUp, false));
        let full = Used { of_target: 20, of_target_in_day: 20, ..fresh };
        assert_eq!(login(full), (Verdict::Send, true));
        assert_eq!(login(Used { of_asker_in_day: 4, ..full }), (Verdict::Send, true));
        assert_eq!(login(Used { of_asker_in_day: 5, ..full }), (Verdict::TargetUsedUp, false));
        let crowded = Used { newcomers: 100, ..full };
        assert_eq!(login(crowded), (Verdict::TargetUsedUp, false));
        assert_eq!(login(Used { beyond_of_asker: 1, of_asker_in_day: 1, ..crowded }), (Verdict::Send, true));
        assert_eq!(login(Used { newcomers_of_block: 1, ..full }), (Verdict::TargetUsedUp, false));
    }

    #[test]
    fn a_day_ends_only_where_no_wrong_guesses_are_counted() {
        let asker = Asker::organization(Uuid::nil());
        let long = Used { of_asker_in_day: 5, of_target_in_day: 100, ..Used::default() };
        assert_eq!(long.verdict(Matter::Login, &asker), (Verdict::Send, false));
        assert_eq!(long.verdict(Matter::Verification, &asker), (Verdict::TargetUsedUp, false));
        assert_eq!(long.verdict(Matter::Phone, &asker), (Verdict::TargetUsedUp, false));
    }
}
