//! The body of an answer, which keeps its connection busy until it is sent.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::body::Body;
use hyper::body::{Body as HttpBody, Bytes, Frame, SizeHint};

use super::places::Busy;

pub(super) struct Answer {
    body: Body,
    #[expect(dead_code, reason = "held, not read")]
    busy: Option<Arc<Busy>>,
}

impl Answer {
    pub const fn new(body: Body, busy: Option<Arc<Busy>>) -> Self {
        Self { body, busy }
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
