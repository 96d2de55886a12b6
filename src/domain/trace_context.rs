//! [`TraceContext`]: one span of one trace, as W3C Trace Context writes it. Pure.

use std::fmt;

/// Length of a `traceparent` of version 00.
const LEN: usize = 55;

/// Names a span, and says whether it is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceContext {
    /// The trace.
    pub trace: u128,
    /// Of it, this span.
    pub span: u64,
    /// Whether somebody keeps it.
    pub sampled: bool,
}

impl TraceContext {
    /// Reads a `traceparent`; `None` where it is not one. Of a later version, what version 00 knows.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (head, rest) = text.split_at_checked(LEN)?;
        let mut parts = head.split('-');
        let (version, trace) = (parts.next()?, parts.next()?);
        let (span, flags) = (parts.next()?, parts.next()?);
        let known = version == "00";
        let ends_well = rest.is_empty() || (!known && rest.starts_with('-'));
        if parts.next().is_some() || version == "ff" || !ends_well {
            return None;
        }
        number(version, 2)?;
        let context = Self {
            trace: number(trace, 32)?,
            span: u64::try_from(number(span, 16)?).ok()?,
            sampled: number(flags, 2)? & 1 == 1,
        };
        (context.trace != 0 && context.span != 0).then_some(context)
    }

    /// Whether the span that it names is recorded.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        self.sampled
    }
}

/// Lower-case hexadecimal of exactly this length.
fn number(text: &str, len: usize) -> Option<u128> {
    let digits = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if text.len() != len || !digits {
        return None;
    }
    u128::from_str_radix(text, 16).ok()
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = u8::from(self.sampled);
        write!(f, "00-{:032x}-{:016x}-{flags:02x}", self.trace, self.span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_was_read() {
        for text in [
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-00",
        ] {
            assert_eq!(TraceContext::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_later_version_may_say_more() {
        let text = "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03-more";
        assert!(TraceContext::parse(text).unwrap().is_sampled());
    }

    #[test]
    fn what_is_no_context_is_none() {
        for text in [
            "",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319cb-7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319\u{e9}-b7ad6b7169203331-1",
        ] {
            assert_eq!(TraceContext::parse(text), None, "{text}");
        }
    }
}
