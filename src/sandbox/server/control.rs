//! The control API: reads what happened, sets what goes wrong. Loopback only, `Host` checked.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, Request, State};
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::core::Core;
use super::drivers;
use crate::sandbox::fault::{Fault, FaultName, FaultRule};
use crate::sandbox::platform::{Emission, SubscriptionKey};
use crate::sandbox::script::LARGEST_BURST;

const CONNECTIONS: usize = 64;
const PAGE: usize = 1_000;
const LARGEST_PAGE: usize = 10_000;
const IDLE: Duration = Duration::from_secs(75);
const PAUSE: Duration = Duration::from_millis(50);

/// Serves the control API until it is dropped.
pub(in crate::sandbox) async fn serve(
    core: Arc<Core>,
    listener: TcpListener,
) -> anyhow::Result<()> {
    let router = router(core);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < CONNECTIONS => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, router.clone()));
                }
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "Accept failed");
                    tokio::time::sleep(PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(stream: TcpStream, router: Router) {
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(IDLE);
    let service = TowerToHyperService::new(router);
    if let Err(error) = server.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(
            error = &error as &dyn std::error::Error,
            "Control connection ended"
        );
    }
}

fn router(core: Arc<Core>) -> Router {
    let routes = Router::new()
        .route("/state", get(state))
        .route("/counters", get(counters))
        .route("/ledger", get(ledger))
        .route("/deliveries", get(deliveries))
        .route("/requests", get(requests))
        .route("/faults", get(faults).delete(clear_faults))
        .route("/faults/{name}", put(set_fault).delete(clear_fault))
        .route("/emit", post(emit))
        .route("/rate", put(rate))
        .route("/expire-tokens", post(expire_tokens))
        .route("/restart-numbering", post(restart_numbering))
        .with_state(core);
    Router::new()
        .nest("/control/v1", routes)
        .fallback(async || Problem(StatusCode::NOT_FOUND, "no such path".to_owned()))
        .layer(axum::middleware::from_fn(local_only))
}

/// A mistake of the caller.
struct Problem(StatusCode, String);

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

fn bad(problem: impl ToString) -> Problem {
    Problem(StatusCode::BAD_REQUEST, problem.to_string())
}

/// A page in a browser that reaches loopback by a name of its own is kept out.
async fn local_only(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let local = header(headers, HOST).is_some_and(|host| is_local(&format!("http://{host}")));
    let origin = header(headers, ORIGIN).is_none_or(is_local);
    if local && origin {
        return next.run(request).await;
    }
    let problem = "Host and Origin must be loopback: localhost, 127.0.0.1 or [::1]";
    Problem(StatusCode::FORBIDDEN, problem.to_owned()).into_response()
}

fn header(headers: &HeaderMap, name: axum::http::HeaderName) -> Option<&str> {
    // A value that is no text is no local name either.
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}

fn is_local(origin: &str) -> bool {
    let uri = origin.parse::<Uri>().ok();
    uri.as_ref()
        .and_then(Uri::host)
        .is_some_and(|host| ["localhost", "127.0.0.1", "[::1]"].contains(&host))
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

async fn faults(State(core): State<Arc<Core>>) -> Json<Value> {
    Json(core.with(|state| json!({ "faults": state.faults.status() })))
}

async fn set_fault(
    State(core): State<Arc<Core>>,
    Path(name): Path<String>,
    body: bytes::Bytes,
) -> Result<Json<Value>, Problem> {
    let mut object: Map<String, Value> = match body.is_empty() {
        true => Map::new(),
        false => serde_json::from_slice(&body).map_err(bad)?,
    };
    object.insert("fault".to_owned(), name.into());
    let rule = FaultRule::from_json(object).map_err(bad)?;
    let set = rule.to_json();
    core.set_fault(rule);
    Ok(Json(set))
}

async fn clear_fault(
    State(core): State<Arc<Core>>,
    Path(name): Path<String>,
) -> Result<Json<Value>, Problem> {
    let name: FaultName = name.parse().map_err(bad)?;
    Ok(Json(json!({ "cleared": core.clear_fault(name) })))
}

async fn clear_faults(State(core): State<Arc<Core>>) -> Json<Value> {
    core.clear_faults();
    Json(json!({ "cleared": true }))
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

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rate {
    per_second: f64,
}

async fn rate(
    State(core): State<Arc<Core>>,
    body: Result<Json<Rate>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    let Json(rate) = body.map_err(|rejection| bad(rejection.body_text()))?;
    if !(0.0..=1_000_000.0).contains(&rate.per_second) {
        return Err(bad("per_second lies between 0 and 1000000"));
    }
    core.set_rate(rate.per_second);
    Ok(Json(json!({ "per_second": rate.per_second })))
}

async fn expire_tokens(State(core): State<Arc<Core>>) -> Json<Value> {
    core.set_fault(Fault::ExpireTokensNow {}.into());
    Json(json!({ "expired": true }))
}

async fn restart_numbering(State(core): State<Arc<Core>>) -> Json<Value> {
    core.set_fault(Fault::RestartNumbering {}.into());
    Json(json!({ "restarted": true }))
}
