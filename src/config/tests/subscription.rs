//! Topics, agents and what a platform takes of a session.

use std::path::Path;

use super::{GOOD, brief, findings_of, sources};
use crate::connectors::platforms;

fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name);
    std::fs::read_to_string(path).unwrap()
}

/// The good file with one text replaced gives exactly these findings.
#[track_caller]
fn with(from: &str, to: &str, expected: &str) {
    assert!(GOOD.contains(from), "{from}");
    let findings = findings_of(&GOOD.replacen(from, to, 1), &sources());
    assert_eq!(brief(&findings).trim_end(), expected, "{to}\n{findings}");
}

/// Whether or not the platform is built in, what is said of topics is the same.
#[test]
fn every_mistake_in_topics_is_found_at_its_line() {
    let findings = findings_of(&fixture("config.topics.yaml"), &sources());
    let brief = brief(&findings);
    let topics: Vec<_> = brief
        .lines()
        .filter(|line| line.contains("topics["))
        .collect();
    assert_eq!(
        topics,
        [
            "17 error missing_key sessions[0].topics[6]",
            "18 error conflict sessions[0].topics[7].v2.system.example",
            "19 error wrong_form sessions[0].topics[8].v2.users.{userId}.presence",
            "20 error unknown_key \
             sessions[0].topics[9].v2.users.{id}.routingStatus.all_user_of_queue",
            "21 error out_of_range sessions[0].topics[10].v2.users.{id}.calls",
            "22 error wrong_form sessions[0].topics[11].v2.users.{id}.chats",
            "23 error wrong_type sessions[0].topics[12]",
            "24 error wrong_type sessions[0].topics[13].v2.users.{id}.callbacks",
            "25 error out_of_range sessions[0].topics[14]",
            "27 warning not_unique sessions[0].topics[15]",
        ],
        "{findings}"
    );
    let text = findings.to_string();
    for hint in [
        "`- v2.users.{id}.presence: [a name or id, another]`",
        "write `- v2.system.example` alone",
        "did you mean 'all_users_of_queue'?",
        "must be text or a mapping, and is a list",
        "quote it: \"4711\"",
        "(given: v2.users.{id}.presence)",
    ] {
        assert!(text.contains(hint), "{hint}: {text}");
    }
}

/// The smallest file of the documentation: nothing is wrong with it but that its secrets are not
/// here, and that the channel it keeps should be sealed.
#[test]
fn the_smallest_file_has_no_mistake() {
    let findings = findings_of(&fixture("config.smallest.yaml"), &sources());
    let secrets = "7 warning not_found sessions[0].auth.client_id_file\n\
                   8 warning not_found sessions[0].auth.client_secret_file\n";
    let platform = if platforms().contains(&"genesys-notifications") {
        "3 warning insecure sessions[0].platform\n"
    } else {
        "3 error not_found sessions[0].platform\n"
    };
    assert_eq!(
        brief(&findings),
        format!("{platform}{secrets}"),
        "{findings}"
    );
}

#[test]
fn what_a_platform_has_no_use_for_is_refused() {
    let channels = "    channels: [routing.queueStats]\n";
    let and = |more: &str| format!("{channels}{more}");
    with(channels, "", "16 error out_of_range sessions[0].channels");
    with(
        channels,
        &and("    topics: [v2.system.example]\n"),
        "21 error conflict sessions[0].topics",
    );
    with(
        channels,
        &and("    agent: { id: \"4711\" }\n"),
        "21 error conflict sessions[0].agent",
    );
    with(
        channels,
        &and("    redundancy: 2\n"),
        "21 error conflict sessions[0].redundancy",
    );
    with(
        channels,
        &and("    redundancy: 1\n    transport: long_poll\n"),
        "",
    );
    with(
        channels,
        &and("    alternative_endpoints: [https://b.example, https://c.example:8443/x]\n"),
        "",
    );
    with(
        channels,
        &and("    alternative_endpoints: [http://b.example]\n"),
        "21 error insecure sessions[0].alternative_endpoints[0]",
    );
    with(
        channels,
        &and("    alternative_endpoints: [https://b.example, https://b.example/]\n"),
        "21 warning not_unique sessions[0].alternative_endpoints[1]",
    );
    with(
        channels,
        &and("    redundancy: 3\n"),
        "21 error out_of_range sessions[0].redundancy",
    );
}

#[test]
fn an_agent_is_named_in_one_way() {
    let channels = "    channels: [routing.queueStats]\n";
    let at = |line: &str| format!("21 error conflict sessions[0].agent\n{line}");
    for (agent, expected) in [
        ("{}", at("21 error conflict sessions[0].agent")),
        (
            "{ id: \"1\", phone: \"2\" }",
            at("21 error conflict sessions[0].agent"),
        ),
        (
            "{ id: 4711 }",
            "21 error conflict sessions[0].agent\n\
             21 error wrong_type sessions[0].agent.id"
                .to_owned(),
        ),
        (
            "{ phone: \" \" }",
            at("21 error wrong_form sessions[0].agent.phone"),
        ),
    ] {
        with(
            channels,
            &format!("{channels}    agent: {agent}\n"),
            &expected,
        );
    }
}

#[test]
fn u40_sessions_of_one_credential_have_one_rate() {
    let second = GOOD.split("sessions:\n").nth(1).unwrap();
    let second = second.replace("name: queue-stats", "name: other");
    let rate = |per_minute: u32| format!("    rate_limit: {{ per_minute: {per_minute} }}\n");
    let same = format!("{GOOD}{}{second}{}", rate(500), rate(500));
    assert_eq!(brief(&findings_of(&same, &sources())), "");
    let differs = format!("{GOOD}{}{second}{}", rate(500), rate(200));
    assert_eq!(
        brief(&findings_of(&differs, &sources())),
        "49 warning conflict sessions[1].rate_limit.per_minute\n"
    );
    let elsewhere = second.replace("client_id_env: CLIENT_ID", "client_id_env: CLIENT_SECRET");
    let elsewhere = format!("{GOOD}{}{elsewhere}{}", rate(500), rate(200));
    assert_eq!(brief(&findings_of(&elsewhere, &sources())), "");
    with(
        "    channels:",
        "    rate_limit: { per_minute: 5 }\n    channels:",
        "20 error out_of_range sessions[0].rate_limit.per_minute",
    );
}

#[test]
fn a_password_grant_names_four_secrets() {
    let good = GOOD.replace(
        "grant: client_credentials",
        "grant: password\n      username_env: CLIENT_ID\n      password_env: CLIENT_SECRET",
    );
    assert_eq!(brief(&findings_of(&good, &sources())), "");
    with(
        "grant: client_credentials",
        "grant: password\n      username_env: CLIENT_ID",
        "22 error missing_key sessions[0].auth.password_file",
    );
    with(
        "grant: client_credentials",
        "grant: client_credentials\n      username_file: /dev/null",
        "24 error conflict sessions[0].auth.username_file",
    );
    let inline = GOOD.replace(
        "grant: client_credentials",
        "grant: password\n      username: hunter2\n      password: hunter2",
    );
    let findings = findings_of(&inline, &sources());
    assert_eq!(
        brief(&findings),
        "24 error inline_secret sessions[0].auth.username\n\
         25 error inline_secret sessions[0].auth.password\n"
    );
    assert!(!findings.to_string().contains("hunter2"));
}
