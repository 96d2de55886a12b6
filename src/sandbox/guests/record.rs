//! What guests and agents said and what became of it, as people and tests read it: the oracle. Pure.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::fault::GuestFaultName;
use crate::domain::WallTime;
use crate::sandbox::platform::{Outcome, decimals};

/// A message of a guest that the platform took: as often as it came, whatever it was called.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GuestMessage {
    /// Counts messages from 1, in the order in which they were taken.
    pub number: u64,
    /// When it was taken.
    #[serde(serialize_with = "as_date")]
    pub at: WallTime,
    /// Whose: the token, or the instance of the chat.
    pub session: String,
    /// Which conversation of the session.
    pub conversation: String,
    /// What the client called it: `tracingId`, or `messageId` of a chat.
    pub request_id: Option<String>,
    /// What the platform calls it.
    pub provider_id: String,
    /// What it says.
    pub text: Option<String>,
    /// What it holds beside text, as it came.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub content: Vec<Value>,
    /// What the client said beside it.
    pub attributes: BTreeMap<String, String>,
    /// How it came.
    pub via: Via,
    /// On which connection.
    pub connection: u64,
    /// It was taken when that connection was gone already.
    pub late: bool,
    /// What became of its echo, acknowledgement or answer on that connection.
    #[serde(flatten)]
    pub receipt: Receipt,
}

/// How a message came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// In a frame.
    Websocket,
    /// As a request.
    Rest,
}

/// What became of an echo, an acknowledgement, or an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "receipt", rename_all = "snake_case")]
pub enum Receipt {
    /// It waits to be written.
    Waiting,
    /// It was put on the wire, whole.
    Written,
    /// The connection ended before that.
    Cut,
    /// A fault lost it, or put an error in its place.
    Lost {
        /// Which.
        fault: GuestFaultName,
    },
}

/// Something that the agent said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AgentMessage {
    /// Counts them from 1.
    pub number: u64,
    /// When.
    #[serde(serialize_with = "as_date")]
    pub at: WallTime,
    /// To whom.
    pub session: String,
    /// In which conversation.
    pub conversation: String,
    /// What the platform calls it.
    pub provider_id: String,
    /// What it says; empty for an end.
    pub text: String,
    /// The sockets that it was put on the wire of, and how often.
    pub pushed: Vec<Pushed>,
    /// A client said that it has it (webchat).
    pub received: bool,
}

/// A message of the agent on one socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Pushed {
    /// Which.
    pub connection: u64,
    /// How often.
    pub copies: u32,
}

/// A guest's session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SessionStatus {
    /// The token, or the instance of the chat.
    pub session: String,
    /// Its conversation.
    pub conversation: String,
    /// The conversation has ended and can only be read.
    pub read_only: bool,
    /// The session is over.
    pub expired: bool,
    /// Its sockets, the oldest first.
    pub sockets: Vec<u64>,
    /// Messages of guest and agent in the conversation.
    pub messages: usize,
}

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GuestOperation {
    /// A handshake.
    Handshake,
    /// The deployment's configuration.
    Deployment,
    /// The history.
    History,
    /// An attachment is put, or fetched.
    Attachment,
    /// An access token.
    Token,
    /// A guest is made.
    Guest,
    /// A message is sent.
    Message,
    /// Something that the platform does not know.
    Other,
}

/// One request that arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GuestRequest {
    /// Counts requests from 1.
    pub entry: u64,
    /// When, RFC 3339.
    pub at: String,
    /// On which connection.
    pub connection: u64,
    /// What for.
    pub operation: GuestOperation,
    /// How it ended; `None` while it is open.
    pub outcome: Option<Outcome>,
}

/// Everything that is counted, since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct GuestCounters {
    /// Requests by what they are for, and by how they ended.
    pub requests: BTreeMap<GuestOperation, BTreeMap<Outcome, u64>>,
    /// TCP connections accepted.
    pub connections_accepted: u64,
    /// TCP connections closed at once, being too many.
    pub connections_refused: u64,
    /// Handshakes that came.
    pub handshakes: u64,
    /// Of those, refused for being too many within a second.
    pub handshakes_throttled: u64,
    /// The most handshakes that came within any second.
    pub handshakes_per_second_most: u64,
    /// Sockets opened.
    pub sockets_opened: u64,
    /// The most sockets that were open at once.
    pub sockets_most: u64,
    /// Sockets that took the place of an older one of their session.
    pub sockets_superseded: u64,
    /// Sessions that a guest began, conversations begun anew included.
    pub sessions_begun: u64,
    /// Sessions that were configured again.
    pub sessions_resumed: u64,
    /// Sessions that expired.
    pub sessions_expired: u64,
    /// Messages of guests taken.
    pub messages_taken: u64,
    /// Of those, over REST.
    pub messages_over_rest: u64,
    /// Messages refused as too many.
    pub messages_throttled: u64,
    /// Messages refused for anything else.
    pub messages_refused: u64,
    /// Echoes and acknowledgements put on the wire.
    pub echoes: u64,
    /// Messages of the agent put on the wire, doubles included.
    pub agent_messages_pushed: u64,
    /// Echoes that asked after health.
    pub health_echoes: u64,
    /// Typing events of guests.
    pub typing_events: u64,
    /// JWTs issued.
    pub jwts: u64,
    /// Error frames put on the wire, by code.
    pub errors: BTreeMap<u16, u64>,
    /// Frames that were understood, by what they asked.
    pub actions: BTreeMap<&'static str, u64>,
    /// Pings received.
    pub pings: u64,
    /// Text received that is nothing known.
    pub strange_texts: u64,
    /// Close frames received, by code; 1005 where there was none.
    pub closes_received: BTreeMap<u16, u64>,
}

impl GuestCounters {
    /// Requests for this that were answered with `status`.
    #[must_use]
    pub fn answered(&self, operation: GuestOperation, status: u16) -> u64 {
        let ended = self.requests.get(&operation);
        let count = ended.and_then(|ended| ended.get(&Outcome::Status(status)));
        count.copied().unwrap_or_default()
    }
}

fn as_date<S: serde::Serializer>(time: &WallTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&decimals(*time))
}
