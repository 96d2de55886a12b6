//! The subscription machine and the ring under random lag, trims, damage and appends; no runtime.

use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;

use super::validate::{Written, validate};
use super::*;
use crate::feed::gather::Gather;
use crate::feed::ring::Ring;
use crate::feed::start::resolve;
use crate::feed::steps::{Moment, Step, Terms};
use crate::journal::{Batch, CommitSink, DurableEnd, GapCause, Item, Page, ReadError};
use crate::runtime::MonoTime;

/// A journal that answers when the test says so.
struct World {
    entries: BTreeMap<u64, Entry>,
    written: Written,
    /// The durable end that readers know; the ring may hold one batch more.
    announced: u64,
    earliest: u64,
    damaged: BTreeMap<u64, GapCause>,
    ring: Ring,
    now: MonoTime,
}

#[derive(Debug, Clone)]
enum Act {
    Append(u8),
    Announce(u8),
    Trim(u8),
    Damage(u8, bool),
    Steps(u8),
    Answer,
    Pass(u16),
    /// Something was erased.
    Forget,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    vec(
        prop_oneof![
            4 => (1_u8..12).prop_map(Act::Append),
            4 => (1_u8..20).prop_map(Act::Announce),
            1 => any::<u8>().prop_map(Act::Trim),
            1 => (any::<u8>(), any::<bool>()).prop_map(|(at, erased)| Act::Damage(at, erased)),
            6 => (1_u8..8).prop_map(Act::Steps),
            4 => Just(Act::Answer),
            1 => (1_u16..20_000).prop_map(Act::Pass),
            1 => Just(Act::Forget),
        ],
        1..80,
    )
}

impl World {
    fn new() -> Self {
        let ring = Ring::new(RingBounds {
            bytes: 1 << 20,
            events: 9,
        });
        ring.begin_at(Sequence::ZERO);
        Self {
            entries: BTreeMap::new(),
            written: Written::new(),
            announced: 0,
            earliest: 1,
            damaged: BTreeMap::new(),
            ring,
            now: MonoTime::now(),
        }
    }

    fn latest(&self) -> u64 {
        self.announced
    }

    fn announce(&mut self, count: u8) {
        let held = self.entries.len() as u64;
        self.announced = held.min(self.announced + u64::from(count));
    }

    fn announce_all(&mut self) {
        self.announced = self.entries.len() as u64;
    }

    /// As a journal does it: to the ring first, then the end moves; here later and in parts.
    fn append(&mut self, count: u8) {
        let from = self.entries.len() as u64 + 1;
        let at = WallTime::from_nanos(from);
        let batch: Vec<Entry> = (from..from + u64::from(count))
            .map(|n| {
                let event = if n % 6 == 0 {
                    session_fact(n)
                } else {
                    draft(n)
                };
                entry(n, at, event)
            })
            .collect();
        for entry in &batch {
            self.entries.insert(entry.sequence.get(), entry.clone());
            self.written
                .insert(entry.sequence.get(), entry.decode().unwrap());
        }
        self.ring.committed(&Batch::of(batch.into()));
    }

    fn end(&self) -> DurableEnd {
        DurableEnd {
            latest: Sequence::new(self.latest()),
            earliest: Sequence::new(self.earliest),
            latest_time: WallTime::from_nanos(self.latest()),
            writable: true,
            erasures: 0,
        }
    }

    fn moment(&self) -> Moment {
        Moment {
            now: self.now,
            wall: WallTime::from_nanos(1),
            end: self.end(),
            draining: false,
            forced: false,
        }
    }

    fn read(&self, after: Sequence) -> Result<Page, ReadError> {
        if after.next().get() < self.earliest {
            return Err(ReadError::Trimmed {
                after,
                earliest: Sequence::new(self.earliest),
                earliest_time: None,
            });
        }
        let items: Vec<Item> = self
            .entries
            .range(after.next().get()..=self.announced)
            .take(5)
            .map(|(number, entry)| match self.damaged.get(number) {
                None => Item::Event(entry.clone()),
                Some(cause) => Item::Gap {
                    cause: *cause,
                    first: entry.sequence,
                    last: entry.sequence,
                    start_time: None,
                    end_time: None,
                },
            })
            .collect();
        Ok(Page {
            through: after.plus(items.len() as u64),
            items,
            buffer: Bytes::new(),
        })
    }
}

struct Reader {
    subscription: Subscription,
    asked: Option<Sequence>,
    seen: Vec<Seen>,
    outcome: Option<Result<(), FeedError>>,
}

impl Reader {
    fn open(world: &World, policy: Policy, selection: Selection, rate: u32) -> Self {
        let info = Info {
            name: JournalName::new("j").unwrap(),
            epoch: Epoch::new(EPOCH),
            earliest: Sequence::new(world.earliest),
            latest: Sequence::new(world.latest()),
            earliest_time: None,
            latest_time: None,
            size_bytes: 0,
            max_age: None,
            max_bytes: None,
            create_time: WallTime::default(),
            health: Health::Writable,
        };
        let resolved = resolve(&Start::Earliest, policy, &info, Sequence::ZERO).unwrap();
        let batching = Batching {
            max_events: 3,
            ..Batching::default()
        };
        let terms = Terms {
            policy,
            end: None,
            selection,
            gather: Gather::new(View::Full, batching, 1 << 20),
            linger: Duration::ZERO,
            replay_rate: rate,
            opened: Opened {
                journal: info.name.clone(),
                epoch: info.epoch,
                earliest: info.earliest,
                latest: info.latest,
                start: resolved.start,
                subscriber: 1,
                heartbeat: Duration::from_secs(10),
                max_age: Some(Duration::from_secs(1_000_000)),
                lease: 0,
            },
            drain_delay: Duration::ZERO,
            age_delay: Duration::ZERO,
        };
        Self {
            subscription: Subscription::new(terms, resolved, world.now),
            asked: None,
            seen: Vec::new(),
            outcome: None,
        }
    }

    /// One step; whether it waits for something.
    fn step(&mut self, world: &World) -> Option<MonoTime> {
        let moment = world.moment();
        match self.subscription.step(&moment) {
            Step::Emit(delivery) => {
                let seen = seen(delivery);
                assert!(
                    seen.latest <= world.announced,
                    "{seen:?} is ahead of the end"
                );
                self.assert_tight(world, &seen);
                self.seen.push(seen);
            }
            Step::Read { after } => assert_eq!(self.asked.replace(after), None, "two reads"),
            Step::Follow { after } => {
                let run = world.ring.follow(after);
                self.subscription.followed(&moment, run.as_ref());
            }
            Step::Wait { until } => return Some(until),
            Step::End(outcome) => {
                self.outcome = Some(outcome);
                return Some(world.now);
            }
        }
        None
    }

    /// A gap names nothing that could have been delivered.
    fn assert_tight(&self, world: &World, seen: &Seen) {
        if let Some(News::Gap {
            cause,
            range: Some((first, last)),
        }) = seen.news
            && self.subscription.terms.policy == Policy::ResumeAtEarliest
        {
            let lost = |n: u64| match cause {
                Cause::Trimmed => n < world.earliest,
                _ => world.damaged.contains_key(&n),
            };
            assert!((first..=last).all(lost), "{seen:?} is too wide");
        }
    }

    fn answer(&mut self, world: &World) {
        if let Some(after) = self.asked.take() {
            self.subscription
                .read(&world.moment(), world.read(after).map(Arc::new));
        }
    }
}

fn act(world: &mut World, reader: &mut Reader, act: &Act) {
    match act {
        Act::Append(count) => world.append(*count),
        Act::Announce(count) => world.announce(*count),
        Act::Trim(part) => {
            let to = world.latest() * u64::from(*part) / 255 + 1;
            world.earliest = world.earliest.max(to);
        }
        Act::Damage(part, erased) => {
            let at = world.latest() * u64::from(*part) / 255;
            let cause = if *erased {
                GapCause::Erased
            } else {
                GapCause::Corrupted
            };
            world.damaged.insert(at, cause);
        }
        Act::Steps(count) => (0..*count).for_each(|_| {
            reader.step(world);
        }),
        Act::Answer => reader.answer(world),
        Act::Pass(millis) => world.now += Duration::from_millis(u64::from(*millis)),
        Act::Forget => reader.subscription.forget_read(),
    }
}

/// Lets a reader go on until it is at the end or has ended.
fn settle(world: &mut World, reader: &mut Reader) {
    for _ in 0..10_000 {
        if let Some(until) = reader.step(world) {
            if reader.outcome.is_some() {
                return;
            }
            if reader.asked.is_some() {
                reader.answer(world);
            } else if reader.subscription.state() == StateName::Live
                && reader
                    .seen
                    .last()
                    .is_some_and(|s| s.through == world.latest())
            {
                return;
            } else {
                world.now = until;
            }
        }
    }
    panic!("the reader does not reach the end");
}

proptest! {
    #![proptest_config(cases(2_000))]

    #[test]
    fn every_number_is_yielded_once_in_order_or_explained(
        acts in acts(), before in 0_u8..30, fail: bool, to_latest: bool, sharded: bool,
        rate in prop_oneof![Just(0_u32), Just(40_u32)],
    ) {
        let mut world = World::new();
        if before > 0 { world.append(before) }
        world.announce_all();
        let shard = sharded.then(|| Shard::new(1, 2).unwrap());
        let selection = Selection { filter: Filter::default(), shard };
        let policy = match (fail, to_latest) {
            (true, _) => Policy::Fail,
            (false, true) => Policy::ResumeAtLatest,
            (false, false) => Policy::ResumeAtEarliest,
        };
        let mut reader = Reader::open(&world, policy, selection.clone(), rate);
        acts.iter().for_each(|a| act(&mut world, &mut reader, a));
        world.announce_all();
        settle(&mut world, &mut reader);
        let wanted = |event: &v1::Event| {
            let entry = &world.entries[&event.sequence];
            selection.wants(&crate::feed::keys::Keys::scan(entry), entry)
        };
        validate(&reader.seen, &world.written, &wanted);
        match &reader.outcome {
            None => prop_assert_eq!(reader.seen.last().unwrap().through, world.latest()),
            Some(outcome) => {
                prop_assert_eq!(policy, Policy::Fail);
                let through = reader.seen.last().unwrap().through;
                match outcome {
                    Err(FeedError::PositionTrimmed(at)) => {
                        prop_assert_eq!(at.requested.get(), through);
                        prop_assert!(at.earliest.get() > through + 1);
                    }
                    Err(FeedError::Corrupted { first, .. }) => {
                        prop_assert_eq!(first.get(), through + 1);
                    }
                    other => prop_assert!(false, "ended with {:?}", other),
                }
            }
        }
    }
}

#[test]
fn a_reader_that_the_ring_overtakes_reads_from_disk_and_joins_again() {
    let mut world = World::new();
    let mut reader = Reader::open(&world, Policy::Fail, Selection::default(), 0);
    settle(&mut world, &mut reader);
    (0..4).for_each(|_| world.append(7));
    world.announce_all();
    settle(&mut world, &mut reader);
    let news: Vec<_> = reader.seen.iter().filter_map(|s| s.news.clone()).collect();
    assert_eq!(
        news[1..],
        [News::CaughtUp, News::FellBehind, News::CaughtUp]
    );
    assert_eq!(numbers(&reader.seen), (1..=28).collect::<Vec<_>>());
}

/// Twenty events of history, and a reader that has asked for the first page of them.
fn reading_twenty(rate: u32) -> (World, Reader) {
    let mut world = World::new();
    (0..4).for_each(|_| world.append(5));
    world.announce_all();
    let mut reader = Reader::open(&world, Policy::Fail, Selection::default(), rate);
    while reader.asked.is_none() {
        reader.step(&world);
    }
    (world, reader)
}

#[test]
fn an_answer_that_comes_to_a_closing_reader_changes_nothing_of_its_end() {
    let (world, mut reader) = reading_twenty(0);
    reader.subscription.dismiss();
    reader.step(&world);
    let reason = "the disk is gone".to_owned();
    let after = reader.asked.take().unwrap();
    let refused = Err(ReadError::Io { after, reason });
    reader.subscription.read(&world.moment(), refused);
    while reader.step(&world).is_none() {}
    let outcome = reader.outcome.unwrap();
    assert!(
        matches!(outcome, Err(FeedError::Disconnected { .. })),
        "{outcome:?}"
    );
}

#[test]
fn the_next_page_is_read_while_the_first_is_sent() {
    let (mut world, mut reader) = reading_twenty(0);
    reader.answer(&world);
    reader.step(&world);
    assert_eq!(reader.asked, Some(Sequence::new(5)));
    while reader.step(&world).is_none() {}
    assert_eq!(numbers(&reader.seen), (1..=5).collect::<Vec<_>>());
    // Behind an answer that came in time nothing is waited for.
    reader.answer(&world);
    assert!(reader.step(&world).is_none());
    assert_eq!(reader.asked, Some(Sequence::new(10)));
    reader.answer(&world);
    while reader.step(&world).is_none() {}
    assert_eq!(numbers(&reader.seen), (1..=15).collect::<Vec<_>>());
    settle(&mut world, &mut reader);
    assert_eq!(numbers(&reader.seen), (1..=20).collect::<Vec<_>>());
}

#[test]
fn a_reader_that_is_paced_reads_nothing_ahead() {
    let (world, mut reader) = reading_twenty(3);
    reader.answer(&world);
    while reader.step(&world).is_none() {}
    assert_eq!((reader.asked, numbers(&reader.seen)), (None, vec![1]));
}

#[test]
fn a_ring_of_small_commits_counts_what_it_keeps_about_them() {
    let entries = (1..=100).map(|n| entry(n, WallTime::from_nanos(n), draft(n)));
    let entries: Vec<_> = entries.collect();
    let ring = Ring::new(RingBounds {
        bytes: entries.iter().map(|entry| entry.element.len()).sum(),
        events: 100,
    });
    ring.begin_at(Sequence::ZERO);
    for entry in entries {
        ring.committed(&Batch::of([entry].into()));
    }
    assert!(ring.follow(Sequence::ZERO).is_none(), "the first made room");
    assert!(ring.follow(Sequence::new(99)).is_some());
}

#[test]
fn a_ring_holds_no_more_than_its_bounds_and_always_the_newest_batch() {
    let ring = Ring::new(RingBounds {
        bytes: 1_000,
        events: 100,
    });
    ring.begin_at(Sequence::ZERO);
    let batch = |first: u64, count: u64| {
        let entries = (first..first + count).map(|n| entry(n, WallTime::from_nanos(n), draft(n)));
        Batch::of(entries.collect())
    };
    for first in (1..200).step_by(2) {
        ring.committed(&batch(first, 2));
        assert!(ring.held_bytes() <= 1_000);
    }
    ring.committed(&batch(201, 50));
    assert!(ring.held_bytes() > 1_000, "one batch alone may be larger");
    assert!(ring.follow(Sequence::new(200)).is_some());
    assert!(ring.follow(Sequence::new(199)).is_none());
    // A hole means that something went by unseen: what is older is no longer vouched for.
    ring.committed(&batch(300, 1));
    assert!(ring.follow(Sequence::new(250)).is_none());
    assert!(ring.follow(Sequence::new(299)).is_some());
}
