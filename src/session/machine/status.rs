//! What the session shows of itself (`v1::Session`).

use std::collections::BTreeMap;
use std::time::Duration;

use super::io::At;
use super::state::State;
use super::{Machine, StateName};
use crate::connectors::{Connector, Transport};
use crate::domain::{Sequence, SessionName, WallTime};
use crate::proto::v1;
use crate::proto::v1::session::State as Shown;
use crate::session::vitals::Vitals;

/// How much of a reason is shown, and how many rejected topics of it.
const LONGEST: usize = 500;
const NAMED: usize = 5;

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
    /// Of two connections that are wanted, one stands; and why, where that is known.
    alone: bool,
    no_companion: Option<String>,
    rejected: BTreeMap<String, String>,
    no_space: bool,
    /// Why nothing is read, while nothing is.
    reads_nothing: Option<&'static str>,
    /// Round trip or loss crossed its limit, and how.
    slow: Option<String>,
    /// The endpoint in use, where it is not the session's own.
    elsewhere: Option<String>,
    closed: bool,
    suspended_for: Option<String>,
    ever_connected: bool,
    transport: Option<Transport>,
    generation: u64,
    connect_time: Option<WallTime>,
    pub(super) last_receive: Option<WallTime>,
    reconnects: u32,
    open_gap: Option<Sequence>,
    review_required: bool,
    lasts_until: Option<WallTime>,
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
            alone: false,
            no_companion: None,
            rejected: BTreeMap::new(),
            no_space: false,
            reads_nothing: None,
            slow: None,
            elsewhere: None,
            closed: false,
            suspended_for: None,
            ever_connected: false,
            transport: None,
            generation: 0,
            connect_time: None,
            last_receive: None,
            reconnects: 0,
            open_gap: None,
            review_required: false,
            lasts_until: None,
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

    /// Something is to be posted that only operators are shown.
    pub(super) fn has_news(&mut self) {
        self.changed = true;
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

    /// Whether one connection stands where two are wanted.
    pub(super) fn one_of_two(&mut self, alone: bool) {
        self.changed |= self.alone != alone;
        self.alone = alone;
        if !alone {
            self.no_companion = None;
        }
    }

    /// Why the second connection cannot be had.
    pub(super) fn no_companion(&mut self, reason: &str) {
        self.changed = true;
        self.no_companion = Some(reason.to_owned());
    }

    /// Topics that the connection in use does not bring.
    pub(super) fn rejects(&mut self, rejected: &BTreeMap<String, String>) {
        self.changed |= !rejected.is_empty();
        let more = rejected
            .iter()
            .map(|(topic, reason)| (topic.clone(), reason.clone()));
        self.rejected.extend(more);
    }

    pub(super) fn rejections_gone(&mut self) {
        self.changed |= !self.rejected.is_empty();
        self.rejected.clear();
    }

    /// How many topics are subscribed to.
    pub(super) fn serves(&mut self, topics: usize) {
        self.topics = u32::try_from(topics).unwrap_or(u32::MAX);
        self.changed = true;
    }

    /// What is not well, though it is connected; what matters most comes first.
    fn troubles(&self) -> Option<String> {
        let mut troubles: Vec<String> = self.degraded.iter().cloned().collect();
        if self.alone {
            troubles.push(match &self.no_companion {
                Some(why) => format!("ONE_CONNECTION: {why}"),
                None => "ONE_CONNECTION".to_owned(),
            });
        }
        troubles.extend(self.slow.clone());
        if !self.rejected.is_empty() {
            troubles.push(self.rejections());
        }
        let mut text = troubles.join("; ");
        text.truncate(text.floor_char_boundary(LONGEST));
        Some(text).filter(|text| !text.is_empty())
    }

    fn rejections(&self) -> String {
        let first = self.rejected.iter().take(NAMED);
        let named: Vec<String> = first
            .map(|(topic, why)| format!("{topic}: {why}"))
            .collect();
        let more = if self.rejected.len() > NAMED {
            ", …"
        } else {
            ""
        };
        let count = self.rejected.len();
        format!("TOPIC_REJECTED ({count}): {}{more}", named.join(", "))
    }

    pub(super) fn has_space(&mut self, space: bool) {
        self.changed |= self.no_space == space;
        self.no_space = !space;
    }

    /// Whether so much waits that nothing is read, and why.
    pub(super) fn reads_nothing(&mut self, why: Option<&'static str>) {
        self.changed |= self.reads_nothing != why;
        self.reads_nothing = why;
    }

    /// Whether the path is slow or loses much, and how.
    pub(super) fn slow(&mut self, how: Option<&str>) {
        self.changed |= self.slow.as_deref() != how;
        self.slow = how.map(str::to_owned);
    }

    /// The endpoint in use, where it is not the session's own.
    pub(super) fn elsewhere(&mut self, host: Option<&str>) {
        self.changed |= self.elsewhere.as_deref() != host;
        self.elsewhere = host.map(str::to_owned);
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
        self.review_required = false;
    }

    pub(super) fn disconnected(&mut self) {
        self.changed = true;
        self.transport = None;
        self.degraded = None;
        self.alone = false;
        self.no_companion = None;
        self.rejected.clear();
    }

    /// True when it was not suspended for this already.
    pub(super) fn suspended(&mut self, reason: &str) -> bool {
        self.set_reason(reason);
        let new = self.suspended_for.as_deref() != Some(reason);
        self.suspended_for = Some(reason.to_owned());
        new
    }

    /// When the platform will end the session by itself.
    pub(super) fn lasts(&mut self, until: WallTime) {
        self.changed |= self.lasts_until != Some(until);
        self.lasts_until = Some(until);
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
                if self.no_space || self.reads_nothing.is_some() || self.troubles().is_some() {
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
    /// What operators are shown besides.
    #[must_use]
    pub fn vitals(&mut self, at: At) -> Vitals {
        let until = match &self.state {
            State::Waiting { until, .. } => Some(*until),
            State::Suspended { until, .. } => *until,
            _ => None,
        };
        Vitals {
            phase: self.state.name().word(),
            failed_attempts: self.backoff.failures(),
            next_attempt: until.map(|until| at.wall.plus(until - at.now)),
            rejected_topics: u32::try_from(self.standing.rejected.len()).unwrap_or(u32::MAX),
            losses: self.losses.shown(),
        }
    }

    /// The session as the API shows it.
    #[must_use]
    pub fn status(&self) -> v1::Session {
        let standing = &self.standing;
        let mut reason = match (standing.troubles(), standing.reads_nothing) {
            _ if standing.no_space => "JOURNAL_NO_SPACE".to_owned(),
            (_, Some(why)) => why.to_owned(),
            (Some(troubles), None) => troubles,
            (None, None) => standing.reason.clone(),
        };
        if let Some(host) = &standing.elsewhere {
            let mark = if reason.is_empty() { "" } else { "; " };
            reason = format!("{reason}{mark}ENDPOINT: {host}");
        }
        v1::Session {
            name: standing.name.clone(),
            journal: standing.journal.clone(),
            provider: standing.provider.clone(),
            state: standing.shown_state(self.state.name()).into(),
            transport: standing.transport.map_or(0, |t| t.to_proto().into()),
            generation: standing.generation,
            connect_time: standing.connect_time.map(WallTime::to_proto),
            last_receive_time: standing.last_receive.map(WallTime::to_proto),
            expire_time: self.standing.lasts_until.map(WallTime::to_proto),
            round_trip: self
                .quality
                .round_trip()
                .and_then(|way| way.try_into().ok()),
            topic_count: standing.topics,
            reconnect_count: standing.reconnects,
            reason,
            provider_session_id: String::new(),
            open_gap_sequence: standing.open_gap.map_or(0, Sequence::get),
            loss_ratio: self.quality.loss(),
            review_required: standing.review_required,
        }
    }
}
