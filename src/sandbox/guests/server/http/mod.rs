//! HTTP of a platform for guests: handshakes, history, tokens, messages; then its sockets.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, ORIGIN, UPGRADE};
use http::{HeaderValue, Request, Response};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;

use super::core::Core;
use crate::sandbox::guests::record::{GuestOperation, Receipt};
use crate::sandbox::guests::socket::Socket;
use crate::sandbox::guests::state::State;
use crate::sandbox::platform::{Answer, Delayed, Outcome, Reply, Turn, UpgradeAnswer};
use crate::sandbox::server::{
    Body, Dialect, Link, ResetOnPurpose, Side, bearer, converse, header, response, run_websocket,
};
use routes::{Asked, route};

mod answers;
mod routes;

/// A swallowed handshake ends at last.
const SWALLOWED: Duration = Duration::from_secs(15 * 60);

/// A socket that was agreed upon, to be taken up when the answer is written.
struct Agreed {
    upgrade: OnUpgrade,
    base: String,
    instance: Option<String>,
}

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
        if let Some(agreed) = taken
            && let Ok(upgraded) = agreed.upgrade.await
        {
            let now = core.clock.now();
            let (socket, rung) = core.with(|state| {
                let instance = agreed.instance.as_deref();
                let socket = Socket::open(link.id, agreed.base, instance, state, now);
                (socket, state.listen(link.id))
            });
            core.notice();
            let guest = Guest {
                core: Arc::clone(core),
                socket,
            };
            if let Some(rung) = rung {
                run_websocket(guest, rung, link, TokioIo::new(upgraded)).await;
            }
        }
    }
}

/// The platform's side of a socket, over the state.
struct Guest {
    core: Arc<Core>,
    socket: Socket,
}

impl Side for Guest {
    fn turn(&mut self) -> (Turn, bool) {
        let now = self.core.clock.now();
        self.core.with(|state| {
            let turn = self.socket.turn(state, now);
            (turn, self.socket.is_deaf(state))
        })
    }

    fn hear(&mut self, text: &[u8]) -> Option<Turn> {
        let now = self.core.times();
        let turn = self.core.with(|state| self.socket.hear(state, text, now));
        self.core.notice();
        turn
    }

    fn sent(&mut self) {
        self.core.with(|state| self.socket.sent(state));
        self.core.notice();
    }

    fn pinged(&mut self) {
        self.core.with(|state| state.counters.pings += 1);
        self.core.notice();
    }

    fn closed(&mut self, code: u16) {
        self.core
            .with(|state| *state.counters.closes_received.entry(code).or_default() += 1);
        self.core.notice();
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.core.with(|state| self.socket.close(state));
        self.core.notice();
    }
}

async fn handle(
    core: &Arc<Core>,
    link: &Arc<Link>,
    agreed: &Mutex<Option<Agreed>>,
    request: Request<Incoming>,
) -> Result<Response<Body>, ResetOnPurpose> {
    let dialect = core.with(|state| state.config.dialect);
    let asked = route(dialect, request.method(), request.uri().path());
    let arrival = core.arrive(link.id, asked.operation);
    let answered = match asked.operation {
        GuestOperation::Handshake => upgrade(core, agreed, request, asked).await,
        _ => answers::respond(core, link.id, request, asked).await,
    };
    core.notice();
    match answered {
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

/// Where the client reached us: so can it again.
fn base(state: &State, request: &http::HeaderMap) -> String {
    let scheme = match state.config.tls_ca_out {
        Some(_) => "https",
        None => "http",
    };
    let host = header(request, HOST);
    format!("{scheme}://{}", host.as_deref().unwrap_or("localhost"))
}

/// A handshake.
async fn upgrade(
    core: &Arc<Core>,
    agreed: &Mutex<Option<Agreed>>,
    mut request: Request<Incoming>,
    asked: Asked,
) -> Result<Response<Body>, ResetOnPurpose> {
    if !request.headers().contains_key(UPGRADE) {
        // A middlebox in front of us took it away.
        let answer = Answer::error(426, "upgrade.required", "this path speaks WebSocket");
        return deliver(core, answer.into(), None).await;
    }
    let headers = request.headers();
    let (origin, authorization) = (header(headers, ORIGIN), header(headers, AUTHORIZATION));
    let query = request.uri().query().unwrap_or_default();
    let deployment = url::form_urlencoded::parse(query.as_bytes())
        .find_map(|(key, value)| (key == "deploymentId").then(|| value.into_owned()));
    let base = core.with(|state| base(state, headers));
    let now = core.clock.now();
    let answer = core.with(|state| {
        state.at_the_door(now).or_else(|| match &asked.id {
            None => state.admit_origin(deployment.as_deref(), origin.as_deref()),
            Some(instance) => {
                let bearer = bearer(authorization.as_deref());
                state.admit_guest(instance, bearer.as_deref())
            }
        })
    });
    match answer.unwrap_or(UpgradeAnswer::Switch) {
        UpgradeAnswer::Swallow => {
            tokio::time::sleep(SWALLOWED).await;
            Err(ResetOnPurpose)
        }
        UpgradeAnswer::Plain(reply) => {
            let delay = Duration::ZERO;
            deliver(core, Delayed { reply, delay }, None).await
        }
        UpgradeAnswer::Switch => {
            tokio::time::sleep(core.with(State::latency)).await;
            match create_response_with_body(&request, || Either::Left(Full::default())) {
                Ok(response) => {
                    let upgrade = hyper::upgrade::on(&mut request);
                    *agreed.lock() = Some(Agreed {
                        upgrade,
                        base,
                        instance: asked.id,
                    });
                    Ok(response)
                }
                Err(error) => {
                    let answer = Answer::error(400, "bad.request", &error.to_string());
                    deliver(core, answer.into(), None).await
                }
            }
        }
    }
}

/// The answer that a message is owed: cut, unless it is written.
struct Owed<'a>(&'a Core, Option<u64>);

impl Owed<'_> {
    fn settle(&mut self, receipt: Receipt) {
        if let Some(number) = self.1.take() {
            self.0.with(|state| state.receipt(number, receipt));
            self.0.notice();
        }
    }
}

impl Drop for Owed<'_> {
    fn drop(&mut self) {
        self.settle(Receipt::Cut);
    }
}

/// Writes an answer when it is time; `owed` is the message that it acknowledges.
async fn deliver(
    core: &Core,
    delayed: Delayed,
    owed: Option<u64>,
) -> Result<Response<Body>, ResetOnPurpose> {
    let mut owed = Owed(core, owed);
    let delay = delayed.delay + core.with(State::latency);
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    match delayed.reply {
        Reply::Answer(answer) => {
            owed.settle(Receipt::Written);
            Ok(response(answer))
        }
        Reply::Reset => Err(ResetOnPurpose),
    }
}

/// A file as it is.
fn file(kind: &str, bytes: Bytes) -> Response<Body> {
    let mut response = Response::new(Either::Left(Full::new(bytes)));
    if let Ok(kind) = HeaderValue::from_str(kind) {
        response.headers_mut().insert(CONTENT_TYPE, kind);
    }
    response
}
