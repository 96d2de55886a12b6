//! Facts about the session, as events in order with the data around them.

use super::Machine;
use super::io::At;
use crate::connectors::{NumberRange, Transport};
use crate::domain::{Sequence, SessionName, WallTime};
use crate::proto::v1;
use crate::proto::v1::event::{Data, Origin};
use crate::proto::v1::session_event::Kind;
use crate::runtime::Rng;

/// What every fact of a session has in common, and the count that makes their ids unique.
#[derive(Debug)]
pub(super) struct Facts {
    session: String,
    source: String,
    /// Differs between processes, so that ids do not repeat after a restart.
    boot: String,
    count: u64,
}

/// A fact in the making.
#[derive(Debug)]
pub(super) struct Fact(v1::SessionEvent);

impl Facts {
    pub(super) fn new(session: &SessionName, source: &str, rng: &Rng, wall: WallTime) -> Self {
        Self {
            session: session.resource(),
            source: source.to_owned(),
            boot: format!("{:x}-{:08x}", wall.as_nanos(), rng.bits() & 0xffff_ffff),
            count: 0,
        }
    }

    /// An id that no other event of this source has.
    pub(super) fn unique(&mut self) -> String {
        self.count += 1;
        format!("{}-{}", self.boot, self.count)
    }

    pub(super) fn session(&self) -> &str {
        &self.session
    }
}

impl Fact {
    pub(super) fn new(kind: Kind) -> Self {
        Self(v1::SessionEvent {
            kind: kind.into(),
            ..v1::SessionEvent::default()
        })
    }

    pub(super) fn transport(mut self, transport: Transport) -> Self {
        self.0.transport = transport.to_proto().into();
        self
    }

    pub(super) fn reason(mut self, reason: &str) -> Self {
        reason.clone_into(&mut self.0.reason);
        self
    }

    pub(super) fn times(mut self, start: WallTime, end: WallTime) -> Self {
        self.0.start_time = Some(start.to_proto());
        self.0.end_time = Some(end.to_proto());
        self
    }

    pub(super) fn numbers(mut self, range: Option<NumberRange>) -> Self {
        if let Some(range) = range {
            self.0.first_missing_provider_sequence = range.first;
            self.0.last_missing_provider_sequence = range.last;
        }
        self
    }

    pub(super) fn closes(mut self, gap: Sequence) -> Self {
        self.0.gap_sequence = gap.get();
        self
    }

    pub(super) fn topics(mut self, topics: &[String]) -> Self {
        self.0.topics = topics.to_vec();
        self
    }
}

impl Machine {
    /// Journals a fact; its index in the coming commit.
    pub(super) fn fact(&mut self, at: At, fact: Fact) -> usize {
        let mut data = fact.0;
        let kind = data.kind();
        data.session = self.facts.session().to_owned();
        let name = kind.as_str_name().trim_start_matches("KIND_");
        let r#type = format!("tieline.session.{}.v1", name.to_lowercase());
        self.own_event(at, r#type, Data::SessionEvent(data))
    }

    /// Journals the state that an outgoing message came to; its index in the coming commit.
    pub(super) fn message_fact(&mut self, at: At, data: v1::OutboundMessageEvent) -> usize {
        let name = data.state().as_str_name();
        let name = name.trim_start_matches("OUTBOUND_MESSAGE_STATE_");
        let r#type = format!("tieline.outbound_message.{}.v1", name.to_lowercase());
        self.own_event(at, r#type, Data::OutboundMessageEvent(data))
    }

    fn own_event(&mut self, at: At, r#type: String, data: Data) -> usize {
        let session = self.facts.session().to_owned();
        let event = v1::Event {
            id: self.facts.unique(),
            source: self.facts.source.clone(),
            r#type,
            subject: session.clone(),
            ordering_key: session.clone(),
            session,
            time: Some(at.wall.to_proto()),
            origin: Origin::Sidecar.into(),
            data: Some(data),
            ..v1::Event::default()
        };
        self.outbox.push(event)
    }
}
