//! [`Peer`]: who is at the other end of a connection.

use tokio_util::sync::CancellationToken;

use super::listener::Accepted;

/// The other end of a connection; an extension of each of its requests.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    /// `127.0.0.1:50412`, or `unix:` with the process, where the system says which.
    pub(super) name: String,
    /// Cuts the connection.
    pub(super) connection: CancellationToken,
}

impl Peer {
    /// The other end of what was accepted.
    pub(super) fn of(accepted: &Accepted) -> Self {
        let name = match accepted {
            Accepted::Tcp(stream) => stream.peer_addr().ok().map(|peer| peer.to_string()),
            Accepted::Unix(stream) => {
                let process = stream.peer_cred().ok().and_then(|peer| peer.pid());
                Some(match process {
                    Some(process) => format!("unix: process {process}"),
                    None => "unix:".to_owned(),
                })
            }
            #[cfg(any(test, feature = "testing"))]
            Accepted::Simulated(_) => None,
        };
        Self {
            name: name.unwrap_or_default(),
            connection: CancellationToken::new(),
        }
    }
}
