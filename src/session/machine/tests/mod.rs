//! The machine under scripted inputs: no runtime, no socket, time moved by hand.

mod adversaries;
mod connecting;
mod fake;
mod liveness;
mod order;
mod polling;
mod property;
mod rig;
mod tokens;
mod unnumbered;
mod writing;
