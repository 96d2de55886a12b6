//! The shells of a platform for guests, on those that every platform shares.

mod control;
mod core;
mod http;
mod time;

pub(super) use self::core::Core;
pub(super) use control::routes;
pub(super) use time::{keep_hours, restart, wake_all};
