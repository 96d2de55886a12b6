//! [`Issued`]: an event as the platform issued it, ready to be written under any number. Pure.

use std::fmt::Write as _;
use std::sync::Arc;

use super::words::{Words, decimals};
use crate::domain::WallTime;
use crate::sandbox::fault::Malformation;

/// The longest a number is when it is written.
const LONGEST_NUMBER: usize = 20;

/// An event whose number is still open: each subscription counts for itself.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Issued {
    pub(crate) channel: Arc<str>,
    pub(crate) issued_at: WallTime,
    head: Box<str>,
    tail: Box<str>,
    numbered: bool,
}

impl Issued {
    /// The event as it should be; `data` is JSON.
    pub(crate) fn new(words: &Words, channel: &Arc<str>, data: &str, now: WallTime) -> Self {
        let Words {
            kind,
            number,
            data: called,
            ..
        } = words;
        let time = words.time(now);
        let head = format!("{{\"{kind}\":{},\"{number}\":", quoted(channel));
        let mut tail = String::with_capacity(data.len() + 48);
        let written = write!(tail, ",\"timestamp\":{time},\"{called}\":{data}}}");
        debug_assert!(written.is_ok());
        Self::of(channel, now, head, tail, true)
    }

    /// JSON, but no event.
    pub(crate) fn malformed(
        words: &Words,
        channel: &Arc<str>,
        form: Malformation,
        data: &str,
        now: WallTime,
    ) -> Self {
        let Words {
            kind,
            number,
            data: called,
            ..
        } = words;
        let time = words.time(now);
        let (head, tail, numbered) = match form {
            Malformation::NoType => (
                format!("{{\"{number}\":"),
                format!(",\"timestamp\":{time},\"{called}\":{data}}}"),
                true,
            ),
            Malformation::WrongTypes => (
                format!("{{\"{kind}\":7,\"{number}\":"),
                format!(",\"timestamp\":false,\"{called}\":\"none\"}}"),
                true,
            ),
            Malformation::Scalar => (
                format!("\"lost on its way at {}\"", decimals(now)),
                String::new(),
                false,
            ),
        };
        Self::of(channel, now, head, tail, numbered)
    }

    fn of(
        channel: &Arc<str>,
        issued_at: WallTime,
        head: String,
        tail: String,
        numbered: bool,
    ) -> Self {
        Self {
            channel: Arc::clone(channel),
            issued_at,
            head: head.into(),
            tail: tail.into(),
            numbered,
        }
    }

    /// Appends the event's JSON under `number`.
    pub(crate) fn write(&self, number: u64, out: &mut String) {
        out.push_str(&self.head);
        if self.numbered {
            let written = write!(out, "{number}");
            debug_assert!(written.is_ok());
        }
        out.push_str(&self.tail);
    }

    /// At least as many bytes as [`Issued::write`] appends.
    pub(crate) fn size(&self) -> usize {
        self.head.len() + self.tail.len() + LONGEST_NUMBER
    }
}

/// `text` as a JSON string.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::EventsDialect::{CxoneRealtime, GenesysEvents};

    #[test]
    fn an_event_is_written_as_the_platform_writes_it() {
        let now = WallTime::parse_rfc3339("2026-03-10T09:41:07.55Z").unwrap();
        let event = Issued::new(
            GenesysEvents.words(),
            &"routing.agentEvent".into(),
            r#"{"a":1}"#,
            now,
        );
        let mut json = String::new();
        event.write(42, &mut json);
        assert_eq!(
            json,
            r#"{"eventType":"routing.agentEvent","sequence":42,"timestamp":"2026-03-10T09:41:07.550Z","data":{"a":1}}"#
        );
        assert!(event.size() >= json.len());
        let times = ["2026-03-10T09:41:07.551Z", "2026-03-10T09:41:07.552Z"];
        let written = times.map(|time| {
            let now = WallTime::parse_rfc3339(time).unwrap();
            let event = Issued::new(CxoneRealtime.words(), &"a".into(), "{}", now);
            let mut json = String::new();
            event.write(7, &mut json);
            json
        });
        let expected = [
            r#"{"event_type":"a","sequenceNumber":7,"timestamp":"2026-03-10T09:41:07.551Z","payload":{}}"#,
            r#"{"event_type":"a","sequenceNumber":7,"timestamp":1773135667552,"payload":{}}"#,
        ];
        assert_eq!(written, expected);
    }

    #[test]
    fn malformed_events_are_json_but_no_events() {
        for form in [
            Malformation::NoType,
            Malformation::WrongTypes,
            Malformation::Scalar,
        ] {
            let event = Issued::malformed(
                GenesysEvents.words(),
                &"a".into(),
                form,
                "{}",
                WallTime::from_millis(0),
            );
            let mut json = String::new();
            event.write(7, &mut json);
            let value: serde_json::Value = serde_json::from_str(&json).unwrap();
            assert!(!value["eventType"].is_string());
        }
    }
}
