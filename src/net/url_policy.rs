//! [`UrlPolicy`]: which addresses a session may connect to, whoever named them (U42). Pure.

use std::net::IpAddr;

use url::{Host, Url};

/// What one session may connect to: its endpoint's own host, the domains it was allowed besides,
/// and plaintext only on loopback unless it was allowed.
#[derive(Debug, Clone)]
pub struct UrlPolicy {
    endpoint: Place,
    endpoint_is_plaintext: bool,
    allowed: Vec<Place>,
    allow_plaintext: bool,
}

/// A host with the port it may be reached on; `None` is the scheme's own port.
#[derive(Debug, Clone)]
struct Place {
    host: Host<String>,
    port: Option<u16>,
}

/// Why an address must not be used. Names hosts only: paths and queries may be secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// Not `https`, `wss`, `http` or `ws`.
    #[error("scheme '{0}' is not https, wss, http or ws")]
    Scheme(String),
    /// The address holds a user name or password.
    #[error("the address holds a user name or password")]
    Userinfo,
    /// The address has no host.
    #[error("the address has no host")]
    NoHost,
    /// Plaintext beyond loopback.
    #[error("plaintext to '{host}' is refused; use https or wss, or set allow_plaintext")]
    Plaintext {
        /// The host.
        host: String,
    },
    /// Neither the endpoint's host nor an allowed domain.
    #[error("host '{host}' is neither the endpoint's nor in allowed_domains")]
    Host {
        /// The host.
        host: String,
    },
    /// The right host on a port that nobody named.
    #[error("port {port} of '{host}' is refused; allow it as '{host}:{port}' in allowed_domains")]
    Port {
        /// The host.
        host: String,
        /// The port.
        port: u16,
    },
    /// A redirect from an encrypted to a plaintext address.
    #[error("redirect from https to plaintext at '{host}'")]
    Downgrade {
        /// The host.
        host: String,
    },
    /// An entry of `allowed_domains` that is no domain.
    #[error("'{0}' is not a domain; write it as example.com or example.com:8443")]
    Entry(String),
}

impl UrlPolicy {
    /// The policy of a session with this endpoint. An entry of `allowed_domains` is a host whose
    /// subdomains are included, or an IP address, on the scheme's own port or on the one it names.
    ///
    /// # Errors
    /// [`Refused`] when the endpoint itself must not be used, or an entry is no domain.
    pub fn new(
        endpoint: &Url,
        allowed_domains: &[String],
        allow_plaintext: bool,
    ) -> Result<Self, Refused> {
        let policy = Self {
            endpoint: Place {
                host: host_of(endpoint)?,
                port: endpoint.port_or_known_default(),
            },
            endpoint_is_plaintext: is_plaintext(endpoint)?,
            allowed: allowed_domains
                .iter()
                .map(|entry| Place::parse(entry))
                .collect::<Result<_, _>>()?,
            allow_plaintext,
        };
        policy.check(endpoint)?;
        Ok(policy)
    }

    /// Whether this address may be used.
    ///
    /// # Errors
    /// [`Refused`], which says why not.
    pub fn check(&self, url: &Url) -> Result<(), Refused> {
        let plaintext = is_plaintext(url)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refused::Userinfo);
        }
        let host = host_of(url)?;
        if plaintext && !self.allow_plaintext && !is_loopback(&host) {
            return Err(Refused::Plaintext {
                host: host.to_string(),
            });
        }
        self.check_place(&host, url.port(), url.port_or_known_default())
    }

    /// Whether a redirect from one address to another may be followed.
    ///
    /// # Errors
    /// [`Refused`], which says why not.
    pub fn check_redirect(&self, from: &Url, to: &Url) -> Result<(), Refused> {
        self.check(to)?;
        let host = host_of(to)?;
        if !is_plaintext(from)? && is_plaintext(to)? && !is_loopback(&host) {
            return Err(Refused::Downgrade {
                host: host.to_string(),
            });
        }
        Ok(())
    }

    /// Whether the endpoint is plaintext; then a machine without certificate authorities will do.
    pub(super) fn endpoint_is_plaintext(&self) -> bool {
        self.endpoint_is_plaintext
    }

    /// The endpoint's host, for logs.
    pub(super) fn endpoint_host(&self) -> &Host<String> {
        &self.endpoint.host
    }

    fn check_place(
        &self,
        host: &Host<String>,
        explicit: Option<u16>,
        port: Option<u16>,
    ) -> Result<(), Refused> {
        let mut host_known = false;
        if *host == self.endpoint.host {
            if explicit.is_none() || port == self.endpoint.port {
                return Ok(());
            }
            host_known = true;
        }
        for place in self.allowed.iter().filter(|place| place.covers(host)) {
            if explicit == place.port {
                return Ok(());
            }
            host_known = true;
        }
        let host = host.to_string();
        Err(match port {
            Some(port) if host_known => Refused::Port { host, port },
            _ => Refused::Host { host },
        })
    }
}

impl Place {
    fn parse(entry: &str) -> Result<Self, Refused> {
        let invalid = || Refused::Entry(entry.to_owned());
        if entry.starts_with('.') || entry.contains(['/', '?', '#', '@', '*', '\\', ' ']) {
            return Err(invalid());
        }
        let url = Url::parse(&format!("https://{entry}/")).map_err(|_| invalid())?;
        Ok(Self {
            host: host_of(&url).map_err(|_| invalid())?,
            port: url.port(),
        })
    }

    /// The host itself or, for a name, one below it: `api.example.com` is below `example.com`,
    /// `notexample.com` is not.
    fn covers(&self, host: &Host<String>) -> bool {
        match (&self.host, host) {
            (Host::Domain(allowed), Host::Domain(name)) => name
                .strip_suffix(allowed.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.')),
            (allowed, host) => allowed == host,
        }
    }
}

/// Whether two addresses share scheme, host and port, so that a credential for one is one for the
/// other.
pub(super) fn same_origin(a: &Url, b: &Url) -> bool {
    a.scheme() == b.scheme()
        && a.port_or_known_default() == b.port_or_known_default()
        && host_of(a).is_ok_and(|host| host_of(b).as_ref() == Ok(&host))
}

/// The same address with `http` for `ws` and `https` for `wss`.
pub(super) fn http_form(url: &Url) -> Url {
    let mut url = url.clone();
    let scheme = match url.scheme() {
        "ws" => "http",
        "wss" => "https",
        _ => return url,
    };
    let changed = url.set_scheme(scheme);
    debug_assert!(changed.is_ok(), "both schemes are special");
    url
}

fn is_plaintext(url: &Url) -> Result<bool, Refused> {
    match url.scheme() {
        "https" | "wss" => Ok(false),
        "http" | "ws" => Ok(true),
        other => Err(Refused::Scheme(other.to_owned())),
    }
}

/// The host in one spelling: without a final dot, and an IPv4 address never dressed as IPv6. Case,
/// IDN and number forms of IPv4 were settled by the URL parser.
fn host_of(url: &Url) -> Result<Host<String>, Refused> {
    match url.host() {
        Some(Host::Domain(name)) => match name.strip_suffix('.').unwrap_or(name) {
            "" => Err(Refused::NoHost),
            name => Ok(Host::Domain(name.to_owned())),
        },
        Some(Host::Ipv4(address)) => Ok(Host::Ipv4(address)),
        Some(Host::Ipv6(address)) => Ok(match IpAddr::V6(address).to_canonical() {
            IpAddr::V4(address) => Host::Ipv4(address),
            IpAddr::V6(address) => Host::Ipv6(address),
        }),
        None => Err(Refused::NoHost),
    }
}

/// Whether an address stays on this machine.
pub(super) fn is_loopback_url(url: &Url) -> bool {
    host_of(url).is_ok_and(|host| is_loopback(&host))
}

fn is_loopback(host: &Host<String>) -> bool {
    match host {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

#[cfg(test)]
#[path = "tests/url_policy.rs"]
mod tests;
