//! The outside world as values: clock, chance, tasks, drain, secrets.

mod backoff;
mod clock;
mod connection;
mod crew;
mod drain;
mod histogram;
mod measure;
mod offload;
mod open_files;
mod planted;
mod readiness;
mod reload_status;
mod rng;
mod secret;
mod secret_source;
mod signal;
mod tasks;
mod units;

pub use backoff::Backoff;
pub use clock::{Clock, MonoTime};
pub use connection::Connection;
pub use crew::{Crew, Lost};
pub use drain::{Drain, DrainTrigger, drain};
pub use histogram::{Histogram, Scale, Tally, approximate};
pub(crate) use measure::label;
pub use measure::{Counter, Counters, Counts, Gauge, Label};
pub use offload::offload;
pub use open_files::{open_files, raise_open_files};
pub use planted::Mistake;
#[cfg(any(test, feature = "testing"))]
pub use planted::Planted;
pub use readiness::{Latch, Readiness};
pub use reload_status::{ReloadOutcome, ReloadReport, ReloadState, ReloadStatus};
pub use rng::Rng;
pub use secret::Secret;
pub use secret_source::{SecretError, SecretSource};
pub use signal::{EndSignals, Hangups};
pub use tasks::{TaskFailure, TaskKind, TaskSet};
pub use units::{ByteSize, HumanDuration, InvalidUnit};

pub use crate::domain::WallTime;
