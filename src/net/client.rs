//! [`Client`]: the one real [`HttpClient`], on reqwest.

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use http::StatusCode;
use std::fmt;
use std::sync::Arc;
use tokio::time::timeout;
use url::Url;

use super::config::TlsConfig;
use super::contract::{
    HandshakeFailure, HttpClient, HttpFailure, HttpRequest, HttpResponse, WebSocketRequest,
};
use super::failure;
use super::handshake;
use super::proxy::ProxyRoutes;
use super::redirect;
use super::stack::{CONNECT_LIMIT, ClientError, Plan, Stack, Stacks};
use super::trust::Trust;
use super::url_policy::{UrlPolicy, http_form};
use super::websocket::Socket;
use crate::runtime::MonoTime;

/// Redirects followed for one request (U42).
const MAX_REDIRECTS: usize = 5;
/// The outgoing side of one session, or of one token endpoint: requests share kept-alive
/// connections, a WebSocket has its own. TLS, DNS and proxies are the same for both. A clone shares
/// the connections.
#[derive(Clone)]
pub struct Client {
    policy: Arc<UrlPolicy>,
    stacks: Arc<Stacks>,
}

impl Client {
    /// A client that goes where the policy allows, through a proxy where the routes say so. Files
    /// that change are read again. Clients of one `trust` read its authorities once.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn new(
        policy: UrlPolicy,
        tls: &TlsConfig,
        routes: ProxyRoutes,
        trust: &Trust,
    ) -> Result<Self, ClientError> {
        let plan = Plan {
            tls: tls.clone(),
            routes,
            trust: trust.clone(),
            connect_limit: CONNECT_LIMIT,
            may_lack_roots: policy.endpoint_is_plaintext(),
            #[cfg(test)]
            names: Vec::new(),
        };
        Self::of(policy, plan)
    }

    pub(super) fn of(policy: UrlPolicy, plan: Plan) -> Result<Self, ClientError> {
        Ok(Self {
            stacks: Arc::new(Stacks::new(plan)?),
            policy: Arc::new(policy),
        })
    }

    async fn exchange(
        &self,
        stack: &Stack,
        mut request: HttpRequest,
    ) -> Result<HttpResponse, HttpFailure> {
        for _ in 0..=MAX_REDIRECTS {
            let response = stack
                .of(request.class)
                .request(request.method.clone(), request.url.clone())
                .headers(request.headers.clone())
                .body(request.body.clone())
                .send()
                .await
                .map_err(|error| failure::before_head(&error))?;
            self.believe(&request.url, response.status())?;
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

    async fn request_or_again(&self, request: HttpRequest) -> Result<HttpResponse, HttpFailure> {
        let stack = self.stacks.current().await;
        let outcome = self.exchange(&stack, request.clone()).await;
        if let Err(failure) = &outcome
            && let Some(stack) = self.stacks.instead_of(&stack, failure).await
        {
            return self.exchange(&stack, request).await;
        }
        outcome
    }

    async fn open(
        &self,
        stack: &Stack,
        request: WebSocketRequest,
        deadline: MonoTime,
    ) -> Result<Socket, HandshakeFailure> {
        let url = request.url.clone();
        let opened = handshake::open(&stack.single, request, deadline).await;
        if let Err(HandshakeFailure::Status { status, .. }) = &opened {
            self.believe(&url, *status)
                .map_err(HandshakeFailure::Http)?;
        }
        opened
    }

    /// A 407 to a request that a proxy passes on by itself, without a tunnel, is the proxy's.
    fn believe(&self, url: &Url, status: StatusCode) -> Result<(), HttpFailure> {
        let from_proxy = status == StatusCode::PROXY_AUTHENTICATION_REQUIRED
            && url.scheme() == "http"
            && self.stacks.routes().crosses(url);
        if from_proxy {
            return Err(HttpFailure::ProxyRefused);
        }
        Ok(())
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
        timeout(limit, self.request_or_again(request))
            .await
            .unwrap_or(Err(HttpFailure::Timeout(limit)))
    }

    async fn websocket(&self, mut request: WebSocketRequest) -> Result<Socket, HandshakeFailure> {
        self.admit(&mut request.url)
            .map_err(HandshakeFailure::Http)?;
        let deadline = MonoTime::now() + request.timeout;
        let stack = self.stacks.current().await;
        let opened = self.open(&stack, request.clone(), deadline).await;
        if let Err(HandshakeFailure::Http(failure)) = &opened
            && let Some(stack) = self.stacks.instead_of(&stack, failure).await
        {
            return self.open(&stack, request, deadline).await;
        }
        opened
    }
}
