//! A rig around one machine: answers tokens and appends by itself, records everything else.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use crate::auth::{AccessToken, Sealer, TokenProblem};
use crate::connectors::{Built, Connector, Settings, build};
use crate::domain::{Sequence, SessionName, WallTime};
use crate::journal::{AppendError, Commit, Committed, Lane, StateEntry};
use crate::net::{Frame, HandshakeFailure, HttpFailure, HttpResponse};
use crate::proto::v1;
use crate::proto::v1::event::{Data, Origin};
use crate::runtime::{MonoTime, Rng, Secret};
use crate::session::machine::{
    Action, At, Endpoint, Input, Machine, MachineParts, Recovered, StateName,
};
use crate::session::ordering::SharedIds;
use crate::session::outbound::{Answer, Defaults, Handover, Ticket, UnknownOutcome};
use crate::session::{Checked, HealthReport, SessionStats, TimingConfig, TransportChoice};
use crate::telemetry::traces::Tracer;

pub(super) const PREFIX: &str = "sessions/cc/";

/// A journal that keeps commits, as a list.
#[derive(Debug, Default)]
pub(super) struct TestJournal {
    pub(super) events: Vec<v1::Event>,
    pub(super) state: BTreeMap<String, StateEntry>,
    pub(super) commits: usize,
    pub(super) refusals: VecDeque<AppendError>,
    pub(super) refused: usize,
    lane: Lane,
}

impl TestJournal {
    pub(super) fn append(&mut self, number: u64, commit: Commit) -> Result<Committed, AppendError> {
        let turn = self.lane.turn(number);
        if !turn.take() {
            return Err(AppendError::OutOfTurn);
        }
        if let Some(refusal) = self.refusals.pop_front() {
            turn.give_back();
            self.refused += 1;
            return Err(refusal);
        }
        self.commits += 1;
        let first = Sequence::new(self.events.len() as u64 + 1);
        for delta in commit.state {
            let sequence = delta.event.map_or(Sequence::ZERO, |i| first.plus(i as u64));
            match delta.value {
                Some(value) => {
                    let entry = StateEntry {
                        key: delta.key.clone(),
                        value,
                        sequence,
                    };
                    self.state.insert(delta.key, entry);
                }
                None => {
                    self.state.remove(&delta.key);
                }
            }
        }
        for mut event in commit.events {
            event.sequence = self.events.len() as u64 + 1;
            self.events.push(event);
        }
        let last = Sequence::new(self.events.len() as u64);
        Ok(Committed {
            first,
            last,
            record_time: WallTime::default(),
        })
    }
}

/// What the machine asked for and nobody answered yet.
#[derive(Debug, Clone)]
pub(super) enum Sent {
    Dial {
        generation: u64,
        url: String,
        token: Option<String>,
    },
    Frame {
        generation: u64,
        frame: Frame,
    },
    Close {
        generation: u64,
        code: u16,
    },
    Drop {
        generation: u64,
    },
    Call {
        call: u64,
        target: String,
        body: String,
        token: Option<String>,
    },
    Cancel {
        call: u64,
    },
    Reject(u64),
}

pub(super) struct Rig {
    pub(super) machine: Machine,
    pub(super) journal: TestJournal,
    pub(super) now: MonoTime,
    pub(super) wall: WallTime,
    pub(super) sent: Vec<Sent>,
    /// Everything ever sent.
    history: Vec<Sent>,
    /// Appends that are under way when they are not answered at once.
    pub(super) appends: VecDeque<(u64, Commit)>,
    pub(super) auto_append: bool,
    /// An input is being handled.
    acting: bool,
    pub(super) tokens: VecDeque<Result<u64, TokenProblem>>,
    pub(super) token: u64,
    pub(super) token_asks: usize,
    pub(super) stats: Arc<SessionStats>,
    pub(super) connector: Arc<dyn Connector>,
    /// Whose health is asked for.
    pub(super) health_of: Option<Arc<dyn Connector>>,
    pub(super) alternatives: Vec<Endpoint>,
    pub(super) choice: TransportChoice,
    pub(super) timing: TimingConfig,
    pub(super) seed: u64,
    pub(super) sealer: Option<Arc<Sealer>>,
    pub(super) outbound: Option<Defaults>,
    /// What callers were told.
    pub(super) answers: Vec<(Ticket, Answer)>,
    /// Messages given to a socket that does not write.
    pub(super) handed: Vec<(u64, Ticket, Handover)>,
    /// Whether sockets write what they are given, at once.
    pub(super) writes: bool,
}

pub(super) fn genesys() -> Arc<dyn Connector> {
    genesys_at("https://api.example.test")
}

/// The same at another address.
pub(super) fn genesys_at(endpoint: &str) -> Arc<dyn Connector> {
    let session = SessionName::new("cc").unwrap();
    let endpoint = endpoint.parse().unwrap();
    let settings = Settings {
        source_host: Some("api.example.test".to_owned()),
        channels: vec!["a".to_owned(), "b".to_owned()],
        ..Settings::new("genesys-events", session, endpoint)
    };
    match build(&settings).unwrap() {
        Built::Ready(mut connectors) => connectors.remove(0),
        Built::Planned(plan) => panic!("a profile needs no plan: {plan:?}"),
    }
}

fn machine(rig: &Rig) -> Machine {
    let entries: Vec<_> = rig.journal.state.values().cloned().collect();
    let parts = MachineParts {
        session: SessionName::new("cc").unwrap(),
        journal: "journals/default".to_owned(),
        prefix: PREFIX.to_owned(),
        connector: Arc::clone(&rig.connector),
        alternatives: rig.alternatives.clone(),
        transport: rig.choice,
        timing: rig.timing.clone(),
        rng: Rng::from_seed(rig.seed),
        stats: Arc::clone(&rig.stats),
        recovered: Recovered::read(PREFIX, &entries, rig.sealer.as_deref()).unwrap(),
        sealer: rig.sealer.clone(),
        recent_ids: SharedIds::new(
            rig.now,
            rig.journal
                .events
                .iter()
                .map(|e| crate::journal::id_hash(&e.source, &e.id))
                .collect(),
        ),
        outbound: rig.outbound,
        tracer: Tracer::off(),
    };
    Machine::new(parts, rig.at())
}

impl Rig {
    pub(super) fn new() -> Self {
        Self::with(genesys(), TransportChoice::Auto)
    }

    pub(super) fn polling_only() -> Self {
        Self::with(genesys(), TransportChoice::LongPoll)
    }

    pub(super) fn with(connector: Arc<dyn Connector>, choice: TransportChoice) -> Self {
        let now = MonoTime::now();
        let wall = WallTime::parse_rfc3339("2026-03-10T09:41:00Z").unwrap();
        let stats = Arc::<SessionStats>::default();
        let timing = TimingConfig::default();
        let outbound = connector.sending().map(|_| Defaults {
            ttl: Duration::from_secs(300),
            attempts: 3,
            unknown_outcome: UnknownOutcome::Report,
        });
        let parts = MachineParts {
            session: SessionName::new("cc").unwrap(),
            journal: "journals/default".to_owned(),
            prefix: PREFIX.to_owned(),
            connector: Arc::clone(&connector),
            alternatives: Vec::new(),
            transport: choice,
            timing: timing.clone(),
            rng: Rng::from_seed(7),
            stats: Arc::clone(&stats),
            recovered: Recovered::default(),
            sealer: None,
            recent_ids: SharedIds::default(),
            outbound,
            tracer: Tracer::off(),
        };
        let machine = Machine::new(parts, At { now, wall });
        Self {
            machine,
            journal: TestJournal::default(),
            now,
            wall,
            sent: Vec::new(),
            history: Vec::new(),
            appends: VecDeque::new(),
            auto_append: true,
            acting: false,
            tokens: VecDeque::new(),
            token: 1,
            token_asks: 0,
            stats,
            connector,
            health_of: None,
            alternatives: Vec::new(),
            choice,
            timing,
            seed: 7,
            sealer: None,
            outbound,
            answers: Vec::new(),
            handed: Vec::new(),
            writes: true,
        }
    }

    /// Kills the process and starts it again on what was committed.
    pub(super) fn crash(&mut self) {
        self.seed += 1;
        self.sent.clear();
        self.appends.clear();
        self.renew();
        self.input(Input::Start);
    }

    /// Another machine, whose commits are numbered anew.
    fn renew(&mut self) {
        self.journal.lane = Lane::default();
        self.machine = machine(self);
    }

    /// The same session, before it has begun, with somewhere else to go.
    pub(super) fn or_at(&mut self, hosts: &[&str]) {
        let endpoint = |host: &&str| Endpoint {
            host: (*host).to_owned(),
            connector: genesys_at(&format!("https://{host}")),
        };
        self.alternatives = hosts.iter().map(endpoint).collect();
        self.renew();
    }

    /// The next health report.
    pub(super) fn health(&mut self, failures: u32) {
        self.health_of.take().expect("health is asked for");
        let checked = match failures {
            0 => Checked::Answered(Duration::from_millis(20)),
            _ => Checked::Failed,
        };
        let serial = 1;
        self.input(Input::Health(HealthReport {
            serial,
            checked,
            failures,
        }));
    }

    /// What is subscribed to changed.
    pub(super) fn replace(&mut self, fake: super::fake::Fake) {
        self.connector = fake.shared();
        self.input(Input::Replaced(Arc::clone(&self.connector)));
    }

    /// A machine with other timing, before it has begun.
    pub(super) fn retime(&mut self, change: impl FnOnce(&mut TimingConfig)) {
        change(&mut self.timing);
        self.renew();
    }

    pub(super) fn at(&self) -> At {
        At {
            now: self.now,
            wall: self.wall,
        }
    }

    pub(super) fn input(&mut self, input: Input) {
        let mut out = Vec::new();
        self.machine.handle(self.at(), input, &mut out);
        self.take(out);
    }

    /// Does what the machine asks for, and then answers its appends, in their order.
    fn take(&mut self, actions: Vec<Action>) {
        let within = std::mem::replace(&mut self.acting, true);
        self.perform(actions);
        while !within && self.auto_append && !self.appends.is_empty() {
            self.commit_one();
        }
        self.acting = within;
    }

    fn perform(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::AskToken => self.answer_token(),
                Action::RejectToken(generation) => {
                    self.token = self.token.max(generation + 1);
                    self.note(Sent::Reject(generation));
                }
                Action::Dial {
                    generation,
                    request,
                } => {
                    let token = bearer(&request.headers);
                    let url = request.url.to_string();
                    self.note(Sent::Dial {
                        generation,
                        url,
                        token,
                    });
                }
                Action::Send {
                    generation, frame, ..
                } => {
                    self.note(Sent::Frame { generation, frame });
                }
                Action::Dispatch {
                    generation,
                    frames,
                    handover,
                    ticket,
                } => {
                    if self.writes {
                        assert!(handover.begin(), "taken back before it was given");
                        for frame in frames {
                            self.note(Sent::Frame { generation, frame });
                        }
                        self.input(Input::Written { generation, ticket });
                    } else {
                        self.handed.push((generation, ticket, handover));
                    }
                }
                Action::Answer(ticket, answer) => self.answers.push((ticket, answer)),
                Action::Close { generation, code } => {
                    self.note(Sent::Close { generation, code });
                }
                Action::Drop { generation } => self.note(Sent::Drop { generation }),
                Action::Call { call, request } => {
                    let query = request.url.query().map(|q| format!("?{q}"));
                    self.note(Sent::Call {
                        call,
                        target: format!("{}{}", request.url.path(), query.unwrap_or_default()),
                        body: String::from_utf8(request.body.to_vec()).unwrap(),
                        token: bearer(&request.headers),
                    });
                }
                Action::Cancel { call } => self.note(Sent::Cancel { call }),
                Action::Append { number, commit } => {
                    let commit = Arc::unwrap_or_clone(commit);
                    self.appends.push_back((number, commit));
                }
                Action::AskHealth(connector) => self.health_of = Some(connector),
                Action::DropHealth => self.health_of = None,
                Action::Post => {}
            }
        }
    }

    fn note(&mut self, sent: Sent) {
        self.history.push(sent.clone());
        self.sent.push(sent);
    }

    fn answer_token(&mut self) {
        self.token_asks += 1;
        let answer = self.tokens.pop_front().unwrap_or(Ok(self.token));
        let result = answer.map(|generation| AccessToken {
            value: Secret::new(format!("t{generation}")),
            generation,
            expires_at: self.now + Duration::from_secs(300),
        });
        self.input(Input::Token(result));
    }

    /// Answers the oldest append under way.
    pub(super) fn commit_one(&mut self) {
        let (number, commit) = self.appends.pop_front().expect("an append is under way");
        let result = self.journal.append(number, commit);
        self.input(Input::Appended { number, result });
    }

    /// Lets time pass, doing what is due; no more than a few things may be due at one moment.
    pub(super) fn advance(&mut self, by: Duration) {
        let end = self.now + by;
        let mut at_once = 0;
        while let Some(due) = self.machine.next_timeout().filter(|due| *due <= end) {
            let step = due.saturating_duration_since(self.now);
            at_once = if step.is_zero() { at_once + 1 } else { 0 };
            assert!(
                at_once < 20,
                "something is due over and over: {:?}",
                self.machine.state()
            );
            self.now += step;
            self.wall = self.wall.plus(step);
            let mut out = Vec::new();
            self.machine.handle_timeout(self.at(), &mut out);
            self.take(out);
        }
        let rest = end.saturating_duration_since(self.now);
        self.now = end;
        self.wall = self.wall.plus(rest);
    }

    /// The process does not run for so long, and is late for all that was due.
    pub(super) fn held_up(&mut self, time: Duration) {
        self.now += time;
        self.wall = self.wall.plus(time);
    }

    pub(super) fn secs(&mut self, seconds: u64) {
        self.advance(Duration::from_secs(seconds));
    }

    pub(super) fn millis(&mut self, millis: u64) {
        self.advance(Duration::from_millis(millis));
    }

    /// Lets time pass until something is requested, at most `seconds`.
    pub(super) fn until_request(&mut self, seconds: u64) {
        let before = self.history.len();
        for _ in 0..seconds * 20 {
            let new = self.history.iter().skip(before);
            if new
                .clone()
                .any(|s| matches!(s, Sent::Dial { .. } | Sent::Call { .. }))
            {
                return;
            }
            self.millis(50);
        }
        panic!(
            "nothing was requested within {seconds} s in {:?}",
            self.state()
        );
    }

    pub(super) fn state(&self) -> StateName {
        self.machine.state()
    }

    // What was sent.

    pub(super) fn sent(&mut self) -> Vec<Sent> {
        std::mem::take(&mut self.sent)
    }

    /// Forgets what was sent, but for the newest handshake and frame.
    pub(super) fn forget(&mut self) {
        self.sent.clear();
        let dial = self
            .history
            .iter()
            .rposition(|s| matches!(s, Sent::Dial { .. }));
        let newest = self.history.len().saturating_sub(1);
        let mut index = 0;
        self.history.retain(|_| {
            index += 1;
            Some(index - 1) == dial || index > newest
        });
    }

    /// The newest handshake: generation, url, token.
    pub(super) fn last_dial(&self) -> (u64, String, Option<String>) {
        let dials = self.history.iter().rev().find_map(|sent| match sent {
            Sent::Dial {
                generation,
                url,
                token,
            } => Some((*generation, url.clone(), token.clone())),
            _ => None,
        });
        dials.expect("a handshake was sent")
    }

    pub(super) fn calls(&self) -> Vec<(u64, String, String)> {
        let calls = self.sent.iter().filter_map(|sent| match sent {
            Sent::Call {
                call, target, body, ..
            } => Some((*call, target.clone(), body.clone())),
            _ => None,
        });
        calls.collect()
    }

    /// The newest request to a path that contains `part`.
    pub(super) fn last_call(&self, part: &str) -> (u64, String, String) {
        let found = self.history.iter().rev().find_map(|sent| match sent {
            Sent::Call {
                call, target, body, ..
            } if target.contains(part) => Some((*call, target.clone(), body.clone())),
            _ => None,
        });
        found.unwrap_or_else(|| panic!("a request to {part} was sent"))
    }

    /// Every request and handshake ever sent: where it went, and its id.
    pub(super) fn asked(&self) -> impl Iterator<Item = (String, u64)> {
        self.history.iter().filter_map(|sent| match sent {
            Sent::Call { call, target, .. } => Some((target.clone(), *call)),
            Sent::Dial {
                generation, url, ..
            } => Some((url.clone(), *generation)),
            _ => None,
        })
    }

    pub(super) fn requests(&self) -> usize {
        self.sent
            .iter()
            .filter(|s| matches!(s, Sent::Call { .. } | Sent::Dial { .. }))
            .count()
    }

    // What comes back.

    pub(super) fn dialled(&mut self, result: Result<(), HandshakeFailure>) {
        let (generation, ..) = self.last_dial();
        self.input(Input::Dialled { generation, result });
    }

    pub(super) fn refused_dial(&mut self, status: u16) {
        self.dialled(Err(HandshakeFailure::Status {
            status: StatusCode::from_u16(status).unwrap(),
            headers: Box::default(),
            body: Bytes::new(),
        }));
    }

    pub(super) fn frame(&mut self, text: &str) {
        let (generation, ..) = self.last_dial();
        self.frame_of(generation, text);
    }

    pub(super) fn frame_of(&mut self, generation: u64, text: &str) {
        let frame = Frame::Text(Bytes::copy_from_slice(text.as_bytes()));
        self.input(Input::Frame { generation, frame });
    }

    /// Answers the newest ping on a connection that asks something.
    pub(super) fn pong_of(&mut self, generation: u64) {
        let pings = self.history.iter().rev().find_map(|sent| match sent {
            Sent::Frame {
                generation: own,
                frame: Frame::Ping(payload),
            } if *own == generation && !payload.is_empty() => Some(payload.clone()),
            _ => None,
        });
        let frame = Frame::Pong(pings.unwrap_or_default());
        self.input(Input::Frame { generation, frame });
    }

    pub(super) fn close_of(&mut self, generation: u64, code: u16) {
        let frame = Frame::Close {
            code: Some(code),
            reason: String::new(),
        };
        self.input(Input::Frame { generation, frame });
    }

    pub(super) fn close(&mut self, code: u16) {
        let (generation, ..) = self.last_dial();
        self.close_of(generation, code);
    }

    pub(super) fn reset(&mut self) {
        let (generation, ..) = self.last_dial();
        let failure = Some(HttpFailure::Reset("peer".to_owned()));
        self.input(Input::Closed {
            generation,
            failure,
        });
    }

    pub(super) fn answer_to(
        &mut self,
        call: u64,
        status: u16,
        headers: &[(&str, &str)],
        body: &str,
    ) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name: http::HeaderName = name.parse().unwrap();
            map.insert(name, value.parse().unwrap());
        }
        let result = Ok(HttpResponse {
            status: StatusCode::from_u16(status).unwrap(),
            headers: map,
            body: Bytes::copy_from_slice(body.as_bytes()),
        });
        self.input(Input::Answer { call, result });
    }

    /// Answers the newest poll.
    pub(super) fn poll(&mut self, status: u16, body: &str) {
        let (call, ..) = self.last_call("/subscribe");
        self.answer_to(call, status, &[], body);
    }

    pub(super) fn poll_fails(&mut self, failure: HttpFailure) {
        let (call, ..) = self.last_call("/subscribe");
        self.input(Input::Answer {
            call,
            result: Err(failure),
        });
    }

    /// Answers the newest question to the history.
    pub(super) fn history(&mut self, status: u16, body: &str) {
        let (call, ..) = self.last_call("/history");
        self.answer_to(call, status, &[], body);
    }

    /// Number after which the newest poll or subscription asks.
    pub(super) fn asked_after(&self) -> u64 {
        let bodies = self.history.iter().rev().find_map(|sent| match sent {
            Sent::Call { body, target, .. } if target.ends_with("/subscribe") => Some(body.clone()),
            Sent::Frame {
                frame: Frame::Text(text),
                ..
            } => Some(String::from_utf8(text.to_vec()).unwrap()),
            _ => None,
        });
        let body: serde_json::Value = serde_json::from_str(&bodies.expect("asked")).unwrap();
        body["sequence"].as_u64().unwrap()
    }

    // Shorthands.

    /// Starts and connects over WebSocket.
    pub(super) fn on_websocket() -> Self {
        let mut rig = Self::new();
        rig.input(Input::Start);
        rig.dialled(Ok(()));
        rig.dialled(Ok(()));
        rig.frame(EMPTY);
        assert_eq!(rig.state(), StateName::LiveWebSocket);
        rig
    }

    /// Starts on a network that strips Upgrade; the first poll is answered.
    pub(super) fn on_long_poll() -> Self {
        let mut rig = Self::new();
        rig.input(Input::Start);
        rig.refused_dial(400);
        rig.secs(2);
        rig.poll(200, EMPTY);
        assert_eq!(rig.state(), StateName::LiveLongPoll);
        rig
    }

    // What is journaled.

    /// Numbers of the platform's events, in the journal's order.
    pub(super) fn numbers(&self) -> Vec<u64> {
        self.platform_events()
            .map(|e| e.provider_sequence)
            .collect()
    }

    pub(super) fn platform_events(&self) -> impl Iterator<Item = &v1::Event> {
        self.journal
            .events
            .iter()
            .filter(|e| e.origin() != Origin::Sidecar)
    }

    pub(super) fn facts(&self) -> Vec<v1::SessionEvent> {
        let facts = self.journal.events.iter().filter_map(|e| match &e.data {
            Some(Data::SessionEvent(fact)) => Some(fact.clone()),
            _ => None,
        });
        facts.collect()
    }

    /// Kinds of the facts, in short.
    pub(super) fn kinds(&self) -> Vec<String> {
        let kinds = self.facts().into_iter().map(|f| {
            f.kind()
                .as_str_name()
                .trim_start_matches("KIND_")
                .to_lowercase()
        });
        kinds.collect()
    }

    pub(super) fn last_fact(&self, kind: v1::session_event::Kind) -> v1::SessionEvent {
        let facts = self.facts();
        let fact = facts.into_iter().rev().find(|f| f.kind() == kind);
        fact.unwrap_or_else(|| panic!("a fact {kind:?} in {:?}", self.kinds()))
    }
}

fn bearer(headers: &HeaderMap) -> Option<String> {
    let value = headers.get("authorization")?.to_str().ok()?;
    value.strip_prefix("Bearer ").map(str::to_owned)
}

/// A batch without events and without news.
pub(super) const EMPTY: &str = r#"{"sequence":0,"events":[]}"#;

/// A batch of these numbers.
pub(super) fn batch(numbers: &[u64]) -> String {
    let events: Vec<_> = numbers.iter().map(|n| event(*n)).collect();
    let highest = numbers.iter().max().copied().unwrap_or(0);
    format!(
        r#"{{"sequence":{highest},"events":[{}]}}"#,
        events.join(",")
    )
}

pub(super) fn event(number: u64) -> String {
    format!(r#"{{"eventType":"a","sequence":{number},"data":{{"n":{number}}}}}"#)
}
