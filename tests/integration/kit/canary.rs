//! [`Canary`]: nothing that is secret is in anything that a sidecar of these tests logs, writes, posts or
//! answers. Every sidecar carries one, so it holds for the whole suite.
//!
//! What is secret: each secret that a test writes for a session, and what the platforms give out for
//! it. What acts as a credential between connections may stand in a journal that no key seals: that is
//! documented, and `tieline check` warns of it.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use parking_lot::Mutex;
use tieline::config::Config;
use tieline::telemetry;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::SubscriberInitExt as _;

/// How the secrets of the simulated platforms begin: client secrets and access tokens.
const GIVEN_OUT: [&str; 2] = ["sandbox-secret-", "sandbox-a-"];
/// Likewise what is kept between connections: refresh tokens, and channels.
const KEPT: [&str; 3] = ["sandbox-refresh-", "sandbox-r-", "/channels/streaming-"];
/// How a credential stands in a request.
const SHOWN: [&str; 3] = ["Bearer ", "Basic ", "client_secret="];
/// Everything that we and what we stand on say, but not of gRPC, which no secret ever reaches.
const FILTER: &str = "trace,h2=info,tower=info,tonic=info";
/// A shorter secret cannot be told from words.
const TELLING: usize = 14;

/// What is looked for, and where it was found.
#[derive(Default)]
struct Watch {
    secrets: Mutex<Vec<String>>,
    found: Mutex<Vec<String>>,
}

/// Looks through the journals of one sidecar when it is dropped, and through the log all the time.
pub(crate) struct Canary {
    journals: Vec<PathBuf>,
    sealed: bool,
}

/// The log of the whole process: looked through, and not kept.
struct Log(&'static Watch);

fn watch() -> &'static Watch {
    static WATCH: OnceLock<Watch> = OnceLock::new();
    static LOG: OnceLock<()> = OnceLock::new();
    let watch = WATCH.get_or_init(Watch::default);
    LOG.get_or_init(|| {
        let log = tracing_subscriber::fmt()
            .with_env_filter(telemetry::filter(FILTER).unwrap())
            .with_ansi(false)
            .with_writer(Log(watch));
        log.finish().try_init().unwrap();
        // Nothing is looked for in vain.
        assert_eq!(LevelFilter::current(), LevelFilter::TRACE);
    });
    watch
}

/// From now on this is secret.
pub(crate) fn keep_secret(text: &str) {
    let mut secrets = watch().secrets.lock();
    if text.len() >= TELLING && !secrets.iter().any(|known| known == text) {
        secrets.push(text.to_owned());
    }
}

/// Fails where a text that anybody may read holds a secret.
pub(crate) fn is_clean(what: &str, text: &str) {
    if let Some(secret) = watch().secret_in(text, &[&GIVEN_OUT, &KEPT, &SHOWN]) {
        panic!("{secret} is in {what}: {text}");
    }
}

impl Watch {
    fn secret_in(&self, text: &str, marks: &[&[&str]]) -> Option<String> {
        let mut marks = marks.iter().flat_map(|marks| marks.iter().copied());
        if let Some(mark) = marks.find(|mark| text.contains(mark)) {
            return Some(mark.to_owned());
        }
        let secrets = self.secrets.lock();
        secrets
            .iter()
            .find(|secret| text.contains(*secret))
            .cloned()
    }
}

impl Canary {
    pub(crate) fn new(config: &Config) -> Self {
        watch();
        Self {
            journals: config.journals.iter().map(|j| j.path.clone()).collect(),
            sealed: config.state_key_file.is_some(),
        }
    }

    /// The journals are another's to look at.
    pub(crate) fn leave_files(&mut self) {
        self.journals.clear();
    }

    fn look_at(&self, dir: &Path) {
        let marks: &[&[&str]] = match self.sealed {
            true => &[&GIVEN_OUT, &KEPT],
            false => &[&GIVEN_OUT],
        };
        // What has just been deleted holds nothing.
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                self.look_at(&path);
                continue;
            }
            let bytes = std::fs::read(&path).unwrap_or_default();
            let found = watch().secret_in(&String::from_utf8_lossy(&bytes), marks);
            if let Some(secret) = found {
                panic!("{secret} stands in {}", path.display());
            }
        }
    }
}

impl Drop for Canary {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        self.journals.iter().for_each(|dir| self.look_at(dir));
        let found = watch().found.lock().clone();
        assert!(found.is_empty(), "secrets in the log: {found:#?}");
    }
}

impl std::io::Write for &Log {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        if let Some(secret) = self.0.secret_in(&text, &[&GIVEN_OUT, &KEPT, &SHOWN]) {
            self.0.found.lock().push(format!("{secret}: {text}"));
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

#[test]
#[should_panic(expected = "sandbox-a-")]
fn s6_a_token_in_what_is_posted_is_noticed() {
    is_clean("a post", "reason: sandbox-a-0011");
}

#[test]
fn s6_a_secret_in_the_log_or_in_a_journal_is_noticed() {
    use std::io::Write as _;
    keep_secret("4-canary-of-this-test");
    let own: &'static Watch = Box::leak(Box::default());
    own.secrets.lock().push("4-canary-of-this-test".to_owned());
    let mut log = &Log(own);
    log.write_all(b"a line").unwrap();
    assert!(own.found.lock().is_empty());
    log.write_all(b"a line with 4-canary-of-this-test").unwrap();
    assert_eq!(own.found.lock().len(), 1);
    let dir = tempfile::tempdir().unwrap();
    let segment = dir.path().join("segment");
    let noticed = |sealed, bytes: &[u8]| {
        std::fs::write(&segment, bytes).unwrap();
        let journals = vec![dir.path().to_owned()];
        let look = || drop(Canary { journals, sealed });
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(look)).is_err()
    };
    assert!(noticed(false, b"\x00\xff4-canary-of-this-test"));
    assert!(noticed(true, b"sandbox-r-00"));
    assert!(
        !noticed(false, b"sandbox-r-00"),
        "what no key seals is plain"
    );
}
