//! Mistakes of profiles: each is found where it stands, with a mend.

use serde_json::{Value, json};

use super::*;

fn mistakes(profile: &Value) -> Vec<String> {
    let profile: Profile = serde_json::from_value(profile.clone()).unwrap();
    profile.mistakes().iter().map(ToString::to_string).collect()
}

#[test]
fn the_smallest_profile_has_none() {
    assert_eq!(mistakes(&smallest()), [] as [&str; 0]);
    connector(custom(smallest()));
}

#[test]
fn each_mistake_is_named_with_its_place_and_its_mend() {
    let heartbeat = |more: Value| {
        let mut shape = json!({ "frame": { "a": "{now}" }, "interval": { "stable": "20s" } });
        let more = more.as_object().unwrap().clone();
        shape.as_object_mut().unwrap().extend(more);
        json!({ "path": "/stream", "heartbeat": shape })
    };
    let form = |form: Value| json!([{ "event": "a", "agent_state": form }]);
    let cases = [
        (
            "domains",
            json!(["*.x.test"]),
            "domains[0] must be the name of a host",
        ),
        ("ports", json!([0]), "ports[0] must be from 1"),
        (
            "token",
            json!({ "path": "token", "placement": "form" }),
            "token.path must be a path",
        ),
        (
            "credential",
            json!({ "name": "a b" }),
            "credential.name cannot be a name",
        ),
        (
            "credential",
            json!({ "place": "query", "scheme": "X" }),
            "credential.scheme is not used",
        ),
        (
            "probe",
            json!({ "path": "/x?y" }),
            "probe.path must be a path",
        ),
        (
            "probe",
            json!({ "path": "/x", "query": { "a": "{channels}" } }),
            "probe.query.a holds {channels}",
        ),
        ("websocket", json!(null), "must hold websocket or long_poll"),
        (
            "websocket",
            json!({ "path": "/s", "subscribe": { "to": ["{chanels}"] } }),
            "websocket.subscribe.to[0] holds {chanels}, which is no placeholder here; known here: {channels}",
        ),
        (
            "websocket",
            heartbeat(json!({ "frame": { "a": "{token}" } })),
            "websocket.heartbeat.frame.a holds {token}",
        ),
        (
            "websocket",
            heartbeat(json!({ "interval": { "stable": "1ms" } })),
            "websocket.heartbeat.interval.stable must be from 10ms",
        ),
        (
            "websocket",
            heartbeat(json!({ "minimum": "9s", "maximum": "8s" })),
            "websocket.heartbeat.minimum must not be longer",
        ),
        (
            "websocket",
            heartbeat(json!({ "silent_after": "20s" })),
            "websocket.heartbeat.silent_after must be longer",
        ),
        (
            "websocket",
            heartbeat(json!({ "requires": { "a": "string" } })),
            "websocket.heartbeat.requires.a must be a JSON pointer",
        ),
        (
            "long_poll",
            json!({ "method": "FETCH", "path": "/p" }),
            "long_poll.method must be GET or POST",
        ),
        (
            "long_poll",
            json!({ "method": "GET", "path": "/p", "body": {} }),
            "long_poll.body cannot be sent",
        ),
        (
            "catch_up",
            json!({ "path": "/h", "query": {} }),
            "catch_up needs numbering",
        ),
        (
            "numbering",
            json!({ "dense": true, "batch_is_cursor": false }),
            "numbering is given, and nothing",
        ),
        ("loose_order", json!("11s"), "loose_order must be from"),
        ("batch", json!({ "number": "/n" }), "numbering is missing"),
        (
            "batch",
            json!({ "number": "/n" }),
            "batch.events is missing",
        ),
        ("events", json!([]), "events must describe"),
        (
            "events",
            json!([{ "type": "type" }]),
            "events[0].type must be a JSON pointer",
        ),
        (
            "events",
            json!([{ "type": "/t", "id": "/a~2" }]),
            "events[0].id must be a JSON pointer",
        ),
        (
            "errors",
            json!([{ "status": "" }]),
            "errors[0].status must be a JSON pointer",
        ),
        (
            "frames",
            json!([{ "at": "/a", "means": "acknowledgement" }]),
            "frames[0].means has nothing",
        ),
        (
            "forms",
            json!([{ "event": "a" }]),
            "forms[0] must have one form",
        ),
        (
            "forms",
            form(json!({ "agent_id": "x", "state": "/s", "availability": {} })),
            "forms[0].agent_state.agent_id must be",
        ),
        (
            "forms",
            form(json!({ "agent_id": "/x", "state": "/s", "availability": { "OnCall": "busy" } })),
            "forms[0].agent_state.availability.OnCall is never found; write it as on_call",
        ),
    ];
    for (key, value, expected) in cases {
        let mut profile = smallest();
        profile[key] = value;
        let found = mistakes(&profile);
        assert!(
            found.iter().any(|m| m.starts_with(expected)),
            "{expected}: {found:?}"
        );
        let refused = build(&custom(profile)).unwrap_err().to_string();
        assert!(refused.starts_with("profile 'custom'"), "{refused}");
    }
    let mut twice = smallest();
    let form = json!({ "event": "a", "agent_state": { "agent_id": "/x", "state": "/s", "availability": {} } });
    twice["forms"] = json!([form, form]);
    let found = mistakes(&twice);
    assert!(
        found[0].starts_with("forms[1].event is named by an earlier rule"),
        "{found:?}"
    );
}

#[test]
fn a_platform_that_nobody_describes_is_refused() {
    let refused = build(&settings(CUSTOM)).unwrap_err().to_string();
    assert!(refused.starts_with("profile is missing"), "{refused}");
    let unknown = json!({ "tokn": {} });
    serde_json::from_value::<Profile>(unknown).unwrap_err();
}
