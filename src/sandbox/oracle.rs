//! [`Oracle`]: whether one reader got what the platform issued. Pure.
//!
//! The sentence it checks: every event that the platform issued is delivered exactly once and in
//! order, or covered by a gap record, and none is invented.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use serde::Serialize;

use super::platform::{Digest, LedgerEntry};
use crate::proto::v1;
use v1::event::{Data, Origin};
use v1::session_event::Kind;

/// What one unfiltered reader got, and what is wrong with it in itself.
#[derive(Debug, Default)]
pub struct Oracle {
    epoch: Option<String>,
    last_sequence: u64,
    /// Numberings in the order of their appearance: the n-th is the platform's n-th.
    numberings: Vec<String>,
    delivered: HashMap<(u32, u64), Seen>,
    /// Digests of what came without a number.
    unnumbered: HashMap<Digest, u64>,
    highest: BTreeMap<u32, u64>,
    confirmed: Vec<(u32, u64, u64)>,
    verdict: Verdict,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    digest: Option<Digest>,
    oversize: bool,
}

/// What the comparison found. Everything from `lost` to `jumps` is zero when the promise was kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Events that the platform issued.
    pub issued: u64,
    /// Of those, how many the reader got.
    pub delivered: u64,
    /// Of those, how many were fetched to fill a gap.
    pub backfilled: u64,
    /// Events that the reader did not get and a gap record names.
    pub on_record: u64,
    /// Events that the reader did not get and nothing names.
    pub lost: u64,
    /// Events that the reader got more than once.
    pub doubled: u64,
    /// Events that came after a later one, other than to fill a gap that was given up.
    pub disordered: u64,
    /// Events that the platform never issued.
    pub invented: u64,
    /// Events whose bytes are not those issued.
    pub altered: u64,
    /// Sequences that did not follow the one before.
    pub jumps: u64,
    /// The first violation, for people.
    pub first_violation: Option<String>,
}

impl Oracle {
    /// An oracle of a reader that has got nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes events as the reader got them. `epoch` is the stream's.
    pub fn take(&mut self, epoch: &str, events: &[v1::Event]) {
        if self.epoch.as_deref().is_some_and(|known| known != epoch) {
            self.violation(|v| &mut v.jumps, || format!("the epoch became {epoch}"));
        }
        self.epoch = Some(epoch.to_owned());
        for event in events {
            let previous = std::mem::replace(&mut self.last_sequence, event.sequence);
            if previous != 0 && event.sequence != previous + 1 {
                let what = || format!("sequence {} followed {previous}", event.sequence);
                self.violation(|v| &mut v.jumps, what);
            }
            match &event.data {
                Some(Data::SessionEvent(fact)) => self.take_fact(fact),
                _ if event.origin() == Origin::Sidecar => {}
                _ => self.take_event(event),
            }
        }
    }

    /// The last sequence taken.
    #[must_use]
    pub fn last_sequence(&self) -> u64 {
        self.last_sequence
    }

    /// The highest number taken of the platform's latest numbering, or named by a gap record.
    #[must_use]
    pub fn highest_number(&self) -> u64 {
        let latest = self.numbering();
        let given_up = self
            .confirmed
            .iter()
            .filter(|(n, ..)| *n == latest)
            .map(|(.., last)| *last);
        let delivered = self.highest.get(&latest).copied();
        given_up.chain(delivered).max().unwrap_or_default()
    }

    /// Compares with what the platform issued.
    #[must_use]
    pub fn judge(&self, ledger: &[LedgerEntry]) -> Verdict {
        let mut judged = Self {
            verdict: self.verdict.clone(),
            ..Self::default()
        };
        let mut unnumbered = self.unnumbered.clone();
        let mut matched = 0_u64;
        judged.verdict.issued = ledger.len() as u64;
        for entry in ledger {
            let key = (entry.numbering, entry.number);
            if let Some(seen) = self.delivered.get(&key) {
                matched += 1;
                judged.verdict.delivered += 1;
                if seen.digest != Some(entry.sha256) {
                    let oversize = if seen.oversize { "oversize " } else { "" };
                    let what = || format!("{oversize}event {key:?} has other bytes than issued");
                    judged.violation(|v| &mut v.altered, what);
                }
            } else if let Some(count) = unnumbered.get_mut(&entry.sha256).filter(|n| **n > 0) {
                *count -= 1;
                judged.verdict.delivered += 1;
            } else if self.is_on_record(key) {
                judged.verdict.on_record += 1;
            } else {
                let what = || format!("event {key:?} is neither delivered nor on record");
                judged.violation(|v| &mut v.lost, what);
            }
        }
        let invented = self.delivered.len() as u64 - matched + unnumbered.values().sum::<u64>();
        for _ in 0..invented {
            judged.violation(
                |v| &mut v.invented,
                || "an event was never issued".to_owned(),
            );
        }
        judged.verdict
    }

    fn take_fact(&mut self, fact: &v1::SessionEvent) {
        if fact.kind() == Kind::GapConfirmed && fact.first_missing_provider_sequence > 0 {
            let (first, last) = (
                fact.first_missing_provider_sequence,
                fact.last_missing_provider_sequence,
            );
            self.confirmed.push((self.numbering(), first, last));
        }
    }

    fn take_event(&mut self, event: &v1::Event) {
        let oversize = event.attributes.contains_key("oversize");
        let digest = (!oversize).then(|| Digest::of(&event.raw_data));
        let digest = digest.or_else(|| Digest::from_hex(event.attributes.get("sha256")?));
        if event.provider_sequence == 0 {
            if let Some(digest) = digest {
                *self.unnumbered.entry(digest).or_default() += 1;
            }
            return;
        }
        let numbering = event.id.split(':').next().unwrap_or_default();
        if !self.numberings.iter().any(|known| known == numbering) {
            self.numberings.push(numbering.to_owned());
        }
        let key = (self.numbering(), event.provider_sequence);
        if event.origin() == Origin::Backfill {
            self.verdict.backfilled += 1;
        }
        if self
            .delivered
            .insert(key, Seen { digest, oversize })
            .is_some()
        {
            self.violation(|v| &mut v.doubled, || format!("event {key:?} came again"));
        }
        let highest = self.highest.entry(key.0).or_default();
        if event.provider_sequence < *highest && !event.attributes.contains_key("gapsequence") {
            let what = format!("event {key:?} came after {highest}");
            self.violation(|v| &mut v.disordered, || what);
        } else {
            *highest = event.provider_sequence.max(*highest);
        }
    }

    fn numbering(&self) -> u32 {
        u32::try_from(self.numberings.len())
            .unwrap_or(u32::MAX)
            .max(1)
    }

    fn is_on_record(&self, (numbering, number): (u32, u64)) -> bool {
        let mut gaps = self.confirmed.iter();
        gaps.any(|(n, first, last)| *n == numbering && (*first..=*last).contains(&number))
    }

    fn violation(&mut self, count: fn(&mut Verdict) -> &mut u64, what: impl FnOnce() -> String) {
        *count(&mut self.verdict) += 1;
        self.verdict.first_violation.get_or_insert_with(what);
    }
}

impl Verdict {
    /// Whether the promise was kept.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.first_violation.is_none()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            issued,
            delivered,
            backfilled,
            on_record,
            ..
        } = self;
        write!(
            f,
            "issued {issued}, delivered {delivered} ({backfilled} backfilled), "
        )?;
        write!(f, "on record as missing {on_record}, lost {}, ", self.lost)?;
        write!(
            f,
            "doubled {}, disordered {}, ",
            self.doubled, self.disordered
        )?;
        write!(
            f,
            "invented {}, altered {}, jumps {}",
            self.invented, self.altered, self.jumps
        )?;
        match &self.first_violation {
            Some(first) => write!(f, "; first: {first}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::WallTime;
    use crate::sandbox::Fate;

    fn issued(numbers: impl IntoIterator<Item = u64>) -> Vec<LedgerEntry> {
        let entry = |number: u64| LedgerEntry {
            entry: number,
            numbering: 1,
            number,
            event_type: "routing.agentEvent".into(),
            bytes: 1,
            sha256: Digest::of(&number.to_le_bytes()),
            issued_at: WallTime::default(),
            fate: Fate::Deliver,
        };
        numbers.into_iter().map(entry).collect()
    }

    fn event(sequence: u64, number: u64) -> v1::Event {
        v1::Event {
            sequence,
            id: format!("0:{number}:0"),
            provider_sequence: number,
            origin: Origin::Live.into(),
            raw_data: number.to_le_bytes().to_vec().into(),
            ..Default::default()
        }
    }

    fn gap(sequence: u64, first: u64, last: u64) -> v1::Event {
        let fact = v1::SessionEvent {
            kind: Kind::GapConfirmed.into(),
            first_missing_provider_sequence: first,
            last_missing_provider_sequence: last,
            ..Default::default()
        };
        v1::Event {
            sequence,
            origin: Origin::Sidecar.into(),
            data: Some(Data::SessionEvent(fact)),
            ..Default::default()
        }
    }

    fn verdict(issued: &[LedgerEntry], got: &[v1::Event]) -> Verdict {
        let mut oracle = Oracle::new();
        oracle.take("e", got);
        oracle.judge(issued)
    }

    #[test]
    fn what_was_issued_and_delivered_is_clean() {
        let found = verdict(&issued(1..=3), &[event(1, 1), event(2, 2), event(3, 3)]);
        assert!(found.is_clean(), "{found}");
        assert_eq!((found.issued, found.delivered), (3, 3));
    }

    #[test]
    fn a_gap_record_covers_what_is_missing_and_nothing_else() {
        let got = [event(1, 1), gap(2, 2, 2), event(3, 4)];
        let found = verdict(&issued([1, 2, 4]), &got);
        assert!(found.is_clean() && found.on_record == 1, "{found}");
        assert_eq!(verdict(&issued(1..=4), &got).lost, 1);
    }

    #[test]
    fn each_violation_is_seen() {
        let all = issued(1..=3);
        type Case<'a> = (&'a [v1::Event], fn(&Verdict) -> u64);
        let cases: [Case<'_>; 6] = [
            (&[event(1, 1), event(2, 3)], |v| v.lost),
            (&[event(1, 1), event(2, 1), event(3, 2), event(4, 3)], |v| {
                v.doubled
            }),
            (&[event(1, 2), event(2, 1), event(3, 3)], |v| v.disordered),
            (&[event(1, 1), event(2, 2), event(3, 3), event(4, 9)], |v| {
                v.invented
            }),
            (&[event(1, 1), event(3, 2), event(4, 3)], |v| v.jumps),
            (
                &[
                    event(1, 1),
                    event(2, 2),
                    v1::Event {
                        raw_data: b"x"[..].into(),
                        ..event(3, 3)
                    },
                ],
                |v| v.altered,
            ),
        ];
        for (got, count) in cases {
            let found = verdict(&all, got);
            assert!(count(&found) == 1 && !found.is_clean(), "{found}");
        }
    }
}
