//! Queue membership: the list of members as it stands, queue by queue (4.2).

use std::sync::Arc;

use serde_json::value::RawValue;

use super::{Asked, MOST_CALLS};
use crate::auth::AccessToken;
use crate::connectors::genesys_notifications::connector::Shared;
use crate::connectors::genesys_notifications::normalize::facts;
use crate::connectors::genesys_notifications::rest::{Page, slice};
use crate::connectors::{Found, ProviderEvent, Recovered, Recoverer, Step, Unreadable};
use crate::domain::WallTime;
use crate::net::HttpResponse;

/// Pages of one queue; one longer is not listed in full.
const MOST_PAGES: u64 = 100;

#[derive(Debug)]
pub(super) struct Members {
    shared: Arc<Shared>,
    queues: Vec<Asked>,
    at: usize,
    page: u64,
    calls: usize,
    /// Whether every queue was listed to its end.
    whole: bool,
}

impl Members {
    pub(super) fn begin(shared: Arc<Shared>, queues: Vec<Asked>) -> Option<Box<dyn Recoverer>> {
        Some(Box::new(Self {
            shared,
            queues,
            at: 0,
            page: 1,
            calls: 0,
            whole: true,
        }))
    }

    fn found(&self) -> Found {
        if self.whole {
            Found::PresentState
        } else {
            Found::Nothing
        }
    }
}

impl Recoverer for Members {
    fn holds(&self) -> bool {
        true
    }

    fn next(&mut self, token: &AccessToken) -> Step<Found> {
        let Some(queue) = self.queues.get(self.at) else {
            return Step::Done(self.found());
        };
        if self.calls >= MOST_CALLS {
            return Step::Done(Found::Nothing);
        }
        self.calls += 1;
        let path = ["routing", "queues", &queue.id, "members"];
        let page = self.page.to_string();
        let query = [("pageSize", "100"), ("pageNumber", page.as_str())];
        Step::Call(self.shared.rest.get(&path, &query, token))
    }

    fn answer(&mut self, answer: &HttpResponse, _wall: WallTime) -> Result<Recovered, Unreadable> {
        let page = Page::read("queue members", &answer.body)?;
        let Some(queue) = self.queues.get(self.at) else {
            return Ok(Recovered::default());
        };
        let member = |raw: &&RawValue| {
            facts::complete(ProviderEvent {
                topic: queue.topic.clone(),
                raw: slice(&answer.body, raw),
                ..ProviderEvent::default()
            })
        };
        let events = page.entities().iter().map(member).collect();
        let mut complete = Vec::new();
        if page.has_more(self.page) && self.page < MOST_PAGES {
            self.page += 1;
        } else {
            if page.has_more(self.page) {
                self.whole = false;
            } else {
                complete.push(format!("queues/{}", queue.id));
            }
            self.at += 1;
            self.page = 1;
        }
        Ok(Recovered {
            events,
            complete,
            ..Recovered::default()
        })
    }

    /// A queue that may not be read leaves the others readable.
    fn refused(&mut self, _status: http::StatusCode) -> bool {
        self.whole = false;
        self.at += 1;
        self.page = 1;
        self.at < self.queues.len()
    }
}
