//! The doors of `targets`, with the connectors that the conformance tests ask.

#[allow(dead_code, reason = "the conformance tests use the rest")]
#[path = "../conformance/kit.rs"]
mod kit;
pub mod targets;
