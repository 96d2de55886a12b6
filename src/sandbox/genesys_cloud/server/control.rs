//! The control API of Genesys Cloud: reads what happened, lets things happen.

use std::sync::Arc;

use axum::extract::rejection::JsonRejection;
use axum::extract::{Query, State as Shared};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::core::Core;
use crate::sandbox::genesys_cloud::fault::GenesysFault;
use crate::sandbox::genesys_cloud::world::Change;
use crate::sandbox::script::LARGEST_BURST;
use crate::sandbox::server::{Problem, bad, issue};

const PAGE: usize = 1_000;
const LARGEST_PAGE: usize = 10_000;

/// What stands below `/control/v1` beside faults and the rate.
pub(in crate::sandbox::genesys_cloud) fn routes() -> Router<Arc<Core>> {
    Router::new()
        .route("/state", get(state))
        .route("/world", get(world))
        .route("/counters", get(counters))
        .route("/ledger", get(ledger))
        .route("/requests", get(requests))
        .route("/channels", get(channels))
        .route("/changes", post(change))
        .route("/emit", post(emit))
        .route("/expire-tokens", post(expire_tokens))
        .route("/revoke-tokens", post(revoke_tokens))
        .route("/close-channels", post(close_channels))
}

async fn state(Shared(core): Shared<Arc<Core>>) -> Json<Value> {
    let (now, rate) = (core.clock.now(), core.rate());
    Json(core.with(|state| {
        json!({
            "rate": rate,
            "facts": state.ledger.issued(),
            "channels": state.channels.status(|client| state.tokens.client_id(client)),
            "connections": state.connections,
            "faults": state.faults.status(),
            "tokens": { "issued": state.tokens.issued(), "valid": state.tokens.valid(now) },
            "counters": state.counters,
        })
    }))
}

async fn world(Shared(core): Shared<Arc<Core>>) -> Json<Value> {
    Json(json!(core.with(|state| state.world.state())))
}

async fn counters(Shared(core): Shared<Arc<Core>>) -> Json<Value> {
    Json(core.with(|state| json!(state.counters)))
}

async fn channels(Shared(core): Shared<Arc<Core>>) -> Json<Value> {
    Json(core.with(|state| {
        let channels = state
            .channels
            .status(|client| state.tokens.client_id(client));
        json!({ "channels": channels })
    }))
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
    let facts = core.with(|state| state.ledger.page(page.after, page.limit()));
    Json(json!(facts))
}

async fn requests(Shared(core): Shared<Arc<Core>>, Query(page): Query<Page>) -> Json<Value> {
    let requests = core.with(|state| state.requests.after(page.after, page.limit()));
    Json(json!({ "requests": requests }))
}

async fn change(
    Shared(core): Shared<Arc<Core>>,
    body: Result<Json<Change>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    let Json(change) = body.map_err(|rejection| bad(rejection.body_text()))?;
    let now = core.times();
    let changed = core
        .alter(|state| state.happen(&change, now))
        .map_err(bad)?;
    Ok(Json(json!(changed)))
}

/// So many changes of the story.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Burst {
    count: u64,
}

async fn emit(
    Shared(core): Shared<Arc<Core>>,
    body: Result<Json<Burst>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    let Json(burst) = body.map_err(|rejection| bad(rejection.body_text()))?;
    if burst.count > LARGEST_BURST {
        return Err(bad(format!("count is at most {LARGEST_BURST}")));
    }
    issue(&core, burst.count).await;
    Ok(Json(
        json!({ "facts": core.with(|state| state.ledger.issued()) }),
    ))
}

async fn expire_tokens(Shared(core): Shared<Arc<Core>>) -> Json<Value> {
    core.set_fault(GenesysFault::ExpireTokensNow {}.into());
    Json(json!({ "expired": true }))
}

async fn revoke_tokens(Shared(core): Shared<Arc<Core>>) -> Json<Value> {
    core.set_fault(GenesysFault::RevokeTokensNow {}.into());
    Json(json!({ "revoked": true }))
}

async fn close_channels(Shared(core): Shared<Arc<Core>>) -> Json<Value> {
    core.set_fault(GenesysFault::ExpireChannel { channel: None }.into());
    Json(json!({ "closed": true }))
}
