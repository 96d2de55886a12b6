//! The platform's HTTP: reads requests, asks the state, writes answers, whole or broken.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::{self, StreamExt};
use http::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, UPGRADE, WWW_AUTHENTICATE,
};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{Either, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;

use super::core::Core;
use super::door::Dialect;
use super::hub::Arrival;
use super::link::Link;
use super::request::{Unread, bearer, header, read};
use super::{poll, request, websocket};
use crate::sandbox::platform::{
    Answer, Bearer, Cut, Delayed, Outcome, Reply, RequestKind, State, TokenRequest, Transport,
    UpgradeAnswer, Words,
};

const LARGEST_BODY: usize = 64 << 10;
/// A swallowed handshake ends at last.
const SWALLOWED: Duration = Duration::from_secs(15 * 60);
/// So that the first half of a body is on its way before the connection breaks.
const BEFORE_THE_CUT: Duration = Duration::from_millis(20);

pub(in crate::sandbox) type Broken = Pin<Box<dyn Stream<Item = io::Result<Frame<Bytes>>> + Send>>;
pub(in crate::sandbox) type Body = Either<Full<Bytes>, StreamBody<Broken>>;

/// A WebSocket that was agreed upon, to be taken up when the answer is written.
struct Agreed {
    upgrade: OnUpgrade,
    bearer: Bearer,
}

/// The connection is reset instead of answered.
#[derive(Debug, thiserror::Error)]
#[error("connection reset on purpose")]
pub(in crate::sandbox) struct ResetOnPurpose;

impl Dialect for State {
    async fn converse<IO>(core: &Arc<Core>, link: &Arc<Link>, io: IO)
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        converse(core, link, io).await;
    }
}

/// Speaks HTTP on a connection until it ends, and WebSocket after an upgrade.
async fn converse<IO>(core: &Arc<Core>, link: &Arc<Link>, io: IO)
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let agreed: Arc<Mutex<Option<Agreed>>> = Arc::default();
    let service = service_fn(|request| {
        let agreed = Arc::clone(&agreed);
        async move { handle(core, link, &agreed, request).await }
    });
    request::converse(io, service).await;
    let taken = agreed.lock().take();
    if let Some(Agreed { upgrade, bearer }) = taken
        && let Ok(upgraded) = upgrade.await
    {
        core.using(link.id, Transport::Probe);
        websocket::subscriber(core, link, TokioIo::new(upgraded), bearer).await;
    }
}

async fn handle(
    core: &Arc<Core>,
    link: &Arc<Link>,
    agreed: &Mutex<Option<Agreed>>,
    request: Request<Incoming>,
) -> Result<Response<Body>, ResetOnPurpose> {
    let kind = kind(core.with(|state| state.config.dialect.words()), &request);
    let arrival = core.arrive(link.id, kind);
    let doing = match kind {
        RequestKind::Poll => Transport::Poll,
        _ => Transport::Request,
    };
    core.using(link.id, doing);
    let answer = match kind {
        RequestKind::Probe | RequestKind::Websocket => upgrade(core, agreed, request).await,
        _ => respond(core, link, &arrival, request).await,
    };
    core.using(link.id, Transport::Idle);
    match answer {
        Ok(response) => {
            arrival.end(Outcome::Status(response.status().as_u16()));
            Ok(response)
        }
        Err(reset) => {
            arrival.end(Outcome::Reset);
            link.reset();
            Err(reset)
        }
    }
}

fn kind(words: &Words, request: &Request<Incoming>) -> RequestKind {
    let bearer = request.headers().contains_key(AUTHORIZATION);
    let path = request.uri().path();
    match *request.method() {
        Method::GET if path == words.subscribe && bearer => RequestKind::Websocket,
        Method::GET if path == words.subscribe => RequestKind::Probe,
        Method::POST if path == words.subscribe => RequestKind::Poll,
        Method::GET if path == words.history => RequestKind::History,
        Method::GET if path == words.health => RequestKind::Health,
        Method::POST if path == words.token => RequestKind::Token,
        _ => RequestKind::Other,
    }
}

/// A request that is answered by a body.
async fn respond(
    core: &Arc<Core>,
    link: &Arc<Link>,
    arrival: &Arrival<State>,
    request: Request<Incoming>,
) -> Result<Response<Body>, ResetOnPurpose> {
    let (head, body) = request.into_parts();
    let authorization = header(&head.headers, AUTHORIZATION);
    let bearer = bearer(authorization.as_deref());
    let now = (core.clock.now(), core.clock.wall());
    let delayed = match arrival.request {
        RequestKind::Poll => match read(body, LARGEST_BODY).await {
            Ok(body) => poll::hold(core, link, arrival.entry, bearer, &body)
                .await
                .into_delayed(),
            Err(unread) => Answer::from(unread).into(),
        },
        RequestKind::Token => match read(body, LARGEST_BODY).await {
            Ok(form) => {
                let request = TokenRequest {
                    authorization: authorization.as_deref(),
                    form: &form,
                };
                core.with(|state| state.answer_token(request, now.0))
            }
            Err(unread) => Answer::from(unread).into(),
        },
        RequestKind::History => {
            let query = head.uri.query().unwrap_or_default();
            core.with(|state| state.answer_history(link.id, bearer.as_deref(), query, now))
        }
        RequestKind::Health => core.with(|state| state.answer_health(bearer.as_deref(), now.0)),
        _ => {
            let path = head.uri.path();
            Answer::error(404, "not.found", &format!("{} {path}", head.method)).into()
        }
    };
    deliver(core, delayed).await
}

/// A WebSocket handshake.
async fn upgrade(
    core: &Arc<Core>,
    agreed: &Mutex<Option<Agreed>>,
    mut request: Request<Incoming>,
) -> Result<Response<Body>, ResetOnPurpose> {
    let bearer = bearer(header(request.headers(), AUTHORIZATION).as_deref());
    let probe = request
        .uri()
        .query()
        .is_some_and(|query| query.contains("polling=true"));
    if !request.headers().contains_key(UPGRADE) {
        // A middlebox in front of us took it away.
        let answer = Answer::error(426, "upgrade.required", "this path speaks WebSocket");
        return deliver(core, answer.into()).await;
    }
    let now = core.clock.now();
    match core.with(|state| state.answer_upgrade(bearer.as_deref(), probe, now)) {
        UpgradeAnswer::Swallow => {
            tokio::time::sleep(SWALLOWED).await;
            Err(ResetOnPurpose)
        }
        UpgradeAnswer::Plain(reply) => {
            let delay = Duration::ZERO;
            deliver(core, Delayed { reply, delay }).await
        }
        UpgradeAnswer::Switch => {
            let delay = core.with(|state| state.latency());
            tokio::time::sleep(delay).await;
            match create_response_with_body(&request, || Either::Left(Full::default())) {
                Ok(response) => {
                    let upgrade = hyper::upgrade::on(&mut request);
                    *agreed.lock() = Some(Agreed { upgrade, bearer });
                    Ok(response)
                }
                Err(error) => {
                    let answer = Answer::error(400, "bad.request", &error.to_string());
                    deliver(core, answer.into()).await
                }
            }
        }
    }
}

async fn deliver(core: &Core, delayed: Delayed) -> Result<Response<Body>, ResetOnPurpose> {
    let latency = core.with(|state| state.latency());
    let delay = delayed.delay + latency;
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    match delayed.reply {
        Reply::Answer(answer) => Ok(response(answer)),
        Reply::Reset => Err(ResetOnPurpose),
    }
}

/// An answer as it is written.
pub(in crate::sandbox) fn response(answer: Answer) -> Response<Body> {
    let whole = Bytes::from(answer.body);
    let half = whole.slice(..whole.len() / 2);
    let mut response = Response::new(match answer.cut {
        Cut::Whole => Either::Left(Full::new(whole.clone())),
        Cut::Text => Either::Left(Full::new(half)),
        Cut::Connection => Either::Right(StreamBody::new(broken(half))),
    });
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    if !whole.is_empty() {
        headers.insert(
            CONTENT_TYPE,
            http::HeaderValue::from_static(answer.content_type),
        );
    }
    if answer.cut == Cut::Connection {
        headers.insert(CONTENT_LENGTH, whole.len().into());
    }
    if answer.status == 401 {
        headers.insert(
            WWW_AUTHENTICATE,
            http::HeaderValue::from_static("Bearer, Basic"),
        );
    }
    let retry = answer.retry_after.and_then(|text| text.try_into().ok());
    if let Some(value) = retry {
        headers.insert(RETRY_AFTER, value);
    }
    response
}

/// Half a body, and then an end that is none.
pub(in crate::sandbox) fn broken(half: Bytes) -> Broken {
    let first = stream::iter([Ok(Frame::data(half))]);
    let end = stream::once(async {
        tokio::time::sleep(BEFORE_THE_CUT).await;
        Err(io::Error::other(ResetOnPurpose))
    });
    first.chain(end).boxed()
}

impl From<Unread> for Answer {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::TooLarge => Self::error(413, "too.large", "the body is too large or broken"),
            Unread::TooSlow => Self::error(408, "request.timeout", "the body took too long"),
        }
    }
}

impl Reply {
    fn into_delayed(self) -> Delayed {
        Delayed {
            reply: self,
            delay: Duration::ZERO,
        }
    }
}
