//! [`Admit`]: gives every call its place among those of its peer, for as long as its answer lasts.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tonic::Status;
use tonic::body::Body;
use tower::{Layer, Service};

use super::hall::Seat;
use super::stay::Stay;
use crate::grpc::peer::Peer;
use crate::grpc::status::CallError;

/// Wraps the calls of one connection.
#[derive(Debug, Clone)]
pub(in crate::grpc) struct Admit(pub(in crate::grpc) Arc<Stay>);

/// A service whose calls have places.
#[derive(Debug, Clone)]
pub(in crate::grpc) struct Admitted<S> {
    inner: S,
    stay: Arc<Stay>,
}

impl<S> Layer<S> for Admit {
    type Service = Admitted<S>;

    fn layer(&self, inner: S) -> Admitted<S> {
        let stay = Arc::clone(&self.0);
        Admitted { inner, stay }
    }
}

impl<S, R> Service<http::Request<R>> for Admitted<S>
where
    S: Service<http::Request<R>, Response = http::Response<Body>>,
{
    type Response = http::Response<Body>;
    type Error = S::Error;
    type Future = AdmittedFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<R>) -> Self::Future {
        let whence = request.extensions().get::<Peer>().map(Peer::whence);
        let seat = whence.map(|whence| self.stay.call(whence)).transpose();
        match seat {
            Ok(seat) => AdmittedFuture::Admitted {
                call: Box::pin(self.inner.call(request)),
                seat,
            },
            Err(crowded) => AdmittedFuture::Refused(Some(CallError::Crowded(crowded).into())),
        }
    }
}

/// The answer of a call that has a place, or has none.
#[derive(Debug)]
pub(in crate::grpc) enum AdmittedFuture<F> {
    Admitted {
        call: Pin<Box<F>>,
        seat: Option<Seat>,
    },
    Refused(Option<Status>),
}

impl<F, E> Future for AdmittedFuture<F>
where
    F: Future<Output = Result<http::Response<Body>, E>>,
{
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        match &mut *self {
            Self::Refused(status) => {
                let status = status.take().unwrap_or_else(|| Status::cancelled(""));
                Poll::Ready(Ok(status.into_http()))
            }
            Self::Admitted { call, seat } => {
                let answer = ready!(call.as_mut().poll(cx));
                let seat = seat.take();
                Poll::Ready(answer.map(|response| {
                    response.map(|inner| Body::new(SeatedBody { inner, _seat: seat }))
                }))
            }
        }
    }
}

/// A body that holds the place of its call.
struct SeatedBody {
    inner: Body,
    _seat: Option<Seat>,
}

impl HttpBody for SeatedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        Pin::new(&mut self.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
