//! [`HealthServer`]: serves the probes on a bound listener, HTTP/1.1 and HTTP/2, everything bounded.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::connection::{self, HEADER_DEADLINE};
use crate::runtime::Drain;

/// Connections at once: a kubelet, a scraper and a few people. More wait in the accept queue.
const MAX_CONNECTIONS: usize = 256;
/// A connection is closed after this, so that a full house always empties.
const CONNECTION_DEADLINE: Duration = Duration::from_secs(300);
/// How long to wait when the process has no descriptor left for a new connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A bound listener and what it serves.
#[derive(Debug)]
pub struct HealthServer {
    listener: TcpListener,
    routes: Router,
}

/// Why the health listener could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("bind the health listener to {address}")]
pub struct ServeError {
    /// The address as configured.
    pub address: String,
    /// What the operating system said.
    pub source: std::io::Error,
}

impl HealthServer {
    /// Binds `address`; `routes` are [`super::router`], merged with gRPC health where there is one.
    ///
    /// # Errors
    /// [`ServeError`].
    pub async fn bind(address: &str, routes: Router) -> Result<Self, ServeError> {
        let listener = TcpListener::bind(address)
            .await
            .map_err(|source| ServeError {
                address: address.to_owned(),
                source,
            })?;
        Ok(Self { listener, routes })
    }

    /// The same server with more to serve.
    #[must_use]
    pub fn with(self, routes: Router) -> Self {
        Self {
            routes: self.routes.merge(routes),
            ..self
        }
    }

    /// The address that was bound, with its port.
    ///
    /// # Errors
    /// When the operating system does not say.
    pub fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `drain` is forced: probes are answered while the process drains.
    pub async fn serve(self, drain: Drain) {
        let mut connections = FuturesUnordered::new();
        loop {
            let room = connections.len() < MAX_CONNECTIONS;
            tokio::select! {
                biased;
                () = drain.forced() => return,
                Some(()) = connections.next(), if !connections.is_empty() => {}
                accepted = self.listener.accept(), if room => match accepted {
                    Ok((stream, _)) => connections.push(connected(stream, self.routes.clone())),
                    Err(error) => {
                        tracing::warn!(%error, "Health listener cannot accept");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
    }
}

async fn connected(stream: TcpStream, routes: Router) {
    // Who connects and says nothing may not keep a place.
    if let Ok(Ok(())) = timeout(HEADER_DEADLINE, stream.readable()).await {
        connection::serve(stream, routes, CONNECTION_DEADLINE).await;
    }
}
