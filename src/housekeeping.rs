//! What has to be done now and then, asked for by nobody: old rows go, signing keys are rotated, the use of API keys is
//! written down.

use std::{sync::Arc, time::Duration};

use entity::{Timestamp, device_token, id_token, one_time_code, proof, session, signing_key};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, Iterable as _, PrimaryKeyToColumn, QueryFilter, QuerySelect,
    QueryTrait,
};
use tokio_util::sync::CancellationToken;

use crate::{
    app::App,
    context::Ctx,
    domain::{
        api_keys,
        credentials::{factors::challenges, passwords},
        identity, limits,
        sessions::rotation,
    },
    error::Result,
};

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often rows are deleted and keys looked at.
const EVERY: Duration = Duration::from_hours(1);
/// What is over is kept for so long: whoever looks into something finds it.
const KEPT: Duration = Duration::from_hours(24 * 30);
/// How many rows one statement deletes: nobody waits long for it.
const AT_ONCE: u64 = 1_000;
/// How many statements one round has for each table: what is left has time until the next.
const ROUNDS: usize = 50;

/// Keeps the house until it is told to stop. What is broken off is rolled back, and done the next time.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    let (ctx, mut last) = (Ctx::system(&app), None);
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            () = tick(&ctx, &mut last) => {}
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// One thing that fails keeps nothing else from being done.
async fn tick(ctx: &Ctx, last: &mut Option<Timestamp>) {
    let now = ctx.now();
    report(api_keys::live::write_down(&ctx.app).await);
    if last.is_none_or(|last| last > now || now.since(last) >= EVERY) {
        *last = Some(now);
        report(rotation::rotate_if_due(ctx).await);
        report(tidy(&ctx.app).await);
        report(passwords::look_for_dear(&ctx.app).await);
    }
}

fn report(outcome: Result<()>) {
    if let Err(error) = outcome {
        tracing::warn!(%error, "the house cannot be kept");
    }
}

/// Deletes what has no effect any more.
pub async fn tidy(app: &App) -> Result<()> {
    let now = app.clock.now();
    let old = now.minus(KEPT);
    limits::service::sweep(app).await?;
    limits::budget::sweep(app).await?;
    challenges::sweep(app).await?;
    // Refresh tokens and proofs are owned by their session, and go with it.
    let over = Condition::any()
        .add(session::Column::EndedAt.lt(old))
        .add(session::Column::ExpiresAt.lt(old))
        .add(session::Column::IdleExpiresAt.lt(old));
    delete::<session::Entity>(app, over).await?;
    let over = Condition::all().add(one_time_code::Column::ExpiresAt.lt(old)).add(
        Condition::any()
            .add(one_time_code::Column::LinkExpiresAt.is_null())
            .add(one_time_code::Column::LinkExpiresAt.lt(old)),
    );
    delete::<one_time_code::Entity>(app, over).await?;
    delete::<proof::Entity>(app, Condition::all().add(proof::Column::ExpiresAt.lt(old))).await?;
    delete::<id_token::Entity>(app, Condition::all().add(id_token::Column::ExpiresAt.lt(old))).await?;
    delete::<device_token::Entity>(app, Condition::all().add(device_token::Column::ExpiresAt.lt(now)))
        .await?;
    identity::service::sweep_attempts(app, old).await?;
    delete::<signing_key::Entity>(app, Condition::all().add(signing_key::Column::ExpiresAt.lt(old))).await
}

/// Bounded batches, each in a transaction of its own.
async fn delete<E: EntityTrait>(app: &App, which: Condition) -> Result<()> {
    let Some(id) = E::PrimaryKey::iter().next().map(PrimaryKeyToColumn::into_column) else {
        return Ok(());
    };
    for _ in 0..ROUNDS {
        let some = E::find().select_only().column(id).filter(which.clone()).limit(AT_ONCE).into_query();
        let txn = app.db.begin().await?;
        let gone = E::delete_many().filter(id.in_subquery(some)).exec(&*txn).await?;
        txn.commit().await?;
        if gone.rows_affected < AT_ONCE {
            break;
        }
    }
    Ok(())
}
