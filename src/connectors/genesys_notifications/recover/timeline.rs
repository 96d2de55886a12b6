//! The timeline of users: every presence and routing status with its time (4.2).

use std::fmt::Write;

use bytes::Bytes;
use http::Method;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::Asked;
use crate::auth::AccessToken;
use crate::connectors::genesys_notifications::normalize::facts;
use crate::connectors::genesys_notifications::normalize::lenient::Moment;
use crate::connectors::genesys_notifications::rest::{PAGE, Rest, json as read_json, slice};
use crate::connectors::{Call, ProviderEvent, Unreadable};
use crate::domain::WallTime;

/// Users with their records.
pub(super) type Records<'t> = Vec<(&'t str, &'t [&'t RawValue])>;

/// One page.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Timeline<'a> {
    #[serde(borrow, default)]
    user_details: Option<Vec<User<'a>>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct User<'a> {
    user_id: String,
    #[serde(borrow, default)]
    primary_presence: Option<Vec<&'a RawValue>>,
    #[serde(borrow, default)]
    routing_status: Option<Vec<&'a RawValue>>,
}

impl<'a> Timeline<'a> {
    pub(super) fn read(body: &'a Bytes) -> Result<Self, Unreadable> {
        read_json("user details", body)
    }

    pub(super) fn is_full(&self) -> bool {
        self.users().len() >= PAGE
    }

    fn users(&self) -> &[User<'a>] {
        self.user_details.as_deref().unwrap_or_default()
    }

    pub(super) fn presences(&self) -> Records<'_> {
        let users = self.users().iter();
        users
            .map(|u| {
                let records = u.primary_presence.as_deref().unwrap_or_default();
                (u.user_id.as_str(), records)
            })
            .collect()
    }

    pub(super) fn routing_statuses(&self) -> Records<'_> {
        let users = self.users().iter();
        users
            .map(|u| {
                let records = u.routing_status.as_deref().unwrap_or_default();
                (u.user_id.as_str(), records)
            })
            .collect()
    }
}

pub(super) fn query<'u>(
    rest: &Rest,
    users: impl Iterator<Item = &'u str>,
    (from, to): (WallTime, WallTime),
    page: u64,
    token: &AccessToken,
) -> Box<Call> {
    let predicates = users.map(|user| json!({ "dimension": "userId", "value": user }));
    let body = json!({
        "interval": interval(from, to),
        "order": "asc",
        "userFilters": [{ "type": "or", "predicates": predicates.collect::<Vec<_>>() }],
        "paging": { "pageSize": PAGE, "pageNumber": page },
    });
    let path = ["analytics", "users", "details", "query"];
    rest.call(Method::POST, &path, &[], Some(&body), token)
}

/// As the analytics queries want it: both ends in milliseconds.
pub(super) fn interval(from: WallTime, to: WallTime) -> String {
    let mut text = String::with_capacity(49);
    for (time, between) in [(from, "/"), (to, "")] {
        let whole = WallTime::from_millis(time.as_millis() / 1000 * 1000).to_string();
        let seconds = whole.trim_end_matches('Z');
        // Writing to a text cannot fail.
        let _infallible = write!(text, "{seconds}.{:03}Z{between}", time.as_millis() % 1000);
    }
    text
}

/// When a record begins.
pub(super) fn start_of(record: &RawValue) -> Option<WallTime> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Record {
        start_time: Moment,
    }
    let record: Record = serde_json::from_str(record.get()).ok()?;
    record.start_time.0
}

/// A record as the event it stands for.
pub(super) fn event(user: &Asked, body: &Bytes, record: &RawValue) -> ProviderEvent {
    facts::complete(ProviderEvent {
        topic: user.topic.clone(),
        raw: slice(body, record),
        ..ProviderEvent::default()
    })
}
