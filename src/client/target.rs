//! [`Target`]: a server and the credentials for it, and how a channel to it is made.

use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, UnixStream};
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};

use super::{Address, Credentials};

/// How long a connection may take to stand.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// How often a quiet connection is checked; the server's heartbeats are the real sign of life.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(60);
/// 64 KiB windows, the default of HTTP/2, cost two thirds of the throughput.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;

/// A channel that says at each call who calls.
pub type Calls = InterceptedService<Channel, Credentials>;

/// A server and the credentials for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Where it listens.
    pub address: Address,
    /// By what it knows who calls, and is known.
    pub credentials: Credentials,
}

impl From<Address> for Target {
    fn from(address: Address) -> Self {
        Self {
            address,
            credentials: Credentials::default(),
        }
    }
}

impl Target {
    /// Host and port, where TLS is spoken there.
    #[must_use]
    pub fn secured(&self) -> Option<&str> {
        match &self.address {
            Address::Tls(authority) => Some(authority),
            Address::Tcp(authority) if self.credentials.want_tls() => Some(authority),
            _ => None,
        }
    }

    /// A channel that connects when it is first used, and again after it broke.
    ///
    /// # Errors
    /// When the address cannot be made into a URI.
    pub fn channel(&self) -> Result<Calls, tonic::transport::Error> {
        let channel = self.plain_channel()?;
        Ok(Calls::new(channel, self.credentials.clone()))
    }

    pub(super) fn plain_channel(&self) -> Result<Channel, tonic::transport::Error> {
        let uri = match &self.address {
            Address::Tcp(authority) | Address::Tls(authority) => format!("http://{authority}"),
            // Servers refuse the path of a socket as `:authority`.
            Address::Unix(_) => "http://localhost".to_owned(),
            #[cfg(any(test, feature = "testing"))]
            Address::Simulated(_) => "http://localhost".to_owned(),
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
        if let Some(authority) = self.secured() {
            let (credentials, authority) = (self.credentials.clone(), authority.to_owned());
            let origin = format!("https://{authority}").parse();
            let endpoint = match origin {
                Ok(origin) => endpoint.origin(origin),
                Err(_) => endpoint,
            };
            return Ok(
                endpoint.connect_with_connector_lazy(tower::service_fn(move |_| {
                    let (credentials, authority) = (credentials.clone(), authority.clone());
                    async move {
                        let stream = TcpStream::connect(&*authority).await?;
                        stream.set_nodelay(true)?;
                        let stream = credentials.agree(stream, host(&authority), b"h2").await?;
                        Ok::<_, std::io::Error>(TokioIo::new(stream))
                    }
                })),
            );
        }
        Ok(match &self.address {
            Address::Tcp(_) | Address::Tls(_) => endpoint.connect_lazy(),
            #[cfg(any(test, feature = "testing"))]
            Address::Simulated(address) => {
                let address = address.clone();
                endpoint.connect_with_connector_lazy(tower::service_fn(move |_| {
                    let dialling = address.dial();
                    async move { dialling.await.map(TokioIo::new) }
                }))
            }
            Address::Unix(path) => {
                let path = path.clone();
                endpoint.connect_with_connector_lazy(tower::service_fn(move |_| {
                    let path = path.clone();
                    async move { UnixStream::connect(path).await.map(TokioIo::new) }
                }))
            }
        })
    }
}

/// The name that a server's certificate must have.
#[must_use]
pub fn host(authority: &str) -> &str {
    authority
        .rsplit_once(':')
        .map_or(authority, |(host, _)| host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_is_spoken_where_the_address_or_the_credentials_say_so() {
        let files = Credentials {
            ca_file: Some("ca.pem".into()),
            ..Credentials::default()
        };
        for (address, credentials, secured) in [
            ("https://host:1", Credentials::default(), Some("host:1")),
            ("host:1", Credentials::default(), None),
            ("host:1", files.clone(), Some("host:1")),
            ("unix:/a", files, None),
        ] {
            let address = address.parse().unwrap();
            let target = Target {
                address,
                credentials,
            };
            assert_eq!(target.secured(), secured, "{target:?}");
        }
        assert_eq!(host("[::1]:7443"), "[::1]");
    }
}
