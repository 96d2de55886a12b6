//! [`Application`]: what the commands need of the rest of the process.

use std::fmt::Display;
use std::path::Path;

use async_trait::async_trait;
use serde::Serialize;
use serde_json::Value;

use super::CommandError;
use crate::config::{Config, Sources};

/// What the commands need of the rest of the process; the composition root provides it.
#[async_trait]
pub trait Application: Send + Sync {
    /// Runs the sidecar until it is told to end. It follows what its configuration comes from.
    ///
    /// # Errors
    /// [`CommandError::Journal`] and [`CommandError::Failed`] for what the operator can mend,
    /// [`CommandError::Bug`] for what only we can.
    async fn run(&self, config: Config, sources: Sources) -> Result<(), CommandError>;

    /// Looks into or changes a journal that no process has open.
    ///
    /// # Errors
    /// [`CommandError::Journal`].
    fn journal(&self, action: JournalAction, dir: &Path) -> Result<JournalReport, CommandError>;
}

/// What can be done to a journal offline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JournalAction {
    /// Say what is there.
    Inspect,
    /// Read everything and check every checksum.
    Verify,
    /// Declare it a new incarnation.
    NewEpoch,
}

/// What was found, for people and for tools.
#[derive(Debug, Clone, PartialEq)]
pub struct JournalReport {
    /// For people.
    pub text: String,
    /// For tools.
    pub json: Value,
    /// Whether all is well; a damaged journal ends the command with 74.
    pub sound: bool,
}

impl JournalReport {
    /// Both forms of a report.
    ///
    /// # Errors
    /// [`CommandError::Bug`] when it has no JSON form.
    pub fn new(report: &(impl Serialize + Display), sound: bool) -> Result<Self, CommandError> {
        let json = serde_json::to_value(report).map_err(|error| CommandError::Bug(error.into()))?;
        Ok(Self {
            text: report.to_string(),
            json,
            sound,
        })
    }
}
