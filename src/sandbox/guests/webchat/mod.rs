//! The words of genesys-webchat: guests are made over REST with an access token, and talk on a socket
//! of their instance, or over REST with the guest's own token.

mod hear;
mod rest;

pub(super) use hear::{hear, outbound, receipt};
