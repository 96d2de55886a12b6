//! [`CxoneAgent`]: what holds for every connection of one subscription.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use url::Url;

use super::protocol::AgentLink;
use super::wire::CONTACTS;
use super::{NAME, normalize};
use crate::auth::AccessToken;
use crate::connectors::{
    AgentSettings, Batch, COVERAGE_MARK, Call, Capabilities, Connector, Handshake, Identity, Link,
    NumberRange, Opening, ProviderEvent, READ_BUFFER, Settings, SettingsError, Station, Tracked,
    Unreadable, Verdict,
};
use crate::domain::Platform;
use crate::net::{HttpResponse, UrlPolicy};
use crate::proto::v1;

/// The platform refuses to hold a poll for longer.
const LONGEST_HOLD: Duration = Duration::from_secs(60);
/// What is asked for, in the platform's words; it has no topics to choose from.
const TOPIC: &str = "get-next-event";

/// Reads one agent's session.
#[derive(Debug)]
pub(super) struct CxoneAgent(Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    source: String,
    topics: [String; 1],
    capabilities: Capabilities,
    pub(super) addresses: UrlPolicy,
    pub(super) endpoint: Url,
    pub(super) agent: AgentSettings,
    /// The same as a text, which tells what was kept for other settings.
    pub(super) purpose: String,
    /// How long a poll may be held, in seconds.
    pub(super) hold: u64,
}

impl CxoneAgent {
    pub(super) fn new(
        endpoint: Url,
        agent: AgentSettings,
        settings: &Settings,
    ) -> Result<Self, SettingsError> {
        let host = endpoint.host_str().unwrap_or_default();
        let mut domains = settings.allowed_domains.clone();
        domains.extend(super::domains(&endpoint));
        let addresses = UrlPolicy::new(&endpoint, &domains, settings.allow_plaintext);
        let addresses = addresses.map_err(|refused| SettingsError::Endpoint {
            endpoint: format!("{}://{host}", endpoint.scheme()),
            reason: refused.to_string(),
        })?;
        let purpose = match &agent {
            AgentSettings::Join { agent_id } => format!("{endpoint} join {agent_id}"),
            AgentSettings::Start { station } => match station {
                Station::Id(id) => format!("{endpoint} start station {id}"),
                Station::Phone(phone) => format!("{endpoint} start phone {phone}"),
            },
        };
        Ok(Self(Arc::new(Inner {
            source: format!("//{NAME}/{host}/{}", settings.session),
            topics: [TOPIC.to_owned()],
            capabilities: capabilities(),
            addresses,
            purpose,
            agent,
            hold: settings.hold.min(LONGEST_HOLD).as_secs().max(1),
            endpoint,
        })))
    }
}

fn capabilities() -> Capabilities {
    Capabilities {
        websocket: false,
        long_poll: true,
        identity: Identity::Neither,
        resumes: true,
        catch_up: false,
        overlap: false,
        loose_order: Duration::ZERO,
        confirm_within: Duration::ZERO,
        stop_on_clean_close: false,
        bound_to_token: false,
        rest_lag: Duration::ZERO,
        coverage_mark: COVERAGE_MARK,
        read_buffer: READ_BUFFER,
        connections: 1,
    }
}

impl Inner {
    /// The agent whose session it is, where the settings say so.
    pub(super) fn joined_agent(&self) -> Option<Arc<str>> {
        match &self.agent {
            AgentSettings::Join { agent_id } => Some(agent_id.as_str().into()),
            AgentSettings::Start { .. } => None,
        }
    }
}

/// A request without a credential.
pub(super) fn get(url: Url) -> Call {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    Call {
        method: Method::GET,
        url,
        headers,
        body: Bytes::new(),
    }
}

/// A request to the Agent API. A token that no header can hold is left out: the platform answers 401,
/// and the credential is reported.
pub(super) fn signed(url: Url, token: &AccessToken) -> Call {
    let mut call = get(url);
    let bearer = zeroize::Zeroizing::new(format!("Bearer {}", token.value.expose()));
    if let Ok(mut value) = HeaderValue::from_str(&bearer) {
        value.set_sensitive(true);
        call.headers.insert(AUTHORIZATION, value);
    }
    let who = HeaderValue::from_static("tieline");
    call.headers.insert("originating-service-identifier", who);
    call
}

/// The same with a JSON body.
pub(super) fn post(url: Url, token: &AccessToken, body: &serde_json::Value) -> Call {
    let mut call = signed(url, token);
    call.method = Method::POST;
    let json = HeaderValue::from_static("application/json");
    call.headers.insert(CONTENT_TYPE, json);
    call.body = body.to_string().into();
    call
}

impl Connector for CxoneAgent {
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

    fn probe(&self) -> Option<Handshake> {
        None
    }

    fn link(&self, opening: Opening<'_>) -> Box<dyn Link> {
        Box::new(AgentLink::new(Arc::clone(&self.0), opening.resume.opaque))
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

    fn departed(&self, scope: &str, key: &str) -> Option<ProviderEvent> {
        (scope == CONTACTS).then(|| ProviderEvent {
            topic: TOPIC.to_owned(),
            key: Some(format!("{CONTACTS}/{key}")),
            tracked: Some(Tracked {
                scope: scope.to_owned(),
                key: key.to_owned(),
                stands: false,
            }),
            context: self.0.joined_agent(),
            ..ProviderEvent::default()
        })
    }

    /// Every answered poll shows that the platform is well.
    fn health(&self, _token: &AccessToken) -> Option<Call> {
        None
    }

    /// Of a poll: the vendor's client takes 409 for the end of the session; 404 is what an id that
    /// means nothing most likely gets. The same statuses in answer to a join are the link's affair.
    fn verdict(&self, status: StatusCode) -> Option<Verdict> {
        match status.as_u16() {
            404 | 410 => Some(Verdict::Gone),
            409 => Some(Verdict::Ended),
            _ => None,
        }
    }

    fn normalize(&self, event: &ProviderEvent) -> v1::Event {
        normalize::normalize(&self.0.source, event)
    }
}
