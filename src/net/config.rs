//! Settings of outgoing connections.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// TLS towards one platform, and towards a proxy that is reached by `https://`. The files are read
/// again when they change: what they hold then counts for every connection made from then on.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TlsConfig {
    /// PEM file of certificate authorities trusted besides the system's.
    pub ca_file: Option<PathBuf>,
    /// PEM file of the certificate that we show where one is asked for, with its chain.
    pub client_cert_file: Option<PathBuf>,
    /// PEM file of its private key.
    pub client_key_file: Option<PathBuf>,
}

/// The platform's limit on requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RateLimitConfig {
    /// Requests in any minute, over all sessions of one credential. Long polls and WebSockets do
    /// not count.
    #[schemars(range(min = 10, max = 1_000_000))]
    pub per_minute: u32,
}

impl Default for RateLimitConfig {
    fn default() -> Self {
        Self { per_minute: 300 }
    }
}
