//! [`Fold`]: the present state as whoever folds what was delivered has it. Pure.
//!
//! It reads the platform's own bytes, so that it finds mistakes of whoever normalises them. Only
//! where an event has none, as the end of a contact that a snapshot left out, the normal form counts.

use std::collections::BTreeMap;

use serde_json::Value;

use super::platform::{AgentPresent, CxoneAgentState};
use crate::proto::v1;
use v1::event::Data;

/// Agents by id, contacts by id.
#[derive(Debug, Default)]
pub(super) struct Fold {
    agents: BTreeMap<String, CxoneAgentState>,
    contacts: BTreeMap<String, Standing>,
}

#[derive(Debug)]
struct Standing {
    status: String,
    /// Its other ids.
    aliases: Vec<String>,
    digital: bool,
}

impl Fold {
    pub(super) fn take(&mut self, event: &v1::Event) {
        if event.raw_data.is_empty() {
            if let Some(Data::ConversationEvent(conversation)) = &event.data
                && conversation.phase() == v1::Phase::Ended
            {
                self.end(&conversation.conversation_id);
            }
            return;
        }
        let Ok(body) = serde_json::from_slice::<Value>(&event.raw_data) else {
            return;
        };
        let value = |name: &str| body.get(name).and_then(Value::as_str);
        let text = |name: &str| value(name).unwrap_or_default().to_owned();
        let kind = [text("Type"), text("type")].concat();
        match kind.as_str() {
            "AgentState" => {
                let agent = event.subject.rsplit('/').next().unwrap_or_default();
                let state = CxoneAgentState {
                    state: text("CurrentState"),
                    reason: text("CurrentOutReason"),
                    acw: text("IsAcw") == "True",
                };
                self.agents.insert(agent.to_owned(), state);
            }
            "CallContactEvent"
            | "VoiceMailContactEvent"
            | "WorkItemContactEvent"
            | "DigitalContactEvent" => {
                let (id, status) = (text("ContactID"), text("Status"));
                let digital = kind == "DigitalContactEvent";
                let over = match digital {
                    true => status == "Disconnected",
                    false => text("FinalState") == "True",
                };
                if over {
                    self.contacts.remove(&id);
                } else {
                    let aliases = ["MasterID", "InteractionID", "DFOContactId"];
                    let aliases = aliases.map(text).into();
                    let standing = Standing {
                        status,
                        aliases,
                        digital,
                    };
                    self.contacts.insert(id, standing);
                }
            }
            _ => {}
        }
    }

    fn end(&mut self, id: &str) {
        self.contacts
            .retain(|own, standing| own != id && !standing.aliases.iter().any(|alias| alias == id));
    }

    /// The contacts that have not ended. Digital ones are left out: the platform's own client does not
    /// take a snapshot's silence about one for its end, so nobody else has to.
    pub(super) fn contacts(&self) -> impl Iterator<Item = &str> {
        let own = self.contacts.iter().filter(|(_, own)| !own.digital);
        own.map(|(id, _)| id.as_str())
    }

    /// In what an agent differs from how it stands, if it does.
    pub(super) fn difference(&self, present: &AgentPresent) -> Option<String> {
        let agent = &present.agent;
        let state = self.agents.get(agent);
        if state != Some(&present.state) {
            let is = &present.state;
            return Some(format!("agent {agent} is {is:?}, and folded {state:?}"));
        }
        for contact in &present.contacts {
            let id = &contact.contact;
            let folded = self.contacts.get(id).map(|standing| &standing.status);
            if folded != Some(&contact.status) {
                let is = &contact.status;
                return Some(format!("contact {id} is {is}, and folded {folded:?}"));
            }
        }
        None
    }
}
