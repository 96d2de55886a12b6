//! What every test here stands on: a stage with a platform and a sidecar, and readers with oracles.

mod authority;
mod canary;
mod proxy;
mod reader;
mod sidecar;
mod stage;
mod witness;

use std::time::Duration;

pub(crate) use authority::Authority;
pub(crate) use canary::keep_secret;
pub(crate) use proxy::{Conduct, Proxy};
pub(crate) use reader::Reader;
pub(crate) use sidecar::{SESSION, Sidecar, get, write_private, write_secret};
pub(crate) use stage::{Stage, quick};
pub(crate) use witness::Witness;

/// No single step of a test takes longer, unless it hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
