//! [`ListenAddress`]: what a listener binds.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

/// The most that the path of a Unix socket may hold on Linux, less its final zero.
const MAX_SOCKET_PATH: usize = 107;

/// What a listener binds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ListenAddress {
    /// An address and port.
    Tcp(SocketAddr),
    /// A socket in the file system.
    Unix(PathBuf),
}

/// Why a text is not an address to listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidListenAddress {
    /// Neither `ip:port` nor `unix:/path`.
    #[error("must be an IP address and port, or unix:/path")]
    Form,
    /// `unix:` with a path that does not begin at the root.
    #[error("must name its socket by an absolute path")]
    RelativePath,
    /// Longer than the operating system takes.
    #[error("must name its socket in at most {MAX_SOCKET_PATH} bytes")]
    LongPath,
}

impl ListenAddress {
    /// Whether only this machine can reach it.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().to_canonical().is_loopback(),
            Self::Unix(_) => true,
        }
    }
}

impl FromStr for ListenAddress {
    type Err = InvalidListenAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return match path {
                _ if !path.starts_with('/') => Err(InvalidListenAddress::RelativePath),
                _ if path.len() > MAX_SOCKET_PATH => Err(InvalidListenAddress::LongPath),
                _ => Ok(Self::Unix(path.into())),
            };
        }
        if let Some(port) = text.strip_prefix("localhost:") {
            let port = port.parse().map_err(|_| InvalidListenAddress::Form)?;
            return Ok(Self::Tcp((Ipv4Addr::LOCALHOST, port).into()));
        }
        text.parse()
            .map(Self::Tcp)
            .map_err(|_| InvalidListenAddress::Form)
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}
