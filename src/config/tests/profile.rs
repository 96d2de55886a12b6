//! Profiles in the configuration, and heartbeats: each mistake at its key and line, with its mend.

use super::{brief, findings_of, sources};

const CUSTOM: &str = r#"sessions:
  - name: acme
    platform: custom
    endpoint: https://events.acme.example
    channels: [agents]
    auth: { grant: client_credentials, client_id_env: CLIENT_ID, client_secret_env: CLIENT_SECRET }
    profile:
      token: { path: /oauth/token, placement: form }
      websocket:
        path: /v1/stream
        subscribe: { action: subscribe, topics: "{channels}", since: 0, all: true, none: null }
        heartbeat:
          frame: { action: ping }
          interval: { stable: 20s }
      events:
        - { type: /kind, time: /at }
      frames:
        - { at: /action, is: pong, means: acknowledgement }
"#;

const STREAMING: &str = r#"sessions:
  - name: stream
    platform: genesys-streaming
    endpoint: https://api.mypurecloud.de
    auth: { grant: client_credentials, client_id_env: CLIENT_ID, client_secret_env: CLIENT_SECRET }
    timing:
      heartbeat: { degraded: 15s, reconnecting: 15s }
"#;

#[track_caller]
fn with(good: &str, from: &str, to: &str, expected: &str) {
    assert!(good.contains(from), "{from}");
    let findings = findings_of(&good.replacen(from, to, 1), &sources());
    assert_eq!(
        brief(&findings).trim_end(),
        expected,
        "{from} -> {to}\n{findings}"
    );
    for finding in findings.all() {
        assert!(finding.hint.is_some(), "{findings}");
    }
}

#[test]
fn a_profile_is_read_with_its_templates_as_they_are_written() {
    assert_eq!(brief(&findings_of(CUSTOM, &sources())), "");
    let loaded = super::load_text(CUSTOM, &sources()).unwrap();
    let profile = loaded.config.sessions[0].profile.clone().unwrap();
    let subscribe = profile
        .websocket
        .as_ref()
        .unwrap()
        .subscribe
        .as_ref()
        .unwrap();
    let expected = serde_json::json!({
        "action": "subscribe", "topics": "{channels}", "since": 0, "all": true, "none": null,
    });
    assert_eq!(subscribe.0, expected);
}

#[test]
fn each_mistake_of_a_profile_stands_at_its_key() {
    let profile = "sessions[0].profile";
    for (from, to, expected) in [
        (
            "path: /v1/stream",
            "path: v1",
            format!("10 error wrong_form {profile}.websocket.path"),
        ),
        (
            "/kind",
            "kind",
            format!("16 error wrong_form {profile}.events[0].type"),
        ),
        (
            "{channels}",
            "{chanels}",
            format!("11 error wrong_form {profile}.websocket.subscribe.topics"),
        ),
        (
            "stable: 20s",
            "stable: 2h",
            format!("14 error wrong_form {profile}.websocket.heartbeat.interval.stable"),
        ),
        (
            "stable: 20s",
            "stable: 20",
            format!("14 error wrong_form {profile}.websocket.heartbeat.interval.stable"),
        ),
        (
            "means: acknowledgement",
            "means: ack",
            format!("18 error not_allowed {profile}.frames[0].means"),
        ),
        (
            "time: /at",
            "tme: /at",
            format!("16 error unknown_key {profile}.events[0].tme"),
        ),
        (
            "      events:\n        - { type: /kind, time: /at }\n",
            "",
            format!("8 error missing_key {profile}.events"),
        ),
        (
            "platform: custom",
            "platform: genesys-events",
            "7 error conflict sessions[0].profile".to_owned(),
        ),
    ] {
        with(CUSTOM, from, to, &expected);
    }
    let (bare, _) = CUSTOM.split_once("    profile:").unwrap();
    let findings = findings_of(bare, &sources());
    assert_eq!(
        brief(&findings).trim_end(),
        "2 error missing_key sessions[0].profile"
    );
}

#[test]
fn u26_the_gateways_bounds_win_and_the_check_says_so() {
    assert_eq!(brief(&findings_of(STREAMING, &sources())), "");
    let heartbeat = "sessions[0].timing.heartbeat";
    let own = "      heartbeat: { degraded: 15s, reconnecting: 15s }";
    let two = format!(
        "6 warning out_of_range {heartbeat}.degraded\n6 warning out_of_range {heartbeat}.reconnecting"
    );
    with(STREAMING, own, "      probe_timeout: 4s", &two);
    let findings = findings_of(
        &STREAMING.replace(own, "      probe_timeout: 4s"),
        &sources(),
    );
    let said = findings.to_string();
    assert!(
        said.contains("of 10s is not what the platform takes: 15s"),
        "{said}"
    );
    with(
        STREAMING,
        "degraded: 15s",
        "degraded: 5s",
        &format!("7 warning out_of_range {heartbeat}.degraded"),
    );
    with(
        STREAMING,
        "degraded: 15s",
        "degraded: 15s, stable: 60s",
        &format!("7 warning out_of_range {heartbeat}.stable"),
    );
    with(
        STREAMING,
        "degraded: 15s",
        "degraded: 1ms",
        &format!("7 error out_of_range {heartbeat}.degraded"),
    );
    let of_others = STREAMING.replace("genesys-streaming", "genesys-analytics");
    with(
        &of_others,
        own,
        "      heartbeat: { stable: 20s }",
        &format!("7 error conflict {heartbeat}.stable"),
    );
}

#[test]
fn channels_are_named_where_a_platform_has_any() {
    let chosen = "    platform: genesys-streaming\n    channels: [x]";
    with(
        STREAMING,
        "    platform: genesys-streaming",
        chosen,
        "4 error conflict sessions[0].channels",
    );
    with(
        CUSTOM,
        "    channels: [agents]\n",
        "",
        "2 error out_of_range sessions[0].channels",
    );
}
