//! The three probes as HTTP: 200 with `ok`, or 503 with the names of what is pending; and the figures of
//! the process.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::runtime::{Readiness, offload};
use crate::telemetry::metrics::{Dialect, Source, write};

/// Routes of the probes. `startup` says whether the process has come up, `readiness` whether it can
/// serve `Subscribe`; being alive needs no more than an answer.
pub fn router(startup: Readiness, readiness: Readiness) -> Router {
    Router::new()
        .route("/livez", get(|| async { answer(&[], None) }))
        .route("/startupz", get(probe).with_state(startup))
        .route("/readyz", get(probe).with_state(readiness))
}

/// The route of `/metrics`: OpenMetrics for whoever accepts it, Prometheus' own text otherwise.
pub fn metrics(source: Arc<dyn Source>) -> Router {
    Router::new().route("/metrics", get(figures).with_state(source))
}

async fn figures(State(source): State<Arc<dyn Source>>, headers: HeaderMap) -> Response {
    let accept = headers.get_all(header::ACCEPT).iter();
    let accept: Vec<&str> = accept.filter_map(|value| value.to_str().ok()).collect();
    let dialect = Dialect::accepted(&accept.join(","));
    // Looking at a volume may take its time, which others need not wait for.
    match offload(move || write(&source.gather(), dialect)).await {
        Ok(text) => ([(header::CONTENT_TYPE, dialect.content_type())], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn probe(State(latches): State<Readiness>) -> Response {
    answer(&latches.pending(), latches.remarked())
}

fn answer(pending: &[String], remark: Option<&str>) -> Response {
    let remark = remark.map(|remark| format!("{remark}\n"));
    let remark = remark.unwrap_or_default();
    let plain = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    if pending.is_empty() {
        (StatusCode::OK, plain, format!("ok\n{remark}")).into_response()
    } else {
        let body = format!("pending: {}\n{remark}", pending.join(", "));
        (StatusCode::SERVICE_UNAVAILABLE, plain, body).into_response()
    }
}
