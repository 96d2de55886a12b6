//! `EraseEvents` of `AdminService`: what matches a filter is erased, or counted.

use super::convert;
use super::events::Journals;
use super::identity::Gate;
use super::status::{CallError, RequestError};
use crate::feed::{ErasePlan, FeedError};
use crate::proto::v1;
use crate::session::outbound::is_message;

/// Erases the events of one of these journals that match, with the messages that they tell of; how many
/// there were. A filter that names nothing in particular is refused, for whoever leaves it out would erase
/// everything.
pub(super) async fn erase(
    journals: &Journals,
    gate: &Gate,
    request: v1::EraseEventsRequest,
) -> Result<u64, CallError> {
    let feed = journals.find(gate, &request.journal)?;
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
    };
    let erased: Result<u64, FeedError> = feed.erase(&plan).await;
    Ok(erased?)
}
