//! REST of web messaging: the history, the deployment's configuration, who may open a socket. Pure.

use std::time::Duration;

use serde_json::{Value, json};

use super::structured;
use crate::domain::WallTime;
use crate::runtime::MonoTime;
use crate::sandbox::guests::fault::{GuestFault, GuestFaultName as Name};
use crate::sandbox::guests::state::{State, error, refused};
use crate::sandbox::platform::{Answer, Cut, Delayed, UpgradeAnswer};

const PAGE: usize = 25;
const LARGEST_PAGE: usize = 100;

impl State {
    /// Whether a guest may open a socket: the deployment is there and allows the origin.
    pub(in crate::sandbox::guests) fn admit_origin(
        &self,
        deployment: Option<&str>,
        origin: Option<&str>,
    ) -> Option<UpgradeAnswer> {
        let deployed = deployment == Some(self.config.deployment_id.as_str());
        let allowed = &self.config.allowed_origins;
        let welcome = allowed.is_empty()
            || origin.is_some_and(|origin| allowed.iter().any(|known| same_origin(known, origin)));
        (!deployed || !welcome).then(|| refused(403, "access denied", None))
    }

    /// `GET /webdeployments/v1/deployments/{id}/config.json`.
    pub(in crate::sandbox::guests) fn deployment(&self, id: &str) -> Answer {
        if id != self.config.deployment_id {
            return error(404, "no such deployment", None);
        }
        let body = json!({
            "id": id,
            "version": "1",
            "status": "Active",
            "languages": ["en-us"],
            "defaultLanguage": "en-us",
            "auth": { "enabled": false },
            "messenger": {
                "enabled": true,
                "apps": { "conversations": {
                    "enabled": true,
                    "autoStart": { "enabled": false },
                    "conversationDisconnect": { "enabled": true, "type": "ReadOnly" },
                    "conversationClear": { "enabled": true },
                } },
            },
        });
        Answer::json(200, body.to_string())
    }

    /// `GET /api/v2/webmessaging/messages`: pages, the newest first.
    pub(in crate::sandbox::guests) fn messages(
        &mut self,
        jwt: Option<&str>,
        query: &str,
        now: (MonoTime, WallTime),
    ) -> Delayed {
        let delay = match self.strike(Name::HistorySlow) {
            Some(GuestFault::HistorySlow { delay }) => delay.0,
            _ => Duration::ZERO,
        };
        let answer = match self.strike(Name::HistoryDown) {
            Some(GuestFault::HistoryDown {
                status,
                retry_after,
            }) => error(status, "the history is down", retry_after),
            _ => self.page(jwt, query, now),
        };
        let answer = match answer.status == 200 && self.strike(Name::TruncatedBody).is_some() {
            true => Answer {
                cut: Cut::Connection,
                ..answer
            },
            false => answer,
        };
        let reply = answer.into();
        Delayed { reply, delay }
    }

    fn page(&mut self, jwt: Option<&str>, query: &str, now: (MonoTime, WallTime)) -> Answer {
        let session = jwt.and_then(|jwt| self.desk.bearer(jwt, now.0));
        let Some(session) = session else {
            return error(401, "the JWT is missing, wrong or expired", None);
        };
        let (number, size) = match asked(query) {
            Ok(asked) => asked,
            Err(problem) => return error(400, problem, None),
        };
        let Some(guest) = self.guests.get(&session) else {
            return error(404, "session not found", None);
        };
        let shown: Vec<_> = guest
            .history
            .iter()
            .filter(|said| said.shown <= now.0)
            .collect();
        let total = shown.len();
        let skip = (number - 1).saturating_mul(size);
        let page = shown.iter().rev().skip(skip).take(size);
        let entities: Vec<Value> = page.map(|said| structured::body(said)).collect();
        let body = json!({
            "entities": entities,
            "pageSize": size,
            "pageNumber": number,
            "total": total,
            "pageCount": total.div_ceil(size),
        });
        self.asked_for_history(&session, now);
        Answer::json(200, body.to_string())
    }
}

/// The page asked for, from 1, and its size.
fn asked(query: &str) -> Result<(usize, usize), &'static str> {
    let (mut number, mut size) = (1, PAGE);
    for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match &*key {
            "pageNumber" => number = value.parse().map_err(|_| "pageNumber is no number")?,
            "pageSize" => size = value.parse().map_err(|_| "pageSize is no number")?,
            _ => {}
        }
    }
    match (1..=LARGEST_PAGE).contains(&size) && number > 0 {
        true => Ok((number, size)),
        false => Err("pageNumber begins at 1; pageSize lies between 1 and 100"),
    }
}

/// Clients of the vendor send an origin, or its host alone.
fn same_origin(known: &str, origin: &str) -> bool {
    let host = |text: &str| {
        let (_, host) = text.split_once("://").unwrap_or(("", text));
        host.trim_end_matches('/').to_lowercase()
    };
    match origin.contains("://") && known.contains("://") {
        true => known
            .trim_end_matches('/')
            .eq_ignore_ascii_case(origin.trim_end_matches('/')),
        false => host(known) == host(origin),
    }
}
