//! [`AgentStates`]: presence and routing status alike. First the present state of everyone: whose
//! state is older than the window missed nothing. The timeline then tells what the others went
//! through; of whom it does not tell enough, the present state is journaled.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;

use super::timeline::{self, Timeline};
use super::{Asked, MOST_CALLS, Span, chunk};
use crate::auth::AccessToken;
use crate::connectors::genesys_notifications::connector::Shared;
use crate::connectors::genesys_notifications::normalize::facts;
use crate::connectors::{Call, Found, ProviderEvent, Recovered, Recoverer, Step, Unreadable};
use crate::domain::WallTime;
use crate::net::HttpResponse;

/// Users of one timeline query, and pages of one.
const TIMELINE_USERS: usize = 50;
const TIMELINE_PAGES: u64 = 20;
/// State and timeline may date one change this far apart.
const SAME_CHANGE: Duration = Duration::from_secs(2);

/// A present state: whose, since when, and its record.
#[derive(Debug)]
pub(super) struct Present {
    pub(super) user: String,
    pub(super) since: Option<WallTime>,
    pub(super) raw: Bytes,
}

/// What presence and routing status do differently.
pub(super) trait Source: fmt::Debug + Send {
    /// How many users one call may name.
    fn most(&self) -> usize;
    fn present(&self, shared: &Shared, users: &[Asked], token: &AccessToken) -> Box<Call>;
    fn read(&self, body: &Bytes) -> Result<Vec<Present>, Unreadable>;
    fn history<'t>(&self, timeline: &'t Timeline<'t>) -> timeline::Records<'t>;
}

/// Someone whose state is not older than the window.
#[derive(Debug, Clone)]
struct Changed {
    user: Asked,
    since: Option<WallTime>,
}

#[derive(Debug)]
enum Phase {
    Present { from: usize },
    Timeline { from: usize, page: u64 },
    Snapshot { from: usize },
    Done(Found),
}

#[derive(Debug)]
pub(super) struct AgentStates<S> {
    shared: Arc<Shared>,
    source: S,
    span: Span,
    users: Vec<Asked>,
    changed: Vec<Changed>,
    unclear: Vec<Asked>,
    /// The newest change that the timeline tells, by user.
    told: HashMap<String, WallTime>,
    phase: Phase,
    calls: usize,
}

impl<S: Source> AgentStates<S> {
    pub(super) fn new(shared: Arc<Shared>, source: S, users: Vec<Asked>, span: Span) -> Self {
        Self {
            shared,
            source,
            span,
            users,
            changed: Vec::new(),
            unclear: Vec::new(),
            told: HashMap::new(),
            phase: Phase::Present { from: 0 },
            calls: 0,
        }
    }

    fn presents(&mut self, from: usize, answer: &Bytes) -> Result<(), Unreadable> {
        let presents = self.source.read(answer)?;
        let since: HashMap<String, Option<WallTime>> = presents
            .into_iter()
            .map(|p| (p.user.to_ascii_lowercase(), p.since))
            .collect();
        let asked = chunk(&self.users, from, self.source.most());
        let next = from + asked.len();
        for user in asked {
            // Whoever is not listed may have changed as well.
            let since = since.get(&user.id.to_ascii_lowercase()).copied().flatten();
            if since.is_none_or(|since| !self.span.is_after(since)) {
                let user = user.clone();
                self.changed.push(Changed { user, since });
            }
        }
        self.phase = if next < self.users.len() {
            Phase::Present { from: next }
        } else if self.changed.is_empty() {
            Phase::Done(Found::Everything)
        } else {
            Phase::Timeline { from: 0, page: 1 }
        };
        Ok(())
    }

    /// Up to the newest change that is known, so that its record shows how fresh the timeline is.
    fn interval(&self) -> (WallTime, WallTime) {
        let newest = self.changed.iter().filter_map(|c| c.since).max();
        let to = newest.map_or(self.span.to, |n| n.plus(SAME_CHANGE).max(self.span.to));
        (self.span.from, to)
    }

    fn timeline(
        &mut self,
        (from, page): (usize, u64),
        answer: &Bytes,
    ) -> Result<Vec<ProviderEvent>, Unreadable> {
        let timeline = Timeline::read(answer)?;
        let asked = chunk(&self.changed, from, TIMELINE_USERS);
        let next = from + asked.len();
        let topics: HashMap<String, &Asked> = asked
            .iter()
            .map(|c| (c.user.id.to_ascii_lowercase(), &c.user))
            .collect();
        let mut events = Vec::new();
        for (user, records) in self.source.history(&timeline) {
            let user = user.to_ascii_lowercase();
            let Some(asked) = topics.get(&user) else {
                continue;
            };
            for record in records {
                let Some(start) = timeline::start_of(record) else {
                    continue;
                };
                let told = self.told.entry(user.clone()).or_insert(start);
                *told = (*told).max(start);
                if self.span.contains(start) {
                    events.push(timeline::event(asked, answer, record));
                }
            }
        }
        events.sort_by_key(|event| event.time);
        if timeline.is_full() && page < TIMELINE_PAGES {
            self.phase = Phase::Timeline {
                from,
                page: page + 1,
            };
            return Ok(events);
        }
        let cut = timeline.is_full();
        let told = &self.told;
        let unclear = asked.iter().filter(|c| {
            let told = told.get(&c.user.id.to_ascii_lowercase());
            let reaches = c
                .since
                .zip(told)
                .is_some_and(|(since, told)| told.plus(SAME_CHANGE) >= since);
            cut || !reaches
        });
        let unclear: Vec<Asked> = unclear.map(|c| c.user.clone()).collect();
        self.unclear.extend(unclear);
        self.phase = if next < self.changed.len() {
            Phase::Timeline {
                from: next,
                page: 1,
            }
        } else if self.unclear.is_empty() {
            Phase::Done(Found::Everything)
        } else {
            Phase::Snapshot { from: 0 }
        };
        Ok(events)
    }

    fn snapshot(&mut self, from: usize, answer: &Bytes) -> Result<Vec<ProviderEvent>, Unreadable> {
        let asked = chunk(&self.unclear, from, self.source.most());
        let next = from + asked.len();
        let presents = self.source.read(answer)?;
        let mut by_user: HashMap<String, Present> = presents
            .into_iter()
            .map(|p| (p.user.to_ascii_lowercase(), p))
            .collect();
        let present = asked.iter().filter_map(|user| {
            let present = by_user.remove(&user.id.to_ascii_lowercase())?;
            Some(facts::complete(ProviderEvent {
                topic: user.topic.clone(),
                time: present.since,
                raw: present.raw,
                ..ProviderEvent::default()
            }))
        });
        let events = present.collect();
        self.phase = if next < self.unclear.len() {
            Phase::Snapshot { from: next }
        } else {
            Phase::Done(Found::PresentState)
        };
        Ok(events)
    }
}

impl<S: Source> Recoverer for AgentStates<S> {
    fn holds(&self) -> bool {
        true
    }

    fn next(&mut self, token: &AccessToken) -> Step<Found> {
        if self.calls >= MOST_CALLS {
            self.phase = Phase::Done(Found::Nothing);
        }
        self.calls += 1;
        let most = self.source.most();
        let call = match self.phase {
            Phase::Done(found) => return Step::Done(found),
            Phase::Present { from } => {
                let users = chunk(&self.users, from, most);
                self.source.present(&self.shared, users, token)
            }
            Phase::Snapshot { from } => {
                let users = chunk(&self.unclear, from, most);
                self.source.present(&self.shared, users, token)
            }
            Phase::Timeline { from, page } => {
                let users = chunk(&self.changed, from, TIMELINE_USERS);
                let users = users.iter().map(|c| c.user.id.as_str());
                timeline::query(&self.shared.rest, users, self.interval(), page, token)
            }
        };
        Step::Call(call)
    }

    fn answer(&mut self, answer: &HttpResponse, _wall: WallTime) -> Result<Recovered, Unreadable> {
        let events = match self.phase {
            Phase::Present { from } => self.presents(from, &answer.body).map(|()| Vec::new())?,
            Phase::Timeline { from, page } => self.timeline((from, page), &answer.body)?,
            Phase::Snapshot { from } => self.snapshot(from, &answer.body)?,
            Phase::Done(_) => Vec::new(),
        };
        Ok(Recovered {
            events,
            complete: Vec::new(),
            ..Recovered::default()
        })
    }

    fn refused(&mut self, _status: StatusCode) -> bool {
        let Phase::Timeline { from, .. } = self.phase else {
            return false;
        };
        let rest = self.changed.get(from..).unwrap_or_default();
        self.unclear.extend(rest.iter().map(|c| c.user.clone()));
        self.phase = Phase::Snapshot { from: 0 };
        true
    }
}
