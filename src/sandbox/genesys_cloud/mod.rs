//! Genesys Cloud: OAuth, the API and notification sockets, as the platform is known to behave.
//!
//! `POST /oauth/token`, `/api/v2/…` and `GET /channels/{id}` stand on one host. A small contact
//! centre tells a seeded story, and takes exact [`Change`]s; every event is a [`Fact`] in the ledger,
//! with the channels it was due to and what became of it there. [`GenesysOracle`] judges readers.
//!
//! # What it holds to
//! The address of a socket is its credential. One socket has a channel; a newer one takes it. Nothing
//! is kept for a channel without a socket. A client has twenty channels; one more pushes out the one
//! unused for longest, those without a socket first. A channel lives for a day, and on from each
//! subscription. One refused topic fails a call unless errors are ignored. The API shows what was
//! some seconds ago, and the past as it was. Nothing has a number.
//!
//! Where the platform's behaviour is not documented, [`GenesysCloudConfig`] has a setting, and its
//! default is what hurts a client more.
//!
//! # Control API
//! On loopback only, `Host` and `Origin` checked, JSON, below `/control/v1`:
//!
//! | request | answer |
//! |---|---|
//! | `GET /state` | rate, channels, connections, faults, tokens, counters |
//! | `GET /world` | the contact centre as it stands, by ids |
//! | `GET /channels`, `GET /counters` | what is open, what was asked and sent |
//! | `GET /ledger?after&limit` | facts: number, time, topic, SHA-256 of the body, fate on each channel |
//! | `GET /requests?after&limit` | each request: time, connection, operation, line, outcome |
//! | `POST /changes` | a [`Change`]: `{"change": "presence", "user": …, "presence": "MEAL"}` |
//! | `POST /emit` | `{"count": 10}` changes of the story |
//! | `PUT /rate` | `{"per_second": 100}` |
//! | `GET /faults`, `DELETE /faults` | what is in force or has struck; clears all |
//! | `PUT /faults/{name}`, `DELETE /faults/{name}` | sets one, with parameters and limits; clears it |
//! | `POST /expire-tokens`, `POST /revoke-tokens`, `POST /close-channels` | at once |
//!
//! # How it is built
//! `world`, `channels`, `tokens`, `rest` and `socket` decide and know no socket and no clock;
//! `server` carries out, on the shells that every platform shares.

mod channels;
mod config;
pub mod fault;
mod fields;
mod greeting;
mod handle;
mod ledger;
mod lives;
mod oracle;
mod record;
mod rest;
mod server;
mod socket;
mod state;
mod talk;
mod tokens;
mod world;

pub use channels::ChannelStatus;
pub use config::{GenesysCloudConfig, OauthClient, OnTokenEnd};
pub use handle::GenesysCloud;
pub use ledger::{Due, DueFate, Fact, FactPage};
pub use oracle::{GenesysOracle, GenesysVerdict};
pub use record::{GenesysCounters, GenesysRequest};
pub use rest::Operation;
pub use tokens::GenesysCredentials;
pub use world::{
    Activity, AdherenceState, Change, Changed, ConversationState, InvalidChange, Media, QueueState,
    RoutingState, Stage, SystemPresence, UserState, WorldState,
};

#[cfg(test)]
mod tests;
