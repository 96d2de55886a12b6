//! [`CxoneOracle`]: whether one reader got what the tenant issued. Pure.
//!
//! The sentence it checks: every fact that was issued to an agent session, since the first answer
//! about that agent, is delivered once and in order, or was overwritten by the platform itself, or
//! lies in a loss window on record; none is invented; and whoever folds what was delivered ends with
//! the present state. Snapshots are delivered as backfill and are never facts.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use serde::Serialize;

use super::fold::Fold;
use super::platform::{AgentPresent, Fact, FactFate, PollAnswer};
use crate::domain::WallTime;
use crate::proto::v1;
use crate::sandbox::Digest;
use v1::event::{Data, Origin};
use v1::session_event::Kind;

/// What a tenant issued, answered and is, at one moment.
#[derive(Debug, Clone)]
pub struct CxoneRecord {
    /// The facts that are remembered.
    pub facts: Vec<Fact>,
    /// The answers that are remembered.
    pub answers: Vec<PollAnswer>,
    /// How every agent stands.
    pub present: Vec<AgentPresent>,
}

/// What one unfiltered reader got.
#[derive(Debug, Default)]
pub struct CxoneOracle {
    /// In the order of arrival: what it is, and whether it came live.
    got: Vec<(Digest, bool)>,
    /// Loss windows that may yet be closed, by the sequence of their record.
    suspected: BTreeMap<u64, (WallTime, WallTime)>,
    /// Loss windows that stay on record.
    windows: Vec<(WallTime, WallTime)>,
    fold: Fold,
}

/// What the comparison found. Everything from `lost` to `differing` is zero when the promise was
/// kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CxoneVerdict {
    /// Facts issued since the reader's first answer.
    pub issued: u64,
    /// Of those, how many the reader got.
    pub delivered: u64,
    /// Of those, how many the platform itself overwrote with a newer one.
    pub coalesced: u64,
    /// Of those, how many the reader did not get and a loss window covers.
    pub on_record: u64,
    /// Items of snapshots that the reader got.
    pub snapshot_items: u64,
    /// Facts whose answer no poll has confirmed, whatever became of them.
    pub unconfirmed: u64,
    /// Facts that the reader did not get and nothing covers.
    pub lost: u64,
    /// Facts and items that the reader got more often than they were sent.
    pub doubled: u64,
    /// Live events of one agent that came after a later one.
    pub disordered: u64,
    /// Events that the platform never issued.
    pub invented: u64,
    /// Agents whose folded state is not the present one.
    pub differing: u64,
    /// The first violation, for people.
    pub first_violation: Option<String>,
}

impl CxoneOracle {
    /// An oracle of a reader that has got nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes events as the reader got them.
    pub fn take(&mut self, events: &[v1::Event]) {
        for event in events {
            self.fold.take(event);
            if let Some(Data::SessionEvent(fact)) = &event.data {
                self.take_fact(event.sequence, fact);
            } else if event.origin() != Origin::Sidecar && !event.raw_data.is_empty() {
                let digest = Digest::of(&event.raw_data);
                self.got.push((digest, event.origin() == Origin::Live));
            }
        }
    }

    fn take_fact(&mut self, sequence: u64, fact: &v1::SessionEvent) {
        let time =
            |time: &Option<prost_types::Timestamp>| time.as_ref().and_then(WallTime::from_proto);
        let window = time(&fact.start_time).zip(time(&fact.end_time));
        match fact.kind() {
            Kind::GapSuspected => self
                .suspected
                .extend(window.map(|window| (sequence, window))),
            Kind::GapConfirmed => {
                let suspected = self.suspected.get(&fact.gap_sequence).copied();
                self.windows.extend(window.or(suspected));
            }
            _ => {}
        }
    }

    /// Compares with what the tenant issued and is.
    #[must_use]
    pub fn judge(&self, record: &CxoneRecord) -> CxoneVerdict {
        let mut verdict = CxoneVerdict::default();
        let covered = first_heads(&record.answers);
        let mut facts: HashMap<Digest, Vec<&Fact>> = HashMap::new();
        for fact in &record.facts {
            facts.entry(fact.sha256).or_default().push(fact);
        }
        let mut items: HashMap<Digest, u64> = HashMap::new();
        for item in record.answers.iter().flat_map(|answer| &answer.items) {
            *items.entry(*item).or_default() += 1;
        }
        let mut live: HashMap<Digest, usize> = HashMap::new();
        let mut latest: BTreeMap<&str, u64> = BTreeMap::new();
        for (digest, is_live) in &self.got {
            let equal = facts.get(digest).map_or(&[][..], Vec::as_slice);
            let seen = live.entry(*digest).or_default();
            if *is_live && *seen < equal.len() {
                *seen += 1;
                // A first snapshot has an order of its own, and comes live.
                if !items.contains_key(digest) {
                    verdict.check_order(equal, &mut latest);
                }
            } else if let Some(left) = items.get_mut(digest).filter(|left| **left > 0) {
                *left -= 1;
                verdict.snapshot_items += 1;
            } else if equal.is_empty() && !items.contains_key(digest) {
                let what = || format!("event {digest} was never issued");
                verdict.violation(|v| &mut v.invented, what);
            } else {
                let what = || format!("event {digest} came more often than it was sent");
                verdict.violation(|v| &mut v.doubled, what);
            }
        }
        for (digest, mut equal) in facts {
            equal.retain(|fact| {
                let start = covered.get(&*fact.agent);
                start.is_some_and(|start| fact.number > *start)
            });
            // Of facts with equal bytes those came that nothing else excuses.
            equal.sort_by_key(|fact| (self.excuse(fact).is_some(), fact.number));
            let came = live.get(&digest).copied().unwrap_or_default();
            for (place, fact) in equal.into_iter().enumerate() {
                self.judge_fact(fact, place < came, &mut verdict);
            }
        }
        self.judge_state(record, &covered, &mut verdict);
        verdict
    }

    /// Why it need not have come, if so.
    fn excuse(&self, fact: &Fact) -> Option<Excuse> {
        let mut windows = self.windows.iter();
        if matches!(fact.fate, FactFate::Coalesced(_)) {
            Some(Excuse::Coalesced)
        } else if windows.any(|(from, to)| (*from..=*to).contains(&fact.issued_at)) {
            Some(Excuse::OnRecord)
        } else {
            None
        }
    }

    fn judge_fact(&self, fact: &Fact, delivered: bool, verdict: &mut CxoneVerdict) {
        verdict.issued += 1;
        if !matches!(fact.fate, FactFate::Confirmed(_)) {
            verdict.unconfirmed += 1;
        }
        match self.excuse(fact) {
            _ if delivered => verdict.delivered += 1,
            Some(Excuse::Coalesced) => verdict.coalesced += 1,
            Some(Excuse::OnRecord) => verdict.on_record += 1,
            None => {
                let Fact {
                    number,
                    agent,
                    event_type,
                    issued_at,
                    fate,
                    ..
                } = fact;
                let which = format!("fact {number} of agent {agent}, {event_type} at {issued_at}");
                let what = || format!("{which}, is neither delivered nor on record: {fate:?}");
                verdict.violation(|v| &mut v.lost, what);
            }
        }
    }

    /// Of the agents that are signed in and that the reader was told of.
    fn judge_state(
        &self,
        record: &CxoneRecord,
        covered: &BTreeMap<&str, u64>,
        verdict: &mut CxoneVerdict,
    ) {
        let told = record.present.iter().filter(|agent| agent.signed_in);
        for agent in told.filter(|agent| covered.contains_key(&*agent.agent)) {
            if let Some(difference) = self.fold.difference(agent) {
                verdict.violation(|v| &mut v.differing, || difference);
            }
        }
        let known = record.present.iter().flat_map(|agent| &agent.contacts);
        let known: Vec<_> = known.map(|contact| contact.contact.as_str()).collect();
        // Whoever has signed out has left contacts behind of which nobody tells more.
        let all_in = record.present.iter().all(|agent| agent.signed_in);
        for stray in self
            .fold
            .contacts()
            .filter(|id| all_in && !known.contains(id))
        {
            let what = || format!("contact {stray} has ended and stands in the fold");
            verdict.violation(|v| &mut v.differing, what);
        }
    }
}

/// For each agent, the last fact that had been issued when it was first told of.
fn first_heads(answers: &[PollAnswer]) -> BTreeMap<&str, u64> {
    let mut heads = BTreeMap::new();
    for answer in answers.iter().filter(|answer| answer.cause.is_snapshot()) {
        heads.entry(&*answer.agent).or_insert(answer.head);
    }
    heads
}

/// Why a fact need not have come.
enum Excuse {
    /// The platform overwrote it.
    Coalesced,
    /// A loss window covers it.
    OnRecord,
}

impl CxoneVerdict {
    /// Whether the promise was kept.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.first_violation.is_none()
    }

    /// A live event came; its place is known where nothing else has its bytes.
    fn check_order<'a>(&mut self, equal: &[&'a Fact], latest: &mut BTreeMap<&'a str, u64>) {
        let [fact] = equal else {
            return;
        };
        let last = latest.entry(&fact.agent).or_default();
        let before = *last;
        *last = fact.number.max(before);
        if fact.number < before {
            let what = || format!("fact {} came after fact {before}", fact.number);
            self.violation(|v| &mut v.disordered, what);
        }
    }

    fn violation(&mut self, count: fn(&mut Self) -> &mut u64, what: impl FnOnce() -> String) {
        *count(self) += 1;
        self.first_violation.get_or_insert_with(what);
    }
}

impl fmt::Display for CxoneVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "issued {}, delivered {}, ", self.issued, self.delivered)?;
        write!(
            f,
            "coalesced {}, on record as missing {}, snapshot items {}, unconfirmed {}, ",
            self.coalesced, self.on_record, self.snapshot_items, self.unconfirmed
        )?;
        write!(
            f,
            "lost {}, doubled {}, disordered {}, invented {}, differing {}",
            self.lost, self.doubled, self.disordered, self.invented, self.differing
        )?;
        match &self.first_violation {
            Some(first) => write!(f, "; first: {first}"),
            None => Ok(()),
        }
    }
}
