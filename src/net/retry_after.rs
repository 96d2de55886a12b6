//! [`retry_after`]: how long a server asks to be left alone. Pure.

use std::time::{Duration, UNIX_EPOCH};

use http::HeaderMap;
use http::header::RETRY_AFTER;

use crate::runtime::WallTime;

/// Reads `Retry-After`, whether seconds or an HTTP date (U12). A date in the past is zero; `None`
/// when the header is missing or is neither. Not capped: that is the caller's policy.
#[must_use]
pub fn retry_after(headers: &HeaderMap, wall: WallTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a u64 holds is still "very long", not "unreadable".
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let until = httpdate::parse_http_date(text).ok()?;
    let until = u64::try_from(until.duration_since(UNIX_EPOCH).ok()?.as_nanos()).ok()?;
    Some(WallTime::from_nanos(until).since(wall))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn seconds_and_dates_are_understood() {
        let wall = WallTime::parse_rfc3339("2026-03-10T09:41:00Z").unwrap();
        for (text, seconds) in [
            ("0", Some(0)),
            ("5", Some(5)),
            (" 120 ", Some(120)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("Tue, 10 Mar 2026 09:42:30 GMT", Some(90)),
            ("Tuesday, 10-Mar-26 09:41:07 GMT", Some(7)),
            ("Tue Mar 10 09:41:01 2026", Some(1)),
            ("Tue, 10 Mar 2026 09:00:00 GMT", Some(0)),
            ("-5", None),
            ("+5", None),
            ("1.5", None),
            ("", None),
            ("soon", None),
            ("Tue, 10 Mar 2026 25:00:00 GMT", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_static(text));
            let expected = seconds.map(Duration::from_secs);
            assert_eq!(retry_after(&headers, wall), expected, "{text:?}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), wall), None);
    }
}
