//! [`ProfileConnector`]: the contract, answered from a profile.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::ACCEPT;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use url::Url;

use super::link::ProfileLink;
use super::model::{CredentialPlace, Profile};
use super::template::{Values, below, websocket};
use super::wire::{Said, Wire};
use crate::auth::AccessToken;
use crate::connectors::{
    Batch, COVERAGE_MARK, Call, Capabilities, Connector, Handshake, Identity, Link, NumberRange,
    Numbering, Opening, ProviderEvent, READ_BUFFER, Settings, SettingsError, Unreadable,
};
use crate::domain::Platform;
use crate::net::{HttpResponse, UrlPolicy};
use crate::proto::v1;

/// A frame that confirms the subscription comes at once or not at all.
const CONFIRM_WITHIN: Duration = Duration::from_secs(10);

/// Runs a profile.
#[derive(Debug)]
pub(super) struct ProfileConnector(Arc<Inner>);

/// What every connection of a session shares.
#[derive(Debug)]
pub(super) struct Inner {
    platform: Platform,
    pub(super) source: String,
    pub(super) base: Url,
    pub(super) channels: Vec<String>,
    capabilities: Capabilities,
    addresses: UrlPolicy,
    header: Option<HeaderName>,
    pub(super) poll_method: Method,
    pub(super) wire: Wire,
    pub(super) profile: Profile,
}

impl ProfileConnector {
    pub(super) fn new(
        name: &'static str,
        mut profile: Profile,
        base: Url,
        settings: &Settings,
    ) -> Result<Self, SettingsError> {
        let platform = Platform::new(name);
        let wrong = |reason: String| SettingsError::Profile {
            profile: name.to_owned(),
            reason,
        };
        let poll_method = profile.long_poll.as_ref().map_or("GET", |p| &p.method);
        let poll_method = poll_method
            .parse()
            .map_err(|_| wrong(format!("'{poll_method}' is not a method")))?;
        let header = match profile.credential.place {
            CredentialPlace::Query => None,
            CredentialPlace::Header => {
                let header = profile.credential.name();
                let parsed = header.parse::<HeaderName>();
                Some(parsed.map_err(|_| wrong(format!("'{header}' is not a header")))?)
            }
        };
        if let Some(websocket) = &mut profile.websocket {
            let own = |heartbeat: super::model::HeartbeatShape| heartbeat.with(&settings.heartbeat);
            websocket.heartbeat = websocket.heartbeat.take().map(own);
        }
        let own_host = base.host_str().unwrap_or_default();
        let host = settings.source_host.as_deref().unwrap_or(own_host);
        let mut domains = super::domains(settings)?;
        domains.extend(settings.allowed_domains.iter().cloned());
        let addresses =
            UrlPolicy::new(&base, &domains, settings.allow_plaintext).map_err(|refused| {
                SettingsError::Endpoint {
                    endpoint: base.to_string(),
                    reason: refused.to_string(),
                }
            })?;
        Ok(Self(Arc::new(Inner {
            platform,
            source: format!("//{platform}/{host}/{}", settings.session),
            channels: match profile.topics.is_empty() {
                true => settings.channels.clone(),
                false => profile.topics.clone(),
            },
            capabilities: capabilities(&profile),
            addresses,
            header,
            poll_method,
            wire: Wire::new(&profile),
            base,
            profile,
        })))
    }
}

fn capabilities(profile: &Profile) -> Capabilities {
    let numbering = profile.numbering.map(|n| Numbering {
        dense: n.dense,
        batch_is_cursor: n.batch_is_cursor,
    });
    let ids = profile.events.iter().any(|event| event.id.is_some());
    let unnumbered = if ids {
        Identity::Ids
    } else {
        Identity::Neither
    };
    Capabilities {
        websocket: profile.websocket.is_some(),
        long_poll: profile.long_poll.is_some(),
        identity: numbering.map_or(unnumbered, Identity::Numbers),
        resumes: numbering.is_some(),
        catch_up: profile.catch_up.is_some(),
        overlap: profile.overlap,
        loose_order: profile.loose_order.0,
        confirm_within: CONFIRM_WITHIN,
        stop_on_clean_close: profile.stop_on_clean_close,
        bound_to_token: profile.bound_to_token,
        rest_lag: Duration::ZERO,
        coverage_mark: COVERAGE_MARK,
        read_buffer: READ_BUFFER,
        connections: 1,
    }
}

impl Inner {
    /// A request below the endpoint, with the token where the platform wants it. A token that no
    /// header can hold is left out: the platform answers 401, and the credential is reported.
    pub(super) fn authorized(&self, path: &str, token: &AccessToken) -> (Url, HeaderMap) {
        let mut url = below(&self.base, path);
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let credential = &self.profile.credential;
        match &self.header {
            None => {
                let mut query = url.query_pairs_mut();
                query.append_pair(credential.name(), token.value.expose());
            }
            Some(header) => {
                let (prefix, token) = (credential.prefix(), token.value.expose());
                let text = zeroize::Zeroizing::new(format!("{prefix}{token}"));
                if let Ok(mut value) = HeaderValue::from_str(&text) {
                    value.set_sensitive(true);
                    headers.insert(header, value);
                }
            }
        }
        (url, headers)
    }

    pub(super) fn get(&self, path: &str, token: &AccessToken) -> Call {
        let (url, headers) = self.authorized(path, token);
        Call {
            method: Method::GET,
            url,
            headers,
            body: Bytes::new(),
        }
    }

    /// Reads a body that is no frame: it holds no acknowledgement.
    pub(super) fn read_body(&self, what: &'static str, body: &Bytes) -> Result<Batch, Unreadable> {
        match self.wire.read(what, body)? {
            Said::Batch(batch) => Ok(batch),
            Said::Acknowledgement => Ok(Batch::default()),
        }
    }
}

impl Connector for ProfileConnector {
    fn platform(&self) -> Platform {
        self.0.platform
    }

    fn source(&self) -> &str {
        &self.0.source
    }

    fn topics(&self) -> &[String] {
        &self.0.channels
    }

    fn capabilities(&self) -> &Capabilities {
        &self.0.capabilities
    }

    fn addresses(&self) -> &UrlPolicy {
        &self.0.addresses
    }

    fn probe(&self) -> Option<Handshake> {
        let target = self.0.profile.probe.as_ref()?;
        let mut url = websocket(below(&self.0.base, &target.path));
        Values::default().query(&mut url, &target.query);
        let headers = HeaderMap::new();
        Some(Handshake { url, headers })
    }

    fn link(&self, opening: Opening<'_>) -> Box<dyn Link> {
        Box::new(ProfileLink::new(Arc::clone(&self.0), opening))
    }

    fn catch_up(&self, range: NumberRange, token: &AccessToken) -> Option<Call> {
        let shape = self.0.profile.catch_up.as_ref()?;
        let mut call = self.0.get(&shape.path, token);
        let values = Values {
            channels: &self.0.channels,
            after: range.first.saturating_sub(1),
            through: range.last,
            ..Values::default()
        };
        values.query(&mut call.url, &shape.query);
        Some(call)
    }

    fn read_catch_up(&self, answer: &HttpResponse) -> Result<Batch, Unreadable> {
        if answer.status == StatusCode::NO_CONTENT {
            return Ok(Batch::empty());
        }
        self.0.read_body("history", &answer.body)
    }

    fn catch_up_refused(&self, status: StatusCode) -> bool {
        let shape = self.0.profile.catch_up.as_ref();
        shape.is_none_or(|s| s.gone.contains(&status.as_u16()))
    }

    fn health(&self, token: &AccessToken) -> Option<Call> {
        let path = self.0.profile.health.as_ref()?;
        Some(self.0.get(path, token))
    }

    fn normalize(&self, event: &ProviderEvent) -> v1::Event {
        self.0.wire.forms.apply(&self.0.source, event)
    }
}
