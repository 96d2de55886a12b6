//! The refresher against a scripted endpoint, under paused time.

mod canary;
mod endpoint;
mod password;
mod refresher;
mod storms;
