//! A process that is killed in every call to its disk: real files, real processes, the fixed script.
//!
//! The child stops where it is told to and waits there for SIGKILL. The page cache survives, so this
//! finds mistakes of order and of recovery; what a power cut does is simulated in `crashes`.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::play::{Host, Told, begin, judge, play};
use super::script::Script;
use crate::journal::offline;
use crate::journal::storage::{Access, DiskStorage, Identity, LockOutcome, Storage, StorageFile};
use crate::testing::scale;

const DIRECTORY: &str = "TIELINE_DEATH_DIRECTORY";
const CALL: &str = "TIELINE_DEATH_CALL";
const STAGE: &str = "TIELINE_DEATH_STAGE";
const RECOVERS: &str = "TIELINE_DEATH_RECOVERS";
const BLOCK: u64 = 512;
/// More than recovery makes, so that some come through.
const CALLS_OF_RECOVERY: usize = 20;

/// Where in a call the process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing of it was done.
    Before,
    /// Of a write a half was done, of anything else all.
    Within,
}

/// When a process dies: in which of the calls that change anything.
#[derive(Debug)]
struct Fate {
    calls: AtomicUsize,
    call: usize,
    stage: Stage,
}

impl Fate {
    fn meet<T>(&self, call: impl Fn() -> T, half: impl FnOnce()) -> T {
        if self.calls.fetch_add(1, Ordering::Relaxed) == self.call {
            if self.stage == Stage::Within {
                half();
            }
            println!("dying");
            loop {
                std::thread::park();
            }
        }
        call()
    }

    fn meet_whole<T>(&self, call: impl Fn() -> T) -> T {
        self.meet(&call, || drop(call()))
    }
}

#[derive(Debug)]
struct Mortal {
    disk: DiskStorage,
    fate: Arc<Fate>,
}

#[derive(Debug)]
struct MortalFile {
    file: Arc<dyn StorageFile>,
    fate: Arc<Fate>,
}

impl Mortal {
    fn file(&self, file: Arc<dyn StorageFile>) -> Arc<dyn StorageFile> {
        let fate = Arc::clone(&self.fate);
        Arc::new(MortalFile { file, fate })
    }
}

impl Storage for Mortal {
    fn create(&self, name: &str) -> std::io::Result<Arc<dyn StorageFile>> {
        let created = self.fate.meet_whole(|| self.disk.create(name));
        Ok(self.file(created?))
    }

    fn open(&self, name: &str, access: Access) -> std::io::Result<Arc<dyn StorageFile>> {
        Ok(self.file(self.disk.open(name, access)?))
    }

    fn rename(&self, from: &str, to: &str) -> std::io::Result<()> {
        self.fate.meet_whole(|| self.disk.rename(from, to))
    }

    fn remove(&self, name: &str) -> std::io::Result<()> {
        self.fate.meet_whole(|| self.disk.remove(name))
    }

    fn list(&self) -> std::io::Result<Vec<String>> {
        self.disk.list()
    }

    fn sync_dir(&self) -> std::io::Result<()> {
        self.fate.meet_whole(|| self.disk.sync_dir())
    }

    fn free_space(&self) -> std::io::Result<u64> {
        self.disk.free_space()
    }

    fn identity(&self, name: Option<&str>) -> std::io::Result<Identity> {
        self.disk.identity(name)
    }

    fn lock(&self) -> std::io::Result<LockOutcome> {
        self.fate.meet_whole(|| self.disk.lock())
    }

    fn holder(&self) -> std::io::Result<Option<String>> {
        self.disk.holder()
    }
}

impl StorageFile for MortalFile {
    fn write_at(&self, bytes: &[u8], offset: u64) -> std::io::Result<()> {
        // A system that is interrupted stops between two blocks, not anywhere.
        let middle = offset + bytes.len() as u64 / 2;
        let whole_blocks = (middle - middle % BLOCK).saturating_sub(offset);
        let half = &bytes[..usize::try_from(whole_blocks).unwrap()];
        let write_half = || drop(self.file.write_at(half, offset));
        self.fate
            .meet(|| self.file.write_at(bytes, offset), write_half)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> std::io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    fn sync_data(&self) -> std::io::Result<()> {
        self.fate.meet_whole(|| self.file.sync_data())
    }

    fn allocate(&self, length: u64) -> std::io::Result<()> {
        self.fate.meet_whole(|| self.file.allocate(length))
    }

    fn truncate(&self, length: u64) -> std::io::Result<()> {
        self.fate.meet_whole(|| self.file.truncate(length))
    }

    fn len(&self) -> std::io::Result<u64> {
        self.file.len()
    }
}

/// The directory of the child, which says aloud what it was told.
struct Aloud {
    path: PathBuf,
    fate: Arc<Fate>,
}

impl Host for Aloud {
    fn process(&mut self) -> Arc<dyn Storage> {
        Arc::new(Mortal {
            disk: DiskStorage::create_if_missing(&self.path).unwrap(),
            fate: Arc::clone(&self.fate),
        })
    }

    fn told(&mut self, told: &Told) {
        println!("told {}", told.to_line());
    }

    fn operations(&self) -> usize {
        self.fate.calls.load(Ordering::Relaxed)
    }
}

/// Not a test by itself: the process that is killed.
#[tokio::test(start_paused = true)]
async fn child() {
    let Some(path) = std::env::var_os(DIRECTORY) else {
        return;
    };
    let text = |name| std::env::var(name).unwrap();
    let is_within = text(STAGE) == "within";
    let fate = Arc::new(Fate {
        calls: AtomicUsize::new(0),
        call: text(CALL).parse().unwrap(),
        stage: if is_within {
            Stage::Within
        } else {
            Stage::Before
        },
    });
    let path = PathBuf::from(path);
    let mut host = Aloud { path, fate };
    match std::env::var(RECOVERS) {
        Ok(told) => begin(host.process(), &Told::from_line(&told)),
        Err(_) => play(&Script::of(0), &mut Told::default(), &mut host)
            .await
            .unwrap(),
    }
    println!("over");
}

/// Lets a child play the script, or recover where `told` says what there is, until it dies in a call.
/// What it was told, and whether it died.
fn run(path: &Path, call: usize, stage: Stage, told: Option<&Told>) -> (Told, bool) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "journal::tests::deaths::child"])
        .args(["--nocapture", "--test-threads=1"])
        .env(DIRECTORY, path)
        .env(CALL, call.to_string())
        .env(STAGE, format!("{stage:?}").to_lowercase())
        .stdout(Stdio::piped());
    if let Some(told) = told {
        command.env(RECOVERS, told.to_line());
    }
    let mut child = command.spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut told = told.cloned().unwrap_or_default();
    let mut end = None;
    for line in lines.map_while(Result::ok) {
        // The harness writes its own words in front of the first line.
        if let Some((_, line)) = line.split_once("told ") {
            told = Told::from_line(line);
        } else if line.ends_with("dying") || line.ends_with("over") {
            end = Some(line.ends_with("dying"));
            break;
        }
    }
    let died = end.expect("the child dies where it is told to, or plays to the end");
    child.kill().unwrap();
    child.wait().unwrap();
    (told, died)
}

/// Kills a process in one call of the script, and for every other the next one in its recovery.
async fn kill_in(call: usize, stage: Stage) -> bool {
    let what = format!("killed in call {call}, {stage:?}");
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("journal");
    let (mut told, died) = run(&path, call, stage, None);
    if died && call % 2 == 1 {
        let stage = if call % 4 == 1 {
            Stage::Before
        } else {
            Stage::Within
        };
        run(&path, (call / 2) % CALLS_OF_RECOVERY, stage, Some(&told));
    }
    let script = Script::of(0);
    for closes in [false, true] {
        let disk = Arc::new(DiskStorage::create_if_missing(&path).unwrap());
        let judged = judge(&script, disk, &mut told, closes).await;
        judged.unwrap_or_else(|error| panic!("{what}: {error:#}"));
    }
    let verified = offline::verify(&path).unwrap();
    assert!(verified.is_sound(), "{what}: {verified}");
    died
}

#[tokio::test(start_paused = true)]
async fn a_kill_in_any_call_to_the_disk_loses_nothing_that_was_told() {
    if std::env::var_os(DIRECTORY).is_some() {
        return;
    }
    let mut kills = 0;
    for call in 0.. {
        // Of a small run each call has one of the two.
        let stages = match (scale(), call % 2) {
            (1, 0) => &[Stage::Before][..],
            (1, _) => &[Stage::Within][..],
            _ => &[Stage::Before, Stage::Within][..],
        };
        let mut has_died = false;
        for stage in stages {
            has_died = kill_in(call, *stage).await;
            kills += usize::from(has_died);
        }
        if !has_died {
            assert!(call > 200, "{call} calls");
            println!("{kills} kills in {call} calls");
            break;
        }
    }
}
