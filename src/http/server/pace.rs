//! The clocks on what a client sends and takes: a body that must keep coming, a stream that must keep going.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep},
};

use super::Place;

/// A request's body, which fails with `TimedOut` when a piece, or the whole, takes too long. The clock runs only while
/// somebody reads: the first wait sets the end, so a handler that thinks before it reads takes nothing from the client.
pub(super) struct PacedBody {
    body: Incoming,
    pause: Duration,
    whole: Duration,
    pause_alarm: Option<Alarm>,
    whole_alarm: Option<Alarm>,
}

type Alarm = Pin<Box<Sleep>>;

impl PacedBody {
    pub fn new(body: Incoming, pause: Duration, whole: Duration) -> Self {
        Self { body, pause, whole, pause_alarm: None, whole_alarm: None }
    }
}

/// Whether the time is up. It begins with the first call.
fn is_up(alarm: &mut Option<Alarm>, after: Duration, cx: &mut Context<'_>) -> bool {
    alarm.get_or_insert_with(|| Box::pin(sleep(after))).as_mut().poll(cx).is_ready()
}

impl Body for PacedBody {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) {
            this.pause_alarm = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        if is_up(&mut this.pause_alarm, this.pause, cx) || is_up(&mut this.whole_alarm, this.whole, cx) {
            return Poll::Ready(Some(Err(io::Error::from(io::ErrorKind::TimedOut).into())));
        }
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A connection that fails with `TimedOut` when the client takes nothing of what is written for too long. Otherwise it
/// would hold its answer, and its place, for as long as it likes. Reading has other clocks.
pub(super) struct PacedStream {
    stream: TcpStream,
    pause: Duration,
    alarm: Option<Alarm>,
    place: Arc<Place>,
}

impl PacedStream {
    pub fn new(stream: TcpStream, pause: Duration, place: Arc<Place>) -> Self {
        Self { stream, pause, alarm: None, place }
    }

    /// While the rest of an answer is taken, its connection is not idle for long.
    fn sent(&self, polled: &Poll<io::Result<usize>>) {
        if matches!(polled, Poll::Ready(Ok(_))) {
            self.place.touch();
        }
    }

    fn paced<T>(&mut self, cx: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.alarm = None;
            return polled;
        }
        if is_up(&mut self.alarm, self.pause, cx) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Poll::Pending
    }
}

impl AsyncRead for PacedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for PacedStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.sent(&polled);
        self.paced(cx, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.sent(&polled);
        self.paced(cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(cx);
        self.paced(cx, polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.paced(cx, polled)
    }
}
