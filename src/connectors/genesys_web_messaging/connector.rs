//! [`WebMessaging`]: what holds for every connection of one guest's session.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http::header::ORIGIN;
use http::{HeaderMap, HeaderValue, StatusCode};
use url::Url;

use super::history::History;
use super::kept::Kept;
use super::pass::Pass;
use super::protocol::GuestLink;
use super::{Checked, NAME, SOCKET_HOST, below, in_ws, normalize, outgoing, place_beside, rest};
use crate::auth::AccessToken;
use crate::connectors::{
    Batch, Call, Capabilities, Connector, Handshake, Identity, Link, LossWindow, NumberRange,
    Opening, Outgoing, ProviderEvent, Recoverer, Sending, Settings, SettingsError, Unreadable,
    Unsendable, Verdict,
};
use crate::domain::Platform;
use crate::net::{HttpResponse, UrlPolicy};
use crate::proto::v1;
use crate::runtime::Secret;

/// What is subscribed to, in a word; the platform has no topics to choose from.
const TOPIC: &str = "messages";
/// Session and JWT come at once, or the connection is useless.
const CONFIRM_WITHIN: Duration = Duration::from_secs(15);
/// History may lag behind the frames.
const REST_LAG: Duration = Duration::from_secs(1);
/// 2 messages a second are taken (5.11).
const PACE: Duration = Duration::from_millis(500);
/// How long an echo may take (U38).
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(30);

/// One guest's session.
#[derive(Debug)]
pub(super) struct WebMessaging(Arc<Inner>);

pub(super) struct Inner {
    source: String,
    /// Stands where the conversation's id would.
    session: String,
    topics: [String; 1],
    capabilities: Capabilities,
    addresses: UrlPolicy,
    socket: Url,
    history: Url,
    pub(super) origin: HeaderValue,
    pub(super) deployment: String,
    pub(super) token: Secret<String>,
    pub(super) attributes: BTreeMap<String, String>,
    /// What was kept for another guest is of no use.
    pub(super) purpose: String,
    pub(super) pass: Pass,
}

impl std::fmt::Debug for Inner {
    /// Not the guest's attributes, which are personal data.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner")
            .field("source", &self.source)
            .field("deployment", &self.deployment)
            .field("pass", &self.pass)
            .finish_non_exhaustive()
    }
}

impl WebMessaging {
    pub(super) fn new(
        base: Url,
        checked: &Checked<'_>,
        settings: &Settings,
    ) -> Result<Self, SettingsError> {
        let guest = checked.guest;
        let rest = rest(&base, Some(guest))?;
        let mut allowed = settings.allowed_domains.clone();
        allowed.extend(place_beside(&base, &rest));
        let addresses = UrlPolicy::new(&base, &allowed, settings.allow_plaintext);
        let addresses = addresses.map_err(|refused| super::refused(&base, &refused.to_string()))?;
        if addresses.check(&rest).is_err() {
            let reason = "is plaintext: use https, or set allow_plaintext";
            return Err(super::wrong("rest_endpoint", reason));
        }
        let origin = HeaderValue::from_str(&checked.origin);
        let origin = origin.map_err(|_| super::wrong("origin", "cannot be sent in a header"))?;
        let mut socket = below(&in_ws(&base)?, ["v1"]);
        let application = concat!("tieline-", env!("CARGO_PKG_VERSION"));
        socket
            .query_pairs_mut()
            .append_pair("deploymentId", checked.deployment)
            .append_pair("application", application);
        let host = base.host_str().unwrap_or_default();
        let host = host.strip_prefix(SOCKET_HOST).unwrap_or(host);
        Ok(Self(Arc::new(Inner {
            source: format!("//{NAME}/{host}/{}", settings.session),
            session: settings.session.to_string(),
            topics: [TOPIC.to_owned()],
            capabilities: capabilities(),
            addresses,
            socket,
            history: below(&rest, ["api", "v2", "webmessaging", "messages"]),
            origin,
            deployment: checked.deployment.to_owned(),
            purpose: Kept::purpose(checked.deployment, &guest.token),
            token: guest.token.clone(),
            attributes: guest.attributes.clone(),
            pass: Pass::default(),
        })))
    }
}

/// The history has all that a wider window covers, and thousands of guests are idle.
const COVERAGE: Duration = Duration::from_secs(60);
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
        rest_lag: REST_LAG,
        coverage_mark: COVERAGE,
        read_buffer: READ_BUFFER,
        connections: 1,
    }
}

impl Inner {
    pub(super) fn handshake(&self) -> Handshake {
        let mut headers = HeaderMap::new();
        headers.insert(ORIGIN, self.origin.clone());
        Handshake {
            url: self.socket.clone(),
            headers,
        }
    }

    /// Where a page of history is.
    pub(super) fn page(&self, number: u32, size: usize) -> Url {
        let mut url = self.history.clone();
        url.query_pairs_mut()
            .append_pair("pageNumber", &number.to_string())
            .append_pair("pageSize", &size.to_string());
        url
    }
}

impl Connector for WebMessaging {
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
            what: "range of messages",
            reason: "the platform numbers none".to_owned(),
        })
    }

    fn recover(&self, _family: &str, window: &LossWindow) -> Option<Box<dyn Recoverer>> {
        Some(Box::new(History::new(Arc::clone(&self.0), window)))
    }

    /// Every echo shows that the platform is well.
    fn health(&self, _token: &AccessToken) -> Option<Call> {
        None
    }

    /// There is no token that another could take the place of: the JWT is the link's affair.
    fn verdict(&self, status: StatusCode) -> Option<Verdict> {
        (status == StatusCode::UNAUTHORIZED).then_some(Verdict::Forbidden)
    }

    fn sending(&self) -> Option<Sending> {
        Some(Sending {
            pace: PACE,
            acknowledged_within: ACKNOWLEDGED_WITHIN,
            rest: false,
            history: true,
        })
    }

    fn check_outgoing(&self, message: &Outgoing<'_>) -> Result<(), Unsendable> {
        outgoing::check(&self.0.attributes, message)
    }

    fn normalize(&self, event: &ProviderEvent) -> v1::Event {
        normalize::normalize(&self.0.source, &self.0.session, event)
    }
}
