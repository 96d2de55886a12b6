//! Frames that no well-meaning platform sends: bounded, and nothing secret is kept of them.

use proptest::prelude::*;

use super::*;

#[test]
fn a_jwt_is_neither_printed_nor_kept_in_whatever_shape_it_comes() {
    let connector = connector();
    let now = MonoTime::now();
    for frame in [
        r#"{"class":"JwtResponse","code":200,"body":{"jwt":"s3cret","exp":1}}"#,
        r#"{"class":"JwtResponse","code":200,"body":{"jwt":"s3cret","exp":{}}}"#,
        r#"{"class":"JwtResponse","code":200,"body":{"jwt":["s3cret"]}}"#,
        r#"{"class":"JwtResponse","code":403,"body":{"jwt":"s3cret"}}"#,
        r#"{"class":"JwtResponse","body":"s3cret"}"#,
        r#"{"class":"JwtResponse","code":200,"body":{"jwt":"s3cret"#,
        r#"{"class":"JwtResponse","class":"JwtResponse","body":{"jwt":"s3cret"}}"#,
    ] {
        let mut link = link_at(&*connector, None, now);
        read(&mut *link, now, &begun());
        due(&mut *link, now);
        let batch = link.read_frame(now, &frame.into()).unwrap();
        assert!(batch.events.is_empty(), "{frame}");
        assert_eq!(batch.confirms, Confirms::All, "{frame}");
        let shown = format!("{connector:?} {link:?} {batch:?}");
        assert!(!shown.contains("s3cret"), "{shown}");
        assert!(!shown.contains(TOKEN), "{shown}");
    }
}

#[test]
fn frames_that_are_none_are_refused_and_not_quoted() {
    let now = MonoTime::now();
    for frame in [
        "",
        "s3cret",
        "[]",
        "7",
        r#"{"class":"SessionResponse","code":200,"body":"s3cret"}"#,
        r#"{"class":"SessionResponse","code":200}"#,
        r#"{"class":{"s3cret":1}}"#,
    ] {
        let mut link = link_at(&*connector(), None, now);
        let refused = link.read_frame(now, &frame.into()).unwrap_err().to_string();
        assert!(!refused.contains("s3cret"), "{refused}");
    }
}

#[test]
fn depth_and_length_are_no_danger() {
    let connector = connector();
    let now = MonoTime::now();
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    let wide = format!("{{\"content\":[{}{{}}]}}", "{},".repeat(200_000));
    for body in [deep, wide] {
        for class in ["StructuredMessage", "SessionResponse", "string", "Unheard"] {
            let frame = format!(r#"{{"class":"{class}","code":200,"body":{body}}}"#);
            let mut link = standing(&*connector, None, now);
            if let Ok(batch) = link.read_frame(now, &frame.into()) {
                batch.events.iter().for_each(|event| {
                    connector.normalize(event);
                });
            }
        }
    }
}

#[test]
fn long_ids_are_none_and_long_reasons_are_cut() {
    let connector = connector();
    let now = MonoTime::now();
    let mut link = standing(&*connector, None, now);
    let batch = read(&mut *link, now, &echo(&"x".repeat(201), "m1"));
    assert!(batch.receipts.is_empty());
    assert!(
        !connector
            .normalize(&batch.events[0])
            .attributes
            .contains_key("correlationid")
    );
    let reason = "r".repeat(10_000);
    let frame = json!({ "class": "ConnectionClosedEvent", "body": { "reason": reason } });
    match read(&mut *link, now, &frame).controls.as_slice() {
        [Control::Superseded { reason }] => assert!(reason.len() < 300),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_was_kept_by_something_else_is_nothing() {
    let connector = connector();
    let now = MonoTime::now();
    for left in [
        "",
        "x",
        "{}",
        "[]",
        r#"{"of":"x","introduced":true}"#,
        r#"{"of":7}"#,
    ] {
        let left = Opaque::new(left.to_owned());
        let mut link = link_at(&*connector, Some(&left), now);
        let batch = read(&mut *link, now, &begun());
        assert!(batch.controls.is_empty(), "nothing had begun");
    }
}

proptest! {
    #[test]
    fn no_frame_breaks_anything_and_its_bytes_are_kept(
        class in "StructuredMessage|SessionResponse|string|TooManyRequestsErrorMessage|[A-Z][a-z]{1,9}",
        fields in proptest::collection::vec((
            "id|type|text|direction|channel|content|events|metadata|newSession|retryAfter|jwt|[a-z]{1,5}",
            "[0-9]{1,25}|true|null|\"[a-zA-Z]{0,8}\"|\\{\\}|\\[\\]|\\[\\{\\}\\]|\\[7\\]"), 0..6),
        code in "[0-9]{1,6}|null|\"200\"|\\{\\}",
        stands: bool,
    ) {
        let connector = connector();
        let now = MonoTime::now();
        let mut link = match stands {
            true => standing(&*connector, None, now),
            false => link_at(&*connector, None, now),
        };
        let fields: Vec<String> = fields.iter().map(|(k, v)| format!("\"{k}\":{v}")).collect();
        let frame = format!(
            r#"{{"class":"{class}","code":{code},"tracingId":"t","body":{{{}}}}}"#, fields.join(","));
        let frame = Bytes::from(frame);
        if let Ok(batch) = link.read_frame(now, &frame) {
            for event in &batch.events {
                prop_assert_eq!(&event.raw, &frame);
                let normal = connector.normalize(event);
                prop_assert_eq!(normal.data.is_none(), normal.r#type == "ccaas.unmapped.v1");
                prop_assert_eq!(&normal.raw_data, &frame);
            }
        }
    }
}
