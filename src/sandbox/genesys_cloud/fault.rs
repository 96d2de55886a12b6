//! [`GenesysFault`]: what can go wrong at Genesys Cloud or on the way to it.

use serde::{Deserialize, Serialize};

use crate::runtime::HumanDuration;
use crate::sandbox::fault::{FaultKind, TokenRefusal, faults};

faults! {
    GenesysFault, GenesysFaultName;
    /// A middlebox strips `Upgrade`: the handshake is answered as if it were a plain request.
    StripUpgrade "strip_upgrade" {
        /// 200, 400 or 426.
        #[serde(default = "ok")] status: u16,
    }
    /// A middlebox swallows the 101: the connection opens, and nothing ever comes.
    Swallow101 "swallow_101" {}
    /// The handshake of a good channel is refused.
    RefuseHandshake "refuse_handshake" {
        /// 404, 401, 403 …
        #[serde(default = "not_found")] status: u16,
    }
    /// The socket is told that it will be closed, and closed when the notice is over.
    SocketClosing "socket_closing" {
        /// How long the notice is; the platform's own where it is not given.
        #[serde(default)] notice: Option<HumanDuration>,
        /// How long after the handshake it is given; at once to those that are older.
        #[serde(default = "zero")] after: HumanDuration,
    }
    /// The platform closes the socket without a warning.
    WebsocketClose "websocket_close" {
        /// The close code; 1006 ends the connection without a close frame.
        #[serde(default = "going_away")] code: u16,
        /// The reason in the close frame.
        #[serde(default = "idle_timeout")] reason: String,
        /// How long after the handshake; at once for those that are older.
        #[serde(default = "zero")] after: HumanDuration,
    }
    /// The socket's connection is reset.
    WebsocketReset "websocket_reset" {
        /// How long after the handshake; at once for those that are older.
        #[serde(default = "zero")] after: HumanDuration,
        /// Breaks off in the middle of a frame.
        #[serde(default)] mid_frame: bool,
    }
    /// The socket stays open and not a byte moves on it any more, until the fault is cleared.
    Freeze "freeze" {}
    /// No heartbeats come; events flow.
    DropHeartbeats "drop_heartbeats" {}
    /// Pings, of either kind, are not answered; events flow.
    DropPongs "drop_pongs" {}
    /// An event is lost on its way to a socket.
    DropEvent "drop_event" {}
    /// An event is sent twice on its socket.
    Duplicate "duplicate" {}
    /// A frame is sent that is no event.
    MalformedFrame "malformed_frame" {
        /// In what way.
        #[serde(default)] form: BadFrame,
    }
    /// Channels are pushed out, as if others had been made. Strikes once, at once.
    EvictChannel "evict_channel" {
        /// Which; every channel where it is not given.
        #[serde(default)] channel: Option<String>,
    }
    /// Channels reach the end of their life. Strikes once, at once.
    ExpireChannel "expire_channel" {
        /// Which; every channel where it is not given.
        #[serde(default)] channel: Option<String>,
    }
    /// Every token issued so far expires. Strikes once, at once.
    ExpireTokensNow "expire_tokens_now" {}
    /// Every token issued so far is revoked, and sockets are told. Strikes once, at once.
    RevokeTokensNow "revoke_tokens_now" {}
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
        /// With what; `rate_limit400` is how this platform throttles.
        #[serde(default)] error: TokenRefusal,
    }
    /// A request to the API fails.
    RestStatus "rest_status" {
        /// What it answers: 429, 500, 502, 503, 504 …
        #[serde(default = "unavailable")] status: u16,
        /// `Retry-After` as it is written there.
        #[serde(default)] retry_after: Option<String>,
        /// Requests whose path begins so.
        #[serde(default)] under: String,
    }
    /// A request to the API takes its time.
    RestSlow "rest_slow" {
        /// How long.
        #[serde(default = "five_seconds")] delay: HumanDuration,
        /// Requests whose path begins so.
        #[serde(default)] under: String,
    }
    /// What the API shows is older than it is anyhow.
    SnapshotLag "snapshot_lag" {
        /// By so much.
        #[serde(default = "five_seconds")] by: HumanDuration,
    }
    /// Topics that contain this text are refused to everybody.
    ForbidTopic "forbid_topic" {
        /// A part of their names; every topic where it is empty.
        #[serde(default)] topic: String,
        /// The permission that is said to be missing.
        #[serde(default = "some_permission")] permission: String,
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

/// What is wrong with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BadFrame {
    /// It ends in the middle of its JSON.
    #[default]
    Truncated,
    /// It is text, but no JSON.
    Text,
    /// It is JSON without a topic or a body.
    NoTopic,
    /// It is a binary zero.
    Nul,
}

impl FaultKind for GenesysFault {
    type Name = GenesysFaultName;

    fn name(&self) -> GenesysFaultName {
        self.name()
    }

    fn durations(&self) -> Vec<HumanDuration> {
        match self {
            Self::SocketClosing { notice, after } => {
                notice.iter().chain([after]).copied().collect()
            }
            Self::WebsocketClose { after, .. } | Self::WebsocketReset { after, .. } => vec![*after],
            Self::TokenSlow { delay } | Self::RestSlow { delay, .. } => vec![*delay],
            Self::SnapshotLag { by } => vec![*by],
            Self::Latency { delay, jitter } => vec![*delay, *jitter],
            _ => Vec::new(),
        }
    }

    fn problem(&self) -> Option<String> {
        match self {
            Self::StripUpgrade { status }
            | Self::RefuseHandshake { status }
            | Self::TokenDown { status }
            | Self::RestStatus { status, .. }
                if !(200..=599).contains(status) =>
            {
                Some(format!("status is {status}; it lies between 200 and 599"))
            }
            Self::RestStatus {
                retry_after: Some(text),
                ..
            } if http::HeaderValue::from_str(text).is_err() => {
                Some("retry_after is not a header's value".to_owned())
            }
            Self::WebsocketClose { code, .. } if !(1000..=4999).contains(code) => {
                Some(format!("code is {code}; it lies between 1000 and 4999"))
            }
            Self::WebsocketClose { reason, .. } if reason.len() > 123 => {
                Some("a close reason has at most 123 bytes".to_owned())
            }
            _ => None,
        }
    }
}

const fn ok() -> u16 {
    200
}

const fn not_found() -> u16 {
    404
}

const fn unavailable() -> u16 {
    503
}

const fn going_away() -> u16 {
    1001
}

fn idle_timeout() -> String {
    "idle timeout".to_owned()
}

fn some_permission() -> String {
    "sandbox:topic:view".to_owned()
}

const fn one() -> u32 {
    1
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::fault::FaultRule;
    use serde_json::json;

    #[test]
    fn every_fault_can_be_set_by_its_name_alone_and_round_trips() {
        for name in GenesysFaultName::ALL {
            let read = |value: serde_json::Value| {
                FaultRule::<GenesysFault>::from_json(value.as_object().unwrap().clone()).unwrap()
            };
            let rule = read(json!({ "fault": name.as_str() }));
            assert_eq!(rule.name(), *name);
            assert_eq!(read(rule.to_json()), rule);
        }
    }

    #[test]
    fn a_parameter_out_of_range_is_refused() {
        let odd = GenesysFault::RefuseHandshake { status: 99 };
        assert!(FaultRule::from(odd).check().is_err());
        let long = GenesysFault::SnapshotLag {
            by: HumanDuration::from_secs(100_000),
        };
        assert!(FaultRule::from(long).check().is_err());
    }
}
