//! [`Notices`]: what the console's header says of the configuration.

use serde::{Deserialize, Serialize};

use crate::runtime::{ReloadOutcome, ReloadReport, ReloadStatus};

/// What the header of the console shows of others. Clones share it.
#[derive(Debug, Clone)]
pub struct Notices {
    /// Of the configuration that the process began with.
    config_hash: String,
    reload: ReloadStatus,
}

/// The same, as of one moment.
pub(super) struct Told {
    pub(super) config_hash: String,
    pub(super) reload: Option<LastReload>,
}

/// How the last reload of the configuration ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastReload {
    /// When, as RFC 3339.
    pub time: String,
    /// Whether what it holds is in force.
    pub applied: bool,
    /// What was changed, or why nothing was.
    pub message: String,
}

impl Notices {
    /// The process began with the configuration of this hash; `reload` tells what was read since.
    #[must_use]
    pub fn new(config_hash: String, reload: ReloadStatus) -> Self {
        Self {
            config_hash,
            reload,
        }
    }

    pub(super) fn told(&self) -> Told {
        let state = self.reload.state();
        Told {
            config_hash: match state.config_hash.as_str() {
                "" => self.config_hash.clone(),
                read_again => read_again.to_owned(),
            },
            reload: state.last.as_ref().map(LastReload::of),
        }
    }
}

impl LastReload {
    fn of(report: &ReloadReport) -> Self {
        let applied = report.outcome != ReloadOutcome::Refused;
        let mut message = match applied {
            false => report.problem.clone(),
            true => format!(
                "sessions: {} added, {} removed, {} changed, {} unchanged",
                report.added, report.removed, report.changed, report.unchanged
            ),
        };
        if !report.restart.is_empty() {
            message.push_str("; counts after a restart: ");
            message.push_str(&report.restart.join(", "));
        }
        Self {
            time: report.time.to_string(),
            applied,
            message,
        }
    }
}
