//! What another configuration changes: each kind of change, and what is left alone.

use serde_json::{Value, json};

use super::*;

fn session(name: &str) -> Value {
    json!({
        "name": name, "platform": "genesys-events", "endpoint": "https://api.example.test",
        "channels": ["x"],
        "auth": {
            "grant": "client_credentials", "client_id_file": "/id", "client_secret_file": "/secret",
        },
    })
}

fn template(name: &str) -> Value {
    json!({
        "name": name, "platform": "genesys-web-messaging",
        "endpoint": "wss://webmessaging.example.test", "deployment_id": "d",
    })
}

fn config(sessions: &[Value], more: Value) -> Config {
    let mut whole = json!({ "sessions": sessions });
    let more = more.as_object().cloned().unwrap();
    whole.as_object_mut().unwrap().extend(more);
    serde_json::from_value(whole).unwrap()
}

fn with(name: &str, pointer: &str, value: Value) -> Value {
    let mut session = session(name);
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    if !parent.is_empty() && session.pointer(parent).is_none() {
        session[parent.trim_start_matches('/')] = json!({});
    }
    session.pointer_mut(parent).unwrap()[key] = value;
    session
}

fn names(sessions: &[SessionName]) -> Vec<&str> {
    sessions.iter().map(SessionName::as_str).collect()
}

#[test]
fn the_same_configuration_changes_nothing() {
    let more = json!({ "session_templates": [template("chat")] });
    let config = config(&[session("a"), session("b")], more);
    let found = Difference::between(&config, &config);
    assert!(found.is_empty(), "{found:?}");
    assert_eq!((found.unchanged, found.restart.len()), (2, 0));
}

#[test]
fn sessions_are_added_removed_and_changed_by_their_names_wherever_they_stand() {
    let old = config(&[session("a"), session("b"), session("c")], json!({}));
    let new = [
        with("c", "/timing/websocket_ping", json!("7s")),
        session("a"),
        session("d"),
    ];
    let found = Difference::between(&old, &config(&new, json!({})));
    assert_eq!(names(&found.added), ["d"]);
    assert_eq!(names(&found.removed), ["b"]);
    let session = SessionName::new("c").unwrap();
    let keys = vec!["timing.websocket_ping".to_owned()];
    assert_eq!(found.changed, [Changed { session, keys }]);
    assert_eq!(found.unchanged, 1);
    let next: Vec<_> = found
        .next
        .sessions
        .iter()
        .map(|s| s.name.as_str())
        .collect();
    assert_eq!(next, ["c", "a", "d"]);
}

#[test]
fn every_changed_key_of_a_session_is_named() {
    for (pointer, value, key) in [
        ("/channels", json!(["x", "y"]), "channels"),
        ("/transport", json!("websocket"), "transport"),
        ("/rate_limit/per_minute", json!(60), "rate_limit.per_minute"),
        (
            "/timing/backoff",
            json!({ "cap": "9s" }),
            "timing.backoff.cap",
        ),
        ("/endpoint", json!("https://b.example.test"), "endpoint"),
        (
            "/auth/client_secret_file",
            json!("/other"),
            "auth.client_secret_file",
        ),
        ("/tls/ca_file", json!("/ca"), "tls.ca_file"),
        ("/proxy", json!({ "url": "http://proxy:3128" }), "proxy"),
    ] {
        let old = config(&[session("a")], json!({}));
        let new = config(&[with("a", pointer, value)], json!({}));
        let found = Difference::between(&old, &new);
        assert_eq!(found.changed[0].keys, [key]);
        let in_place = key == "rate_limit.per_minute";
        assert_eq!(found.changed[0].restarts(), !in_place, "{key}");
    }
}

#[test]
fn what_is_opened_or_bound_at_the_start_is_named_and_stays_as_it_is() {
    let old = config(&[session("a")], json!({}));
    let new = json!({
        "listen": {
            "grpc": ["127.0.0.1:1"], "health": "127.0.0.1:2",
            "limits": { "subscribers": 7, "per_principal": 8,
                "sends_per_minute": 9, "message": "2MiB" },
        },
        "journals": [{ "name": "default", "path": "/elsewhere" }],
        "state_key_file": "/key", "drain_timeout": "3s", "max_dynamic_sessions": 9,
    });
    let found = Difference::between(&old, &config(&[session("a")], new));
    let restart = [
        "drain_timeout",
        "journals",
        "listen.grpc",
        "listen.health",
        "listen.limits.message",
        "state_key_file",
    ];
    assert_eq!(found.restart, restart);
    let at_once = [
        "listen.limits.per_principal",
        "listen.limits.sends_per_minute",
        "listen.limits.subscribers",
        "max_dynamic_sessions",
    ];
    assert_eq!(found.limits, at_once);
    assert!(at_once.iter().all(|key| AT_ONCE.contains(key)));
    assert_eq!(found.unchanged, 1);
    // It is said again as long as it is so, and compared with what runs.
    assert_eq!(found.next.drain_timeout, old.drain_timeout);
    assert_eq!(found.next.listen.grpc, old.listen.grpc);
    assert_eq!(found.next.journals[0].path, old.journals[0].path);
    assert_eq!(found.next.listen.limits.subscribers, 7);
    assert_eq!(found.next.listen.limits.per_principal, 8);
    assert_eq!(found.next.listen.limits.sends_per_minute, 9);
    assert_eq!(found.next.max_dynamic_sessions, 9);
}

#[test]
fn a_session_of_a_journal_that_is_not_open_waits_for_the_restart() {
    let old = config(&[session("a"), session("b")], json!({}));
    let journals = json!({ "journals": [
        { "name": "default", "path": "/var/lib/tieline/default" },
        { "name": "other", "path": "/other" },
    ]});
    let new = [
        with("a", "/journal", json!("other")),
        with("b", "/journal", json!("default")),
        with("c", "/journal", json!("other")),
    ];
    let found = Difference::between(&old, &config(&new, journals));
    assert_eq!(
        found.restart,
        ["journals", "sessions.a.journal", "sessions.c.journal"]
    );
    assert!(found.added.is_empty() && found.removed.is_empty());
    assert_eq!(found.changed[0].keys, ["journal"], "the same, by its name");
    let next: Vec<_> = found
        .next
        .sessions
        .iter()
        .map(|s| s.name.as_str())
        .collect();
    assert_eq!(next, ["a", "b"]);
}

#[test]
fn templates_are_renewed_for_new_guests_but_stay_with_their_journal() {
    let of = |templates: &[Value]| config(&[], json!({ "session_templates": templates }));
    let old = of(&[template("a"), template("b"), template("c"), template("d")]);
    let (mut b, mut c) = (template("b"), template("c"));
    b["deployment_id"] = json!("other");
    c["journal"] = json!("default");
    let found = Difference::between(&old, &of(&[template("a"), b, c, template("e")]));
    let text = |names: &[TemplateName]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(text(&found.templates), ["b", "e"]);
    assert_eq!(text(&found.templates_removed), ["d"]);
    assert_eq!(found.restart, ["session_templates.c.journal"]);
    assert!(found.changes_templates() && !found.is_empty());
}
