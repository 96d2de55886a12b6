//! Adherence: users by hundreds, management units and teams one by one (4.2). A record carries the
//! times of all it is made of, so one older than the window shows that nothing was missed.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Asked, MOST_CALLS, Span, asked};
use crate::auth::AccessToken;
use crate::connectors::genesys_notifications::connector::Shared;
use crate::connectors::genesys_notifications::normalize::facts;
use crate::connectors::genesys_notifications::normalize::lenient::{Moment, Reference, id_of};
use crate::connectors::genesys_notifications::rest::{Page, json, slice};
use crate::connectors::genesys_notifications::topics::Kind;
use crate::connectors::{Found, ProviderEvent, Recovered, Recoverer, Step, Unreadable};
use crate::domain::WallTime;
use crate::net::HttpResponse;

/// Users of one query.
const MOST: usize = 100;

#[derive(Debug)]
enum Ask {
    Users(Vec<Asked>),
    Unit(Asked),
    Team(Asked),
}

#[derive(Debug)]
pub(super) struct Adherence {
    shared: Arc<Shared>,
    span: Span,
    asks: Vec<Ask>,
    at: usize,
    /// Some state is not older than the window.
    changed: bool,
    /// Some state could not be had.
    missing: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    user: Option<Reference>,
    #[serde(default)]
    time_of_adherence_change: Moment,
    #[serde(default)]
    presence_update_time: Moment,
    #[serde(default)]
    active_queues_modified_time: Moment,
}

impl Adherence {
    pub(super) fn begin(shared: Arc<Shared>, span: Span) -> Option<Box<dyn Recoverer>> {
        let users = asked(&shared, Kind::UserAdherence);
        let users = users.chunks(MOST).map(|chunk| Ask::Users(chunk.to_vec()));
        let units = asked(&shared, Kind::UnitAdherence);
        let teams = asked(&shared, Kind::TeamAdherence);
        let asks = users
            .chain(units.into_iter().map(Ask::Unit))
            .chain(teams.into_iter().map(Ask::Team))
            .collect();
        Some(Box::new(Self {
            shared,
            span,
            asks,
            at: 0,
            changed: false,
            missing: false,
        }))
    }

    fn may_have_changed(&self, record: &Record) -> bool {
        let times = [
            record.presence_update_time.0,
            record.active_queues_modified_time.0,
        ];
        let of_state = record.time_of_adherence_change.0;
        let newest = times.into_iter().flatten().chain(of_state).max();
        of_state.is_none() || newest.is_none_or(|newest| !self.span.is_after(newest))
    }

    fn found(&self) -> Found {
        match (self.missing, self.changed) {
            (true, _) => Found::Nothing,
            (false, true) => Found::PresentState,
            (false, false) => Found::Everything,
        }
    }

    /// The records of an answer, and whether there are more elsewhere: a list for users, a page for
    /// units and teams, which may have to be downloaded instead.
    fn records<'b>(ask: &Ask, body: &'b Bytes) -> Result<(Vec<&'b RawValue>, bool), Unreadable> {
        const WHAT: &str = "adherence";
        match ask {
            Ask::Users(_) => Ok((json(WHAT, body)?, false)),
            Ask::Unit(_) | Ask::Team(_) => {
                let page = Page::read(WHAT, body)?;
                let elsewhere = page.download_url.is_some();
                Ok((page.entities().to_vec(), elsewhere))
            }
        }
    }
}

impl Recoverer for Adherence {
    fn holds(&self) -> bool {
        true
    }

    fn next(&mut self, token: &AccessToken) -> Step<Found> {
        let Some(ask) = self.asks.get(self.at).filter(|_| self.at < MOST_CALLS) else {
            self.missing |= self.at < self.asks.len();
            return Step::Done(self.found());
        };
        let rest = &self.shared.rest;
        let wfm = "workforcemanagement";
        Step::Call(match ask {
            Ask::Users(users) => {
                let query: Vec<_> = users.iter().map(|u| ("userId", u.id.as_str())).collect();
                rest.get(&[wfm, "adherence"], &query, token)
            }
            Ask::Unit(unit) => {
                let path = [wfm, "managementunits", &unit.id, "adherence"];
                rest.get(&path, &[], token)
            }
            Ask::Team(team) => rest.get(&[wfm, "teams", &team.id, "adherence"], &[], token),
        })
    }

    fn answer(&mut self, answer: &HttpResponse, _wall: WallTime) -> Result<Recovered, Unreadable> {
        let Some(ask) = self.asks.get(self.at) else {
            return Ok(Recovered::default());
        };
        let (raws, elsewhere) = Self::records(ask, &answer.body)?;
        let of_users: HashMap<String, &Asked> = match ask {
            Ask::Users(users) => users
                .iter()
                .map(|user| (user.id.to_ascii_lowercase(), user))
                .collect(),
            Ask::Unit(_) | Ask::Team(_) => HashMap::new(),
        };
        let (mut listed, mut events) = (0, Vec::new());
        for raw in &raws {
            let Ok(record) = serde_json::from_str::<Record>(raw.get()) else {
                continue;
            };
            let changed = self.may_have_changed(&record);
            let user = id_of(record.user).unwrap_or_default().to_ascii_lowercase();
            let topic = match ask {
                Ask::Users(_) => of_users.get(&user).map(|u| &u.topic),
                Ask::Unit(of) | Ask::Team(of) => Some(&of.topic),
            };
            let Some(topic) = topic else {
                continue;
            };
            listed += 1;
            if changed {
                self.changed = true;
                events.push(facts::complete(ProviderEvent {
                    topic: topic.clone(),
                    raw: slice(&answer.body, raw),
                    ..ProviderEvent::default()
                }));
            }
        }
        // Someone who is left out may have changed.
        self.missing |= match ask {
            Ask::Users(users) => listed < users.len(),
            Ask::Unit(_) | Ask::Team(_) => elsewhere || listed < raws.len(),
        };
        self.at += 1;
        Ok(Recovered {
            events,
            complete: Vec::new(),
            ..Recovered::default()
        })
    }

    fn refused(&mut self, _status: http::StatusCode) -> bool {
        self.missing = true;
        self.at += 1;
        self.at < self.asks.len()
    }
}
