//! Genesys Cloud as its clients see it: real sockets, plain clients.

mod channels;
mod control;
mod faults;
mod rest;
mod sockets;
mod tokens;

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::fault::{GenesysFault, GenesysFaultName};
use super::*;
use crate::runtime::{Clock, HumanDuration, Rng};
use crate::sandbox::fault::FaultRule;

/// Nothing in these tests takes longer, unless it hangs.
const PATIENCE: Duration = Duration::from_secs(10);
const CHANNELS: &str = "api/v2/notifications/channels";

type Ws = WebSocketStream<TcpStream>;

/// A platform whose API shows what is, at once.
fn prompt() -> GenesysCloudConfig {
    GenesysCloudConfig {
        users: 6,
        queues: 2,
        requests_per_minute: None,
        snapshot_lag: Duration::ZERO,
        observation_interval: Duration::ZERO,
        tell_subscription_changes: false,
        ..GenesysCloudConfig::default()
    }
}

/// A sandbox, and a client that has a token for it.
struct Visit {
    sandbox: GenesysCloud,
    http: reqwest::Client,
    token: String,
}

/// An answer, read whole.
#[derive(Debug)]
struct Got {
    status: u16,
    retry_after: Option<String>,
    correlation: Option<String>,
    body: String,
}

impl Got {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{self:?}"))
    }

    fn entities(&self) -> Vec<Value> {
        assert_eq!(self.status, 200, "{}", self.body);
        self.json()["entities"].as_array().unwrap().clone()
    }
}

/// A channel as it was made.
#[derive(Debug, Clone)]
struct Made {
    id: String,
    uri: String,
}

impl Visit {
    async fn new(config: GenesysCloudConfig) -> Self {
        // Whoever is first sets it; the others find it set.
        drop(rustls::crypto::ring::default_provider().install_default());
        let rng = Rng::from_seed(1);
        let sandbox = GenesysCloud::start(config, Clock::system(), rng)
            .await
            .unwrap();
        let mut builder = reqwest::Client::builder().timeout(PATIENCE).no_proxy();
        if let Some(pem) = sandbox.ca_pem() {
            let authority = reqwest::Certificate::from_pem(pem.as_bytes()).unwrap();
            builder = builder.tls_certs_only([authority]);
        }
        let mut visit = Self {
            http: builder.build().unwrap(),
            sandbox,
            token: String::new(),
        };
        visit.token = visit.fresh_token(0).await;
        visit
    }

    /// A token of one of the clients.
    async fn fresh_token(&self, client: usize) -> String {
        let got = self
            .ask_token(client, "grant_type=client_credentials")
            .await;
        assert_eq!(got.status, 200, "{}", got.body);
        got.json()["access_token"].as_str().unwrap().to_owned()
    }

    async fn ask_token(&self, client: usize, form: &str) -> Got {
        let client = self.sandbox.clients()[client].clone();
        let request = self.http.post(self.url("oauth/token"));
        let request = request.basic_auth(client.id, Some(client.secret));
        read(request.body(form.to_owned())).await
    }

    fn url(&self, path: &str) -> String {
        self.sandbox.endpoint().join(path).unwrap().to_string()
    }

    async fn ask(&self, method: reqwest::Method, path: &str, body: Option<&Value>) -> Got {
        let request = self.http.request(method, self.url(path));
        let request = request.bearer_auth(&self.token);
        match body {
            Some(body) => read(request.body(body.to_string())).await,
            None => read(request).await,
        }
    }

    async fn get(&self, path: &str) -> Got {
        self.ask(reqwest::Method::GET, path, None).await
    }

    async fn post(&self, path: &str, body: &Value) -> Got {
        self.ask(reqwest::Method::POST, path, Some(body)).await
    }

    async fn make_channel(&self) -> Made {
        let got = self.ask(reqwest::Method::POST, CHANNELS, None).await;
        assert_eq!(got.status, 200, "{}", got.body);
        let body = got.json();
        Made {
            id: body["id"].as_str().unwrap().to_owned(),
            uri: body["connectUri"].as_str().unwrap().to_owned(),
        }
    }

    /// Replaces the topics of a channel.
    async fn put(&self, channel: &Made, topics: &[&str], lenient: bool) -> Got {
        let topics: Vec<_> = topics.iter().map(|id| json!({ "id": id })).collect();
        let path = format!(
            "{CHANNELS}/{}/subscriptions?ignoreErrors={lenient}",
            channel.id
        );
        self.ask(reqwest::Method::PUT, &path, Some(&topics.into()))
            .await
    }

    /// A channel with these topics and a socket.
    async fn live(&self, topics: &[&str]) -> (Made, Ws) {
        let channel = self.make_channel().await;
        let got = self.put(&channel, topics, false).await;
        assert_eq!(got.status, 200, "{}", got.body);
        let socket = self.open(&channel).await.unwrap();
        self.until(|sandbox| {
            sandbox
                .channels()
                .iter()
                .any(|c| c.id == channel.id && c.socket.is_some())
        })
        .await;
        (channel, socket)
    }

    /// A socket on a channel: no token, the address is enough.
    async fn open(&self, channel: &Made) -> Result<Ws, Error> {
        let address = self.sandbox.endpoint().socket_addrs(|| None).unwrap()[0];
        let request = channel.uri.as_str().into_client_request().unwrap();
        assert!(request.headers().get("Authorization").is_none());
        let stream = TcpStream::connect(address).await?;
        client_async(request, stream)
            .await
            .map(|(socket, _)| socket)
    }

    /// The status with which a handshake is refused.
    async fn refused(&self, channel: &Made) -> u16 {
        match self.open(channel).await {
            Err(Error::Http(response)) => response.status().as_u16(),
            other => panic!("{other:?}"),
        }
    }

    fn set(&self, rule: impl Into<FaultRule<GenesysFault>>) {
        self.sandbox.faults().set(rule).unwrap();
    }

    async fn until(&self, test: impl Fn(&GenesysCloud) -> bool) {
        assert!(self.sandbox.wait_until(PATIENCE, test).await);
    }

    fn user(&self, place: usize) -> String {
        let world = self.sandbox.world();
        let mut users: Vec<_> = world.users.into_iter().collect();
        users.sort_by(|(_, a), (_, b)| a.name.cmp(&b.name));
        users.swap_remove(place).0
    }

    fn queue(&self) -> String {
        let world = self.sandbox.world();
        let named = world
            .queues
            .iter()
            .find(|(_, queue)| queue.name == "Support");
        named.unwrap().0.clone()
    }

    /// An event of one's own.
    fn emit(&self, topic: &str, body: &Value) -> u64 {
        let change = Change::Raw {
            topic: topic.to_owned(),
            body: body.clone(),
        };
        self.sandbox.change(&change).unwrap().facts[0]
    }

    fn presence(&self, user: &str, presence: SystemPresence) {
        let user = user.to_owned();
        self.sandbox
            .change(&Change::Presence { user, presence })
            .unwrap();
    }

    fn fate(&self, fact: u64, channel: &Made) -> DueFate {
        let facts = self.sandbox.ledger(fact - 1, 1).facts;
        let due = facts[0].due.iter().find(|due| *due.channel == *channel.id);
        due.unwrap().fate
    }
}

async fn read(request: reqwest::RequestBuilder) -> Got {
    let answer = request.send().await.unwrap();
    let header = |name| {
        let value = answer.headers().get(name);
        value.map(|value| value.to_str().unwrap().to_owned())
    };
    Got {
        status: answer.status().as_u16(),
        retry_after: header("Retry-After"),
        correlation: header("ININ-Correlation-Id"),
        body: answer.text().await.unwrap(),
    }
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

async fn event(socket: &mut Ws) -> Value {
    let text = text(socket).await;
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}"))
}

async fn say(socket: &mut Ws, text: &str) {
    socket.send(Message::text(text.to_owned())).await.unwrap();
}

/// Asks for a pong and returns what came before it.
async fn before_the_pong(socket: &mut Ws) -> Vec<Value> {
    say(socket, r#"{"message":"ping"}"#).await;
    let mut came = Vec::new();
    loop {
        let next = event(socket).await;
        if next["eventBody"]["message"] == "pong" {
            return came;
        }
        came.push(next);
    }
}

/// The close code that ends the connection, and what came before.
async fn close_code(socket: &mut Ws) -> (u16, Vec<String>) {
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
