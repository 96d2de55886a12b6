//! Routing status: the user list expands it, for at most 100 users (4.2).

use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;

use super::agents::{AgentStates, Present, Source};
use super::timeline::{Records, Timeline};
use super::{Asked, Span};
use crate::auth::AccessToken;
use crate::connectors::genesys_notifications::connector::Shared;
use crate::connectors::genesys_notifications::normalize::lenient::Moment;
use crate::connectors::genesys_notifications::rest::{Page, slice};
use crate::connectors::{Call, Recoverer, Unreadable};

const MOST: usize = 100;

#[derive(Debug)]
struct RoutingStatus;

pub(super) fn recoverer(
    shared: Arc<Shared>,
    users: Vec<Asked>,
    span: Span,
) -> Option<Box<dyn Recoverer>> {
    let states = AgentStates::new(shared, RoutingStatus, users, span);
    Some(Box::new(states))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct User {
    id: String,
    routing_status: Option<Status>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    #[serde(default)]
    start_time: Moment,
}

impl Source for RoutingStatus {
    fn most(&self) -> usize {
        MOST
    }

    fn present(&self, shared: &Shared, users: &[Asked], token: &AccessToken) -> Box<Call> {
        let ids: Vec<&str> = users.iter().map(|u| u.id.as_str()).collect();
        let ids = ids.join(",");
        let query = [
            ("id", ids.as_str()),
            ("expand", "routingStatus"),
            ("pageSize", "100"),
        ];
        shared.rest.get(&["users"], &query, token)
    }

    fn read(&self, body: &Bytes) -> Result<Vec<Present>, Unreadable> {
        let page = Page::read("users", body)?;
        let present = page.entities().iter().filter_map(|raw| {
            let user: User = serde_json::from_str(raw.get()).ok()?;
            // The expansion is best effort: whoever comes without it is as good as not listed.
            let status = user.routing_status?;
            Some(Present {
                user: user.id,
                since: status.start_time.0,
                raw: slice(body, raw),
            })
        });
        Ok(present.collect())
    }

    fn history<'t>(&self, timeline: &'t Timeline<'t>) -> Records<'t> {
        timeline.routing_statuses()
    }
}
