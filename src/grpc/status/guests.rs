//! What can be wrong with guests' sessions and their messages, as statuses (`api.md` section 6).

use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::ErrorDetails;

use super::{Resource, retry_later, status};
use crate::session::outbound::{CancelProblem, SendProblem};
use crate::session::{CloseProblem, CreateProblem};

/// After which a full queue may be tried again.
const QUEUE_MOVES: Duration = Duration::from_secs(2);

/// Whose message or session it is, by resource name.
#[derive(Debug, Clone, Copy)]
pub(in crate::grpc) struct Of<'a>(pub(in crate::grpc) &'a str);

impl Of<'_> {
    pub(in crate::grpc) fn send(self, problem: &SendProblem) -> Status {
        let message = problem.to_string();
        match problem {
            SendProblem::ExistsOtherwise => self.exists("REQUEST_ID_REUSED", MESSAGE, message),
            SendProblem::Unsendable(wrong) => {
                let mut details = ErrorDetails::new();
                details.add_bad_request_violation(wrong.field, &wrong.problem);
                let metadata = [("field", wrong.field.to_owned())];
                let code = Code::InvalidArgument;
                status(code, wrong.reason, message, metadata, details)
            }
            SendProblem::TooMany { waiting } => {
                let mut details = ErrorDetails::new();
                details.add_quota_failure_violation(self.0, &message);
                details.set_retry_info(Some(QUEUE_MOVES));
                let metadata = [("waiting", waiting.to_string())];
                let code = Code::ResourceExhausted;
                status(code, "OUTBOUND_QUOTA", message, metadata, details)
            }
            SendProblem::SessionExpired => self.precondition("GUEST_SESSION_EXPIRED", message),
            SendProblem::Disconnected { retry_after } => {
                retry_later("UPSTREAM_DISCONNECTED", message, *retry_after)
            }
            SendProblem::Throttled { retry_after } => {
                let details = ErrorDetails::with_retry_info(Some(*retry_after));
                let (code, metadata) = (Code::ResourceExhausted, [self.name()]);
                status(code, "UPSTREAM_RATE_LIMITED", message, metadata, details)
            }
            SendProblem::ReadOnly { retry_after } => {
                retry_later("JOURNAL_READ_ONLY", message, *retry_after)
            }
            SendProblem::Draining { retry_after } => {
                retry_later("SERVER_DRAINING", message, *retry_after)
            }
        }
    }

    pub(in crate::grpc) fn cancel(self, problem: &CancelProblem) -> Status {
        let message = problem.to_string();
        match problem {
            CancelProblem::NotFound => self.no_message(),
            CancelProblem::TooLate(stands) => {
                let state = stands.state().as_str_name();
                let mut details = ErrorDetails::new();
                let reason = "MESSAGE_NOT_CANCELLABLE";
                details.add_precondition_failure_violation(reason, self.0, &message);
                let metadata = [self.name(), ("state", state.to_owned())];
                status(Code::FailedPrecondition, reason, message, metadata, details)
            }
            CancelProblem::Unavailable { retry_after } => {
                retry_later("SESSION_UNAVAILABLE", message, *retry_after)
            }
        }
    }

    pub(in crate::grpc) fn create(self, problem: &CreateProblem) -> Status {
        let message = problem.to_string();
        match problem {
            CreateProblem::NoTemplate => self.not_found(Resource::Template),
            CreateProblem::NameTaken => self.exists("SESSION_EXISTS", SESSION, message),
            CreateProblem::Over => self.exists("SESSION_OVER", SESSION, message),
            CreateProblem::Quota { limit, retry_after } => {
                let mut details = ErrorDetails::new();
                details.add_quota_failure_violation("max_dynamic_sessions", &message);
                details.set_retry_info(Some(*retry_after));
                let metadata = [("limit", limit.to_string())];
                let code = Code::ResourceExhausted;
                status(code, "SESSION_QUOTA", message, metadata, details)
            }
            CreateProblem::Attributes { reason } => {
                let mut details = ErrorDetails::new();
                details.add_bad_request_violation("guest_attributes", reason);
                let metadata = [("field", "guest_attributes".to_owned())];
                let code = Code::InvalidArgument;
                status(code, "REQUEST_INVALID", message, metadata, details)
            }
            CreateProblem::Settings { .. } => self.precondition("TEMPLATE_UNUSABLE", message),
            CreateProblem::ReadOnly { retry_after } => {
                retry_later("JOURNAL_READ_ONLY", message, *retry_after)
            }
            CreateProblem::Draining { retry_after } => {
                retry_later("SERVER_DRAINING", message, *retry_after)
            }
        }
    }

    pub(in crate::grpc) fn close(self, problem: &CloseProblem) -> Status {
        match problem {
            CloseProblem::NotFound => self.not_found(Resource::Session),
            CloseProblem::Unavailable { retry_after } => {
                retry_later("SESSION_UNAVAILABLE", problem.to_string(), *retry_after)
            }
        }
    }

    /// The session is of the configuration: it takes no messages.
    pub(in crate::grpc) fn receives_only(self) -> Status {
        let message = format!(
            "{} was not opened by CreateSession: only guests' sessions take messages",
            self.0
        );
        self.precondition("SESSION_RECEIVES_ONLY", message)
    }

    pub(in crate::grpc) fn no_message(self) -> Status {
        let message = format!("there is no outbound message '{}'", self.0);
        let mut details = ErrorDetails::new();
        details.set_resource_info(MESSAGE, self.0, "", &message);
        let reason = "OUTBOUND_MESSAGE_NOT_FOUND";
        status(Code::NotFound, reason, message, [self.name()], details)
    }

    fn not_found(self, resource: Resource) -> Status {
        super::RequestError::NotFound {
            resource,
            name: self.0.to_owned(),
        }
        .into()
    }

    fn exists(self, reason: &str, kind: &str, message: String) -> Status {
        let mut details = ErrorDetails::new();
        details.set_resource_info(kind, self.0, "", &message);
        status(Code::AlreadyExists, reason, message, [self.name()], details)
    }

    fn precondition(self, reason: &str, message: String) -> Status {
        let mut details = ErrorDetails::new();
        details.add_precondition_failure_violation(reason, self.0, &message);
        let code = Code::FailedPrecondition;
        status(code, reason, message, [self.name()], details)
    }

    fn name(self) -> (&'static str, String) {
        ("name", self.0.to_owned())
    }
}

const MESSAGE: &str = "tieline.v1.OutboundMessage";
const SESSION: &str = "tieline.v1.Session";
