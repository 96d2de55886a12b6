//! The shells: sockets, tasks and time around the decisions in `platform`.

mod control;
mod core;
mod door;
mod drivers;
mod http;
mod link;
mod poll;
mod tls;
mod websocket;

pub(super) use self::core::Core;
pub(super) use control::serve as serve_control;
pub(super) use door::{bind, serve as serve_platform};
pub(super) use drivers::{generate, keep_time, play};
pub(super) use tls::authority;
