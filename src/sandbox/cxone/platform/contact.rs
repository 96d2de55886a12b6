//! [`Contact`]: something an agent handles, from its offer to its end. Pure.

use serde::{Deserialize, Serialize};

use super::flat::Flat;
use crate::domain::WallTime;

/// What kind of contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContactKind {
    /// `CallContactEvent`, inbound.
    Call,
    /// `CallContactEvent`, outbound.
    OutboundCall,
    /// `DigitalContactEvent`.
    Digital,
    /// `VoiceMailContactEvent`.
    VoiceMail,
    /// `WorkItemContactEvent`.
    WorkItem,
}

impl ContactKind {
    /// The status in which it begins.
    pub(super) fn first_status(self) -> &'static str {
        match self {
            Self::OutboundCall => "Dialing",
            _ => "Incoming",
        }
    }

    /// The status in which it ends.
    #[must_use]
    pub fn last_status(self) -> &'static str {
        match self {
            Self::VoiceMail => "Discarded",
            _ => "Disconnected",
        }
    }

    pub(super) fn is_call(self) -> bool {
        matches!(self, Self::Call | Self::OutboundCall)
    }
}

/// How a contact stands, for people and tests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ContactPresent {
    /// Its `ContactID`.
    pub contact: String,
    /// What kind.
    pub kind: ContactKind,
    /// Its status.
    pub status: String,
}

#[derive(Debug, Clone)]
pub(super) struct Contact {
    pub(super) id: String,
    pub(super) kind: ContactKind,
    pub(super) status: String,
    pub(super) started: WallTime,
    pub(super) changed: WallTime,
    pub(super) skill: &'static str,
    /// The customer's number or name.
    pub(super) customer: String,
    /// The id by which other channels know it.
    pub(super) other_id: String,
    pub(super) agent: String,
}

impl Contact {
    pub(super) fn present(&self) -> ContactPresent {
        ContactPresent {
            contact: self.id.clone(),
            kind: self.kind,
            status: self.status.clone(),
        }
    }

    /// The event that says how it stands; `ended` where it is the last of this contact.
    pub(super) fn event(&self, ended: bool) -> Flat {
        match self.kind {
            ContactKind::Call => self.call(true, ended),
            ContactKind::OutboundCall => self.call(false, ended),
            ContactKind::Digital => Flat::new("DigitalContactEvent")
                .with("ContactID", &self.id)
                .with("DFOContactId", &self.other_id)
                .with("ChannelType", "chat")
                .with("CustomerName", &self.customer)
                .with("SkillName", self.skill)
                .times("StartTime", self.started)
                .with("Status", &self.status)
                .with("RefusalTimeout", "45"),
            ContactKind::VoiceMail => self
                .begin("VoiceMailContactEvent", ended)
                .with("FileName", "voicemail-1.wav")
                .with("FileDuration", "31")
                .with("From", &self.customer)
                .with("To", "8015550100")
                .with("SkillName", self.skill)
                .flag("IsInbound", true)
                .with("ScreenPopUrl", ""),
            ContactKind::WorkItem => self
                .begin("WorkItemContactEvent", ended)
                .with("AgentId", &self.agent)
                .with("WorkItemId", &self.other_id)
                .with("WorkItemType", "claim")
                .with("WorkItemPayload", "")
                .with("SkillId", "1021")
                .with("RefusalTimeout", "45")
                .with("ScreenPopUrl", ""),
        }
    }

    fn begin(&self, kind: &'static str, ended: bool) -> Flat {
        Flat::new(kind)
            .with("ContactID", &self.id)
            .with("MasterID", &self.id)
            .with("ParentContactID", "")
            .with("OmniGroupID", "")
            .with("Status", &self.status)
            .flag("FinalState", ended)
            .times("StartTime", self.started)
            .times("LastStateChangeTime", self.changed)
    }

    fn call(&self, inbound: bool, ended: bool) -> Flat {
        let code = if self.status == "Disconnected" {
            "1"
        } else {
            ""
        };
        self.begin("CallContactEvent", ended)
            .with("InteractionID", &self.other_id)
            .with("ExternalID", "")
            .flag("OriginalState", false)
            .with("CallType", if inbound { "Regular" } else { "Manual" })
            .flag("IsInbound", inbound)
            .with("DNIS", "8015550100")
            .with("ANI", &self.customer)
            .with("Skill", self.skill)
            .with("ScreenPopUrl", "")
            .with("DisconnectCode", code)
            .flag("IsLogging", false)
            .with("Timeout", "0")
            .flag("AllowDispositions", false)
            .with("Label", "")
            .flag("IsLinked", false)
            .with("TimeZones", "")
            .with("OtherInformation", "")
            .with("BlendingToSkillName", "")
            .with("DeliveryType", "single")
            .with("CustomData", "")
    }
}
