//! A platform without numbers: channels made over REST, topics confirmed one by one, text
//! heartbeats, ids or none, an opaque cursor, present state over REST.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use parking_lot::Mutex;

use crate::auth::AccessToken;
use crate::connectors::{
    Batch, Call, Capabilities, Condition, Confirms, Connector, Content, Control, Dispatch, Family,
    Found, Handshake, Identity, Keep, Link, LossWindow, NumberRange, Opaque, Opening, Outgoing,
    ProviderEvent, Receipt, Recovered, Recoverer, Resume, Seen, SendOutcome, Sending, Setup,
    Silent, Snapshot, Step, Tracked, Transport, Unreadable, Unsendable, Verdict,
};
use crate::domain::{Platform, WallTime};
use crate::net::{Frame, HttpResponse, UrlPolicy};
use crate::proto::v1;
use crate::runtime::MonoTime;

/// What a link's own ping says.
pub(super) const OWN_PING: &str = "own";

/// What REST can say about a loss window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::session) enum Rest {
    Nothing,
    History { calls: usize },
    PresentState { calls: usize },
}

#[derive(Debug, Clone)]
pub(in crate::session) struct Fake {
    pub(super) capabilities: Capabilities,
    /// What REST knows of each family, by its name.
    pub(super) rest: Vec<(&'static str, Rest)>,
    pub(super) families: Vec<Family>,
    pub(super) topics: Vec<String>,
    /// Channels are made over REST.
    pub(super) setup: bool,
    /// Channels outlive their connections.
    pub(super) keeps: bool,
    /// Calls are refused once with a way around it.
    pub(super) another_way: bool,
    pub(super) yields: bool,
    pub(super) errand: Option<Duration>,
    pub(super) heartbeat: Option<Duration>,
    /// Nothing but the answer to its own ping confirms a subscription.
    pub(super) confirms_by_pong: bool,
    /// It has a ping of its own: `ask:` with a name in hexadecimal, answered by `proof:` with that.
    pub(super) own_questions: bool,
    /// What links were told of the session.
    pub(super) conditions: Arc<Mutex<Vec<Condition>>>,
    /// How it takes messages.
    pub(super) sending: Option<Sending>,
    /// What the history was asked about.
    pub(super) asked: Arc<Mutex<Vec<LossWindow>>>,
    /// They leave as requests on a connection, too.
    pub(super) calls: bool,
    addresses: UrlPolicy,
}

impl Fake {
    pub(in crate::session) fn new(identity: Identity) -> Self {
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
                coverage_mark: crate::connectors::COVERAGE_MARK,
                read_buffer: crate::connectors::READ_BUFFER,
                connections: 1,
            },
            rest: Vec::new(),
            families: Vec::new(),
            topics: vec!["a".to_owned(), "b".to_owned()],
            setup: false,
            keeps: false,
            another_way: false,
            yields: false,
            errand: None,
            heartbeat: None,
            confirms_by_pong: false,
            own_questions: false,
            conditions: Arc::default(),
            sending: None,
            asked: Arc::default(),
            calls: false,
            addresses: UrlPolicy::new(&"https://fake.test".parse().unwrap(), &[], false).unwrap(),
        }
    }

    /// One family of all topics, of which REST can say this.
    pub(in crate::session) fn knowing(mut self, rest: Rest) -> Self {
        self.rest = vec![("", rest)];
        self
    }

    /// Takes messages.
    pub(in crate::session) fn taking(mut self, rest: bool, history: bool) -> Self {
        self.sending = Some(Sending {
            pace: Duration::from_millis(100),
            acknowledged_within: Duration::from_secs(30),
            rest,
            history,
        });
        self
    }

    /// Each topic is a family of its own.
    pub(super) fn by_topic(mut self, families: &[(&'static str, Rest)]) -> Self {
        self.rest = families.to_vec();
        self.topics = families
            .iter()
            .map(|(name, _)| (*name).to_owned())
            .collect();
        let family = |(name, _): &(&'static str, Rest)| Family {
            name,
            topics: vec![(*name).to_owned()],
        };
        self.families = families.iter().map(family).collect();
        self
    }

    pub(in crate::session) fn shared(self) -> Arc<dyn Connector> {
        Arc::new(self)
    }

    fn family_of(&self, topic: &str) -> &'static str {
        let mut families = self.families.iter();
        let own = families.find(|f| f.topics.iter().any(|t| t == topic));
        own.map_or("", |family| family.name)
    }

    /// `;` between words; `ok`, `ok:topic`, `ev:topic:text`, `id:id:topic:text`, `cursor:text`,
    /// `no:topic`, `dated:topic:text`, `set:topic:key:text`, `in:scope:key:text`, `out:scope:key:text`,
    /// `state` or `state:scope` for a present state, `full:scope` for a scope that is listed.
    fn read(&self, text: &Bytes, full: &mut Vec<String>) -> Result<Batch, Unreadable> {
        let mut batch = Batch::default();
        let text = std::str::from_utf8(text).unwrap();
        for word in text.split(';').filter(|w| !w.is_empty()) {
            let parts: Vec<_> = word.split(':').collect();
            let event = |topic: &str, text: &str| ProviderEvent {
                topic: topic.to_owned(),
                raw: Bytes::copy_from_slice(text.as_bytes()),
                family: self.family_of(topic),
                ..ProviderEvent::default()
            };
            let tracked = |scope: &str, key: &str, text: &str, stands| ProviderEvent {
                key: Some(key.to_owned()),
                tracked: Some(Tracked {
                    scope: scope.to_owned(),
                    key: key.to_owned(),
                    stands,
                }),
                ..event(scope, text)
            };
            match parts[..] {
                ["ok"] => batch.confirms = Confirms::All,
                ["ok", topic] => match &mut batch.confirms {
                    Confirms::Topics(topics) => topics.push(topic.to_owned()),
                    other => *other = Confirms::Topics(vec![topic.to_owned()]),
                },
                ["ev", topic, text] => batch.events.push(event(topic, text)),
                ["dated", topic, text] => batch.events.push(ProviderEvent {
                    dated: true,
                    ..event(topic, text)
                }),
                ["set", topic, key, text] => batch.events.push(ProviderEvent {
                    key: Some(key.to_owned()),
                    ..event(topic, text)
                }),
                ["id", id, topic, text] => batch.events.push(ProviderEvent {
                    id: Some(id.to_owned()),
                    ..event(topic, text)
                }),
                ["in", scope, key, text] => batch.events.push(tracked(scope, key, text, true)),
                ["out", scope, key, text] => batch.events.push(tracked(scope, key, text, false)),
                ["state"] => batch.snapshot = Some(Snapshot::default()),
                ["state", scope] => {
                    batch.snapshot = Some(Snapshot {
                        complete: vec![scope.to_owned()],
                    });
                }
                ["full", scope] => full.push(scope.to_owned()),
                ["cursor", text] => batch.opaque = Some(Opaque::new(text.to_owned())),
                ["closing"] => batch.controls.push(Control::Closing),
                ["lost"] => batch.controls.push(Control::SubscriptionLost {
                    reason: "evicted".to_owned(),
                }),
                ["missed"] => batch.controls.push(Control::Missed {
                    reason: "EVENT_MISSED".to_owned(),
                }),
                ["ended"] => batch.controls.push(Control::Ended {
                    reason: "SIGNED_OUT".to_owned(),
                }),
                ["expired"] => batch.controls.push(Control::Expired {
                    reason: "SESSION_EXPIRED".to_owned(),
                }),
                ["superseded"] => batch.controls.push(Control::Superseded {
                    reason: "NEW_TAB".to_owned(),
                }),
                ["ack", ref rest @ ..] => batch.receipts.push(Receipt {
                    id: rest.first().map(|id| (*id).to_owned()),
                    outcome: SendOutcome::Acknowledged {
                        provider_id: rest.get(1).map(|id| (*id).to_owned()),
                    },
                }),
                ["throttled", millis] => batch.receipts.push(Receipt {
                    id: None,
                    outcome: SendOutcome::Throttled {
                        retry_after: Duration::from_millis(millis.parse().unwrap()),
                    },
                }),
                ["unknown"] => batch.receipts.push(Receipt {
                    id: None,
                    outcome: SendOutcome::Unknown { reason: "UNSURE" },
                }),
                ["no", topic] => batch.controls.push(Control::TopicRejected {
                    topic: topic.to_owned(),
                    reason: "forbidden".to_owned(),
                }),
                ["proof", name] => {
                    let name = u64::from_str_radix(name, 16).unwrap().to_be_bytes();
                    let name = Bytes::copy_from_slice(&name);
                    batch.controls.push(Control::Proof { name });
                }
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
}

/// `seen:provider's id:text`
fn seen_copy(word: &str) -> Seen {
    let parts: Vec<_> = word.split(':').collect();
    Seen {
        provider_id: parts[1].to_owned(),
        id: None,
        content: Some(Content::Text {
            text: parts[2].to_owned(),
        }),
        time: None,
    }
}

fn words(message: &Outgoing<'_>) -> String {
    match message.content {
        Content::Text { text } => format!("{}:{text}", message.id),
        other => panic!("sends text, not {other:?}"),
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

    fn families(&self) -> Vec<Family> {
        if self.families.is_empty() {
            return vec![Family {
                name: "",
                topics: self.topics.clone(),
            }];
        }
        self.families.clone()
    }

    fn link(&self, opening: Opening<'_>) -> Box<dyn Link> {
        let kept = opening
            .resume
            .opaque
            .filter(|_| self.keeps && !opening.beside);
        let channel = kept.map(|channel| channel.expose().clone());
        let kept = channel.is_some();
        let fixed = (!self.setup).then(|| "wss://fake.test/channel".to_owned());
        Box::new(FakeLink {
            fake: self.clone(),
            subscribed: !self.setup || kept,
            address: channel.or(fixed),
            transport: opening.transport,
            gone: false,
            refused: false,
            beat: None,
            sent: None,
            heard: None,
            errand: None,
        })
    }

    fn catch_up(&self, _range: NumberRange, _token: &AccessToken) -> Option<Call> {
        None
    }

    fn read_catch_up(&self, answer: &HttpResponse) -> Result<Batch, Unreadable> {
        self.read(&answer.body, &mut Vec::new())
    }

    fn recover(&self, family: &str, window: &LossWindow) -> Option<Box<dyn Recoverer>> {
        assert!(window.start <= window.end);
        self.asked.lock().push(window.clone());
        let (name, rest) = *self.rest.iter().find(|(name, _)| *name == family)?;
        let (calls, found) = match rest {
            Rest::Nothing => return None,
            Rest::History { calls } => (calls, Found::Everything),
            Rest::PresentState { calls } => (calls, Found::PresentState),
        };
        Some(Box::new(FakeRecoverer {
            fake: self.clone(),
            name,
            window: window.clone(),
            calls,
            found,
            step: 0,
        }))
    }

    fn departed(&self, scope: &str, key: &str) -> Option<ProviderEvent> {
        Some(ProviderEvent {
            topic: scope.to_owned(),
            key: Some(key.to_owned()),
            family: self.family_of(scope),
            ..ProviderEvent::default()
        })
    }

    fn sending(&self) -> Option<Sending> {
        self.sending
    }

    fn check_outgoing(&self, message: &Outgoing<'_>) -> Result<(), Unsendable> {
        match words(message).len() {
            0..100 => Ok(()),
            long => Err(Unsendable {
                reason: "MESSAGE_TOO_LONG",
                field: "message.text.text",
                problem: format!("{long} bytes; at most 99"),
            }),
        }
    }

    fn verdict(&self, status: StatusCode) -> Option<Verdict> {
        match status.as_u16() {
            404 => Some(Verdict::Gone),
            409 => Some(Verdict::Ended),
            _ => None,
        }
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
            ordering_key: event.key.clone().unwrap_or_else(|| event.topic.clone()),
            provider_type: event.topic.clone(),
            raw_data: event.raw.clone(),
            ..v1::Event::default()
        }
    }
}

#[derive(Debug)]
struct FakeRecoverer {
    fake: Fake,
    name: &'static str,
    window: LossWindow,
    calls: usize,
    found: Found,
    step: usize,
}

impl Recoverer for FakeRecoverer {
    fn holds(&self) -> bool {
        self.found == Found::PresentState
    }

    fn next(&mut self, _token: &AccessToken) -> Step<Found> {
        if self.step >= self.calls {
            return Step::Done(self.found);
        }
        let path = format!("/recovery/{}{}", self.name, self.step);
        let (start, end) = (self.window.start.as_nanos(), self.window.end.as_nanos());
        Step::Call(Box::new(call(Method::GET, &path, format!("{start}-{end}"))))
    }

    fn answer(&mut self, answer: &HttpResponse, _wall: WallTime) -> Result<Recovered, Unreadable> {
        let mut complete = Vec::new();
        let text = std::str::from_utf8(&answer.body).unwrap();
        let (seen, rest): (Vec<&str>, Vec<&str>) =
            text.split(';').partition(|word| word.starts_with("seen:"));
        let batch = self.fake.read(&rest.join(";").into(), &mut complete)?;
        self.step += 1;
        Ok(Recovered {
            events: batch.events,
            complete,
            seen: seen.into_iter().map(seen_copy).collect(),
        })
    }

    fn refused(&mut self, status: StatusCode) -> bool {
        self.step += 1;
        status.as_u16() == 404
    }
}

#[derive(Debug)]
struct FakeLink {
    fake: Fake,
    address: Option<String>,
    transport: Transport,
    subscribed: bool,
    /// The platform does not know the channel any more.
    gone: bool,
    refused: bool,
    beat: Option<MonoTime>,
    sent: Option<MonoTime>,
    heard: Option<MonoTime>,
    errand: Option<MonoTime>,
}

impl Link for FakeLink {
    fn setup(&mut self, _token: &AccessToken) -> Setup {
        if self.fake.yields {
            return Setup::Yield {
                reason: "NO_CHANNEL_LEFT".to_owned(),
            };
        }
        match (&self.address, self.subscribed) {
            (None, _) => Setup::Call(Box::new(call(Method::POST, "/channels", String::new()))),
            (Some(_), false) => {
                let topics = self.fake.topics.join(",");
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

    fn setup_refused(&mut self, _answer: &HttpResponse) -> bool {
        self.fake.another_way && !std::mem::replace(&mut self.refused, true)
    }

    fn over(&mut self, status: Option<StatusCode>) {
        self.gone = status.is_some_and(|status| status.as_u16() == 404);
    }

    fn keep(&self) -> Keep {
        match (&self.address, self.fake.keeps, self.gone) {
            (_, keeps, true) if keeps || self.transport == Transport::LongPoll => Keep::Nothing,
            (Some(address), true, false) => Keep::This(Opaque::new(address.clone())),
            _ => Keep::Unchanged,
        }
    }

    fn errand_due(&self) -> Option<MonoTime> {
        self.errand
    }

    fn errand(&mut self, now: MonoTime, _token: &AccessToken) -> Option<Call> {
        self.errand = self.fake.errand.map(|every| now + every);
        Some(call(Method::PUT, "/errand", String::new()))
    }

    fn errand_answer(
        &mut self,
        _now: MonoTime,
        answer: Option<&HttpResponse>,
    ) -> Result<Batch, Unreadable> {
        match answer.filter(|answer| answer.status.is_success()) {
            Some(answer) => self.fake.read(&answer.body, &mut Vec::new()),
            None => Ok(Batch::default()),
        }
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
        let subscribe = Frame::Text(format!("subscribe after {cursor}").into());
        let ping = || Frame::Ping(OWN_PING.into());
        let own = self.fake.confirms_by_pong.then(ping);
        [subscribe].into_iter().chain(own).collect()
    }

    fn poll(&mut self, resume: Resume<'_>, _token: &AccessToken) -> Option<Call> {
        let cursor = resume.opaque.map_or("none", |o| o.expose().as_str());
        Some(call(Method::GET, &format!("/next/{cursor}"), String::new()))
    }

    fn read_frame(&mut self, now: MonoTime, frame: &Bytes) -> Result<Batch, Unreadable> {
        self.heard = Some(now);
        if let Some(every) = self.fake.heartbeat {
            self.beat.get_or_insert(now + every);
        }
        if let Some(every) = self.fake.errand {
            self.errand.get_or_insert(now + every);
        }
        let mut batch = self.fake.read(frame, &mut Vec::new())?;
        if frame.as_ref() == b"beat" {
            let answered = self.sent.take().map(|sent| Control::Answered { sent });
            batch.controls.extend(answered);
        }
        Ok(batch)
    }

    fn ask(&mut self, name: &Bytes) -> Frame {
        match self.fake.own_questions {
            true => {
                let hex: String = name.iter().map(|byte| format!("{byte:02x}")).collect();
                Frame::Text(format!("ask:{hex}").into())
            }
            false => Frame::Ping(name.clone()),
        }
    }

    fn ponged(&mut self, named: &Bytes) -> Confirms {
        match self.fake.confirms_by_pong && named == OWN_PING.as_bytes() {
            true => Confirms::All,
            false => Confirms::Nothing,
        }
    }

    fn send(
        &mut self,
        _now: MonoTime,
        _wall: WallTime,
        message: &Outgoing<'_>,
    ) -> Option<Dispatch> {
        if self.fake.calls {
            return self.send_over_rest(message).map(Dispatch::Call);
        }
        let text = format!("message {}", words(message));
        Some(Dispatch::Frames(vec![
            Frame::Text("typing".into()),
            Frame::Text(text.into()),
        ]))
    }

    fn send_over_rest(&mut self, message: &Outgoing<'_>) -> Option<Box<Call>> {
        Some(Box::new(call(Method::POST, "/messages", words(message))))
    }

    fn sent_answer(&mut self, _wall: WallTime, answer: &HttpResponse) -> SendOutcome {
        match answer.status.as_u16() {
            200 => SendOutcome::Acknowledged {
                provider_id: Some(String::from_utf8(answer.body.to_vec()).unwrap()),
            },
            429 => SendOutcome::Throttled {
                retry_after: Duration::from_secs(3),
            },
            400..500 => SendOutcome::Refused { reason: "REFUSED" },
            _ => SendOutcome::NotTaken { reason: "DOWN" },
        }
    }

    fn goodbye(&mut self) -> Vec<Frame> {
        vec![Frame::Text("goodbye".into())]
    }

    fn condition(&mut self, _now: MonoTime, condition: Condition) {
        self.fake.conditions.lock().push(condition);
    }

    fn unheard(&mut self, now: MonoTime) {
        self.heard = Some(now);
    }

    fn read_poll(&mut self, answer: &HttpResponse) -> Result<Batch, Unreadable> {
        assert_eq!(self.transport, Transport::LongPoll);
        let mut batch = self.fake.read(&answer.body, &mut Vec::new())?;
        batch.confirms = Confirms::All;
        Ok(batch)
    }

    fn heartbeat_due(&self) -> Option<MonoTime> {
        self.beat
    }

    fn heartbeat(&mut self, now: MonoTime, _wall: WallTime) -> Result<Vec<Frame>, Silent> {
        let every = self.fake.heartbeat.unwrap();
        let silent = self
            .heard
            .is_some_and(|at| now.saturating_duration_since(at) >= every * 2);
        if silent {
            // As of a watchdog that has run out.
            Err(Silent)
        } else {
            self.beat = Some(now + every);
            self.sent = Some(now);
            Ok(vec![Frame::Text("ping".into())])
        }
    }
}
