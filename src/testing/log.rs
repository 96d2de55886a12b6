//! [`Log`]: what is logged, kept for a test to look at.

use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// A log that is kept, as one JSON object per line. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Keeps what this thread logs and `filter` lets through, until the guard is dropped.
    ///
    /// # Panics
    /// When `filter` is none.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a helper of tests")]
    pub fn capture(filter: &str) -> (Self, DefaultGuard) {
        let log = Self::default();
        let filter = EnvFilter::try_new(filter).expect("a filter");
        let subscriber = tracing_subscriber::fmt()
            .json()
            .with_env_filter(filter)
            .with_writer(log.clone())
            .finish();
        let guard = tracing::subscriber::set_default(subscriber);
        // A test without a subscriber may have been the first at a line, which is then taken for
        // unwanted until it is looked at again.
        tracing::callsite::rebuild_interest_cache();
        (log, guard)
    }

    /// All of it.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock()).into_owned()
    }

    /// Its lines.
    ///
    /// # Panics
    /// When one is no JSON.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a helper of tests")]
    pub fn lines(&self) -> Vec<serde_json::Value> {
        let text = self.text();
        let lines = text.lines().filter(|line| !line.is_empty());
        lines
            .map(|line| serde_json::from_str(line).expect("a line is JSON"))
            .collect()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}
