//! [`Entrance`]: the listeners of a sandbox, bound, and where they are reached.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use url::Url;

use super::{door, tls};
use crate::sandbox::StartError;

/// The listeners of the platform and of the control API.
pub(in crate::sandbox) struct Entrance {
    pub(in crate::sandbox) platform: TcpListener,
    pub(in crate::sandbox) control: TcpListener,
    pub(in crate::sandbox) tls: Option<TlsAcceptor>,
    /// The authority's certificate, where TLS is served.
    pub(in crate::sandbox) ca_pem: Option<String>,
    pub(in crate::sandbox) endpoint: Url,
    pub(in crate::sandbox) control_url: Url,
}

impl Entrance {
    /// Binds both; TLS is served where its authority's certificate has a file to be written to.
    pub(in crate::sandbox) async fn open(
        platform: SocketAddr,
        control: SocketAddr,
        ca_out: Option<&Path>,
        client_ca: Option<&Path>,
    ) -> Result<Self, StartError> {
        let listen = |address| {
            let bound = door::bind(address).and_then(|bound| Ok((bound.local_addr()?, bound)));
            bound.map_err(|source| StartError::Listen { address, source })
        };
        let (address, platform) = listen(platform)?;
        let (control_address, control) = listen(control)?;
        let authority = match ca_out {
            None => None,
            Some(path) => {
                let clients = client_ca.map(tls::clients_of).transpose();
                let authority = clients.and_then(|clients| tls::authority(address.ip(), clients));
                let authority = authority.map_err(StartError::Certificate)?;
                tokio::fs::write(path, &authority.certificate_pem)
                    .await
                    .map_err(|source| StartError::Write {
                        path: path.display().to_string(),
                        source,
                    })?;
                Some(authority)
            }
        };
        let (ca_pem, tls) = authority
            .map(|authority| (authority.certificate_pem, authority.acceptor))
            .unzip();
        let scheme = if tls.is_some() { "https" } else { "http" };
        Ok(Self {
            platform,
            control,
            tls,
            ca_pem,
            endpoint: url(scheme, address),
            control_url: url("http", control_address),
        })
    }
}

/// Where a listener is reached from this machine.
#[expect(
    clippy::expect_used,
    reason = "a scheme and a socket address make a URL"
)]
fn url(scheme: &str, address: SocketAddr) -> Url {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let address = SocketAddr::new(ip, address.port());
    Url::parse(&format!("{scheme}://{address}")).expect("scheme and address")
}
