//! What stands on the wire: batches, bare events, errors. Pure.

use std::fmt::Write as _;

use super::event::quoted;
use super::subscription::Numbered;
use super::words::Words;

/// What a proxy answers in the platform's place.
pub(crate) const LOGIN_PAGE: &str = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head>\
    <body><form method=\"post\">Your network asks you to sign in.</form></body></html>\n";

/// `{"sequence":42,"events":[…]}`.
pub(crate) fn batch(words: &Words, events: &[Numbered], sequence: u64) -> String {
    let size: usize = events.iter().map(|(_, event)| event.size() + 1).sum();
    let mut out = String::with_capacity(size + 48);
    let written = write!(out, "{{\"{}\":{sequence},\"events\":[", words.number);
    debug_assert!(written.is_ok());
    for (place, (number, event)) in events.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        event.write(*number, &mut out);
    }
    out.push_str("]}");
    out
}

/// One event alone, as a WebSocket may send it.
pub(crate) fn bare(event: &Numbered) -> String {
    let (number, event) = event;
    let mut out = String::with_capacity(event.size());
    event.write(*number, &mut out);
    out
}

/// An error as the platform words it, in a body or in a frame.
pub(crate) fn error(status: u16, code: &str, message: &str) -> String {
    format!(
        "{{\"status\":{status},\"code\":{},\"message\":{}}}",
        quoted(code),
        quoted(message)
    )
}

/// The numbers of a batch as ranges, in order: `1-3,7`.
pub(crate) fn ranges(events: &[Numbered]) -> String {
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for (number, _) in events {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == *number => *last = *number,
            _ => ranges.push((*number, *number)),
        }
    }
    let text: Vec<_> = ranges
        .into_iter()
        .map(|(first, last)| match first == last {
            true => first.to_string(),
            false => format!("{first}-{last}"),
        })
        .collect();
    text.join(",")
}

#[cfg(test)]
mod tests {
    use super::super::event::Issued;
    use super::*;
    use crate::domain::WallTime;
    use crate::sandbox::EventsDialect;
    use std::sync::Arc;

    #[test]
    fn a_batch_is_json_with_its_events_in_order() {
        let words = EventsDialect::GenesysEvents.words();
        let event = Issued::new(words, &"a".into(), "{}", WallTime::from_millis(0));
        let event = Arc::new(event);
        let events: Vec<_> = [7, 8, 5].map(|n| (n, Arc::clone(&event))).into();
        let value: serde_json::Value = serde_json::from_str(&batch(words, &events, 8)).unwrap();
        let numbers: Vec<_> = value["events"].as_array().unwrap().iter().collect();
        assert_eq!(value["sequence"], 8);
        assert_eq!(
            (&numbers[0]["sequence"], &numbers[2]["sequence"]),
            (&7.into(), &5.into())
        );
        assert_eq!(ranges(&events), "7-8,5");
        assert_eq!(batch(words, &[], 3), r#"{"sequence":3,"events":[]}"#);
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&bare(&events[0])).unwrap()["sequence"],
            7
        );
    }

    #[test]
    fn an_error_is_json_whatever_its_message_says() {
        let value: serde_json::Value =
            serde_json::from_str(&error(400, "bad", "channel \"x\"\n")).unwrap();
        assert_eq!(
            (&value["status"], &value["message"]),
            (&400.into(), &"channel \"x\"\n".into())
        );
    }
}
