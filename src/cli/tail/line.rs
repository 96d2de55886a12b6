//! One readable line per event, and one per notice.

use std::fmt::Write as _;

use serde_json::Value;

use crate::cli::{Paint, printable, shortened};
use crate::domain::WallTime;
use crate::proto::v1;
use v1::subscribe_response::Notice;

/// The data of an event is cut to this many characters; `--json` shows all of it.
const MOST_DATA: usize = 100;

/// The day of an event and its line.
pub(super) fn event(paint: Paint, event: &v1::Event, json: &Value) -> (String, String) {
    let time = event.time.as_ref().or(event.record_time.as_ref());
    let time = time.and_then(WallTime::from_proto).unwrap_or_default();
    // Whole milliseconds, so that the columns stand.
    let text = WallTime::from_millis(time.as_millis()).to_string();
    let (day, clock) = text
        .trim_end_matches('Z')
        .split_once('T')
        .unwrap_or(("", &text));
    let clock = format!(
        "{:0<12}",
        if clock.contains('.') {
            clock.to_owned()
        } else {
            format!("{clock}.")
        }
    );
    let mut line = format!(
        "{}  {}  {}",
        paint.dim(clock),
        paint.bold(event.sequence),
        printable(&event.r#type)
    );
    if !event.subject.is_empty() {
        let _infallible = write!(line, "  {}", printable(&event.subject)).is_ok();
    }
    let data = data(event, json);
    if !data.is_empty() {
        let _infallible = write!(
            line,
            "  {}",
            paint.dim(shortened(&printable(&data), MOST_DATA))
        )
        .is_ok();
    }
    (day.to_owned(), line)
}

/// The normalized data as `key=value`, else what the platform sent.
fn data(event: &v1::Event, json: &Value) -> String {
    let normalized = json.as_object().into_iter().flatten().find(|(key, _)| {
        // The members of the oneof are the only fields whose names end so.
        key.ends_with("Event")
    });
    if let Some((_, Value::Object(fields))) = normalized {
        // The subject says whose event it is.
        let subject = event.subject.rsplit('/').next().filter(|id| !id.is_empty());
        let news = fields
            .iter()
            .filter(|(_, value)| subject.is_none() || value.as_str() != subject);
        let pairs = news.map(|(key, value)| match value {
            Value::Array(items) if key == "metrics" => metrics(items),
            Value::Array(items) => format!("{key}=[{}]", items.len()),
            Value::Object(_) => format!("{key}={{…}}"),
            _ => format!("{key}={}", scalar(key, value)),
        });
        return pairs.collect::<Vec<_>>().join(" ");
    }
    String::from_utf8_lossy(&event.raw_data)
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

fn metrics(items: &[Value]) -> String {
    let pair = |item: &Value| {
        let name = item.get("name").and_then(Value::as_str).unwrap_or("?");
        let value = item
            .get("value")
            .map_or_else(|| "0".to_owned(), Value::to_string);
        format!("{name}={value}")
    };
    items.iter().map(pair).collect::<Vec<_>>().join(" ")
}

/// Text without quotes, constants without the prefix that repeats the name of their field.
fn scalar(key: &str, value: &Value) -> String {
    let Some(text) = value.as_str() else {
        return value.to_string();
    };
    let prefix = format!("{}_", key.to_uppercase());
    text.strip_prefix(&prefix)
        .map_or_else(|| text.to_owned(), str::to_lowercase)
}

/// What a notice tells a person; `None` when there is nothing to tell.
pub(super) fn notice(notice: &Notice) -> Option<String> {
    Some(match notice {
        Notice::Opened(opened) => format!(
            "{} {}, events {} to {}",
            printable(&opened.journal),
            printable(&opened.epoch),
            opened.earliest_sequence,
            opened.latest_sequence
        ),
        Notice::CaughtUp(_) => "caught up".to_owned(),
        Notice::FellBehind(_) => return None,
        Notice::Gap(gap) => match gap.cause() {
            v1::gap::Cause::EpochChanged => {
                format!(
                    "gap: the journal is a new one, epoch {} is gone",
                    printable(&gap.previous_epoch)
                )
            }
            cause => format!(
                "gap: events {} to {} {}",
                gap.first_sequence,
                gap.last_sequence,
                match cause {
                    v1::gap::Cause::Trimmed => "were deleted by retention",
                    v1::gap::Cause::Erased => "were erased",
                    v1::gap::Cause::Corrupted => "are damaged",
                    v1::gap::Cause::Unspecified | v1::gap::Cause::EpochChanged => "are missing",
                }
            ),
        },
        Notice::Closing(closing) => {
            let reason = closing.reason().as_str_name().trim_start_matches("REASON_");
            format!(
                "the server ends the stream: {}",
                reason.to_lowercase().replace('_', " ")
            )
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::proto_json::ProtoJson;

    fn line(of: &v1::Event) -> String {
        let json = ProtoJson::new().unwrap().print("Event", of).unwrap();
        event(Paint::PLAIN, of, &json).1
    }

    fn sample() -> v1::Event {
        v1::Event {
            sequence: 4711,
            r#type: "ccaas.session.connected.v1".into(),
            subject: "sessions/a".into(),
            time: Some(
                WallTime::parse_rfc3339("2026-03-10T09:41:07.5526Z")
                    .unwrap()
                    .to_proto(),
            ),
            ..Default::default()
        }
    }

    #[test]
    fn an_event_is_one_line() {
        let mut event = sample();
        event.data = Some(v1::event::Data::SessionEvent(v1::SessionEvent {
            kind: v1::session_event::Kind::Connected.into(),
            transport: v1::Transport::Websocket.into(),
            ..Default::default()
        }));
        assert_eq!(
            line(&event),
            "09:41:07.552  4711  ccaas.session.connected.v1  sessions/a  kind=connected transport=websocket"
        );
    }

    #[test]
    fn data_without_a_normal_form_is_shown_raw_and_cannot_move_the_cursor() {
        let mut event = sample();
        event.time = Some(WallTime::from_millis(3_000).to_proto());
        event.subject = "\u{1b}[2Jx".into();
        event.raw_data = format!("{{\n  \"a\": \"{}\"\n}}", "y".repeat(300))
            .into_bytes()
            .into();
        let line = line(&event);
        assert!(line.starts_with("00:00:03.000  4711  ccaas"), "{line}");
        assert!(line.contains("\u{fffd}[2Jx  { \"a\": \"yyy"), "{line}");
        assert!(line.ends_with("yy…") && !line.contains('\u{1b}'));
    }
}
