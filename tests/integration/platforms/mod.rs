//! Every platform against its simulation: those with connectors of their own, and those that are
//! profiles, built in or written for a vendor of one's own.

mod custom;
mod cxone;
mod genesys;
mod push;
mod realtime;
pub(crate) mod stage;
mod together;
