//! The words of genesys-web-messaging: one WebSocket on which everything is asked in frames with an
//! `action` and answered in envelopes with a `class`, and the history over REST.

mod attachments;
mod frames;
mod hear;
mod jwt;
mod rest;
mod session;
mod signals;
mod structured;

pub(super) use attachments::Upload;
pub(super) use frames::{broken, connection_closed, session_cleared, session_expired};
pub(super) use hear::hear;
pub(super) use jwt::Desk;
pub(super) use structured::{echo, outbound};
