//! [`ProxyRoutes`]: which proxy stands before an address, and who we are to it (U7). Pure but for
//! the password, which is read when it is asked for.

mod exempt;

use std::path::PathBuf;

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use self::exempt::Exemption;
use super::url_policy::is_loopback_url;
use crate::runtime::{Secret, SecretError, SecretSource};

/// The proxy of one session, instead of the one that the environment names.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProxyConfig {
    /// Its address: `http://` or `https://`, with its port.
    #[schemars(with = "String")]
    pub url: Url,
    /// Who we are to it, where it wants to know (`Proxy-Authorization: Basic`).
    #[serde(default)]
    pub username: Option<String>,
    /// File that holds the password.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// Environment variable that holds the password.
    #[serde(default)]
    pub password_env: Option<String>,
    /// What is reached without it: names with what is below them, addresses, networks, each with a
    /// port if need be, or `*`.
    #[serde(default)]
    pub no_proxy: Vec<String>,
}

/// A proxy that cannot be used. Never shows an address: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidProxy {
    /// The address is none of a proxy.
    #[error("{key} is not the address of a proxy: write http://host:port or https://host:port")]
    Address {
        /// The key or the environment variable.
        key: &'static str,
    },
    /// The address holds credentials, and would be shown with them.
    #[error("proxy.url holds credentials: give username, and password_file or password_env")]
    Userinfo,
    /// A name that Basic authentication cannot carry.
    #[error("proxy.username must not hold ':' or control characters, or be empty")]
    Username,
    /// A password for nobody.
    #[error("proxy.username is missing: a password is given")]
    NoUsername,
    /// The password stands in two places.
    #[error("give either proxy.password_file or proxy.password_env, not both")]
    PasswordTwice,
    /// An entry of `no_proxy` that is no place.
    #[error("proxy.no_proxy[{index}] is neither a name, an address, a network nor '*'")]
    Exemption {
        /// Which.
        index: usize,
    },
}

impl ProxyConfig {
    /// Every mistake in this section.
    #[must_use]
    pub fn problems(&self) -> Vec<InvalidProxy> {
        let mut found = Vec::new();
        if !self.url.username().is_empty() || self.url.password().is_some() {
            found.push(InvalidProxy::Userinfo);
        } else if !is_address(&self.url) {
            found.push(InvalidProxy::Address { key: "proxy.url" });
        }
        let password = self.password_file.is_some() || self.password_env.is_some();
        match &self.username {
            Some(name)
                if name.is_empty() || name.contains(|c: char| c == ':' || c.is_control()) =>
            {
                found.push(InvalidProxy::Username);
            }
            None if password => found.push(InvalidProxy::NoUsername),
            _ => {}
        }
        if self.password_file.is_some() && self.password_env.is_some() {
            found.push(InvalidProxy::PasswordTwice);
        }
        let entries = self.no_proxy.iter().enumerate();
        let wrong = entries.filter(|(_, entry)| Exemption::parse(entry).is_none());
        found.extend(wrong.map(|(index, _)| InvalidProxy::Exemption { index }));
        found
    }

    /// Where the password stands.
    #[must_use]
    pub fn password(&self) -> Option<SecretSource> {
        let file = self.password_file.clone().map(SecretSource::File);
        file.or_else(|| self.password_env.clone().map(SecretSource::Env))
    }
}

/// Through which proxy an address is reached.
#[derive(Debug, Clone, Default)]
pub struct ProxyRoutes {
    http: Option<Proxy>,
    https: Option<Proxy>,
    exempt: Vec<Exemption>,
    /// What stays on this machine needs no proxy, unless a session names one for itself.
    loopback_too: bool,
}

#[derive(Debug, Clone)]
struct Proxy {
    /// Without credentials.
    url: Url,
    user: Option<User>,
}

#[derive(Debug, Clone)]
struct User {
    name: String,
    password: Password,
}

#[derive(Debug, Clone)]
enum Password {
    Empty,
    Known(Secret<String>),
    Kept(SecretSource),
}

impl ProxyRoutes {
    /// The routes of a session: by its own proxy, else by those that the environment names.
    ///
    /// # Errors
    /// The first of [`ProxyConfig::problems`], or a variable that holds no address.
    pub fn of(config: Option<&ProxyConfig>) -> Result<Self, InvalidProxy> {
        match config {
            Some(config) => Self::from_config(config),
            None => Self::from_environment(|name| std::env::var(name).ok()),
        }
    }

    fn from_config(config: &ProxyConfig) -> Result<Self, InvalidProxy> {
        if let Some(problem) = config.problems().into_iter().next() {
            return Err(problem);
        }
        let password = config.password().map_or(Password::Empty, Password::Kept);
        let user = config.username.clone();
        let proxy = Proxy {
            url: config.url.clone(),
            user: user.map(|name| User { name, password }),
        };
        let entries = config.no_proxy.iter();
        Ok(Self {
            http: Some(proxy.clone()),
            https: Some(proxy),
            exempt: entries
                .filter_map(|entry| Exemption::parse(entry))
                .collect(),
            loopback_too: true,
        })
    }

    /// The routes that an environment describes: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and
    /// `NO_PROXY`, or the same in lower case. An entry of `NO_PROXY` that means nothing covers
    /// nothing.
    ///
    /// # Errors
    /// A variable that holds no address of a proxy.
    pub fn from_environment(
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, InvalidProxy> {
        let proxy = |names: [&'static str; 2]| {
            let set = names
                .into_iter()
                .find_map(|name| Some((name, variable(name)?)));
            match set {
                Some((key, text)) if !text.is_empty() => {
                    let proxy = Proxy::parse(&text).ok_or(InvalidProxy::Address { key })?;
                    Ok(Some(proxy))
                }
                _ => Ok(None),
            }
        };
        let all = proxy(["ALL_PROXY", "all_proxy"])?;
        let exempt = variable("NO_PROXY").or_else(|| variable("no_proxy"));
        let exempt = exempt.unwrap_or_default();
        Ok(Self {
            http: proxy(["HTTP_PROXY", "http_proxy"])?.or_else(|| all.clone()),
            https: proxy(["HTTPS_PROXY", "https_proxy"])?.or(all),
            exempt: exempt
                .split(|c: char| c == ',' || c.is_whitespace())
                .filter_map(Exemption::parse)
                .collect(),
            loopback_too: false,
        })
    }

    /// Whether an address cannot be reached through its proxy: `https` at an IPv6 address. The HTTP
    /// client takes its brackets for a part of the name that the certificate must hold
    /// (<https://github.com/seanmonstar/reqwest/issues/3094>).
    #[must_use]
    pub fn cannot_name(&self, url: &Url) -> bool {
        let encrypted = matches!(url.scheme(), "https" | "wss");
        encrypted && matches!(url.host(), Some(url::Host::Ipv6(_))) && self.crosses(url)
    }

    /// Whether an address is reached through a proxy.
    pub(super) fn crosses(&self, url: &Url) -> bool {
        self.choose(url).is_some()
    }

    /// Whether no address is.
    pub(super) fn is_direct(&self) -> bool {
        self.http.is_none() && self.https.is_none()
    }

    /// Where the password stands, if it may change.
    #[must_use]
    pub fn password(&self) -> Option<&SecretSource> {
        // A session's own proxy is one for both.
        match &self.https.as_ref()?.user.as_ref()?.password {
            Password::Kept(source) => Some(source),
            Password::Empty | Password::Known(_) => None,
        }
    }

    /// The password of a session's own proxy, where it was read.
    pub(super) fn known_password(&self) -> Option<&Secret<String>> {
        match &self.https.as_ref()?.user.as_ref()?.password {
            Password::Known(password) => Some(password),
            Password::Empty | Password::Kept(_) => None,
        }
    }

    /// The same routes with the password as it is now.
    pub(super) fn read_password(mut self) -> Result<Self, SecretError> {
        if let Some(source) = self.password() {
            let password = source.read()?;
            for proxy in [&mut self.http, &mut self.https].into_iter().flatten() {
                if let Some(user) = &mut proxy.user {
                    user.password = Password::Known(password.clone());
                }
            }
        }
        Ok(self)
    }

    /// The proxy before an address, with the credentials in its own, as the HTTP client wants it.
    pub(super) fn address_for(&self, url: &Url) -> Option<Url> {
        let proxy = self.choose(url)?;
        let mut address = proxy.url.clone();
        if let Some(user) = &proxy.user {
            // Neither fails: the address has a host.
            let named = address.set_username(&encoded(&user.name));
            let known = match &user.password {
                Password::Known(password) => {
                    address.set_password(Some(&encoded(password.expose())))
                }
                Password::Empty | Password::Kept(_) => Ok(()),
            };
            debug_assert!(named.is_ok() && known.is_ok(), "the address has a host");
        }
        Some(address)
    }

    fn choose(&self, url: &Url) -> Option<&Proxy> {
        let proxy = match url.scheme() {
            "https" | "wss" => self.https.as_ref(),
            _ => self.http.as_ref(),
        };
        let direct = (!self.loopback_too && is_loopback_url(url))
            || self.exempt.iter().any(|exempt| exempt.covers(url));
        proxy.filter(|_| !direct)
    }
}

impl Proxy {
    /// Reads `http://user:password@host:port`, of which all but the host may be missing.
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let mut url = match text.contains("://") {
            true => Url::parse(text),
            false => Url::parse(&format!("http://{text}")),
        }
        .ok()?;
        let user = match (url.username(), url.password()) {
            ("", None) => None,
            (name, password) => Some(User {
                name: decoded(name)?,
                password: match password {
                    Some(password) => Password::Known(Secret::new(decoded(password)?)),
                    None => Password::Empty,
                },
            }),
        };
        url.set_username("").ok()?;
        url.set_password(None).ok()?;
        is_address(&url).then_some(Self { url, user })
    }
}

fn decoded(text: &str) -> Option<String> {
    let text = percent_decode_str(text).decode_utf8().ok()?;
    Some(text.into_owned())
}

/// Every character that could mean something in an address, '%' included.
fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn is_address(url: &Url) -> bool {
    let bare = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
    matches!(url.scheme(), "http" | "https") && url.host().is_some() && bare
}

#[cfg(test)]
#[path = "../tests/proxy_routes.rs"]
mod tests;
