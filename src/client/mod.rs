//! The client loop: a subscription that survives restarts, drains and broken networks by resuming
//! after the last position it delivered.
//!
//! gRPC's own retry never resumes a stream that has delivered a message, so every reader needs this
//! loop. [`Machine`] holds its decisions and knows no network; [`Resuming`] runs it.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use tieline::client::{GapChoice, Item, Resuming};
//! use tieline::proto::v1;
//! use tieline::runtime::Rng;
//!
//! let request = v1::SubscribeRequest {
//!     start: Some(v1::subscribe_request::Start::Preset(v1::StartPreset::Earliest.into())),
//!     ..Default::default()
//! };
//! // What to do when the position is gone has to be decided, so it has to be said.
//! let on_gap = |_: &_| GapChoice::Stop;
//! let mut events = Resuming::new("127.0.0.1:7443".parse()?, request, on_gap, Rng::from_entropy())?;
//! while let Some(item) = events.next().await {
//!     if let Item::Response(response) = item? {
//!         // Handle `response.events`, then store `events.position()`.
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod address;
mod credentials;
mod error;
mod failure;
mod machine;
mod resuming;
#[cfg(any(test, feature = "testing"))]
mod simulated;
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
pub use target::{Calls, Target, host};
