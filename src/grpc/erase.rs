//! `EraseEvents` of `AdminService`: what matches a filter is erased, or counted.

use super::convert;
use super::events::Journals;
use super::identity::Gate;
use super::status::{CallError, RequestError};
use crate::feed::{ErasePlan, FeedError};
use crate::proto::v1;
use crate::session::is_record_of;
use crate::session::outbound::is_message;

/// Erases the events of one of these journals that match, with the messages that they tell of and, where
/// everything of a session goes, what is kept of its guest once that is over; how many events there
/// were. A filter that names nothing in particular is refused, for whoever leaves it out would erase
/// everything.
pub(super) async fn erase(
    journals: &Journals,
    gate: &Gate,
    request: v1::EraseEventsRequest,
) -> Result<u64, CallError> {
    let feed = journals.find(gate, &request.journal)?;
    let sessions = whole_sessions(request.filter.as_ref());
    let filter = convert::filter(request.filter)?;
    if filter.is_empty() {
        return Err(CallError::Request(RequestError::Invalid {
            field: "filter",
            problem: "it names nothing in particular: say what to erase".to_owned(),
        }));
    }
    let plan = ErasePlan {
        filter,
        validate_only: request.validate_only,
        is_personal: is_message,
        sessions,
        is_of_session: is_record_of,
    };
    let erased: Result<u64, FeedError> = feed.erase(&plan).await;
    Ok(erased?)
}

/// The sessions of which everything is named.
fn whole_sessions(filter: Option<&v1::EventFilter>) -> Vec<String> {
    let Some(filter) = filter else {
        return Vec::new();
    };
    let others = v1::EventFilter {
        sessions: Vec::new(),
        filter_sidecar_events: false,
        ..filter.clone()
    };
    match others == v1::EventFilter::default() {
        true => filter.sessions.clone(),
        false => Vec::new(),
    }
}
