//! One live upstream: the engine that owns its connections, its order and its gaps.
//!
//! [`machine`] decides, [`ordering`] orders, the driver does what it is told. The journal stands
//! between a session and its readers: what is not durable is not seen.

mod callers;
mod config;
mod driver;
mod error;
mod guests;
mod health;
mod inbox;
pub mod machine;
mod measures;
mod metrics;
pub mod ordering;
pub mod outbound;
mod planner;
mod socket;
mod status;
mod supervisor;
mod template;
#[cfg(test)]
mod tests;
mod topics;
mod vitals;
mod waiting;

pub use config::{BackoffConfig, SessionConfig, TimingConfig, TransportChoice};
pub use error::{DriverError, StartError, StateError};
pub use guests::{
    CloseProblem, CreateProblem, Guests, GuestsParts, GuestsRunner, Renewal, Renewals,
    TemplateParts, is_record_of,
};
pub use health::{Checked, HealthDesk, HealthReport};
pub use measures::{CloseClass, GapCause, HistoryOutcome, SessionMeasures, close_class};
pub use metrics::{SessionStats, StatsSnapshot};
pub use status::{BoardSlot, Detail, Owner, Post, SessionBoard, Sources};
pub use supervisor::{SessionParts, Supervisor, SupervisorHandle, SupervisorParts};
pub use template::SessionTemplateConfig;
pub use topics::{AgentConfig, OneOrMany, SelectorConfig, TopicConfig};
pub use vitals::{Loss, MOST_TRANSITIONS, Outcome, Story, Transition, Vitals};
