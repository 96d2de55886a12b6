//! [`LastReload`]: how the configuration was last read again, in words.

use serde::{Deserialize, Serialize};

use crate::runtime::{ReloadOutcome, ReloadReport};

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

impl LastReload {
    pub(super) fn of(report: &ReloadReport) -> Self {
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
