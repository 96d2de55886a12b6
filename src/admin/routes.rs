//! [`Console`]: what the admin listener answers over HTTP. GET changes nothing.

use std::fmt;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use axum::{Extension, Router};
use tokio::sync::Semaphore;

use super::door::{self, Door, Named};
use super::problem::Problem;
use super::status::Overview;
use super::tail::TailQuery;
use super::{live, page, tail};
use crate::grpc::Gate;

/// Pages and terminals that may watch at once.
pub(super) const MOST_WATCHERS: usize = 16;
/// Live tails at once; each reads like any subscriber.
pub(super) const MOST_TAILS: usize = 4;
/// A log filter is a line.
const LONGEST_FILTER: usize = 4096;

/// The live tail, which is about one journal.
pub(super) const TAIL: &str = "/admin/v1/tail";

const STYLE: &str = include_str!("console/style.css");
const SCRIPT: &str = include_str!("console/app.js");

/// Changes what is logged.
pub trait LogControl: Send + Sync + fmt::Debug {
    /// Puts a filter in force, such as `info,tieline::session=debug`.
    ///
    /// # Errors
    /// Why the filter is not understood.
    fn set(&self, filter: &str) -> Result<(), String>;

    /// The filter in force.
    fn get(&self) -> String;
}

/// What a console is made of.
#[derive(Debug)]
pub struct ConsoleParts {
    /// What it shows.
    pub overview: Overview,
    /// Names besides those of loopback under which it may be asked for.
    pub hosts: Vec<String>,
    /// Whether the live tail may show payloads.
    pub tail_payloads: bool,
    /// Changes what is logged, where that can be changed.
    pub log: Option<Arc<dyn LogControl>>,
}

/// The console. Clones share it, and its bounds.
#[derive(Debug, Clone)]
pub struct Console(Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) overview: Overview,
    pub(super) tail_payloads: bool,
    pub(super) watchers: Arc<Semaphore>,
    pub(super) tails: Arc<Semaphore>,
    hosts: Arc<[String]>,
    log: Option<Arc<dyn LogControl>>,
}

impl Console {
    /// Nothing is served yet.
    #[must_use]
    pub fn new(parts: ConsoleParts) -> Self {
        Self(Arc::new(Inner {
            overview: parts.overview,
            tail_payloads: parts.tail_payloads,
            watchers: Arc::new(Semaphore::new(MOST_WATCHERS)),
            tails: Arc::new(Semaphore::new(MOST_TAILS)),
            hosts: parts.hosts.into(),
            log: parts.log,
        }))
    }

    /// What one listener serves: the console and, beside it, these gRPC services.
    pub fn routes(&self, grpc: Router, door: Door) -> Router {
        let guard = Named {
            door,
            hosts: Arc::clone(&self.0.hosts),
        };
        let own = Router::new()
            .route("/", get(index))
            .route(
                "/style.css",
                get(|| asset("text/css; charset=utf-8", STYLE)),
            )
            .route(
                "/app.js",
                get(|| asset("text/javascript; charset=utf-8", SCRIPT)),
            )
            .route("/admin/v1/status", get(status))
            .route("/admin/v1/sessions/{name}", get(session))
            .route("/admin/v1/events", get(live::events))
            .route(TAIL, get(tail_events))
            .route("/admin/v1/log", put(set_log).get(get_log))
            .with_state(Arc::clone(&self.0))
            .route_layer(middleware::from_fn_with_state(guard.clone(), door::admit));
        // The gRPC routes bring a fallback of their own, for services that are not served.
        grpc.merge(own)
            .layer(middleware::from_fn_with_state(guard, door::guard))
    }
}

async fn asset(kind: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

async fn index(State(console): State<Arc<Inner>>) -> Response {
    let html = page::render(&console.overview.look().status);
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response()
}

async fn status(State(console): State<Arc<Inner>>) -> Response {
    json(console.overview.look().json.get().to_owned())
}

fn json(text: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}

async fn session(State(console): State<Arc<Inner>>, Path(name): Path<String>) -> Response {
    match console.overview.session(&name) {
        Some(session) => json(serde_json::to_string(&session).unwrap_or_default()),
        None => Problem::NotFound("session of this name".to_owned()).into_response(),
    }
}

async fn tail_events(
    State(console): State<Arc<Inner>>,
    gate: Option<Extension<Gate>>,
    query: Result<Query<TailQuery>, axum::extract::rejection::QueryRejection>,
) -> Response {
    let asked = match query {
        Ok(Query(asked)) => asked,
        Err(wrong) => return Problem::Invalid(wrong.to_string()).into_response(),
    };
    let gate = gate.map(|Extension(gate)| gate);
    match tail::open(&console, asked, gate).await {
        Ok(body) => stream(body),
        Err(problem) => problem.into_response(),
    }
}

/// Server-sent events.
pub(super) fn stream(body: Body) -> Response {
    let mut headers = HeaderMap::new();
    let kind = header::HeaderValue::from_static("text/event-stream");
    headers.insert(header::CONTENT_TYPE, kind);
    (headers, body).into_response()
}

async fn get_log(State(console): State<Arc<Inner>>) -> Response {
    match &console.log {
        Some(log) => format!("{}\n", log.get()).into_response(),
        None => no_log().into_response(),
    }
}

async fn set_log(State(console): State<Arc<Inner>>, body: String) -> Response {
    let Some(log) = &console.log else {
        return no_log().into_response();
    };
    let filter = body.trim();
    if filter.is_empty() || filter.len() > LONGEST_FILTER {
        let wrong = "send a log filter, such as info,tieline::session=debug".to_owned();
        return Problem::Invalid(wrong).into_response();
    }
    match log.set(filter) {
        Ok(()) => {
            tracing::warn!(filter, "Log filter changed by an operator");
            StatusCode::NO_CONTENT.into_response()
        }
        Err(why) => Problem::Invalid(why).into_response(),
    }
}

fn no_log() -> Problem {
    Problem::Unavailable("the log filter of this process cannot be changed".to_owned())
}
