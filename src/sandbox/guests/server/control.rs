//! The control API of a platform for guests, beside what every platform has.

use std::sync::Arc;

use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State as Shared};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::core::Core;
use crate::runtime::HumanDuration;
use crate::sandbox::guests::fault::GuestFault;
use crate::sandbox::guests::{Deed, UnknownSession};
use crate::sandbox::platform::StoryEvents;
use crate::sandbox::script::LARGEST_BURST;
use crate::sandbox::server::{Problem, bad, issue};

const PAGE: usize = 1_000;
const LARGEST_PAGE: usize = 10_000;

/// What stands below `/control/v1` beside faults and the rate.
pub(in crate::sandbox::guests) fn routes() -> Router<Arc<Core>> {
    Router::new()
        .route("/state", get(state))
        .route("/counters", get(counters))
        .route("/messages", get(messages))
        .route("/said", get(said))
        .route("/requests", get(requests))
        .route("/sessions", get(sessions))
        .route("/sessions/{id}/{deed}", post(act))
        .route("/emit", post(emit))
        .route("/restart", post(restart))
        .route("/expire-tokens", post(expire_tokens))
}

async fn state(Shared(core): Shared<Arc<Core>>) -> Json<Value> {
    let (now, rate) = (core.clock.now(), core.rate());
    Json(core.with(|state| {
        json!({
            "rate": rate,
            "messages": state.record.entered(),
            "said": state.said.entered(),
            "sessions": state.session_count(),
            "sockets": state.socket_count(),
            "connections": state.connections.len(),
            "faults": state.faults.status(),
            "tokens": { "issued": state.tokens.issued(), "valid": state.tokens.valid(now) },
            "counters": state.counters,
        })
    }))
}

async fn counters(Shared(core): Shared<Arc<Core>>) -> Json<Value> {
    Json(core.with(|state| json!(state.counters)))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    #[serde(default)]
    after: u64,
    limit: Option<usize>,
}

impl Page {
    fn limit(&self) -> usize {
        self.limit.unwrap_or(PAGE).min(LARGEST_PAGE)
    }
}

async fn messages(Shared(core): Shared<Arc<Core>>, Query(page): Query<Page>) -> Json<Value> {
    Json(core.with(|state| {
        json!({
            "messages": state.record.after(page.after, page.limit()),
            "taken": state.record.entered(),
            "dropped": state.record.dropped(),
        })
    }))
}

async fn said(Shared(core): Shared<Arc<Core>>, Query(page): Query<Page>) -> Json<Value> {
    Json(core.with(|state| {
        json!({
            "said": state.said.after(page.after, page.limit()),
            "entered": state.said.entered(),
            "dropped": state.said.dropped(),
        })
    }))
}

async fn requests(Shared(core): Shared<Arc<Core>>, Query(page): Query<Page>) -> Json<Value> {
    let requests = core.with(|state| state.requests.after(page.after, page.limit()));
    Json(json!({ "requests": requests }))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SessionPage {
    #[serde(default)]
    after: String,
    limit: Option<usize>,
}

async fn sessions(Shared(core): Shared<Arc<Core>>, Query(page): Query<SessionPage>) -> Json<Value> {
    let limit = page.limit.unwrap_or(PAGE).min(LARGEST_PAGE);
    let sessions = core.with(|state| state.session_page(&page.after, limit));
    Json(json!({ "sessions": sessions }))
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    choices: Vec<String>,
}

/// Does something to a session, or to every one where the id is `*`.
async fn act(
    Shared(core): Shared<Arc<Core>>,
    Path((id, deed)): Path<(String, String)>,
    body: bytes::Bytes,
) -> Result<Json<Value>, Problem> {
    let words: Words = match body.is_empty() {
        true => Words::default(),
        false => serde_json::from_slice(&body).map_err(bad)?,
    };
    let deed = match (deed.as_str(), words.text) {
        ("say", Some(text)) => Deed::Say {
            text,
            choices: words.choices,
        },
        ("say", None) => return Err(bad("say wants {\"text\": …, \"choices\": […]}")),
        ("end", _) => Deed::End,
        ("expire", _) => Deed::Expire,
        ("clear", _) => Deed::Clear,
        ("forget", _) => Deed::Forget,
        ("supersede", _) => Deed::Supersede,
        (other, _) => {
            let known = "say, end, expire, clear, forget, supersede";
            let problem = format!("'{other}' is nothing that can be done: {known}");
            return Err(Problem(StatusCode::NOT_FOUND, problem));
        }
    };
    let now = core.times();
    let done = core.with(|state| match id.as_str() {
        "*" => Ok(state.act_on_all(&deed, now)),
        id => state.act(id, &deed, now).map(|()| 1),
    });
    core.notice();
    match done {
        Ok(sessions) => Ok(Json(json!({ "sessions": sessions }))),
        Err(problem @ UnknownSession { .. }) => {
            Err(Problem(StatusCode::NOT_FOUND, problem.to_string()))
        }
    }
}

async fn emit(
    Shared(core): Shared<Arc<Core>>,
    body: Result<Json<StoryEvents>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    let Json(burst) = body.map_err(|rejection| bad(rejection.body_text()))?;
    if burst.count > LARGEST_BURST {
        return Err(bad(format!("count is at most {LARGEST_BURST}")));
    }
    issue(&core, burst.count).await;
    Ok(Json(
        json!({ "said": core.with(|state| state.said.entered()) }),
    ))
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Restart {
    down: Option<HumanDuration>,
}

/// Every connection is reset at once; sessions are kept.
async fn restart(
    Shared(core): Shared<Arc<Core>>,
    body: bytes::Bytes,
) -> Result<Json<Value>, Problem> {
    let Restart { down } = match body.is_empty() {
        true => Restart::default(),
        false => serde_json::from_slice(&body).map_err(bad)?,
    };
    super::restart(&core, down.map_or(std::time::Duration::ZERO, |down| down.0));
    Ok(Json(json!({ "restarted": true })))
}

async fn expire_tokens(Shared(core): Shared<Arc<Core>>) -> Json<Value> {
    core.set_fault(GuestFault::ExpireTokensNow {}.into());
    core.set_fault(GuestFault::ExpireJwtsNow {}.into());
    Json(json!({ "expired": true }))
}
