//! The story that agents and contacts tell by themselves, step by step, and what faults put in
//! between. Pure: chance comes from the seed.

use super::agent::CxoneAgentState;
use super::contact::ContactKind;
use super::flat::Flat;
use super::state::State;
use crate::domain::WallTime;
use crate::sandbox::cxone::fault::{CxoneFault, CxoneFaultName};
use crate::sandbox::fault::Malformation;

const REASONS: [&str; 4] = ["Break", "Lunch", "Meeting", "Training"];
const KINDS: [ContactKind; 8] = [
    ContactKind::Call,
    ContactKind::Call,
    ContactKind::Call,
    ContactKind::OutboundCall,
    ContactKind::Digital,
    ContactKind::Digital,
    ContactKind::VoiceMail,
    ContactKind::WorkItem,
];

impl State {
    /// Tells so many steps, spread over the agents that have a session.
    pub(crate) fn tell_steps(&mut self, steps: u64, now: WallTime) {
        for _ in 0..steps {
            let place = self.below(self.open.len());
            let Some(agent) = self.open.keys().nth(place).copied() else {
                return;
            };
            self.step(agent, now);
        }
    }

    fn step(&mut self, agent: usize, now: WallTime) {
        let contacts = self.agents.get(agent).map_or(0, |own| own.contacts.len());
        let lot = self.below(100);
        match contacts {
            0 if lot < 60 => self.begin_contact(agent, now),
            0 if lot < 85 => self.move_agent(agent, now),
            1 if lot < 10 => self.begin_contact(agent, now),
            0 => self.aside(agent, lot, now),
            _ if lot < 15 => self.aside(agent, lot, now),
            _ => self.move_some_contact(agent, now),
        }
    }

    fn begin_contact(&mut self, agent: usize, now: WallTime) {
        let kind = KINDS.get(self.below(KINDS.len())).copied();
        let kind = kind.unwrap_or(ContactKind::Call);
        if self.offer(agent, kind, now).is_some() {
            let state = match kind {
                ContactKind::OutboundCall => "OutboundContact",
                _ => "InboundContact",
            };
            self.set_state(agent, CxoneAgentState::plain(state), now);
        }
    }

    fn move_agent(&mut self, agent: usize, now: WallTime) {
        let available = self
            .agents
            .get(agent)
            .is_some_and(|own| own.state.state == "Available");
        let state = match available {
            true => {
                let reason = REASONS.get(self.below(REASONS.len())).copied();
                CxoneAgentState::unavailable(reason.unwrap_or_default())
            }
            false => CxoneAgentState::plain("Available"),
        };
        self.set_state(agent, state, now);
    }

    /// What happens beside: nothing that a snapshot tells.
    fn aside(&mut self, agent: usize, lot: usize, now: WallTime) {
        if lot.is_multiple_of(2) {
            let name = ["customer", "survey"].get(lot % 4 / 2).copied();
            let data = format!("{{\"score\":{}}}", self.below(100));
            self.custom(agent, name.unwrap_or_default().to_owned(), &data, now);
        } else {
            let muted = self.rng.unit() < 0.5;
            let event = Flat::new("Mute").flag("AgentMuted", muted);
            self.issue(agent, &event, now);
        }
    }

    fn move_some_contact(&mut self, agent: usize, now: WallTime) {
        let Some(own) = self.agents.get(agent) else {
            return;
        };
        let place = self.below(own.contacts.len());
        let Some(contact) = own.contacts.values().nth(place) else {
            return;
        };
        let (id, kind, status) = (contact.id.clone(), contact.kind, contact.status.clone());
        let alone = own.contacts.len() == 1;
        let lot = self.below(10);
        let (status, ended) = match status.as_str() {
            "Incoming" | "Dialing" => ("Active", false),
            "Active" if lot < 3 && kind.is_call() => ("Holding", false),
            "Holding" => ("Active", false),
            "Disconnected" => ("Disconnected", true),
            // A call is not over until the work after it is.
            _ => (kind.last_status(), !kind.is_call()),
        };
        let moved = self.move_contact(agent, &id, status, ended, now);
        debug_assert!(moved.is_ok(), "a contact of this agent");
        match (ended, status) {
            (true, _) if alone => {
                self.set_state(agent, CxoneAgentState::plain("Available"), now);
            }
            (false, "Disconnected") if alone => {
                self.set_state(agent, CxoneAgentState::after_contact_work(), now);
            }
            _ => {}
        }
    }

    pub(super) fn below(&self, bound: usize) -> usize {
        usize::try_from(self.rng.below(bound as u64)).unwrap_or_default()
    }

    /// Issues what faults put before the next event.
    pub(super) fn issue_before(&mut self, agent: usize, now: WallTime) {
        if !self.open.contains_key(&agent) {
            return;
        }
        if self.strike(CxoneFaultName::UnknownType).is_some() {
            let body = r#"{"Type":"SandboxNovelty","Detail":"nobody knows this","Count":"1"}"#;
            self.put(agent, "SandboxNovelty", body, None, now);
        }
        if let Some(CxoneFault::MalformedEvent { form }) =
            self.strike(CxoneFaultName::MalformedEvent)
        {
            let body = match form {
                Malformation::NoType => r#"{"CurrentState":"Available","ContactID":"1"}"#,
                Malformation::WrongTypes => r#"{"Type":7,"CurrentState":{},"ContactID":[]}"#,
                Malformation::Scalar => r#""lost on its way""#,
            };
            self.put(agent, "", body, None, now);
        }
        if let Some(CxoneFault::OversizeEvent { size }) = self.strike(CxoneFaultName::OversizeEvent)
        {
            let size = usize::try_from(size.0).unwrap_or(usize::MAX);
            let body = Flat::new("PageOpen").with("Url", &"x".repeat(size));
            let body = body.body(super::flat::TypeKey::Usual);
            self.put(agent, "PageOpen", &body, None, now);
        }
    }
}
