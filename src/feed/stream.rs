//! [`Subscriber`]: the shell of one subscription. A `Stream` that does something only when its
//! response is polled, so that HTTP/2 flow control is the only back-pressure there is.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::watch;
use tokio::time::Sleep;
use tokio_stream::Stream;
use tokio_stream::wrappers::WatchStream;

use super::cursors::{CursorError, Lease};
use super::delivery::Delivery;
use super::error::FeedError;
use super::metrics::{self, EndReason};
use super::pages::{Pages, Read};
use super::registry::Seat;
use super::ring::Ring;
use super::steps::{Moment, Step};
use super::subscription::Subscription;
use crate::domain::{Sequence, TraceContext};
use crate::journal::DurableEnd;
use crate::runtime::{Clock, Drain, MonoTime};

/// Steps of one poll before others get their turn: a filter that passes nothing must not hold a
/// worker for the whole of history.
const STEPS_PER_POLL: usize = 32;

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// One subscriber's responses. Dropping it ends the subscription.
pub struct Subscriber {
    subscription: Subscription,
    pages: Arc<Pages>,
    ring: Arc<Ring>,
    clock: Clock,
    drain: Drain,
    seat: Seat,
    lease: Option<Lease>,
    /// Tells that it is another's.
    lease_moves: Option<WatchStream<Option<CursorError>>>,
    end: watch::Receiver<DurableEnd>,
    end_moves: WatchStream<DurableEnd>,
    read: Option<(Sequence, Read)>,
    /// Those that what was read is of.
    erasures: u64,
    timer: Pin<Box<Sleep>>,
    /// Draining, then forced; `None` once both have come.
    drain_moves: Option<Boxed<()>>,
    ended: bool,
}

/// What a subscriber is made of.
pub(super) struct Parts {
    pub(super) subscription: Subscription,
    pub(super) pages: Arc<Pages>,
    pub(super) end: watch::Receiver<DurableEnd>,
    pub(super) ring: Arc<Ring>,
    pub(super) clock: Clock,
    pub(super) drain: Drain,
    pub(super) seat: Seat,
    pub(super) lease: Option<Lease>,
}

impl Subscriber {
    pub(super) fn new(parts: Parts) -> Self {
        let erasures = parts.end.borrow().erasures;
        let told = parts.lease.as_ref().map(|lease| lease.told.clone());
        Self {
            end_moves: WatchStream::from_changes(parts.end.clone()),
            erasures,
            end: parts.end,
            read: None,
            timer: Box::pin(tokio::time::sleep_until(parts.clock.now())),
            drain_moves: Some(draining(&parts.drain)),
            ended: false,
            subscription: parts.subscription,
            pages: parts.pages,
            ring: parts.ring,
            clock: parts.clock,
            drain: parts.drain,
            seat: parts.seat,
            lease: parts.lease,
            lease_moves: told.map(WatchStream::from_changes),
        }
    }

    /// Ends it at once, for its caller may not read any more. Nothing comes after it.
    pub fn cut(&mut self) {
        if !std::mem::replace(&mut self.ended, true) {
            let now = self.clock.now();
            metrics::subscription_ended(&self.seat, EndReason::Credentials, now);
        }
    }

    fn moment(&self) -> Moment {
        Moment {
            now: self.clock.now(),
            wall: self.clock.wall(),
            end: *self.end.borrow(),
            draining: self.drain.is_draining(),
            forced: self.drain.is_forced(),
        }
    }

    /// What was read before events were erased is read again.
    fn forget_erased(&mut self) {
        let erasures = self.end.borrow().erasures;
        if erasures != self.erasures {
            self.erasures = erasures;
            self.subscription.forget_read();
            if let Some((after, _)) = self.read {
                self.read = Some((after, self.pages.read(after)));
            }
        }
    }

    /// Feeds the answer of a finished read to the machine.
    fn poll_read(&mut self, cx: &mut Context<'_>) {
        if let Some((_, read)) = &mut self.read
            && let Poll::Ready(answer) = Pin::new(read).poll(cx)
        {
            self.read = None;
            let moment = self.moment();
            self.subscription.read(&moment, answer);
        }
    }

    /// A span that is recorded shows how long one of its deliveries took.
    pub fn show(&self, delivery: &Delivery, span: TraceContext) {
        if let (Some(delay), Some(durable)) = (delivery.delay, delivery.through_time) {
            let stats = self.seat.stats();
            stats.delay.show(delay, span, durable.plus(delay));
        }
    }

    /// Looked at with every response, for a reader that catches up waits for nothing.
    fn poll_lease(&mut self, cx: &mut Context<'_>) {
        if let Some(moves) = &mut self.lease_moves
            && let Poll::Ready(Some(Some(error))) = Pin::new(moves).poll_next(cx)
        {
            self.subscription.revoke(error);
        }
    }

    /// Ready when there is a reason to take another step.
    fn poll_reasons(&mut self, until: MonoTime, cx: &mut Context<'_>) -> Poll<()> {
        // A timer that fires early is cheaper than one that is moved with every response.
        if until < self.timer.deadline() || self.timer.is_elapsed() {
            self.timer.as_mut().reset(until);
        }
        let mut ready = self.timer.as_mut().poll(cx).is_ready();
        if let Poll::Ready(Some(_)) = Pin::new(&mut self.end_moves).poll_next(cx) {
            ready = true;
        }
        if let Some(moves) = &mut self.drain_moves
            && moves.as_mut().poll(cx).is_ready()
        {
            self.drain_moves = (!self.drain.is_forced()).then(|| forced(&self.drain));
            ready = true;
        }
        ready |= !ready && self.seat.dismissal().waits_by(cx.waker());
        if ready {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    fn end(&mut self, outcome: Result<(), FeedError>) -> Option<Result<Delivery, FeedError>> {
        if !self.ended {
            self.ended = true;
            metrics::subscription_ended(&self.seat, EndReason::of(&outcome), self.clock.now());
            if let Err(error) = &outcome {
                self.seat.stats().position(error);
            }
            if let (Some(lease), Err(FeedError::Draining { .. })) = (&self.lease, &outcome) {
                lease.cut_at(self.seat.facts().through);
            }
            return outcome.err().map(Err);
        }
        None
    }
}

impl Stream for Subscriber {
    type Item = Result<Delivery, FeedError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.ended {
            return Poll::Ready(None);
        }
        for _ in 0..STEPS_PER_POLL {
            this.forget_erased();
            this.poll_read(cx);
            this.poll_lease(cx);
            if this.seat.dismissal().is_told() {
                this.subscription.dismiss();
            }
            let moment = this.moment();
            match this.subscription.step(&moment) {
                Step::Emit(mut delivery) => {
                    let state = this.subscription.state();
                    this.seat.sent(&delivery, state, moment.now);
                    delivery.delay = metrics::delivered(&this.seat, &delivery, state, moment.wall);
                    return Poll::Ready(Some(Ok(delivery)));
                }
                Step::Read { after } => this.read = Some((after, this.pages.read(after))),
                Step::Follow { after } => {
                    let run = this.ring.follow(after);
                    this.subscription.followed(&moment, run.as_ref());
                }
                Step::Wait { until } => {
                    if this.poll_reasons(until, cx).is_pending() {
                        return Poll::Pending;
                    }
                }
                Step::End(outcome) => return Poll::Ready(this.end(outcome)),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        if !self.ended {
            let now = self.clock.now();
            metrics::subscription_ended(&self.seat, EndReason::ClientCancelled, now);
        }
    }
}

impl std::fmt::Debug for Subscriber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscriber")
            .field("seat", &self.seat)
            .finish_non_exhaustive()
    }
}

fn draining(drain: &Drain) -> Boxed<()> {
    let drain = drain.clone();
    Box::pin(async move { drain.draining().await })
}

fn forced(drain: &Drain) -> Boxed<()> {
    let drain = drain.clone();
    Box::pin(async move { drain.forced().await })
}
