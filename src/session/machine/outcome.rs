//! What answers, failures and close codes mean. Tables, no state.

use std::time::{Duration, UNIX_EPOCH};

use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};

use crate::connectors::Verdict;
use crate::domain::WallTime;
use crate::net::{HandshakeFailure, HttpFailure};
use crate::runtime::Mistake;

/// Where the platform gives no `Retry-After`, and what is obeyed of it (U12): a wait of nothing
/// would be a hot loop.
const DEFAULT_RETRY_AFTER: Duration = Duration::from_secs(5);
const SHORTEST_RETRY_AFTER: Duration = Duration::from_secs(1);
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(300);

/// What a probe showed of the path (U1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Path {
    /// Open, but it proves nothing about Upgrade: try with credentials.
    Unproven,
    /// No WebSocket gets through.
    Blocked,
    /// The platform wants us to wait.
    Throttled,
}

/// What the end of a WebSocket asks for (U31).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// Planned: reconnect after a base delay, unless the profile says to stop.
    Planned,
    /// Reconnect after a base delay.
    BaseDelay,
    /// Reconnect after a back-off.
    BackOff,
    /// The token was not accepted.
    Token,
    /// Needs a person.
    Forbidden,
}

/// The engine's table of statuses (U11, U12).
pub(super) fn verdict(status: StatusCode) -> Verdict {
    match status.as_u16() {
        401 => Verdict::Unauthorized,
        403 => Verdict::Forbidden,
        429 => Verdict::Throttled,
        408 | 502 | 504 => Verdict::Interrupted,
        _ => Verdict::Unavailable,
    }
}

pub(super) fn path_of(failure: &HandshakeFailure) -> Path {
    match failure {
        // The token source meets the same refusal, and watches for other credentials.
        HandshakeFailure::Http(HttpFailure::ProxyRefused) => Path::Unproven,
        HandshakeFailure::Status { status, .. } => match status.as_u16() {
            401 | 403 | 404 => Path::Unproven,
            429 => Path::Throttled,
            _ => Path::Blocked,
        },
        _ => Path::Blocked,
    }
}

pub(super) fn ending(code: Option<u16>) -> Ending {
    match code {
        Some(1000 | 1001) => Ending::Planned,
        Some(1012 | 1013) => Ending::BaseDelay,
        Some(4401) => Ending::Token,
        Some(1008 | 4403) => Ending::Forbidden,
        _ => Ending::BackOff,
    }
}

/// `Retry-After` in seconds or as a date, bounded.
pub(super) fn retry_after(headers: &HeaderMap, wall: WallTime) -> Duration {
    let text = headers.get(RETRY_AFTER).and_then(|v| v.to_str().ok());
    let asked = text.map(str::trim).and_then(|text| match text.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => date(text).map(|date| date.since(wall)),
    });
    if Mistake::RetryAfterIgnored.is_made() {
        return Duration::ZERO;
    }
    asked
        .unwrap_or(DEFAULT_RETRY_AFTER)
        .clamp(SHORTEST_RETRY_AFTER, LONGEST_RETRY_AFTER)
}

fn date(text: &str) -> Option<WallTime> {
    let date = httpdate::parse_http_date(text).ok()?;
    let millis = date.duration_since(UNIX_EPOCH).ok()?.as_millis();
    u64::try_from(millis).ok().map(WallTime::from_millis)
}

/// The proxy wants other credentials than ours: a person has to mend them.
pub(super) const PROXY_REFUSED: &str = "PROXY_REFUSED";

/// One word for a state's `reason` and a fact's.
pub(super) fn handshake_word(failure: &HandshakeFailure) -> String {
    match failure {
        HandshakeFailure::Timeout(_) => "WEBSOCKET_HANGS".to_owned(),
        HandshakeFailure::Status { status, .. } => format!("HANDSHAKE_{}", status.as_u16()),
        HandshakeFailure::NotWebSocket(_) => "UPGRADE_STRIPPED".to_owned(),
        HandshakeFailure::Http(failure) => failure.word().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(text: &'static str) -> Duration {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, text.parse().unwrap());
        let wall = WallTime::parse_rfc3339("2026-03-10T09:41:00Z").unwrap();
        retry_after(&headers, wall)
    }

    #[test]
    fn u12_retry_after_in_seconds_or_as_a_date_is_bounded() {
        assert_eq!(after("7"), Duration::from_secs(7));
        assert_eq!(
            after("Tue, 10 Mar 2026 09:41:30 GMT"),
            Duration::from_secs(30)
        );
        assert_eq!(
            after("Tue, 10 Mar 2020 09:41:30 GMT"),
            Duration::from_secs(1)
        );
        assert_eq!(after("86400"), Duration::from_secs(300));
        assert_eq!(after("soon"), Duration::from_secs(5));
        let none = retry_after(&HeaderMap::new(), WallTime::default());
        assert_eq!(none, Duration::from_secs(5));
    }

    #[test]
    fn u31_close_codes() {
        let table = [
            (Some(1000), Ending::Planned),
            (Some(1001), Ending::Planned),
            (Some(1006), Ending::BackOff),
            (Some(1008), Ending::Forbidden),
            (Some(1011), Ending::BackOff),
            (Some(1012), Ending::BaseDelay),
            (Some(1013), Ending::BaseDelay),
            (Some(4401), Ending::Token),
            (Some(4403), Ending::Forbidden),
            (Some(4999), Ending::BackOff),
            (None, Ending::BackOff),
        ];
        for (code, expected) in table {
            assert_eq!(ending(code), expected, "{code:?}");
        }
    }
}
