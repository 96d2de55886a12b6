//! [`Address`]: where a server listens, and how a channel to it is made.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint};

/// How long a connection may take to stand.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// How often a quiet connection is checked; the server's heartbeats are the real sign of life.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(60);
/// 64 KiB windows, the default of HTTP/2, cost two thirds of the throughput.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;

/// Where a server listens: `host:port`, `http://host:port` or `unix:/path`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// TCP, as `host:port`.
    Tcp(String),
    /// A Unix socket.
    Unix(PathBuf),
    /// A simulated network.
    #[cfg(any(test, feature = "testing"))]
    Simulated(super::SimulatedAddress),
}

/// A text that is not an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{text}' is not an address ({why}); write it as 127.0.0.1:7443, http://host:7443 or unix:/path"
)]
pub struct InvalidAddress {
    text: String,
    why: &'static str,
}

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = |why| InvalidAddress {
            text: text.to_owned(),
            why,
        };
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return if path.starts_with('/') {
                Ok(Self::Unix(path.into()))
            } else {
                Err(invalid("the path of a socket is absolute"))
            };
        }
        if text.starts_with("https://") {
            return Err(invalid("TLS is not built yet"));
        }
        let authority = text
            .strip_prefix("http://")
            .unwrap_or(text)
            .trim_end_matches('/');
        let parsed: http::uri::Authority = authority
            .parse()
            .map_err(|_| invalid("host and port are not well formed"))?;
        if parsed.as_str().contains('@') {
            return Err(invalid("it holds credentials"));
        }
        if parsed.port_u16().is_none() {
            return Err(invalid("the port is missing"));
        }
        Ok(Self::Tcp(authority.to_owned()))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(authority) => write!(f, "http://{authority}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            #[cfg(any(test, feature = "testing"))]
            Self::Simulated(address) => write!(f, "http://{}", address.name()),
        }
    }
}

impl Address {
    /// A channel that connects when it is first used, and again after it broke.
    ///
    /// # Errors
    /// When the address cannot be made into a URI.
    pub fn channel(&self) -> Result<Channel, tonic::transport::Error> {
        let uri = match self {
            Self::Tcp(authority) => format!("http://{authority}"),
            // Servers refuse the path of a socket as `:authority`.
            Self::Unix(_) => "http://localhost".to_owned(),
            #[cfg(any(test, feature = "testing"))]
            Self::Simulated(_) => "http://localhost".to_owned(),
        };
        let endpoint = Endpoint::from_shared(uri)?
            .user_agent(concat!("tieline/", env!("CARGO_PKG_VERSION")))?
            .connect_timeout(CONNECT_DEADLINE)
            .tcp_nodelay(true)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
            .keep_alive_while_idle(false);
        Ok(match self {
            Self::Tcp(_) => endpoint.connect_lazy(),
            #[cfg(any(test, feature = "testing"))]
            Self::Simulated(address) => {
                let address = address.clone();
                endpoint.connect_with_connector_lazy(tower::service_fn(move |_| {
                    let dialling = address.dial();
                    async move { dialling.await.map(TokioIo::new) }
                }))
            }
            Self::Unix(path) => {
                let path = path.clone();
                endpoint.connect_with_connector_lazy(tower::service_fn(move |_| {
                    let path = path.clone();
                    async move { UnixStream::connect(path).await.map(TokioIo::new) }
                }))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        for (text, shown) in [
            ("127.0.0.1:7443", "http://127.0.0.1:7443"),
            ("http://localhost:7443/", "http://localhost:7443"),
            ("[::1]:7443", "http://[::1]:7443"),
            ("unix:/run/tieline.sock", "unix:/run/tieline.sock"),
            ("unix:///run/tieline.sock", "unix:/run/tieline.sock"),
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_address_says_why() {
        for (text, why) in [
            ("127.0.0.1", "the port is missing"),
            ("unix:run/x", "the path of a socket is absolute"),
            ("https://host:1", "TLS is not built yet"),
            ("a b:1", "host and port are not well formed"),
            ("user@host:1", "it holds credentials"),
            ("", "host and port are not well formed"),
        ] {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
