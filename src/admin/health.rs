//! The three probes as HTTP: 200 with `ok`, or 503 with the names of what is pending.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::runtime::Readiness;

/// Routes of the probes. `startup` says whether the process has come up, `readiness` whether it can
/// serve `Subscribe`; being alive needs no more than an answer.
pub fn router(startup: Readiness, readiness: Readiness) -> Router {
    Router::new()
        .route("/livez", get(|| async { answer(&[]) }))
        .route("/startupz", get(probe).with_state(startup))
        .route("/readyz", get(probe).with_state(readiness))
}

async fn probe(State(latches): State<Readiness>) -> Response {
    answer(&latches.pending())
}

fn answer(pending: &[String]) -> Response {
    let plain = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    if pending.is_empty() {
        (StatusCode::OK, plain, "ok\n".to_owned()).into_response()
    } else {
        let body = format!("pending: {}\n", pending.join(", "));
        (StatusCode::SERVICE_UNAVAILABLE, plain, body).into_response()
    }
}
