//! How an attempt ended, as values: read once from a [`tonic::Status`], never from its text.

use std::collections::HashMap;
use std::error::Error as _;
use std::fmt;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// The domain of every error that is ours.
const DOMAIN: &str = "tieline";
/// Reasons that mean the position cannot be served: what follows is for `on_gap` to decide.
const GAP_REASONS: [&str; 3] = ["POSITION_TRIMMED", "EPOCH_CHANGED", "JOURNAL_CORRUPTED"];

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Failure {
    /// The server ended the stream with OK.
    Ended,
    /// The server refused or ended the stream with a status.
    Refused(Refusal),
    /// The position cannot be served in full.
    Unavailable(Unavailable),
    /// There is or was no connection: refused, reset, cut off before a status.
    Broken(String),
    /// Nothing came for longer than heartbeats allow.
    Silent(Duration),
}

/// A status that the server sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// The status code.
    pub code: Code,
    /// `ErrorInfo.reason`, when the error is ours.
    pub reason: Option<String>,
    /// For people.
    pub message: String,
    /// `RetryInfo`, if there is one.
    pub retry_after: Option<Duration>,
}

/// Why a position cannot be served.
#[derive(Debug, Clone, PartialEq)]
pub struct Unavailable {
    /// `POSITION_TRIMMED`, `EPOCH_CHANGED` or `JOURNAL_CORRUPTED`.
    pub reason: String,
    /// For people.
    pub message: String,
    /// The numbers: `requested_sequence`, `earliest_sequence`, `latest_sequence` and the like.
    pub metadata: HashMap<String, String>,
}

impl Failure {
    /// Reads a status: whose word it is, and what it says.
    #[must_use]
    pub fn from_status(status: &Status) -> Self {
        let details = status.get_error_details();
        let ours = details.error_info().filter(|info| info.domain == DOMAIN);
        // A source is set only where the error arose on this side of the wire.
        let local = status.source().is_some();
        // A stream that was cut before its status is UNKNOWN; a server of ours always says why.
        let cut_off = status.code() == Code::Unknown;
        if ours.is_none() && (local || cut_off) {
            return Self::Broken(describe(status));
        }
        if let Some(info) = ours.filter(|info| GAP_REASONS.contains(&info.reason.as_str())) {
            return Self::Unavailable(Unavailable {
                reason: info.reason.clone(),
                message: status.message().to_owned(),
                metadata: info.metadata.clone(),
            });
        }
        Self::Refused(Refusal {
            code: status.code(),
            reason: ours.map(|info| info.reason.clone()),
            message: status.message().to_owned(),
            retry_after: details.retry_info().and_then(|retry| retry.retry_delay),
        })
    }
}

/// The innermost source says what happened to the connection.
fn describe(status: &Status) -> String {
    let mut text = status.message().to_owned();
    let mut source = status.source();
    while let Some(error) = source {
        text = error.to_string();
        source = error.source();
    }
    text
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended => f.write_str("the stream ended before its end was reached"),
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Unavailable(unavailable) => unavailable.fmt(f),
            Self::Broken(what) => write!(f, "no connection: {what}"),
            Self::Silent(limit) => write!(f, "silent for {:.1} s", limit.as_secs_f64()),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reason {
            Some(reason) => write!(f, "{reason}: {}", self.message),
            None => write!(f, "{:?}: {}", self.code, self.message),
        }
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason, self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic_types::ErrorDetails;

    fn ours(code: Code, reason: &str) -> Status {
        Status::with_error_details(
            code,
            "why",
            ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new()),
        )
    }

    #[test]
    fn a_status_is_read_by_code_and_details_alone() {
        assert!(matches!(
            Failure::from_status(&ours(Code::FailedPrecondition, "EPOCH_CHANGED")),
            Failure::Unavailable(gap) if gap.reason == "EPOCH_CHANGED"
        ));
        assert!(matches!(
            Failure::from_status(&ours(Code::OutOfRange, "POSITION_NOT_WRITTEN")),
            Failure::Refused(refusal) if refusal.reason.as_deref() == Some("POSITION_NOT_WRITTEN")
        ));
        // The same reason from another domain is not ours.
        let foreign = ErrorDetails::with_error_info("EPOCH_CHANGED", "example", HashMap::new());
        let foreign = Status::with_error_details(Code::FailedPrecondition, "why", foreign);
        assert!(matches!(
            Failure::from_status(&foreign),
            Failure::Refused(Refusal { reason: None, .. })
        ));
        // What arose on this side, and what was cut off, is a connection.
        let reset = Status::from_error(std::io::Error::other("reset by peer").into());
        assert_eq!(
            Failure::from_status(&reset),
            Failure::Broken("reset by peer".into())
        );
        assert!(matches!(
            Failure::from_status(&Status::unknown("cut")),
            Failure::Broken(_)
        ));
        assert!(matches!(
            Failure::from_status(&Status::internal("a bug")),
            Failure::Refused(_)
        ));
    }
}
