//! Calls as spans, below those of their callers. Not streams: a span that lasts for days helps nobody.

use std::task::{Context, Poll};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Either};
use http::HeaderMap;
use tonic::{Code, Status};
use tower::{Layer, Service};
use tracing::Instrument as _;

use super::calls::word;
use crate::domain::{TraceContext, WallTime};
use crate::telemetry::traces::{Caller, Span, Tracer, names};

const OURS: &str = "tieline.v1.";
const STREAMS: [&str; 2] = [
    "tieline.v1.EventService/Subscribe",
    "tieline.v1.SessionService/WatchSessions",
];

/// Wraps every call.
#[derive(Debug, Clone)]
pub(super) struct Trace(pub(super) Tracer);

/// A service whose calls are spans.
#[derive(Debug, Clone)]
pub(super) struct Traced<S> {
    service: S,
    tracer: Tracer,
}

impl<S> Layer<S> for Trace {
    type Service = Traced<S>;

    fn layer(&self, service: S) -> Traced<S> {
        let tracer = self.0.clone();
        Traced { service, tracer }
    }
}

impl<S, R, B> Service<http::Request<R>> for Traced<S>
where
    S: Service<http::Request<R>, Response = http::Response<B>>,
    S::Future: Send + 'static,
    S::Error: Send,
    B: Send,
{
    type Response = http::Response<B>;
    type Error = S::Error;
    type Future = Either<S::Future, BoxFuture<'static, Result<Self::Response, S::Error>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, mut request: http::Request<R>) -> Self::Future {
        let span = match self.tracer.is_on() {
            true => begin(&self.tracer, request.uri().path(), request.headers()),
            false => None,
        };
        if let Some(shown) = span.as_ref().and_then(Shown::by) {
            request.extensions_mut().insert(shown);
        }
        let answer = self.service.call(request);
        match span {
            None => Either::Left(answer),
            Some(span) => {
                let answer = answer.instrument(span.in_log());
                Either::Right(answer.map(|answer| ended(span, answer)).boxed())
            }
        }
    }
}

/// The span of a call, for whoever measures that call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown {
    pub(super) span: TraceContext,
    pub(super) began: WallTime,
}

impl Shown {
    fn by(span: &Span) -> Option<Self> {
        Some(Self {
            span: span.context()?,
            began: span.began()?,
        })
    }
}

fn begin(tracer: &Tracer, path: &str, headers: &HeaderMap) -> Option<Span> {
    let method = path.trim_start_matches('/');
    if !method.starts_with(OURS) || STREAMS.contains(&method) {
        return None;
    }
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let caller = header("traceparent").map(|parent| Caller {
        parent,
        state: header("tracestate").unwrap_or_default(),
    });
    let mut span = tracer.serve(caller, || method.to_owned())?;
    span.set(names::RPC_SYSTEM, "grpc");
    span.set(names::RPC_METHOD, method.to_owned());
    Some(span)
}

/// A call that fails says so in its headers; what it answers otherwise is whole by then.
fn ended<B, E>(
    mut span: Span,
    answer: Result<http::Response<B>, E>,
) -> Result<http::Response<B>, E> {
    let code = match &answer {
        Ok(answer) => Status::from_header_map(answer.headers()).map_or(Code::Ok, |s| s.code()),
        Err(_) => Code::Internal,
    };
    span.set(names::RPC_STATUS, word(code));
    if is_ours(code) {
        span.fail(word(code));
    }
    span.end();
    answer
}

/// Of a server's span, the conventions count as an error only what is not the caller's mistake.
fn is_ours(code: Code) -> bool {
    matches!(
        code,
        Code::Unknown
            | Code::DeadlineExceeded
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
    )
}
