//! A platform without numbers: channels made over REST, topics confirmed one by one, text
//! heartbeats, ids or none, an opaque cursor, present state over REST.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};

use crate::auth::AccessToken;
use crate::connectors::{
    Batch, Call, Capabilities, Confirms, Connector, Control, Handshake, Identity, Link, LossWindow,
    NumberRange, Opaque, Opening, ProviderEvent, Recovery, Resume, Setup, Silent, Unreadable,
};
use crate::domain::{Platform, WallTime};
use crate::net::{Frame, HttpResponse, UrlPolicy};
use crate::proto::v1;
use crate::runtime::MonoTime;

#[derive(Debug, Clone)]
pub(super) struct Fake {
    pub(super) capabilities: Capabilities,
    pub(super) recovery: Recovery,
    pub(super) topics: Vec<String>,
    pub(super) setup: bool,
    pub(super) heartbeat: Option<Duration>,
    addresses: UrlPolicy,
}

impl Fake {
    pub(super) fn new(identity: Identity) -> Self {
        Self {
            capabilities: Capabilities {
                websocket: true,
                long_poll: false,
                identity,
                resumes: false,
                catch_up: false,
                overlap: true,
                loose_order: Duration::ZERO,
                confirm_within: Duration::from_secs(10),
                stop_on_clean_close: false,
                bound_to_token: false,
                rest_lag: Duration::ZERO,
                connections: 1,
            },
            recovery: Recovery::Nothing,
            topics: vec!["a".to_owned(), "b".to_owned()],
            setup: false,
            heartbeat: None,
            addresses: UrlPolicy::new(&"https://fake.test".parse().unwrap(), &[], false).unwrap(),
        }
    }

    pub(super) fn shared(self) -> Arc<dyn Connector> {
        Arc::new(self)
    }
}

fn call(method: Method, path: &str, body: String) -> Call {
    Call {
        method,
        url: format!("https://fake.test{path}").parse().unwrap(),
        headers: HeaderMap::new(),
        body: body.into(),
    }
}

/// `;` between words; `ok`, `ok:topic`, `ev:topic:text`, `id:id:topic:text`, `cursor:text`, `no:topic`.
fn read(text: &Bytes) -> Result<Batch, Unreadable> {
    let mut batch = Batch::default();
    let text = std::str::from_utf8(text).unwrap();
    for word in text.split(';').filter(|w| !w.is_empty()) {
        let parts: Vec<_> = word.split(':').collect();
        match parts[..] {
            ["ok"] => batch.confirms = Confirms::All,
            ["ok", topic] => batch.confirms = Confirms::Topics(vec![topic.to_owned()]),
            ["ev", topic, text] => batch.events.push(event(None, topic, text)),
            ["id", id, topic, text] => batch.events.push(event(Some(id), topic, text)),
            ["cursor", text] => batch.opaque = Some(Opaque::new(text.to_owned())),
            ["closing"] => batch.controls.push(Control::Closing),
            ["lost"] => batch.controls.push(Control::SubscriptionLost {
                reason: "evicted".to_owned(),
            }),
            ["missed"] => batch.controls.push(Control::Missed {
                reason: "EVENT_MISSED".to_owned(),
            }),
            ["no", topic] => batch.controls.push(Control::TopicRejected {
                topic: topic.to_owned(),
                reason: "forbidden".to_owned(),
            }),
            ["beat"] => {}
            _ => {
                let reason = "unknown word".to_owned();
                return Err(Unreadable {
                    what: "frame",
                    reason,
                });
            }
        }
    }
    Ok(batch)
}

fn event(id: Option<&str>, topic: &str, text: &str) -> ProviderEvent {
    ProviderEvent {
        id: id.map(str::to_owned),
        topic: topic.to_owned(),
        raw: Bytes::copy_from_slice(text.as_bytes()),
        ..ProviderEvent::default()
    }
}

impl Connector for Fake {
    fn platform(&self) -> Platform {
        Platform::new("fake")
    }

    fn source(&self) -> &str {
        "//fake/fake.test/cc"
    }

    fn topics(&self) -> &[String] {
        &self.topics
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn addresses(&self) -> &UrlPolicy {
        &self.addresses
    }

    fn probe(&self) -> Option<Handshake> {
        None
    }

    fn link(&self, _opening: Opening<'_>) -> Box<dyn Link> {
        Box::new(FakeLink {
            address: (!self.setup).then(|| "wss://fake.test/channel".to_owned()),
            topics: self.topics.clone(),
            subscribed: !self.setup,
            every: self.heartbeat,
            beat: None,
            heard: None,
        })
    }

    fn catch_up(&self, _range: NumberRange, _token: &AccessToken) -> Option<Call> {
        None
    }

    fn read_catch_up(&self, answer: &HttpResponse) -> Result<Batch, Unreadable> {
        read(&answer.body)
    }

    fn recovery(&self, _window: &LossWindow) -> Recovery {
        self.recovery
    }

    fn recovery_call(
        &self,
        _window: &LossWindow,
        index: usize,
        _token: &AccessToken,
    ) -> Option<Call> {
        Some(call(
            Method::GET,
            &format!("/recovery/{index}"),
            String::new(),
        ))
    }

    fn read_recovery(
        &self,
        _index: usize,
        answer: &HttpResponse,
    ) -> Result<Vec<ProviderEvent>, Unreadable> {
        read(&answer.body).map(|batch| batch.events)
    }

    fn health(&self, _token: &AccessToken) -> Option<Call> {
        None
    }

    fn normalize(&self, event: &ProviderEvent) -> v1::Event {
        v1::Event {
            id: event.id.clone().unwrap_or_default(),
            source: self.source().to_owned(),
            r#type: "ccaas.unmapped.v1".to_owned(),
            subject: event.topic.clone(),
            ordering_key: event.topic.clone(),
            provider_type: event.topic.clone(),
            raw_data: event.raw.clone(),
            ..v1::Event::default()
        }
    }
}

#[derive(Debug)]
struct FakeLink {
    address: Option<String>,
    topics: Vec<String>,
    subscribed: bool,
    every: Option<Duration>,
    beat: Option<MonoTime>,
    heard: Option<MonoTime>,
}

impl Link for FakeLink {
    fn setup(&mut self, _token: &AccessToken) -> Setup {
        match (&self.address, self.subscribed) {
            (None, _) => Setup::Call(Box::new(call(Method::POST, "/channels", String::new()))),
            (Some(_), false) => {
                let topics = self.topics.join(",");
                Setup::Call(Box::new(call(
                    Method::PUT,
                    "/channels/subscriptions",
                    topics,
                )))
            }
            (Some(_), true) => Setup::Ready,
        }
    }

    fn setup_answer(&mut self, answer: &HttpResponse) -> Result<(), Unreadable> {
        if self.address.is_none() {
            self.address = Some(String::from_utf8(answer.body.to_vec()).unwrap());
        } else {
            self.subscribed = true;
        }
        Ok(())
    }

    fn handshake(&self, _token: &AccessToken) -> Option<Handshake> {
        let url = self.address.as_ref()?.parse().ok()?;
        Some(Handshake {
            url,
            headers: HeaderMap::new(),
        })
    }

    fn opened(&mut self, resume: Resume<'_>) -> Vec<Frame> {
        let cursor = resume.opaque.map_or("none", |o| o.expose().as_str());
        vec![Frame::Text(format!("subscribe after {cursor}").into())]
    }

    fn poll(&mut self, resume: Resume<'_>, _token: &AccessToken) -> Option<Call> {
        let cursor = resume.opaque.map_or("none", |o| o.expose().as_str());
        Some(call(Method::GET, &format!("/next/{cursor}"), String::new()))
    }

    fn read_frame(&mut self, now: MonoTime, frame: &Bytes) -> Result<Batch, Unreadable> {
        self.heard = Some(now);
        if let Some(every) = self.every {
            self.beat.get_or_insert(now + every);
        }
        read(frame)
    }

    fn read_poll(&mut self, answer: &HttpResponse) -> Result<Batch, Unreadable> {
        let mut batch = read(&answer.body)?;
        batch.confirms = Confirms::All;
        Ok(batch)
    }

    fn heartbeat_due(&self) -> Option<MonoTime> {
        self.beat
    }

    fn heartbeat(&mut self, now: MonoTime, _wall: WallTime) -> Result<Vec<Frame>, Silent> {
        let every = self.every.unwrap();
        let silent = self
            .heard
            .is_some_and(|at| now.saturating_duration_since(at) >= every * 2);
        self.beat = Some(now + every);
        if silent {
            Err(Silent)
        } else {
            Ok(vec![Frame::Text("ping".into())])
        }
    }
}
