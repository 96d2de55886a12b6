//! Settings of a session template: what `CreateSession` makes a guest's session of.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::config::{SessionConfig, TimingConfig, TransportChoice};
use super::outbound::UnknownOutcome;
use crate::auth::AuthConfig;
use crate::connectors::GuestSettings;
use crate::domain::{JournalName, SessionName, TemplateName};
use crate::net::{ProxyConfig, RateLimitConfig, TlsConfig};

/// One entry of `session_templates`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionTemplateConfig {
    /// The template's name; `sessionTemplates/{name}` in the API.
    #[schemars(with = "String")]
    pub name: TemplateName,
    /// The journal that its sessions write to; may be left out where there is only one.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub journal: Option<JournalName>,
    /// Which platform: `genesys-web-messaging` or `genesys-webchat`.
    pub platform: String,
    /// Base address of the platform, such as `wss://webmessaging.mypurecloud.de`.
    #[schemars(with = "String")]
    pub endpoint: Url,
    /// The web deployment that guests come to (genesys-web-messaging).
    #[serde(default)]
    pub deployment_id: Option<String>,
    /// The `Origin` that the deployment allows; that of the endpoint where not given.
    #[serde(default)]
    pub origin: Option<String>,
    /// Where the platform's REST API is, where that does not follow from `endpoint`.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub rest_endpoint: Option<Url>,
    /// How access tokens are obtained; may be left out where guests need none.
    #[serde(default = "AuthConfig::guest_session")]
    pub auth: AuthConfig,
    /// What happens to a message that may have arrived, or not, when no history settles it, where the
    /// request does not say so: `report` leaves it at that, `resend` may send it twice.
    #[serde(default)]
    pub unknown_outcome_policy: UnknownOutcome,
    /// How often a message is tried before it has failed.
    #[serde(default = "three")]
    #[schemars(range(min = 1, max = 100))]
    pub outbound_attempts: u32,
    /// New connections in any second, over all sessions of the template: a platform that comes back is
    /// not overrun by everybody at once.
    #[serde(default = "fifty")]
    #[schemars(range(min = 1, max = 10_000))]
    pub connections_per_second: u32,
    /// The platform's limit on requests, over all sessions of the template.
    #[serde(default)]
    pub rate_limit: RateLimitConfig,
    /// Hosts (and their subdomains) that server-given addresses may point to, besides the
    /// endpoint's own (U42).
    #[serde(default)]
    pub allowed_domains: Vec<String>,
    /// Allows `http` and `ws` beyond loopback.
    #[serde(default)]
    pub allow_plaintext: bool,
    /// Deadlines and intervals.
    #[serde(default)]
    pub timing: TimingConfig,
    /// TLS towards the platform.
    #[serde(default)]
    pub tls: TlsConfig,
    /// The proxy that every connection goes through, instead of the one that the environment names.
    #[serde(default)]
    pub proxy: Option<ProxyConfig>,
}

fn three() -> u32 {
    3
}

fn fifty() -> u32 {
    50
}

/// The address as that of a request, where it is given as that of the WebSocket.
fn over_http(endpoint: &Url) -> Url {
    let mut endpoint = endpoint.clone();
    let scheme = match endpoint.scheme() {
        "wss" => "https",
        "ws" => "http",
        _ => return endpoint,
    };
    // Both are schemes of the web, which may stand for each other: it cannot fail.
    let _failed = endpoint.set_scheme(scheme).is_err();
    endpoint
}

impl SessionTemplateConfig {
    /// The session of one guest.
    #[must_use]
    pub fn session(&self, name: SessionName, guest: GuestSettings) -> SessionConfig {
        SessionConfig {
            name,
            journal: self.journal.clone(),
            platform: self.platform.clone(),
            profile: None,
            endpoint: over_http(&self.endpoint),
            alternative_endpoints: Vec::new(),
            channels: Vec::new(),
            topics: Vec::new(),
            redundancy: 1,
            agent: None,
            guest: Some(GuestSettings {
                deployment_id: self.deployment_id.clone(),
                origin: self.origin.clone(),
                rest_endpoint: self.rest_endpoint.clone(),
                ..guest
            }),
            rate_limit: self.rate_limit,
            auth: self.auth.clone(),
            transport: TransportChoice::Auto,
            allowed_domains: self.allowed_domains.clone(),
            allow_plaintext: self.allow_plaintext,
            timing: self.timing.clone(),
            tls: self.tls.clone(),
            proxy: self.proxy.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_the_websocket_is_that_of_the_platform() {
        for (given, expected) in [
            ("wss://chat.example.test/x", "https://chat.example.test/x"),
            ("ws://127.0.0.1:7480", "http://127.0.0.1:7480/"),
            (
                "https://chat.example.test:8443",
                "https://chat.example.test:8443/",
            ),
        ] {
            assert_eq!(over_http(&given.parse().unwrap()).as_str(), expected);
        }
    }
}
