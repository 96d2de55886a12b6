//! Whatever a platform without numbers answers, and whatever breaks on the way: every event it sent since
//! the first connection is journaled once, or happened within a window that is told (U5, U11, U12, U18).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use proptest::prelude::*;

use super::fake::{Fake, Rest};
use super::rig::{Rig, Sent};
use super::trouble::{Bad, bad, no_token};
use super::unnumbered::window;
use crate::auth::TokenProblem;
use crate::connectors::Identity;
use crate::domain::WallTime;
use crate::net::{Frame, HttpFailure};
use crate::proto::v1::session_event::Kind;
use crate::runtime::MonoTime;
use crate::session::TransportChoice;
use crate::session::machine::{Input, StateName};

/// What came before this is gone, and so is each cursor that leads there.
const KEPT: Duration = Duration::from_secs(540);

#[derive(Debug, Clone)]
enum Step {
    Issue(usize),
    /// The answers to the next questions, handshakes included.
    Refuse(Vec<Bad>),
    /// The next answer of the token endpoint.
    NoToken(TokenProblem),
    Reset,
    Close(u16),
    /// The platform tells something inside a frame.
    Tell(&'static str),
    /// Connections stand, and nothing comes through them any more.
    Silence,
    /// What is held of polls is answered so.
    PollEnds(Bad),
    /// The token is no longer accepted.
    Expire,
    Reconnect,
    Crash,
    /// Everything is refused for so many minutes.
    Outage(u64),
    /// This process does not run for so many seconds.
    HeldUp(u64),
    /// It dies, and is started so many minutes later.
    Away(u64),
    SlowJournal(bool),
    Full,
    Commit,
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let close = vec![1000, 1001, 1006, 1008, 1011, 1012, 4401, 4403];
    let told = vec!["closing", "lost", "missed", "no:a", "rubbish"];
    let step = prop_oneof![
        10 => (1_usize..5).prop_map(Step::Issue),
        4 => proptest::collection::vec(bad(), 1..4).prop_map(Step::Refuse),
        1 => no_token().prop_map(Step::NoToken),
        2 => Just(Step::Reset),
        2 => prop::sample::select(close).prop_map(Step::Close),
        2 => prop::sample::select(told).prop_map(Step::Tell),
        1 => Just(Step::Silence),
        2 => bad().prop_map(Step::PollEnds),
        1 => Just(Step::Expire),
        1 => Just(Step::Reconnect),
        1 => Just(Step::Crash),
        1 => (1_u64..40).prop_map(Step::Outage),
        1 => (1_u64..90).prop_map(Step::HeldUp),
        1 => (1_u64..40).prop_map(Step::Away),
        1 => any::<bool>().prop_map(Step::SlowJournal),
        1 => Just(Step::Full),
        3 => Just(Step::Commit),
        8 => (10_u64..40_000).prop_map(Step::Wait),
    ];
    proptest::collection::vec(step, 1..80)
}

prop_compose! {
    fn platforms()(
        rest in prop::sample::select(vec![
            Rest::Nothing,
            Rest::History { calls: 2 },
            Rest::PresentState { calls: 1 },
        ]),
        (setup, keeps, another_way) in any::<(bool, bool, bool)>(),
        (long_poll, overlap) in any::<(bool, bool)>(),
        connections in 1_u8..3,
        errand in prop::option::of(Just(Duration::from_secs(20))),
        heartbeat in prop::option::of(Just(Duration::from_secs(15))),
    ) -> Fake {
        let mut fake = Fake::new(Identity::Ids).knowing(rest);
        // What is kept of a channel and where polls go on are one place.
        (fake.setup, fake.keeps, fake.another_way) = (setup, keeps && !long_poll, another_way);
        (fake.errand, fake.heartbeat) = (errand, heartbeat);
        fake.capabilities.long_poll = long_poll;
        fake.capabilities.overlap = overlap;
        fake.capabilities.connections = if overlap { connections } else { 1 };
        fake
    }
}

/// A poll that is held.
#[derive(Debug)]
struct Held {
    call: u64,
    after: usize,
    since: MonoTime,
}

/// A platform that sends what it issues to whoever is there, once.
struct World {
    rig: Rig,
    /// When each event was issued, and whether it is owed to a reader.
    issued: Vec<(WallTime, bool)>,
    bad: VecDeque<Bad>,
    down_until: Option<MonoTime>,
    accepted_token: u64,
    sockets: BTreeSet<u64>,
    /// Nothing passes through these.
    silent: BTreeSet<u64>,
    held: Option<Held>,
    /// Else REST knows nothing but how things stand.
    keeps_history: bool,
    states: usize,
}

impl World {
    fn new(fake: Fake) -> Self {
        let keeps_history = matches!(fake.rest[..], [(_, Rest::History { .. })]);
        let mut rig = Rig::with(fake.shared(), TransportChoice::Auto);
        rig.input(Input::Start);
        Self {
            rig,
            issued: Vec::new(),
            bad: VecDeque::new(),
            down_until: None,
            accepted_token: 1,
            sockets: BTreeSet::new(),
            silent: BTreeSet::new(),
            held: None,
            keeps_history,
            states: 0,
        }
    }

    fn events(&self, after: usize) -> String {
        let events = (after..self.issued.len()).map(|n| format!("id:{n}:a:{n}"));
        events.collect::<Vec<_>>().join(";")
    }

    /// Answers everything that is asked.
    fn serve(&mut self) {
        for _ in 0..200 {
            let sent = self.rig.sent();
            if sent.is_empty() {
                return;
            }
            for sent in sent {
                self.answer(sent);
            }
        }
        panic!("it asks without end");
    }

    fn answer(&mut self, sent: Sent) {
        match sent {
            Sent::Dial {
                generation, token, ..
            } => match self.refusal(token.as_ref()) {
                Some(bad) => self.rig.refuse_handshake(generation, bad),
                None => {
                    let result = Ok(());
                    self.rig.input(Input::Dialled { generation, result });
                }
            },
            Sent::Frame { generation, .. } if self.silent.contains(&generation) => {}
            Sent::Frame {
                generation,
                frame: Frame::Text(text),
            } if text.starts_with(b"subscribe") => {
                self.sockets.insert(generation);
                self.rig.frame_of(generation, "ok");
            }
            Sent::Frame {
                generation,
                frame: Frame::Text(text),
            } if text == "ping" => self.rig.frame_of(generation, "beat"),
            Sent::Frame {
                generation,
                frame: Frame::Ping(payload),
            } => {
                let frame = Frame::Pong(payload);
                self.rig.input(Input::Frame { generation, frame });
            }
            Sent::Frame { .. } | Sent::Reject(_) => {}
            Sent::Close { generation, .. } => {
                self.forget(generation);
                self.rig.close_of(generation, 1000);
            }
            Sent::Drop { generation } => self.forget(generation),
            Sent::Call {
                call,
                target,
                body,
                token,
            } => match self.refusal(token.as_ref()) {
                // A recoverer goes on from there, and finds less than everything.
                Some(Bad::Status(404)) if target.contains("/recovery") => {
                    self.rig.answer_to(call, 500, &[], "");
                }
                // A channel at an address that is refused is kept, so that no more of them are made.
                Some(Bad::Garbled) if target == "/channels" => {
                    self.rig.answer_to(call, 500, &[], "");
                }
                Some(bad) => self.rig.refuse(call, bad),
                None => self.told(call, &target, &body),
            },
            Sent::Cancel { call } => {
                self.held.take_if(|held| held.call == call);
            }
        }
    }

    fn refusal(&mut self, token: Option<&String>) -> Option<Bad> {
        let number = token.and_then(|t| t.trim_start_matches('t').parse::<u64>().ok());
        if number.is_some_and(|number| number < self.accepted_token) {
            return Some(Bad::Status(401));
        }
        if self.down_until.is_some_and(|until| self.rig.now < until) {
            return Some(Bad::Status(503));
        }
        self.bad.pop_front()
    }

    fn told(&mut self, call: u64, target: &str, asked: &str) {
        if let Some(cursor) = target.strip_prefix("/next/") {
            let after = cursor.parse().unwrap_or(self.issued.len());
            let since = self.rig.now;
            self.held = Some(Held { call, after, since });
            if after < self.issued.len() {
                self.poll_answered();
            }
            return;
        }
        let body = match target {
            "/channels" => "wss://fake.test/channel".to_owned(),
            "/recovery/0" if self.keeps_history => self.within(asked),
            "/recovery/0" => {
                self.states += 1;
                format!("id:state{0}:a:state{0}", self.states)
            }
            _ => String::new(),
        };
        self.rig.answer_to(call, 200, &[], &body);
    }

    /// What was issued between two moments.
    fn within(&self, window: &str) -> String {
        let (start, end) = window.split_once('-').unwrap();
        let moment = |nanos: &str| WallTime::from_nanos(nanos.parse().unwrap());
        let (start, end) = (moment(start), moment(end));
        let events = self.issued.iter().enumerate();
        let inside = events.filter(|(_, (time, _))| start <= *time && *time <= end);
        inside.map(|(n, _)| format!("id:{n}:a:{n};")).collect()
    }

    fn poll_answered(&mut self) {
        if let Some(Held { call, after, .. }) = self.held.take() {
            // No platform keeps for ever what a poll may ask for.
            let oldest = self.rig.wall.minus(KEPT);
            if self
                .issued
                .get(after)
                .is_some_and(|(time, _)| *time < oldest)
            {
                return self.rig.refuse(call, Bad::Status(404));
            }
            let body = format!("{};cursor:{}", self.events(after), self.issued.len());
            self.rig.answer_to(call, 200, &[], &body);
        }
    }

    fn forget(&mut self, generation: u64) {
        self.sockets.remove(&generation);
        self.silent.remove(&generation);
    }

    /// The connections through which something comes.
    fn open(&self) -> Vec<u64> {
        self.sockets.difference(&self.silent).copied().collect()
    }

    fn issue(&mut self, count: usize) {
        let first = self.issued.len();
        let owed = self.rig.kinds().contains(&"connected".to_owned());
        let event = (self.rig.wall, owed);
        self.issued.extend(std::iter::repeat_n(event, count));
        let frame = self.events(first);
        for generation in self.open() {
            self.rig.frame_of(generation, &frame);
        }
        self.poll_answered();
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Issue(count) => self.issue(*count),
            Step::Refuse(bad) => self.bad.extend(bad.iter().cloned()),
            Step::NoToken(problem) => self.rig.tokens.push_back(Err(problem.clone())),
            Step::Reset => {
                for generation in std::mem::take(&mut self.sockets) {
                    self.forget(generation);
                    let failure = Some(HttpFailure::Reset("peer".to_owned()));
                    self.rig.input(Input::Closed {
                        generation,
                        failure,
                    });
                }
            }
            Step::Close(code) => {
                for generation in self.open() {
                    self.forget(generation);
                    self.rig.close_of(generation, *code);
                }
            }
            Step::Tell(word) => {
                for generation in self.open() {
                    self.rig.frame_of(generation, word);
                }
            }
            Step::Silence => self.silent.extend(&self.sockets),
            Step::PollEnds(bad) => {
                if let Some(Held { call, .. }) = self.held.take() {
                    self.rig.refuse(call, bad.clone());
                }
            }
            Step::Expire => self.accepted_token = self.rig.token + 1,
            Step::Reconnect => self.rig.input(Input::ReconnectAsked),
            Step::Crash => {
                self.sockets.clear();
                self.silent.clear();
                self.held = None;
                self.rig.crash();
            }
            Step::Outage(minutes) => {
                self.down_until = Some(self.rig.now + Duration::from_secs(60 * minutes));
                self.step(&Step::Reset);
                self.step(&Step::PollEnds(Bad::Status(503)));
                for _ in 0..*minutes {
                    self.wait(60_000);
                }
            }
            Step::HeldUp(seconds) => self.rig.held_up(Duration::from_secs(*seconds)),
            Step::Away(minutes) => {
                self.rig.held_up(Duration::from_secs(60 * minutes));
                self.step(&Step::Crash);
            }
            Step::SlowJournal(slow) => self.rig.auto_append = !slow,
            Step::Full => {
                let retry_after = Duration::from_secs(5);
                let full = crate::journal::AppendError::NoSpace { retry_after };
                self.rig.journal.refusals.push_back(full);
            }
            Step::Commit => {
                if !self.rig.appends.is_empty() {
                    self.rig.commit_one();
                }
            }
            Step::Wait(millis) => self.wait(*millis),
        }
        self.serve();
        while self.rig.auto_append && !self.rig.appends.is_empty() {
            self.rig.commit_one();
            self.serve();
        }
    }

    /// The platform answers as time goes, and holds no poll for longer than 20 s.
    fn wait(&mut self, millis: u64) {
        for _ in 0..10 {
            self.rig.millis(millis / 10);
            let now = self.rig.now;
            let over = |held: &Held| now.saturating_duration_since(held.since).as_secs() >= 20;
            if self.held.as_ref().is_some_and(over) {
                self.poll_answered();
            }
            self.serve();
        }
    }

    /// All faults are over: everything must come to rest, and the next event must come.
    fn heal(&mut self) {
        self.bad.clear();
        self.down_until = None;
        self.rig.tokens.clear();
        self.rig.input(Input::SecretsChanged);
        self.step(&Step::SlowJournal(false));
        for _ in 0..1_000 {
            self.step(&Step::Wait(2_000));
            let live = matches!(
                self.rig.state(),
                StateName::LiveWebSocket | StateName::LiveLongPoll
            );
            if live && self.rig.machine.gaps.is_empty() {
                self.step(&Step::Issue(1));
                let newest = (self.issued.len() - 1).to_string();
                if self.rig.platform_events().any(|event| event.id == newest) {
                    return;
                }
            }
        }
        panic!(
            "it never came to rest: {:?} {:?}",
            self.rig.state(),
            self.rig.machine.status()
        );
    }

    fn check(&self) {
        let mut journaled = BTreeMap::new();
        for event in self.rig.platform_events() {
            let raw = String::from_utf8(event.raw_data.to_vec()).unwrap();
            let before = journaled.insert(event.id.clone(), raw);
            assert_eq!(before, None, "{} is there twice", event.id);
        }
        let facts = self.rig.facts();
        let of = |kind| facts.iter().filter(move |fact| fact.kind() == kind);
        let told: Vec<_> = of(Kind::GapConfirmed).map(window).collect();
        for (number, (time, owed)) in self.issued.iter().enumerate() {
            let covered = journaled.contains_key(&number.to_string())
                || told.iter().any(|(start, end)| start <= time && time <= end);
            assert!(
                covered || !owed,
                "{number} of {time} is neither journaled nor told: {told:?}"
            );
        }
        for (id, raw) in &journaled {
            let number = id.parse::<usize>().is_ok_and(|n| n < self.issued.len());
            // What cannot be read is kept as it is (U20).
            let known = number || id.starts_with("state") || raw.starts_with("rubbish");
            assert!(known, "invented: {id} {raw}");
        }
        let suspected = of(Kind::GapSuspected).count();
        let ended = of(Kind::GapClosed).chain(of(Kind::GapConfirmed)).count();
        assert_eq!(suspected, ended, "each record of a gap has one end");
    }

    /// It leaves in order, whatever still comes.
    fn drain(&mut self) {
        self.rig.input(Input::Drain);
        for step in [Step::Issue(1), Step::Commit, Step::Reset] {
            self.step(&step);
        }
        self.wait(60_000);
        assert_eq!(self.rig.state(), StateName::Ended);
        self.rig.sent();
        self.wait(600_000);
        assert_eq!(self.rig.requests(), 0);
    }
}

fn cases() -> u32 {
    256 * crate::testing::scale()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_event_issued_is_journaled_once_or_lies_in_a_window_that_is_told(
        fake in platforms(),
        steps in steps(),
    ) {
        let mut world = World::new(fake);
        world.serve();
        for step in &steps {
            world.step(step);
        }
        world.heal();
        world.check();
        world.drain();
    }
}
