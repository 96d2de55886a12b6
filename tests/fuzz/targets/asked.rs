//! What callers ask: requests, filters and conditions, positions, addresses, times.

use std::sync::OnceLock;

use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderValue};
use prost::Message;
use tieline::client::Address;
use tieline::domain::{Epoch, Position, Sequence, WallTime};
use tieline::feed::{Entry, Filter, FilterSpec};
use tieline::grpc::read_requests;
use tieline::net::{UrlPolicy, retry_after};
use tieline::proto::v1;
use url::Url;

/// Requests as they stand on the wire.
pub(super) fn requests(bytes: &[u8]) {
    read_requests(bytes);
}

pub(super) fn request_seeds() -> Vec<Vec<u8>> {
    let filter = v1::EventFilter {
        types: vec!["ccaas.conversation.*".to_owned()],
        expression: "type.startsWith('ccaas.') && size(subject) > 3".to_owned(),
        ..v1::EventFilter::default()
    };
    let subscribe = v1::SubscribeRequest {
        journal: "journals/default".to_owned(),
        start: Some(v1::subscribe_request::Start::LastEvents(10)),
        filter: Some(filter.clone()),
        shard: Some(v1::Shard { index: 1, count: 4 }),
        ..v1::SubscribeRequest::default()
    };
    let read = v1::ReadEventsRequest {
        journal: "journals/default".to_owned(),
        filter: Some(filter),
        ..v1::ReadEventsRequest::default()
    };
    vec![subscribe.encode_to_vec(), read.encode_to_vec()]
}

/// One text, read as everything that is a text: what is a position or an epoch prints as it was
/// written.
pub(super) fn texts(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(position) = text.parse::<Position>() {
        assert_eq!(position.to_string(), text);
    }
    if let Ok(epoch) = text.parse::<Epoch>() {
        assert_eq!(epoch.to_string(), text);
    }
    drop(text.parse::<Address>());
    let _moment = WallTime::parse_rfc3339(text);
    if let Ok(value) = HeaderValue::from_str(text) {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, value)]);
        let _delay = retry_after(&headers, WallTime::default());
    }
    addresses(text);
    conditions(text);
}

pub(super) fn text_seeds() -> Vec<Vec<u8>> {
    let texts = [
        "00c0ffee00c0ffee/4711",
        "127.0.0.1:7443",
        "unix:/run/tieline.sock",
        "2026-11-20T10:00:00.123Z",
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "120",
        "wss://streaming.example.test/channels/a?b=c",
        "https://user:pass@[::ffff:127.0.0.1]:443/",
        "type == 'ccaas.conversation.participant.connected.v1' && 'a' in [subject, id]",
        "subject.matches('^[a-z]+$') || size(id) > 3 && !(source.endsWith('x'))",
    ];
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// A URL that a platform gave is refused, or leads to its own hosts by a safe scheme.
fn addresses(text: &str) {
    let Ok(url) = text.parse::<Url>() else {
        return;
    };
    let endpoint = "https://api.example.test/".parse().unwrap();
    let allowed = ["example.test".to_owned()];
    let policy = UrlPolicy::new(&endpoint, &allowed, false).unwrap();
    if policy.check(&url).is_ok() {
        // With a dot at its end it is the same name, told from the root.
        let host = url.host_str().unwrap().trim_end_matches('.');
        assert!(
            host == "example.test" || host.ends_with(".example.test"),
            "{url}"
        );
        assert!(matches!(url.scheme(), "https" | "wss"), "{url}");
        assert!(
            url.username().is_empty() && url.password().is_none(),
            "{url}"
        );
    }
}

/// A condition is refused, or can be asked of any event.
fn conditions(text: &str) {
    static ENTRY: OnceLock<Entry> = OnceLock::new();
    let spec = FilterSpec {
        expression: text.to_owned(),
        ..FilterSpec::default()
    };
    if let Ok(filter) = Filter::compile(&spec) {
        let _admitted = filter.admits(ENTRY.get_or_init(entry));
    }
}

fn entry() -> Entry {
    let event = v1::Event {
        id: "e1".to_owned(),
        source: "https://api.example.test".to_owned(),
        r#type: "ccaas.conversation.participant.connected.v1".to_owned(),
        subject: "conversations/1".to_owned(),
        ..v1::Event::default()
    };
    tieline::journal::entry(&event, Sequence::new(1), WallTime::default())
}
