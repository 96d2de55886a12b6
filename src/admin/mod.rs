//! The health listener: `/livez`, `/readyz`, `/startupz`, `/metrics`, and gRPC health on the same port. No data.
//!
//! Neither startup nor readiness looks at a platform: an outage there must not take the pod down.

mod health;
mod server;
#[cfg(test)]
mod tests;

pub use health::{metrics, router};
pub use server::{HealthServer, ServeError};
