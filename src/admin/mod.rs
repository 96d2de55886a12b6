//! Two doors for operators. The health listener: `/livez`, `/readyz`, `/startupz`, `/metrics`, and gRPC
//! health on the same port; no data. The admin listener: the console, the status, the live tail and
//! `AdminService`; over TCP nothing can be changed.
//!
//! Neither startup nor readiness looks at a platform: an outage there must not take the pod down.

mod connection;
mod door;
mod health;
mod listener;
mod live;
mod page;
mod problem;
mod routes;
mod server;
mod status;
mod tail;
#[cfg(test)]
mod tests;

pub use door::Door;
pub use health::{metrics, router};
pub use listener::AdminServer;
pub use routes::{Console, ConsoleParts, LogControl};
pub use server::{HealthServer, ServeError};
pub use status::{
    Attention, Distribution, JournalStatus, LastReload, Latencies, LossStatus, Overview,
    OverviewParts, ProcessStatus, SCHEMA, SessionStatus, Status, SubscriberStatus,
    TransitionStatus,
};
