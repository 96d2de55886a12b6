//! Session templates: what guests' sessions are made of.

use super::{brief, findings_of, sources};

const CHAT: &str = "\
state_key_file: /dev/null
session_templates:
  - name: chat
    platform: genesys-web-messaging
    endpoint: wss://webmessaging.mypurecloud.de
    deployment_id: 6f0f0c0e-8a9c-4b8e-9d5e-2f4b6c1d7e90
";

/// The good file with one text replaced gives exactly these findings.
#[track_caller]
fn with(from: &str, to: &str, expected: &str) {
    assert!(CHAT.contains(from), "{from}");
    let findings = findings_of(&CHAT.replacen(from, to, 1), &sources());
    assert_eq!(brief(&findings).trim_end(), expected, "{to}\n{findings}");
}

#[test]
fn templates_alone_are_a_configuration() {
    with("chat", "chat", "");
}

#[test]
fn a_file_without_sessions_and_templates_is_refused() {
    let findings = findings_of("drain_timeout: 10s\n", &sources());
    assert_eq!(brief(&findings).trim_end(), "1 error missing_key sessions");
}

#[test]
fn mistakes_in_a_template_are_found_at_their_line() {
    let id = "    deployment_id: 6f0f0c0e-8a9c-4b8e-9d5e-2f4b6c1d7e90\n";
    let and = |more: &str| format!("{id}    {more}\n");
    with(
        id,
        "",
        "3 error missing_key session_templates[0].deployment_id",
    );
    with(
        "genesys-web-messaging",
        "genesys-notifications",
        "4 error conflict session_templates[0].platform",
    );
    with(
        "wss://",
        "ws://",
        "5 error insecure session_templates[0].endpoint",
    );
    with(
        id,
        &and("rest_endpoint: http://api.example.com"),
        "7 error insecure session_templates[0].rest_endpoint",
    );
    with(
        id,
        &and("outbound_attempts: 0"),
        "7 error out_of_range session_templates[0].outbound_attempts",
    );
    with(
        id,
        &and("unknown_outcome_policy: again"),
        "7 error not_allowed session_templates[0].unknown_outcome_policy",
    );
    with(
        id,
        &and("timing: { outbound_ttl: 0s }"),
        "7 error out_of_range session_templates[0].timing.outbound_ttl",
    );
    with(
        id,
        &and("channels: [x]"),
        "7 error unknown_key session_templates[0].channels",
    );
    with(
        id,
        &format!("{id}max_dynamic_sessions: 0\n"),
        "7 warning conflict max_dynamic_sessions",
    );
    let again = CHAT.split_once("session_templates:\n").unwrap().1;
    with(
        id,
        &format!("{id}{again}"),
        "7 error not_unique session_templates[1].name",
    );
}

#[test]
fn u22_a_webchat_needs_a_credential_and_web_messaging_takes_none() {
    let webchat = CHAT
        .replace("genesys-web-messaging", "genesys-webchat")
        .replace("wss://", "https://");
    let findings = findings_of(&webchat, &sources());
    let of: Vec<_> = findings.all().iter().map(|f| f.key.clone()).collect();
    assert!(
        of.contains(&"session_templates[0].auth.grant".to_owned()),
        "{findings}"
    );
    assert!(
        of.contains(&"session_templates[0].deployment_id".to_owned()),
        "{findings}"
    );
    let id = "    deployment_id: 6f0f0c0e-8a9c-4b8e-9d5e-2f4b6c1d7e90\n";
    with(
        id,
        &format!(
            "{id}    auth: {{ grant: client_credentials, client_id_env: CLIENT_ID, client_secret_env: CLIENT_SECRET }}\n"
        ),
        "7 error conflict session_templates[0].auth.grant",
    );
}

#[test]
fn platforms_for_guests_are_no_sessions_of_their_own() {
    let text = "\
state_key_file: /dev/null
sessions:
  - name: chat
    platform: genesys-web-messaging
    endpoint: https://webmessaging.mypurecloud.de
    auth: { grant: guest_session }
";
    let findings = findings_of(text, &sources());
    assert_eq!(
        brief(&findings).trim_end(),
        "4 error conflict sessions[0].platform",
        "{findings}"
    );
}
