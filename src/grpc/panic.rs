//! A panic in a call ends that call with INTERNAL, and nothing else.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame};
use tonic::Status;
use tonic::body::Body;
use tower::{Layer, Service};

use super::body::{Polled, poll, through};
use super::status::CallError;

/// Wraps every call.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct CatchPanic;

/// A service whose panics are answers.
#[derive(Debug, Clone)]
pub(super) struct Caught<S>(S);

impl<S> Layer<S> for CatchPanic {
    type Service = Caught<S>;

    fn layer(&self, inner: S) -> Caught<S> {
        Caught(inner)
    }
}

fn internal() -> Status {
    tracing::error!("A call panicked");
    CallError::Internal("the call met a bug in the server").into()
}

impl<S, R> Service<http::Request<R>> for Caught<S>
where
    S: Service<http::Request<R>, Response = http::Response<Body>>,
{
    type Response = http::Response<Body>;
    type Error = S::Error;
    type Future = CaughtFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<R>) -> Self::Future {
        let inner = catch_unwind(AssertUnwindSafe(|| self.0.call(request)));
        CaughtFuture(inner.ok().map(Box::pin))
    }
}

/// The answer of a call; `None` inside once it has panicked.
#[derive(Debug)]
pub(super) struct CaughtFuture<F>(Option<Pin<Box<F>>>);

impl<F, E> Future for CaughtFuture<F>
where
    F: Future<Output = Result<http::Response<Body>, E>>,
{
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let Some(inner) = &mut self.0 else {
            return Poll::Ready(Ok(internal().into_http()));
        };
        match catch_unwind(AssertUnwindSafe(|| inner.as_mut().poll(cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(answer)) => {
                Poll::Ready(answer.map(|response| response.map(|body| through(body, caught))))
            }
            Err(_) => {
                self.0 = None;
                Poll::Ready(Ok(internal().into_http()))
            }
        }
    }
}

/// A body whose panics are trailers, and nothing comes behind them.
fn caught(inner: &mut Body, cx: &mut Context<'_>) -> Polled {
    if let Ok(polled) = catch_unwind(AssertUnwindSafe(|| poll(inner, cx))) {
        return polled;
    }
    *inner = Body::empty();
    let mut trailers = http::HeaderMap::new();
    // A status of ours always fits into headers; without it the client sees a broken stream.
    let written = internal().add_header(&mut trailers);
    Poll::Ready(written.is_ok().then(|| Ok(Frame::trailers(trailers))))
}

/// Any body as the one that calls are made with.
pub(super) fn any_body<B>(body: B) -> Body
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<tonic::codegen::StdError>,
{
    Body::new(body.map_err(|error| Status::from_error(error.into())))
}
