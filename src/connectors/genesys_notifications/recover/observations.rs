//! Queue observations: only their present values can be had, without a time (4.2, 4.3).

use std::collections::HashMap;
use std::sync::Arc;

use http::Method;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::{Asked, chunk};
use crate::auth::AccessToken;
use crate::connectors::genesys_notifications::connector::Shared;
use crate::connectors::genesys_notifications::normalize::facts;
use crate::connectors::genesys_notifications::rest::{json as read_json, slice};
use crate::connectors::{Found, ProviderEvent, Recovered, Recoverer, Step, Unreadable};
use crate::domain::WallTime;
use crate::net::HttpResponse;

/// Queues of one query.
const MOST: usize = 50;
/// What the topic sends.
const METRICS: [&str; 9] = [
    "oActiveUsers",
    "oAlerting",
    "oInteracting",
    "oMemberUsers",
    "oOffQueueUsers",
    "oOnQueueUsers",
    "oUserPresences",
    "oUserRoutingStatuses",
    "oWaiting",
];

#[derive(Debug)]
pub(super) struct Observations {
    shared: Arc<Shared>,
    queues: Vec<Asked>,
    from: usize,
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow, default)]
    results: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
struct Observed {
    group: Group,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    queue_id: String,
}

impl Observations {
    pub(super) fn begin(shared: Arc<Shared>, queues: Vec<Asked>) -> Option<Box<dyn Recoverer>> {
        let from = 0;
        Some(Box::new(Self {
            shared,
            queues,
            from,
        }))
    }
}

impl Recoverer for Observations {
    fn holds(&self) -> bool {
        true
    }

    fn next(&mut self, token: &AccessToken) -> Step<Found> {
        let queues = chunk(&self.queues, self.from, MOST);
        if queues.is_empty() {
            return Step::Done(Found::PresentState);
        }
        let queues = queues.iter();
        let predicates = queues.map(|q| json!({ "dimension": "queueId", "value": q.id }));
        let body = json!({
            "filter": { "type": "or", "predicates": predicates.collect::<Vec<_>>() },
            "metrics": METRICS,
        });
        let path = ["analytics", "queues", "observations", "query"];
        let rest = &self.shared.rest;
        Step::Call(rest.call(Method::POST, &path, &[], Some(&body), token))
    }

    fn answer(&mut self, answer: &HttpResponse, wall: WallTime) -> Result<Recovered, Unreadable> {
        let body: Body<'_> = read_json("queue observations", &answer.body)?;
        let queues = chunk(&self.queues, self.from, MOST);
        let topics: HashMap<String, &str> = queues
            .iter()
            .map(|q| (q.id.to_ascii_lowercase(), q.topic.as_str()))
            .collect();
        let results = body.results.unwrap_or_default();
        let events = results.into_iter().filter_map(|raw| {
            let result: Observed = serde_json::from_str(raw.get()).ok()?;
            let topic = topics.get(&result.group.queue_id.to_ascii_lowercase())?;
            Some(facts::complete(ProviderEvent {
                topic: (*topic).to_owned(),
                time: Some(wall),
                raw: slice(&answer.body, raw),
                ..ProviderEvent::default()
            }))
        });
        let events = events.collect();
        self.from += queues.len();
        Ok(Recovered {
            events,
            complete: Vec::new(),
            ..Recovered::default()
        })
    }
}
