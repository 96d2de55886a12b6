//! A simulated tenant of NICE CXone: tokens, discovery and the Agent API's sessions, on real sockets.
//!
//! It answers as the platform does, as far as that is documented; where it is not, a field of
//! [`CxoneConfig`] says so and chooses.
//!
//! # What it serves
//! | request | what |
//! |---|---|
//! | `GET /.well-known/openid-configuration` | where tokens are |
//! | `POST /auth/token` | grants `password` (access key), `refresh_token`, token exchange; `GET /auth/jwks` has the keys |
//! | `GET /.well-known/cxone-configuration?tenantId=` | where services are: **follow `api_endpoint`** |
//! | `POST /incontactauthorizationserver/token/whoami` | whose token it is |
//! | `POST /InContactAPI/services/vN.N/agent-sessions` | starts a session of the key's own agent |
//! | `POST …/agent-sessions/join` `{asAgentId}` | another id of the session that an agent has |
//! | `GET …/agent-sessions/{id}/get-next-event?timeout=` | holds 0 to 60 s |
//! | `DELETE …/agent-sessions/{id}` | ends it |
//! | `GET …/agents/states?updatedSince=`, `GET …/server-time` | the present, cheaply |
//!
//! Paths are taken in any case. `api_endpoint` is this sandbox's own address;
//! `https://api-{cluster}.{acdDomain}` is, too, for those who serve TLS and resolve names below
//! `localhost`.
//!
//! # The id is the cursor
//! Each 200 carries a new session id and what happened since; 304 leaves the id as it is. With an id
//! that was replaced (even if the answer that replaced it never arrived, unless
//! [`CxoneConfig::replay_last`] is set) the platform answers with a snapshot, `AgentSessionStart`
//! among it, and `icbranchvalue: 3`; so it does when more waits than it keeps. The first answer
//! after a start or a join is a snapshot as well, but nothing was missed: 1. An ended session is 409
//! and 4, an unknown one 404 and 5. Two polls with one id are held side by side; one is answered, and
//! the other holds an old id from then on. Of `CustomEvent`s with one name only the newest waits.
//!
//! # What the ledger knows
//! Each event issued to a session is a [`Fact`] with a number that is not on the wire, and its fate:
//! in which answer it went, whether a later poll confirmed that answer, or what took its place.
//! [`CxoneOracle`] compares a reader with it.
//!
//! # Control API
//! On loopback only, JSON, below `/control/v1`: `GET /state`, `/counters`, `/ledger?after&limit`,
//! `/answers`, `/requests`, `/faults`; `PUT` and `DELETE /faults/{name}`, `DELETE /faults`; `POST
//! /agents/{id}/change` ([`Change`]), `/emit` `{"count": 10}` steps of the story, `/expire-tokens`;
//! `PUT /rate` `{"per_second": 5}`.

mod config;
pub mod fault;
mod fold;
mod greeting;
mod handle;
mod oracle;
mod platform;
mod server;

pub use config::CxoneConfig;
pub use handle::CxoneAgent;
pub use oracle::{CxoneOracle, CxoneRecord, CxoneVerdict};
pub use platform::{
    AgentPresent, AnswerCause, Change, Changed, ContactKind, ContactPresent, Cursor,
    CxoneAgentState, CxoneCounters, CxoneCredentials, CxoneRequest, CxoneRequestKind, Fact,
    FactFate, InvalidChange, PollAnswer, SessionStatus,
};

#[cfg(test)]
mod tests;
