//! [`Webchat`]: what holds for every connection of one guest's session.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use url::Url;

use super::kept::purpose;
use super::protocol::GuestLink;
use super::{NAME, below, normalize, sending};
use crate::auth::AccessToken;
use crate::connectors::{
    Batch, Call, Capabilities, Connector, GuestSettings, Handshake, Identity, Link, NumberRange,
    Opening, Outgoing, ProviderEvent, Sending, Settings, SettingsError, Unreadable, Unsendable,
    Verdict,
};
use crate::domain::Platform;
use crate::net::{HttpResponse, UrlPolicy};
use crate::proto::v1;
use crate::runtime::Secret;

/// What is subscribed to, in a word; the platform has no topics to choose from.
const TOPIC: &str = "messages";
/// The pong that confirms comes at once, or the connection is useless.
const CONFIRM_WITHIN: Duration = Duration::from_secs(10);
/// As long as the description's own client waits (U38).
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(30);

/// One guest's session.
#[derive(Debug)]
pub(super) struct Webchat(Arc<Inner>);

pub(super) struct Inner {
    source: String,
    /// Stands where the conversation's id would.
    session: String,
    topics: [String; 1],
    capabilities: Capabilities,
    addresses: UrlPolicy,
    base: Url,
    pub(super) attributes: BTreeMap<String, String>,
    /// What was kept for another guest is of no use.
    pub(super) purpose: Secret<String>,
}

impl std::fmt::Debug for Inner {
    /// Not the guest's attributes, which are personal data.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner")
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

impl Webchat {
    pub(super) fn new(
        base: Url,
        guest: &GuestSettings,
        settings: &Settings,
    ) -> Result<Self, SettingsError> {
        let allowed = &settings.allowed_domains;
        let addresses = UrlPolicy::new(&base, allowed, settings.allow_plaintext);
        let addresses = addresses.map_err(|refused| super::refused(&base, &refused.to_string()))?;
        let host = base.host_str().unwrap_or_default();
        Ok(Self(Arc::new(Inner {
            source: format!("//{NAME}/{host}/{}", settings.session),
            session: settings.session.to_string(),
            topics: [TOPIC.to_owned()],
            capabilities: capabilities(),
            addresses,
            attributes: guest.attributes.clone(),
            purpose: purpose(&base, &guest.token),
            base,
        })))
    }
}

/// Thousands of guests are idle.
const COVERAGE: Duration = Duration::from_secs(30);
/// Messages are short, and thousands of guests are idle.
const READ_BUFFER: usize = 1024;

fn capabilities() -> Capabilities {
    Capabilities {
        websocket: true,
        long_poll: false,
        identity: Identity::Ids,
        resumes: false,
        catch_up: false,
        overlap: false,
        loose_order: Duration::ZERO,
        confirm_within: CONFIRM_WITHIN,
        stop_on_clean_close: false,
        bound_to_token: false,
        rest_lag: Duration::ZERO,
        coverage_mark: COVERAGE,
        read_buffer: READ_BUFFER,
        connections: 1,
    }
}

impl Inner {
    /// An address below `api/v2/webchat`.
    pub(super) fn below(&self, parts: &[&str]) -> Url {
        let root = ["api", "v2", "webchat"].iter();
        below(&self.base, root.chain(parts).copied())
    }
}

/// A request with a JSON body.
pub(super) fn post(url: Url, token: &Secret<String>, body: Bytes) -> Box<Call> {
    let mut headers = bearer(token);
    let json = HeaderValue::from_static("application/json");
    headers.insert(ACCEPT, json.clone());
    headers.insert(CONTENT_TYPE, json);
    Box::new(Call {
        method: Method::POST,
        url,
        headers,
        body,
    })
}

/// A token that no header can hold is left out: the platform answers 401, and the credential is
/// reported.
pub(super) fn bearer(token: &Secret<String>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let text = zeroize::Zeroizing::new(format!("Bearer {}", token.expose()));
    if let Ok(mut value) = HeaderValue::from_str(&text) {
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    headers
}

impl Connector for Webchat {
    fn platform(&self) -> Platform {
        Platform::new(NAME)
    }

    fn source(&self) -> &str {
        &self.0.source
    }

    fn topics(&self) -> &[String] {
        &self.0.topics
    }

    fn capabilities(&self) -> &Capabilities {
        &self.0.capabilities
    }

    fn addresses(&self) -> &UrlPolicy {
        &self.0.addresses
    }

    /// There is nothing to fall back to.
    fn probe(&self) -> Option<Handshake> {
        None
    }

    fn link(&self, opening: Opening<'_>) -> Box<dyn Link> {
        Box::new(GuestLink::new(Arc::clone(&self.0), opening))
    }

    fn catch_up(&self, _range: NumberRange, _token: &AccessToken) -> Option<Call> {
        None
    }

    fn read_catch_up(&self, _answer: &HttpResponse) -> Result<Batch, Unreadable> {
        Err(Unreadable {
            what: "history",
            reason: "the platform has none".to_owned(),
        })
    }

    fn health(&self, _token: &AccessToken) -> Option<Call> {
        None
    }

    /// A handshake shows the guest's own token, which no other can replace (U39).
    fn handshake_verdict(&self, status: StatusCode) -> Option<Verdict> {
        matches!(status.as_u16(), 401 | 404 | 410).then_some(Verdict::Expired)
    }

    fn sending(&self) -> Option<Sending> {
        Some(Sending {
            pace: Duration::ZERO,
            acknowledged_within: ACKNOWLEDGED_WITHIN,
            rest: true,
            history: false,
        })
    }

    fn check_outgoing(&self, message: &Outgoing<'_>) -> Result<(), Unsendable> {
        sending::check(message)
    }

    fn normalize(&self, event: &ProviderEvent) -> v1::Event {
        normalize::normalize(&self.0.source, &self.0.session, event)
    }
}
