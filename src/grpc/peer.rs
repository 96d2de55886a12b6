//! [`Peer`]: who is at the other end of a connection, and whom a proxy there speaks for.

use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderMap;
use ipnet::IpNet;
use tokio_util::sync::CancellationToken;

use super::forwarded;
use super::identity::Shown;
use super::limits::Whence;
use super::listener::Accepted;

/// The other end of a connection; an extension of each of its requests.
#[derive(Debug, Clone)]
pub struct Peer {
    /// `127.0.0.1:50412`, or `unix:` with the process, where the system says which. Of a call through a
    /// trusted proxy the address of whom it is made for.
    pub(super) name: String,
    /// Cuts the connection.
    pub(super) connection: CancellationToken,
    /// What it has shown of itself.
    pub(super) shown: Shown,
    address: Option<IpAddr>,
    user: Option<u32>,
    /// It is a proxy whose word on others counts.
    proxies: Arc<[IpNet]>,
}

impl Peer {
    /// The other end of what was accepted.
    #[must_use]
    pub fn of(accepted: &Accepted) -> Self {
        let mut peer = Self {
            name: String::new(),
            connection: CancellationToken::new(),
            shown: Shown::Nothing,
            address: None,
            user: None,
            proxies: Arc::from([]),
        };
        match accepted {
            Accepted::Tcp(stream) | Accepted::Tls(stream, ..) => {
                if let Ok(socket) = stream.peer_addr() {
                    peer.name = socket.to_string();
                    peer.address = Some(socket.ip());
                }
            }
            Accepted::Unix(stream) => {
                let process = stream.peer_cred().ok();
                if let Some(process) = &process {
                    peer.user = Some(process.uid());
                    peer.shown = Shown::Process {
                        user: process.uid(),
                        group: process.gid(),
                    };
                }
                peer.name = match process.and_then(|process| process.pid()) {
                    Some(process) => format!("unix: process {process}"),
                    None => "unix:".to_owned(),
                };
            }
            #[cfg(any(test, feature = "testing"))]
            Accepted::Simulated(_) => {}
        }
        peer
    }

    /// The same, believed in what it says of others where it is one of these proxies.
    #[must_use]
    pub(super) fn believed(mut self, trusted_proxies: &Arc<[IpNet]>) -> Self {
        let is_trusted = |address| forwarded::is_trusted(address, trusted_proxies);
        if self.address.is_some_and(is_trusted) {
            self.proxies = Arc::clone(trusted_proxies);
        }
        self
    }

    /// The same with what it has shown while it agreed on TLS.
    #[must_use]
    pub fn that_shows(self, shown: Shown) -> Self {
        Self { shown, ..self }
    }

    /// Whether others call through it.
    pub(super) fn is_proxy(&self) -> bool {
        !self.proxies.is_empty()
    }

    /// Who makes a call: this peer, or whom it speaks for.
    pub(super) fn calling(&self, headers: &HeaderMap) -> Self {
        let mut caller = self.clone();
        if let Some(address) = self.address.filter(|_| self.is_proxy()) {
            let found = forwarded::caller(address, headers, &self.proxies);
            if found != address.to_canonical() {
                caller.name = found.to_string();
                caller.address = Some(found);
            }
        }
        caller
    }

    /// Whom a bound is about.
    pub(super) fn whence(&self) -> Whence {
        match (self.address, self.user) {
            (Some(address), _) => Whence::address(address),
            (None, Some(user)) => Whence::User(user),
            (None, None) => Whence::Unknown,
        }
    }
}
