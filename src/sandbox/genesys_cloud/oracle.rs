//! [`GenesysOracle`]: whether one reader got what the platform told its client. Pure.
//!
//! The sentence it checks: every fact of a topic, from the first that was due to a channel of the
//! client, is delivered or lies in a window that is on record for that topic; none is invented; and
//! none comes more often than it was told, unless it is marked where nothing could settle it.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::channels::Asked;
use super::fault::GenesysFaultName;
use super::ledger::{DueFate, Fact};
use crate::domain::WallTime;
use crate::proto::v1;
use crate::sandbox::platform::Digest;
use v1::event::{Data, Origin};
use v1::session_event::Kind;

/// What one unfiltered reader got.
#[derive(Debug, Default)]
pub struct GenesysOracle {
    epoch: Option<String>,
    last_sequence: u64,
    received: HashMap<(String, Digest), Received>,
    windows: Vec<Window>,
    verdict: GenesysVerdict,
}

#[derive(Debug, Clone, Copy, Default)]
struct Received {
    count: u64,
    /// Of those, marked as possible duplicates.
    marked: u64,
}

/// A time in which something may be missing.
#[derive(Debug, Clone)]
struct Window {
    start: WallTime,
    /// Still open where it is not given.
    end: Option<WallTime>,
    /// Individual topics in lower case; all of them where there are none.
    topics: Vec<String>,
}

/// What the comparison found. `lost`, `invented`, `doubled` and `jumps` are zero when the promise was
/// kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct GenesysVerdict {
    /// Facts that were due.
    pub due: u64,
    /// Live events that the reader got.
    pub delivered: u64,
    /// Events fetched after a gap.
    pub backfilled: u64,
    /// Windows on record.
    pub windows: u64,
    /// Facts that the reader did not get and that lie in such a window.
    pub in_windows: u64,
    /// Facts that the reader did not get, and nothing says so.
    pub lost: u64,
    /// Facts whose frame a fault made unreadable, where the reader has a record of such a frame.
    pub unreadable: u64,
    /// Events that were never told.
    pub invented: u64,
    /// Events that came more often than they were told.
    pub doubled: u64,
    /// Events that came more often, and are marked because nothing in them settles it.
    pub possible_duplicates: u64,
    /// Sequences that did not follow the one before.
    pub jumps: u64,
    /// The first violation, for people.
    pub first_violation: Option<String>,
}

/// The part of a frame that counts.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    topic_name: String,
    #[serde(borrow)]
    event_body: &'a RawValue,
}

impl GenesysOracle {
    /// An oracle of a reader that has got nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes events as the reader got them. `epoch` is the stream's.
    pub fn take(&mut self, epoch: &str, events: &[v1::Event]) {
        if self.epoch.as_deref().is_some_and(|known| known != epoch) {
            self.verdict
                .violation(|v| &mut v.jumps, || format!("the epoch became {epoch}"));
        }
        self.epoch = Some(epoch.to_owned());
        for event in events {
            let previous = std::mem::replace(&mut self.last_sequence, event.sequence);
            if previous != 0 && event.sequence != previous + 1 {
                let what = || format!("sequence {} followed {previous}", event.sequence);
                self.verdict.violation(|v| &mut v.jumps, what);
            }
            match (&event.data, event.origin()) {
                (Some(Data::SessionEvent(fact)), _) => self.take_fact(fact),
                (_, Origin::Sidecar) => {}
                (_, Origin::Backfill) => self.verdict.backfilled += 1,
                _ => {
                    let marked = event.attributes.contains_key("possibleduplicate");
                    self.take_frame(&event.raw_data, marked);
                }
            }
        }
    }

    /// Takes a frame as it came; `marked` where the reader was told that it may be a duplicate.
    pub fn take_frame(&mut self, raw: &[u8], marked: bool) {
        let Ok(envelope) = serde_json::from_slice::<Envelope<'_>>(raw) else {
            self.verdict.unreadable += 1;
            return;
        };
        let topic = envelope.topic_name;
        let of_platform = ["v2.system.", "v2.subscription.", "channel.metadata"];
        if of_platform.iter().any(|start| topic.starts_with(start)) {
            return;
        }
        let digest = Digest::of(envelope.event_body.get().as_bytes());
        let received = self.received.entry((topic, digest)).or_default();
        received.count += 1;
        received.marked += u64::from(marked);
        self.verdict.delivered += 1;
    }

    /// Takes a window that is on record; one without an end is still open, one without topics is
    /// for all of them.
    pub fn take_window(&mut self, start: WallTime, end: Option<WallTime>, topics: &[String]) {
        let individual = topics.iter().flat_map(|topic| match Asked::parse(topic) {
            Some(asked) => asked.topics.iter().map(|one| one.to_lowercase()).collect(),
            None => vec![topic.to_lowercase()],
        });
        self.windows.push(Window {
            start,
            end,
            topics: individual.collect(),
        });
    }

    fn take_fact(&mut self, fact: &v1::SessionEvent) {
        let kind = fact.kind();
        if !matches!(
            kind,
            Kind::GapSuspected | Kind::GapClosed | Kind::GapConfirmed
        ) {
            return;
        }
        if kind == Kind::GapSuspected {
            self.verdict.windows += 1;
        }
        let time = |at: &Option<_>| at.as_ref().and_then(WallTime::from_proto);
        // What closes a gap may say no more than which.
        if let Some(start) = time(&fact.start_time) {
            self.take_window(start, time(&fact.end_time), &fact.topics);
        }
    }

    /// The last sequence taken.
    #[must_use]
    pub fn last_sequence(&self) -> u64 {
        self.last_sequence
    }

    /// Compares with what the platform told one OAuth client.
    #[must_use]
    pub fn judge(&self, facts: &[Fact], client: &str) -> GenesysVerdict {
        let mut verdict = self.verdict.clone();
        let mut unreadable = std::mem::take(&mut verdict.unreadable);
        let mut told: BTreeMap<(&str, String), Told> = BTreeMap::new();
        let mut subscribed: BTreeMap<&str, ()> = BTreeMap::new();
        for fact in facts {
            let topic = &*fact.topic;
            let of_client = || fact.due.iter().filter(|due| *due.client == *client);
            if of_client().next().is_some() {
                subscribed.insert(topic, ());
            }
            if !subscribed.contains_key(topic) {
                continue;
            }
            verdict.due += 1;
            let key = (topic, fact.sha256.to_string());
            let told = told.entry(key).or_default();
            told.dated = fact.dated;
            told.copies += of_client().map(copies).max().unwrap_or(1).max(1);
            match self.is_in_window(fact) {
                true => told.inside += 1,
                false if is_unreadable(fact, client) => told.spoilt += 1,
                false => {
                    told.outside += 1;
                    told.last = Some(fact.at);
                }
            }
        }
        for ((topic, digest), told) in &told {
            let received = self.received_of(topic, digest);
            verdict.count(topic, *told, received, &mut unreadable);
        }
        for ((topic, digest), received) in &self.received {
            if !told.contains_key(&(topic.as_str(), digest.to_string())) {
                let what = || format!("an event of {topic} was never told");
                for _ in 0..received.count {
                    verdict.violation(|v| &mut v.invented, what);
                }
            }
        }
        verdict
    }

    fn received_of(&self, topic: &str, digest: &str) -> Received {
        let digest = Digest::from_hex(digest);
        let received = digest.and_then(|digest| self.received.get(&(topic.to_owned(), digest)));
        received.copied().unwrap_or_default()
    }

    fn is_in_window(&self, fact: &Fact) -> bool {
        let topic = fact.topic.to_lowercase();
        self.windows.iter().any(|window| {
            window.start <= fact.at
                && window.end.is_none_or(|end| fact.at <= end)
                && (window.topics.is_empty() || window.topics.contains(&topic))
        })
    }
}

/// Equal facts of one topic: how many, and where.
#[derive(Debug, Clone, Copy, Default)]
struct Told {
    outside: u64,
    inside: u64,
    /// Outside, and their frame was unreadable.
    spoilt: u64,
    /// How often they may have come.
    copies: u64,
    dated: bool,
    /// When the last of those outside happened.
    last: Option<WallTime>,
}

impl GenesysVerdict {
    fn count(&mut self, topic: &str, told: Told, received: Received, unreadable: &mut u64) {
        let missing = told.outside.saturating_sub(received.count);
        for _ in 0..missing {
            let at = told.last.map(|at| at.to_string()).unwrap_or_default();
            let what = || format!("an event of {topic} at {at} is neither delivered nor on record");
            self.violation(|v| &mut v.lost, what);
        }
        let left = received.count.saturating_sub(told.outside);
        self.in_windows += told.inside.saturating_sub(left);
        for _ in 0..told.spoilt.saturating_sub(left.saturating_sub(told.inside)) {
            if *unreadable > 0 {
                *unreadable -= 1;
                self.unreadable += 1;
            } else {
                let what = || format!("an unreadable event of {topic} is not on record");
                self.violation(|v| &mut v.lost, what);
            }
        }
        let extra = received.count.saturating_sub(told.copies);
        let marked = if told.dated {
            0
        } else {
            extra.min(received.marked)
        };
        self.possible_duplicates += marked;
        for _ in marked..extra {
            let what = || format!("an event of {topic} came more often than it was told");
            self.violation(|v| &mut v.doubled, what);
        }
    }

    fn violation(
        &mut self,
        count: impl FnOnce(&mut Self) -> &mut u64,
        what: impl FnOnce() -> String,
    ) {
        *count(self) += 1;
        self.first_violation.get_or_insert_with(what);
    }
}

fn copies(due: &super::Due) -> u64 {
    match due.fate {
        DueFate::Sent { copies } => u64::from(copies),
        _ => 1,
    }
}

/// Whether a channel of a client got it in an unreadable frame, and none that had a socket got it
/// otherwise.
fn is_unreadable(fact: &Fact, client: &str) -> bool {
    let fault = GenesysFaultName::MalformedFrame;
    let of_client = fact.due.iter().filter(|due| *due.client == *client);
    let mut met = of_client
        .map(|due| due.fate)
        .filter(|fate| *fate != DueFate::NoSocket)
        .peekable();
    met.peek().is_some() && met.all(|fate| fate == DueFate::Lost { fault })
}

#[cfg(test)]
mod tests {
    use super::super::Due;
    use super::*;

    const TOPIC: &str = "v2.users.u.presence";

    fn at(seconds: u64) -> WallTime {
        WallTime::from_millis(seconds * 1_000)
    }

    fn fact(number: u64, body: &str, fate: DueFate) -> Fact {
        Fact {
            number,
            at: at(number),
            topic: TOPIC.into(),
            sha256: Digest::of(body.as_bytes()),
            bytes: 1,
            dated: true,
            due: vec![Due {
                channel: "c".into(),
                client: "me".into(),
                fate,
            }],
        }
    }

    fn sent(number: u64, body: &str) -> Fact {
        fact(number, body, DueFate::Sent { copies: 1 })
    }

    fn frame(body: &str) -> String {
        super::super::channels::event(TOPIC, body, "some-id")
    }

    fn reader(bodies: &[&str]) -> GenesysOracle {
        let mut oracle = GenesysOracle::new();
        for body in bodies {
            oracle.take_frame(frame(body).as_bytes(), false);
        }
        oracle
    }

    #[test]
    fn two_equal_facts_are_two_events() {
        let facts = [sent(1, "1"), sent(2, "1")];
        assert_eq!(
            reader(&["1", "1"]).judge(&facts, "me").first_violation,
            None
        );
        assert_eq!(reader(&["1"]).judge(&facts, "me").lost, 1);
        assert_eq!(reader(&["1", "1", "1"]).judge(&facts, "me").doubled, 1);
    }

    #[test]
    fn what_is_missing_must_lie_in_a_window_of_its_topic() {
        let facts = [sent(1, "1"), fact(5, "2", DueFate::NoSocket), sent(9, "3")];
        let mut oracle = reader(&["1", "3"]);
        assert_eq!(oracle.judge(&facts, "me").lost, 1);
        oracle.take_window(at(4), Some(at(6)), &["v2.users.other.presence".to_owned()]);
        assert_eq!(oracle.judge(&facts, "me").lost, 1);
        oracle.take_window(
            at(4),
            Some(at(6)),
            &["v2.users.u?presence&activity".to_owned()],
        );
        let verdict = oracle.judge(&facts, "me");
        assert_eq!((verdict.lost, verdict.in_windows, verdict.due), (0, 1, 3));
        assert_eq!(verdict.first_violation, None);
    }

    #[test]
    fn what_was_never_told_is_invented_and_what_is_of_nobodys_concern_is_not_due() {
        let mut other = sent(1, "1");
        other.due.clear();
        let verdict = reader(&["2"]).judge(&[other], "me");
        assert_eq!((verdict.due, verdict.lost, verdict.invented), (0, 0, 1));
    }

    #[test]
    fn a_double_is_excused_where_the_platform_doubled_it_or_where_it_is_marked_and_undated() {
        let twice = [fact(1, "1", DueFate::Sent { copies: 2 })];
        assert_eq!(reader(&["1", "1"]).judge(&twice, "me").doubled, 0);
        let mut undated = [sent(1, "1")];
        undated[0].dated = false;
        let mut oracle = reader(&["1"]);
        oracle.take_frame(frame("1").as_bytes(), true);
        let verdict = oracle.judge(&undated, "me");
        assert_eq!((verdict.doubled, verdict.possible_duplicates), (0, 1));
        assert_eq!(oracle.judge(&[sent(1, "1")], "me").doubled, 1);
    }

    #[test]
    fn an_unreadable_frame_is_on_record_as_such() {
        let fault = GenesysFaultName::MalformedFrame;
        let facts = [fact(1, "1", DueFate::Lost { fault })];
        assert_eq!(reader(&[]).judge(&facts, "me").lost, 1);
        let mut oracle = reader(&[]);
        oracle.take_frame(b"{\"topicNa", false);
        let verdict = oracle.judge(&facts, "me");
        assert_eq!((verdict.lost, verdict.unreadable), (0, 1));
    }

    #[test]
    fn an_unreadable_frame_is_on_record_beside_a_channel_that_nobody_reads() {
        let fault = GenesysFaultName::MalformedFrame;
        let mut fact = fact(1, "1", DueFate::Lost { fault });
        fact.due.push(Due {
            channel: "left".into(),
            client: "me".into(),
            fate: DueFate::NoSocket,
        });
        let mut oracle = reader(&[]);
        oracle.take_frame(b"{\"topicNa", false);
        let verdict = oracle.judge(&[fact], "me");
        assert_eq!((verdict.lost, verdict.unreadable), (0, 1));
    }
}
