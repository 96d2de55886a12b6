//! [`ConnectionStats`]: what became of connections, and of calls that were refused before any service
//! saw them.

use crate::runtime::{Counter, Counters, Counts, Gauge};

crate::runtime::label!(
    /// Why a connection was closed as soon as it was there.
    pub(super) Refused {
        /// As many are open as may be, and all of them are in use.
        Connections = "connections",
        /// As many of this peer.
        PeerConnections = "peer_connections",
        /// Its peer connects faster than it may.
        PeerRate = "peer_rate",
    }
);

crate::runtime::label!(
    /// Why a connection was ended that its peer held.
    pub(in crate::grpc) Cut {
        /// It did not say what it speaks.
        FirstWords = "first_words",
        /// It had no call for long.
        Idle = "idle",
        /// It had no call, and another needed its place.
        MadeRoom = "made_room",
        /// It sent too many frames that carry nothing.
        ControlFrames = "control_frames",
        /// It broke the protocol, or one of the bounds of it.
        Protocol = "protocol",
        /// It reached its planned age.
        MaxAge = "max_age",
        /// Its certificate is not trusted any more.
        Certificate = "certificate",
    }
);

crate::runtime::label!(
    /// Why a call was refused.
    pub(in crate::grpc) CallRefused {
        /// Its peer has as many calls open as it may.
        PeerStreams = "peer_streams",
        /// Its request did not arrive in time.
        RequestTimeout = "request_timeout",
        /// Its path or its authority is none.
        Malformed = "malformed",
        /// A page of an origin that is not allowed made it.
        Origin = "origin",
        /// A browser made it under a name that is not known here.
        Host = "host",
        /// It is made as browsers do, and no origin is allowed.
        Web = "web",
        /// Its principal has sent as much in a minute as it may.
        Sends = "principal_sends",
    }
);

/// What became of connections since the start.
#[derive(Debug, Default)]
pub struct ConnectionStats {
    pub(super) open: Gauge,
    pub(super) accepted: Counter,
    pub(super) refused: Counters<Refused>,
    cut: Counters<Cut>,
    calls_refused: Counters<CallRefused>,
}

/// All of it, as of one moment.
#[derive(Debug, Clone)]
pub struct ConnectionSnapshot {
    /// Connections that are open.
    pub open: u64,
    /// Those that were given a place.
    pub accepted: u64,
    /// Those that were not, by reason.
    pub refused: Counts,
    /// Those that were ended although their peer held them, by reason.
    pub cut: Counts,
    /// Calls that were refused for their peer, their page or their principal's quota, by reason.
    pub calls_refused: Counts,
}

impl ConnectionStats {
    pub(in crate::grpc) fn cut(&self, reason: Cut) {
        self.cut.one(reason);
    }

    pub(in crate::grpc) fn call_refused(&self, reason: CallRefused) {
        self.calls_refused.one(reason);
    }

    /// All of it, as of now.
    #[must_use]
    pub fn snapshot(&self) -> ConnectionSnapshot {
        ConnectionSnapshot {
            open: self.open.get(),
            accepted: self.accepted.get(),
            refused: self.refused.snapshot(),
            cut: self.cut.snapshot(),
            calls_refused: self.calls_refused.snapshot(),
        }
    }
}
