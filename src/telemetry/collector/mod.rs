//! What traces and figures share on their way to a collector: the standard variables, TLS, and what
//! operators are told of it.

mod outcome;
mod tls;
mod variables;

pub use self::outcome::Outcomes;
pub(super) use self::tls::{Problem, TlsFiles};
pub(super) use self::variables::{BadValue, Get, Protocol, Variables};
