//! HTTP of Genesys Cloud: reads requests, asks the state, writes answers, takes up sockets.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, RETRY_AFTER, UPGRADE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;

use super::core::Core;
use crate::sandbox::genesys_cloud::record;
use crate::sandbox::genesys_cloud::rest::{
    Answer, Ask, Delayed, Operation, Query, Refusal, UpgradeAnswer, route,
};
use crate::sandbox::genesys_cloud::socket::Socket;
use crate::sandbox::genesys_cloud::state::State;
use crate::sandbox::platform::{Outcome, Turn};
use crate::sandbox::server::{
    Dialect, Link, Side, Unread, bearer, converse, header, read, run_websocket,
};

/// `request.bytes.max` of the platform.
const LARGEST_BODY: usize = 512_000;
/// A swallowed handshake ends at last.
const SWALLOWED: Duration = Duration::from_secs(15 * 60);
const CORRELATION: HeaderName = HeaderName::from_static("inin-correlation-id");

type Body = Full<Bytes>;

/// A socket that was agreed upon, to be taken up when the answer is written.
struct Agreed {
    upgrade: OnUpgrade,
    channel: Arc<str>,
}

/// The connection is given up.
#[derive(Debug, thiserror::Error)]
#[error("connection given up on purpose")]
struct GivenUp;

impl Dialect for State {
    async fn converse<IO>(core: &Arc<Core>, link: &Arc<Link>, io: IO)
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let agreed: Arc<Mutex<Option<Agreed>>> = Arc::default();
        let service = service_fn(|request| {
            let agreed = Arc::clone(&agreed);
            async move { handle(core, link, &agreed, request).await }
        });
        converse(io, service).await;
        let taken = agreed.lock().take();
        if let Some(Agreed { upgrade, channel }) = taken
            && let Ok(upgraded) = upgrade.await
        {
            let now = core.clock.now();
            let socket = core.alter(|state| Socket::open(link.id, channel, state, now));
            let subscriber = Subscriber {
                core: Arc::clone(core),
                socket,
            };
            run_websocket(subscriber, core.changes(), link, TokioIo::new(upgraded)).await;
        }
    }
}

/// The platform's side of a notification socket, over the state.
struct Subscriber {
    core: Arc<Core>,
    socket: Socket,
}

impl Side for Subscriber {
    fn turn(&mut self) -> (Turn, bool) {
        let now = self.core.clock.now();
        self.core.with(|state| {
            let turn = self.socket.turn(state, now);
            (turn, self.socket.is_deaf(state))
        })
    }

    fn hear(&mut self, text: &[u8]) -> Option<Turn> {
        let now = self.core.times();
        self.core.alter(|state| self.socket.hear(state, text, now));
        None
    }

    fn sent(&mut self) {
        self.core.with(|state| self.socket.sent(state));
        self.core.notice();
    }

    fn pinged(&mut self) {
        self.core.with(|state| state.counters.protocol_pings += 1);
        self.core.notice();
    }

    fn closed(&mut self, code: u16) {
        self.core
            .with(|state| *state.counters.closes_received.entry(code).or_default() += 1);
        self.core.notice();
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.core.alter(|state| self.socket.close(state));
    }
}

async fn handle(
    core: &Arc<Core>,
    link: &Arc<Link>,
    agreed: &Mutex<Option<Agreed>>,
    request: Request<Incoming>,
) -> Result<Response<Body>, GivenUp> {
    let (operation, ids) = route(request.method().as_str(), request.uri().path());
    let line = format!("{} {}", request.method(), request.uri());
    let arrival = core.arrive(link.id, record::Request { operation, line });
    let correlation = core.with(|state| state.identifier());
    let answered = match operation {
        Operation::Socket => upgrade(core, agreed, request, &ids, &correlation).await,
        _ => respond(core, request, (operation, &ids), &correlation).await,
    };
    match answered {
        Ok(mut response) => {
            if let Ok(value) = HeaderValue::from_str(&correlation) {
                response.headers_mut().insert(CORRELATION, value);
            }
            arrival.end(Outcome::Status(response.status().as_u16()));
            Ok(response)
        }
        Err(given_up) => {
            arrival.end(Outcome::Reset);
            link.reset();
            Err(given_up)
        }
    }
}

/// A request that is answered by a body.
async fn respond(
    core: &Arc<Core>,
    request: Request<Incoming>,
    (operation, ids): (Operation, &[String]),
    correlation: &str,
) -> Result<Response<Body>, GivenUp> {
    let (head, body) = request.into_parts();
    let authorization = header(&head.headers, AUTHORIZATION);
    let bearer = bearer(authorization.as_deref());
    let base = core.with(|state| base(state, header(&head.headers, HOST).as_deref()));
    let delayed = match read(body, LARGEST_BODY).await {
        Ok(body) => {
            let (now, wall) = core.times();
            let ask = Ask {
                operation,
                ids,
                path: head.uri.path(),
                query: Query::parse(head.uri.query().unwrap_or_default()),
                authorization: authorization.as_deref(),
                bearer: bearer.as_deref(),
                body: &body,
                base: &base,
                correlation,
                now,
                wall,
            };
            match reads_only(operation) {
                true => core.with(|state| state.answer(&ask)),
                false => core.alter(|state| state.answer(&ask)),
            }
        }
        Err(unread) => Delayed {
            answer: unreadable(unread).into_answer(correlation),
            delay: Duration::ZERO,
        },
    };
    let delay = delayed.delay + core.with(State::latency);
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    core.notice();
    Ok(response(delayed.answer, &head.method))
}

/// Whether nothing comes of it that a socket must hear of.
const fn reads_only(operation: Operation) -> bool {
    !matches!(
        operation,
        Operation::TokenRevocation
            | Operation::MakeChannel
            | Operation::CheckChannel
            | Operation::ListTopics
            | Operation::AddTopics
            | Operation::ReplaceTopics
            | Operation::RemoveTopics
    )
}

fn unreadable(unread: Unread) -> Refusal {
    match unread {
        Unread::TooLarge => Refusal::new(
            413,
            "request.entity.too.large",
            "The request body is too large.",
        ),
        Unread::TooSlow => Refusal::new(408, "request.timeout", "The request took too long."),
    }
}

/// Where sockets are opened: the host that the client asked, so that it is one it can reach.
fn base(state: &State, host: Option<&str>) -> String {
    let scheme = match state.config.tls_ca_out {
        Some(_) => "wss",
        None => "ws",
    };
    format!("{scheme}://{}", host.unwrap_or("localhost"))
}

/// A handshake.
async fn upgrade(
    core: &Arc<Core>,
    agreed: &Mutex<Option<Agreed>>,
    mut request: Request<Incoming>,
    ids: &[String],
    correlation: &str,
) -> Result<Response<Body>, GivenUp> {
    let channel = ids.first().map_or("", String::as_str);
    if !request.headers().contains_key(UPGRADE) {
        // A middlebox in front of us took it away.
        let refusal = Refusal::new(426, "upgrade.required", "This path speaks WebSocket.");
        return Ok(response(refusal.into_answer(correlation), &Method::GET));
    }
    let now = core.clock.now();
    match core.alter(|state| state.answer_upgrade(channel, correlation, now)) {
        UpgradeAnswer::Swallow => {
            tokio::time::sleep(SWALLOWED).await;
            Err(GivenUp)
        }
        UpgradeAnswer::Plain(answer) => Ok(response(answer, &Method::GET)),
        UpgradeAnswer::Switch => {
            tokio::time::sleep(core.with(State::latency)).await;
            match create_response_with_body(&request, Full::default) {
                Ok(response) => {
                    let channel = channel.into();
                    let upgrade = hyper::upgrade::on(&mut request);
                    *agreed.lock() = Some(Agreed { upgrade, channel });
                    Ok(response)
                }
                Err(error) => {
                    let answer = Refusal::bad(error.to_string()).into_answer(correlation);
                    Ok(response(answer, &Method::GET))
                }
            }
        }
    }
}

fn response(answer: Answer, method: &Method) -> Response<Body> {
    let body = match method {
        &Method::HEAD => Bytes::new(),
        _ => Bytes::from(answer.body),
    };
    let mut response = Response::new(Full::new(body.clone()));
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if !body.is_empty() {
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(CONTENT_TYPE, json);
    }
    let retry = answer.retry_after.and_then(|text| text.try_into().ok());
    if let Some(value) = retry {
        response.headers_mut().insert(RETRY_AFTER, value);
    }
    response
}
