//! [`CallStats`]: what became of calls, by method and code, and how long unary ones took. `Subscribe` is
//! not among them: the feed counts its streams, whose length would say nothing beside that of calls.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use hyper::body::Frame;
use prost::Message as _;
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{Layer, Service};

use super::body::{poll, through};
use super::traced::Shown;
use crate::runtime::{Counter, Histogram, MonoTime, Scale, Tally};

/// What is no method of ours: probes, reflection, and whatever else is asked for.
const OTHER: &str = "other";
const STREAM: &str = "/tieline.v1.EventService/Subscribe";
const STATUS: &str = "grpc-status";

/// Every status code, by its number.
const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// What became of calls since the start.
#[derive(Debug)]
pub struct CallStats {
    methods: Vec<Method>,
    by_path: HashMap<String, usize>,
}

#[derive(Debug)]
struct Method {
    name: String,
    codes: [Counter; CODES.len()],
    /// Of unary calls.
    took: Option<Histogram>,
}

/// What became of the calls of one method.
#[derive(Debug, Clone)]
pub struct MethodSnapshot {
    /// Service and method, such as `tieline.v1.SessionService/GetSession`.
    pub name: String,
    /// How often each code was the answer, of those that were.
    pub codes: Vec<(&'static str, u64)>,
    /// How long they took; `None` of streams.
    pub took: Option<Tally>,
}

impl Method {
    fn new(name: String, streams: bool) -> Self {
        Self {
            name,
            codes: Default::default(),
            took: (!streams).then(|| Histogram::new(Scale::CALL)),
        }
    }
}

impl CallStats {
    /// For the methods of a descriptor set.
    pub(super) fn of(descriptors: &[u8]) -> Self {
        let files = prost_types::FileDescriptorSet::decode(descriptors).unwrap_or_default();
        let mut methods = Vec::new();
        for file in &files.file {
            for service in &file.service {
                methods.extend(service.method.iter().map(|method| {
                    let name = format!("{}.{}/{}", file.package(), service.name(), method.name());
                    Method::new(name, method.server_streaming())
                }));
            }
        }
        let named = methods.iter().enumerate();
        let by_path = named.map(|(index, method)| (format!("/{}", method.name), index));
        let by_path = by_path.collect();
        methods.push(Method::new(OTHER.to_owned(), true));
        Self { methods, by_path }
    }

    /// All of it, as of now.
    #[must_use]
    pub fn snapshot(&self) -> Vec<MethodSnapshot> {
        let counted = self.methods.iter().map(|method| {
            let codes = CODES.iter().zip(&method.codes);
            let codes = codes.map(|(code, counter)| (*code, counter.get()));
            MethodSnapshot {
                name: method.name.clone(),
                codes: codes.filter(|(_, count)| *count > 0).collect(),
                took: method.took.as_ref().map(Histogram::snapshot),
            }
        });
        counted.collect()
    }

    fn method(&self, path: &str) -> Option<&Method> {
        let index = self.by_path.get(path).copied();
        index.map_or(self.methods.last(), |index| self.methods.get(index))
    }
}

/// One call under way; counted as cancelled where nobody waited for its answer.
#[derive(Debug)]
struct Call {
    stats: Arc<CallStats>,
    path: String,
    began: MonoTime,
    /// Its span, where that is recorded.
    shown: Option<Shown>,
    code: Code,
}

impl Drop for Call {
    fn drop(&mut self) {
        let Some(method) = self.stats.method(&self.path) else {
            return;
        };
        let code = usize::try_from(i32::from(self.code)).ok();
        if let Some(counter) = code.and_then(|code| method.codes.get(code)) {
            counter.one();
        }
        if let Some(took) = &method.took {
            let time = self.began.elapsed();
            took.took(time);
            if let Some(shown) = self.shown {
                took.show(time, shown.span, shown.began.plus(time));
            }
        }
    }
}

/// A status code as it is written.
pub(super) fn word(code: Code) -> &'static str {
    let place = usize::try_from(i32::from(code)).ok();
    place
        .and_then(|place| CODES.get(place))
        .copied()
        .unwrap_or("UNKNOWN")
}

fn code_in(headers: &HeaderMap) -> Option<Code> {
    let status = headers.get(STATUS)?;
    Some(Code::from_bytes(status.as_bytes()))
}

/// Counts calls.
#[derive(Debug, Clone)]
pub(super) struct CountCalls(pub(super) Arc<CallStats>);

/// A service whose calls are counted.
#[derive(Debug, Clone)]
pub(super) struct Counted<S> {
    inner: S,
    stats: Arc<CallStats>,
}

impl<S> Layer<S> for CountCalls {
    type Service = Counted<S>;

    fn layer(&self, inner: S) -> Counted<S> {
        Counted {
            inner,
            stats: Arc::clone(&self.0),
        }
    }
}

impl<S, R> Service<http::Request<R>> for Counted<S>
where
    S: Service<http::Request<R>, Response = http::Response<Body>>,
{
    type Response = http::Response<Body>;
    type Error = S::Error;
    type Future = CountedFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<R>) -> Self::Future {
        let path = request.uri().path();
        let call = (path != STREAM).then(|| Call {
            stats: Arc::clone(&self.stats),
            path: path.to_owned(),
            began: MonoTime::now(),
            shown: request.extensions().get().copied(),
            code: Code::Cancelled,
        });
        CountedFuture {
            inner: Box::pin(self.inner.call(request)),
            call,
        }
    }
}

/// The answer of a call that is counted.
#[derive(Debug)]
pub(super) struct CountedFuture<F> {
    inner: Pin<Box<F>>,
    call: Option<Call>,
}

impl<F, E> Future for CountedFuture<F>
where
    F: Future<Output = Result<http::Response<Body>, E>>,
{
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let answer = ready!(self.inner.as_mut().poll(cx));
        Poll::Ready(answer.map(|response| match self.call.take() {
            Some(mut call) => {
                // An answer that is no more than a status has it in its head.
                if let Some(code) = code_in(response.headers()) {
                    call.code = code;
                    return response;
                }
                response.map(|body| {
                    through(body, move |inner, cx| {
                        let frame = ready!(poll(inner, cx));
                        call.look(frame.as_ref());
                        Poll::Ready(frame)
                    })
                })
            }
            None => response,
        }))
    }
}

impl Call {
    /// The status of the call follows its body.
    fn look(&mut self, frame: Option<&Result<Frame<Bytes>, Status>>) {
        match frame {
            Some(Ok(frame)) => {
                if let Some(code) = frame.trailers_ref().and_then(code_in) {
                    self.code = code;
                }
            }
            Some(Err(status)) => self.code = status.code(),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_is_known_and_what_is_none_is_told_as_one() {
        let stats = CallStats::of(crate::proto::DESCRIPTOR_SET);
        let calls = |stats: &CallStats| -> Vec<(String, Vec<(&'static str, u64)>)> {
            let seen = stats.snapshot().into_iter().map(|m| (m.name, m.codes));
            seen.filter(|(_, codes)| !codes.is_empty()).collect()
        };
        assert!(stats.by_path.contains_key(STREAM));
        assert_eq!(calls(&stats), []);
        let stats = Arc::new(stats);
        for (path, code) in [
            ("/tieline.v1.SessionService/GetSession", Code::Ok),
            ("/tieline.v1.SessionService/GetSession", Code::NotFound),
            ("/a/b", Code::Unimplemented),
            ("/c/d", Code::Unimplemented),
        ] {
            drop(Call {
                stats: Arc::clone(&stats),
                path: path.to_owned(),
                began: MonoTime::now(),
                shown: None,
                code,
            });
        }
        let session = "tieline.v1.SessionService/GetSession".to_owned();
        assert_eq!(
            calls(&stats),
            [
                (session.clone(), vec![("OK", 1), ("NOT_FOUND", 1)]),
                (OTHER.to_owned(), vec![("UNIMPLEMENTED", 2)]),
            ]
        );
        let timed = stats.snapshot().into_iter().find(|m| m.name == session);
        assert_eq!(timed.unwrap().took.unwrap().count(), 2);
    }
}
