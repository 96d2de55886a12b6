//! Whatever the interleaving of frames, duplicates, disorder, holes, broken connections, changes of
//! transport and crashes: every number issued is journaled once or told as a gap, none invented.

use std::collections::{BTreeSet, VecDeque};

use proptest::prelude::*;

use super::rig::{EMPTY, Rig, Sent, batch, event};
use super::trouble::{Bad, bad, no_token};
use crate::auth::TokenProblem;
use crate::net::{Frame, HttpFailure};
use crate::proto::v1::event::Origin;
use crate::proto::v1::session_event::Kind;
use crate::session::machine::{Input, StateName};

/// What the world does next.
#[derive(Debug, Clone)]
enum Step {
    /// The platform issues some numbers; `lost` of them it will never send live.
    Issue {
        count: u64,
        lost: bool,
        forgotten: bool,
    },
    /// It sends what a connection has not got yet, in pieces of this size, in some disorder.
    Send {
        piece: usize,
        swap: bool,
    },
    /// It repeats what it sent long ago.
    Repeat {
        back: u64,
    },
    /// It cuts a frame or body short.
    Garble,
    Reset,
    Close(u16),
    /// The network begins or ceases to strip Upgrade.
    Strip(bool),
    /// The token is no longer accepted.
    Expire,
    /// The answers to the next handshakes and polls.
    Refuse(Vec<Bad>),
    /// The next answer of the token endpoint.
    NoToken(TokenProblem),
    Crash,
    /// This process does not run for so many seconds, and then runs or is started.
    HeldUp(u64, bool),
    /// The journal answers only now and then.
    SlowJournal(bool),
    /// The disk is full for a while.
    Full,
    Commit,
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (1_u64..6, prop::bool::weighted(0.15), prop::bool::weighted(0.5))
            .prop_map(|(count, lost, forgotten)| Step::Issue { count, lost, forgotten }),
        10 => (1_usize..5, prop::bool::weighted(0.2))
            .prop_map(|(piece, swap)| Step::Send { piece, swap }),
        2 => (1_u64..20).prop_map(|back| Step::Repeat { back }),
        1 => Just(Step::Garble),
        2 => Just(Step::Reset),
        1 => prop::sample::select(vec![1000, 1001, 1006, 1011, 1012, 4401]).prop_map(Step::Close),
        2 => any::<bool>().prop_map(Step::Strip),
        1 => Just(Step::Expire),
        2 => proptest::collection::vec(bad(), 1..4).prop_map(Step::Refuse),
        1 => no_token().prop_map(Step::NoToken),
        1 => Just(Step::Crash),
        1 => (1_u64..2_000, any::<bool>()).prop_map(|(time, dies)| Step::HeldUp(time, dies)),
        1 => any::<bool>().prop_map(Step::SlowJournal),
        1 => Just(Step::Full),
        4 => Just(Step::Commit),
        6 => (10_u64..30_000).prop_map(Step::Wait),
    ];
    proptest::collection::vec(step, 1..120)
}

/// A platform that numbers its events densely and keeps all but the forgotten ones.
struct World {
    rig: Rig,
    issued: u64,
    /// Never sent live, but in the history.
    withheld: BTreeSet<u64>,
    /// In no history either.
    forgotten: BTreeSet<u64>,
    stripped: bool,
    accepted_token: u64,
    bad: VecDeque<Bad>,
    answered: usize,
    /// WebSockets that stand, and what each was sent.
    sockets: Vec<(u64, u64)>,
    /// The poll that is held, and after what it asks.
    held: Option<(u64, u64)>,
}

impl World {
    fn new() -> Self {
        let mut rig = Rig::new();
        rig.input(Input::Start);
        Self {
            rig,
            issued: 0,
            withheld: BTreeSet::new(),
            forgotten: BTreeSet::new(),
            stripped: false,
            accepted_token: 1,
            bad: VecDeque::new(),
            answered: 0,
            sockets: Vec::new(),
            held: None,
        }
    }

    fn numbers(&self, after: u64, most: usize) -> Vec<u64> {
        let sendable = |n: &u64| !self.withheld.contains(n) && !self.forgotten.contains(n);
        (after + 1..=self.issued)
            .filter(sendable)
            .take(most)
            .collect()
    }

    /// Answers everything that is asked.
    fn serve(&mut self) {
        for _ in 0..200 {
            let sent: Vec<_> = self.rig.sent();
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
            } => {
                let stripped = self.stripped.then_some(Bad::Status(400));
                let asks = token.is_some();
                let expired = (asks && !self.accepts(token.as_ref())).then_some(Bad::Status(401));
                let bad = stripped.or(expired);
                match bad.or_else(|| self.bad.pop_front()) {
                    Some(bad) => self.rig.refuse_handshake(generation, bad),
                    None => {
                        let result = Ok(());
                        self.rig.input(Input::Dialled { generation, result });
                    }
                }
            }
            Sent::Frame {
                generation,
                frame: Frame::Text(text),
            } => {
                let asked: serde_json::Value = serde_json::from_slice(&text).unwrap();
                self.sockets
                    .push((generation, asked["sequence"].as_u64().unwrap()));
                self.rig.frame_of(generation, EMPTY);
            }
            Sent::Frame {
                generation,
                frame: Frame::Ping(payload),
            } => {
                let frame = Frame::Pong(payload);
                self.rig.input(Input::Frame { generation, frame });
            }
            Sent::Frame { .. } => {}
            Sent::Close { generation, .. } => {
                self.sockets.retain(|(g, _)| *g != generation);
                self.rig.close_of(generation, 1000);
            }
            Sent::Drop { generation } => self.sockets.retain(|(g, _)| *g != generation),
            Sent::Call {
                call,
                target,
                body,
                token,
            } => {
                self.answered += 1;
                if !self.accepts(token.as_ref()) {
                    self.rig.answer_to(call, 401, &[], "");
                } else if target.contains("/history") {
                    self.history(call, &target);
                } else if let Some(bad) = self.bad.pop_front() {
                    self.rig.refuse(call, bad);
                } else {
                    let asked: serde_json::Value = serde_json::from_str(&body).unwrap();
                    self.held = Some((call, asked["sequence"].as_u64().unwrap()));
                }
            }
            Sent::Cancel { call } => self.held = self.held.filter(|(held, _)| *held != call),
            Sent::Reject(_) => {}
        }
    }

    fn accepts(&self, token: Option<&String>) -> bool {
        token.is_some_and(|t| {
            t.trim_start_matches('t').parse::<u64>().unwrap() >= self.accepted_token
        })
    }

    fn history(&mut self, call: u64, target: &str) {
        let number = |name: &str| -> u64 {
            let value = target.split(name).nth(1).unwrap();
            value.split('&').next().unwrap().parse().unwrap()
        };
        let range = number("after=") + 1..=number("through=");
        let kept: Vec<_> = range
            .filter(|n| *n <= self.issued && !self.forgotten.contains(n))
            .collect();
        if kept.is_empty() {
            self.rig.answer_to(call, 404, &[], "");
        } else {
            self.rig.answer_to(call, 200, &[], &batch(&kept));
        }
    }

    fn send(&mut self, piece: usize, swap: bool) {
        for index in 0..self.sockets.len() {
            let Some(&(generation, after)) = self.sockets.get(index) else {
                return;
            };
            let mut numbers = self.numbers(after, piece);
            let Some(highest) = numbers.last().copied() else {
                continue;
            };
            self.sockets[index].1 = highest;
            if swap {
                numbers.reverse();
            }
            for number in numbers {
                self.rig.frame_of(generation, &event(number));
            }
        }
        if let Some((call, after)) = self.held {
            let numbers = self.numbers(after, piece);
            if !numbers.is_empty() {
                self.held = None;
                self.rig.answer_to(call, 200, &[], &batch(&numbers));
            }
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Issue {
                count,
                lost,
                forgotten,
            } => {
                for _ in 0..*count {
                    self.issued += 1;
                    match (lost, forgotten) {
                        (true, true) => self.forgotten.insert(self.issued),
                        (true, false) => self.withheld.insert(self.issued),
                        (false, _) => false,
                    };
                }
            }
            Step::Send { piece, swap } => self.send(*piece, *swap),
            Step::Repeat { back } => {
                let from = self.issued.saturating_sub(*back);
                let numbers = self.numbers(from, 3);
                // Never what was not sent yet: that would be sending, not repeating.
                let sent = |after: u64| numbers.iter().copied().filter(move |n| *n <= after);
                for (generation, after) in self.sockets.clone() {
                    for number in sent(after) {
                        self.rig.frame_of(generation, &event(number));
                    }
                }
            }
            Step::Garble => {
                let whole = batch(&[self.issued + 1]);
                let cut = whole.get(..20).unwrap();
                if let Some((call, _)) = self.held.take() {
                    self.rig.answer_to(call, 200, &[], cut);
                }
                for (generation, _) in self.sockets.clone() {
                    self.rig.frame_of(generation, cut);
                }
            }
            Step::Reset => {
                for (generation, _) in std::mem::take(&mut self.sockets) {
                    let failure = Some(HttpFailure::Reset("peer".to_owned()));
                    self.rig.input(Input::Closed {
                        generation,
                        failure,
                    });
                }
                if let Some((call, _)) = self.held.take() {
                    let result = Err(HttpFailure::Reset("peer".to_owned()));
                    self.rig.input(Input::Answer { call, result });
                }
            }
            Step::Close(code) => {
                for (generation, _) in std::mem::take(&mut self.sockets) {
                    self.rig.close_of(generation, *code);
                }
            }
            Step::Strip(strip) => {
                self.stripped = *strip;
                if *strip {
                    self.step(&Step::Reset);
                }
            }
            Step::Expire => {
                self.accepted_token = self.rig.token + 1;
                if let Some((call, _)) = self.held.take() {
                    self.rig.answer_to(call, 401, &[], "");
                }
            }
            Step::Refuse(bad) => self.bad.extend(bad.iter().cloned()),
            Step::NoToken(problem) => self.rig.tokens.push_back(Err(problem.clone())),
            Step::Crash => {
                self.sockets.clear();
                self.held = None;
                self.rig.crash();
            }
            Step::HeldUp(seconds, dies) => {
                self.rig.held_up(std::time::Duration::from_secs(*seconds));
                if *dies {
                    self.step(&Step::Crash);
                }
            }
            Step::SlowJournal(slow) => self.rig.auto_append = !slow,
            Step::Full => {
                let retry_after = std::time::Duration::from_secs(5);
                let full = crate::journal::AppendError::NoSpace { retry_after };
                self.rig.journal.refusals.push_back(full);
            }
            Step::Commit => {
                if !self.rig.appends.is_empty() {
                    self.rig.commit_one();
                }
            }
            Step::Wait(millis) => {
                // The platform answers as time goes, not at its end.
                for _ in 0..10 {
                    self.rig.millis(millis / 10);
                    self.serve();
                }
            }
        }
        self.serve();
        if self.rig.auto_append {
            while !self.rig.appends.is_empty() {
                self.rig.commit_one();
                self.serve();
            }
        }
    }

    /// All faults are over: everything must come to rest.
    fn heal(&mut self) {
        self.bad.clear();
        self.rig.tokens.clear();
        self.rig.input(Input::SecretsChanged);
        self.step(&Step::SlowJournal(false));
        self.step(&Step::Strip(false));
        // One more event, so that a hole at the very end shows.
        self.step(&Step::Issue {
            count: 1,
            lost: false,
            forgotten: false,
        });
        for _ in 0..1_000 {
            self.step(&Step::Wait(2_000));
            self.step(&Step::Send {
                piece: 50,
                swap: false,
            });
            let live = matches!(
                self.rig.state(),
                StateName::LiveWebSocket | StateName::LiveLongPoll
            );
            let last = self.rig.numbers().contains(&self.issued);
            if live && last && self.rig.machine.gaps.is_empty() {
                return;
            }
        }
        panic!(
            "it never came to rest: {:?} {:?}",
            self.rig.state(),
            self.rig.machine.status()
        );
    }

    fn check(&self) {
        let journaled = self.rig.numbers();
        let once: BTreeSet<_> = journaled.iter().copied().collect();
        assert_eq!(once.len(), journaled.len(), "twice: {journaled:?}");
        let told: BTreeSet<_> = self
            .rig
            .facts()
            .into_iter()
            .filter(|f| f.kind() == Kind::GapConfirmed)
            .flat_map(|f| f.first_missing_provider_sequence..=f.last_missing_provider_sequence)
            .collect();
        for number in 1..=self.issued {
            let covered = once.contains(&number) || told.contains(&number);
            assert!(
                covered,
                "{number} is neither journaled nor told: {journaled:?} {told:?}"
            );
        }
        assert!(once.iter().all(|n| *n <= self.issued), "invented");
        assert!(
            once.is_disjoint(&self.forgotten),
            "invented what was forgotten"
        );
        assert!(
            self.withheld.is_subset(&once) || !told.is_empty(),
            "history was to be had"
        );
        let in_order: Vec<_> = self
            .rig
            .platform_events()
            .filter(|e| !e.attributes.contains_key("gapsequence"))
            .map(|e| e.provider_sequence)
            .collect();
        assert!(in_order.is_sorted(), "out of order: {in_order:?}");
        let suspected: BTreeSet<_> = self
            .rig
            .journal
            .events
            .iter()
            .filter(|e| e.r#type == "tieline.session.gap_suspected.v1")
            .map(|e| e.sequence)
            .collect();
        for fact in self.rig.facts() {
            if matches!(fact.kind(), Kind::GapClosed | Kind::GapConfirmed) {
                assert!(
                    suspected.contains(&fact.gap_sequence),
                    "{fact:?} closes nothing"
                );
            }
        }
        let sidecar = self
            .rig
            .journal
            .events
            .iter()
            .filter(|e| e.origin() == Origin::Sidecar);
        assert!(
            sidecar.count() < 40 * (self.answered + 10),
            "facts are bounded"
        );
    }
}

fn cases() -> u32 {
    256 * crate::testing::scale()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_number_issued_is_journaled_once_or_told_as_a_gap(steps in steps()) {
        let mut world = World::new();
        world.serve();
        for step in &steps {
            world.step(step);
        }
        world.heal();
        world.check();
    }
}
