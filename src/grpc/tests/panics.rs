//! Panics in calls and in the bodies of their answers.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Frame;
use tonic::body::Body;
use tower::{Layer, ServiceExt, service_fn};

use super::*;
use crate::grpc::panic::CatchPanic;

type Answer = Result<http::Response<Body>, Infallible>;

async fn call<F>(answer: fn() -> F) -> http::Response<Body>
where
    F: Future<Output = Answer> + Send + 'static,
{
    let inner = service_fn(move |_: http::Request<()>| answer());
    let call = CatchPanic.layer(inner).oneshot(http::Request::new(()));
    call.await.unwrap()
}

fn assert_internal(headers: &http::HeaderMap) {
    let status = Status::from_header_map(headers).unwrap();
    details(&status, Code::Internal, "INTERNAL");
}

#[tokio::test]
async fn a_panic_in_a_call_is_its_answer() {
    async fn at_once() -> Answer {
        panic!("planted")
    }
    async fn later() -> Answer {
        tokio::task::yield_now().await;
        panic!("planted")
    }
    assert_internal(call(at_once).await.headers());
    assert_internal(call(later).await.headers());
}

/// One frame, then a panic.
struct Faulty(bool);

impl hyper::body::Body for Faulty {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        assert!(!self.0, "planted");
        self.0 = true;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"one")))))
    }
}

#[tokio::test]
async fn a_panic_in_a_stream_is_its_trailers() {
    async fn streaming() -> Answer {
        Ok(http::Response::new(Body::new(Faulty(false))))
    }
    let mut body = call(streaming).await.into_body();
    let first = body.frame().await.unwrap().unwrap();
    assert_eq!(first.into_data().unwrap(), "one");
    let last = body.frame().await.unwrap().unwrap();
    assert_internal(last.trailers_ref().unwrap());
    assert!(body.frame().await.is_none());
}
