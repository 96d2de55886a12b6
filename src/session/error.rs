//! What can go wrong with a session as a whole. What a platform does wrong is not an error but an
//! input of the machine.

use crate::connectors::SettingsError;

/// Stored state that cannot be read: the session does not run, for to begin anew would lose its
/// place silently.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("read state '{key}' of the session: {reason}")]
pub struct StateError {
    /// Its key.
    pub key: String,
    /// Why it cannot be read.
    pub reason: String,
}

/// Why a session cannot be started.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StartError {
    /// Its settings are wrong.
    #[error("start session '{session}'")]
    Settings {
        /// The session.
        session: String,
        /// Which one.
        source: SettingsError,
    },
}

/// Why a session's driver ended before it was drained.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DriverError {
    /// Its stored state cannot be read.
    #[error(transparent)]
    State(#[from] StateError),
}
