//! [`Message`]: all that is kept of one message, in the journal's state and in memory, and how the API
//! shows it. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::connectors::{Content, Outgoing};
use crate::domain::{Sequence, WallTime};
use crate::proto::v1;
use crate::proto::v1::OutboundMessageState as Shown;
use crate::proto::v1::outbound_message::Content as ShownContent;
use crate::session::outbound::UnknownOutcome;
use crate::session::outbound::mail::size;

/// One message, as it is stored. A field that is added later has a default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Message {
    /// Its place among the messages of its session.
    pub(super) order: u64,
    pub(super) content: Content,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) attributes: BTreeMap<String, String>,
    #[serde(with = "nanos")]
    pub(super) created: WallTime,
    #[serde(with = "nanos")]
    pub(super) expires: WallTime,
    #[serde(default)]
    pub(super) policy: UnknownOutcome,
    pub(super) phase: Phase,
    /// Attempts that count.
    #[serde(default)]
    pub(super) attempts: u32,
    /// Whether an attempt before the one at hand may have arrived.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) doubtful: bool,
    /// Before the first byte of it that may have been written.
    #[serde(default, with = "maybe_nanos", skip_serializing_if = "Option::is_none")]
    pub(super) began: Option<WallTime>,
    #[serde(default, with = "maybe_nanos", skip_serializing_if = "Option::is_none")]
    pub(super) sent: Option<WallTime>,
    #[serde(default, with = "maybe_nanos", skip_serializing_if = "Option::is_none")]
    pub(super) acknowledged: Option<WallTime>,
    /// When it came to its final state.
    #[serde(default, with = "maybe_nanos", skip_serializing_if = "Option::is_none")]
    pub(super) ended: Option<WallTime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) provider_id: Option<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) reason: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) retry_millis: Option<u64>,
    /// Not tried again before this, by a later process neither.
    #[serde(default, with = "maybe_nanos", skip_serializing_if = "Option::is_none")]
    pub(super) retry_at: Option<WallTime>,
    /// The platform takes nothing before this, as it said to this one. It outlives the message: those behind
    /// it wait as well.
    #[serde(default, with = "maybe_nanos", skip_serializing_if = "Option::is_none")]
    pub(super) throttled_until: Option<WallTime>,
    /// Sequence of its ACCEPTED event. The entry itself names it until it is written again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) accepted: Option<u64>,
}

/// How far a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Phase {
    /// It waits for its turn.
    Accepted,
    /// An attempt began: bytes of it may be written from the moment at which this is durable.
    Begun,
    /// Written, no answer yet.
    Sent,
    /// It may have arrived, and that may still be found out.
    Unsettled,
    /// It may have arrived, and nobody asks any more.
    Unknown,
    Acknowledged,
    Delivered,
    Read,
    Failed,
    Expired,
    Cancelled,
}

impl Phase {
    /// Whether it is over: only what the platform says by itself changes it again.
    pub(super) const fn is_final(self) -> bool {
        match self {
            Self::Accepted | Self::Begun | Self::Sent | Self::Unsettled => false,
            Self::Unknown
            | Self::Acknowledged
            | Self::Delivered
            | Self::Read
            | Self::Failed
            | Self::Expired
            | Self::Cancelled => true,
        }
    }

    /// Whether the platform has it.
    pub(super) const fn has_arrived(self) -> bool {
        matches!(self, Self::Acknowledged | Self::Delivered | Self::Read)
    }
}

impl Message {
    /// The value of its key in the journal's state.
    pub(super) fn encode(&self) -> Bytes {
        // It holds numbers, texts and maps of texts only, so serializing it cannot fail.
        serde_json::to_vec(self).unwrap_or_default().into()
    }

    /// Reads the value of an entry.
    pub(crate) fn decode(value: &[u8], sequence: Sequence) -> Result<Self, String> {
        let mut message: Self = serde_json::from_slice(value).map_err(|e| e.to_string())?;
        message.accepted = message
            .accepted
            .or((sequence > Sequence::ZERO).then(|| sequence.get()));
        Ok(message)
    }

    /// Its place among the messages of its session.
    pub(crate) fn order(&self) -> u64 {
        self.order
    }

    /// Sequence of its ACCEPTED event.
    pub(crate) fn accepted(&self) -> Sequence {
        Sequence::new(self.accepted.unwrap_or(0))
    }

    /// As a platform is given it.
    pub(super) fn outgoing<'a>(&'a self, id: &'a str) -> Outgoing<'a> {
        Outgoing {
            id,
            content: &self.content,
            attributes: &self.attributes,
        }
    }

    /// What its content weighs.
    pub(super) fn weight(&self) -> usize {
        size(&self.content, &self.attributes)
    }

    /// It is not tried again for so long; at once where that is `None`.
    pub(super) fn retry_in(&mut self, wall: WallTime, pause: Option<Duration>) {
        self.retry_millis = pause.and_then(|pause| u64::try_from(pause.as_millis()).ok());
        self.retry_at = pause.map(|pause| wall.plus(pause));
    }

    /// Whether it may have arrived, and nobody knows.
    pub(super) fn may_have_arrived(&self) -> bool {
        match self.phase {
            Phase::Sent | Phase::Unsettled | Phase::Unknown => true,
            Phase::Accepted | Phase::Begun => self.doubtful,
            Phase::Acknowledged | Phase::Delivered | Phase::Read => false,
            Phase::Failed | Phase::Expired | Phase::Cancelled => false,
        }
    }

    /// How many copies of it the platform may have beside the one whose id is known.
    pub(super) fn stray_copies(&self) -> usize {
        let gone = matches!(
            self.phase,
            Phase::Failed | Phase::Expired | Phase::Cancelled
        );
        let most = match self.began {
            None => 0,
            Some(_) if gone => 0,
            Some(_) if self.doubtful => usize::try_from(self.attempts).unwrap_or(usize::MAX),
            Some(_) => 1,
        };
        most.saturating_sub(usize::from(self.provider_id.is_some()))
    }

    /// The state that the API shows.
    pub(super) fn shown(&self) -> Shown {
        match self.phase {
            // It may have arrived before, and is tried again.
            Phase::Accepted | Phase::Begun if self.doubtful => Shown::OutcomeUnknown,
            Phase::Accepted | Phase::Begun => Shown::Accepted,
            Phase::Sent => Shown::Sent,
            Phase::Unsettled | Phase::Unknown => Shown::OutcomeUnknown,
            Phase::Acknowledged => Shown::Acknowledged,
            Phase::Delivered => Shown::Delivered,
            Phase::Read => Shown::Read,
            Phase::Failed => Shown::Failed,
            Phase::Expired => Shown::Expired,
            Phase::Cancelled => Shown::Cancelled,
        }
    }

    /// As the API shows it. `session` is a resource name.
    pub(crate) fn to_proto(&self, session: &str, id: &str) -> v1::OutboundMessage {
        let content = shown(&self.content);
        let delay = self.retry_millis.map(Duration::from_millis);
        v1::OutboundMessage {
            name: resource(session, id),
            state: self.shown().into(),
            content: Some(content),
            custom_attributes: self.attributes.clone().into_iter().collect(),
            create_time: Some(self.created.to_proto()),
            send_time: self.sent.map(WallTime::to_proto),
            acknowledge_time: self.acknowledged.map(WallTime::to_proto),
            expire_time: Some(self.expires.to_proto()),
            provider_message_id: self.provider_id.clone().unwrap_or_default(),
            attempt_count: self.attempts,
            reason: self.reason.clone(),
            retry_delay: delay.and_then(|delay| delay.try_into().ok()),
        }
    }
}

/// Resource name of a message.
pub(super) fn resource(session: &str, id: &str) -> String {
    format!("{session}/outboundMessages/{id}")
}

/// A time as nanoseconds since 1970.
/// Content as the API shows it.
pub(crate) fn shown(content: &Content) -> ShownContent {
    match content {
        Content::Text { text } => ShownContent::Text(v1::TextContent { text: text.clone() }),
        Content::QuickReply { text, payload } => ShownContent::QuickReply(v1::QuickReplyContent {
            text: text.clone(),
            payload: payload.clone(),
        }),
        Content::Attachment { id } => ShownContent::Attachment(v1::AttachmentContent {
            attachment_id: id.clone(),
        }),
    }
}

mod nanos {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::domain::WallTime;

    pub(super) fn serialize<S: Serializer>(time: &WallTime, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(time.as_nanos())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<WallTime, D::Error> {
        u64::deserialize(from).map(WallTime::from_nanos)
    }
}

/// The same of a time that may be missing.
mod maybe_nanos {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::domain::WallTime;

    #[expect(clippy::ref_option, reason = "serde hands it over so")]
    pub(super) fn serialize<S: Serializer>(
        time: &Option<WallTime>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        time.map(WallTime::as_nanos).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<WallTime>, D::Error> {
        Ok(Option::<u64>::deserialize(from)?.map(WallTime::from_nanos))
    }
}
