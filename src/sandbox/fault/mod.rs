//! [`Fault`]: what can go wrong at the platform or on the way to it, each a named, typed value.

mod parameter;
mod rule;
mod table;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use parameter::{Malformation, On, Portion, TokenRefusal};
pub use rule::{FaultRule, InvalidFault, Limit};
pub use table::FaultStatus;
pub(crate) use table::{FaultTable, Occasions};

use crate::runtime::{ByteSize, HumanDuration};

/// Writes the enum of faults, the enum of their names, and the table between them.
macro_rules! faults {
    ($( $(#[$doc:meta])* $variant:ident $name:literal { $( $(#[$field_doc:meta])* $field:ident : $kind:ty ),* $(,)? } )*) => {
        /// Something that goes wrong, with its parameters. In JSON and YAML the name stands in
        /// the key `fault`, the parameters beside it.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "fault", deny_unknown_fields)]
        pub enum Fault {
            $( $(#[$doc])* #[serde(rename = $name)] $variant { $( $(#[$field_doc])* $field: $kind ),* } ),*
        }

        /// The name of a [`Fault`]: one rule may be in force for each.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum FaultName {
            $( $(#[$doc])* #[serde(rename = $name)] $variant ),*
        }

        impl FaultName {
            /// Every name.
            pub const ALL: &[Self] = &[ $( Self::$variant ),* ];

            /// The name as it is written.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $name ),* }
            }
        }

        impl Fault {
            /// Its name.
            #[must_use]
            pub const fn name(&self) -> FaultName {
                match self { $( Self::$variant { .. } => FaultName::$variant ),* }
            }
        }
    };
}

faults! {
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

/// A name that no fault has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a fault; faults are {list}", list = names())]
pub struct UnknownFault(String);

fn names() -> String {
    let names: Vec<_> = FaultName::ALL.iter().map(|name| name.as_str()).collect();
    names.join(", ")
}

impl FromStr for FaultName {
    type Err = UnknownFault;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut all = Self::ALL.iter().copied();
        all.find(|name| name.as_str() == text)
            .ok_or_else(|| UnknownFault(text.to_owned()))
    }
}

impl fmt::Display for FaultName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Fault {
    /// In force until it is cleared or has struck `count` times.
    #[must_use]
    pub fn times(self, count: u64) -> FaultRule {
        FaultRule::from(self).times(count)
    }

    /// In force for this long.
    #[must_use]
    pub fn during(self, duration: std::time::Duration) -> FaultRule {
        FaultRule::from(self).during(duration)
    }

    /// Strikes by chance.
    #[must_use]
    pub fn with_probability(self, probability: f64) -> FaultRule {
        FaultRule::from(self).with_probability(probability)
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
