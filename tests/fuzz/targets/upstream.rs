//! What platforms send: frames, answers to polls, to requests for history, to sends and to errands.

use std::sync::OnceLock;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};
use prost::Message;
use tieline::connectors::{Batch, Connector, Unreadable};
use tieline::domain::WallTime;
use tieline::net::HttpResponse;
use tieline::runtime::MonoTime;

use crate::kit::{self, Subject};

const STATUSES: [u16; 8] = [200, 201, 204, 304, 400, 401, 404, 429];

/// The first byte chooses the platform, the rest is a frame, or a poll's answer where it has no frames.
pub(super) fn frames(bytes: &[u8]) {
    let Some((subject, bytes)) = chosen(bytes) else {
        return;
    };
    check(&*subject.connector, kit::read(&*subject.connector, &bytes));
}

/// The first byte chooses the platform, the second the status, the rest is the body of every answer that
/// it may give.
pub(super) fn answers(bytes: &[u8]) {
    let Some((subject, bytes)) = chosen(bytes) else {
        return;
    };
    let Some((choice, body)) = bytes.split_first() else {
        return;
    };
    let status = STATUSES[usize::from(*choice) % STATUSES.len()];
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Ok(value) = HeaderValue::from_bytes(&body[..body.len().min(32)]) {
        headers.insert(RETRY_AFTER, value);
    }
    let answer = HttpResponse {
        status: StatusCode::from_u16(status).unwrap(),
        headers,
        body: bytes.slice(1..),
    };
    let connector = &*subject.connector;
    let mut link = kit::link(connector, None);
    drop(link.setup_answer(&answer));
    link.setup_refused(&answer);
    check(connector, link.read_poll(&answer));
    check(
        connector,
        link.errand_answer(MonoTime::now(), Some(&answer)),
    );
    check(connector, connector.read_catch_up(&answer));
    drop(link.sent_answer(WallTime::default(), &answer));
    connector.catch_up_refused(answer.status);
}

/// The fixtures of every platform behind the byte that chooses it.
pub(super) fn fixtures() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (index, subject) in subjects().iter().enumerate() {
        for fixture in kit::fixtures(subject.platform) {
            let mut seed = vec![u8::try_from(index).unwrap()];
            seed.extend_from_slice(&fixture.wire);
            seeds.push(seed);
        }
    }
    seeds
}

/// Whatever was read keeps its bytes, and becomes an event that can be stored.
fn check(connector: &dyn Connector, read: Result<Batch, Unreadable>) {
    let Ok(batch) = read else {
        return;
    };
    for event in &batch.events {
        let draft = connector.normalize(event);
        assert_eq!(draft.raw_data, event.raw);
        assert!(!draft.r#type.is_empty(), "an event of no type");
        assert!(draft.encoded_len() > 0);
    }
}

fn chosen(bytes: &[u8]) -> Option<(&'static Subject, Bytes)> {
    let (first, rest) = bytes.split_first()?;
    let subjects = subjects();
    let subject = &subjects[usize::from(*first) % subjects.len()];
    Some((subject, Bytes::copy_from_slice(rest)))
}

fn subjects() -> &'static [Subject] {
    static SUBJECTS: OnceLock<Vec<Subject>> = OnceLock::new();
    SUBJECTS.get_or_init(kit::subjects)
}
