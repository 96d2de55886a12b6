//! The whole journal on the real disk: threads, futures, files, locks.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;

use super::kit::{KEEP_ALL, limits};
use crate::domain::{JournalName, Sequence};
use crate::journal::options::{Limits, Options};
use crate::journal::storage::simulated::SimulatedDisk;
use crate::journal::{
    AppendError, Commit, Erasure, FileJournal, GapCause, Health, Item, Journal, JournalConfig,
    OpenError, RetentionConfig, StateDelta, StoreConfig, conformance, offline,
};
use crate::proto::v1;
use crate::runtime::{ByteSize, Clock, HumanDuration, Rng, drain};
use crate::testing::MemoryJournal;

fn config(path: &Path) -> JournalConfig {
    JournalConfig {
        name: JournalName::new("default").unwrap(),
        path: path.to_owned(),
        store: StoreConfig::Full,
        retention: RetentionConfig::default(),
    }
}

fn open(path: &Path) -> Result<FileJournal, OpenError> {
    open_with(path, limits(64 << 10))
}

fn open_with(path: &Path, limits: Limits) -> Result<FileJournal, OpenError> {
    let options = Options {
        limits,
        retention: KEEP_ALL,
        ..Options::new(&config(path), Clock::system(), Rng::from_entropy())
    };
    FileJournal::open(options)
}

fn commit(count: usize, size: usize) -> Commit {
    let event = |n: usize| v1::Event {
        id: n.to_string(),
        raw_data: Bytes::from(vec![7; size]),
        ..Default::default()
    };
    Commit {
        events: (0..count).map(event).collect(),
        state: Vec::new(),
    }
}

#[tokio::test]
async fn a_memory_journal_conforms() {
    conformance::run(|| async {
        Arc::new(MemoryJournal::new("default", 1, Clock::system())) as Arc<dyn Journal>
    })
    .await;
}

#[tokio::test]
async fn a_file_journal_conforms() {
    let root = tempfile::tempdir().unwrap();
    let count = std::sync::atomic::AtomicU32::new(0);
    conformance::run(|| async {
        let n = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Arc::new(open(&root.path().join(n.to_string())).unwrap()) as Arc<dyn Journal>
    })
    .await;
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let root = tempfile::tempdir().unwrap();
    let journal = open(root.path()).unwrap();
    let epoch = journal.info().epoch;
    join_all((0..50).map(|n| journal.append(commit(n % 7, 900)))).await;
    let latest = journal.info().latest;
    let ids = journal.recent_ids();
    drop(journal);
    let journal = open(root.path()).unwrap();
    assert_eq!(
        (journal.info().epoch, journal.info().latest),
        (epoch, latest)
    );
    assert_eq!(journal.recent_ids(), ids);
    let mut at = Sequence::ZERO;
    while at < latest {
        let page = journal.read(at, 10_000).await.unwrap();
        assert!(page.through > at);
        at = page.through;
    }
    let live = offline::verify(root.path()).unwrap();
    assert!(live.is_sound(), "{live}");
    assert_eq!(
        live.report.holder,
        Some(format!("process {}", std::process::id()))
    );
    journal.close().await;
    let rest = offline::inspect(root.path()).unwrap();
    assert_eq!((rest.holder, rest.latest), (None, latest.get()));
    assert!(rest.segments.len() > 1);
}

#[tokio::test]
async fn a_second_opener_is_told_who_holds_it() {
    let root = tempfile::tempdir().unwrap();
    let first = open(root.path()).unwrap();
    let error = open(root.path()).unwrap_err();
    let me = format!("in use by process {}", std::process::id());
    assert!(error.to_string().contains(&me), "{error}");
    assert!(matches!(
        offline::new_epoch(root.path()),
        Err(OpenError::InUse { .. })
    ));
    let epoch = first.info().epoch;
    drop(first);
    let new = offline::new_epoch(root.path()).unwrap();
    assert_ne!(new, epoch);
    assert_eq!(open(root.path()).unwrap().info().epoch, new);
}

#[tokio::test]
async fn a_copied_directory_is_another_epoch() {
    let root = tempfile::tempdir().unwrap();
    let (a, b) = (root.path().join("a"), root.path().join("b"));
    let journal = open(&a).unwrap();
    journal.append(commit(3, 10)).await.unwrap();
    let epoch = journal.info().epoch;
    drop(journal);
    std::fs::create_dir(&b).unwrap();
    for file in std::fs::read_dir(&a).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), b.join(file.file_name())).unwrap();
    }
    let copy = open(&b).unwrap();
    assert_ne!(copy.info().epoch, epoch);
    assert_eq!(copy.info().latest.get(), 3);
    assert_eq!(open(&a).unwrap().info().epoch, epoch);
    drop(copy);
    std::fs::rename(&a, root.path().join("c")).unwrap();
    assert_eq!(
        open(&root.path().join("c")).unwrap().info().epoch,
        epoch,
        "moved, not copied"
    );
}

#[tokio::test]
async fn a_path_that_cannot_be_a_journal_is_refused() {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("file"), b"x").unwrap();
    assert!(matches!(
        open(root.path()),
        Err(OpenError::NotAJournal { .. })
    ));
    assert!(matches!(
        open(&root.path().join("file")),
        Err(OpenError::Io { .. })
    ));
    assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 1);
    let missing = offline::inspect(&root.path().join("nowhere"));
    assert!(matches!(missing, Err(OpenError::Missing { .. })));
}

#[tokio::test]
async fn a_closed_journal_is_read_and_refuses_appends() {
    let root = tempfile::tempdir().unwrap();
    let journal = open(root.path()).unwrap();
    journal.append(commit(2, 10)).await.unwrap();
    journal.close().await;
    journal.close().await;
    assert!(matches!(
        journal.append(commit(1, 10)).await,
        Err(AppendError::Closed)
    ));
    assert_eq!(
        journal
            .read(Sequence::ZERO, 1 << 20)
            .await
            .unwrap()
            .items
            .len(),
        2
    );
}

#[tokio::test]
async fn an_event_above_the_limit_is_refused_and_names_itself() {
    let root = tempfile::tempdir().unwrap();
    let journal = open(root.path()).unwrap();
    let mut commit = commit(2, 10);
    commit.events[1].raw_data = Bytes::from(vec![0; 3 << 20]);
    let error = journal.append(commit).await.unwrap_err();
    assert!(
        matches!(error, AppendError::TooLarge { index: 1, .. }),
        "{error}"
    );
    assert_eq!(journal.info().latest, Sequence::ZERO);
}

#[tokio::test]
async fn more_than_the_queue_holds_waits_and_is_kept() {
    let root = tempfile::tempdir().unwrap();
    let small = Limits {
        queue_bytes: 4 << 10,
        batch_bytes: 8 << 10,
        ..limits(64 << 10)
    };
    let journal = open_with(root.path(), small).unwrap();
    let appended = join_all((0..100).map(|_| journal.append(commit(1, 3_000)))).await;
    assert!(appended.iter().all(Result::is_ok));
    journal.append(commit(20, 3_000)).await.unwrap();
    assert_eq!(journal.info().latest.get(), 120);
}

#[tokio::test]
async fn normalized_and_raw_journals_keep_one_form() {
    let root = tempfile::tempdir().unwrap();
    for (store, has_data, has_raw) in [
        (StoreConfig::Full, true, true),
        (StoreConfig::Normalized, true, false),
        (StoreConfig::Raw, false, true),
    ] {
        let path = root.path().join(format!("{store:?}"));
        let config = JournalConfig {
            store,
            ..config(&path)
        };
        let options = Options::new(&config, Clock::system(), Rng::from_entropy());
        let journal = FileJournal::open(options).unwrap();
        let mut commit = commit(1, 100);
        commit.events[0].data = Some(v1::event::Data::AgentStateEvent(
            v1::AgentStateEvent::default(),
        ));
        journal.append(commit).await.unwrap();
        let page = journal.read(Sequence::ZERO, 1).await.unwrap();
        let crate::journal::Item::Event(entry) = &page.items[0] else {
            panic!("{page:?}");
        };
        let event = entry.decode().unwrap();
        assert_eq!(
            (event.data.is_some(), !event.raw_data.is_empty()),
            (has_data, has_raw)
        );
    }
}

#[tokio::test]
async fn upkeep_trims_an_idle_journal_and_prepares_the_next_segment() {
    let root = tempfile::tempdir().unwrap();
    let mut config = config(root.path());
    config.retention.max_age = HumanDuration::from_millis(400);
    config.retention.max_bytes = ByteSize::from_mib(8);
    let options = Options::new(&config, Clock::system(), Rng::from_entropy());
    let journal = FileJournal::open(options).unwrap();
    let (trigger, drain) = drain();
    let upkeep = journal.clone().maintain(drain);
    let work = async {
        journal.append(commit(1, 300_000)).await.unwrap();
        let mut end = journal.durable_end();
        let trimmed = end.wait_for(|end| end.earliest > end.latest);
        let bounded = tokio::time::timeout(Duration::from_secs(20), trimmed).await;
        assert_eq!(bounded.unwrap().unwrap().latest.get(), 1);
        trigger.drain();
    };
    tokio::join!(upkeep, work);
    // The spare counts, and nothing but it and an empty segment is left.
    let size = journal.info().size_bytes;
    assert!(size == 2 << 20 || size == 1 << 20, "{size}");
}

#[tokio::test]
async fn a_poisoned_journal_tells_its_readers_and_answers_everybody() {
    let disk = SimulatedDisk::new(1);
    let options = super::kit::options(limits(64 << 10), KEEP_ALL);
    let journal = FileJournal::open_on(disk.process(), options).unwrap();
    journal.append(commit(2, 10)).await.unwrap();
    disk.fail_at(1, std::io::ErrorKind::Other);
    let answers = join_all((0..10).map(|_| journal.append(commit(1, 10)))).await;
    assert!(
        answers
            .iter()
            .all(|a| matches!(a, Err(AppendError::ReadOnly { .. })))
    );
    assert!(matches!(journal.info().health, Health::Poisoned { .. }));
    assert!(!journal.durable_end().borrow().writable);
    assert_eq!(
        journal
            .read(Sequence::ZERO, 1 << 20)
            .await
            .unwrap()
            .items
            .len(),
        2
    );
}

/// Whether these bytes stand in any file of a directory.
fn stands_in(root: &Path, bytes: &[u8]) -> bool {
    let files = std::fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut contents = files.map(|path| std::fs::read(path).unwrap());
    contents.any(|content| content.windows(bytes.len()).any(|window| window == bytes))
}

#[tokio::test]
async fn what_was_erased_is_on_the_disk_no_more_and_verify_names_it() {
    let root = tempfile::tempdir().unwrap();
    let journal = open(root.path()).unwrap();
    let telling = |n: u64| {
        let mut commit = commit(9, 1_000);
        commit.events[4].raw_data = Bytes::from(format!("Ada Lovelace, number {n}."));
        let key = "sessions/ada/outbound/m".to_owned();
        let value = Some(Bytes::from(format!("Where is my parcel {n}?")));
        let event = Some(4);
        commit.state = vec![StateDelta { key, value, event }];
        commit
    };
    for n in 0..30 {
        journal.append(telling(n)).await.unwrap();
    }
    assert!(stands_in(root.path(), b"Ada Lovelace, number 3."));
    let erasure = Erasure {
        events: (0..30).map(|n| Sequence::new(9 * n + 5)).collect(),
        state: vec!["sessions/ada/outbound/m".to_owned()],
    };
    // Others go on meanwhile.
    let (erased, appended) = tokio::join!(journal.erase(erasure), journal.append(commit(9, 500)));
    erased.unwrap();
    appended.unwrap();
    for text in [&b"Ada Lovelace"[..], b"Where is my parcel"] {
        assert!(!stands_in(root.path(), text));
    }
    assert!(
        journal.state("journal/").is_empty(),
        "its record is gone, too"
    );
    drop(journal);
    let found = offline::verify(root.path()).unwrap();
    assert!(found.is_sound(), "{found}");
    let runs: Vec<_> = found
        .report
        .erased
        .iter()
        .map(|run| (run.first, run.last))
        .collect();
    assert_eq!(
        runs,
        (0..30).map(|n| (9 * n + 5, 9 * n + 5)).collect::<Vec<_>>()
    );
    let text = found.to_string();
    assert!(text.contains("30 events in 30 runs, erased\n  5 to 5\n"));
    assert!(text.contains("  and 10 more"), "{text}");
    let journal = open(root.path()).unwrap();
    let page = journal.read(Sequence::new(4), 1).await.unwrap();
    assert!(matches!(
        page.items[0],
        Item::Gap {
            cause: GapCause::Erased,
            ..
        }
    ));
}
