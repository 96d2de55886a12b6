//! [`AdminServer`]: the admin listener on any number of sockets at once.

use std::time::Duration;

use axum::{Extension, Router};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::task::JoinSet;

use super::connection;
use crate::grpc::{Accepted, Listener, Peer};
use crate::runtime::Drain;

/// Connections at once on one socket: a few people, each with a page and a terminal.
const MAX_CONNECTIONS: usize = 64;
/// A connection is closed after this; pages and terminals come back by themselves.
const CONNECTION_DEADLINE: Duration = Duration::from_secs(3600);
/// How long to wait when the process has no descriptor left for a new connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Bound listeners, each with what it serves.
#[derive(Debug)]
pub struct AdminServer {
    doors: Vec<(Listener, Router)>,
}

impl AdminServer {
    /// Serves each listener's own routes.
    #[must_use]
    pub fn new(doors: Vec<(Listener, Router)>) -> Self {
        Self { doors }
    }

    /// Serves until `drain` is forced: operators see how the process drains.
    pub async fn serve(self, drain: Drain) {
        let doors = self.doors.into_iter();
        let mut serving: FuturesUnordered<_> = doors
            .map(|(listener, routes)| one(listener, routes))
            .collect();
        tokio::select! {
            biased;
            () = drain.forced() => {}
            () = async { while serving.next().await.is_some() {} } => {}
        }
    }
}

/// Serves one listener, for ever. Its connections end with it.
async fn one(listener: Listener, routes: Router) {
    let mut connections = JoinSet::new();
    loop {
        let room = connections.len() < MAX_CONNECTIONS;
        tokio::select! {
            // One that panicked is over like any other.
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept(), if room => match accepted {
                Ok(accepted) => {
                    connections.spawn(connected(accepted, routes.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "Admin listener cannot accept");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
}

async fn connected(accepted: Accepted, routes: Router) {
    let peer = Peer::of(&accepted);
    let routes = |peer: Peer| routes.layer(Extension(peer));
    let first_word = connection::HEADER_DEADLINE;
    match accepted {
        Accepted::Tcp(stream) => {
            if let Ok(Ok(())) = tokio::time::timeout(first_word, stream.readable()).await {
                connection::serve(stream, routes(peer), CONNECTION_DEADLINE).await;
            }
        }
        Accepted::Tls(stream, keys, spoken) => match keys.agree(stream, spoken).await {
            Ok((stream, shown)) => {
                let routes = routes(peer.that_shows(shown.clone()));
                tokio::select! {
                    () = connection::serve(stream, routes, CONNECTION_DEADLINE) => {}
                    () = shown.disowned() => {}
                }
            }
            Err(error) => tracing::debug!(%error, "No TLS with an operator"),
        },
        Accepted::Unix(stream) => {
            if let Ok(Ok(())) = tokio::time::timeout(first_word, stream.readable()).await {
                connection::serve(stream, routes(peer), CONNECTION_DEADLINE).await;
            }
        }
        #[cfg(any(test, feature = "testing"))]
        Accepted::Simulated(stream) => {
            connection::serve(stream, routes(peer), CONNECTION_DEADLINE).await;
        }
    }
}
