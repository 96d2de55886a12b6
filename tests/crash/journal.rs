//! A process that appends is killed again and again; what it was told to be durable must be there.
//!
//! SIGKILL leaves the page cache alone: this finds mistakes of order and of recovery. Lost and torn
//! writes are simulated in the tests of the journal itself.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tieline::domain::{JournalName, Sequence};
use tieline::journal::{
    Commit, FileJournal, Item, Journal, JournalConfig, Options, RetentionConfig, StateDelta,
    StoreConfig, offline,
};
use tieline::proto::v1;
use tieline::runtime::{ByteSize, Clock, Rng};
use tieline::testing::scale;

const DIRECTORY: &str = "TIELINE_CRASH_TEST_DIRECTORY";
const PATIENCE: Duration = Duration::from_secs(60);

fn open(path: &Path) -> FileJournal {
    let config = JournalConfig {
        name: JournalName::new("crash").unwrap(),
        path: path.to_owned(),
        store: StoreConfig::Full,
        retention: RetentionConfig {
            // Segments of 1 MiB, of which the oldest go during the test.
            max_bytes: ByteSize::from_mib(8),
            hard_max_bytes: ByteSize::from_mib(8),
            min_free_bytes: ByteSize(0),
            ..RetentionConfig::default()
        },
    };
    FileJournal::open(Options::new(&config, Clock::system(), Rng::from_entropy())).unwrap()
}

fn commit(first: u64, count: u64) -> Commit {
    let event = |n: u64| v1::Event {
        id: n.to_string(),
        source: "crash".to_owned(),
        raw_data: vec![u8::try_from(n % 251).unwrap(); usize::try_from(n * 37 % 3_000).unwrap()]
            .into(),
        ..Default::default()
    };
    Commit {
        events: (first..first + count).map(event).collect(),
        state: vec![StateDelta {
            key: "last".to_owned(),
            value: Some((first + count - 1).to_string().into()),
            event: usize::try_from(count).unwrap().checked_sub(1),
        }],
    }
}

/// Not a test by itself: the process that is killed.
#[tokio::test]
async fn child() {
    let Some(path) = std::env::var_os(DIRECTORY) else {
        return;
    };
    let journal = open(&PathBuf::from(path));
    let (_trigger, drain) = tieline::runtime::drain();
    let work = async {
        let mut next = journal.info().latest.get() + 1;
        loop {
            let count = 1 + next % 9;
            let committed = journal.append(commit(next, count)).await.unwrap();
            assert_eq!(committed.first.get(), next);
            next += count;
            // Who kills it may have stopped listening a moment before.
            writeln!(
                std::io::stdout(),
                "durable {} {}",
                committed.last,
                journal.info().earliest
            )
            .ok();
        }
    };
    tokio::select! {
        () = work => {}
        () = journal.clone().maintain(drain) => {}
    }
}

/// Starts a child that appends to the journal in a directory; `program` is this test.
pub(crate) fn append_in(mut program: Command, path: &Path) -> Child {
    let child = program
        .args([
            "--exact",
            "journal::child",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(DIRECTORY, path)
        .stdout(Stdio::piped())
        .spawn();
    child.unwrap()
}

/// What it tells of its commits, one by one.
pub(crate) fn durable_lines(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    let lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok);
    // The harness writes its own words in front of the first line.
    lines.filter_map(|line| Some(line.split_once("durable ")?.1.to_owned()))
}

/// The last event that it told of, and the first that it still had.
pub(crate) fn told(line: Option<String>) -> (u64, u64) {
    let Some(line) = line else {
        return (0, 1);
    };
    let (last, earliest) = line.split_once(' ').unwrap();
    (last.parse().unwrap(), earliest.parse().unwrap())
}

/// Lets a child append until it has told of `until` commits, and kills it. What it told.
fn kill_after(path: &Path, until: usize) -> (u64, u64) {
    let program = Command::new(std::env::current_exe().unwrap());
    let mut child = append_in(program, path);
    let last = durable_lines(&mut child).take(until).last();
    child.kill().unwrap();
    child.wait().unwrap();
    told(last)
}

/// Opens the journal and compares with what was told; its last event.
pub(crate) async fn check(path: &Path, told: (u64, u64)) -> u64 {
    let journal = open(path);
    let info = journal.info();
    assert!(
        info.latest.get() >= told.0,
        "{} was durable, {} is there",
        told.0,
        info.latest
    );
    assert!(info.earliest.get() >= told.1, "what was trimmed came back");
    let mut at = info.earliest.previous();
    while at < info.latest {
        let page = journal.read(at, 1 << 20).await.unwrap();
        for item in page.items {
            let Item::Event(entry) = item else {
                panic!("{item:?}");
            };
            at = at.next();
            let expected = commit(at.get(), 1).events.remove(0);
            let read = entry.decode().unwrap();
            assert_eq!((read.id, read.raw_data), (expected.id, expected.raw_data));
            assert_eq!(read.sequence, at.get());
        }
    }
    if info.latest > Sequence::ZERO {
        let state = journal.state("last");
        assert_eq!(
            state[0].value,
            info.latest.to_string(),
            "events and state have parted"
        );
        assert_eq!(state[0].sequence, info.latest);
    }
    journal.close().await;
    info.latest.get()
}

#[tokio::test]
async fn kills_lose_nothing_that_was_told_to_be_durable() {
    if std::env::var_os(DIRECTORY).is_some() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("journal");
    let rng = Rng::from_entropy();
    println!("seed {}", rng.seed());
    let mut epoch = None;
    let kills = async {
        for _ in 0..20 * scale() {
            let until = usize::try_from(rng.below(120)).unwrap();
            let told = {
                let path = path.clone();
                tokio::task::spawn_blocking(move || kill_after(&path, until))
                    .await
                    .unwrap()
            };
            check(&path, told).await;
            let verification = offline::verify(&path).unwrap();
            assert!(verification.is_sound(), "{verification}");
            let found = verification.report.epoch;
            assert_eq!(
                *epoch.get_or_insert(found.clone()),
                found,
                "nothing was lost"
            );
        }
    };
    tokio::time::timeout(PATIENCE * scale(), kills)
        .await
        .unwrap();
}
