//! `WatchSessions`: every session first, then what changes.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Sleep;
use tokio_stream::Stream;
use tonic::Status;

use super::identity::{Gate, Lease};
use super::sessions::lets;
use super::status::CallError;
use crate::domain::SessionName;
use crate::feed::FeedError;
use crate::proto::v1;
use crate::runtime::{Clock, Drain, MonoTime, Rng};
use crate::session::{Post, SessionBoard};

const DEFAULT_HEARTBEAT: Duration = Duration::from_secs(10);
const SHORTEST_HEARTBEAT: Duration = Duration::from_secs(1);
const LONGEST_HEARTBEAT: Duration = Duration::from_secs(60);
/// Changes within this time are told together.
const TOGETHER: Duration = Duration::from_millis(50);
/// Sessions of one response, far below the size that clients accept.
const SESSIONS_PER_RESPONSE: usize = 500;

type Posts = BTreeMap<SessionName, Post>;
type Told = BTreeMap<SessionName, Arc<v1::Session>>;
type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The responses of one `WatchSessions`.
pub struct SessionWatch {
    gate: Gate,
    /// Completes when the caller may watch no further.
    lease: Option<Lease>,
    told: Told,
    outbox: Vec<v1::WatchSessionsResponse>,
    /// Gives the receiver back once the board has changed; `None` when there is no more board.
    change: Boxed<Option<watch::Receiver<Posts>>>,
    changed: Option<watch::Receiver<Posts>>,
    clock: Clock,
    heartbeat: Duration,
    last_sent: MonoTime,
    timer: Pin<Box<Sleep>>,
    draining: Boxed<()>,
    retry_delay: Duration,
    ended: bool,
}

impl SessionWatch {
    pub(super) fn new(
        board: &SessionBoard,
        gate: Gate,
        heartbeat: Option<&prost_types::Duration>,
        clock: Clock,
        rng: &Rng,
        drain: &Drain,
    ) -> Self {
        let heartbeat = heartbeat
            .map_or(DEFAULT_HEARTBEAT, |asked| {
                Duration::try_from(*asked).unwrap_or_default()
            })
            .clamp(SHORTEST_HEARTBEAT, LONGEST_HEARTBEAT);
        let mut posts = board.watch();
        let mut told = Told::new();
        let mut outbox = changes(&gate, &mut told, &posts.borrow_and_update());
        match outbox.first_mut() {
            Some(last) => last.initial_complete = true,
            None => outbox.push(v1::WatchSessionsResponse {
                initial_complete: true,
                ..Default::default()
            }),
        }
        let drain = drain.clone();
        let now = clock.now();
        Self {
            lease: gate.lease(),
            gate,
            told,
            outbox,
            change: await_change(posts),
            changed: None,
            heartbeat,
            last_sent: now,
            timer: Box::pin(tokio::time::sleep_until(now)),
            clock,
            draining: Box::pin(async move { drain.draining().await }),
            retry_delay: Duration::from_secs(1) + Duration::from_secs(4).mul_f64(rng.unit()),
            ended: false,
        }
    }

    fn send(&mut self, response: v1::WatchSessionsResponse) -> v1::WatchSessionsResponse {
        self.last_sent = self.clock.now();
        response
    }
}

fn await_change(mut posts: watch::Receiver<Posts>) -> Boxed<Option<watch::Receiver<Posts>>> {
    Box::pin(async move { posts.changed().await.is_ok().then_some(posts) })
}

/// What differs between what was told and what is; the responses stand in reverse order.
fn changes(gate: &Gate, told: &mut Told, posts: &Posts) -> Vec<v1::WatchSessionsResponse> {
    let seen = || posts.iter().filter(|(_, post)| lets(gate, &post.state));
    let changed: Vec<_> = seen()
        .filter(|(name, post)| {
            told.get(*name)
                .is_none_or(|known| !Arc::ptr_eq(known, &post.state))
        })
        .map(|(_, post)| post.state.as_ref().clone())
        .collect();
    let removed: Vec<_> = told
        .keys()
        .filter(|name| !posts.contains_key(*name))
        .map(SessionName::resource)
        .collect();
    *told = seen()
        .map(|(name, post)| (name.clone(), Arc::clone(&post.state)))
        .collect();
    let mut responses: Vec<_> = changed
        .chunks(SESSIONS_PER_RESPONSE)
        .map(|sessions| v1::WatchSessionsResponse {
            sessions: sessions.to_vec(),
            ..Default::default()
        })
        .collect();
    for names in removed.chunks(SESSIONS_PER_RESPONSE) {
        responses.push(v1::WatchSessionsResponse {
            removed_sessions: names.to_vec(),
            ..Default::default()
        });
    }
    responses.reverse();
    responses
}

impl Stream for SessionWatch {
    type Item = Result<v1::WatchSessionsResponse, Status>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if this.ended {
                return Poll::Ready(None);
            }
            if let Some(lease) = &mut this.lease
                && let Poll::Ready(end) = lease.as_mut().poll(cx)
            {
                this.ended = true;
                return Poll::Ready(Some(Err(end.into())));
            }
            if let Some(next) = this.outbox.pop() {
                return Poll::Ready(Some(Ok(this.send(next))));
            }
            if this.draining.as_mut().poll(cx).is_ready() {
                this.ended = true;
                let retry_delay = this.retry_delay;
                let error = CallError::Feed(FeedError::Draining { retry_delay });
                return Poll::Ready(Some(Err(error.into())));
            }
            let now = this.clock.now();
            if this.changed.is_none()
                && let Poll::Ready(board) = this.change.as_mut().poll(cx)
            {
                match board {
                    Some(posts) => this.changed = Some(posts),
                    None => this.change = Box::pin(std::future::pending()),
                }
            }
            let tell_at = this.last_sent + TOGETHER;
            if now >= tell_at
                && let Some(mut posts) = this.changed.take()
            {
                this.outbox = changes(&this.gate, &mut this.told, &posts.borrow_and_update());
                this.change = await_change(posts);
                continue;
            }
            // A little early, so that the silence is not longer than was promised.
            let heartbeat_at = this.last_sent + this.heartbeat * 9 / 10;
            if now >= heartbeat_at {
                return Poll::Ready(Some(Ok(this.send(v1::WatchSessionsResponse::default()))));
            }
            let until = if this.changed.is_some() {
                tell_at
            } else {
                heartbeat_at
            };
            if until != this.timer.deadline() {
                this.timer.as_mut().reset(until);
            }
            if this.timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

impl std::fmt::Debug for SessionWatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionWatch")
            .field("told", &self.told.len())
            .finish_non_exhaustive()
    }
}
