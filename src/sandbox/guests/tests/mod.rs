//! The platforms for guests as their clients see them: real sockets, plain clients.

mod agent;
mod attachments;
mod chat;
mod control;
mod doors;
mod faults;
mod history;
mod sessions;
mod time;

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::fault::{GuestFault, GuestFaultName};
use super::*;
use crate::runtime::{Clock, HumanDuration, Rng};
use crate::sandbox::fault::FaultRule;

/// Nothing in these tests takes longer, unless it hangs.
const PATIENCE: Duration = Duration::from_secs(10);
const TOKEN: &str = "0b7c3a52-1111-4000-8000-000000000001";
const OTHER: &str = "0b7c3a52-2222-4000-8000-000000000002";

type Ws = WebSocketStream<TcpStream>;

/// A platform of web messaging on which nothing is throttled.
fn messaging() -> GuestConfig {
    GuestConfig {
        messages_per_second: 1000,
        ..GuestConfig::new(GuestDialect::WebMessaging)
    }
}

fn webchat() -> GuestConfig {
    GuestConfig {
        messages_per_second: 1000,
        ..GuestConfig::new(GuestDialect::Webchat)
    }
}

/// A sandbox and a plain client of it.
struct Visit {
    sandbox: GuestPlatform,
    http: reqwest::Client,
}

/// An answer, read whole.
#[derive(Debug)]
struct Got {
    status: u16,
    retry_after: Option<String>,
    body: String,
}

impl Got {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{self:?}"))
    }
}

impl Visit {
    async fn new(config: GuestConfig) -> Self {
        // Whoever is first sets it; the others find it set.
        drop(rustls::crypto::ring::default_provider().install_default());
        let rng = Rng::from_seed(1);
        let sandbox = GuestPlatform::start(config, Clock::system(), rng)
            .await
            .unwrap();
        let http = reqwest::Client::builder().timeout(PATIENCE).no_proxy();
        Self {
            sandbox,
            http: http.build().unwrap(),
        }
    }

    fn url(&self, path: &str) -> String {
        self.sandbox.endpoint().join(path).unwrap().to_string()
    }

    fn control(&self, path: &str) -> String {
        format!("{}control/v1/{path}", self.sandbox.control_url())
    }

    /// A handshake.
    async fn dial(&self, path: &str, headers: &[(&'static str, &str)]) -> Result<Ws, Error> {
        let address = self.sandbox.endpoint().socket_addrs(|| None).unwrap()[0];
        let mut request = format!("ws://{address}/{path}")
            .into_client_request()
            .unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let stream = TcpStream::connect(address).await?;
        client_async(request, stream)
            .await
            .map(|(socket, _)| socket)
    }

    fn socket_path(&self) -> String {
        format!("v1?deploymentId={}", self.sandbox.config().deployment_id)
    }

    /// A socket of web messaging.
    async fn open(&self) -> Ws {
        self.dial(&self.socket_path(), &[]).await.unwrap()
    }

    /// A socket whose session is configured, and what the platform said to that.
    async fn join(&self, token: &str) -> (Ws, Value) {
        let mut socket = self.open().await;
        self.configure(&mut socket, token, false).await;
        let answer = next(&mut socket).await;
        assert_eq!(answer["class"], "SessionResponse", "{answer}");
        (socket, answer["body"].clone())
    }

    async fn configure(&self, socket: &mut Ws, token: &str, start_new: bool) {
        let deployment = self.sandbox.config().deployment_id;
        let frame = json!({
            "action": "configureSession", "deploymentId": deployment, "token": token,
            "startNew": start_new, "tracingId": "configure",
        });
        ask(socket, &frame).await;
    }

    async fn jwt(&self, socket: &mut Ws, token: &str) -> String {
        ask(
            socket,
            &json!({ "action": "getJwt", "token": token, "tracingId": "j" }),
        )
        .await;
        let answer = next(socket).await;
        assert_eq!(answer["class"], "JwtResponse", "{answer}");
        answer["body"]["jwt"].as_str().unwrap().to_owned()
    }

    async fn history(&self, jwt: &str, query: &str) -> Got {
        let request = self
            .http
            .get(self.url(&format!("api/v2/webmessaging/messages{query}")));
        read(request.bearer_auth(jwt)).await
    }

    /// Texts in the history, the newest first.
    async fn texts(&self, jwt: &str) -> Vec<String> {
        let got = self.history(jwt, "").await;
        assert_eq!(got.status, 200, "{got:?}");
        let body = got.json();
        let entities = body["entities"].as_array().unwrap();
        let text = |said: &Value| said["text"].as_str().unwrap_or_default().to_owned();
        entities.iter().map(text).collect()
    }

    async fn post(&self, path: &str, bearer: &str, body: &Value) -> Got {
        let request = self.http.post(self.url(path)).bearer_auth(bearer);
        read(request.body(body.to_string())).await
    }

    fn set(&self, rule: impl Into<FaultRule<GuestFault>>) {
        self.sandbox.faults().set(rule).unwrap();
    }

    fn clear(&self, name: GuestFaultName) {
        assert!(self.sandbox.faults().clear(name));
    }

    async fn until(&self, test: impl Fn(&GuestPlatform) -> bool) {
        assert!(self.sandbox.wait_until(PATIENCE, test).await);
    }

    /// The record, as text, id and receipt.
    fn record(&self) -> Vec<(String, String, Receipt)> {
        let entries = self.sandbox.record().entries().into_iter();
        let told = |m: GuestMessage| {
            let text = m.text.unwrap_or_default();
            (text, m.request_id.unwrap_or_default(), m.receipt)
        };
        entries.map(told).collect()
    }
}

async fn read(request: reqwest::RequestBuilder) -> Got {
    let answer = request.send().await.unwrap();
    let retry_after = answer.headers().get("Retry-After");
    let retry_after = retry_after.map(|value| value.to_str().unwrap().to_owned());
    Got {
        status: answer.status().as_u16(),
        retry_after,
        body: answer.text().await.unwrap(),
    }
}

/// The status with which a handshake is refused, and its `Retry-After`.
fn refused(opened: Result<Ws, Error>) -> (u16, Option<String>) {
    match opened {
        Err(Error::Http(response)) => {
            let retry = response.headers().get("Retry-After");
            let retry = retry.map(|value| value.to_str().unwrap().to_owned());
            (response.status().as_u16(), retry)
        }
        other => panic!("{other:?}"),
    }
}

async fn ask(socket: &mut Ws, frame: &Value) {
    socket.send(Message::text(frame.to_string())).await.unwrap();
}

/// Says a text under an id.
async fn say(socket: &mut Ws, token: &str, id: &str, text: &str) {
    let message = json!({ "type": "Text", "text": text });
    let frame = json!({
        "action": "onMessage", "token": token, "tracingId": id, "message": message,
    });
    ask(socket, &frame).await;
}

/// The next message, whatever it is; `None` at the end of the connection.
async fn frame(socket: &mut Ws) -> Option<Result<Message, Error>> {
    tokio::time::timeout(PATIENCE, socket.next()).await.unwrap()
}

async fn text(socket: &mut Ws) -> String {
    loop {
        match frame(socket).await.unwrap().unwrap() {
            Message::Text(text) => return text.to_string(),
            Message::Ping(_) | Message::Pong(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

async fn next(socket: &mut Ws) -> Value {
    let text = text(socket).await;
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}"))
}

/// An error frame: its code and the id that it names.
async fn error(socket: &mut Ws) -> (u16, Option<String>) {
    let answer = next(socket).await;
    assert_eq!(answer["class"], "string", "{answer}");
    let named = answer["tracingId"].as_str().map(str::to_owned);
    (answer["code"].as_u64().unwrap().try_into().unwrap(), named)
}

/// The close code and reason that end the connection, and what came before.
async fn closed(socket: &mut Ws) -> (u16, Vec<String>) {
    let mut came = Vec::new();
    loop {
        match frame(socket).await {
            Some(Ok(Message::Close(Some(close)))) => return (close.code.into(), came),
            Some(Ok(Message::Text(text))) => came.push(text.to_string()),
            Some(Ok(_)) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// Waits for the end of a connection that ends without a close frame.
async fn breaks(socket: &mut Ws) {
    loop {
        match frame(socket).await {
            Some(Ok(Message::Close(_))) => panic!("an orderly end"),
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return,
        }
    }
}
