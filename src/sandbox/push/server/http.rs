//! HTTP of a platform that pushes: tokens, health, handshakes; then its sockets.

use std::sync::Arc;
use std::time::Duration;

use http::header::{AUTHORIZATION, UPGRADE};
use http::{HeaderMap, HeaderName, Method, Request, Response};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;

use super::core::Core;
use crate::sandbox::platform::{
    Answer, Delayed, Outcome, Reply, TokenRequest, Turn, UpgradeAnswer,
};
use crate::sandbox::push::dialect::Credential;
use crate::sandbox::push::record::PushOperation;
use crate::sandbox::push::socket::Socket;
use crate::sandbox::push::state::State;
use crate::sandbox::server::{
    Body, Dialect, Link, ResetOnPurpose, Side, converse, header, read, response, run_websocket,
};

const LARGEST_BODY: usize = 64 << 10;
/// A swallowed handshake ends at last.
const SWALLOWED: Duration = Duration::from_secs(15 * 60);

/// A socket that was agreed upon, to be taken up when the answer is written.
struct Agreed {
    upgrade: OnUpgrade,
    token: String,
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
        if let Some(Agreed { upgrade, token }) = taken
            && let Ok(upgraded) = upgrade.await
        {
            let now = core.times();
            let socket = core.alter(|state| Socket::open(link.id, token, state, now));
            let core = Arc::clone(core);
            let changes = core.changes();
            run_websocket(
                Subscriber { core, socket },
                changes,
                link,
                TokioIo::new(upgraded),
            )
            .await;
        }
    }
}

/// The platform's side of a socket, over the state.
struct Subscriber {
    core: Arc<Core>,
    socket: Socket,
}

impl Side for Subscriber {
    fn turn(&mut self) -> (Turn, bool) {
        let now = self.core.times();
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
        self.core.with(|state| state.counters.pings += 1);
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
) -> Result<Response<Body>, ResetOnPurpose> {
    let operation = core.with(|state| operation(state, &request));
    let arrival = core.arrive(link.id, operation);
    let answer = match operation {
        PushOperation::Handshake => upgrade(core, agreed, request).await,
        _ => respond(core, operation, request).await,
    };
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

fn operation(state: &State, request: &Request<Incoming>) -> PushOperation {
    let (path, speech) = (request.uri().path(), &state.speech);
    match *request.method() {
        Method::GET if path == speech.socket_path() => PushOperation::Handshake,
        Method::GET if Some(path) == speech.health_path() => PushOperation::Health,
        Method::POST if path == speech.token_path() => PushOperation::Token,
        _ => PushOperation::Other,
    }
}

/// The token of a request, where the platform looks for it.
fn token(credential: &Credential, headers: &HeaderMap, query: &str) -> Option<String> {
    match credential {
        Credential::Header { name, prefix } => {
            let name: HeaderName = name.parse().ok()?;
            let value = header(headers, name)?;
            value.strip_prefix(prefix.as_str()).map(str::to_owned)
        }
        Credential::Query { name } => {
            let mut pairs = url::form_urlencoded::parse(query.as_bytes());
            let (_, token) = pairs.find(|(key, _)| key == name.as_str())?;
            Some(token.into_owned())
        }
    }
}

/// A request that is answered by a body.
async fn respond(
    core: &Arc<Core>,
    operation: PushOperation,
    request: Request<Incoming>,
) -> Result<Response<Body>, ResetOnPurpose> {
    let (head, body) = request.into_parts();
    let now = core.clock.now();
    let delayed = match operation {
        PushOperation::Token => match read(body, LARGEST_BODY).await {
            Ok(form) => {
                let authorization = header(&head.headers, AUTHORIZATION);
                let request = TokenRequest {
                    authorization: authorization.as_deref(),
                    form: &form,
                };
                core.with(|state| state.answer_token(request, now))
            }
            Err(unread) => Answer::from(unread).into(),
        },
        PushOperation::Health => core.with(|state| {
            let query = head.uri.query().unwrap_or_default();
            let token = token(&state.speech.credential(), &head.headers, query);
            let good = token.and_then(|token| state.tokens.check(&token, now));
            match good {
                Some(_) => Answer::json(200, "{\"status\":\"UP\"}".to_owned()).into(),
                None => Answer::error(401, "authentication.required", "no good token").into(),
            }
        }),
        _ => {
            let path = head.uri.path();
            Answer::error(404, "not.found", &format!("{} {path}", head.method)).into()
        }
    };
    deliver(core, delayed).await
}

/// A handshake.
async fn upgrade(
    core: &Arc<Core>,
    agreed: &Mutex<Option<Agreed>>,
    mut request: Request<Incoming>,
) -> Result<Response<Body>, ResetOnPurpose> {
    if !request.headers().contains_key(UPGRADE) {
        // A middlebox in front of us took it away.
        let answer = Answer::error(426, "upgrade.required", "this path speaks WebSocket");
        return deliver(core, answer.into()).await;
    }
    let credential = core.with(|state| state.speech.credential());
    let query = request.uri().query().unwrap_or_default();
    let token = token(&credential, request.headers(), query);
    let now = core.clock.now();
    match core.with(|state| state.answer_upgrade(token.as_deref(), now)) {
        UpgradeAnswer::Swallow => {
            tokio::time::sleep(SWALLOWED).await;
            Err(ResetOnPurpose)
        }
        UpgradeAnswer::Plain(reply) => {
            let delay = Duration::ZERO;
            deliver(core, Delayed { reply, delay }).await
        }
        UpgradeAnswer::Switch => {
            tokio::time::sleep(core.with(State::latency)).await;
            match create_response_with_body(&request, || Either::Left(Full::default())) {
                Ok(response) => {
                    let upgrade = hyper::upgrade::on(&mut request);
                    let token = token.unwrap_or_default();
                    *agreed.lock() = Some(Agreed { upgrade, token });
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
    let delay = delayed.delay + core.with(State::latency);
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    match delayed.reply {
        Reply::Answer(answer) => Ok(response(answer)),
        Reply::Reset => Err(ResetOnPurpose),
    }
}
