//! [`Posts`]: the states of a session's channels, shown as one.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::proto::v1;
use crate::proto::v1::session::State;
use crate::session::planner::Standing;
use crate::session::{BoardSlot, Vitals};

/// What each channel shows. Boxed: a map has room for several at once, and most sessions have one.
type Lanes = BTreeMap<usize, Box<(v1::Session, Vitals)>>;

/// Where the channels of a session post their states.
#[derive(Debug)]
pub(super) struct Posts {
    slot: Arc<BoardSlot>,
    /// What a channel shows before it has said anything.
    first: v1::Session,
    lanes: Mutex<Lanes>,
}

impl Posts {
    pub(super) fn new(slot: Arc<BoardSlot>, first: v1::Session) -> Self {
        Self {
            slot,
            first,
            lanes: Mutex::default(),
        }
    }

    /// There is one more channel.
    pub(super) fn open(&self, lane: usize) {
        let first = (self.first.clone(), Vitals::default());
        self.lanes.lock().insert(lane, Box::new(first));
    }

    /// A channel is not wanted any more; what it posts from now on is not shown.
    pub(super) fn close(&self, lane: usize) {
        let mut lanes = self.lanes.lock();
        lanes.remove(&lane);
        self.show(&lanes);
    }

    /// A channel's new state.
    pub(super) fn post(&self, lane: usize, state: v1::Session, vitals: Vitals) {
        let mut lanes = self.lanes.lock();
        if let Some(own) = lanes.get_mut(&lane) {
            **own = (state, vitals);
            self.show(&lanes);
        }
    }

    /// A channel cannot run.
    pub(super) fn refuse(&self, lane: usize, reason: &str) {
        let mut lanes = self.lanes.lock();
        if let Some(own) = lanes.get_mut(&lane) {
            own.0.state = State::Suspended.into();
            reason.clone_into(&mut own.0.reason);
            self.show(&lanes);
        }
    }

    /// What is to be subscribed to is not known yet: shown while there is no channel.
    pub(super) fn stand(&self, standing: &Standing) {
        if self.lanes.lock().is_empty() {
            let shown = v1::Session {
                state: standing.state.into(),
                reason: standing.reason.clone(),
                ..self.first.clone()
            };
            self.slot.post(shown, Vitals::default());
        }
    }

    fn show(&self, lanes: &Lanes) {
        if let Some((whole, vitals)) = merged(lanes) {
            self.slot.post(whole, vitals);
        }
    }
}

fn badness(state: State) -> u8 {
    match state {
        State::Active => 0,
        State::Degraded => 1,
        State::Connecting => 2,
        State::Reconnecting => 3,
        State::Closed => 4,
        State::Suspended | State::Unspecified => 5,
    }
}

/// Channels side by side as one session: the worst state and how many are in it, the sums, the
/// latest sign of life.
fn merged(lanes: &Lanes) -> Option<(v1::Session, Vitals)> {
    let all = || lanes.values().map(|lane| &lane.0);
    // Of equals the first, so that the reason does not jump about.
    let worst = lanes.values().rev();
    let worst = worst.max_by_key(|lane| badness(lane.0.state()))?;
    let (worst, vitals) = (&worst.0, merged_vitals(lanes, &worst.1));
    let mut whole = v1::Session::clone(worst);
    let affected = all().filter(|s| s.state() == worst.state()).count();
    if lanes.len() > 1 && worst.state() != State::Active {
        let part = format!("{affected} of {} channels", lanes.len());
        whole.reason = match worst.reason.as_str() {
            "" => part,
            reason => format!("{reason} ({part})"),
        };
    }
    whole.topic_count = all().map(|s| s.topic_count).sum();
    whole.reconnect_count = all().map(|s| s.reconnect_count).sum();
    whole.generation = all().map(|s| s.generation).sum();
    let lives = all().filter_map(|s| s.last_receive_time);
    whole.last_receive_time = lives.max_by_key(|t| (t.seconds, t.nanos));
    let ends = all().filter_map(|s| s.expire_time);
    whole.expire_time = ends.min_by_key(|t| (t.seconds, t.nanos));
    let trips = all().filter_map(|s| s.round_trip);
    whole.round_trip = trips.max_by_key(|d| (d.seconds, d.nanos));
    whole.loss_ratio = all().map(|s| s.loss_ratio).fold(0.0, f64::max);
    let gaps = all().map(|s| s.open_gap_sequence).filter(|s| *s > 0);
    whole.open_gap_sequence = gaps.min().unwrap_or(0);
    whole.review_required = all().any(|s| s.review_required);
    Some((whole, vitals))
}

/// Those of the channel whose state is shown, with what all of them miss.
fn merged_vitals(lanes: &Lanes, worst: &Vitals) -> Vitals {
    if lanes.len() == 1 {
        return worst.clone();
    }
    let all = || lanes.values().map(|lane| &lane.1);
    Vitals {
        rejected_topics: all().map(|vitals| vitals.rejected_topics).sum(),
        losses: all().flat_map(|vitals| vitals.losses.to_vec()).collect(),
        ..worst.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(state: State, reason: &str, topics: u32) -> v1::Session {
        v1::Session {
            state: state.into(),
            reason: reason.to_owned(),
            topic_count: topics,
            generation: 2,
            open_gap_sequence: u64::from(topics),
            ..v1::Session::default()
        }
    }

    fn boxed(lanes: Vec<v1::Session>) -> Lanes {
        let lanes = lanes.into_iter().map(|lane| (lane, Vitals::default()));
        lanes.map(Box::new).enumerate().collect()
    }

    fn shown(lanes: Vec<v1::Session>) -> (State, String) {
        let (whole, _) = merged(&boxed(lanes)).unwrap();
        (whole.state(), whole.reason)
    }

    #[test]
    fn one_channel_is_shown_as_it_is() {
        let one = lane(State::Degraded, "TOPIC_REJECTED: a: b", 3);
        let shown = merged(&boxed(vec![one.clone()])).map(|(whole, _)| whole);
        assert_eq!(shown, Some(one));
        assert_eq!(merged(&BTreeMap::new()), None);
    }

    #[test]
    fn several_are_the_worst_with_how_many_and_the_sums() {
        let active = || lane(State::Active, "", 1_000);
        let broken = lane(State::Reconnecting, "RESET", 500);
        let rejected = |topic| lane(State::Degraded, topic, 7);
        for (lanes, expected) in [
            (vec![active(), active()], (State::Active, "")),
            (
                vec![active(), broken.clone(), rejected("x")],
                (State::Reconnecting, "RESET (1 of 3 channels)"),
            ),
            (
                vec![rejected("x"), active(), rejected("y")],
                (State::Degraded, "x (2 of 3 channels)"),
            ),
            (
                vec![active(), lane(State::Connecting, "", 0)],
                (State::Connecting, "1 of 2 channels"),
            ),
        ] {
            assert_eq!(shown(lanes), (expected.0, expected.1.to_owned()));
        }
        let (whole, _) = merged(&boxed(vec![active(), broken])).unwrap();
        assert_eq!((whole.topic_count, whole.generation), (1_500, 4));
        assert_eq!(whole.open_gap_sequence, 500);
    }
}
