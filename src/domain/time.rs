//! [`WallTime`]: a moment of civil time, and its conversions to protobuf and RFC 3339.

use std::fmt;
use std::time::Duration;

/// A moment, in nanoseconds since the Unix epoch. Reaches from 1970 to 2554.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct WallTime(u64);

const NANOS_PER_SECOND: u64 = 1_000_000_000;

impl WallTime {
    /// Wraps nanoseconds since the Unix epoch.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Wraps milliseconds since the Unix epoch; saturates.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// Nanoseconds since the Unix epoch.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// This moment and `duration` more; saturates.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(
            self.0
                .saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)),
        )
    }

    /// This moment less `duration`; not before 1970.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)),
        )
    }

    /// How long after `earlier` this is; zero when it is not after it.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// Reads an RFC 3339 time with any offset; `None` for anything else, and before 1970.
    #[must_use]
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let nanos = text.parse::<jiff::Timestamp>().ok()?.as_nanosecond();
        u64::try_from(nanos).ok().map(Self)
    }

    /// The protobuf form.
    #[must_use]
    pub fn to_proto(self) -> prost_types::Timestamp {
        prost_types::Timestamp {
            seconds: i64::try_from(self.0 / NANOS_PER_SECOND).unwrap_or(i64::MAX),
            nanos: i32::try_from(self.0 % NANOS_PER_SECOND).unwrap_or(0),
        }
    }

    /// Reads the protobuf form; `None` before 1970, after 2554 or with invalid nanoseconds.
    #[must_use]
    pub fn from_proto(time: &prost_types::Timestamp) -> Option<Self> {
        let seconds = u64::try_from(time.seconds).ok()?;
        let nanos = u64::try_from(time.nanos)
            .ok()
            .filter(|n| *n < NANOS_PER_SECOND)?;
        seconds
            .checked_mul(NANOS_PER_SECOND)?
            .checked_add(nanos)
            .map(Self)
    }
}

impl fmt::Display for WallTime {
    /// RFC 3339 in UTC.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_nanosecond(i128::from(self.0)) {
            Ok(time) => time.fmt(f),
            Err(_) => write!(f, "{} ns", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rfc3339_with_offset_is_understood() {
        let utc = WallTime::parse_rfc3339("2026-03-10T09:41:07.552Z").unwrap();
        assert_eq!(
            WallTime::parse_rfc3339("2026-03-10T10:41:07.552+01:00"),
            Some(utc)
        );
        assert_eq!(utc.to_string(), "2026-03-10T09:41:07.552Z");
        assert_eq!(WallTime::parse_rfc3339("yesterday"), None);
        assert_eq!(WallTime::parse_rfc3339("1960-01-01T00:00:00Z"), None);
    }

    proptest! {
        #[test]
        fn protobuf_form_keeps_every_nanosecond(nanos: u64) {
            let time = WallTime::from_nanos(nanos);
            prop_assert_eq!(WallTime::from_proto(&time.to_proto()), Some(time));
        }
    }
}
