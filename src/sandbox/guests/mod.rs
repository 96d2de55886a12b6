//! A platform for guests: people who write to a contact centre, each in a session of their own. It
//! speaks one of two [dialects](GuestDialect), *genesys-web-messaging* and *genesys-webchat*; what
//! they have in common is here: sessions, sockets, the agent, the record, the faults.
//!
//! # The record
//! Every message that the platform took stands in the [record](RecordReader), as often as it came: what
//! clients call a message is kept and never compared, as no platform documents that it would. With it
//! stands whether the [receipt](Receipt), which is an echo, an acknowledgement or an answer, was put on
//! the wire. What is not in the record was not taken; what has come in on a connection that a fault cut
//! may be [taken later](fault::GuestFault::LateArrival).
//!
//! # genesys-web-messaging
//! `GET /v1?deploymentId=…` opens a socket where the deployment allows the `Origin`; a session is its
//! token, a UUID made by the client, and holds one conversation. A session may have several sockets;
//! the oldest makes way with `ConnectionClosedEvent`. What the agent says while there is no socket is
//! not pushed later: it stands in the history, `GET /api/v2/webmessaging/messages`, which a JWT of
//! `getJwt` opens. A message beyond two in a second is refused with 4029.
//!
//! # genesys-webchat
//! `POST /oauth/token`, `POST /api/v2/webchat/guests` make an instance with a token of its own, which
//! opens `GET /api/v2/webchat/instances/{id}/websocket` and `POST …/messages`. There is no history. The
//! limit of messages holds over REST, with 429 and `Retry-After`. An ended conversation closes its
//! sockets with 1001 and is 410 from then on; an expired guest token closes them with 4401 and is 401.
//!
//! # Control API
//! On loopback only, below `/control/v1`, beside the faults and the rate that every platform has:
//!
//! | request | answer |
//! |---|---|
//! | `GET /state`, `GET /counters` | sessions, sockets, faults, what was counted |
//! | `GET /messages?after&limit` | the record: session, id, text, attributes, time, receipt |
//! | `GET /said?after&limit` | what the agent said, and on which sockets it was put on the wire |
//! | `GET /sessions?after&limit` | sessions by their ids: conversation, sockets, whether they are over |
//! | `GET /requests?after&limit` | each request: time, connection, kind, outcome |
//! | `POST /sessions/{id}/say` | `{"text", "choices"}`: the agent says it |
//! | `POST /sessions/{id}/end`, `expire`, `clear`, `forget`, `supersede` | does that; `*` is every session |
//! | `POST /emit` | `{"count": 10}` messages of the agent, to whoever has a socket |
//! | `POST /restart` | `{"down": "2s"}`: every connection is reset, none is taken for so long |
//! | `POST /expire-tokens` | access tokens and JWTs, at once |

mod agent;
mod bell;
mod config;
mod deed;
pub mod fault;
mod greeting;
mod guest;
mod handle;
mod json;
mod outbox;
mod pace;
mod record;
mod server;
mod socket;
mod speaking;
mod state;
mod taking;
mod web_messaging;
mod webchat;

pub use config::{AgentReply, GuestConfig, GuestDialect};
pub use deed::{Deed, UnknownSession};
pub use handle::{GuestPlatform, RecordReader};
pub use record::{
    AgentMessage, GuestCounters, GuestMessage, GuestOperation, GuestRequest, Pushed, Receipt,
    SessionStatus, Via,
};

#[cfg(test)]
mod tests;
