//! Tests of managed cursors: the rules, the task that keeps them, the streams that read by them.

mod keeping;
mod retention;
mod rules;
mod streams;

use super::*;
use crate::domain::{Epoch, JournalName, Position, Sequence, SubscriptionName, WallTime};
use crate::feed::request::{AskedPosition, Policy, Start};
use crate::feed::tests::{Bench, EPOCH, bench, bench_with, cases};
use crate::feed::{Feed, FeedConfig, FeedError, Info};
use crate::journal::Health;
use crate::runtime::drain;
use tokio::task::JoinSet;

fn name(text: &str) -> SubscriptionName {
    SubscriptionName::new(text).unwrap()
}

fn at(epoch: u64, sequence: u64) -> AskedPosition {
    AskedPosition {
        epoch: Epoch::new(epoch).to_string(),
        sequence: Sequence::new(sequence),
    }
}

fn position(epoch: u64, sequence: u64) -> Position {
    Position {
        epoch: Epoch::new(epoch),
        sequence: Sequence::new(sequence),
    }
}

/// A journal that holds these, in this incarnation.
fn info(epoch: u64, earliest: u64, latest: u64) -> Info {
    Info {
        name: JournalName::new("default").unwrap(),
        epoch: Epoch::new(epoch),
        earliest: Sequence::new(earliest),
        latest: Sequence::new(latest),
        earliest_time: Some(WallTime::from_millis(earliest)),
        latest_time: Some(WallTime::from_millis(latest)),
        size_bytes: 0,
        max_age: None,
        max_bytes: None,
        create_time: WallTime::default(),
        health: Health::Writable,
    }
}

/// A feed whose cursors are kept as long as this lives.
struct Kept {
    bench: Bench,
    _tasks: JoinSet<()>,
}

fn kept() -> Kept {
    kept_by(bench())
}

fn kept_by(bench: Bench) -> Kept {
    let mut tasks = JoinSet::new();
    tasks.spawn(bench.feed.clone().keep_cursors(drain().1));
    Kept {
        bench,
        _tasks: tasks,
    }
}

impl Kept {
    fn feed(&self) -> &Feed {
        &self.bench.feed
    }

    async fn create(&self, text: &str) -> Cursor {
        let created = self.feed().create_cursor(name(text), Start::Earliest, 0);
        created.await.unwrap()
    }

    async fn commit(&self, text: &str, lease: u64, to: u64) -> Result<u64, FeedError> {
        let commit = self.feed().commit_cursor(name(text), lease, at(EPOCH, to));
        commit.await.map(|position| position.sequence.get())
    }
}
