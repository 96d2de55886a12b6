//! [`SessionStats`]: what happened in a session since the process started. Each operational event
//! is one method that counts and logs together.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::proto::v1;
use crate::proto::v1::OutboundMessageState as MessageState;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// Counters of one session. Shared by its driver and whoever shows them.
        #[derive(Debug, Default)]
        pub struct SessionStats {
            $($name: AtomicU64,)+
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
    /// Times nothing was read for a second or longer, because the journal was slow or full.
    reading_stops,
}

impl SessionStats {
    pub(super) fn event(&self, backfilled: bool, malformed: bool) {
        self.events.fetch_add(1, Relaxed);
        self.backfilled.fetch_add(backfilled.into(), Relaxed);
        self.malformed.fetch_add(malformed.into(), Relaxed);
    }

    pub(super) fn outbound_waiting(&self, waiting: usize) {
        self.outbound_waiting.store(waiting as u64, Relaxed);
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
