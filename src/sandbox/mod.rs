//! The sandbox: a simulated platform on real sockets, for development, the demo and tests.
//!
//! It serves *genesys-events* as the platform would, not as our client wishes: `POST /oauth/token`,
//! the probe and the WebSocket `GET /api/v2/events/subscribe`, the long poll `POST` there, `GET
//! /api/v2/events/history`, `GET /api/v2/system/health`; over TLS if asked. A small contact centre
//! tells a seeded story; every event issued stands in a [ledger](LedgerReader), the oracle of tests.
//!
//! # What a position means here
//! Each OAuth client has, for each set of channels, a subscription with a numbering of its own:
//! dense, from 1, in the order of issue. Position 0 asks for all that is kept, position N for what
//! is above N and for what was delivered after N was (a late event comes to those who had passed its
//! place). A position beyond what the platform knows is answered from now on
//! ([`UnknownPosition`]). A batch, even an empty one, confirms; an empty one carries the highest
//! number *delivered*, so that it never covers a number that was withheld. What has left the log
//! may still be in the history: 410 where it is gone, 404 where it never was.
//!
//! # What goes wrong
//! A [`fault::Fault`] is set by [`Faults`], over the control API or by a [`script`], limited by
//! count, time and chance, and counts how often it struck. Faults of events (skip, late, reorder,
//! malformed, oversize) strike when an event is issued, so that every reader sees the same
//! platform; all others strike a request, a connection or a frame.
//!
//! # Control API
//! On loopback only, `Host` and `Origin` checked, JSON, below `/control/v1`:
//!
//! | request | answer |
//! |---|---|
//! | `GET /state` | rate, subscriptions, connections, faults, tokens, counters |
//! | `GET /counters` | requests by kind and outcome, events by transport, pings, close codes |
//! | `GET /ledger?after&limit&client&channels` | what was issued: number, type, SHA-256, time, fate |
//! | `GET /requests?after&limit` | each request: time, connection, kind, position asked for, outcome |
//! | `GET /deliveries?after&limit` | each batch that was put on the wire |
//! | `GET /faults`, `DELETE /faults` | what is in force or has struck; clears all |
//! | `PUT /faults/{name}`, `DELETE /faults/{name}` | sets one, with parameters and limits; clears it |
//! | `POST /emit` | `{"count": 10}`, or `{"channel": …, "data": …}` |
//! | `PUT /rate` | `{"per_second": 100}` |
//! | `POST /expire-tokens`, `POST /restart-numbering` | at once |
//!
//! # Other platforms
//! Each has a module, and says there what it serves: [`genesys_cloud`], [`cxone`], [`push`] for those
//! that only push, [`guests`] for those to which people write.
//!
//! # How it is built
//! `platform` decides and knows no socket; `server` carries out; `fault` and `script` are data.
//! Queues, bodies, frames, logs and connections are bounded: see [`SandboxConfig`].

mod config;
pub mod cxone;
pub mod fault;
pub mod genesys_cloud;
pub mod guests;
mod handle;
mod oracle;
mod platform;
pub mod push;
pub mod script;
mod server;

pub use config::{DEFAULT_CHANNELS, ElapsedHold, OnExpiry, SandboxConfig};
pub use cxone::CxoneAgent;
pub use handle::{Faults, LedgerReader, Sandbox, StartError};
pub use oracle::{Oracle, Verdict};
pub use platform::{
    ClientCredentials, ConnectionStatus, Counters, Delivery, Digest, Emission, EventsDialect, Fate,
    InvalidEvent, LedgerEntry, LedgerPage, Outcome, OwnEvent, RequestCount, RequestEntry,
    RequestKind, StoryEvents, SubscriptionStatus, Transport, UnknownPosition,
};
#[cfg(any(test, feature = "testing"))]
pub use server::Arriving;

#[cfg(test)]
mod tests;
