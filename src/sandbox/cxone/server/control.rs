//! The control API: reads what happened, lets things happen.

use std::sync::Arc;

use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::core::Core;
use crate::sandbox::cxone::fault::CxoneFault;
use crate::sandbox::cxone::platform::{Change, Changed};
use crate::sandbox::server::{Problem, bad, issue};

const PAGE: usize = 1_000;
const LARGEST_PAGE: usize = 10_000;
/// Steps at once, at most.
const LONGEST_STORY: u64 = 100_000;

/// What stands below `/control/v1` beside faults and the rate.
pub(in crate::sandbox::cxone) fn routes() -> Router<Arc<Core>> {
    Router::new()
        .route("/state", get(state))
        .route("/counters", get(counters))
        .route("/ledger", get(ledger))
        .route("/answers", get(answers))
        .route("/requests", get(requests))
        .route("/agents/{agent}/change", post(change))
        .route("/emit", post(emit))
        .route("/expire-tokens", post(expire_tokens))
}

type Shared = State<Arc<Core>>;

async fn state(State(core): Shared) -> Json<Value> {
    let (now, rate) = (core.clock.now(), core.rate());
    Json(core.with(|state| {
        json!({
            "rate": rate,
            "agents": state.present(),
            "sessions": state.session_status(),
            "connections": state.connections,
            "faults": state.faults.status(),
            "tokens": { "issued": state.tokens.issued(), "valid": state.tokens.valid(now) },
            "counters": state.counters,
        })
    }))
}

async fn counters(State(core): Shared) -> Json<Value> {
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

async fn ledger(State(core): Shared, Query(page): Query<Page>) -> Json<Value> {
    Json(core.with(|state| {
        let facts = state.facts(page.after, page.limit());
        json!({ "facts": facts, "issued": state.head(), "dropped": state.forgotten().0 })
    }))
}

async fn answers(State(core): Shared, Query(page): Query<Page>) -> Json<Value> {
    Json(core.with(|state| {
        let answers = state.answers(page.after, page.limit());
        json!({ "answers": answers, "dropped": state.forgotten().1 })
    }))
}

async fn requests(State(core): Shared, Query(page): Query<Page>) -> Json<Value> {
    let requests = core.with(|state| state.requests(page.after, page.limit()));
    Json(json!({ "requests": requests }))
}

async fn change(
    State(core): Shared,
    Path(agent): Path<String>,
    body: Result<Json<Change>, JsonRejection>,
) -> Result<Json<Changed>, Problem> {
    let Json(change) = body.map_err(|rejection| bad(rejection.body_text()))?;
    core.make(&agent, change).map(Json).map_err(bad)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Steps {
    count: u64,
}

async fn emit(
    State(core): Shared,
    body: Result<Json<Steps>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    let Json(steps) = body.map_err(|rejection| bad(rejection.body_text()))?;
    if steps.count > LONGEST_STORY {
        return Err(bad(format!("count is at most {LONGEST_STORY}")));
    }
    issue(&core, steps.count).await;
    Ok(Json(json!({ "head": core.with(|state| state.head()) })))
}

async fn expire_tokens(State(core): Shared) -> Json<Value> {
    core.set_fault(CxoneFault::ExpireTokensNow {}.into());
    Json(json!({ "expired": true }))
}
