//! What a careful reader writes down: events, loss windows, and the contacts that ended unseen.

use std::collections::BTreeSet;

use serde_json::Value;
use serde_json::value::RawValue;

use crate::domain::WallTime;
use crate::proto::v1;
use v1::event::{Data, Origin};
use v1::session_event::Kind;

/// A reader of one agent's session, without its requests.
#[derive(Debug, Clone)]
pub(super) struct Notes {
    agent: String,
    /// The id to ask with.
    pub(super) id: String,
    /// All that had happened by then was in the answers.
    alive: WallTime,
    /// When the present id was first asked with. An answer has what had happened by then: it may
    /// have been made long before it came.
    asked: Option<WallTime>,
    standing: BTreeSet<String>,
    pub(super) got: Vec<v1::Event>,
}

#[derive(serde::Deserialize)]
struct Body {
    #[serde(rename = "sessionId")]
    session_id: String,
    events: Vec<Box<RawValue>>,
}

impl Notes {
    pub(super) fn new(agent: &str, id: String, now: WallTime) -> Self {
        Self {
            agent: agent.to_owned(),
            id,
            alive: now,
            asked: None,
            standing: BTreeSet::new(),
            got: Vec::new(),
        }
    }

    /// A poll leaves.
    pub(super) fn ask(&mut self, now: WallTime) -> String {
        self.asked.get_or_insert(now);
        self.id.clone()
    }

    /// The reader crashed and reads what it had written down: it may have asked since.
    pub(super) fn restored(&self) -> Self {
        Self {
            asked: Some(self.alive),
            ..self.clone()
        }
    }

    /// An answer came; what cannot be read is none.
    pub(super) fn hear(&mut self, status: u16, branch: Option<&str>, body: &str, now: WallTime) {
        if status == 304 {
            self.alive = self.asked.take().unwrap_or(self.alive);
        }
        let Ok(body) = serde_json::from_str::<Body>(body) else {
            return;
        };
        self.id = body.session_id;
        let is_start = |event: &RawValue| event.get().contains("\"AgentSessionStart\"");
        let snapshot = body.events.iter().any(|event| is_start(event));
        if branch == Some("3") {
            self.gap(now);
        }
        let before = self.standing.clone();
        if snapshot {
            self.standing.clear();
        }
        for event in &body.events {
            self.take(event.get(), snapshot);
        }
        let gone: Vec<_> = before.difference(&self.standing).cloned().collect();
        for contact in gone.into_iter().filter(|_| snapshot) {
            self.depart(contact);
        }
        self.alive = self.asked.take().unwrap_or(self.alive);
    }

    fn take(&mut self, raw: &str, snapshot: bool) {
        let body: Value = serde_json::from_str(raw).unwrap();
        if let Some(contact) = body["ContactID"].as_str() {
            let over = body["FinalState"] == "True"
                || body["Type"] == "DigitalContactEvent" && body["Status"] == "Disconnected";
            match over {
                true => self.standing.remove(contact),
                false => self.standing.insert(contact.to_owned()),
            };
        }
        let origin = match snapshot {
            true => Origin::Backfill,
            false => Origin::Live,
        };
        self.got.push(v1::Event {
            origin: origin.into(),
            subject: format!("agents/{}", self.agent),
            raw_data: raw.to_owned().into_bytes().into(),
            ..Default::default()
        });
    }

    fn gap(&mut self, now: WallTime) {
        let fact = v1::SessionEvent {
            kind: Kind::GapConfirmed.into(),
            start_time: Some(self.alive.to_proto()),
            end_time: Some(now.to_proto()),
            ..Default::default()
        };
        self.got.push(v1::Event {
            origin: Origin::Sidecar.into(),
            data: Some(Data::SessionEvent(fact)),
            ..Default::default()
        });
    }

    fn depart(&mut self, contact: String) {
        let ended = v1::ConversationEvent {
            conversation_id: contact,
            phase: v1::Phase::Ended.into(),
            ..Default::default()
        };
        self.got.push(v1::Event {
            origin: Origin::Backfill.into(),
            data: Some(Data::ConversationEvent(ended)),
            ..Default::default()
        });
    }
}
