//! The client loop: a subscription that survives restarts, drains and broken networks by resuming
//! after the last position it delivered.
//!
//! gRPC's own retry never resumes a stream that has delivered a message, so every reader needs this
//! loop. [`Machine`] holds its decisions and knows no network; [`Resuming`] runs it; a [`Subscriber`]
//! adds what an application needs: a position that is kept, batches, and an end.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use tieline::client::{FileStore, GapChoice, Start, Subscriber};
//!
//! let sidecar = "unix:/run/tieline/tieline.sock".parse()?;
//! // Where to begin, and what to do when the position is gone, have to be decided, so they have to be said.
//! Subscriber::new(sidecar, Start::Earliest, |_gone| GapChoice::Earliest)
//!     .store(FileStore::new("position"))
//!     .run(async |batch| {
//!         for event in batch.events {
//!             println!("{} {}", event.sequence, event.r#type);
//!         }
//!         Ok::<_, std::io::Error>(())
//!     })
//!     .await?;
//! # Ok(())
//! # }
//! ```
//!
//! With the feature `traces` each batch is handled within a span, `process journals/…`, of
//! OpenTelemetry's global tracer, joined by links to the spans in which its events were created.

mod address;
mod credentials;
mod error;
mod failure;
mod machine;
#[cfg(feature = "traces")]
mod process;
mod resuming;
#[cfg(any(test, feature = "testing"))]
mod simulated;
mod store;
mod subscriber;
mod target;
#[cfg(test)]
mod tests;

pub use address::{Address, InvalidAddress};
pub use credentials::Credentials;
pub use error::{ResumeError, Violation};
pub use failure::{Failure, Refusal, Unavailable};
pub use machine::{Decision, GapChoice, Machine};
pub use resuming::{Interruption, Item, Resuming};
#[cfg(any(test, feature = "testing"))]
pub use simulated::SimulatedAddress;
pub use store::{FileStore, Store};
pub use subscriber::{Batch, Start, Subscriber, SubscriberError};
pub use target::{Calls, Target, host};
