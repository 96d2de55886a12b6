//! [`Change`]: a single change of the world, to order. Pure.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::agent::CxoneAgentState;
use super::contact::{Contact, ContactKind};
use super::flat::Flat;
use super::state::State;
use crate::domain::WallTime;
use crate::runtime::MonoTime;

/// Contacts of one agent at most.
const MOST_CONTACTS: usize = 64;
const SKILLS: [&str; 3] = ["Billing", "Claims", "Support"];

/// A single change of an agent's world.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case", deny_unknown_fields)]
pub enum Change {
    /// The agent goes into a state: `AgentState`.
    State {
        /// The state; see [`CxoneAgentState`].
        state: String,
        /// The out reason.
        #[serde(default)]
        reason: String,
        /// Whether it is after-contact work.
        #[serde(default)]
        acw: bool,
    },
    /// A contact is offered or dialled.
    Offer {
        /// What kind.
        kind: ContactKind,
    },
    /// A contact's status changes.
    Contact {
        /// Its `ContactID`.
        contact: String,
        /// The new status.
        status: String,
        /// Whether this is the last that is heard of it: `FinalState`. A digital contact has no
        /// such field: it ends with the status `Disconnected`.
        #[serde(default)]
        ended: bool,
    },
    /// A script sends something to the agent: `CustomEvent`. Of one name only the newest is kept.
    Custom {
        /// Its `eventName`.
        name: String,
        /// Its `data`.
        data: String,
    },
    /// An event of one's own, as it is; it changes nothing that a snapshot tells.
    Event {
        /// The flat object, `Type` included.
        event: Map<String, Value>,
    },
    /// The agent signs in: a session begins.
    SignIn {},
    /// The agent signs out: the session ends with `AgentSessionEnd`, and with it all contacts.
    SignOut {},
}

impl From<CxoneAgentState> for Change {
    fn from(state: CxoneAgentState) -> Self {
        let CxoneAgentState { state, reason, acw } = state;
        Self::State { state, reason, acw }
    }
}

/// What a change came to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Changed {
    /// The fact that it issued, if it did.
    pub fact: Option<u64>,
    /// The contact that it is about.
    pub contact: Option<String>,
}

/// A change that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("change agent '{agent}': {problem}")]
pub struct InvalidChange {
    /// Which agent.
    pub agent: String,
    /// Why not.
    pub problem: String,
}

impl State {
    /// Makes a change.
    pub(crate) fn change(
        &mut self,
        agent_id: &str,
        change: Change,
        now: (MonoTime, WallTime),
    ) -> Result<Changed, InvalidChange> {
        let refused = |problem: &str| InvalidChange {
            agent: agent_id.to_owned(),
            problem: problem.to_owned(),
        };
        let agent = self
            .find_agent(agent_id)
            .ok_or_else(|| refused("no such agent"))?;
        let session = self.open.get(&agent).copied();
        if matches!(change, Change::SignIn {}) {
            if session.is_some() {
                return Err(refused("has a session already"));
            }
            drop(self.sign_in(agent, now));
            return Ok(Changed::default());
        }
        let session = session.ok_or_else(|| refused("has no session"))?;
        let wall = now.1;
        match change {
            Change::State { state, reason, acw } => {
                Ok(self.set_state(agent, CxoneAgentState { state, reason, acw }, wall))
            }
            Change::Offer { kind } => self
                .offer(agent, kind, wall)
                .ok_or_else(|| refused("has too many contacts")),
            Change::Contact {
                contact,
                status,
                ended,
            } => self
                .move_contact(agent, &contact, &status, ended, wall)
                .map_err(refused),
            Change::Custom { name, data } => Ok(self.custom(agent, name, &data, wall)),
            Change::Event { event } => {
                let kind = event.get("Type").and_then(Value::as_str);
                let kind = kind
                    .ok_or_else(|| refused("an event has a Type"))?
                    .to_owned();
                let body = Value::Object(event).to_string();
                Ok(Changed {
                    fact: self.put(agent, &kind, &body, None, wall),
                    contact: None,
                })
            }
            Change::SignOut {} => {
                self.end_session(session, true, wall);
                Ok(Changed::default())
            }
            Change::SignIn {} => Ok(Changed::default()),
        }
    }

    pub(super) fn set_state(
        &mut self,
        agent: usize,
        state: CxoneAgentState,
        now: WallTime,
    ) -> Changed {
        let event = self.agents.get_mut(agent).map(|agent| {
            agent.set(state, now);
            agent.state_event()
        });
        Changed {
            fact: event.and_then(|event| self.issue(agent, &event, now)),
            contact: None,
        }
    }

    /// Offers a contact; `None` where the agent has too many.
    pub(super) fn offer(
        &mut self,
        agent: usize,
        kind: ContactKind,
        now: WallTime,
    ) -> Option<Changed> {
        let id = self.next_contact.to_string();
        let customer = match kind {
            ContactKind::Digital => "Visitor".to_owned(),
            _ => format!("801555{:04}", self.rng.below(10_000)),
        };
        let skill = usize::try_from(self.rng.below(SKILLS.len() as u64)).unwrap_or_default();
        let other_id = super::agent::identifier(&self.rng);
        let own = self
            .agents
            .get_mut(agent)
            .filter(|agent| agent.contacts.len() < MOST_CONTACTS)?;
        self.next_contact += 1;
        let contact = Contact {
            id: id.clone(),
            kind,
            status: kind.first_status().to_owned(),
            started: now,
            changed: now,
            skill: SKILLS.get(skill).copied().unwrap_or_default(),
            customer,
            other_id,
            agent: own.id.clone(),
        };
        let event = contact.event(false);
        own.contacts.insert(id.clone(), contact);
        Some(Changed {
            fact: self.issue(agent, &event, now),
            contact: Some(id),
        })
    }

    pub(super) fn move_contact(
        &mut self,
        agent: usize,
        id: &str,
        status: &str,
        ended: bool,
        now: WallTime,
    ) -> Result<Changed, &'static str> {
        let own = self.agents.get_mut(agent).ok_or("no such agent")?;
        let contact = own.contacts.get_mut(id).ok_or("has no such contact")?;
        let kind = contact.kind;
        if kind == ContactKind::Digital && ended != (status == kind.last_status()) {
            return Err("a digital contact ends with the status Disconnected, and only then");
        }
        status.clone_into(&mut contact.status);
        contact.changed = now;
        let event = contact.event(ended);
        if ended {
            own.contacts.remove(id);
        }
        Ok(Changed {
            fact: self.issue(agent, &event, now),
            contact: Some(id.to_owned()),
        })
    }

    pub(super) fn custom(
        &mut self,
        agent: usize,
        name: String,
        data: &str,
        now: WallTime,
    ) -> Changed {
        let event = Flat::new("CustomEvent")
            .with("eventName", &name)
            .with("data", data)
            .flag("PersistInMemory", false);
        Changed {
            fact: self.issue_named(agent, &event, Some(name), now),
            contact: None,
        }
    }
}
