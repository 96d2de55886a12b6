//! [`User`], [`Queue`], [`Unit`]: who is there, what they do, and what they did. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::timeline::Timeline;
use super::words::{Activity, AdherenceState, RoutingState, SystemPresence};
use crate::domain::WallTime;

/// An agent.
#[derive(Debug)]
pub(crate) struct User {
    pub(crate) id: Arc<str>,
    pub(crate) name: String,
    pub(crate) email: String,
    /// Index of the management unit, which is also that of the team.
    pub(crate) unit: usize,
    pub(crate) presence: Timeline<SystemPresence>,
    pub(crate) routing: Timeline<RoutingState>,
    pub(crate) adherence: Timeline<Adherence>,
}

/// How an agent keeps to the schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Adherence {
    pub(crate) scheduled: Activity,
    pub(crate) state: AdherenceState,
    /// When the state became what it is.
    pub(crate) since: WallTime,
}

impl Adherence {
    /// What the schedule makes of a presence.
    pub(crate) fn judged(scheduled: Activity, presence: SystemPresence) -> AdherenceState {
        match scheduled {
            Activity::Unscheduled => AdherenceState::Unscheduled,
            scheduled if scheduled == presence.activity() => AdherenceState::InAdherence,
            _ => AdherenceState::OutOfAdherence,
        }
    }

    pub(crate) fn impact(&self) -> &'static str {
        match self.state {
            AdherenceState::InAdherence => "Positive",
            AdherenceState::OutOfAdherence => "Negative",
            AdherenceState::Unknown => "Unknown",
            _ => "Neutral",
        }
    }
}

/// A queue.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) id: Arc<str>,
    pub(crate) name: String,
    /// By index of the user.
    pub(crate) members: BTreeMap<usize, Timeline<Membership>>,
}

/// What an agent is to a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Membership {
    /// No member.
    Absent,
    /// A member who takes no conversations of this queue.
    Inactive,
    /// A member who takes conversations.
    Joined,
}

impl Queue {
    /// Members at a time: index of the user, and whether they have joined.
    pub(crate) fn members_at(&self, time: WallTime) -> impl Iterator<Item = (usize, bool)> + '_ {
        self.members
            .iter()
            .filter_map(move |(&user, line)| match line.at(time).1 {
                Membership::Absent => None,
                membership => Some((user, membership == Membership::Joined)),
            })
    }

    pub(crate) fn membership(&self, user: usize) -> Membership {
        self.members
            .get(&user)
            .map_or(Membership::Absent, |line| line.present().1)
    }
}

/// A management unit and the team of the same people.
#[derive(Debug)]
pub(crate) struct Unit {
    pub(crate) id: Arc<str>,
    pub(crate) name: String,
    pub(crate) business_unit: Arc<str>,
    pub(crate) team: Arc<str>,
}
