//! Why a command failed, and the exit code that says so to scripts.

use std::error::Error;
use std::process::ExitCode;

use crate::config::Findings;

type Cause = Box<dyn Error + Send + Sync>;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// The configuration has mistakes: 78.
    #[error("{0}")]
    Config(Findings),
    /// The configuration has mistakes, and they have been printed: 78.
    #[error("the configuration is refused")]
    Refused,
    /// A flag or variable of the process itself is wrong, or cannot be applied here: 78.
    #[error(transparent)]
    Setting(Cause),
    /// A journal cannot be opened, or is damaged: 74.
    #[error(transparent)]
    Journal(Cause),
    /// A bug of ours: 70.
    #[error(transparent)]
    Bug(Cause),
    /// Anything else, such as a server that does not answer: 1.
    #[error(transparent)]
    Failed(Cause),
    /// Standard output cannot be written: 1, and 0 when its reader has just left.
    #[error("write to standard output")]
    Output(#[from] std::io::Error),
    /// The answer of the command is no, and has been printed: 1.
    #[error("no")]
    Negative,
}

impl CommandError {
    /// A failure with nothing beneath it.
    pub fn failed(text: impl Into<String>) -> Self {
        Self::Failed(text.into().into())
    }

    /// The code of the process.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Config(_) | Self::Refused | Self::Setting(_) => 78,
            Self::Journal(_) => 74,
            Self::Bug(_) => 70,
            Self::Output(error) if error.kind() == std::io::ErrorKind::BrokenPipe => 0,
            Self::Failed(_) | Self::Output(_) | Self::Negative => 1,
        })
    }

    /// What standard error says, with every cause; `None` when there is nothing to add.
    #[must_use]
    pub fn report(&self) -> Option<String> {
        match self {
            Self::Negative | Self::Refused => return None,
            Self::Output(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return None,
            Self::Config(findings) => return Some(findings.to_string()),
            _ => {}
        }
        let mut text = format!("error: {self}");
        let mut cause = self.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_left_is_no_failure() {
        let left = CommandError::Output(std::io::ErrorKind::BrokenPipe.into());
        assert_eq!(left.exit_code(), ExitCode::SUCCESS);
        assert_eq!(left.report(), None);
    }

    #[test]
    fn a_report_names_every_cause() {
        let full = CommandError::Output(std::io::Error::other("no space"));
        assert_eq!(
            full.report().unwrap(),
            "error: write to standard output: no space"
        );
    }
}
