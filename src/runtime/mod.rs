//! The outside world as values: clock, chance, tasks, drain, secrets.

mod backoff;
#[cfg(feature = "sidecar")]
mod clock;
mod connection;
#[cfg(feature = "sidecar")]
mod crew;
#[cfg(feature = "sidecar")]
mod drain;
#[cfg(feature = "sidecar")]
mod exemplar;
#[cfg(feature = "sidecar")]
mod histogram;
#[cfg(feature = "sidecar")]
mod measure;
mod offload;
#[cfg(feature = "sidecar")]
mod open_files;
mod planted;
#[cfg(feature = "sidecar")]
mod readiness;
#[cfg(feature = "sidecar")]
mod reload_status;
mod rng;
mod secret;
mod secret_source;
#[cfg(feature = "sidecar")]
mod signal;
#[cfg(feature = "sidecar")]
mod tasks;
#[cfg(feature = "sidecar")]
mod units;

pub use backoff::Backoff;
#[cfg(feature = "sidecar")]
pub use clock::{Clock, MonoTime};
pub use connection::Connection;
#[cfg(feature = "sidecar")]
pub use crew::{Crew, Lost};
#[cfg(feature = "sidecar")]
pub use drain::{Drain, DrainTrigger, drain};
#[cfg(feature = "sidecar")]
pub use exemplar::Exemplar;
#[cfg(feature = "sidecar")]
pub use histogram::{Histogram, Scale, Tally, approximate};
#[cfg(feature = "sidecar")]
pub use measure::{Counter, Counters, Counts, Gauge, Label, Measured};
#[cfg(feature = "sidecar")]
pub(crate) use measure::{label, measures};
pub use offload::offload;
#[cfg(feature = "sidecar")]
pub use open_files::{open_files, raise_open_files};
pub use planted::Mistake;
#[cfg(any(test, feature = "testing"))]
pub use planted::Planted;
#[cfg(feature = "sidecar")]
pub use readiness::{Latch, Readiness};
#[cfg(feature = "sidecar")]
pub use reload_status::{ReloadOutcome, ReloadReport, ReloadState, ReloadStatus};
pub use rng::Rng;
pub use secret::Secret;
pub use secret_source::{SecretError, SecretSource};
#[cfg(feature = "sidecar")]
pub use signal::{EndSignals, Hangups};
#[cfg(feature = "sidecar")]
pub use tasks::{TaskFailure, TaskKind, TaskSet};
#[cfg(feature = "sidecar")]
pub use units::{ByteSize, HumanDuration, InvalidUnit};

#[cfg(feature = "sidecar")]
pub use crate::domain::WallTime;
