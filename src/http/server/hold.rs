//! What a long answer holds while it lives: its place among the connections, and its part in the way out.

use std::sync::Arc;

use tokio_util::{sync::CancellationToken, task::task_tracker::TaskTrackerToken};

use super::Place;

/// In the extensions of every request. Whoever goes on after the request, as a WebSocket does, keeps it for as long:
/// then the connection still counts, and stopping waits for it.
#[derive(Clone, Default)]
pub struct Hold {
    /// The service is about to stop: come to an end.
    pub stop: CancellationToken,
    /// The time for that is up.
    pub cut: CancellationToken,
    pub(super) place: Option<Arc<Place>>,
    #[expect(dead_code, reason = "held, not read")]
    pub(super) tracked: Option<TaskTrackerToken>,
}
