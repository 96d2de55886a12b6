//! [`Address`]: where a server listens.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use tonic::transport::Channel;

use super::Target;

/// Where a server listens: `host:port`, `http://host:port`, `https://host:port` or `unix:/path`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// TCP, as `host:port`.
    Tcp(String),
    /// TCP with TLS, likewise.
    Tls(String),
    /// A Unix socket.
    Unix(PathBuf),
    /// A simulated network.
    #[cfg(any(test, feature = "testing"))]
    Simulated(super::SimulatedAddress),
}

/// A text that is not an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{text}' is not an address ({why}); write it as 127.0.0.1:7443, https://host:7443 or unix:/path"
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
        let secured = text.strip_prefix("https://");
        let authority = secured
            .or_else(|| text.strip_prefix("http://"))
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
        let authority = authority.to_owned();
        Ok(match secured {
            Some(_) => Self::Tls(authority),
            None => Self::Tcp(authority),
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(authority) => write!(f, "http://{authority}"),
            Self::Tls(authority) => write!(f, "https://{authority}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            #[cfg(any(test, feature = "testing"))]
            Self::Simulated(address) => write!(f, "http://{}", address.name()),
        }
    }
}

impl Address {
    /// A channel without credentials, which connects when it is first used, and again after it broke.
    ///
    /// # Errors
    /// When the address cannot be made into a URI.
    pub fn channel(&self) -> Result<Channel, tonic::transport::Error> {
        Target::from(self.clone()).plain_channel()
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
            ("https://host:7443/", "https://host:7443"),
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
            ("https://host", "the port is missing"),
            ("a b:1", "host and port are not well formed"),
            ("user@host:1", "it holds credentials"),
            ("", "host and port are not well formed"),
        ] {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
