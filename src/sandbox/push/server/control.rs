//! The control API of a platform that pushes.

use std::sync::Arc;

use axum::extract::rejection::JsonRejection;
use axum::extract::{Query, State as Shared};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::core::Core;
use crate::sandbox::platform::StoryEvents;
use crate::sandbox::push::fault::PushFault;
use crate::sandbox::script::LARGEST_BURST;
use crate::sandbox::server::{Problem, bad, issue};

const PAGE: usize = 1_000;
const LARGEST_PAGE: usize = 10_000;

/// What stands below `/control/v1` beside faults and the rate.
pub(in crate::sandbox::push) fn routes() -> Router<Arc<Core>> {
    Router::new()
        .route("/state", get(state))
        .route("/counters", get(counters))
        .route("/ledger", get(ledger))
        .route("/requests", get(requests))
        .route("/heartbeats", get(heartbeats))
        .route("/emit", post(emit))
        .route("/expire-tokens", post(expire_tokens))
}

async fn state(Shared(core): Shared<Arc<Core>>) -> Json<Value> {
    let (now, rate) = (core.clock.now(), core.rate());
    Json(core.with(|state| {
        json!({
            "rate": rate,
            "facts": state.ledger.entered(),
            "sockets": state.outboxes.keys().collect::<Vec<_>>(),
            "connections": state.connections,
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

async fn ledger(Shared(core): Shared<Arc<Core>>, Query(page): Query<Page>) -> Json<Value> {
    Json(core.with(|state| {
        json!({
            "facts": state.ledger.after(page.after, page.limit()),
            "issued": state.ledger.entered(),
            "dropped": state.ledger.dropped(),
        })
    }))
}

async fn requests(Shared(core): Shared<Arc<Core>>, Query(page): Query<Page>) -> Json<Value> {
    let requests = core.with(|state| state.requests.after(page.after, page.limit()));
    Json(json!({ "requests": requests }))
}

async fn heartbeats(Shared(core): Shared<Arc<Core>>, Query(page): Query<Page>) -> Json<Value> {
    let heartbeats = core.with(|state| state.heartbeats.after(page.after, page.limit()));
    Json(json!({ "heartbeats": heartbeats }))
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
        json!({ "facts": core.with(|state| state.ledger.entered()) }),
    ))
}

async fn expire_tokens(Shared(core): Shared<Arc<Core>>) -> Json<Value> {
    core.set_fault(PushFault::ExpireTokensNow {}.into());
    Json(json!({ "expired": true }))
}
