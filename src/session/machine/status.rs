//! What the session shows of itself (`v1::Session`).

use std::time::Duration;

use super::{Machine, StateName};
use crate::connectors::{Connector, Transport};
use crate::domain::{Sequence, SessionName, WallTime};
use crate::proto::v1;
use crate::proto::v1::session::State as Shown;

/// A receive time is posted at most this often.
const COARSE: Duration = Duration::from_secs(1);

/// What is known of the session's present state.
#[derive(Debug)]
pub(super) struct Standing {
    name: String,
    journal: String,
    provider: String,
    topics: u32,
    shown: Option<(StateName, WallTime)>,
    changed: bool,
    reason: String,
    degraded: Option<String>,
    no_space: bool,
    closed: bool,
    suspended_for: Option<String>,
    ever_connected: bool,
    transport: Option<Transport>,
    generation: u64,
    connect_time: Option<WallTime>,
    pub(super) last_receive: Option<WallTime>,
    pub(super) round_trip: Option<Duration>,
    reconnects: u32,
    open_gap: Option<Sequence>,
    review_required: bool,
}

impl Standing {
    pub(super) fn new(name: &SessionName, journal: String, connector: &dyn Connector) -> Self {
        Self {
            name: name.resource(),
            journal,
            provider: connector.platform().as_str().to_owned(),
            topics: u32::try_from(connector.topics().len()).unwrap_or(u32::MAX),
            shown: None,
            changed: true,
            reason: String::new(),
            degraded: None,
            no_space: false,
            closed: false,
            suspended_for: None,
            ever_connected: false,
            transport: None,
            generation: 0,
            connect_time: None,
            last_receive: None,
            round_trip: None,
            reconnects: 0,
            open_gap: None,
            review_required: false,
        }
    }

    /// Whether something worth posting changed since this was last asked.
    pub(super) fn is_news(&mut self, wall: WallTime, state: StateName) -> bool {
        let same = self.shown.is_some_and(|(shown, since)| {
            shown == state
                && (self.last_receive.is_none_or(|life| life <= since)
                    || wall.since(since) < COARSE)
        });
        if same && !self.changed {
            return false;
        }
        self.changed = false;
        self.shown = Some((state, wall));
        true
    }

    pub(super) fn set_reason(&mut self, reason: &str) {
        if self.reason != reason {
            reason.clone_into(&mut self.reason);
            self.changed = true;
        }
    }

    pub(super) fn reason_gone(&mut self) {
        self.set_reason("");
    }

    /// Connected, but not well.
    pub(super) fn degraded(&mut self, reason: &str) {
        if self.degraded.as_deref() != Some(reason) {
            self.degraded = Some(reason.to_owned());
            self.changed = true;
        }
    }

    pub(super) fn healthy(&mut self) {
        self.changed |= self.degraded.take().is_some();
    }

    pub(super) fn has_space(&mut self, space: bool) {
        self.changed |= self.no_space == space;
        self.no_space = !space;
    }

    pub(super) fn received(&mut self, wall: WallTime) {
        self.last_receive = self.last_receive.max(Some(wall));
    }

    pub(super) fn connected(&mut self, wall: WallTime, transport: Transport, again: bool) {
        self.changed = true;
        self.ever_connected = true;
        self.transport = Some(transport);
        self.generation += 1;
        self.connect_time = Some(wall);
        self.received(wall);
        self.reconnects += u32::from(again);
        self.suspended_for = None;
        self.round_trip = None;
        self.review_required = false;
    }

    pub(super) fn disconnected(&mut self) {
        self.changed = true;
        self.transport = None;
        self.degraded = None;
    }

    /// True when it was not suspended for this already.
    pub(super) fn suspended(&mut self, reason: &str) -> bool {
        self.set_reason(reason);
        let new = self.suspended_for.as_deref() != Some(reason);
        self.suspended_for = Some(reason.to_owned());
        new
    }

    pub(super) fn closed(&mut self) {
        self.closed = true;
        self.changed = true;
    }

    pub(super) fn open_gap(&mut self, gap: Option<Sequence>) {
        self.changed |= self.open_gap != gap;
        self.open_gap = gap;
    }

    /// True when it was not flagged already.
    pub(super) fn flag_for_review(&mut self) -> bool {
        self.changed |= !self.review_required;
        !std::mem::replace(&mut self.review_required, true)
    }

    fn shown_state(&self, state: StateName) -> Shown {
        match state {
            _ if self.closed => Shown::Closed,
            StateName::Draining | StateName::Ended => Shown::Closed,
            StateName::Suspended => Shown::Suspended,
            StateName::LiveWebSocket | StateName::LiveLongPoll => {
                if self.no_space || self.degraded.is_some() {
                    Shown::Degraded
                } else {
                    Shown::Active
                }
            }
            _ if self.ever_connected => Shown::Reconnecting,
            _ => Shown::Connecting,
        }
    }
}

impl Machine {
    /// The session as the API shows it.
    #[must_use]
    pub fn status(&self) -> v1::Session {
        let standing = &self.standing;
        let reason = match (standing.no_space, &standing.degraded) {
            (true, _) => "JOURNAL_NO_SPACE".to_owned(),
            (false, Some(degraded)) => degraded.clone(),
            (false, None) => standing.reason.clone(),
        };
        v1::Session {
            name: standing.name.clone(),
            journal: standing.journal.clone(),
            provider: standing.provider.clone(),
            state: standing.shown_state(self.state.name()).into(),
            transport: standing.transport.map_or(0, |t| t.to_proto().into()),
            generation: standing.generation,
            connect_time: standing.connect_time.map(WallTime::to_proto),
            last_receive_time: standing.last_receive.map(WallTime::to_proto),
            expire_time: None,
            round_trip: standing.round_trip.and_then(|way| way.try_into().ok()),
            topic_count: standing.topics,
            reconnect_count: standing.reconnects,
            reason,
            provider_session_id: String::new(),
            open_gap_sequence: standing.open_gap.map_or(0, Sequence::get),
            loss_ratio: 0.0,
            review_required: standing.review_required,
        }
    }
}
