//! [`CxoneFault`]: what can go wrong at the platform CXone or on the way to it.

use serde::{Deserialize, Serialize};

use crate::runtime::{ByteSize, HumanDuration};
use crate::sandbox::fault::{FaultKind, Malformation, TokenRefusal, faults};

/// No event is larger.
const LARGEST: ByteSize = ByteSize::from_mib(64);

faults! {
    CxoneFault, CxoneFaultName;
    /// A poll is answered with an error, in the platform's place: the session id stays.
    PollStatus "poll_status" {
        /// Which: 401, 403, 429, 500, 502, 503, 504 …
        #[serde(default = "bad_gateway")] status: u16,
        /// `Retry-After` as it is written there: seconds or an HTTP date.
        #[serde(default)] retry_after: Option<String>,
        /// How long the poll is held before.
        #[serde(default = "zero")] after: HumanDuration,
    }
    /// The connection is reset while a poll is held: the session id stays.
    PollResetInHold "poll_reset_in_hold" {
        /// How long the poll is held before.
        #[serde(default = "zero")] after: HumanDuration,
    }
    /// The platform answers a poll and the connection is reset before a byte of it: the session id
    /// that the client has is an old one from now on.
    LostAnswer "lost_answer" {}
    /// A poll's answer ends in the middle; the platform has answered.
    TruncatedBody "truncated_body" {
        /// Whether the connection breaks there; else the length says that all is well.
        #[serde(default = "yes")] cut_connection: bool,
    }
    /// A middlebox answers a poll with 200 and a page of HTML: the session id stays.
    NotJson "not_json" {}
    /// A poll is answered at once with 200 and no body.
    Empty200AtOnce "empty_200_at_once" {
        /// Answers with a new session id and no events instead.
        #[serde(default)] batch: bool,
    }
    /// A poll's answer is late, after the platform has made it.
    SlowAnswer "slow_answer" {
        /// By how much.
        #[serde(default = "five_seconds")] delay: HumanDuration,
    }
    /// The next poll is treated as if its session id were an old one.
    StaleSession "stale_session" {}
    /// The session of the next poll ends: 409.
    EndSession "end_session" {
        /// Whether an `AgentSessionEnd` comes first, as when the agent signs out.
        #[serde(default)] announced: bool,
    }
    /// The session of the next poll is unknown: 404. The agent has signed out meanwhile.
    ForgetSession "forget_session" {}
    /// Starting and joining a session is refused.
    SessionRefused "session_refused" {
        /// With what: 403, 409, 500 …
        #[serde(default = "forbidden")] status: u16,
    }
    /// Events are issued whose key is `type`, not `Type`.
    LowerCaseType "lower_case_type" {}
    /// `AgentSessionStart` does not come first in its answer.
    SessionStartLast "session_start_last" {}
    /// An event of a `Type` that nobody knows is issued before the next one.
    UnknownType "unknown_type" {}
    /// An event that is JSON, but no event, is issued before the next one.
    MalformedEvent "malformed_event" {
        /// What is wrong with it.
        #[serde(default)] form: Malformation,
    }
    /// An event that is larger than anybody expects is issued before the next one.
    OversizeEvent "oversize_event" {
        /// Its size, about.
        #[serde(default = "nine_mib")] size: ByteSize,
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
    /// Both discovery documents are down.
    DiscoveryDown "discovery_down" {
        /// What is answered.
        #[serde(default = "unavailable")] status: u16,
    }
    /// The discovery documents name a host that is not the platform's.
    DiscoveryForeignHost "discovery_foreign_host" {
        /// Its base.
        #[serde(default = "foreign")] host: String,
    }
    /// Every answer is late.
    Latency "latency" {
        /// By at least this.
        #[serde(default = "second")] delay: HumanDuration,
        /// And at most this more.
        #[serde(default = "zero")] jitter: HumanDuration,
    }
    /// The connection of a poll stays open and not a byte moves on it any more, until the fault is
    /// cleared.
    Freeze "freeze" {}
    /// Connections are refused; those that are open are reset.
    PlatformDown "platform_down" {}
    /// Connections beyond this number are closed as soon as they are made.
    ConnectionLimit "connection_limit" {
        /// How many may be open.
        #[serde(default = "one")] max: u32,
    }
}

impl FaultKind for CxoneFault {
    type Name = CxoneFaultName;

    fn name(&self) -> CxoneFaultName {
        self.name()
    }

    fn problem(&self) -> Option<String> {
        match self {
            Self::PollStatus { status, .. }
            | Self::SessionRefused { status }
            | Self::TokenDown { status }
            | Self::DiscoveryDown { status }
                if !(200..=599).contains(status) =>
            {
                Some(format!("status is {status}; it lies between 200 and 599"))
            }
            Self::PollStatus {
                retry_after: Some(text),
                ..
            } if http::HeaderValue::from_str(text).is_err() => {
                Some("retry_after is not a header's value".to_owned())
            }
            Self::OversizeEvent { size } if *size > LARGEST => {
                Some(format!("{size} is too large; at most {LARGEST}"))
            }
            Self::DiscoveryForeignHost { host } if url::Url::parse(host).is_err() => {
                Some("host is not a URL".to_owned())
            }
            _ => None,
        }
    }

    fn durations(&self) -> Vec<HumanDuration> {
        match self {
            Self::PollStatus { after, .. } | Self::PollResetInHold { after } => vec![*after],
            Self::SlowAnswer { delay } | Self::TokenSlow { delay } => vec![*delay],
            Self::Latency { delay, jitter } => vec![*delay, *jitter],
            _ => Vec::new(),
        }
    }
}

const fn bad_gateway() -> u16 {
    502
}

const fn unavailable() -> u16 {
    503
}

const fn forbidden() -> u16 {
    403
}

const fn one() -> u32 {
    1
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

const fn nine_mib() -> ByteSize {
    ByteSize::from_mib(9)
}

fn foreign() -> String {
    "https://api-na1.cxone.invalid".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::fault::FaultRule;
    use serde_json::{Value, json};

    fn read(value: Value) -> Result<FaultRule<CxoneFault>, String> {
        FaultRule::from_json(value.as_object().unwrap().clone()).map_err(|error| error.to_string())
    }

    #[test]
    fn every_fault_can_be_set_by_its_name_alone_and_round_trips() {
        for name in CxoneFaultName::ALL {
            let rule = read(json!({ "fault": name.as_str() })).unwrap();
            assert_eq!(rule.name(), *name);
            assert_eq!(read(rule.to_json()).unwrap(), rule);
        }
    }

    #[test]
    fn faults_of_another_platform_and_values_out_of_range_are_refused() {
        let cases = [
            (json!({ "fault": "swallow_101" }), "stale_session"),
            (json!({ "fault": "poll_status", "status": 99 }), "200"),
            (
                json!({ "fault": "poll_status", "retry_after": "a\nb" }),
                "header",
            ),
            (
                json!({ "fault": "oversize_event", "size": "1GiB" }),
                "large",
            ),
            (json!({ "fault": "slow_answer", "delay": "2d" }), "too long"),
            (
                json!({ "fault": "discovery_foreign_host", "host": "x" }),
                "URL",
            ),
        ];
        for (value, expected) in cases {
            let problem = read(value.clone()).unwrap_err();
            assert!(problem.contains(expected), "{value}: {problem}");
        }
    }
}
