//! The listener of a control API: loopback only, `Host` and `Origin` checked, and what every
//! platform's API has in common.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Request, State};
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use axum::{Json, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::hub::{Hub, NameOf, Simulated};
use crate::sandbox::fault::FaultRule;

const CONNECTIONS: usize = 64;
const IDLE: Duration = Duration::from_secs(75);
const PAUSE: Duration = Duration::from_millis(50);

/// Serves a control API until it is dropped. `routes` stand below `/control/v1`; faults and the rate
/// are among them already.
pub(in crate::sandbox) async fn serve<S: Simulated>(
    hub: Arc<Hub<S>>,
    routes: Router<Arc<Hub<S>>>,
    listener: TcpListener,
) -> anyhow::Result<()> {
    let router = router(hub, routes);
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

fn router<S: Simulated>(hub: Arc<Hub<S>>, routes: Router<Arc<Hub<S>>>) -> Router {
    let routes = routes
        .route("/faults", get(faults::<S>).delete(clear_faults::<S>))
        .route(
            "/faults/{name}",
            put(set_fault::<S>).delete(clear_fault::<S>),
        )
        .route("/rate", put(rate::<S>))
        .with_state(hub);
    Router::new()
        .nest("/control/v1", routes)
        .fallback(async || Problem(StatusCode::NOT_FOUND, "no such path".to_owned()))
        .layer(axum::middleware::from_fn(local_only))
}

/// A mistake of the caller.
pub(in crate::sandbox) struct Problem(
    pub(in crate::sandbox) StatusCode,
    pub(in crate::sandbox) String,
);

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

pub(in crate::sandbox) fn bad(problem: impl ToString) -> Problem {
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

async fn faults<S: Simulated>(State(hub): State<Arc<Hub<S>>>) -> Json<Value> {
    Json(hub.with(|state| json!({ "faults": state.faults().status() })))
}

async fn set_fault<S: Simulated>(
    State(hub): State<Arc<Hub<S>>>,
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
    hub.set_fault(rule);
    Ok(Json(set))
}

async fn clear_fault<S: Simulated>(
    State(hub): State<Arc<Hub<S>>>,
    Path(name): Path<String>,
) -> Result<Json<Value>, Problem> {
    let name: NameOf<S> = name.parse().map_err(bad)?;
    Ok(Json(json!({ "cleared": hub.clear_fault(name) })))
}

async fn clear_faults<S: Simulated>(State(hub): State<Arc<Hub<S>>>) -> Json<Value> {
    hub.clear_faults();
    Json(json!({ "cleared": true }))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rate {
    per_second: f64,
}

async fn rate<S: Simulated>(
    State(hub): State<Arc<Hub<S>>>,
    body: Result<Json<Rate>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    let Json(rate) = body.map_err(|rejection| bad(rejection.body_text()))?;
    if !(0.0..=1_000_000.0).contains(&rate.per_second) {
        return Err(bad("per_second lies between 0 and 1000000"));
    }
    hub.set_rate(rate.per_second);
    Ok(Json(json!({ "per_second": rate.per_second })))
}
