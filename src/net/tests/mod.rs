//! The client against real sockets: tiny servers on port 0 that do exactly what a test says.

mod http;
mod proxy;
mod server;
mod tls;
mod websocket;

use std::time::Duration;

use ::http::{HeaderMap, Method};
use bytes::Bytes;
use url::Url;

use super::{
    CallClass, Client, HttpRequest, Note, ProxyRoutes, TlsConfig, Trust, UrlPolicy,
    WebSocketRequest,
};

/// Nothing in these tests takes this long unless it is stuck.
const PATIENCE: Duration = Duration::from_secs(10);

fn client(endpoint: &Url) -> Client {
    client_with(endpoint, &[], &TlsConfig::default())
}

fn client_with(endpoint: &Url, allowed: &[String], tls: &TlsConfig) -> Client {
    let policy = UrlPolicy::new(endpoint, allowed, false).unwrap();
    Client::new(policy, tls, ProxyRoutes::default(), &Trust::default()).unwrap()
}

fn get(url: &Url) -> HttpRequest {
    HttpRequest {
        method: Method::GET,
        url: url.clone(),
        headers: HeaderMap::new(),
        body: Bytes::new(),
        timeout: PATIENCE,
        max_body: 1024,
        class: CallClass::default(),
        note: Note::default(),
    }
}

fn websocket(url: &Url) -> WebSocketRequest {
    WebSocketRequest {
        url: url.clone(),
        headers: HeaderMap::new(),
        timeout: PATIENCE,
        max_message: 1024,
        read_buffer: 1024,
        note: Note::default(),
    }
}
