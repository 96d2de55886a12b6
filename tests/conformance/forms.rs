//! Normal forms: golden files, and what holds of every one of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use prost_types::Timestamp;
use tieline::domain::WallTime;
use tieline::proto::v1;

use crate::kit::{Fixture, Subject, events, fixtures, read, subjects};

const UNMAPPED: &str = "ccaas.unmapped.v1";

/// `TIELINE_BLESS=1` writes the golden files anew; a person then reads the difference.
#[test]
fn every_fixture_takes_the_form_of_its_golden_file() {
    let bless = std::env::var_os("TIELINE_BLESS").is_some();
    let mut wrong = Vec::new();
    for subject in subjects() {
        for fixture in fixtures(subject.platform) {
            let path = fixture.path.with_extension("golden");
            let is = shown(&subject, &fixture);
            if bless {
                fs::write(&path, &is).unwrap();
            }
            if fs::read_to_string(&path).unwrap_or_default() != is {
                wrong.push(format!("{}\n{is}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "these differ:\n{}", wrong.join("\n"));
}

/// Its events in order. The bytes are those of the fixture, so they are not repeated.
fn shown(subject: &Subject, fixture: &Fixture) -> String {
    let batch = read(&*subject.connector, &fixture.wire).unwrap();
    let mut text = String::new();
    for event in &batch.events {
        let mut draft = subject.connector.normalize(event);
        draft.raw_data.clear();
        let attributes: BTreeMap<_, _> = draft.attributes.drain().collect();
        text += &condensed(&format!("{draft:#?}"));
        for (key, value) in attributes {
            writeln!(text, "attribute {key}: {value:?}").unwrap();
        }
        text.push('\n');
    }
    text
}

/// Without what is at its default, and with times that a person can read.
fn condensed(debug: &str) -> String {
    const DEFAULTS: [&str; 7] = ["\"\"", "None", "0", "[]", "{}", "b\"\"", "false"];
    let mut text = String::new();
    let mut lines = debug.lines();
    while let Some(line) = lines.next() {
        let (name, value) = line.split_once(": ").unwrap_or((line, ""));
        if DEFAULTS.contains(&value.trim_end_matches(',')) {
            continue;
        }
        let rest = lines.clone();
        match (value, time(rest)) {
            ("Some(", Some(time)) => {
                writeln!(text, "{name}: {time}").unwrap();
                lines.nth(4);
            }
            _ => writeln!(text, "{line}").unwrap(),
        }
    }
    text
}

/// A time, where the next lines are one.
fn time<'a>(mut lines: impl Iterator<Item = &'a str>) -> Option<WallTime> {
    let mut next = || lines.next().map(|line| line.trim().trim_end_matches(','));
    next().filter(|line| *line == "Timestamp {")?;
    let seconds = next()?.strip_prefix("seconds: ")?.parse().ok()?;
    let nanos = next()?.strip_prefix("nanos: ")?.parse().ok()?;
    WallTime::from_proto(&Timestamp { seconds, nanos })
}

#[test]
fn every_event_says_what_it_is_and_where_it_belongs() {
    for subject in subjects() {
        for (name, event) in events(&subject) {
            let draft = subject.connector.normalize(&event);
            let here = format!("{name}: {draft:?}");
            assert_eq!(draft.source, subject.connector.source(), "{here}");
            assert_eq!(draft.provider_type, event.topic, "{here}");
            assert_eq!(draft.id, event.id.clone().unwrap_or_default(), "{here}");
            assert_eq!(draft.raw_data, event.raw, "{here}");
            assert_eq!(draft.data_content_type, "application/json", "{here}");
            assert_eq!(draft.subject, draft.ordering_key, "{here}");
            assert_eq!(draft.sequence, 0, "the journal's: {here}");
            assert!(draft.session.is_empty(), "the engine's: {here}");
            assert_eq!(draft.origin(), v1::event::Origin::Unspecified, "{here}");
            assert_eq!(draft.data.is_none(), draft.r#type == UNMAPPED, "{here}");
            if draft.data.is_some() {
                assert!(draft.subject.contains('/'), "{here}");
                let known = |key: &String| key == "correlationid";
                assert!(draft.attributes.keys().all(known), "{here}");
            } else {
                assert_eq!(draft.subject, event.topic, "{here}");
            }
            let of_letters = |key: &String| key.bytes().all(|b| b.is_ascii_lowercase());
            assert!(draft.attributes.keys().all(of_letters), "{here}");
        }
    }
}

#[test]
fn u20_what_cannot_be_read_says_so_and_keeps_its_bytes() {
    for subject in subjects() {
        for (name, event) in events(&subject) {
            let draft = subject.connector.normalize(&event);
            if let Some(problem) = &event.malformed {
                assert_eq!(draft.r#type, UNMAPPED, "{name}");
                assert_eq!(draft.attributes.get("parseerror"), Some(problem), "{name}");
            }
            assert!(!draft.raw_data.is_empty(), "{name}");
        }
    }
}

#[test]
fn sources_name_platform_host_and_session() {
    for subject in subjects() {
        let source = subject.connector.source();
        let rest = source.strip_prefix(&format!("//{}/", subject.platform));
        // An organisation is known by its domain, whichever host of it is the endpoint.
        let place = rest.map(|rest| rest.strip_prefix("api.").unwrap_or(rest));
        assert_eq!(place, Some("conformance.test/conformance"), "{source}");
        assert_eq!(subject.connector.platform().as_str(), subject.platform);
    }
}
