//! A platform that only pushes: events over one WebSocket, no numbers, nothing kept for whoever was
//! away. It speaks one of several [dialects](PushDialect): *genesys-streaming*, *genesys-adherence*,
//! *genesys-analytics*, or that of a profile which somebody wrote for a vendor of their own.
//!
//! Every socket that has subscribed is sent what happens from then on, and what happens while there is
//! none is sent to nobody. The [ledger](PushFact) knows of each event what became of it on each
//! socket; [`PushOracle`] says whether a reader got what it was sent, or has a window on record.
//!
//! # Heartbeats
//! Where the dialect has them, a socket on which none came for [`PushConfig::idle`] is closed, pings
//! or not. A heartbeat that comes sooner than [`PushConfig::heartbeat_minimum`] after the one before,
//! is larger than 1024 bytes, or lacks a field is refused in a frame, and the socket is closed.
//!
//! # Control API
//! On loopback only, below `/control/v1`, beside the faults and the rate that every platform has:
//!
//! | request | answer |
//! |---|---|
//! | `GET /state`, `GET /counters` | sockets, tokens, faults, what was counted |
//! | `GET /ledger?after&limit` | facts: number, time, type, SHA-256, fate on each socket |
//! | `GET /requests?after&limit` | each request: time, connection, kind, outcome |
//! | `GET /heartbeats?after&limit` | each heartbeat: time, connection, size, verdict |
//! | `POST /emit` | `{"count": 10}` events of the story |
//! | `POST /expire-tokens` | at once |

mod config;
mod dialect;
pub mod fault;
mod greeting;
mod handle;
mod oracle;
mod record;
mod server;
mod socket;
mod state;

pub use config::{PushConfig, PushDialect};
pub use handle::PushPlatform;
pub use oracle::{PushOracle, PushVerdict};
pub use record::{
    HeartbeatEntry, PushCounters, PushDue, PushFact, PushFate, PushOperation, PushRequest,
};

#[cfg(test)]
mod tests;
