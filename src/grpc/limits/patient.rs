//! [`patient`]: a request whose body has to arrive in time. A call whose request never ends would hold
//! its place for ever.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::Sleep;
use tonic::Status;
use tonic::body::Body;

use super::stats::{CallRefused, ConnectionStats};
use crate::grpc::panic::any_body;

/// How long a request may take to arrive. Requests are small.
const PATIENCE: Duration = Duration::from_secs(10);
/// Its requests are a stream.
const REFLECTION: &str = "/grpc.reflection.";

/// The same request, whose body fails when it takes too long.
pub(in crate::grpc) fn patient<B>(
    request: http::Request<B>,
    stats: &Arc<ConnectionStats>,
) -> http::Request<Body>
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<tonic::codegen::StdError>,
{
    if request.uri().path().starts_with(REFLECTION) {
        return request.map(any_body);
    }
    let stats = Arc::clone(stats);
    request.map(|inner| {
        any_body(Patient {
            inner,
            // Of most requests nothing is waited for.
            late: None,
            stats,
        })
    })
}

struct Patient<B> {
    inner: B,
    late: Option<Pin<Box<Sleep>>>,
    stats: Arc<ConnectionStats>,
}

impl<B> HttpBody for Patient<B>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Into<tonic::codegen::StdError>,
{
    type Data = Bytes;
    type Error = tonic::codegen::StdError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.inner).poll_frame(cx) {
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let late = this
            .late
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(PATIENCE)));
        ready!(late.as_mut().poll(cx));
        this.stats.call_refused(CallRefused::RequestTimeout);
        let text = format!("the request did not arrive within {PATIENCE:?}");
        Poll::Ready(Some(Err(Status::deadline_exceeded(text).into())))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
