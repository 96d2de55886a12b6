//! A reader that folds the journal by key ends with the platform's state, whatever the schedule of
//! changes, late frames, broken and silent connections, crashes and a REST that lags (U18).

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::time::Duration;

use super::fake::{Fake, Rest};
use super::rig::{Rig, Sent};
use crate::connectors::Identity;
use crate::domain::WallTime;
use crate::net::{Frame, HandshakeFailure, HttpFailure};
use crate::proto::v1::session_event::Kind;
use crate::runtime::Rng;
use crate::session::TransportChoice;
use crate::session::machine::{Input, StateName};

const KEYS: u64 = 5;
/// How long a frame may wait on its way.
const SLOWEST: Duration = Duration::from_secs(2);
const LAG: Duration = Duration::from_secs(4);

/// A connection: what is on its way, in order.
struct Channel {
    generation: u64,
    queue: VecDeque<(WallTime, Frame)>,
    /// Nothing comes through any more, and nobody says so.
    silent: bool,
}

type History = Vec<(WallTime, Option<String>)>;

/// A platform with two families: values that change, and members of a queue that come and go.
struct World {
    rng: Rng,
    rig: Rig,
    /// Every state of every key: since when, and what; `None`: no member.
    states: BTreeMap<(&'static str, String), History>,
    channels: Vec<Channel>,
    calls: Vec<(u64, String, WallTime)>,
    version: u64,
    failed: bool,
    seed: u64,
}

fn text(frame: &str) -> Frame {
    Frame::Text(bytes::Bytes::copy_from_slice(frame.as_bytes()))
}

impl World {
    fn new(seed: u64) -> Self {
        let rng = Rng::from_seed(seed);
        let pages = Rest::PresentState { calls: 2 };
        let mut fake = Fake::new(Identity::Neither).by_topic(&[("s", pages), ("q", pages)]);
        fake.capabilities.rest_lag = LAG;
        fake.capabilities.connections = 1 + u8::from(rng.below(3) == 0);
        let mut rig = Rig::with(fake.shared(), TransportChoice::Auto);
        rig.seed = seed;
        rig.retime(|_| {});
        rig.input(Input::Start);
        let mut world = Self {
            rng,
            rig,
            states: BTreeMap::new(),
            channels: Vec::new(),
            calls: Vec::new(),
            version: 0,
            failed: false,
            seed,
        };
        world.bound();
        world
    }

    /// Few events may be held, so that the bound is met.
    fn bound(&mut self) {
        if self.seed.is_multiple_of(2) {
            self.rig.machine.most_held = 2;
        }
    }

    fn change(&mut self) {
        self.version += 1;
        let (version, key) = (self.version, format!("k{}", self.rng.below(KEYS)));
        let topic = if self.rng.below(2) == 0 { "s" } else { "q" };
        let stands = topic == "s" || self.rng.below(2) == 0;
        let state = stands.then(|| version.to_string());
        let word = match (topic, stands) {
            ("s", _) => format!("set:s:{key}:{version}"),
            (_, true) => format!("in:q:{key}:{version}"),
            (_, false) => format!("out:q:{key}:-{key}"),
        };
        let history = self.states.entry((topic, key)).or_default();
        history.push((self.rig.wall, state));
        for channel in self.channels.iter_mut().filter(|c| !c.silent) {
            channel.queue.push_back((self.rig.wall, text(&word)));
        }
    }

    /// What REST shows of one page, as of some moment.
    fn page(&self, topic: &'static str, page: usize, as_of: WallTime) -> String {
        let mut words = Vec::new();
        for ((own, key), history) in &self.states {
            let on_page = key.ends_with(['1', '3']) == (page == 1);
            let state = history.iter().rev().find(|(since, _)| *since <= as_of);
            if let (true, true, Some((_, Some(value)))) = (*own == topic, on_page, state) {
                let word = if topic == "s" { "set" } else { "in" };
                words.push(format!("{word}:{topic}:{key}:{value}"));
            }
        }
        if topic == "q" && page == 1 {
            words.push("full:q".to_owned());
        }
        words.join(";")
    }

    fn answer_call(&mut self, index: usize, fails: bool) {
        let (call, target, asked) = self.calls.remove(index);
        // Three in a row would end in NOT_RECOVERABLE.
        if fails && !std::mem::replace(&mut self.failed, fails) {
            let status = if self.rng.below(2) == 0 { 500 } else { 429 };
            return self.rig.answer_to(call, status, &[], "");
        }
        self.failed = false;
        let oldest = asked.minus(LAG);
        let span = self.rig.wall.since(oldest).mul_f64(self.rng.unit());
        let topic = if target.contains("/s") { "s" } else { "q" };
        let body = self.page(topic, usize::from(target.ends_with('1')), oldest.plus(span));
        self.rig.answer_to(call, 200, &[], &body);
    }

    /// Takes what the machine asked for.
    fn serve(&mut self) {
        for _ in 0..100 {
            let sent = self.rig.sent();
            if sent.is_empty() {
                return;
            }
            for sent in sent {
                match sent {
                    Sent::Dial { generation, .. } if self.rng.below(8) == 0 => {
                        let reset = HttpFailure::Reset("peer".to_owned());
                        let result = Err(HandshakeFailure::Http(reset));
                        self.rig.input(Input::Dialled { generation, result });
                    }
                    Sent::Dial { generation, .. } => {
                        self.channels.push(Channel {
                            generation,
                            queue: VecDeque::from([(self.rig.wall, text("ok"))]),
                            silent: false,
                        });
                        let result = Ok(());
                        self.rig.input(Input::Dialled { generation, result });
                    }
                    Sent::Frame {
                        generation,
                        frame: Frame::Ping(payload),
                    } => self.queue(generation, Frame::Pong(payload)),
                    Sent::Close { generation, .. } => {
                        self.channels.retain(|c| c.generation != generation);
                        self.rig.close_of(generation, 1000);
                    }
                    Sent::Drop { generation } => {
                        self.channels.retain(|c| c.generation != generation);
                    }
                    Sent::Call { call, target, .. } => {
                        self.calls.push((call, target, self.rig.wall));
                    }
                    Sent::Cancel { call } => self.calls.retain(|(own, ..)| *own != call),
                    Sent::Frame { .. } | Sent::Reject(_) => {}
                }
            }
        }
        panic!("seed {}: it asks without end", self.seed);
    }

    fn queue(&mut self, generation: u64, frame: Frame) {
        let mut channels = self.channels.iter_mut();
        if let Some(channel) = channels.find(|c| c.generation == generation && !c.silent) {
            channel.queue.push_back((self.rig.wall, frame));
        }
    }

    fn deliver(&mut self, most: usize, sent_by: WallTime) {
        let generations: Vec<u64> = self.channels.iter().map(|c| c.generation).collect();
        for generation in generations {
            for _ in 0..most {
                let mut channels = self.channels.iter_mut();
                let channel = channels.find(|c| c.generation == generation && !c.silent);
                let next = |c: &mut Channel| c.queue.pop_front_if(|(sent, _)| *sent <= sent_by);
                let Some((_, frame)) = channel.and_then(next) else {
                    break;
                };
                self.rig.input(Input::Frame { generation, frame });
                self.serve();
            }
        }
    }

    fn pick(&self) -> Option<usize> {
        let channels = self.channels.len() as u64;
        (channels > 0).then(|| usize::try_from(self.rng.below(channels)).unwrap())
    }

    fn step(&mut self) {
        match self.rng.below(40) {
            0..=13 => self.change(),
            14..=23 => {
                let most = 1 + usize::try_from(self.rng.below(3)).unwrap();
                self.deliver(most, self.rig.wall);
            }
            24..=25 => {
                if let Some(index) = self.pick() {
                    let generation = self.channels.remove(index).generation;
                    let failure = Some(HttpFailure::Reset("peer".to_owned()));
                    self.rig.input(Input::Closed {
                        generation,
                        failure,
                    });
                }
            }
            26 => {
                if let Some(index) = self.pick() {
                    self.channels[index].silent = true;
                    self.channels[index].queue.clear();
                }
            }
            27 => {
                if let Some(index) = self.pick() {
                    let generation = self.channels[index].generation;
                    self.queue(generation, text("closing"));
                }
            }
            28 => {
                self.channels.clear();
                self.calls.clear();
                self.rig.crash();
                self.bound();
            }
            29 => self.rig.auto_append = self.rng.below(2) == 0,
            30..=34 => {
                if !self.calls.is_empty() {
                    let fails = self.rng.below(4) == 0;
                    self.answer_call(0, fails);
                }
            }
            _ => {
                for _ in 0..5 {
                    self.rig.millis(self.rng.below(1_200));
                    self.serve();
                    self.deliver(usize::MAX, self.rig.wall.minus(SLOWEST));
                }
            }
        }
        self.serve();
        self.commit();
    }

    fn commit(&mut self) {
        while !self.rig.appends.is_empty() && (self.rig.auto_append || self.rng.below(3) == 0) {
            self.rig.commit_one();
            self.serve();
        }
    }

    /// All faults are over: everything must come to rest.
    fn heal(&mut self) {
        self.rig.auto_append = true;
        for _ in 0..2_000 {
            self.commit();
            self.deliver(100, self.rig.wall);
            while !self.calls.is_empty() {
                self.answer_call(0, false);
                self.serve();
            }
            self.rig.millis(500);
            self.serve();
            let quiet = self
                .channels
                .iter()
                .all(|c| c.queue.is_empty() && !c.silent);
            let live = self.rig.state() == StateName::LiveWebSocket;
            if quiet && live && self.rig.machine.gaps.is_empty() {
                return;
            }
        }
        panic!(
            "seed {}: it never came to rest: {:?}",
            self.seed, self.rig.machine.gaps
        );
    }

    /// When the first subscription was confirmed: nothing is claimed of the time before.
    fn began(&self) -> WallTime {
        let mut events = self.rig.journal.events.iter();
        let time = events.find_map(|event| event.time.as_ref());
        time.and_then(WallTime::from_proto).unwrap_or(self.rig.wall)
    }

    /// What never came happened in a window that is on record for its family, or as long before as
    /// this network may take.
    fn check_what_is_missing(&self) {
        let time = |t: Option<prost_types::Timestamp>| WallTime::from_proto(&t.unwrap()).unwrap();
        let facts = self.rig.facts().into_iter();
        let gaps = facts.filter(|fact| fact.kind() == Kind::GapSuspected);
        let windows: Vec<_> = gaps
            .map(|gap| (gap.topics, time(gap.start_time), time(gap.end_time)))
            .collect();
        let began = self.began();
        let came: HashSet<Vec<u8>> = self
            .rig
            .platform_events()
            .map(|e| e.raw_data.to_vec())
            .collect();
        for ((topic, key), history) in &self.states {
            for (when, state) in history {
                let came = state
                    .as_ref()
                    .is_none_or(|state| came.contains(state.as_bytes()));
                let told = windows.iter().any(|(topics, start, end)| {
                    // A step of time, too: frames move between them.
                    let start = start.minus(SLOWEST * 2);
                    topics.iter().any(|t| t == topic) && start <= *when && when <= end
                });
                let told = told || *when <= began;
                let seed = self.seed;
                assert!(
                    came || told,
                    "seed {seed}: {topic} {key} {state:?} {when:?} {windows:?}"
                );
            }
        }
    }

    fn check(&self) {
        let mut folded = BTreeMap::new();
        for event in self.rig.platform_events() {
            let state = String::from_utf8(event.raw_data.to_vec()).unwrap();
            let name = (event.subject.clone(), event.ordering_key.clone());
            let ended = state.is_empty() || state.starts_with('-');
            folded.insert(name, (!ended).then_some(state));
        }
        for ((topic, key), history) in &self.states {
            let (since, state) = history.last().cloned().unwrap();
            if since <= self.began() {
                continue;
            }
            let had = folded
                .get(&((*topic).to_owned(), key.clone()))
                .cloned()
                .flatten();
            assert_eq!(had, state, "seed {}: {topic} {key}", self.seed);
        }
        for event in self.rig.facts() {
            let ends = matches!(event.reason.as_str(), "SNAPSHOT" | "NOT_RECOVERABLE");
            assert!(
                event.gap_sequence == 0 || ends,
                "seed {}: {event:?}",
                self.seed
            );
        }
    }
}

#[test]
fn u18_a_reader_that_folds_the_journal_ends_with_the_state_of_the_platform() {
    for seed in 0..1_000 * u64::from(crate::testing::scale()) {
        let mut world = World::new(seed);
        world.serve();
        for _ in 0..120 {
            world.step();
        }
        world.heal();
        world.check();
        world.check_what_is_missing();
    }
}
