//! [`Peer`]: who is at the other end of a connection.

use tokio_util::sync::CancellationToken;

use super::identity::Shown;
use super::listener::Accepted;

/// The other end of a connection; an extension of each of its requests.
#[derive(Debug, Clone)]
pub struct Peer {
    /// `127.0.0.1:50412`, or `unix:` with the process, where the system says which.
    pub(super) name: String,
    /// Cuts the connection.
    pub(super) connection: CancellationToken,
    /// What it has shown of itself.
    pub(super) shown: Shown,
}

impl Peer {
    /// The other end of what was accepted.
    #[must_use]
    pub fn of(accepted: &Accepted) -> Self {
        let mut shown = Shown::Nothing;
        let name = match accepted {
            Accepted::Tcp(stream) | Accepted::Tls(stream, ..) => {
                stream.peer_addr().ok().map(|peer| peer.to_string())
            }
            Accepted::Unix(stream) => {
                let process = stream.peer_cred().ok();
                if let Some(process) = &process {
                    shown = Shown::Process {
                        user: process.uid(),
                        group: process.gid(),
                    };
                }
                Some(match process.and_then(|process| process.pid()) {
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
            shown,
        }
    }

    /// The same with what it has shown while it agreed on TLS.
    #[must_use]
    pub fn that_shows(self, shown: Shown) -> Self {
        Self { shown, ..self }
    }
}
