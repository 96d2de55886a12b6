//! [`PushFault`]: what can go wrong at a platform that pushes.

use serde::{Deserialize, Serialize};

use crate::runtime::{ByteSize, HumanDuration};
use crate::sandbox::fault::{FaultKind, Malformation, TokenRefusal, faults};

/// No event is larger.
const LARGEST: ByteSize = ByteSize::from_mib(64);

faults! {
    PushFault, PushFaultName;
    /// A middlebox strips `Upgrade`: the handshake is answered as if it were a plain request.
    StripUpgrade "strip_upgrade" {
        /// 200, 400 or 426.
        #[serde(default = "ok")] status: u16,
    }
    /// A middlebox swallows the 101: the connection opens, and nothing ever comes.
    Swallow101 "swallow_101" {}
    /// The handshake is refused.
    RefuseHandshake "refuse_handshake" {
        /// 401, 403, 429, 503 …
        #[serde(default = "forbidden")] status: u16,
    }
    /// The handshake is taken, and then refused in a frame and closed.
    FrameError "frame_error" {
        /// The status in the frame.
        #[serde(default = "forbidden")] status: u16,
        /// The close code.
        #[serde(default = "policy")] code: u16,
    }
    /// The connection is reset.
    WebsocketReset "websocket_reset" {
        /// How long after it was opened.
        #[serde(default = "zero")] after: HumanDuration,
        /// Breaks off in the middle of a frame.
        #[serde(default)] mid_frame: bool,
    }
    /// The platform closes the WebSocket.
    WebsocketClose "websocket_close" {
        /// The close code; 1006 ends the connection without a close frame.
        #[serde(default = "going_away")] code: u16,
        /// The reason.
        #[serde(default)] reason: String,
        /// How long after it was opened.
        #[serde(default = "zero")] after: HumanDuration,
    }
    /// The connection stays open and not a byte moves on it any more, until the fault is cleared.
    Freeze "freeze" {}
    /// Pings are not answered; events flow.
    DropPongs "drop_pongs" {}
    /// Nothing is sent but answers to pings: no event, no acknowledgement. Events wait.
    Silence "silence" {}
    /// Heartbeats are taken and not acknowledged.
    DropAcknowledgements "drop_acknowledgements" {}
    /// Acknowledgements are late.
    LateAcknowledgements "late_acknowledgements" {
        /// By this.
        #[serde(default = "second")] delay: HumanDuration,
    }
    /// The gateway refuses a heartbeat, whatever it says.
    RefuseHeartbeat "refuse_heartbeat" {}
    /// An event is sent twice on one connection.
    Duplicate "duplicate" {}
    /// A new connection is first sent what the one before it was sent last.
    RepeatOnConnect "repeat_on_connect" {
        /// How many events.
        #[serde(default = "five")] events: u32,
    }
    /// An event is lost within the platform.
    DropEvent "drop_event" {}
    /// An event is JSON, but no event.
    MalformedEvent "malformed_event" {
        /// What is wrong with it.
        #[serde(default)] form: Malformation,
    }
    /// A frame is a page of HTML.
    NotJson "not_json" {}
    /// An event is larger than anybody expects.
    OversizeEvent "oversize_event" {
        /// The size of its data.
        #[serde(default = "five_mib")] size: ByteSize,
    }
    /// The token endpoint is down.
    TokenDown "token_down" {
        /// What it answers.
        #[serde(default = "unavailable")] status: u16,
    }
    /// The token endpoint takes its time.
    TokenSlow "token_slow" {
        /// How long.
        #[serde(default = "five_seconds")] delay: HumanDuration,
    }
    /// The token endpoint refuses.
    TokenError "token_error" {
        /// With what.
        #[serde(default)] error: TokenRefusal,
    }
    /// Every token issued so far stops being valid. Strikes once, at once.
    ExpireTokensNow "expire_tokens_now" {}
    /// Every answer and every frame is late.
    Latency "latency" {
        /// By at least this.
        #[serde(default = "second")] delay: HumanDuration,
        /// And at most this more.
        #[serde(default = "zero")] jitter: HumanDuration,
    }
    /// Connections are refused; those that are open are reset.
    PlatformDown "platform_down" {}
    /// Connections beyond this number are closed as soon as they are made.
    ConnectionLimit "connection_limit" {
        /// How many may be open.
        #[serde(default = "one")] max: u32,
    }
}

impl FaultKind for PushFault {
    type Name = PushFaultName;

    fn name(&self) -> PushFaultName {
        self.name()
    }

    fn durations(&self) -> Vec<HumanDuration> {
        match self {
            Self::WebsocketReset { after, .. } | Self::WebsocketClose { after, .. } => vec![*after],
            Self::TokenSlow { delay } | Self::LateAcknowledgements { delay } => vec![*delay],
            Self::Latency { delay, jitter } => vec![*delay, *jitter],
            _ => Vec::new(),
        }
    }

    fn problem(&self) -> Option<String> {
        match self {
            Self::StripUpgrade { status }
            | Self::RefuseHandshake { status }
            | Self::FrameError { status, .. }
            | Self::TokenDown { status }
                if !(200..=599).contains(status) =>
            {
                Some(format!("status is {status}; it lies between 200 and 599"))
            }
            Self::WebsocketClose { code, .. } | Self::FrameError { code, .. }
                if !(1000..=4999).contains(code) =>
            {
                Some(format!("code is {code}; it lies between 1000 and 4999"))
            }
            Self::WebsocketClose { reason, .. } if reason.len() > 123 => {
                Some("a close reason has at most 123 bytes".to_owned())
            }
            Self::OversizeEvent { size } if *size > LARGEST => {
                Some(format!("{size} is too large; at most {LARGEST}"))
            }
            _ => None,
        }
    }
}

const fn ok() -> u16 {
    200
}

const fn forbidden() -> u16 {
    403
}

const fn unavailable() -> u16 {
    503
}

const fn going_away() -> u16 {
    1001
}

const fn policy() -> u16 {
    1008
}

const fn one() -> u32 {
    1
}

const fn five() -> u32 {
    5
}

const fn zero() -> HumanDuration {
    HumanDuration::from_secs(0)
}

const fn second() -> HumanDuration {
    HumanDuration::from_secs(1)
}

const fn five_seconds() -> HumanDuration {
    HumanDuration::from_secs(5)
}

const fn five_mib() -> ByteSize {
    ByteSize::from_mib(5)
}
