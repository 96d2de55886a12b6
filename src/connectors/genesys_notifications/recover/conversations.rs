//! Conversations: the details query finds those that lived in the window, and each is then read as
//! it stands (4.4). The query selects by the day on which a conversation began, so it looks back as
//! far as one interval may reach.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::timeline::interval;
use super::{Asked, MOST_CALLS, Span, asked};
use crate::auth::AccessToken;
use crate::connectors::genesys_notifications::connector::Shared;
use crate::connectors::genesys_notifications::normalize::facts;
use crate::connectors::genesys_notifications::normalize::lenient::{Moment, Reference, id_of};
use crate::connectors::genesys_notifications::rest::{PAGE, json as read_json};
use crate::connectors::genesys_notifications::topics::Kind;
use crate::connectors::{Call, Found, ProviderEvent, Recovered, Recoverer, Step, Unreadable};
use crate::domain::WallTime;
use crate::net::HttpResponse;

/// Queues or users of one query.
const MOST_IDS: usize = 50;
/// Pages of one query.
const MOST_PAGES: u64 = 50;
/// More conversations than this are not read one by one.
const MOST_READ: usize = 400;
const DAY: Duration = Duration::from_secs(24 * 3600);
/// An interval is at most 31 days long.
const DAYS_BACK: u32 = 29;

/// What is asked of the query: the open ones by their beginning, the ended ones by their end, so
/// that it can stop where they ended before the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    Open,
    Ended,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    Find { at: usize, which: Which, page: u64 },
    Read { at: usize },
}

#[derive(Debug)]
pub(super) struct Conversations {
    shared: Arc<Shared>,
    span: Span,
    /// What is filtered by, with its values.
    queries: Vec<(&'static str, Vec<Asked>)>,
    /// Conversations found, with the topic that found them.
    active: Vec<(String, String)>,
    known: HashSet<String>,
    phase: Phase,
    calls: usize,
    /// Something could not be listed or read.
    missing: bool,
}

#[derive(Deserialize)]
struct Listing {
    #[serde(default)]
    conversations: Option<Vec<Detail>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Detail {
    conversation_id: String,
    #[serde(default)]
    conversation_start: Moment,
    #[serde(default)]
    conversation_end: Moment,
}

/// Whose conversation it is.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Record {
    participants: Option<Vec<Part>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Part {
    queue_id: Option<String>,
    queue: Option<Reference>,
    user_id: Option<String>,
    user: Option<Reference>,
}

/// The midnight from which conversations are looked for.
fn horizon(to: WallTime) -> WallTime {
    let days = to.as_millis() / 1000 / DAY.as_secs();
    let midnight = WallTime::from_millis(days * DAY.as_secs() * 1000);
    midnight.minus(DAY * DAYS_BACK)
}

impl Conversations {
    pub(super) fn begin(shared: Arc<Shared>, span: Span) -> Option<Box<dyn Recoverer>> {
        let queues = asked(&shared, Kind::QueueConversations);
        let users = asked(&shared, Kind::UserConversations);
        let of = |dimension, ids: Vec<Asked>| -> Vec<(&'static str, Vec<Asked>)> {
            let chunks = ids.chunks(MOST_IDS);
            chunks.map(|chunk| (dimension, chunk.to_vec())).collect()
        };
        let mut queries = of("queueId", queues);
        queries.extend(of("userId", users));
        Some(Box::new(Self {
            // A window that reaches back further cannot be asked about in full.
            missing: span.from < horizon(span.to),
            shared,
            span,
            queries,
            active: Vec::new(),
            known: HashSet::new(),
            phase: Phase::Find {
                at: 0,
                which: Which::Open,
                page: 1,
            },
            calls: 0,
        }))
    }

    fn query(
        &self,
        (at, which, page): (usize, Which, u64),
        token: &AccessToken,
    ) -> Option<Box<Call>> {
        let (dimension, ids) = self.queries.get(at)?;
        let predicate = |id: &Asked| -> Value {
            json!({ "dimension": dimension, "operator": "matches", "value": id.id })
        };
        let predicates: Vec<Value> = ids.iter().map(predicate).collect();
        let (order, by, operator) = match which {
            Which::Open => ("asc", "conversationStart", "notExists"),
            Which::Ended => ("desc", "conversationEnd", "exists"),
        };
        let body = json!({
            "interval": interval(horizon(self.span.to), self.span.to),
            "order": order,
            "orderBy": by,
            "paging": { "pageSize": PAGE, "pageNumber": page },
            "segmentFilters": [{ "type": "or", "predicates": predicates }],
            "conversationFilters": [{ "type": "and", "predicates": [
                { "type": "dimension", "dimension": "conversationEnd", "operator": operator },
            ] }],
        });
        let path = ["analytics", "conversations", "details", "query"];
        let rest = &self.shared.rest;
        Some(rest.call(Method::POST, &path, &[], Some(&body), token))
    }

    fn found(&self) -> Found {
        match (self.missing, self.active.is_empty()) {
            (true, _) => Found::Nothing,
            (false, true) => Found::Everything,
            (false, false) => Found::PresentState,
        }
    }

    fn listed(
        &mut self,
        (at, which, page): (usize, Which, u64),
        body: &Bytes,
    ) -> Result<(), Unreadable> {
        let listing: Listing = read_json("conversation details", body)?;
        let listed = listing.conversations.unwrap_or_default();
        let topic = self.queries.get(at).and_then(|(_, ids)| ids.first());
        let topic = topic.map(|id| id.topic.clone()).unwrap_or_default();
        let full = listed.len() >= PAGE;
        let ends: Vec<_> = listed.iter().map(|d| d.conversation_end.0).collect();
        let sorted = ends.is_sorted_by(|a, b| a >= b);
        let past = |end: &Option<WallTime>| end.is_some_and(|end| self.span.is_after(end));
        let done = which == Which::Ended && sorted && ends.last().is_some_and(past);
        for detail in listed {
            let begun = detail.conversation_start.0;
            let lived = begun.is_none_or(|begun| begun <= self.span.to)
                && detail
                    .conversation_end
                    .0
                    .is_none_or(|end| !self.span.is_after(end));
            if lived && self.known.insert(detail.conversation_id.clone()) {
                if self.active.len() < MOST_READ {
                    self.active.push((detail.conversation_id, topic.clone()));
                } else {
                    self.missing = true;
                }
            }
        }
        let more = full && !done;
        self.missing |= more && page >= MOST_PAGES;
        self.phase = match which {
            _ if more && page < MOST_PAGES => Phase::Find {
                at,
                which,
                page: page + 1,
            },
            Which::Open => Phase::Find {
                at,
                which: Which::Ended,
                page: 1,
            },
            Which::Ended if at + 1 < self.queries.len() => Phase::Find {
                at: at + 1,
                which: Which::Open,
                page: 1,
            },
            Which::Ended => Phase::Read { at: 0 },
        };
        Ok(())
    }

    /// The topic that a conversation stands for: the first of its participants' queues and users
    /// that is one of ours.
    fn topic_of(&self, record: Record, found_by: &str) -> String {
        let mut topics: HashMap<(&str, String), &str> = HashMap::new();
        for (dimension, ids) in &self.queries {
            for id in ids {
                topics.insert((*dimension, id.id.to_ascii_lowercase()), &id.topic);
            }
        }
        let parts = record.participants.unwrap_or_default();
        let ours = parts.into_iter().find_map(|part| {
            let queue = part.queue_id.or(id_of(part.queue));
            let user = part.user_id.or(id_of(part.user));
            let queue = queue.map(|id| ("queueId", id.to_ascii_lowercase()));
            let user = user.map(|id| ("userId", id.to_ascii_lowercase()));
            let known = |key: Option<(&'static str, String)>| topics.get(&key?).copied();
            known(queue).or_else(|| known(user))
        });
        ours.unwrap_or(found_by).to_owned()
    }
}

impl Recoverer for Conversations {
    fn holds(&self) -> bool {
        true
    }

    fn next(&mut self, token: &AccessToken) -> Step<Found> {
        if self.calls >= MOST_CALLS {
            return Step::Done(Found::Nothing);
        }
        self.calls += 1;
        let call = match self.phase {
            Phase::Find { at, which, page } => self.query((at, which, page), token),
            Phase::Read { at } => self.active.get(at).map(|(id, _)| {
                let path = ["conversations", id.as_str()];
                self.shared.rest.get(&path, &[], token)
            }),
        };
        call.map_or_else(|| Step::Done(self.found()), Step::Call)
    }

    fn answer(&mut self, answer: &HttpResponse, _wall: WallTime) -> Result<Recovered, Unreadable> {
        let at = match self.phase {
            Phase::Find { at, which, page } => {
                self.listed((at, which, page), &answer.body)?;
                return Ok(Recovered::default());
            }
            Phase::Read { at } => at,
        };
        let record: Record = read_json("conversation", &answer.body)?;
        let found_by = self.active.get(at).map(|(_, topic)| topic.clone());
        let event = ProviderEvent {
            topic: self.topic_of(record, &found_by.unwrap_or_default()),
            raw: answer.body.clone(),
            ..ProviderEvent::default()
        };
        self.phase = Phase::Read { at: at + 1 };
        Ok(Recovered {
            events: vec![facts::complete(event)],
            complete: Vec::new(),
            ..Recovered::default()
        })
    }

    fn refused(&mut self, status: StatusCode) -> bool {
        match self.phase {
            // One that is gone does not keep the others from being read.
            Phase::Read { at } if status == StatusCode::NOT_FOUND => {
                self.missing = true;
                self.phase = Phase::Read { at: at + 1 };
                true
            }
            Phase::Read { .. } | Phase::Find { .. } => false,
        }
    }
}
