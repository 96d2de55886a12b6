//! The task that keeps cursors: what is answered is durable, what is not is as if never asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::{Semaphore, watch};

use super::*;
use crate::feed::{Registry, Surroundings};
use crate::journal::{
    AppendError, Commit, CommitSink, Committed, DurableEnd, Hold, Journal, Page, ReadError,
    StateEntry, Turn,
};
use crate::runtime::{Clock, Rng};
use crate::testing::MemoryJournal;

/// A journal that appends when it is let to, and counts.
#[derive(Debug)]
struct Gated {
    journal: MemoryJournal,
    gate: Semaphore,
    arrived: watch::Sender<usize>,
    appends: AtomicUsize,
}

#[async_trait::async_trait]
impl Journal for Gated {
    async fn append(&self, commit: Commit) -> Result<Committed, AppendError> {
        self.arrived.send_modify(|arrived| *arrived += 1);
        self.gate.acquire().await.unwrap().forget();
        self.appends.fetch_add(1, Ordering::Relaxed);
        self.journal.append(commit).await
    }

    async fn append_in_turn(
        &self,
        commit: Arc<Commit>,
        turn: Turn,
    ) -> Result<Committed, AppendError> {
        self.journal.append_in_turn(commit, turn).await
    }

    fn info(&self) -> Info {
        self.journal.info()
    }

    fn durable_end(&self) -> watch::Receiver<DurableEnd> {
        self.journal.durable_end()
    }

    async fn read(&self, after: Sequence, max_bytes: usize) -> Result<Page, ReadError> {
        self.journal.read(after, max_bytes).await
    }

    async fn seek_time(&self, time: WallTime) -> Result<Sequence, ReadError> {
        self.journal.seek_time(time).await
    }

    fn state(&self, prefix: &str) -> Vec<StateEntry> {
        self.journal.state(prefix)
    }

    fn recent_ids(&self) -> Vec<u64> {
        self.journal.recent_ids()
    }

    fn attach(&self, sink: Arc<dyn CommitSink>) -> Sequence {
        self.journal.attach(sink)
    }

    async fn erase(&self, erasure: crate::journal::Erasure) -> Result<(), AppendError> {
        self.journal.erase(erasure).await
    }

    fn hold_back(&self, holds: Vec<Hold>) {
        self.journal.hold_back(holds);
    }
}

fn surroundings(clock: &Clock, names: &CursorNames) -> Surroundings {
    Surroundings {
        registry: Registry::new(10),
        cursor_names: names.clone(),
        clock: clock.clone(),
        rng: Rng::from_seed(5),
        drain: drain().1,
    }
}

/// Another feed on the same journal, as a process that starts again.
fn again(bench: &Bench) -> Feed {
    let surroundings = surroundings(&bench.clock, &CursorNames::default());
    let journal = Arc::new(bench.journal.clone());
    Feed::attach(journal, surroundings, FeedConfig::default())
}

#[tokio::test]
async fn commits_that_come_together_share_an_append_and_none_is_told_before_it() {
    let kept = kept();
    kept.bench.fill(100).await;
    for n in 0..20 {
        kept.create(&format!("c{n}")).await;
    }
    let gated = Arc::new(Gated {
        journal: kept.bench.journal.clone(),
        gate: Semaphore::new(0),
        arrived: watch::Sender::new(0),
        appends: AtomicUsize::new(0),
    });
    let surroundings = surroundings(&kept.bench.clock, &CursorNames::default());
    let feed = Feed::attach(
        Arc::clone(&gated) as Arc<_>,
        surroundings,
        FeedConfig::default(),
    );
    let mut tasks = JoinSet::new();
    tasks.spawn(feed.clone().keep_cursors(drain().1));
    let mut arrived = gated.arrived.subscribe();

    let committing = join_all((1..=100).map(|to| {
        let of = name(&format!("c{}", to % 20));
        feed.commit_cursor(of, 0, at(EPOCH, to))
    }));
    let looking = async {
        arrived.wait_for(|count| *count == 1).await.unwrap();
        let moved = feed.all_cursors();
        let moved = moved
            .iter()
            .filter(|(_, cursor)| cursor.commit_time.is_some());
        assert_eq!(moved.count(), 0, "nothing is durable yet");
        gated.gate.add_permits(1_000);
    };
    let (answers, ()) = tokio::join!(committing, looking);
    let appends = gated.appends.load(Ordering::Relaxed);
    assert!(appends <= 3, "{appends} appends for 100 commits");
    // Of the five for each cursor the last is the highest.
    for (to, answer) in (1..).zip(answers) {
        let answered = answer.unwrap().sequence.get();
        assert!(answered >= to, "{answered} for {to}");
    }
    let again = again(&kept.bench);
    for n in 0..20_u64 {
        let cursor = again.cursor(&name(&format!("c{n}"))).unwrap();
        let last = if n == 0 { 100 } else { 80 + n };
        assert_eq!(cursor.committed, position(EPOCH, last));
    }
}

#[tokio::test]
async fn a_process_that_starts_again_finds_cursors_and_leases_as_they_were_told() {
    let first = kept();
    first.bench.fill(10).await;
    first.create("plain").await;
    let held = first.feed().create_cursor(name("held"), Start::Latest, 77);
    held.await.unwrap();
    for lease in 1..=3 {
        let opened = first.feed().open_cursor(name("plain"), Policy::Fail).await;
        assert_eq!(opened.unwrap().1.number, lease);
    }
    assert_eq!(first.commit("plain", 3, 4).await, Ok(4));
    let created = first.create("gone").await;
    first
        .feed()
        .open_cursor(name("gone"), Policy::Fail)
        .await
        .unwrap();
    first.bench.journal.hold_back(Vec::new());

    let bench = Bench {
        feed: again(&first.bench),
        ..first.bench
    };
    let hold = Hold {
        passed: Sequence::new(10),
        bytes: 77,
    };
    assert_eq!(bench.journal.holds(), [hold], "before anything is trimmed");
    let second = kept_by(bench);
    let fenced = second.commit("plain", 2, 9).await.unwrap_err();
    let expected = CursorError::Fenced {
        name: name("plain"),
        lease: 3,
    };
    assert_eq!(fenced, expected.into());
    assert_eq!(second.commit("plain", 3, 2).await, Ok(4), "monotonic");
    assert_eq!(second.commit("plain", 3, 9).await, Ok(9));
    let lease = second.feed().open_cursor(name("plain"), Policy::Fail).await;
    assert_eq!(lease.unwrap().1.number, 4);
    // One of the same name as one that is gone begins behind its leases, after any number of starts.
    let deleted = second.feed().delete_cursor(name("gone"), String::new());
    deleted.await.unwrap();
    let third = kept_by(Bench {
        feed: again(&second.bench),
        ..second.bench
    });
    assert_eq!(third.create("gone").await.lease, created.lease + 1);
}

#[tokio::test]
async fn what_the_journal_refuses_never_happened() {
    let kept = kept();
    kept.bench.fill(10).await;
    kept.create("c").await;
    let (_, mut lease) = kept
        .feed()
        .open_cursor(name("c"), Policy::Fail)
        .await
        .unwrap();
    kept.commit("c", 1, 3).await.unwrap();
    let before = kept.feed().cursor(&name("c")).unwrap();
    let retry_after = Duration::from_secs(5);
    for error in [
        AppendError::NoSpace { retry_after },
        AppendError::ReadOnly {
            reason: "broken".to_owned(),
        },
    ] {
        kept.bench.journal.refuse(Some(error));
        let feed = kept.feed();
        let create = feed.create_cursor(name("new"), Start::Latest, 0);
        let open = feed.open_cursor(name("c"), Policy::Fail);
        let seek = feed.seek_cursor(name("c"), Start::Earliest);
        let delete = feed.delete_cursor(name("c"), String::new());
        let refused = [
            kept.commit("c", 1, 9).await.unwrap_err(),
            create.await.unwrap_err(),
            open.await.map(|_| ()).unwrap_err(),
            seek.await.unwrap_err(),
            delete.await.unwrap_err(),
        ];
        for error in refused {
            let is_told = matches!(error, FeedError::Cursor(CursorError::ReadOnly { .. }));
            assert!(is_told, "{error:?}");
        }
        assert_eq!(kept.feed().cursor(&name("c")), Some(before.clone()));
        assert_eq!(kept.feed().cursor(&name("new")), None);
        assert!(!lease.told.has_changed().unwrap(), "its stream goes on");
        // What needs no append is answered: it is durable.
        assert_eq!(kept.commit("c", 1, 2).await, Ok(3));
    }
    kept.bench.journal.refuse(None);
    kept.create("new").await;
    assert_eq!(kept.commit("c", 1, 9).await, Ok(9));
    kept.feed()
        .open_cursor(name("c"), Policy::Fail)
        .await
        .unwrap();
    lease.told.changed().await.unwrap();
}

#[tokio::test]
async fn a_name_is_one_journals_at_a_time() {
    let names = CursorNames::default();
    let clock = Clock::system();
    let mut tasks = JoinSet::new();
    let mut feed = |of: &str| {
        let journal = MemoryJournal::new(of, EPOCH, clock.clone());
        let surroundings = surroundings(&clock, &names);
        let feed = Feed::attach(
            Arc::new(journal.clone()),
            surroundings,
            FeedConfig::default(),
        );
        tasks.spawn(feed.clone().keep_cursors(drain().1));
        (feed, journal)
    };
    let ((one, of_one), (other, of_other)) = (feed("one"), feed("other"));
    let create = |feed: &Feed| {
        let feed = feed.clone();
        async move { feed.create_cursor(name("c"), Start::Latest, 0).await }
    };
    let exists: FeedError = CursorError::Exists { name: name("c") }.into();
    let (first, second) = tokio::join!(create(&one), create(&other));
    assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
    let (keeper, without) = match first.is_ok() {
        true => (&one, &other),
        false => (&other, &one),
    };
    assert_eq!(create(without).await, Err(exists.clone()));
    assert_eq!(create(keeper).await, Err(exists.clone()), "also its own");
    keeper
        .delete_cursor(name("c"), String::new())
        .await
        .unwrap();
    create(without).await.unwrap();
    assert_eq!(create(keeper).await, Err(exists));

    // Journals that were put together by hand: one of them keeps the name, and nothing is changed.
    let entry = of_one.state("").into_iter().chain(of_other.state(""));
    let entry = entry
        .into_iter()
        .find(|entry| entry.key.ends_with("/c"))
        .unwrap();
    for journal in [&of_one, &of_other] {
        let delta = crate::journal::StateDelta {
            key: entry.key.clone(),
            value: Some(entry.value.clone()),
            event: None,
        };
        let commit = Commit {
            events: Vec::new(),
            state: vec![delta],
        };
        journal.append(commit).await.unwrap();
    }
    let names = CursorNames::default();
    let served = [of_one, of_other].map(|journal| {
        let surroundings = surroundings(&clock, &names);
        let feed = Feed::attach(Arc::new(journal), surroundings, FeedConfig::default());
        feed.cursor(&name("c")).is_some()
    });
    assert_eq!(served, [true, false]);
}

#[tokio::test]
async fn nobody_waits_for_a_task_that_has_ended() {
    let bench = bench();
    let (trigger, ends) = drain();
    let keeping = bench.feed.clone().keep_cursors(ends);
    trigger.drain();
    keeping.await;
    let refused = bench.feed.create_cursor(name("c"), Start::Latest, 0).await;
    assert!(matches!(refused, Err(FeedError::Draining { .. })));
}
