//! [`SimulatedClient`]: the [`HttpClient`] of simulations: plaintext over whatever is dialled, with the
//! address policy, redirects, handshake checks and frames of the real one.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use http::header::HOST;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use url::Url;

use super::contract::{
    HandshakeFailure, HttpClient, HttpFailure, HttpRequest, HttpResponse, WebSocketRequest,
};
use super::handshake::{REFUSAL_LIMIT, add_handshake_headers, verify};
use super::redirect;
use super::url_policy::{UrlPolicy, http_form};
use super::websocket::Socket;
use crate::runtime::Connection;

const MAX_REDIRECTS: usize = 5;
const IDLE_CONNECTIONS: usize = 3;

type Dialling = Pin<Box<dyn Future<Output = io::Result<Box<dyn Connection>>> + Send>>;
type Dial = dyn Fn(&str) -> Dialling + Send + Sync;

/// The outgoing side of one session in a simulation. A clone shares the connections.
#[derive(Clone)]
pub struct SimulatedClient(Arc<Inner>);

struct Inner {
    policy: UrlPolicy,
    dial: Arc<Dial>,
    idle: Mutex<Vec<(String, SendRequest<Full<Bytes>>)>>,
    /// Ends with the client, as the tasks of a process end with it.
    connections: Mutex<JoinSet<()>>,
}

impl SimulatedClient {
    /// A client that goes where the policy allows; `dial` connects to `host:port`.
    pub fn new(policy: UrlPolicy, dial: impl Fn(&str) -> Dialling + Send + Sync + 'static) -> Self {
        Self(Arc::new(Inner {
            policy,
            dial: Arc::new(dial),
            idle: Mutex::default(),
            connections: Mutex::default(),
        }))
    }

    fn admit(&self, url: &mut Url) -> Result<(), HttpFailure> {
        let refused = |refused: super::Refused| HttpFailure::RedirectRefused(refused.to_string());
        self.0.policy.check(url).map_err(refused)?;
        *url = http_form(url);
        Ok(())
    }

    async fn connect(&self, authority: &str) -> Result<SendRequest<Full<Bytes>>, HttpFailure> {
        let failed = |error: &dyn fmt::Display| HttpFailure::Connect(error.to_string());
        let stream = (self.0.dial)(authority).await.map_err(|e| failed(&e))?;
        let handshake = Builder::new().handshake(TokioIo::new(stream)).await;
        let (sender, connection) = handshake.map_err(|e| failed(&e))?;
        let mut connections = self.0.connections.lock();
        while connections.try_join_next().is_some() {}
        connections.spawn(async move {
            if let Err(error) = connection.with_upgrades().await {
                tracing::debug!(%error, "Connection ended");
            }
        });
        Ok(sender)
    }

    /// Sends a request over a connection that is idle, or a new one. An idle one that was closed before
    /// it took the request is no failure of the request.
    async fn call(
        &self,
        authority: &str,
        request: Request<Full<Bytes>>,
    ) -> Result<(SendRequest<Full<Bytes>>, Response<Incoming>), HttpFailure> {
        while let Some(mut sender) = self.take_idle(authority) {
            match send(&mut sender, request.clone()).await {
                Ok(response) => return Ok((sender, response)),
                Err(error) if error.is_canceled() || error.is_closed() => {}
                Err(error) => return Err(HttpFailure::Reset(error.to_string())),
            }
        }
        let mut sender = self.connect(authority).await?;
        let response = send(&mut sender, request).await;
        let response = response.map_err(|error| HttpFailure::Reset(error.to_string()))?;
        Ok((sender, response))
    }

    fn take_idle(&self, authority: &str) -> Option<SendRequest<Full<Bytes>>> {
        let mut idle = self.0.idle.lock();
        let at = idle.iter().position(|(to, _)| to == authority)?;
        Some(idle.swap_remove(at).1)
    }

    fn keep_idle(&self, authority: String, sender: SendRequest<Full<Bytes>>) {
        let mut idle = self.0.idle.lock();
        if idle.len() < IDLE_CONNECTIONS {
            idle.push((authority, sender));
        }
    }

    async fn exchange(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpFailure> {
        for _ in 0..=MAX_REDIRECTS {
            let authority = authority(&request.url);
            let made = build(&request.method, &request.url, request.headers.clone())?;
            let made = made.map(|()| Full::new(request.body.clone()));
            let (sender, response) = self.call(&authority, made).await?;
            let (head, body) = response.into_parts();
            let next =
                redirect::next_request(&self.0.policy, &request, head.status, &head.headers)?;
            let body = read_body(body, request.max_body).await?;
            self.keep_idle(authority, sender);
            match next {
                Some(next) => request = next,
                None => {
                    return Ok(HttpResponse {
                        status: head.status,
                        headers: head.headers,
                        body,
                    });
                }
            }
        }
        Err(HttpFailure::RedirectRefused("too many in a row".to_owned()))
    }

    async fn open(
        &self,
        mut request: WebSocketRequest,
    ) -> Result<Socket<TokioIo<Upgraded>>, HandshakeFailure> {
        let key = generate_key();
        add_handshake_headers(&mut request.headers, &key)?;
        let sender = self.connect(&authority(&request.url)).await;
        let mut sender = sender.map_err(HandshakeFailure::Http)?;
        let made = build(&Method::GET, &request.url, request.headers);
        let made = made.map_err(HandshakeFailure::Http)?;
        let response = send(&mut sender, made.map(|()| Full::default())).await;
        let response = response
            .map_err(|error| HandshakeFailure::Http(HttpFailure::Reset(error.to_string())))?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            let (head, body) = response.into_parts();
            return Err(HandshakeFailure::Status {
                status: head.status,
                headers: Box::new(head.headers),
                // The answer is known already: a body that breaks does not change it.
                body: read_body(body, REFUSAL_LIMIT).await.unwrap_or_default(),
            });
        }
        verify(response.headers(), &key, None).map_err(HandshakeFailure::NotWebSocket)?;
        let upgraded = hyper::upgrade::on(response)
            .await
            .map_err(|error| HandshakeFailure::Http(HttpFailure::Reset(error.to_string())))?;
        Ok(Socket::new(
            TokioIo::new(upgraded),
            request.max_message,
            request.read_buffer,
        )
        .await)
    }
}

/// `host:port`, as it is dialled.
fn authority(url: &Url) -> String {
    let port = url.port_or_known_default().unwrap_or_default();
    format!("{}:{port}", url.host_str().unwrap_or_default())
}

fn build(method: &Method, url: &Url, headers: HeaderMap) -> Result<Request<()>, HttpFailure> {
    let broken = |error: &dyn fmt::Display| HttpFailure::Connect(error.to_string());
    let target = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    let mut request = Request::new(());
    *request.method_mut() = method.clone();
    *request.uri_mut() = target.parse().map_err(|e| broken(&e))?;
    *request.headers_mut() = headers;
    let host = HeaderValue::from_str(url.authority()).map_err(|e| broken(&e))?;
    request.headers_mut().insert(HOST, host);
    Ok(request)
}

async fn send(
    sender: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> Result<Response<Incoming>, hyper::Error> {
    sender.ready().await?;
    sender.send_request(request).await
}

async fn read_body(mut body: Incoming, limit: usize) -> Result<Bytes, HttpFailure> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let received = whole.len();
        let Ok(frame) = frame else {
            return Err(HttpFailure::Truncated { received });
        };
        if let Ok(data) = frame.into_data() {
            whole.extend_from_slice(&data);
        }
        if whole.len() > limit {
            return Err(HttpFailure::TooLarge { limit });
        }
    }
    Ok(whole.freeze())
}

impl fmt::Debug for SimulatedClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SimulatedClient")
    }
}

#[async_trait]
impl HttpClient for SimulatedClient {
    type Socket = Socket<TokioIo<Upgraded>>;

    async fn request(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpFailure> {
        self.admit(&mut request.url)?;
        let limit = request.timeout;
        timeout(limit, self.exchange(request))
            .await
            .unwrap_or(Err(HttpFailure::Timeout(limit)))
    }

    async fn websocket(
        &self,
        mut request: WebSocketRequest,
    ) -> Result<Self::Socket, HandshakeFailure> {
        self.admit(&mut request.url)
            .map_err(HandshakeFailure::Http)?;
        let limit = request.timeout;
        timeout(limit, self.open(request))
            .await
            .unwrap_or(Err(HandshakeFailure::Timeout(limit)))
    }
}
