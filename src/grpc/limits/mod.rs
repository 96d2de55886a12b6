//! What any peer may do to the listener: places for connections and calls, how long they may stay, and
//! what they may send besides calls.
//!
//! What hyper 1.12 and h2 0.4.20 give, so that nothing here does it again (`super::server` sets it):
//!
//! | attack | bound | where |
//! |---|---|---|
//! | rapid reset | 20 resets of calls that were not yet taken up | `max_pending_accept_reset_streams` |
//! | errors that make us reset, calls beyond the streams allowed | 128 for each connection | `max_local_error_reset_streams` |
//! | CONTINUATION flood | by the header list and the frame size; then ENHANCE_YOUR_CALM | h2 `codec/framed_read` |
//! | HPACK bomb, large headers | 16 KiB decoded: 431; four times that: ENHANCE_YOUR_CALM. Table 4 KiB | `max_header_list_size`, `header_table_size` |
//! | small DATA frames | a budget of half the connection's window | h2 `proto/streams/counts` |
//! | PING, SETTINGS that are not read | one acknowledgement waits, and until it has left nothing is read | h2 `proto/ping_pong`, `proto/settings` |
//! | windows beyond 2³¹ | FLOW_CONTROL_ERROR | h2 `proto/streams/flow_control` |
//! | a peer that is gone | pings every 20 s, 60 s for an answer, whether calls are open or not | hyper `proto/h2/ping` |
//! | an HTTP/1.1 head that dribbles in | ten seconds, where browsers are let in | `header_read_timeout` |
//!
//! What they do not give, and what is here: a deadline for the preface and for a request as a whole
//! ([`mod@patient`]), places for connections in all and for each peer, with a rate ([`places`]), the end of
//! connections that are idle or old ([`stay`]), and a price for frames that carry nothing, of which h2
//! answers any number ([`meter`]): PING, SETTINGS, PRIORITY, windows opened by a byte.

mod admitted;
mod bucket;
mod hall;
mod meter;
mod metered;
mod patient;
mod places;
mod stats;
mod stay;

use std::time::Duration;

pub(super) use self::admitted::{Admit, Admitted};
pub(super) use self::bucket::Bucket;
pub(super) use self::hall::{Crowded, Hall};
pub(super) use self::metered::Metered;
pub(super) use self::patient::patient;
pub(super) use self::places::Whence;
pub(super) use self::stats::{CallRefused, Cut};
pub use self::stats::{ConnectionSnapshot, ConnectionStats};
pub(super) use self::stay::{Stay, Verdict};

/// How long a connection may take for its first words: the preface of HTTP/2, the head of a request
/// of HTTP/1.1.
pub(super) const FIRST_WORDS: Duration = Duration::from_secs(10);
/// How long a connection without a call is kept. The client libraries connect anew by themselves.
const IDLE: Duration = Duration::from_secs(300);

/// Bounds on connections and calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerLimits {
    /// Connections at once, over all sockets.
    pub connections: usize,
    /// Streams at once on one connection.
    pub streams_per_connection: u32,
    /// Of one peer.
    pub per_peer: PeerLimits,
    /// How long a connection without a call is kept.
    pub idle: Duration,
    /// When a connection is asked to go, give or take a tenth; its calls may end first.
    pub max_connection_age: Option<Duration>,
}

/// Bounds on one peer: an address, or a user of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerLimits {
    /// Connections at once.
    pub connections: usize,
    /// Calls at once, streams among them.
    pub streams: usize,
    /// New connections in a second, once `connections` of them came in a burst.
    pub connections_per_second: u32,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            connections: 2048,
            streams_per_connection: 1024,
            per_peer: PeerLimits::default(),
            idle: IDLE,
            max_connection_age: None,
        }
    }
}

impl Default for PeerLimits {
    fn default() -> Self {
        Self {
            connections: 1024,
            streams: 2048,
            connections_per_second: 200,
        }
    }
}
