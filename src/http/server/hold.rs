//! What a long answer holds while it lives: its place among the connections, and its part in the way out.

use std::{future::pending, sync::Arc};

use tokio_util::{sync::CancellationToken, task::task_tracker::TaskTrackerToken};

use super::{Place, places::Busy};

/// In the extensions of every request. Whoever goes on after the request, as a WebSocket does, keeps it for as long:
/// then the connection still counts, and stopping waits for it.
#[derive(Clone, Default)]
pub struct Hold {
    /// The service is about to stop: come to an end.
    pub stop: CancellationToken,
    /// The time for that is up.
    pub cut: CancellationToken,
    pub(super) place: Option<Arc<Place>>,
    /// While anybody holds it, the place is taken away from nobody.
    pub(super) busy: Option<Arc<Busy>>,
    #[expect(dead_code, reason = "held, not read")]
    pub(super) tracked: Option<TaskTrackerToken>,
}

impl Hold {
    /// Something is under way again.
    pub fn work(&mut self) {
        if self.busy.is_none() {
            self.busy = self.place.as_ref().map(|place| Arc::new(Busy::with(place)));
        }
    }

    /// Nothing is under way: whoever needs the place more may have it.
    pub fn rest(&mut self) {
        self.busy = None;
    }

    /// Until somebody needed the place more while it was at rest.
    pub fn lost(&self) -> impl Future<Output = ()> + Send + use<> {
        let lost = self.place.as_ref().map(|place| place.lost());
        async {
            match lost {
                Some(lost) => lost.await,
                None => pending().await,
            }
        }
    }
}
