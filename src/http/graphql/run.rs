//! Running a prepared operation, whatever carries it: what comes of it is one answer, or a stream of pieces.

use std::{panic::AssertUnwindSafe, time::Duration};

use async_graphql::{Response as Executed, Value, parser::types::OperationType};
use axum::http::StatusCode;
use futures_util::{FutureExt, StreamExt, stream, stream::BoxStream};
use tokio::{sync::OwnedSemaphorePermit, time::timeout};

use super::{
    Engine, Refusal,
    fault::{self, Code},
    prepare::Prepared,
    respond::Answer,
};
use crate::http::server::Hold;

/// One that is carried by a stream runs for no longer than one that is a request of its own.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// No mutation goes on for longer, though its client may have gone long before.
const WRITE_LIMIT: Duration = Duration::from_mins(1);

/// What an operation brings forth, one after the other.
pub(super) enum Piece {
    Result(Answer),
    /// The operation could not begin, or has ended with this. Nothing follows.
    Failed(Answer),
    /// The caller is no longer who they were. Nothing follows.
    Refused(Refusal),
}

pub(super) type Pieces = BoxStream<'static, Piece>;

/// What a mutation keeps until it has ended, though its client may be gone by then: its place among the connections, and
/// among the operations of its socket. So those whose clients hung up stay bounded, and stopping waits for them.
#[derive(Default)]
pub(super) struct Kept {
    pub hold: Hold,
    #[expect(dead_code, reason = "held, not read")]
    pub operation: Option<OwnedSemaphorePermit>,
}

/// Runs a query or a mutation.
pub(super) async fn once<E: Engine>(
    engine: &E,
    caller: &E::Caller,
    prepared: Prepared,
    kept: impl FnOnce() -> Kept,
) -> Answer {
    let code = prepared.argument_code();
    let rules = prepared.rules();
    // A panic is a bug of ours and no reason to drop the connection, or the rest of a batch.
    let executed = if prepared.kind == OperationType::Mutation {
        let (engine, caller, kept) = (engine.clone(), caller.clone(), kept());
        // What writes is not broken off where its client hangs up, cancels, or waits no longer: only by a stop, and where it
        // would go on for ever. What is not committed then is rolled back.
        let apart = tokio::spawn(async move {
            let execution = engine.execute(caller, prepared.request, prepared.known);
            let executed = kept.hold.cut.run_until_cancelled(timeout(WRITE_LIMIT, execution)).await;
            // All of it, and not only the part that is looked at.
            drop(kept);
            executed.and_then(Result::ok)
        });
        match apart.await {
            Ok(None) => return too_long().into(),
            Ok(executed) => executed,
            Err(_) => None,
        }
    } else {
        let execution = engine.execute(caller.clone(), prepared.request, prepared.known);
        AssertUnwindSafe(execution).catch_unwind().await.ok()
    };
    let Some(executed) = executed else {
        tracing::error!("an operation panicked");
        return Answer::failed(fault::internal());
    };
    if !prepared.known.valid && !fault::is_request_error(&executed) {
        rules.found_nothing();
    }
    Answer::executed(presentable(engine, caller, executed, code))
}

/// Runs whatever it is.
pub(super) fn pieces<E: Engine>(engine: E, caller: E::Caller, prepared: Prepared, kept: Kept) -> Pieces {
    if prepared.kind == OperationType::Subscription {
        return follow(engine, caller, prepared).boxed();
    }
    let whole = async move {
        match timeout(TIME_LIMIT, once(&engine, &caller, prepared, || kept)).await {
            Ok(answer) if answer.was_refused() => Piece::Failed(answer),
            Ok(answer) => Piece::Result(answer),
            Err(_) => Piece::Refused(too_long()),
        }
    };
    stream::once(whole).boxed()
}

fn too_long() -> Refusal {
    Refusal {
        status: StatusCode::SERVICE_UNAVAILABLE,
        code: "UNAVAILABLE",
        message: "This takes too long at the moment.".into(),
        retry_after: Some(1),
    }
}

struct Following<E: Engine> {
    engine: E,
    caller: E::Caller,
    code: Code,
    source: BoxStream<'static, std::thread::Result<Executed>>,
    over: bool,
}

fn follow<E: Engine>(
    engine: E,
    caller: E::Caller,
    prepared: Prepared,
) -> impl futures_util::Stream<Item = Piece> + Send {
    let code = prepared.argument_code();
    let source = engine.follow(caller.clone(), prepared.request, prepared.known);
    let source = AssertUnwindSafe(source).catch_unwind().boxed();
    let following = Following { engine, caller, code, source, over: false };
    stream::unfold(following, |mut following| async {
        let piece = following.next().await?;
        Some((piece, following))
    })
}

impl<E: Engine> Following<E> {
    async fn next(&mut self) -> Option<Piece> {
        if self.over {
            return None;
        }
        let piece = if let Ok(executed) = self.source.next().await? {
            self.piece(executed).await
        } else {
            tracing::error!("a subscription panicked");
            Piece::Failed(Answer::failed(fault::internal()))
        };
        self.over = !matches!(piece, Piece::Result(_));
        Some(piece)
    }

    async fn piece(&mut self, executed: Executed) -> Piece {
        // Asked at the last moment: between what happened and now, the token may have run out.
        if let Err(refusal) = self.engine.recheck(&self.caller).await {
            return Piece::Refused(refusal);
        }
        let ends = is_the_sources_own_failure(&executed);
        let answer = Answer::executed(presentable(&self.engine, &self.caller, executed, self.code));
        if ends { Piece::Failed(answer) } else { Piece::Result(answer) }
    }
}

/// Whether it is the stream itself that failed, and not what was selected of one of its items: that stands deeper.
fn is_the_sources_own_failure(executed: &Executed) -> bool {
    executed.data == Value::Null
        && !executed.errors.is_empty()
        && executed.errors.iter().all(|error| error.path.len() <= 1)
}

fn presentable<E: Engine>(engine: &E, caller: &E::Caller, mut executed: Executed, code: Code) -> Executed {
    fault::tidy(&mut executed, code);
    if !engine.suggests(caller) {
        fault::strip_suggestions(&mut executed);
    }
    executed
}
