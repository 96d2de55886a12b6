//! Tests of the feed, and what the tests of the edge share with them.

mod expression;
mod filter;
mod machine;
mod pages;
mod read;
mod resume;
mod rules;
mod sharing;
mod slow_journal;
mod start;
pub(crate) mod validate;

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use prost::Message;

use super::*;
use crate::domain::WallTime;
use crate::journal::{Commit, EncodedDraft, Store};
use crate::proto::v1;
use crate::runtime::{DrainTrigger, drain};
use crate::testing::MemoryJournal;
pub(crate) use crate::testing::scale;
use validate::{News, Seen};

pub(crate) const EPOCH: u64 = 0xfeed;

/// So many cases, times the scale; a failing one is printed, not kept in a file.
pub(crate) fn cases(count: u32) -> proptest::test_runner::Config {
    proptest::test_runner::Config {
        cases: count * scale(),
        failure_persistence: None,
        ..Default::default()
    }
}

/// An event whose attributes follow from its number, so that filters and shards have something to
/// tell apart.
pub(crate) fn draft(number: u64) -> v1::Event {
    let word = ["created", "updated", "ended"][(number % 3) as usize];
    v1::Event {
        id: format!("id-{number}"),
        source: "//test".to_owned(),
        r#type: format!("ccaas.conversation.{word}.v1"),
        subject: format!("conversations/{}", number % 7),
        ordering_key: if number.is_multiple_of(5) {
            String::new()
        } else {
            format!("key-{}", number % 11)
        },
        session: format!("sessions/s{}", number % 2),
        provider_type: format!("v2.topic.{}", number % 4),
        raw_data: format!("{{\"n\":{number}}}").into(),
        data: Some(v1::event::Data::ConversationEvent(v1::ConversationEvent {
            conversation_id: format!("{}", number % 7),
            ..Default::default()
        })),
        ..Default::default()
    }
}

/// A fact about session `s0`.
pub(crate) fn session_fact(number: u64) -> v1::Event {
    v1::Event {
        id: format!("fact-{number}"),
        source: "//test".to_owned(),
        r#type: "ccaas.session.v1".to_owned(),
        session: "sessions/s0".to_owned(),
        origin: v1::event::Origin::Sidecar.into(),
        data: Some(v1::event::Data::SessionEvent(v1::SessionEvent {
            kind: v1::session_event::Kind::GapSuspected.into(),
            session: "sessions/s0".to_owned(),
            ..Default::default()
        })),
        ..Default::default()
    }
}

pub(crate) fn entry(sequence: u64, at: WallTime, event: v1::Event) -> Entry {
    let encoded = EncodedDraft::encode(&event, Store::Full);
    let mut element = Vec::new();
    let (data_at, raw_at) = encoded.write(Sequence::new(sequence), at, &mut element);
    Entry {
        sequence: Sequence::new(sequence),
        record_time: at,
        id_hash: encoded.id_hash(),
        element: element.into(),
        data_at,
        raw_at,
    }
}

/// A journal with its feed.
pub(crate) struct Bench {
    pub(crate) journal: MemoryJournal,
    pub(crate) feed: Feed,
    pub(crate) trigger: DrainTrigger,
    pub(crate) drain: Drain,
    pub(crate) clock: Clock,
}

pub(crate) fn bench() -> Bench {
    bench_with(FeedConfig::default(), 100)
}

pub(crate) fn bench_with(config: FeedConfig, limit: u32) -> Bench {
    let clock = Clock::anchored(WallTime::from_millis(1_700_000_000_000));
    let journal = MemoryJournal::new("default", EPOCH, clock.clone());
    let (trigger, drain) = drain();
    let surroundings = Surroundings {
        registry: Registry::new(limit),
        cursor_names: CursorNames::default(),
        clock: clock.clone(),
        rng: Rng::from_seed(1),
        drain: drain.clone(),
    };
    let feed = Feed::attach(Arc::new(journal.clone()), surroundings, config);
    Bench {
        journal,
        feed,
        trigger,
        drain,
        clock,
    }
}

impl Bench {
    pub(crate) async fn append(&self, events: Vec<v1::Event>) {
        let commit = Commit {
            events,
            state: Vec::new(),
        };
        self.journal.append(commit).await.unwrap();
    }

    /// Appends as many drafts, numbered as they will be.
    pub(crate) async fn fill(&self, count: u64) {
        let latest = self.feed.info().latest.get();
        self.append((latest + 1..=latest + count).map(draft).collect())
            .await;
    }

    pub(crate) async fn open(&self, plan: SubscribePlan) -> Subscriber {
        self.feed.subscribe(plan).await.unwrap()
    }
}

pub(crate) fn plan(start: Start) -> SubscribePlan {
    SubscribePlan {
        start: Origin::Place(start),
        policy: Policy::Fail,
        end: None,
        selection: Selection::default(),
        view: View::Full,
        batching: Batching::default(),
        heartbeat: None,
        replay_rate: 0,
        caller: Arc::new(crate::feed::Caller {
            client_id: "test".to_owned(),
            ..crate::feed::Caller::default()
        }),
    }
}

pub(crate) fn after(sequence: u64) -> Start {
    Start::After(AskedPosition {
        epoch: Epoch::new(EPOCH).to_string(),
        sequence: Sequence::new(sequence),
    })
}

use crate::domain::Epoch;

fn seen(delivery: Delivery) -> Seen {
    let mut bytes = Vec::new();
    delivery.elements.write(&mut bytes);
    assert_eq!(bytes.len(), delivery.elements.len());
    let events = v1::SubscribeResponse::decode(bytes.as_slice())
        .unwrap()
        .events;
    assert_eq!(events.len(), delivery.elements.count());
    Seen {
        events,
        through: delivery.through.get(),
        latest: delivery.latest.get(),
        news: delivery.notice.map(|notice| match notice {
            Notice::Opened(o) => News::Opened {
                epoch: o.epoch.to_string(),
                start: o.start.get(),
            },
            Notice::CaughtUp => News::CaughtUp,
            Notice::FellBehind => News::FellBehind,
            Notice::Gap(gap) => News::Gap {
                cause: gap.cause,
                range: gap.range.map(|(f, l)| (f.get(), l.get())),
            },
            Notice::Closing(_) => News::Closing,
        }),
    }
}

/// The next response; fails after a minute of (paused) time without one.
async fn next(subscriber: &mut Subscriber) -> Seen {
    let next = tokio::time::timeout(Duration::from_secs(61), subscriber.next()).await;
    seen(next.expect("silence").expect("an end").expect("an error"))
}

/// Everything up to the end, and how it ended.
async fn rest(subscriber: &mut Subscriber) -> (Vec<Seen>, Option<FeedError>) {
    let mut all = Vec::new();
    while let Some(next) = subscriber.next().await {
        match next {
            Ok(delivery) => all.push(seen(delivery)),
            Err(error) => return (all, Some(error)),
        }
    }
    (all, None)
}

fn numbers(seen: &[Seen]) -> Vec<u64> {
    seen.iter()
        .flat_map(|s| s.events.iter().map(|e| e.sequence))
        .collect()
}
