//! [`SessionStats`]: what happened in a session since the process started. Each operational event
//! is one method that counts and logs together.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::watch;

use super::measures::{HistoryOutcome, Measures, SessionMeasures};

use crate::auth::TokenStatus;
use crate::domain::{TraceContext, WallTime};
use crate::net::{NetSnapshot, NetStats};
use crate::proto::v1;
use crate::proto::v1::OutboundMessageState as MessageState;

/// By which way a session goes.
#[derive(Debug)]
struct Ways {
    net: Option<Arc<NetStats>>,
    tokens: watch::Receiver<TokenStatus>,
}

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// Counters of one session. Shared by its driver and whoever shows them.
        #[derive(Debug, Default)]
        pub struct SessionStats {
            $($name: AtomicU64,)+
            measures: Measures,
            ways: OnceLock<Ways>,
        }

        /// The counters at one moment.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
        pub struct StatsSnapshot {
            $($(#[$doc])* pub $name: u64,)+
        }

        impl SessionStats {
            /// All counters, as of now.
            #[must_use]
            pub fn snapshot(&self) -> StatsSnapshot {
                StatsSnapshot { $($name: self.$name.load(Relaxed),)+ }
            }
        }
    };
}

counters! {
    /// Events of the platform handed to the journal.
    events,
    /// Repeated events dropped.
    duplicates,
    /// Gaps suspected.
    gaps,
    /// Gaps of which every event was fetched.
    gaps_closed,
    /// Gaps that stay.
    gaps_confirmed,
    /// Events fetched from the platform's history, or late for their gap.
    backfilled,
    /// Loss windows about which the platform's history was begun to be asked.
    recoveries_begun,
    /// Connections made after one was lost.
    reconnects,
    /// Changes between WebSocket and long polling.
    transport_changes,
    /// Events that could not be read and were kept raw.
    malformed,
    /// Frames and bodies that were no batch and were discarded.
    unreadable,
    /// Events too large for the journal.
    oversize,
    /// Requests sent: polls, history, setup.
    requests,
    /// Handshakes tried, probes included.
    handshakes,
    /// Connections lost while another of the session went on.
    connections_lost,
    /// Things that stand and could not be kept, for there were too many.
    untracked,
    /// Times the platform's numbering began anew.
    restarts,
    /// Times round trip or loss crossed its limit.
    degradations,
    /// Times it was back below it.
    recoveries,
    /// Times another endpoint was taken.
    endpoint_changes,
    /// Times the path was given up because its health requests had no answer.
    unhealthy_paths,
    /// Messages that wait to be sent, now.
    outbound_waiting,
    /// Messages that the platform acknowledged.
    outbound_acknowledged,
    /// Messages that were not sent: refused, tried too often, too old.
    outbound_failed,
    /// Times it became unknown whether a message had arrived.
    outbound_unknown,
    /// Gaps that are neither closed nor confirmed, now.
    gaps_open,
    /// Times nothing was read for a second or longer, because the journal was slow or full.
    reading_stops,
}

impl SessionStats {
    pub(super) fn event(&self, backfilled: bool, malformed: bool) {
        self.events.fetch_add(1, Relaxed);
        self.backfilled.fetch_add(backfilled.into(), Relaxed);
        self.malformed.fetch_add(malformed.into(), Relaxed);
    }

    /// By which way and with which credential it goes: what is counted there belongs to it.
    pub(super) fn goes_by(&self, net: Option<Arc<NetStats>>, tokens: watch::Receiver<TokenStatus>) {
        self.ways.get_or_init(|| Ways { net, tokens });
    }

    /// What its requests and handshakes have come to; `None` where nobody counts them.
    #[must_use]
    pub fn net(&self) -> Option<NetSnapshot> {
        Some(self.ways.get()?.net.as_ref()?.snapshot())
    }

    /// The present state of its credential.
    #[must_use]
    pub fn tokens(&self) -> Option<TokenStatus> {
        Some(self.ways.get()?.tokens.borrow().clone())
    }

    /// What is counted by label, and what was measured, as of now.
    #[must_use]
    pub fn measures(&self) -> SessionMeasures {
        self.measures.snapshot()
    }

    /// An event of the platform's became durable, so long after the time that it bears.
    pub(super) fn ingested(&self, delay: Duration) {
        self.measures.ingested(delay);
    }

    /// A span shows such a delay.
    pub(super) fn ingest_shown(&self, delay: Duration, span: TraceContext, at: WallTime) {
        self.measures.ingest_shown(delay, span, at);
    }

    /// A WebSocket is over.
    pub(super) fn socket_over(&self, code: Option<u16>, broke: bool) {
        self.measures.closed(code, broke);
    }

    /// The platform's history is to be asked what a loss window held.
    pub(super) fn recovery(&self) {
        self.recoveries_begun.fetch_add(1, Relaxed);
    }

    /// The platform's history was asked what a loss window held.
    pub(super) fn history(&self, outcome: HistoryOutcome) {
        self.measures.history(outcome);
    }

    /// A message came to a state.
    pub(super) fn message(&self, session: &str, event: &v1::OutboundMessageEvent) {
        let (message, reason) = (&event.outbound_message, &event.reason);
        match event.state() {
            MessageState::Acknowledged => {
                self.outbound_acknowledged.fetch_add(1, Relaxed);
            }
            MessageState::Failed | MessageState::Expired => {
                self.outbound_failed.fetch_add(1, Relaxed);
                tracing::warn!(session, message, reason, "Message not sent");
            }
            MessageState::OutcomeUnknown => {
                self.outbound_unknown.fetch_add(1, Relaxed);
                tracing::warn!(session, message, reason, "Message may have arrived");
            }
            MessageState::Unspecified
            | MessageState::Accepted
            | MessageState::Sent
            | MessageState::Delivered
            | MessageState::Read
            | MessageState::Cancelled => {}
        }
    }

    pub(super) fn over(&self, session: &str, reason: &str) {
        tracing::info!(session, reason, "Session over for good");
    }

    pub(super) fn duplicate(&self, events: usize) {
        self.duplicates.fetch_add(events as u64, Relaxed);
    }

    pub(super) fn gap_suspected(&self, session: &str, reason: &str) {
        self.gaps.fetch_add(1, Relaxed);
        self.measures.gap(reason);
        tracing::warn!(session, reason, "Gap suspected");
    }

    pub(super) fn gap_closed(&self, session: &str) {
        self.gaps_closed.fetch_add(1, Relaxed);
        tracing::info!(session, "Gap closed");
    }

    pub(super) fn gap_confirmed(&self, session: &str, reason: &str) {
        self.gaps_confirmed.fetch_add(1, Relaxed);
        tracing::error!(session, reason, "Gap confirmed");
    }

    pub(super) fn connected(&self, session: &str, transport: &str, again: bool) {
        self.reconnects.fetch_add(again.into(), Relaxed);
        tracing::info!(session, transport, "Session connected");
    }

    pub(super) fn disconnected(&self, session: &str, reason: &str) {
        tracing::warn!(session, reason, "Session disconnected");
    }

    pub(super) fn transport_changed(&self, session: &str, transport: &str) {
        self.transport_changes.fetch_add(1, Relaxed);
        tracing::info!(session, transport, "Transport changed");
    }

    /// Whether the path is slow or loses much, and how.
    pub(super) fn quality(&self, session: &str, trouble: Option<&str>) {
        match trouble {
            Some(reason) => {
                self.degradations.fetch_add(1, Relaxed);
                tracing::warn!(session, reason, "Session degraded");
            }
            None => {
                self.recoveries.fetch_add(1, Relaxed);
                tracing::info!(session, "Session recovered");
            }
        }
    }

    pub(super) fn endpoint_changed(&self) {
        self.endpoint_changes.fetch_add(1, Relaxed);
    }

    pub(super) fn path_changed(&self, session: &str) {
        self.unhealthy_paths.fetch_add(1, Relaxed);
        tracing::warn!(session, "Health fails while events flow");
    }

    pub(super) fn reading_stopped(&self, session: &str, reason: &str) {
        self.reading_stops.fetch_add(1, Relaxed);
        tracing::warn!(session, reason, "Reading stopped");
    }

    pub(super) fn suspended(&self, session: &str, reason: &str) {
        tracing::error!(session, reason, "Session suspended");
    }

    pub(super) fn unreadable(&self, session: &str, error: &(dyn std::error::Error + 'static)) {
        self.unreadable.fetch_add(1, Relaxed);
        tracing::warn!(session, error, "Answer discarded");
    }

    pub(super) fn oversize(&self, session: &str, size: usize) {
        self.oversize.fetch_add(1, Relaxed);
        tracing::error!(session, size, "Event exceeds what the journal takes");
    }

    pub(super) fn request(&self) {
        self.requests.fetch_add(1, Relaxed);
    }

    pub(super) fn handshake(&self) {
        self.handshakes.fetch_add(1, Relaxed);
    }

    pub(super) fn connection_lost(&self, session: &str, reason: &str) {
        self.connections_lost.fetch_add(1, Relaxed);
        tracing::debug!(session, reason, "Connection lost, another goes on");
    }

    pub(super) fn untracked(&self, session: &str) {
        if self.untracked.fetch_add(1, Relaxed) == 0 {
            tracing::warn!(session, "Too many things stand to be kept");
        }
    }

    pub(super) fn numbering_began_anew(&self, session: &str) {
        self.restarts.fetch_add(1, Relaxed);
        tracing::error!(session, "The platform's numbering began anew");
    }
}

/// What one machine adds to figures of what is so now, which it may share with others: taken out again
/// when the machine is dropped.
#[derive(Debug)]
pub(super) struct Share {
    stats: Arc<SessionStats>,
    waiting: u64,
    gaps: u64,
}

impl Share {
    pub(super) fn of(stats: Arc<SessionStats>) -> Self {
        Self {
            stats,
            waiting: 0,
            gaps: 0,
        }
    }

    /// So many messages wait to be sent.
    pub(super) fn outbound_waiting(&mut self, waiting: usize) {
        moves(&self.stats.outbound_waiting, &mut self.waiting, waiting);
    }

    /// So many gaps are open.
    pub(super) fn gaps_open(&mut self, open: usize) {
        moves(&self.stats.gaps_open, &mut self.gaps, open);
    }
}

fn moves(sum: &AtomicU64, own: &mut u64, now: usize) {
    let before = std::mem::replace(own, now as u64);
    sum.fetch_add(own.wrapping_sub(before), Relaxed);
}

impl Drop for Share {
    fn drop(&mut self) {
        self.outbound_waiting(0);
        self.gaps_open(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_that_share_a_figure_add_to_it_and_take_their_part_with_them() {
        let stats = Arc::new(SessionStats::default());
        let (mut one, mut other) = (Share::of(stats.clone()), Share::of(stats.clone()));
        one.outbound_waiting(3);
        other.outbound_waiting(2);
        one.outbound_waiting(1);
        other.gaps_open(1);
        let seen = stats.snapshot();
        assert_eq!((seen.outbound_waiting, seen.gaps_open), (3, 1));
        drop(other);
        let seen = stats.snapshot();
        assert_eq!((seen.outbound_waiting, seen.gaps_open), (1, 0));
    }
}
