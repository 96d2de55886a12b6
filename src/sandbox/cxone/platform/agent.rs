//! [`Agent`]: an agent of the tenant: who it is and how it stands; and the [`Tenant`]. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::contact::{Contact, ContactPresent};
use super::flat::Flat;
use crate::domain::WallTime;
use crate::runtime::Rng;

const FIRST_AGENT: u64 = 4_100_001;
const FIRST_NAMES: [&str; 8] = [
    "Ada", "Bela", "Chidi", "Dana", "Emre", "Farah", "Goran", "Hana",
];
const LAST_NAMES: [&str; 7] = ["Alder", "Birch", "Cedar", "Dogwood", "Elm", "Fir", "Gum"];

/// Whose platform it is.
#[derive(Debug, Clone)]
pub(super) struct Tenant {
    pub(super) id: String,
    pub(super) name: String,
    /// The business unit's number.
    pub(super) unit: u64,
    pub(super) area: &'static str,
    pub(super) cluster: &'static str,
}

impl Tenant {
    pub(super) fn new(rng: &Rng) -> Self {
        Self {
            id: identifier(rng),
            name: "sandbox".to_owned(),
            unit: 4_590_000 + rng.below(10_000),
            area: "na1",
            cluster: "c99",
        }
    }
}

/// An agent's state in the platform's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CxoneAgentState {
    /// `Available`, `Unavailable`, `InboundContact`, `OutboundContact`, …
    pub state: String,
    /// The out reason, where it is `Unavailable`.
    #[serde(default)]
    pub reason: String,
    /// Whether it is after-contact work.
    #[serde(default)]
    pub acw: bool,
}

impl CxoneAgentState {
    /// A state without a reason.
    #[must_use]
    pub fn plain(state: &str) -> Self {
        Self {
            state: state.to_owned(),
            reason: String::new(),
            acw: false,
        }
    }

    /// `Unavailable`, for a reason.
    #[must_use]
    pub fn unavailable(reason: &str) -> Self {
        Self {
            reason: reason.to_owned(),
            ..Self::plain("Unavailable")
        }
    }

    /// After-contact work.
    #[must_use]
    pub fn after_contact_work() -> Self {
        Self {
            acw: true,
            ..Self::unavailable("ACW")
        }
    }
}

/// How an agent stands, for people and tests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AgentPresent {
    /// Its id.
    pub agent: String,
    /// Whether it has a session.
    pub signed_in: bool,
    /// Its state; what it was when it signed out where it has no session.
    pub state: CxoneAgentState,
    /// Its contacts that have not ended.
    pub contacts: Vec<ContactPresent>,
}

#[derive(Debug)]
pub(super) struct Agent {
    pub(super) id: String,
    pub(super) uuid: String,
    pub(super) user: String,
    pub(super) first: &'static str,
    pub(super) last: &'static str,
    pub(super) team: u64,
    pub(super) station: u64,
    pub(super) phone: String,
    pub(super) state: CxoneAgentState,
    pub(super) since: WallTime,
    pub(super) updated: WallTime,
    pub(super) contacts: BTreeMap<String, Contact>,
}

impl Agent {
    pub(super) fn new(place: usize, now: WallTime, rng: &Rng) -> Self {
        let name = |names: &[&'static str], by: usize| names.get(by % names.len()).copied();
        Self {
            id: (FIRST_AGENT + place as u64).to_string(),
            uuid: identifier(rng),
            user: identifier(rng),
            first: name(&FIRST_NAMES, place).unwrap_or_default(),
            last: name(&LAST_NAMES, place).unwrap_or_default(),
            team: 300 + place as u64 / 10,
            station: 880_000 + place as u64,
            phone: format!("801555{:04}", place % 10_000),
            state: CxoneAgentState::unavailable(""),
            since: now,
            updated: now,
            contacts: BTreeMap::new(),
        }
    }

    pub(super) fn present(&self, signed_in: bool) -> AgentPresent {
        AgentPresent {
            agent: self.id.clone(),
            signed_in,
            state: self.state.clone(),
            contacts: self.contacts.values().map(Contact::present).collect(),
        }
    }

    pub(super) fn set(&mut self, state: CxoneAgentState, now: WallTime) {
        self.state = state;
        self.since = now;
        self.updated = now;
    }

    /// The event that says in which state the agent is.
    pub(super) fn state_event(&self) -> Flat {
        let CxoneAgentState { state, reason, acw } = &self.state;
        let time = super::flat::milliseconds(self.since);
        Flat::new("AgentState")
            .with("CurrentState", state)
            .with("CurrentOutReason", reason)
            .with("StartTimeUTC", &time)
            .flag("IsAcw", *acw)
            .number("AcwTimeout", if *acw { 30 } else { 0 })
            .json("NextStates", "[]")
            .flag("NextIsAcw", false)
    }

    /// The event that says which session it is; `session` is not the id that polls use.
    pub(super) fn session_event(&self, tenant: &Tenant, session: u64) -> Flat {
        Flat::new("AgentSessionStart")
            .with("IISHost", "C99-API01")
            .with("VCHost", "C99-COR01")
            .number("BusNo", tenant.unit)
            .with("AgentId", &self.id)
            .number("StationId", self.station)
            .with("StationPhoneNumber", &self.phone)
            .with("StationCallerId", "8015550100")
            .number("SessionId", session)
            .with("DialerCampaign", "")
            .with("DialerCampaignStartTime", "")
            .with("SupervisorPermissionLevel", "4")
            .flag("CanMask", true)
            .flag("AgentSchedulePermission", true)
            .flag("ScoreRecordingsPermission", true)
            .with("HideAgentStatePermission", "")
            .flag("CanMultiPartyConference", true)
            .with("AgentUUId", &self.uuid)
            .flag("EntityMode", false)
    }
}

/// In the form of a UUID.
pub(super) fn identifier(rng: &Rng) -> String {
    let (high, low) = (rng.bits(), rng.bits());
    format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xfff,
        low >> 48 & 0xfff,
        low & 0xffff_ffff_ffff
    )
}
