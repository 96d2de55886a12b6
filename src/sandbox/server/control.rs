//! The control API of genesys-events: reads what happened, sets what goes wrong.

use std::sync::Arc;

use axum::extract::rejection::JsonRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::core::Core;
use super::drivers;
use super::loopback::{self, Problem, bad};
use crate::sandbox::fault::Fault;
use crate::sandbox::platform::{Emission, SubscriptionKey};
use crate::sandbox::script::LARGEST_BURST;

const PAGE: usize = 1_000;
const LARGEST_PAGE: usize = 10_000;

/// Serves the control API until it is dropped.
pub(in crate::sandbox) async fn serve(
    core: Arc<Core>,
    listener: TcpListener,
) -> anyhow::Result<()> {
    let routes = Router::new()
        .route("/state", get(state))
        .route("/counters", get(counters))
        .route("/ledger", get(ledger))
        .route("/deliveries", get(deliveries))
        .route("/requests", get(requests))
        .route("/emit", post(emit))
        .route("/expire-tokens", post(expire_tokens))
        .route("/restart-numbering", post(restart_numbering));
    loopback::serve(core, routes, listener).await
}

async fn state(State(core): State<Arc<Core>>) -> Json<Value> {
    let (now, rate) = (core.clock.now(), core.rate());
    Json(core.with(|state| {
        json!({
            "rate": rate,
            "subscriptions": state.subscription_status(),
            "connections": state.connection_status(),
            "faults": state.faults.status(),
            "tokens": { "issued": state.tokens.issued(), "valid": state.tokens.valid(now) },
            "counters": state.counters,
        })
    }))
}

async fn counters(State(core): State<Arc<Core>>) -> Json<Value> {
    Json(core.with(|state| json!(state.counters)))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    #[serde(default)]
    after: u64,
    limit: Option<usize>,
    /// Whose ledger; the first client's where it is not given.
    client: Option<String>,
    /// Which subscription's; all channels where it is not given.
    channels: Option<String>,
}

impl Page {
    fn limit(&self) -> usize {
        self.limit.unwrap_or(PAGE).min(LARGEST_PAGE)
    }
}

async fn ledger(
    State(core): State<Arc<Core>>,
    Query(page): Query<Page>,
) -> Result<Json<Value>, Problem> {
    core.with(|state| {
        let mut key = state.default_key();
        if let Some(id) = &page.client {
            let position = state.clients.iter().position(|client| client.id == *id);
            key.client = position.ok_or_else(|| bad(format!("no client '{id}'")))?;
        }
        if let Some(channels) = &page.channels {
            key = SubscriptionKey {
                channels: channels.split(',').map(Into::into).collect(),
                ..key
            };
        }
        let subscription = state.subscription(&key).ok_or_else(|| {
            Problem(
                StatusCode::NOT_FOUND,
                "nobody has subscribed to that yet".to_owned(),
            )
        })?;
        Ok(Json(json!(
            subscription.ledger().page(page.after, page.limit())
        )))
    })
}

async fn deliveries(State(core): State<Arc<Core>>, Query(page): Query<Page>) -> Json<Value> {
    let deliveries = core.with(|state| state.deliveries(page.after, page.limit()));
    Json(json!({ "deliveries": deliveries }))
}

async fn requests(State(core): State<Arc<Core>>, Query(page): Query<Page>) -> Json<Value> {
    let requests = core.with(|state| state.requests(page.after, page.limit()));
    Json(json!({ "requests": requests }))
}

async fn emit(
    State(core): State<Arc<Core>>,
    body: Result<Json<Emission>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    let Json(emission) = body.map_err(|rejection| bad(rejection.body_text()))?;
    match emission {
        Emission::Story(story) if story.count > LARGEST_BURST => {
            return Err(bad(format!("count is at most {LARGEST_BURST}")));
        }
        Emission::Story(story) => drivers::issue(&core, story.count).await,
        Emission::Event(_) => {
            core.emit(&emission).map_err(bad)?;
        }
    }
    Ok(Json(json!({ "head": core.head() })))
}

async fn expire_tokens(State(core): State<Arc<Core>>) -> Json<Value> {
    core.set_fault(Fault::ExpireTokensNow {}.into());
    Json(json!({ "expired": true }))
}

async fn restart_numbering(State(core): State<Arc<Core>>) -> Json<Value> {
    core.set_fault(Fault::RestartNumbering {}.into());
    Json(json!({ "restarted": true }))
}
