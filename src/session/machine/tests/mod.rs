//! The machine under scripted inputs: no runtime, no socket, time moved by hand.

mod adversaries;
mod answers;
mod connecting;
mod doubt;
pub(in crate::session) mod fake;
mod families;
mod history;
mod lifecycle;
mod liveness;
mod order;
mod paths;
mod permission;
mod polling;
mod present_state;
mod property;
mod redundancy;
mod rig;
mod sending;
mod snapshots;
mod tokens;
mod traces;
mod trouble;
mod unnumbered;
mod windows;
mod writing;
