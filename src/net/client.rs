//! [`Client`]: the one real [`HttpClient`], on reqwest.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use tokio::time::timeout;
use url::Url;

use super::config::TlsConfig;
use super::contract::{
    HandshakeFailure, HttpClient, HttpFailure, HttpRequest, HttpResponse, WebSocketRequest,
};
use super::failure;
use super::handshake;
use super::redirect;
use super::tls::{TlsConfigError, client_config};
use super::url_policy::{UrlPolicy, http_form};
use super::websocket::Socket;

/// Redirects followed for one request (U42).
const MAX_REDIRECTS: usize = 5;
/// Ends connection attempts that outlive their request; a request's own deadline is shorter.
const CONNECT_LIMIT: Duration = Duration::from_secs(60);
/// Idle connections are closed before a balancer's customary minute is over and loses our request.
const IDLE_LIMIT: Duration = Duration::from_secs(45);
/// Idle connections kept: one poll and one health request at a time, and one to spare.
const IDLE_CONNECTIONS: usize = 3;
/// A peer that acknowledges nothing for this long is gone.
const UNACKNOWLEDGED_LIMIT: Duration = Duration::from_secs(30);

/// The outgoing side of one session, or of one token endpoint: requests share kept-alive
/// connections, a WebSocket has its own. TLS, DNS and proxies are the same for both. A clone shares
/// the connections.
#[derive(Clone)]
pub struct Client {
    policy: Arc<UrlPolicy>,
    pooled: reqwest::Client,
    single: reqwest::Client,
}

impl Client {
    /// A client that goes where the policy allows. Proxies come from the environment
    /// (`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`), except for an endpoint on loopback.
    ///
    /// # Errors
    /// [`TlsConfigError`].
    pub fn new(policy: UrlPolicy, tls: &TlsConfig) -> Result<Self, TlsConfigError> {
        let tls = client_config(tls, policy.endpoint_is_plaintext())?;
        let build = |idle_connections| {
            let mut builder = reqwest::Client::builder()
                .tls_backend_preconfigured(tls.clone())
                .http1_only()
                .redirect(reqwest::redirect::Policy::none())
                .referer(false)
                .user_agent(concat!("tieline/", env!("CARGO_PKG_VERSION")))
                .connect_timeout(CONNECT_LIMIT)
                .tcp_user_timeout(UNACKNOWLEDGED_LIMIT)
                .pool_idle_timeout(IDLE_LIMIT)
                .pool_max_idle_per_host(idle_connections);
            if policy.endpoint_is_loopback() {
                builder = builder.no_proxy();
            }
            builder
                .build()
                .map_err(|error| TlsConfigError::Client(error.without_url().into()))
        };
        Ok(Self {
            pooled: build(IDLE_CONNECTIONS)?,
            single: build(0)?,
            policy: Arc::new(policy),
        })
    }

    async fn exchange(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpFailure> {
        for _ in 0..=MAX_REDIRECTS {
            let response = self
                .pooled
                .request(request.method.clone(), request.url.clone())
                .headers(request.headers.clone())
                .body(request.body.clone())
                .send()
                .await
                .map_err(|error| failure::before_head(&error))?;
            let next = redirect::next_request(
                &self.policy,
                &request,
                response.status(),
                response.headers(),
            )?;
            match next {
                Some(next) => request = next,
                None => return read_body(response, request.max_body).await,
            }
        }
        Err(HttpFailure::RedirectRefused(format!(
            "more than {MAX_REDIRECTS} in a row"
        )))
    }

    /// Checks an address and gives it the scheme that reqwest knows.
    fn admit(&self, url: &mut Url) -> Result<(), HttpFailure> {
        self.policy
            .check(url)
            .map_err(|refused| HttpFailure::RedirectRefused(refused.to_string()))?;
        *url = http_form(url);
        Ok(())
    }
}

/// Reads the whole body. Whatever breaks from here on leaves it cut short, never half believed
/// (U13).
async fn read_body(
    mut response: reqwest::Response,
    limit: usize,
) -> Result<HttpResponse, HttpFailure> {
    let announced = response.content_length().unwrap_or(0);
    if usize::try_from(announced).map_or(true, |announced| announced > limit) {
        return Err(HttpFailure::TooLarge { limit });
    }
    let mut body = Bytes::new();
    let mut joined = BytesMut::new();
    let mut received = 0;
    loop {
        let chunk = match response.chunk().await {
            Ok(Some(chunk)) => chunk,
            Ok(None) => break,
            Err(_) => return Err(HttpFailure::Truncated { received }),
        };
        received += chunk.len();
        if received > limit {
            return Err(HttpFailure::TooLarge { limit });
        }
        // A body in one piece, the usual case, is not copied.
        if body.is_empty() && joined.is_empty() {
            body = chunk;
        } else {
            if joined.is_empty() {
                joined.extend_from_slice(&std::mem::take(&mut body));
            }
            joined.extend_from_slice(&chunk);
        }
    }
    if !joined.is_empty() {
        body = joined.freeze();
    }
    Ok(HttpResponse {
        status: response.status(),
        headers: std::mem::take(response.headers_mut()),
        body,
    })
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("endpoint", &self.policy.endpoint_host())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl HttpClient for Client {
    type Socket = Socket;

    async fn request(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpFailure> {
        self.admit(&mut request.url)?;
        let limit = request.timeout;
        timeout(limit, self.exchange(request))
            .await
            .unwrap_or(Err(HttpFailure::Timeout(limit)))
    }

    async fn websocket(&self, mut request: WebSocketRequest) -> Result<Socket, HandshakeFailure> {
        self.admit(&mut request.url)
            .map_err(HandshakeFailure::Http)?;
        handshake::open(&self.single, request).await
    }
}
