//! What can be wrong with managed cursors, as statuses (`api.md` section 6).

use tonic::{Code, Status};
use tonic_types::ErrorDetails;

use super::{RequestError, Resource, retry_later, status};
use crate::feed::CursorError;

pub(super) fn of_cursor(error: &CursorError) -> Status {
    let message = error.to_string();
    match error {
        CursorError::NotFound { name } => RequestError::NotFound {
            resource: Resource::Subscription,
            name: name.resource(),
        }
        .into(),
        CursorError::Exists { name } => {
            let name = name.resource();
            let mut details = ErrorDetails::new();
            details.set_resource_info(Resource::Subscription.type_name(), &name, "", &message);
            let (code, reason) = (Code::AlreadyExists, "SUBSCRIPTION_EXISTS");
            status(code, reason, message, [("name", name)], details)
        }
        CursorError::Quota { limit } => {
            let mut details = ErrorDetails::new();
            details.add_quota_failure_violation("subscriptions", &message);
            let metadata = [("limit", limit.to_string())];
            let (code, reason) = (Code::ResourceExhausted, "SUBSCRIPTION_QUOTA");
            status(code, reason, message, metadata, details)
        }
        CursorError::Changed { name, etag } => {
            let metadata = [("name", name.resource()), ("etag", etag.clone())];
            aborted("ETAG_MISMATCH", message, metadata)
        }
        CursorError::Fenced { name, lease } => {
            let metadata = [("name", name.resource()), ("lease", lease.to_string())];
            aborted("LEASE_FENCED", message, metadata)
        }
        CursorError::TakenOver { name } => aborted(
            "SUBSCRIPTION_TAKEN_OVER",
            message,
            [("name", name.resource())],
        ),
        CursorError::ReadOnly { retry_delay, .. } => {
            retry_later("JOURNAL_READ_ONLY", message, *retry_delay)
        }
    }
}

fn aborted(
    reason: &str,
    message: String,
    metadata: impl IntoIterator<Item = (&'static str, String)>,
) -> Status {
    status(
        Code::Aborted,
        reason,
        message,
        metadata,
        ErrorDetails::new(),
    )
}
