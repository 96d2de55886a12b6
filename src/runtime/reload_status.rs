//! [`ReloadStatus`]: how the configuration was last read again, for whoever shows it.

use tokio::sync::watch;

use crate::domain::WallTime;

/// How the configuration was last read again. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct ReloadStatus(watch::Sender<ReloadState>);

/// The same, as of one moment.
#[derive(Debug, Clone, Default)]
pub struct ReloadState {
    /// The latest reading that changed something or was refused; `None` where there was none.
    pub last: Option<ReloadReport>,
    /// Tells the configuration that was applied last from others.
    pub config_hash: String,
    /// Readings that were applied.
    pub applied: u64,
    /// Readings that were refused.
    pub refused: u64,
}

/// What came of reading it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReloadOutcome {
    /// It counts now.
    Applied,
    /// It says what counted before.
    Unchanged,
    /// It has mistakes: what counted before still does.
    Refused,
}

/// One reading that changed something, or was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReloadReport {
    /// When.
    pub time: WallTime,
    /// What came of it.
    pub outcome: ReloadOutcome,
    /// Sessions that began.
    pub added: usize,
    /// Sessions that ended for good.
    pub removed: usize,
    /// Sessions with other settings.
    pub changed: usize,
    /// Sessions that noticed nothing.
    pub unchanged: usize,
    /// Keys that differ and count only after a restart.
    pub restart: Vec<String>,
    /// Why it was refused, in lines; empty where it was not.
    pub problem: String,
}

impl ReloadStatus {
    /// As of now.
    #[must_use]
    pub fn state(&self) -> ReloadState {
        self.0.borrow().clone()
    }

    /// Watches it.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<ReloadState> {
        self.0.subscribe()
    }

    /// The configuration of this hash was applied.
    pub fn counts(&self, hash: &str) {
        self.0
            .send_modify(|state| hash.clone_into(&mut state.config_hash));
    }

    /// It was read again.
    pub fn report(&self, report: ReloadReport) {
        self.0.send_modify(|state| {
            match report.outcome {
                ReloadOutcome::Applied => state.applied += 1,
                ReloadOutcome::Refused => state.refused += 1,
                ReloadOutcome::Unchanged => {}
            }
            state.last = Some(report);
        });
    }
}
