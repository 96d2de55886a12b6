//! The shells: the connections and the clock around the decisions in `platform`.

mod control;
mod core;
mod http;
mod poll;

pub(super) use self::core::{Core, end_idle_sessions};
pub(super) use control::routes;
