//! The shells of Genesys Cloud: sockets, time and the control API around its decisions.

mod control;
mod core;
mod http;

pub(super) use self::core::{Core, clockwork};
pub(super) use control::routes;
