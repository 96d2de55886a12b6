//! [`GuestFault`]: what can go wrong at a platform for guests.

use serde::{Deserialize, Serialize};

use crate::runtime::HumanDuration;
use crate::sandbox::fault::{FaultKind, TokenRefusal, faults};

/// What a broken frame looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BrokenFrame {
    /// A page of HTML.
    #[default]
    NotJson,
    /// JSON that is no object.
    Scalar,
    /// An envelope whose fields have other types.
    WrongTypes,
    /// A class, or type, that nobody knows.
    UnknownClass,
}

faults! {
    GuestFault, GuestFaultName;
    /// A middlebox strips `Upgrade`: the handshake is answered as if it were a plain request.
    StripUpgrade "strip_upgrade" {
        /// 200, 400 or 426.
        #[serde(default = "status::ok")] status: u16,
    }
    /// A middlebox swallows the 101: the connection opens, and nothing ever comes.
    Swallow101 "swallow_101" {}
    /// The handshake is refused.
    RefuseHandshake "refuse_handshake" {
        /// 401, 403, 429, 502, 503 …
        #[serde(default = "status::forbidden")] status: u16,
        /// `Retry-After` as it is written there.
        #[serde(default)] retry_after: Option<String>,
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
    /// Pings are not answered; messages flow.
    DropPongs "drop_pongs" {}
    /// Nothing is sent but answers to pings. What is due waits.
    Silence "silence" {}
    /// Every answer and every frame is late.
    Latency "latency" {
        /// By at least this.
        #[serde(default = "second")] delay: HumanDuration,
        /// And at most this more.
        #[serde(default = "zero")] jitter: HumanDuration,
    }
    /// Connections are refused; those that are open are reset. Sessions are kept.
    PlatformDown "platform_down" {}
    /// Connections beyond this number are closed as soon as they are made.
    ConnectionLimit "connection_limit" {
        /// How many may be open.
        #[serde(default = "one")] max: u32,
    }
    /// The connection is reset instead of a message being read: it is not taken.
    CutBeforeTaking "cut_before_taking" {}
    /// A message is taken and the connection is reset: no echo, no acknowledgement, no answer.
    CutAfterTaking "cut_after_taking" {}
    /// A message is taken, and the connection is reset in the middle of the echo's frame.
    CutInEcho "cut_in_echo" {}
    /// The connection is reset instead of a message being read, and the message is taken later.
    LateArrival "late_arrival" {
        /// How much later.
        #[serde(default = "two_seconds")] after: HumanDuration,
        /// As soon as the history has been asked for, if that comes first: it was not in there yet.
        #[serde(default)] after_history: bool,
        /// Whether it is echoed to the sockets that the session has then.
        #[serde(default = "yes")] echo: bool,
    }
    /// The echo, or acknowledgement, of a message that was taken is late.
    LateEcho "late_echo" {
        /// By this.
        #[serde(default = "two_seconds")] delay: HumanDuration,
    }
    /// A message is taken and never echoed nor acknowledged.
    LostEcho "lost_echo" {}
    /// A message is refused as one too many, however few there were: 429 (in frames with 4029).
    Throttle "throttle" {
        /// After so many seconds it may come again.
        #[serde(default = "three")] retry_after: u32,
    }
    /// A message is answered with an error.
    MessageError "message_error" {
        /// Of the platform's list; over REST 400 for 4xxx, 500 for 5xxx.
        #[serde(default = "server_error")] code: u16,
        /// Whether it was taken nonetheless.
        #[serde(default)] taken: bool,
    }
    /// Frames with an error do not name the message that they are about.
    NamelessErrors "nameless_errors" {}
    /// The session expires when a message comes, which is not taken.
    ExpireSession "expire_session" {}
    /// A session is refused when it is configured, or its socket is opened.
    RefuseSession "refuse_session" {
        /// 4006, 4007, 4000, 401, 403, 5000 …; at a handshake 404 for 4xxx.
        #[serde(default = "session_expired")] code: u16,
    }
    /// The platform has forgotten the session when it is configured: a new conversation begins.
    ForgetSession "forget_session" {}
    /// A connection is told that another took its place, and closed.
    Supersede "supersede" {
        /// How long after it was opened.
        #[serde(default = "zero")] after: HumanDuration,
    }
    /// An echo that asks after health is never answered (web messaging).
    DropHealth "drop_health" {}
    /// A JWT is refused (web messaging).
    RefuseJwt "refuse_jwt" {
        /// 401, 403, 5000 …
        #[serde(default = "unauthorized")] code: u16,
    }
    /// Every JWT issued so far stops being valid. Strikes once, at once (web messaging).
    ExpireJwtsNow "expire_jwts_now" {}
    /// The history is down (web messaging).
    HistoryDown "history_down" {
        /// 429, 500, 503 …
        #[serde(default = "status::internal")] status: u16,
        /// `Retry-After` as it is written there.
        #[serde(default)] retry_after: Option<String>,
    }
    /// The history takes its time (web messaging).
    HistorySlow "history_slow" {
        /// How long.
        #[serde(default = "five_seconds")] delay: HumanDuration,
    }
    /// A message that was taken stands in the history only later (web messaging).
    HistoryLate "history_late" {
        /// How much later.
        #[serde(default = "five_seconds")] delay: HumanDuration,
    }
    /// An answer over REST ends in the middle.
    TruncatedBody "truncated_body" {}
    /// A message of the agent is sent twice.
    Duplicate "duplicate" {}
    /// A message of the agent is overtaken by the next one, or comes this much later.
    Reorder "reorder" {
        /// At the latest.
        #[serde(default = "two_seconds")] within: HumanDuration,
    }
    /// A message of the agent is not pushed though a socket is open; the history has it.
    LostPush "lost_push" {}
    /// A frame that nobody can read comes before a message of the agent.
    MalformedFrame "malformed_frame" {
        /// What it looks like.
        #[serde(default)] form: BrokenFrame,
    }
    /// A guest is refused (webchat).
    RefuseGuest "refuse_guest" {
        /// 403, 429, 500 …
        #[serde(default = "status::forbidden")] status: u16,
        /// `Retry-After` as it is written there.
        #[serde(default)] retry_after: Option<String>,
    }
    /// The token endpoint is down (webchat).
    TokenDown "token_down" {
        /// What it answers.
        #[serde(default = "status::unavailable")] status: u16,
    }
    /// The token endpoint takes its time (webchat).
    TokenSlow "token_slow" {
        /// How long.
        #[serde(default = "five_seconds")] delay: HumanDuration,
    }
    /// The token endpoint refuses (webchat).
    TokenError "token_error" {
        /// With what.
        #[serde(default)] error: TokenRefusal,
    }
    /// Every access token issued so far stops being valid. Strikes once, at once (webchat).
    ExpireTokensNow "expire_tokens_now" {}
}

impl FaultKind for GuestFault {
    type Name = GuestFaultName;

    fn name(&self) -> GuestFaultName {
        self.name()
    }

    fn durations(&self) -> Vec<HumanDuration> {
        match self {
            Self::WebsocketReset { after, .. }
            | Self::WebsocketClose { after, .. }
            | Self::LateArrival { after, .. }
            | Self::Supersede { after } => vec![*after],
            Self::LateEcho { delay }
            | Self::HistorySlow { delay }
            | Self::HistoryLate { delay }
            | Self::TokenSlow { delay } => vec![*delay],
            Self::Reorder { within } => vec![*within],
            Self::Latency { delay, jitter } => vec![*delay, *jitter],
            _ => Vec::new(),
        }
    }

    fn problem(&self) -> Option<String> {
        match self {
            Self::StripUpgrade { status }
            | Self::RefuseHandshake { status, .. }
            | Self::RefuseGuest { status, .. }
            | Self::HistoryDown { status, .. }
            | Self::TokenDown { status }
                if !(200..=599).contains(status) =>
            {
                Some(format!("status is {status}; it lies between 200 and 599"))
            }
            Self::WebsocketClose { code, .. } if !(1000..=4999).contains(code) => {
                Some(format!("code is {code}; it lies between 1000 and 4999"))
            }
            Self::MessageError { code, .. }
            | Self::RefuseSession { code }
            | Self::RefuseJwt { code }
                if !(400..=5999).contains(code) =>
            {
                Some(format!("code is {code}; it lies between 400 and 5999"))
            }
            Self::WebsocketClose { reason, .. } if reason.len() > 123 => {
                Some("a close reason has at most 123 bytes".to_owned())
            }
            Self::RefuseHandshake {
                retry_after: Some(text),
                ..
            }
            | Self::RefuseGuest {
                retry_after: Some(text),
                ..
            }
            | Self::HistoryDown {
                retry_after: Some(text),
                ..
            } if http::HeaderValue::from_str(text).is_err() => {
                Some("retry_after is not a header's value".to_owned())
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
    pub(super) const fn internal() -> u16 {
        500
    }
    pub(super) const fn unavailable() -> u16 {
        503
    }
}

const fn unauthorized() -> u16 {
    401
}

const fn session_expired() -> u16 {
    4006
}

const fn server_error() -> u16 {
    5000
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

const fn two_seconds() -> HumanDuration {
    HumanDuration::from_secs(2)
}

const fn five_seconds() -> HumanDuration {
    HumanDuration::from_secs(5)
}
