//! [`Fault`]: what can go wrong at the platform or on the way to it, each a named, typed value.

mod declare;
mod kind;
mod parameter;
mod rule;
mod table;

use serde::{Deserialize, Serialize};

pub(in crate::sandbox) use declare::faults;
pub use kind::{FaultKind, FaultNames, UnknownFault};
pub use parameter::{Malformation, On, Portion, TokenRefusal};
pub use rule::{FaultRule, InvalidFault, Limit};
pub use table::FaultStatus;
pub(crate) use table::{FaultTable, Occasions};

use crate::runtime::{ByteSize, HumanDuration};

/// No event is larger.
const LARGEST: ByteSize = ByteSize::from_mib(64);
/// No event falls back further.
const DEEPEST: u32 = 10_000;

faults! {
    Fault, FaultName;
    /// A middlebox strips `Upgrade`: the handshake is answered as if it were a plain request.
    StripUpgrade "strip_upgrade" {
        /// 200, 400 or 426.
        #[serde(default = "status::ok")] status: u16,
    }
    /// A middlebox swallows the 101: the connection opens, and nothing ever comes.
    Swallow101 "swallow_101" {}
    /// The WebSocket's connection is reset.
    WebsocketReset "websocket_reset" {
        /// How long after the subscription; at once for those that are older.
        #[serde(default = "zero")] after: HumanDuration,
        /// Breaks off in the middle of a frame.
        #[serde(default)] mid_frame: bool,
    }
    /// The platform closes the WebSocket.
    WebsocketClose "websocket_close" {
        /// The close code; 1006 ends the connection without a close frame.
        #[serde(default = "going_away")] code: u16,
        /// The reason in the close frame.
        #[serde(default)] reason: String,
        /// How long after the subscription; at once for those that are older.
        #[serde(default = "zero")] after: HumanDuration,
    }
    /// The connection stays open and not a byte moves on it any more, until the fault is cleared.
    Freeze "freeze" {
        /// Which connections.
        #[serde(default)] transport: On,
    }
    /// Pings are not answered; events flow.
    DropPongs "drop_pongs" {}
    /// The subscription over WebSocket is refused in a frame, after a good handshake.
    FrameError "frame_error" {
        /// The status in the frame.
        #[serde(default = "status::forbidden")] status: u16,
    }
    /// What was sent is sent once more.
    Duplicate "duplicate" {
        /// One event inside its batch, or the whole batch.
        #[serde(default)] what: Portion,
    }
    /// Events overtake each other by up to `depth` places.
    Reorder "reorder" {
        /// How far an event may fall back.
        #[serde(default = "three")] depth: u32,
    }
    /// A number is given to an event that is never delivered.
    Skip "skip" {
        /// Whether the history has it.
        #[serde(default = "yes")] history: bool,
    }
    /// An event is delivered only after `after` later ones, or when the fault is cleared.
    Late "late" {
        /// How many others go first.
        #[serde(default = "three")] after: u32,
    }
    /// The numbering starts again at 1; what was kept is forgotten. Strikes once, at once.
    RestartNumbering "restart_numbering" {}
    /// A poll is answered with an error.
    PollStatus "poll_status" {
        /// Which: 401, 403, 408, 429, 500, 502, 503, 504 …
        #[serde(default = "status::bad_gateway")] status: u16,
        /// `Retry-After` as it is written there: seconds or an HTTP date.
        #[serde(default)] retry_after: Option<String>,
        /// How long the poll is held before.
        #[serde(default = "zero")] after: HumanDuration,
    }
    /// The connection is reset while a poll is held.
    PollResetInHold "poll_reset_in_hold" {
        /// How long the poll is held before.
        #[serde(default = "zero")] after: HumanDuration,
    }
    /// A poll's answer ends in the middle.
    TruncatedBody "truncated_body" {
        /// Whether the connection breaks there; else the length says that all is well.
        #[serde(default = "yes")] cut_connection: bool,
    }
    /// An answer that is a page of HTML: a poll's with status 200, or a frame of a WebSocket.
    NotJson "not_json" {
        /// Where.
        #[serde(default)] transport: On,
    }
    /// A poll is answered at once with 200 and no body.
    Empty200AtOnce "empty_200_at_once" {
        /// Answers with an empty batch instead.
        #[serde(default)] batch: bool,
    }
    /// An event is issued that is larger than anybody expects.
    OversizeEvent "oversize_event" {
        /// The size of its `data`.
        #[serde(default = "five_mib")] size: ByteSize,
    }
    /// An event is issued that is JSON, but no event.
    MalformedEvent "malformed_event" {
        /// What is wrong with it.
        #[serde(default)] form: Malformation,
    }
    /// The token endpoint is down.
    TokenDown "token_down" {
        /// What it answers.
        #[serde(default = "status::unavailable")] status: u16,
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
    /// The history is down.
    HistoryDown "history_down" {
        /// What it answers.
        #[serde(default = "status::unavailable")] status: u16,
    }
    /// The history does not have what is asked for.
    HistoryGone "history_gone" {
        /// 404 or 410.
        #[serde(default = "status::gone")] status: u16,
    }
    /// The history takes its time.
    HistorySlow "history_slow" {
        /// How long.
        #[serde(default = "five_seconds")] delay: HumanDuration,
    }
    /// The health request fails.
    HealthDown "health_down" {
        /// What it answers.
        #[serde(default = "status::unavailable")] status: u16,
    }
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

impl FaultKind for Fault {
    type Name = FaultName;

    fn name(&self) -> FaultName {
        self.name()
    }

    fn durations(&self) -> Vec<HumanDuration> {
        match self {
            Self::WebsocketReset { after, .. }
            | Self::WebsocketClose { after, .. }
            | Self::PollStatus { after, .. }
            | Self::PollResetInHold { after } => vec![*after],
            Self::TokenSlow { delay } | Self::HistorySlow { delay } => vec![*delay],
            Self::Latency { delay, jitter } => vec![*delay, *jitter],
            _ => Vec::new(),
        }
    }

    fn problem(&self) -> Option<String> {
        match self {
            Self::StripUpgrade { status }
            | Self::FrameError { status }
            | Self::PollStatus { status, .. }
            | Self::TokenDown { status }
            | Self::HistoryDown { status }
            | Self::HistoryGone { status }
            | Self::HealthDown { status }
                if !(200..=599).contains(status) =>
            {
                Some(format!("status is {status}; it lies between 200 and 599"))
            }
            Self::WebsocketClose { code, .. } if !(1000..=4999).contains(code) => {
                Some(format!("code is {code}; it lies between 1000 and 4999"))
            }
            Self::WebsocketClose { reason, .. } if reason.len() > 123 => {
                Some("a close reason has at most 123 bytes".to_owned())
            }
            Self::PollStatus {
                retry_after: Some(text),
                ..
            } if http::HeaderValue::from_str(text).is_err() => {
                Some("retry_after is not a header's value".to_owned())
            }
            Self::Reorder { depth: far } | Self::Late { after: far }
                if !(1..=DEEPEST).contains(far) =>
            {
                Some(format!("{far} is out of range; between 1 and {DEEPEST}"))
            }
            Self::OversizeEvent { size } if *size > LARGEST => {
                Some(format!("{size} is too large; at most {LARGEST}"))
            }
            _ => None,
        }
    }
}

/// Defaults of statuses.
mod status {
    pub(super) const fn ok() -> u16 {
        200
    }
    pub(super) const fn forbidden() -> u16 {
        403
    }
    pub(super) const fn gone() -> u16 {
        410
    }
    pub(super) const fn bad_gateway() -> u16 {
        502
    }
    pub(super) const fn unavailable() -> u16 {
        503
    }
}

const fn going_away() -> u16 {
    1001
}

const fn one() -> u32 {
    1
}

const fn three() -> u32 {
    3
}

const fn yes() -> bool {
    true
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
