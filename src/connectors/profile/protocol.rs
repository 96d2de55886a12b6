//! [`ProfileConnector`]: the contract, answered from a profile.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use url::Url;

use super::model::Profile;
use super::normalize::Forms;
use super::template::{Values, below, websocket};
use super::wire::Wire;
use crate::auth::AccessToken;
use crate::connectors::{
    Batch, Call, Capabilities, Connector, Handshake, Identity, Link, NumberRange, Numbering,
    Opening, ProviderEvent, Resume, Settings, SettingsError, Unreadable,
};
use crate::domain::Platform;
use crate::net::{Frame, HttpResponse, UrlPolicy};
use crate::proto::v1;
use crate::runtime::MonoTime;

/// A frame that confirms the subscription comes at once or not at all.
const CONFIRM_WITHIN: Duration = Duration::from_secs(10);

/// Runs a profile.
#[derive(Debug)]
pub(super) struct ProfileConnector(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    platform: Platform,
    source: String,
    base: Url,
    channels: Vec<String>,
    capabilities: Capabilities,
    addresses: UrlPolicy,
    poll_method: Method,
    wire: Wire,
    forms: Forms,
    profile: Profile,
}

/// One connection of a profile: it has nothing to remember.
#[derive(Debug)]
struct ProfileLink(Arc<Inner>);

impl ProfileConnector {
    pub(super) fn new(
        name: &'static str,
        profile: Profile,
        base: Url,
        settings: &Settings,
    ) -> Result<Self, SettingsError> {
        let platform = Platform::new(name);
        let poll_method = profile.long_poll.as_ref().map_or("GET", |p| &p.method);
        let poll_method = poll_method.parse().map_err(|_| SettingsError::Profile {
            profile: name.to_owned(),
            reason: format!("'{poll_method}' is not a method"),
        })?;
        let host = base.host_str().unwrap_or_default();
        let mut domains = profile.domains.clone();
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
            channels: settings.channels.clone(),
            capabilities: capabilities(&profile),
            addresses,
            poll_method,
            wire: Wire::new(&profile),
            forms: Forms::new(&profile.forms),
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
    Capabilities {
        websocket: profile.websocket.is_some(),
        long_poll: profile.long_poll.is_some(),
        identity: numbering.map_or(Identity::Neither, Identity::Numbers),
        resumes: numbering.is_some(),
        catch_up: profile.catch_up.is_some(),
        overlap: true,
        loose_order: Duration::from_millis(profile.loose_order_ms),
        confirm_within: CONFIRM_WITHIN,
        stop_on_clean_close: profile.stop_on_clean_close,
        bound_to_token: false,
        rest_lag: Duration::ZERO,
        connections: 1,
    }
}

impl Inner {
    fn values(&self, resume: Resume<'_>) -> Values<'_> {
        Values {
            channels: &self.channels,
            sequence: resume.after,
            ..Values::default()
        }
    }

    fn get(&self, path: &str, token: &AccessToken) -> Call {
        Call {
            method: Method::GET,
            url: below(&self.base, path),
            headers: headers(token),
            body: Bytes::new(),
        }
    }
}

/// Bearer token and the types we speak. A token that no header can hold is left out: the platform
/// answers 401, and the credential is reported.
fn headers(token: &AccessToken) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    let bearer = zeroize::Zeroizing::new(format!("Bearer {}", token.value.expose()));
    if let Ok(mut value) = HeaderValue::from_str(&bearer) {
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    headers
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

    fn link(&self, _opening: Opening<'_>) -> Box<dyn Link> {
        Box::new(ProfileLink(Arc::clone(&self.0)))
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
        self.0.wire.read("history", &answer.body)
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
        self.0.forms.apply(&self.0.source, event)
    }
}

impl Link for ProfileLink {
    fn handshake(&self, token: &AccessToken) -> Option<Handshake> {
        let shape = self.0.profile.websocket.as_ref()?;
        let url = websocket(below(&self.0.base, &shape.path));
        let headers = headers(token);
        Some(Handshake { url, headers })
    }

    fn opened(&mut self, resume: Resume<'_>) -> Vec<Frame> {
        let shape = self.0.profile.websocket.as_ref();
        let frame = shape.map(|s| self.0.values(resume).fill(&s.subscribe));
        frame.map(|f| Frame::Text(f.into())).into_iter().collect()
    }

    fn poll(&mut self, resume: Resume<'_>, token: &AccessToken) -> Option<Call> {
        let shape = self.0.profile.long_poll.as_ref()?;
        let mut call = self.0.get(&shape.path, token);
        call.method = self.0.poll_method.clone();
        if !shape.body.is_null() {
            call.body = self.0.values(resume).fill(&shape.body).into();
            let json = HeaderValue::from_static("application/json");
            call.headers.insert(CONTENT_TYPE, json);
        }
        Some(call)
    }

    fn read_frame(&mut self, _now: MonoTime, frame: &Bytes) -> Result<Batch, Unreadable> {
        self.0.wire.read("frame", frame)
    }

    fn read_poll(&mut self, answer: &HttpResponse) -> Result<Batch, Unreadable> {
        if matches!(
            answer.status,
            StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
        ) {
            return Ok(Batch::empty());
        }
        // Nothing at all is an empty answer (U10), but it does not say who gave it.
        if answer.body.trim_ascii().is_empty() {
            return Ok(Batch::default());
        }
        self.0.wire.read("poll answer", &answer.body)
    }
}
