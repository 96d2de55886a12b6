//! The shells: sockets, tasks and time around the decisions of a platform. What serves every platform
//! is generic over [`Simulated`]; the rest is that of genesys-events.

mod control;
mod core;
mod door;
mod drivers;
mod entrance;
mod http;
mod hub;
mod link;
mod loopback;
mod poll;
mod request;
mod tls;
mod websocket;

pub(super) use self::core::Core;
pub(super) use control::serve as serve_control;
#[cfg(any(test, feature = "testing"))]
pub use door::Arriving;
#[cfg(any(test, feature = "testing"))]
pub(super) use door::serve_incoming;
pub(super) use door::{Dialect, serve as serve_platform};
pub(super) use drivers::{generate, issue, keep_time, play, until_then};
pub(super) use entrance::Entrance;
pub(super) use http::{Body, Broken, ResetOnPurpose, broken, response};
pub(super) use hub::{Effect, FaultDesk, Hub, Simulated};
pub(super) use link::Link;
pub(super) use loopback::{Problem, bad, serve as serve_loopback};
pub(super) use request::{Unread, bearer, converse, header, read};
pub(super) use websocket::{Side, run as run_websocket};
