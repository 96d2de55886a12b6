//! `/admin/v1/events`: the status as server-sent events, once a second.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use tokio::time::{Interval, MissedTickBehavior};

use super::problem::Problem;
use super::routes::{self, Inner, MOST_WATCHERS};

/// Between two updates. A look takes some microseconds for each session.
const EVERY: Duration = Duration::from_secs(1);

/// Sends the status as long as somebody reads it; one that reads slowly misses looks, and holds one.
pub(super) async fn events(State(console): State<Arc<Inner>>) -> Response {
    let Ok(permit) = Arc::clone(&console.watchers).try_acquire_owned() else {
        return Problem::TooMany(MOST_WATCHERS).into_response();
    };
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let state = (console, ticks, permit);
    let updates = stream::unfold(state, |(console, mut ticks, permit)| async move {
        let event = next(&console, &mut ticks).await;
        Some((
            Ok::<_, std::convert::Infallible>(event),
            (console, ticks, permit),
        ))
    });
    routes::stream(Body::from_stream(updates))
}

async fn next(console: &Inner, ticks: &mut Interval) -> Bytes {
    ticks.tick().await;
    let look = console.overview.look();
    // Compact JSON has no line ends.
    format!("event: status\ndata: {}\n\n", look.json.get()).into()
}
