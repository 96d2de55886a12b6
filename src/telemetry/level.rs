//! [`LogLevel`]: changes what is logged while the process runs.

use std::fmt;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use tracing_subscriber::reload::Handle;
use tracing_subscriber::{EnvFilter, Registry};

use super::{InitError, filter};

static OF_PROCESS: OnceLock<LogLevel> = OnceLock::new();

/// What is logged, to be looked at and changed. Clones change the same.
#[derive(Clone)]
pub struct LogLevel {
    handle: Handle<EnvFilter, Registry>,
    directives: Arc<Mutex<String>>,
}

impl LogLevel {
    pub(super) fn new(handle: Handle<EnvFilter, Registry>, directives: &str) -> Self {
        Self {
            handle,
            directives: Arc::new(Mutex::new(directives.to_owned())),
        }
    }

    pub(super) fn keep_for_process(&self) {
        // A log is set up once, or `init` says so.
        let _kept = OF_PROCESS.set(self.clone()).is_ok();
    }

    /// That of the log that [`init`](super::init) has set up; `None` before that.
    #[must_use]
    pub fn of_process() -> Option<Self> {
        OF_PROCESS.get().cloned()
    }

    /// The directives that hold, as they were given.
    #[must_use]
    pub fn directives(&self) -> String {
        self.directives.lock().clone()
    }

    /// Lets through what these directives say, as of `RUST_LOG`, from now on; never what holds
    /// customers' words. Returns those that held before.
    ///
    /// # Errors
    /// [`InitError::Filter`]; then nothing has changed.
    pub fn set(&self, directives: &str) -> Result<String, InitError> {
        let filter = filter(directives)?;
        let mut held = self.directives.lock();
        if self.handle.reload(filter).is_err() {
            // The log is gone, and with it whatever could be let through.
            tracing::debug!("No log is left to change");
        }
        Ok(std::mem::replace(&mut *held, directives.to_owned()))
    }
}

impl fmt::Debug for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LogLevel").field(&self.directives()).finish()
    }
}
