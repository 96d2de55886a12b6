//! Bytes in and out: one HTTP stack for tokens, REST, polls and the WebSocket handshake. Knows no
//! platform.

mod audit;
mod budget;
mod budgeted;
mod client;
mod config;
mod contract;
mod failure;
mod handshake;
mod metrics;
mod proxy;
mod redirect;
mod retry_after;
#[cfg(any(test, feature = "testing"))]
mod simulated;
mod stack;
mod tls;
mod traced;
mod trust;
mod url_policy;
mod websocket;

#[cfg(test)]
mod tests;

pub use audit::{Audited, sent};
pub use budgeted::{Budgeted, RateGate};
pub use client::Client;
pub use config::{RateLimitConfig, TlsConfig};
pub use contract::{
    CallClass, Frame, HandshakeFailure, HttpClient, HttpFailure, HttpRequest, HttpResponse, Left,
    Note, WebSocket, WebSocketRequest,
};
pub use metrics::{NetSnapshot, NetStats, Outcome};
pub use proxy::{InvalidProxy, ProxyConfig, ProxyRoutes};
pub use retry_after::retry_after;
#[cfg(any(test, feature = "testing"))]
pub use simulated::SimulatedClient;
pub use stack::ClientError;
pub use tls::TlsConfigError;
pub use traced::Traced;
pub use trust::Trust;
pub use url_policy::{Refused, UrlPolicy};
pub use websocket::Socket;
