//! What the console and `tieline top` show: [`Status`], the document at `/admin/v1/status`, and
//! [`Overview`], which makes it. No secret, header, payload or environment is in it.

mod model;
mod overview;
mod reload;

pub use model::{
    Attention, Distribution, JournalStatus, LossStatus, ProcessStatus, SessionStatus, Status,
    SubscriberStatus, TransitionStatus,
};
pub use overview::{Latencies, Overview, OverviewParts};
pub use reload::LastReload;

/// What the document calls its form. Within it, fields are only ever added.
pub const SCHEMA: &str = "tieline.status/v1";
