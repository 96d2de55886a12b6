//! What cursors hold back in a real journal, and what beats them.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::feed::{Registry, Surroundings};
use crate::journal::{Commit, FileJournal, Journal, JournalConfig, Options, RetentionConfig};
use crate::proto::v1;
use crate::runtime::{ByteSize, Clock, Rng};

const MIB: u64 = 1 << 20;

/// A journal of segments of one MiB, 8 MiB of which are kept, and 16 MiB at most.
struct Place {
    journal: FileJournal,
    feed: Feed,
    _tasks: JoinSet<()>,
    _folder: tempfile::TempDir,
}

fn place() -> Place {
    let folder = tempfile::tempdir().unwrap();
    let config = JournalConfig {
        name: JournalName::new("default").unwrap(),
        path: folder.path().join("journal"),
        store: Default::default(),
        retention: RetentionConfig {
            max_bytes: ByteSize::from_mib(8),
            hard_max_bytes: ByteSize::from_mib(16),
            min_free_bytes: ByteSize::from_mib(0),
            ..RetentionConfig::default()
        },
    };
    let clock = Clock::system();
    let options = Options::new(&config, clock.clone(), Rng::from_seed(1));
    let journal = FileJournal::open(options).unwrap();
    let surroundings = Surroundings {
        registry: Registry::new(10),
        cursor_names: CursorNames::default(),
        clock,
        rng: Rng::from_seed(2),
        drain: drain().1,
    };
    let feed = Feed::attach(
        Arc::new(journal.clone()),
        surroundings,
        FeedConfig::default(),
    );
    let mut tasks = JoinSet::new();
    tasks.spawn(feed.clone().keep_cursors(drain().1));
    tasks.spawn(journal.clone().maintain(drain().1));
    Place {
        journal,
        feed,
        _tasks: tasks,
        _folder: folder,
    }
}

impl Place {
    /// Appends so many MiB.
    async fn fill(&self, mib: u64) {
        for _ in 0..mib * 10 {
            let event = v1::Event {
                raw_data: vec![7; 100 << 10].into(),
                ..v1::Event::default()
            };
            let commit = Commit {
                events: vec![event],
                state: Vec::new(),
            };
            self.journal.append(commit).await.unwrap();
        }
    }

    fn earliest(&self) -> u64 {
        self.journal.info().earliest.get()
    }

    fn size(&self) -> u64 {
        self.journal.info().size_bytes
    }

    async fn create(&self, text: &str, bytes: u64) {
        let created = self.feed.create_cursor(name(text), Start::Latest, bytes);
        created.await.unwrap();
    }
}

#[tokio::test]
async fn a_cursor_keeps_its_bytes_beyond_retention_and_a_commit_lets_them_go() {
    let place = place();
    place.create("careless", 0).await;
    place.create("careful", 5 * MIB).await;
    place.fill(12).await;
    assert_eq!(place.earliest(), 1, "within what it may hold back");
    place.fill(30).await;
    assert!(place.earliest() > 1, "and no more than that");
    let size = place.size();
    assert!((9 * MIB..=13 * MIB).contains(&size), "{size}");

    let refused = place.feed.open_cursor(name("careful"), Policy::Fail).await;
    assert!(matches!(refused, Err(FeedError::PositionTrimmed(_))));
    let info = place.journal.info();
    let to = AskedPosition {
        epoch: info.epoch.to_string(),
        sequence: info.latest,
    };
    let committed = place.feed.commit_cursor(name("careful"), 0, to).await;
    assert_eq!(committed.unwrap().sequence, info.latest);
    // The next look at retention lets go of what was held.
    let mut end = place.journal.durable_end();
    let let_go = end.wait_for(|_| place.size() <= 8 * MIB);
    tokio::time::timeout(Duration::from_secs(60), let_go)
        .await
        .expect("retention takes its turn")
        .unwrap();
    assert!(place.journal.info().earliest > info.earliest);
}

#[tokio::test]
async fn the_hard_bound_beats_every_cursor() {
    let place = place();
    place.create("greedy", u64::MAX).await;
    for _ in 0..40 {
        place.fill(1).await;
        assert!(place.size() <= 16 * MIB, "{}", place.size());
    }
    assert!(place.size() > 12 * MIB, "what it may hold it holds");
    assert!(place.earliest() > 1);
    let refused = place.feed.open_cursor(name("greedy"), Policy::Fail).await;
    assert!(matches!(refused, Err(FeedError::PositionTrimmed(_))));
}
