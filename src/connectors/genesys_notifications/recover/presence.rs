//! Presence: the bulk query names at most 50 users (4.2).

use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::agents::{AgentStates, Present, Source};
use super::timeline::{Records, Timeline};
use super::{Asked, Span};
use crate::auth::AccessToken;
use crate::connectors::genesys_notifications::connector::Shared;
use crate::connectors::genesys_notifications::normalize::lenient::Moment;
use crate::connectors::genesys_notifications::rest::{json, slice};
use crate::connectors::{Call, Recoverer, Unreadable};

const MOST: usize = 50;

#[derive(Debug)]
struct Presence;

pub(super) fn recoverer(
    shared: Arc<Shared>,
    users: Vec<Asked>,
    span: Span,
) -> Option<Box<dyn Recoverer>> {
    let states = AgentStates::new(shared, Presence, users, span);
    Some(Box::new(states))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    user_id: Option<String>,
    id: Option<String>,
    #[serde(default)]
    modified_date: Moment,
}

impl Source for Presence {
    fn most(&self) -> usize {
        MOST
    }

    fn present(&self, shared: &Shared, users: &[Asked], token: &AccessToken) -> Box<Call> {
        let ids: Vec<&str> = users.iter().map(|u| u.id.as_str()).collect();
        let path = ["users", "presences", "purecloud", "bulk"];
        shared.rest.get(&path, &[("id", &ids.join(","))], token)
    }

    fn read(&self, body: &Bytes) -> Result<Vec<Present>, Unreadable> {
        let records: Vec<&RawValue> = json("presences", body)?;
        let present = records.into_iter().filter_map(|raw| {
            let record: Record = serde_json::from_str(raw.get()).ok()?;
            Some(Present {
                user: record.user_id.or(record.id)?,
                since: record.modified_date.0,
                raw: slice(body, raw),
            })
        });
        Ok(present.collect())
    }

    fn history<'t>(&self, timeline: &'t Timeline<'t>) -> Records<'t> {
        timeline.presences()
    }
}
