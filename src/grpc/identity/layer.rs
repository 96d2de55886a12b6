//! [`Identify`]: finds out who makes a call and whether they may make it at all, before anything of it is
//! read. Which journal it is about is asked at the [`Gate`] that it is given.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use tower::{Layer, Service};

use super::audit;
use super::callers::Callers;
use super::gate::{Gate, Origin};
use super::principal::Shown;
use super::table::{self, Method, Need};
use crate::grpc::peer::Peer;
use crate::grpc::status::{CallError, RequestError};

/// Wraps every call.
#[derive(Debug, Clone)]
pub(in crate::grpc) struct Identify(pub(in crate::grpc) Callers);

/// A service that knows its callers.
#[derive(Debug, Clone)]
pub(in crate::grpc) struct Identified<S> {
    inner: S,
    callers: Callers,
}

impl<S> Layer<S> for Identify {
    type Service = Identified<S>;

    fn layer(&self, inner: S) -> Identified<S> {
        let callers = self.0.clone();
        Identified { inner, callers }
    }
}

/// What the audit log is told of a call once it is answered.
#[derive(Debug)]
struct Entry {
    method: &'static Method,
    gate: Gate,
    callers: Callers,
    peer: Arc<str>,
}

impl<S> Identified<S> {
    /// Gives a request its gate; else says why it is not served.
    fn admit<R>(&self, request: &mut http::Request<R>) -> Result<Option<Entry>, CallError> {
        let peer = request.extensions().get::<Peer>();
        let (shown, peer): (Shown, Arc<str>) = match peer {
            Some(peer) => (peer.shown.clone(), Arc::from(peer.name.as_str())),
            None => Default::default(),
        };
        let method = table::find(request.uri().path());
        let refused = |principal: &str, error: CallError| {
            let path = method.map_or("other", |method| method.path);
            let denials = self.callers.denials();
            denials.refused(path, &peer, principal, (error.reason(), ""));
            error
        };
        if method.is_some_and(|method| method.need == Need::Nothing) {
            return Ok(None);
        }
        let who = self.callers.identify(request.headers(), &shown);
        let who = who.map_err(|error| refused("", error.into()))?;
        if let Some(known) = self.callers.known() {
            if method.is_none() {
                return Err(CallError::NotServed);
            }
            if !known.knows(&who) {
                let error = RequestError::Unpermitted {
                    principal: who.name.to_string(),
                };
                return Err(refused(&who.name, error.into()));
            }
        }
        let origin = Origin {
            shown,
            peer: Arc::clone(&peer),
            method: method.map_or("other", |method| method.path),
        };
        let gate = Gate::new(&self.callers, who, method, origin);
        request.extensions_mut().insert(gate.clone());
        let callers = self.callers.clone();
        Ok(method.map(|method| Entry {
            method,
            gate,
            callers,
            peer,
        }))
    }
}

impl<S, R, B> Service<http::Request<R>> for Identified<S>
where
    S: Service<http::Request<R>, Response = http::Response<B>>,
    B: Default,
{
    type Response = http::Response<B>;
    type Error = S::Error;
    type Future = IdentifiedFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: http::Request<R>) -> Self::Future {
        match self.admit(&mut request) {
            Ok(entry) => {
                let answer = Box::pin(self.inner.call(request));
                IdentifiedFuture(Answer::Served(answer, entry))
            }
            Err(error) => IdentifiedFuture(Answer::Refused(Some(error))),
        }
    }
}

/// The answer of a call.
#[derive(Debug)]
pub(in crate::grpc) struct IdentifiedFuture<F>(Answer<F>);

#[derive(Debug)]
enum Answer<F> {
    Served(Pin<Box<F>>, Option<Entry>),
    Refused(Option<CallError>),
}

impl<F, B, E> Future for IdentifiedFuture<F>
where
    F: Future<Output = Result<http::Response<B>, E>>,
    B: Default,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        match &mut self.get_mut().0 {
            Answer::Refused(error) => {
                let error = error.take();
                let error = error.unwrap_or(CallError::Internal("a call was answered twice"));
                Poll::Ready(Ok(Status::from(error).into_http()))
            }
            Answer::Served(answer, entry) => {
                let answered = ready!(answer.as_mut().poll(cx));
                if let (Ok(response), Some(entry)) = (&answered, entry.take()) {
                    entry.write(response.headers());
                }
                Poll::Ready(answered)
            }
        }
    }
}

impl Entry {
    /// An answer that is no more than a status has it in its head.
    fn write(&self, headers: &http::HeaderMap) {
        let status = headers.get("grpc-status");
        let code = status.map_or(Code::Ok, |status| Code::from_bytes(status.as_bytes()));
        let (method, peer) = (self.method.path, &*self.peer);
        let details = Status::from_header_map(headers);
        let details = details.map(|status| status.get_error_details());
        let info = details.as_ref().and_then(|details| details.error_info());
        let refused = match code {
            Code::PermissionDenied | Code::Unauthenticated => true,
            // A quota of its principal's; what a platform does not take is no refusal of ours.
            Code::ResourceExhausted => {
                info.is_some_and(|info| info.metadata.contains_key("principal"))
            }
            _ => false,
        };
        match code {
            _ if refused => {
                let reason = info.map_or("", |info| info.reason.as_str());
                let about = info.and_then(|info| info.metadata.get("name"));
                let about = about.map_or("", String::as_str);
                let principal = self.gate.principal();
                let denials = self.callers.denials();
                denials.refused(method, peer, principal, (reason, about));
            }
            // Of a stream that is open that was told when it was opened.
            _ if self.gate.is_open() => {}
            code if self.method.told => audit::served(method, peer, &self.gate, code),
            _ => {}
        }
    }
}
