//! Platforms that number nothing and replay nothing: Genesys Cloud notifications and CXone agent
//! sessions, each against its simulation.

mod cxone;
mod genesys;
pub(crate) mod stage;
mod together;
