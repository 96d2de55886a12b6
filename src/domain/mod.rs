//! The words of the business as values: sequences, positions, names, times. No I/O, no clock.

mod ids;
mod position;
mod sequence;
mod time;
mod trace_context;

pub use ids::{
    InvalidName, JournalName, Platform, SessionName, SubscriptionName, TemplateName, uuid,
    uuid_from_text,
};
pub use position::{Epoch, InvalidPosition, Position};
pub use sequence::Sequence;
pub use time::WallTime;
pub use trace_context::TraceContext;
