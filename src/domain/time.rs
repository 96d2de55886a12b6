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
        if let Some(nanos) = plain_utc(text.as_bytes()) {
            return Some(Self(nanos));
        }
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

/// Nanoseconds since 1970 of `2026-03-10T09:41:07.552Z`, with or without a fraction: the form that
/// nearly every platform sends. `None` for whatever is written otherwise, which others look at.
fn plain_utc(text: &[u8]) -> Option<u64> {
    const DAYS: [u64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let (whole, fraction) = text.strip_suffix(b"Z")?.split_at_checked(19)?;
    let [
        y1,
        y2,
        y3,
        y4,
        b'-',
        mo1,
        mo2,
        b'-',
        d1,
        d2,
        b'T',
        h1,
        h2,
        b':',
        m1,
        m2,
        b':',
        s1,
        s2,
    ] = *whole
    else {
        return None;
    };
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0_u64, |number, digit| {
            let digit = digit.checked_sub(b'0').filter(|digit| *digit <= 9)?;
            Some(number * 10 + u64::from(digit))
        })
    };
    let (year, month, day) = (
        number(&[y1, y2, y3, y4])?,
        number(&[mo1, mo2])?,
        number(&[d1, d2])?,
    );
    let (hour, minute, second) = (number(&[h1, h2])?, number(&[m1, m2])?, number(&[s1, s2])?);
    let leaps = |year: u64| year / 4 - year / 100 + year / 400;
    let leap = leaps(year) - leaps(year.checked_sub(1)?);
    let before = DAYS.get(..usize::try_from(month.checked_sub(1)?).ok()?)?;
    let february = if month == 2 { leap } else { 0 };
    let longest = DAYS.get(before.len())? + february;
    if year < 1970 || day == 0 || day > longest || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let nanos = match fraction {
        [] => 0,
        [b'.', digits @ ..] if (1..=9).contains(&digits.len()) => {
            number(digits)? * 10_u64.pow(9 - u32::try_from(digits.len()).ok()?)
        }
        _ => return None,
    };
    let years = 365 * (year - 1970) + leaps(year - 1) - leaps(1969);
    let passed = if month > 2 { leap } else { 0 };
    let days = years + before.iter().sum::<u64>() + passed + day - 1;
    let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
    seconds.checked_mul(NANOS_PER_SECOND)?.checked_add(nanos)
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
        fn the_usual_form_is_read_as_any_other(nanos: u64, digits in 0_usize..=9) {
            let long = jiff::Timestamp::from_nanosecond(i128::from(nanos)).unwrap();
            let text = format!("{long:.9}");
            let end = if digits == 0 { 19 } else { 20 + digits };
            let text = format!("{}Z", text.get(..end).unwrap());
            let other = text.parse::<jiff::Timestamp>().unwrap().as_nanosecond();
            prop_assert_eq!(plain_utc(text.as_bytes()).map(i128::from), Some(other));
        }

        #[test]
        fn what_is_no_time_is_none_in_the_usual_form(
            year in 1960_u64..2600, month in 0_u64..14, day in 0_u64..33, hour in 0_u64..26,
            minute in 0_u64..62, second in 0_u64..62,
        ) {
            let text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z");
            let known = text.parse::<jiff::Timestamp>().ok().map(|time| time.as_nanosecond());
            let own = plain_utc(text.as_bytes()).map(i128::from);
            prop_assert!(own.is_none() || own == known, "{text}: {own:?} {known:?}");
        }

        #[test]
        fn protobuf_form_keeps_every_nanosecond(nanos: u64) {
            let time = WallTime::from_nanos(nanos);
            prop_assert_eq!(WallTime::from_proto(&time.to_proto()), Some(time));
        }
    }
}
