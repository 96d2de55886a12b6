//! [`through`]: a body whose polls go through a function.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame};
use tonic::Status;
use tonic::body::Body;

/// What a body answers when it is polled.
pub(super) type Polled = Poll<Option<Result<Frame<Bytes>, Status>>>;

/// Has `poll` do what `inner` would do when it is polled. How long it is nobody knows beforehand.
pub(super) fn through<F>(inner: Body, poll: F) -> Body
where
    F: FnMut(&mut Body, &mut Context<'_>) -> Polled + Unpin + Send + 'static,
{
    Body::new(Through { inner, poll })
}

/// Polls a body as it is.
pub(super) fn poll(body: &mut Body, cx: &mut Context<'_>) -> Polled {
    Pin::new(body).poll_frame(cx)
}

struct Through<F> {
    inner: Body,
    poll: F,
}

impl<F> HttpBody for Through<F>
where
    F: FnMut(&mut Body, &mut Context<'_>) -> Polled + Unpin,
{
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled {
        let this = &mut *self;
        (this.poll)(&mut this.inner, cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }
}
