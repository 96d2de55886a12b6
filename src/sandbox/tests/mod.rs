//! The sandbox as its clients see it: real sockets, plain clients.

mod control;
mod delivery;
mod faults;
mod network;
mod platform;
mod readers;

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::*;
use crate::runtime::{Clock, HumanDuration, Rng};

/// Nothing in these tests takes longer, unless it hangs.
const PATIENCE: Duration = Duration::from_secs(10);
const SUBSCRIBE: &str = "api/v2/events/subscribe";

type Ws = WebSocketStream<TcpStream>;

/// A platform that holds polls for a moment only and sends batches alone.
fn quick() -> SandboxConfig {
    SandboxConfig {
        hold_min: Duration::from_millis(40),
        hold_max: Duration::from_millis(60),
        elapsed: ElapsedHold::EmptyBatch,
        bare_share: 0.0,
        ..SandboxConfig::default()
    }
}

/// One whose polls wait for events as long as a test lasts.
fn patient() -> SandboxConfig {
    SandboxConfig {
        hold_min: PATIENCE,
        hold_max: PATIENCE,
        ..quick()
    }
}

/// A sandbox, and a client that has a token for it.
struct Visit {
    sandbox: Sandbox,
    http: reqwest::Client,
    token: String,
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
        serde_json::from_str(&self.body).unwrap()
    }
}

impl Visit {
    async fn new(config: SandboxConfig) -> Self {
        Self::seeded(config, 1).await
    }

    async fn seeded(config: SandboxConfig, seed: u64) -> Self {
        let rng = Rng::from_seed(seed);
        let sandbox = Sandbox::start(config, Clock::system(), rng).await.unwrap();
        let mut visit = Self {
            http: client(sandbox.ca_pem()),
            sandbox,
            token: String::new(),
        };
        visit.renew().await;
        visit
    }

    /// Obtains a token.
    async fn renew(&mut self) {
        let got = self
            .ask_token("grant_type=client_credentials")
            .await
            .unwrap();
        assert_eq!(got.status, 200, "{}", got.body);
        self.token = got.json()["access_token"].as_str().unwrap().to_owned();
    }

    fn url(&self, path: &str) -> String {
        self.sandbox.endpoint().join(path).unwrap().to_string()
    }

    async fn ask_token(&self, form: &str) -> reqwest::Result<Got> {
        let client = self.sandbox.client_credentials();
        let request = self.http.post(self.url("oauth/token"));
        let request = request.basic_auth(client.id, Some(client.secret));
        read(request.body(form.to_owned())).await
    }

    async fn get(&self, path: &str) -> reqwest::Result<Got> {
        read(self.http.get(self.url(path)).bearer_auth(&self.token)).await
    }

    async fn poll(&self, after: u64) -> reqwest::Result<Got> {
        self.poll_channels(after, &DEFAULT_CHANNELS).await
    }

    async fn poll_channels(&self, after: u64, channels: &[&str]) -> reqwest::Result<Got> {
        let body = json!({ "channels": channels, "polling": true, "sequence": after });
        self.post(&body.to_string()).await
    }

    async fn post(&self, body: &str) -> reqwest::Result<Got> {
        let request = self.http.post(self.url(SUBSCRIBE)).bearer_auth(&self.token);
        read(request.body(body.to_owned())).await
    }

    async fn history(&self, after: u64, through: u64) -> Got {
        let channels = DEFAULT_CHANNELS.join(",");
        let path =
            format!("api/v2/events/history?after={after}&through={through}&channels={channels}");
        self.get(&path).await.unwrap()
    }

    /// A WebSocket handshake, with or without credentials.
    async fn handshake(&self, path: &str, token: Option<&str>) -> Result<Ws, Error> {
        let mut url = self.sandbox.endpoint().join(path).unwrap();
        url.set_scheme("ws").unwrap();
        let address = url.socket_addrs(|| None).unwrap()[0];
        let mut request = url.as_str().into_client_request().unwrap();
        if let Some(token) = token {
            let value = format!("Bearer {token}").parse().unwrap();
            request.headers_mut().insert("Authorization", value);
        }
        let stream = TcpStream::connect(address).await?;
        client_async(request, stream)
            .await
            .map(|(socket, _)| socket)
    }

    /// A WebSocket that has subscribed; its confirmation is still to be read.
    async fn subscribe(&self, after: u64) -> Ws {
        let mut socket = self.handshake(SUBSCRIBE, Some(&self.token)).await.unwrap();
        say(&mut socket, &DEFAULT_CHANNELS, after).await;
        socket
    }

    /// A WebSocket that has subscribed at the end of the log.
    async fn live(&self) -> Ws {
        let mut socket = self.subscribe(self.sandbox.ledger().head()).await;
        assert_eq!(batch(&mut socket).await.events.len(), 0);
        socket
    }

    fn emit(&self, count: u64) -> u64 {
        self.sandbox.emit(&Emission::story(count)).unwrap()
    }

    fn set(&self, rule: impl Into<fault::FaultRule>) {
        self.sandbox.faults().set(rule).unwrap();
    }

    async fn until(&self, test: impl Fn(&Sandbox) -> bool) {
        assert!(self.sandbox.wait_until(PATIENCE, test).await);
    }

    /// Number and digest of every event issued.
    fn issued(&self) -> Vec<(u64, Digest)> {
        let entries = self.sandbox.ledger().entries().into_iter();
        entries.map(|entry| (entry.number, entry.sha256)).collect()
    }
}

fn client(ca: Option<&str>) -> reqwest::Client {
    // Whoever is first sets it; the others find it set.
    drop(rustls::crypto::ring::default_provider().install_default());
    let mut builder = reqwest::Client::builder().timeout(PATIENCE).no_proxy();
    if let Some(pem) = ca {
        let authority = reqwest::Certificate::from_pem(pem.as_bytes()).unwrap();
        builder = builder.tls_certs_only([authority]);
    }
    builder.build().unwrap()
}

async fn read(request: reqwest::RequestBuilder) -> reqwest::Result<Got> {
    let answer = request.send().await?;
    let retry = answer.headers().get("Retry-After");
    Ok(Got {
        status: answer.status().as_u16(),
        retry_after: retry.map(|value| value.to_str().unwrap().to_owned()),
        body: answer.text().await?,
    })
}

async fn say(socket: &mut Ws, channels: &[&str], after: u64) {
    let first = json!({ "channels": channels, "polling": false, "sequence": after });
    socket.send(Message::text(first.to_string())).await.unwrap();
}

/// A batch as it stands on the wire.
#[derive(Debug, Deserialize)]
struct RawBatch {
    sequence: u64,
    events: Vec<Box<RawValue>>,
}

#[derive(Debug)]
struct Batch {
    sequence: u64,
    events: Vec<(u64, Digest)>,
}

impl Batch {
    fn parse(text: &str) -> Self {
        let raw: RawBatch = serde_json::from_str(text).unwrap();
        let events = raw
            .events
            .iter()
            .map(|event| known(event.get(), raw.sequence));
        Self {
            sequence: raw.sequence,
            events: events.collect(),
        }
    }

    fn numbers(&self) -> Vec<u64> {
        self.events.iter().map(|(number, _)| *number).collect()
    }
}

/// Number and digest of an event; without a number it has its batch's.
fn known(event: &str, of_batch: u64) -> (u64, Digest) {
    let value: Value = serde_json::from_str(event).unwrap();
    let number = value["sequence"].as_u64().unwrap_or(of_batch);
    (number, Digest::of(event.as_bytes()))
}

/// The next frame, whatever it is; `None` at the end of the connection.
async fn frame(socket: &mut Ws) -> Option<Result<Message, Error>> {
    tokio::time::timeout(PATIENCE, socket.next()).await.unwrap()
}

/// The next text frame.
async fn text(socket: &mut Ws) -> String {
    loop {
        match frame(socket).await.unwrap().unwrap() {
            Message::Text(text) => return text.to_string(),
            Message::Ping(_) | Message::Pong(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

async fn batch(socket: &mut Ws) -> Batch {
    Batch::parse(&text(socket).await)
}

/// The close code that ends the connection.
async fn close_code(socket: &mut Ws) -> u16 {
    loop {
        match frame(socket).await {
            Some(Ok(Message::Close(Some(close)))) => return close.code.into(),
            Some(Ok(_)) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// The end of a connection that ends without a close frame.
async fn breaks(socket: &mut Ws) -> Error {
    loop {
        match frame(socket).await {
            Some(Ok(Message::Close(_))) | None => panic!("an orderly end"),
            Some(Ok(_)) => {}
            Some(Err(error)) => return error,
        }
    }
}
