//! The shells of a platform that pushes, on those that every platform shares.

mod control;
mod core;
mod http;

pub(super) use self::core::Core;
pub(super) use control::routes;
