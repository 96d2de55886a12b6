//! Every error as a status, in one place: code, reason, details. Nothing else makes a `Status`.

mod callers;
mod cursors;
mod guests;

use std::collections::HashMap;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use super::identity::CredentialError;
use super::limits::Crowded;
use crate::feed::{Bounds, FeedError};

pub(super) use self::guests::Of;

/// The domain of every `ErrorInfo`.
pub const DOMAIN: &str = "tieline";
const FORBIDDEN: &str = "JOURNAL_FORBIDDEN";

/// A request that cannot be served as it stands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum RequestError {
    #[error(
        "a start is required: set after, from_time, preset, last_events or, in Subscribe, subscription"
    )]
    StartRequired,
    #[error("a start is required: set start, or subscription.committed")]
    InitialStartRequired,
    #[error("filter.{field}: {problem}")]
    FilterInvalid { field: String, problem: String },
    #[error("{problem}")]
    ShardInvalid { problem: String },
    #[error("{field}: {problem}")]
    Invalid {
        field: &'static str,
        problem: String,
    },
    #[error("there are several journals: name one of them")]
    JournalRequired,
    #[error("there is no {} '{name}'", .resource.word())]
    NotFound { resource: Resource, name: String },
    #[error("session '{name}' is part of the configuration and is closed by changing that")]
    SessionConfigured { name: String },
    #[error("{call} changes things: it is served on the admin listener's unix: socket alone")]
    SocketOnly { call: &'static str },
    #[error("principal '{principal}' has no permission to {right} in the journal of '{resource}'")]
    Forbidden {
        principal: String,
        right: &'static str,
        resource: String,
    },
    #[error("principal '{principal}' has no permission at all")]
    Unpermitted { principal: String },
    #[error("principal '{principal}' has sent {limit} messages in a minute, the most that it may")]
    SendQuota {
        principal: String,
        limit: u32,
        retry_delay: Duration,
    },
}

/// What can be looked for in vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resource {
    Journal,
    Event,
    Session,
    Subscriber,
    Subscription,
    Template,
}

impl Resource {
    fn word(self) -> &'static str {
        match self {
            Self::Journal => "journal",
            Self::Event => "event",
            Self::Session => "session",
            Self::Subscriber => "subscriber",
            Self::Subscription => "subscription",
            Self::Template => "session template",
        }
    }

    fn reason(self) -> &'static str {
        match self {
            Self::Journal => "JOURNAL_NOT_FOUND",
            Self::Event => "EVENT_NOT_FOUND",
            Self::Session => "SESSION_NOT_FOUND",
            Self::Subscriber => "SUBSCRIBER_NOT_FOUND",
            Self::Subscription => "SUBSCRIPTION_NOT_FOUND",
            Self::Template => "TEMPLATE_NOT_FOUND",
        }
    }

    fn type_name(self) -> &'static str {
        match self {
            Self::Journal => "tieline.v1.Journal",
            Self::Event => "tieline.v1.Event",
            Self::Session => "tieline.v1.Session",
            Self::Subscriber => "tieline.v1.Subscriber",
            Self::Subscription => "tieline.v1.Subscription",
            Self::Template => "tieline.v1.SessionTemplate",
        }
    }
}

/// Whatever a call can end with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum CallError {
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error(transparent)]
    Feed(#[from] FeedError),
    /// It is not known who calls.
    #[error(transparent)]
    Credentials(#[from] CredentialError),
    /// What callers ask for must be known, where they are.
    #[error("there is no such method")]
    NotServed,
    /// Its peer has as many calls open as it may.
    #[error("{} calls of this peer are open, the most that it may have", .0.limit)]
    Crowded(Crowded),
    /// A bug of ours.
    #[error("{0}")]
    Internal(&'static str),
}

impl CallError {
    /// The reason of a refusal, for the audit log.
    pub(super) const fn reason(&self) -> &'static str {
        match self {
            Self::Credentials(error) => callers::reason(*error),
            _ => FORBIDDEN,
        }
    }
}

impl From<CallError> for Status {
    fn from(error: CallError) -> Self {
        match &error {
            CallError::Request(request) => of_request(request),
            CallError::Feed(feed) => of_feed(feed),
            CallError::Credentials(error) => callers::of_credentials(*error),
            CallError::NotServed => callers::not_served(),
            CallError::Crowded(crowded) => of_crowded(*crowded, error.to_string()),
            CallError::Internal(what) => status(
                Code::Internal,
                "INTERNAL",
                (*what).to_owned(),
                [],
                ErrorDetails::new(),
            ),
        }
    }
}

impl From<RequestError> for Status {
    fn from(error: RequestError) -> Self {
        of_request(&error)
    }
}

fn of_request(error: &RequestError) -> Status {
    let message = error.to_string();
    let mut details = ErrorDetails::new();
    let (code, reason, metadata) = match error {
        RequestError::StartRequired | RequestError::InitialStartRequired => {
            details.add_bad_request_violation("start", &message);
            (Code::InvalidArgument, "START_REQUIRED", vec![])
        }
        RequestError::FilterInvalid { field, problem } => {
            details.add_bad_request_violation(format!("filter.{field}"), problem);
            let metadata = vec![("field", format!("filter.{field}"))];
            (Code::InvalidArgument, "FILTER_INVALID", metadata)
        }
        RequestError::ShardInvalid { problem } => {
            details.add_bad_request_violation("shard", problem);
            (Code::InvalidArgument, "SHARD_INVALID", vec![])
        }
        RequestError::Invalid { field, problem } => {
            details.add_bad_request_violation(*field, problem);
            let metadata = vec![("field", (*field).to_owned())];
            (Code::InvalidArgument, "REQUEST_INVALID", metadata)
        }
        RequestError::JournalRequired => {
            details.add_bad_request_violation("journal", &message);
            (Code::InvalidArgument, "JOURNAL_REQUIRED", vec![])
        }
        RequestError::NotFound { resource, name } => {
            details.set_resource_info(resource.type_name(), name, "", &message);
            let metadata = vec![("name", name.clone())];
            (Code::NotFound, resource.reason(), metadata)
        }
        RequestError::SocketOnly { call } => {
            let metadata = vec![("call", (*call).to_owned())];
            (Code::PermissionDenied, "SOCKET_REQUIRED", metadata)
        }
        RequestError::Forbidden {
            principal,
            right,
            resource,
        } => {
            let metadata = vec![
                ("principal", principal.clone()),
                ("permission", (*right).to_owned()),
                ("name", resource.clone()),
            ];
            (Code::PermissionDenied, FORBIDDEN, metadata)
        }
        RequestError::Unpermitted { principal } => {
            let metadata = vec![("principal", principal.clone())];
            (Code::PermissionDenied, FORBIDDEN, metadata)
        }
        RequestError::SendQuota {
            principal,
            limit,
            retry_delay,
        } => {
            let subject = format!("principals/{principal}");
            details.add_quota_failure_violation(subject, &message);
            details.set_retry_info(Some(*retry_delay));
            let metadata = vec![
                ("limit", limit.to_string()),
                ("principal", principal.clone()),
            ];
            (Code::ResourceExhausted, "SEND_QUOTA", metadata)
        }
        RequestError::SessionConfigured { name } => {
            details.add_precondition_failure_violation("SESSION_CONFIGURED", name, &message);
            let metadata = vec![("name", name.clone())];
            (Code::FailedPrecondition, "SESSION_CONFIGURED", metadata)
        }
    };
    status(code, reason, message, metadata, details)
}

fn of_feed(error: &FeedError) -> Status {
    let message = error.to_string();
    let mut details = ErrorDetails::new();
    let (code, reason, metadata) = match error {
        FeedError::PositionTrimmed(at) => (Code::OutOfRange, "POSITION_TRIMMED", of_bounds(at)),
        FeedError::PositionNotWritten(at) => {
            (Code::OutOfRange, "POSITION_NOT_WRITTEN", of_bounds(at))
        }
        FeedError::EpochChanged {
            requested,
            current,
            earliest,
            latest,
        } => {
            details.add_precondition_failure_violation("EPOCH_CHANGED", requested, &message);
            let metadata = vec![
                ("requested_epoch", requested.clone()),
                ("epoch", current.to_string()),
                ("earliest_sequence", earliest.to_string()),
                ("latest_sequence", latest.to_string()),
            ];
            (Code::FailedPrecondition, "EPOCH_CHANGED", metadata)
        }
        FeedError::Corrupted { first, last } => {
            let metadata = vec![
                ("first_sequence", first.to_string()),
                ("last_sequence", last.to_string()),
            ];
            (Code::DataLoss, "JOURNAL_CORRUPTED", metadata)
        }
        FeedError::EventNotFound { sequence } => {
            let kind = Resource::Event;
            details.set_resource_info(kind.type_name(), sequence.to_string(), "", &message);
            let metadata = vec![("sequence", sequence.to_string())];
            (Code::NotFound, kind.reason(), metadata)
        }
        FeedError::Unreadable {
            after, retry_delay, ..
        } => {
            details.set_retry_info(Some(*retry_delay));
            let metadata = vec![("after_sequence", after.to_string())];
            (Code::Unavailable, "JOURNAL_UNREADABLE", metadata)
        }
        FeedError::ReadOnly { retry_delay, .. } => {
            return retry_later("JOURNAL_READ_ONLY", message, *retry_delay);
        }
        FeedError::SubscriberQuota { limit, retry_delay } => {
            details.add_quota_failure_violation("subscribers", &message);
            details.set_retry_info(Some(*retry_delay));
            let metadata = vec![("limit", limit.to_string())];
            (Code::ResourceExhausted, "SUBSCRIBER_QUOTA", metadata)
        }
        FeedError::PrincipalQuota {
            principal,
            limit,
            retry_delay,
        } => {
            let subject = format!("principals/{principal}");
            details.add_quota_failure_violation(subject, &message);
            details.set_retry_info(Some(*retry_delay));
            let metadata = vec![
                ("limit", limit.to_string()),
                ("principal", principal.clone()),
            ];
            (Code::ResourceExhausted, "SUBSCRIBER_QUOTA", metadata)
        }
        FeedError::Cursor(cursor) => return cursors::of_cursor(cursor),
        FeedError::Draining { retry_delay } => {
            return retry_later("SERVER_DRAINING", message, *retry_delay);
        }
        FeedError::Disconnected { retry_delay } => {
            return retry_later("DISCONNECTED_BY_OPERATOR", message, *retry_delay);
        }
        FeedError::MaxAge { retry_delay } => {
            return retry_later("STREAM_MAX_AGE", message, *retry_delay);
        }
    };
    status(code, reason, message, metadata, details)
}

fn of_crowded(crowded: Crowded, message: String) -> Status {
    let mut details = ErrorDetails::with_retry_info(Some(crowded.retry_delay));
    details.add_quota_failure_violation("peer", &message);
    let metadata = [("limit", crowded.limit.to_string())];
    status(
        Code::ResourceExhausted,
        "SUBSCRIBER_QUOTA",
        message,
        metadata,
        details,
    )
}

fn retry_later(reason: &str, message: String, delay: Duration) -> Status {
    let details = ErrorDetails::with_retry_info(Some(delay));
    status(Code::Unavailable, reason, message, [], details)
}

fn of_bounds(at: &Bounds) -> Vec<(&'static str, String)> {
    let mut metadata = vec![
        ("epoch", at.epoch.to_string()),
        ("requested_sequence", at.requested.to_string()),
        ("earliest_sequence", at.earliest.to_string()),
        ("latest_sequence", at.latest.to_string()),
    ];
    metadata.extend(at.earliest_time.map(|t| ("earliest_time", t.to_string())));
    metadata
}

fn status(
    code: Code,
    reason: &str,
    message: String,
    metadata: impl IntoIterator<Item = (&'static str, String)>,
    mut details: ErrorDetails,
) -> Status {
    let metadata: HashMap<String, String> = metadata
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect();
    details.set_error_info(reason, DOMAIN, metadata);
    Status::with_error_details(code, message, details)
}
