//! The events that every row uses: 600 bytes of a platform's JSON each, and their encoding.

use bytes::Bytes;
use tieline::domain::{Sequence, WallTime};
use tieline::journal::{EncodedDraft, Store};
use tieline::proto::v1;

/// Bytes of JSON in one event.
pub(crate) const JSON_BYTES: usize = 600;

/// How many subjects [`draft`] has.
pub(crate) const SUBJECTS: u64 = 100;

/// The subject of an event.
pub(crate) fn subject(number: u64) -> String {
    format!("queues/queue-{:02}", number % SUBJECTS)
}

/// An event as a connector drafts it; `number` makes it differ from its neighbours.
pub(crate) fn draft(number: u64) -> v1::Event {
    let head = format!(
        r#"{{"sequence":{number},"topic":"routing.queueStats","payload":{{"queueId":"queue-{:02}","padding":""#,
        number % SUBJECTS
    );
    let json = format!(
        "{head}{:x<width$}\"}}}}",
        "",
        width = JSON_BYTES - head.len() - 3
    );
    v1::Event {
        id: format!("genesys-{number}"),
        source: "//genesys.cloud/orgs/acme/events".to_owned(),
        r#type: "ccaas.unmapped.v1".to_owned(),
        subject: subject(number),
        time: Some(WallTime::from_millis(1_700_000_000_000 + number).to_proto()),
        session: "sessions/queue-stats".to_owned(),
        origin: v1::event::Origin::Live.into(),
        provider_type: "routing.queueStats".to_owned(),
        data_content_type: "application/json".to_owned(),
        provider_sequence: number,
        raw_data: json.into(),
        ..Default::default()
    }
}

/// The topic of the events that a source sends.
pub(crate) const TOPIC: &str = "routing.agentEvent";

/// Appends an event as its platform sends it: one WebSocket frame of [`JSON_BYTES`].
pub(crate) fn frame(number: u64, out: &mut Vec<u8>) {
    const HEAD: [u8; 4] = [
        0x81,
        126,
        (JSON_BYTES >> 8) as u8,
        (JSON_BYTES & 0xff) as u8,
    ];
    out.extend_from_slice(&HEAD);
    json(number, out);
}

/// The number of an event that [`json`] wrote.
pub(crate) fn number(json: &[u8]) -> u64 {
    const BEFORE: &[u8] = br#","sequence":"#;
    let found = json.windows(BEFORE.len()).position(|part| part == BEFORE);
    let digits = found.and_then(|at| json.get(at + BEFORE.len()..));
    let digits = digits.unwrap_or_default().iter();
    let digits = digits.take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))
}

/// Appends the JSON of an event: [`JSON_BYTES`].
pub(crate) fn json(number: u64, out: &mut Vec<u8>) {
    use std::io::Write as _;
    const TAIL: &[u8] = br#""}}"#;
    let end = out.len() + JSON_BYTES;
    // Writing to memory does not fail.
    write!(
        out,
        r#"{{"eventType":"{TOPIC}","sequence":{number},"timestamp":"2026-03-10T09:41:07.550Z","data":{{"agentId":"agent-{}","state":"available","reason":"","since":"2026-03-10T09:41:07.550Z","padding":""#,
        number % 100
    )
    .ok();
    out.resize(end - TAIL.len(), b'x');
    out.extend_from_slice(TAIL);
}

/// Drafts numbered from `first`.
pub(crate) fn drafts(first: u64, count: usize) -> Vec<v1::Event> {
    (first..).take(count).map(draft).collect()
}

/// Appends an event as it is stored and sent.
pub(crate) fn encode(event: v1::Event, sequence: u64, out: &mut Vec<u8>) {
    let at = WallTime::from_millis(1_700_000_000_000 + sequence);
    EncodedDraft::encode(&event, Store::Full).write(Sequence::new(sequence), at, out);
}

/// The encoding of `count` events, one after the other.
pub(crate) fn encoded(count: usize) -> Bytes {
    let mut out = Vec::new();
    for (sequence, event) in (1..).zip(drafts(1, count)) {
        encode(event, sequence, &mut out);
    }
    out.into()
}

/// How many events a `SubscribeResponse` holds, without decoding them.
pub(crate) fn count_events(mut response: &[u8]) -> u64 {
    use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
    let mut count = 0;
    while let Ok((tag, wire)) = decode_key(&mut response) {
        if (tag, wire) == (1, WireType::LengthDelimited) {
            let Ok(length) = decode_varint(&mut response) else {
                break;
            };
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            response = response.get(length..).unwrap_or_default();
            count += 1;
        } else if skip_field(wire, tag, &mut response, DecodeContext::default()).is_err() {
            break;
        }
    }
    count
}

/// One line on the size of an event.
pub(crate) fn describe() -> String {
    const MANY: usize = 1000;
    let each = encoded(MANY).len() / MANY;
    format!("Events of {JSON_BYTES} B of JSON, {each} B as stored and sent\n")
}
