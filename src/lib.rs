//! Tieline owns the upstream sessions of contact-centre platforms and serves what they send as one
//! resumable stream of numbered events.
//!
//! # The promise
//!
//! Every event that the platform sent is delivered, once and in order, or a durable record says what
//! may be missing, when and why. The rest of the crate exists to keep that sentence true while
//! sockets break, proxies strip `Upgrade`, tokens expire, disks fill up and processes are killed.
//!
//! # The path of an event
//!
//! ```text
//!  platform ──WebSocket / long poll──▶ net ──frames──▶ connectors   what does it say?
//!                                                         │ batches
//!                                       auth ─tokens─▶ session      is it new, in order, complete?
//!                                                         │ commits: events + position + open gaps
//!                                                      journal      synced, then visible
//!                                                         │ the bytes as they were written
//!                                                        feed       ring for the live, disk for the late
//!                                                         │
//!                                                        grpc ──Subscribe──▶ readers
//! ```
//!
//! `session` and `feed` never meet: the journal stands between them, so a reader can only see what a
//! crash can no longer take back. An event is encoded once, in [`journal`]; those bytes are what the
//! disk holds, what the ring shares and what goes on the wire.
//!
//! # Layers
//!
//! A module imports only from the layers above it in this table; `tests/architecture` enforces it.
//!
//! | layer | modules | what they are |
//! |---|---|---|
//! | 0 | [`domain`], [`proto`], [`runtime`], [`telemetry`] | words, the contract, time and chance, log and traces |
//! | 1 | [`journal`], [`net`], [`auth`] | the log, bytes in and out, tokens |
//! | 2 | [`connectors`] | a platform's dialect: pure functions and data |
//! | 3 | [`session`], [`feed`], [`sandbox`] | one live upstream, fan-out, simulated platforms |
//! | 4 | [`grpc`], [`admin`], [`client`] | the API, health over HTTP, the resuming reader |
//! | 5 | [`config`] | load, layer, check |
//! | 6 | [`app`], [`cli`] | wiring, commands |
//!
//! Decisions are made in pure state machines that take time, frames and chance as input
//! (`session::machine`, `session::ordering`, `auth::schedule`, `feed::subscription`,
//! `client::decision`); beside each stands a shell that does the I/O and decides nothing.
//!
//! # Features
//!
//! `sidecar`, the default, is all of it. An application that reads takes `client` alone
//! (`default-features = false`): [`client`], [`proto`] and what of [`runtime`] they need, without
//! anything that serves. `traces` gives it a span for what it handles.

#[cfg(feature = "sidecar")]
pub mod admin;
#[cfg(feature = "sidecar")]
pub mod app;
#[cfg(feature = "sidecar")]
pub mod auth;
#[cfg(feature = "sidecar")]
pub mod cli;
#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "sidecar")]
pub mod config;
#[cfg(feature = "sidecar")]
pub mod connectors;
#[cfg(feature = "sidecar")]
pub mod domain;
#[cfg(feature = "sidecar")]
pub mod feed;
#[cfg(feature = "sidecar")]
pub mod grpc;
#[cfg(feature = "sidecar")]
pub mod journal;
#[cfg(feature = "sidecar")]
pub mod net;
pub mod proto;
#[cfg(feature = "client")]
pub mod runtime;
#[cfg(feature = "sidecar")]
pub mod sandbox;
#[cfg(feature = "sidecar")]
pub mod session;
#[cfg(feature = "sidecar")]
pub mod telemetry;
#[cfg(all(feature = "sidecar", any(test, feature = "testing")))]
pub mod testing;
