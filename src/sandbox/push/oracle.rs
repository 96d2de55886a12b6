//! [`PushOracle`]: whether one reader got what was sent. Pure.
//!
//! The sentence it checks: every event since the first that was due to a socket is delivered or lies in
//! a window that is on record; none is invented; and none comes more often than it was sent, unless it
//! is marked where nothing could settle it.

use std::collections::HashMap;

use serde::Serialize;

use super::record::{PushFact, PushFate};
use crate::domain::WallTime;
use crate::proto::v1;
use crate::sandbox::platform::Digest;
use v1::event::{Data, Origin};
use v1::session_event::Kind;

/// What one unfiltered reader got.
#[derive(Debug, Default)]
pub struct PushOracle {
    last_sequence: u64,
    received: HashMap<Digest, Received>,
    windows: Vec<(WallTime, WallTime)>,
    verdict: PushVerdict,
}

#[derive(Debug, Clone, Copy, Default)]
struct Received {
    count: u64,
    /// Of those, marked as possible duplicates.
    marked: u64,
}

/// What the comparison found. `lost`, `invented`, `doubled` and `jumps` are zero when the promise was
/// kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PushVerdict {
    /// Facts since the first that was due to a socket.
    pub due: u64,
    /// Events that the reader got.
    pub delivered: u64,
    /// Windows on record.
    pub windows: u64,
    /// Facts that the reader did not get and that lie in such a window.
    pub in_windows: u64,
    /// Facts that a fault lost within the platform, so that nobody could have them.
    pub never_sent: u64,
    /// Facts that the reader did not get, and nothing says so.
    pub lost: u64,
    /// Events that were never sent.
    pub invented: u64,
    /// Events that came more often than they were sent.
    pub doubled: u64,
    /// Sequences that did not follow the one before.
    pub jumps: u64,
    /// The first violation, for people.
    pub first_violation: Option<String>,
}

impl PushOracle {
    /// An oracle of a reader that has got nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes events as the reader got them.
    pub fn take(&mut self, events: &[v1::Event]) {
        for event in events {
            let previous = std::mem::replace(&mut self.last_sequence, event.sequence);
            if previous != 0 && event.sequence != previous + 1 {
                let what = || format!("sequence {} followed {previous}", event.sequence);
                self.verdict.violation(|v| &mut v.jumps, what);
            }
            match (&event.data, event.origin()) {
                (Some(Data::SessionEvent(fact)), _) => self.take_fact(fact),
                (_, Origin::Sidecar) => {}
                _ => self.take_event(event),
            }
        }
    }

    fn take_fact(&mut self, fact: &v1::SessionEvent) {
        if fact.kind() != Kind::GapSuspected {
            return;
        }
        let time = |at: &Option<prost_types::Timestamp>| at.as_ref().and_then(WallTime::from_proto);
        if let (Some(start), Some(end)) = (time(&fact.start_time), time(&fact.end_time)) {
            self.verdict.windows += 1;
            self.windows.push((start, end));
        }
    }

    fn take_event(&mut self, event: &v1::Event) {
        let named = event.attributes.get("sha256");
        let digest = match event.attributes.contains_key("oversize") {
            true => named.and_then(|hex| Digest::from_hex(hex)),
            false => Some(Digest::of(&event.raw_data)),
        };
        let Some(digest) = digest else { return };
        self.verdict.delivered += 1;
        let received = self.received.entry(digest).or_default();
        received.count += 1;
        received.marked += u64::from(event.attributes.contains_key("possibleduplicate"));
    }

    /// Compares with what happened.
    #[must_use]
    pub fn judge(&self, facts: &[PushFact]) -> PushVerdict {
        let mut verdict = self.verdict.clone();
        let mut left = self.received.clone();
        let first = facts.iter().position(|fact| !fact.due.is_empty());
        let since = facts
            .get(first.unwrap_or(facts.len())..)
            .unwrap_or_default();
        let mut copies: HashMap<Digest, u64> = HashMap::new();
        for fact in since {
            verdict.due += 1;
            *copies.entry(fact.sha256).or_default() +=
                most_copies(fact).max(1) + u64::from(fact.repeated);
            if let Some(received) = left.get_mut(&fact.sha256).filter(|r| r.count > 0) {
                received.count -= 1;
            } else if self.is_on_record(fact.at) {
                verdict.in_windows += 1;
            } else if is_lost_within(fact) {
                verdict.never_sent += 1;
            } else {
                let number = fact.number;
                let what = || format!("fact {number} is neither delivered nor in a window");
                verdict.violation(|v| &mut v.lost, what);
            }
        }
        for (digest, received) in &self.received {
            let sent = copies.get(digest).copied().unwrap_or_default();
            let surplus = received.count.saturating_sub(sent + received.marked);
            for _ in 0..surplus {
                let what = || format!("an event came {} times, sent {sent}", received.count);
                match sent {
                    0 => verdict.violation(|v| &mut v.invented, what),
                    _ => verdict.violation(|v| &mut v.doubled, what),
                }
            }
        }
        verdict
    }

    fn is_on_record(&self, at: WallTime) -> bool {
        let mut windows = self.windows.iter();
        windows.any(|(start, end)| *start <= at && at <= *end)
    }
}

/// How often it may have come: as often as one socket was sent it.
fn most_copies(fact: &PushFact) -> u64 {
    let sent = fact.due.iter().map(|due| match due.fate {
        PushFate::Sent { copies } => u64::from(copies),
        _ => 0,
    });
    sent.max().unwrap_or_default()
}

fn is_lost_within(fact: &PushFact) -> bool {
    let lost = |due: &super::record::PushDue| matches!(due.fate, PushFate::Lost { .. });
    !fact.due.is_empty() && fact.due.iter().all(lost)
}

impl PushVerdict {
    /// Whether the promise was kept.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.first_violation.is_none()
    }

    fn violation(&mut self, count: fn(&mut Self) -> &mut u64, what: impl FnOnce() -> String) {
        *count(self) += 1;
        self.first_violation.get_or_insert_with(what);
    }
}
