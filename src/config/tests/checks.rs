//! One mistake at a time: what is found, where.

use super::{GOOD, brief, findings_of, sources};

/// The good file with one text replaced gives exactly these findings.
#[track_caller]
fn with(from: &str, to: &str, expected: &str) {
    assert!(GOOD.contains(from), "{from}");
    let findings = findings_of(&GOOD.replacen(from, to, 1), &sources());
    assert_eq!(
        brief(&findings).trim_end(),
        expected,
        "{from} -> {to}\n{findings}"
    );
    for finding in findings.all() {
        let hint = finding.hint.as_deref().unwrap_or_default();
        assert!(
            finding.code == super::super::Code::OutOfRange || !hint.is_empty(),
            "{findings}"
        );
    }
}

#[test]
fn structure() {
    let channels = "    channels: [routing.queueStats]";
    with(
        "    platform: genesys-events\n",
        "",
        "16 error missing_key sessions[0].platform",
    );
    with(
        channels,
        "    chanels: [x]",
        "20 error unknown_key sessions[0].chanels",
    );
    with(
        channels,
        "    channels: x",
        "20 error wrong_type sessions[0].channels",
    );
    with(
        channels,
        "    channels:",
        "20 error wrong_type sessions[0].channels",
    );
    with(
        channels,
        "    channels: [1]",
        "20 error wrong_type sessions[0].channels[0]",
    );
    with(
        "max_bytes: 2GiB",
        "max_bytes: 2GB",
        "12 error wrong_form journals[0].retention.max_bytes",
    );
    with(
        "drain_timeout: 10s",
        "drain_timeout: [10s]",
        "14 error wrong_type drain_timeout",
    );
    with(
        "subscribers: 1000",
        "subscribers: many",
        "5 error wrong_type listen.limits.subscribers",
    );
    with(
        "subscribers: 1000",
        "subscribers: -1",
        "5 error out_of_range listen.limits.subscribers",
    );
    with(
        "subscribers: 1000",
        "subscribers: 1.5",
        "5 error wrong_type listen.limits.subscribers",
    );
    let huge = format!("subscribers: {}", "9".repeat(60));
    with(
        "subscribers: 1000",
        &huge,
        "5 error out_of_range listen.limits.subscribers",
    );
    with(
        "name: queue-stats",
        "name: Queue Stats",
        "16 error wrong_form sessions[0].name",
    );
    with(
        "name: queue-stats",
        "name: 4711",
        "16 error wrong_form sessions[0].name",
    );
    with(
        "grant: client_credentials",
        "grant: client_credential",
        "23 error not_allowed sessions[0].auth.grant",
    );
    with(
        "endpoint: https://api.example.com",
        "endpoint: api.example.com",
        "19 error wrong_form sessions[0].endpoint",
    );
    with(
        "sessions:\n",
        "sessions: none\nx:\n",
        "15 error wrong_type sessions\n16 error unknown_key x",
    );
}

#[test]
fn hints_lead_to_the_mend() {
    for (from, to, hint) in [
        ("    channels:", "    chanels:", "did you mean 'channels'?"),
        (
            "drain_timeout: 10s",
            "pong_timeout: 10s",
            "'pong_timeout' belongs to 'sessions[].timing'",
        ),
        (
            "drain_timeout: 10s",
            "webhook: x",
            "known here: drain_timeout, journals,",
        ),
        ("transport", "transport", ""),
        (
            "drain_timeout: 10s",
            "drain_timeout: 10",
            "write a number with its unit",
        ),
        (
            "[routing.queueStats]",
            "routing.queueStats",
            "write it as [routing.queueStats]",
        ),
        ("[routing.queueStats]", "[true]", "quote it: \"true\""),
        (
            "client_secret_env: CLIENT_SECRET",
            "client_secret: x",
            "client_secret_file or client_secret_env",
        ),
        (
            "client_id_env: CLIENT_ID",
            "client_id: x",
            "client_id_file or client_id_env",
        ),
        (
            "platform: genesys-events",
            "platform: genesys-event",
            "did you mean 'genesys-events'?",
        ),
        (
            "platform: genesys-events",
            "platform: five9",
            "there are: cxone-realtime, genesys-adherence",
        ),
    ] {
        let findings = findings_of(&GOOD.replacen(from, to, 1), &sources());
        assert!(findings.to_string().contains(hint), "{to}: {findings}");
    }
}

#[test]
fn listeners() {
    let grpc = r#"["127.0.0.1:7443", "unix:/run/tieline/tieline.sock"]"#;
    with(grpc, "[]", "2 error out_of_range listen.grpc");
    with(
        grpc,
        "[\"0.0.0.0:7443\"]",
        "2 error insecure listen.grpc[0]",
    );
    with(
        grpc,
        "[\"10.0.0.7:7443\"]",
        "2 error insecure listen.grpc[0]",
    );
    with(grpc, "[\"[::]:7443\"]", "2 error insecure listen.grpc[0]");
    with(grpc, "[\"[::1]:7443\", \"localhost:7446\"]", "");
    with(grpc, "[\"7443\"]", "2 error wrong_form listen.grpc[0]");
    with(
        grpc,
        "[\"unix:tieline.sock\"]",
        "2 error wrong_form listen.grpc[0]",
    );
    with(
        grpc,
        &format!("[\"unix:/{}\"]", "x".repeat(120)),
        "2 error wrong_form listen.grpc[0]",
    );
    with(
        grpc,
        "[\"127.0.0.1:1\", \"127.0.0.1:1\"]",
        "2 error not_unique listen.grpc[1]",
    );
    with(grpc, "[\"127.0.0.1:0\", \"127.0.0.1:0\"]", "");
    with(
        "0.0.0.0:7444",
        "127.0.0.1:7443",
        "3 error not_unique listen.health",
    );
    let limits = "  limits:";
    for (admin, expected) in [
        ("[]", ""),
        ("[\"127.0.0.1:7445\", \"unix:/run/admin.sock\"]", ""),
        ("[\"0.0.0.0:7445\"]", "4 error insecure listen.admin[0]"),
        ("[\"127.0.0.1:7443\"]", "4 error not_unique listen.admin[0]"),
    ] {
        with(limits, &format!("  admin: {admin}\n{limits}"), expected);
    }
    with(
        "0.0.0.0:7444",
        "unix:/run/health.sock",
        "3 error wrong_form listen.health",
    );
    with("0.0.0.0:7444", "", "");
    with(
        "subscribers: 1000",
        "subscribers: 0",
        "5 error out_of_range listen.limits.subscribers",
    );
    with(
        "message: 1MiB",
        "message: 4MiB",
        "6 error out_of_range listen.limits.message",
    );
    with("message: 1MiB", "message: 3584KiB", "");
    with(
        "drain_timeout: 10s",
        "drain_timeout: 2d",
        "14 error out_of_range drain_timeout",
    );
}

#[test]
fn journals() {
    let second = |name: &str, path: &str| {
        format!("journals:\n  - name: {name}\n    path: {path}\n  - name: default\n")
    };
    let from = "journals:\n  - name: default\n";
    with(
        from,
        &second("default", "/a"),
        "10 error not_unique journals[1].name",
    );
    with(
        from,
        &second("b", "/var/lib/tieline/default/"),
        "11 error not_unique journals[1].path",
    );
    with(
        from,
        &second("b", "/var/lib/x/../tieline"),
        "11 error not_unique journals[1].path",
    );
    with(from, &second("b", "/var/lib/tieline/default-2"), "");
    with(
        "max_bytes: 2GiB",
        "max_bytes: 4GiB",
        "12 error conflict journals[0].retention.max_bytes",
    );
    with(
        "max_bytes: 2GiB",
        "max_bytes: 64MiB",
        "12 error out_of_range journals[0].retention.max_bytes",
    );
    with(
        "      max_bytes: 2GiB\n      hard_max_bytes: 3GiB",
        "      hard_max_bytes: 1GiB",
        "12 error conflict journals[0].retention.hard_max_bytes",
    );
    with(
        "max_age: 72h",
        "max_age: 0s",
        "11 error out_of_range journals[0].retention.max_age",
    );
}

#[test]
fn sessions() {
    with(
        "journal: default",
        "journal: other",
        "17 error not_found sessions[0].journal",
    );
    with(
        "platform: genesys-events",
        "platform: five9",
        "18 error not_found sessions[0].platform",
    );
    let endpoint = "endpoint: https://api.example.com";
    with(
        endpoint,
        "endpoint: http://api.example.com",
        "19 error insecure sessions[0].endpoint",
    );
    with(endpoint, "endpoint: http://127.0.0.1:8080", "");
    with(endpoint, "endpoint: http://localhost:8080", "");
    with(
        endpoint,
        "endpoint: http://a.example\n    allow_plaintext: true",
        "",
    );
    with(
        endpoint,
        "endpoint: wss://api.example.com",
        "19 error wrong_form sessions[0].endpoint",
    );
    with(
        endpoint,
        "endpoint: https://u:p@a.example",
        "19 error inline_secret sessions[0].endpoint",
    );
    with(
        endpoint,
        "endpoint: https://a.example/?x=1",
        "19 error wrong_form sessions[0].endpoint",
    );
    with(
        "[routing.queueStats]",
        "[]",
        "20 error out_of_range sessions[0].channels",
    );
    with(
        "[routing.queueStats]",
        "[\" \"]",
        "20 error wrong_form sessions[0].channels[0]",
    );
    with(
        "[routing.queueStats]",
        "[a, b, a]",
        "20 warning not_unique sessions[0].channels[2]",
    );
    for domain in [
        "https://example.com",
        "'*.example.com'",
        "example.com/x",
        "Example.com",
        "a:1",
    ] {
        with(
            "[example.com]",
            &format!("[{domain}]"),
            "21 error wrong_form sessions[0].allowed_domains[0]",
        );
    }
    let twice = GOOD.replace("  - name: queue-stats", "  - name: default-2");
    let sessions = GOOD.split("sessions:\n").nth(1).unwrap();
    let doubled = format!("{GOOD}{sessions}");
    assert_eq!(
        brief(&findings_of(&doubled, &sources())),
        "32 error not_unique sessions[1].name\n"
    );
    assert_eq!(
        brief(&findings_of(&format!("{twice}{sessions}"), &sources())),
        ""
    );
    let unnamed = GOOD
        .replace("journals:\n", "journals:\n  - name: b\n    path: /b\n")
        .replace("    journal: default\n", "");
    assert_eq!(
        brief(&findings_of(&unnamed, &sources())),
        "18 error missing_key sessions[0].journal\n"
    );
    assert_eq!(
        brief(&findings_of("sessions: []\n", &sources())),
        "1 warning out_of_range sessions\n"
    );
}

#[test]
fn timing() {
    let at =
        |line: u32, code: &str, key: &str| format!("{line} error {code} sessions[0].timing.{key}");
    with(
        "probe_timeout: 4s",
        "probe_timeout: 0s",
        &at(28, "out_of_range", "probe_timeout"),
    );
    with(
        "probe_timeout: 4s",
        "probe_timeout: 1h",
        &at(28, "out_of_range", "probe_timeout"),
    );
    with(
        "pong_timeout: 10s",
        "pong_timeout: 20s",
        &at(30, "conflict", "pong_timeout"),
    );
    with(
        "      websocket_ping: 20s\n      pong_timeout: 10s",
        "      websocket_ping: 10s",
        &at(29, "conflict", "websocket_ping"),
    );
    with("base: 1s", "base: 40s", &at(31, "conflict", "backoff.base"));
    with(
        "base: 1s",
        "base: 0s",
        &at(31, "out_of_range", "backoff.base"),
    );
    with(
        "cap: 30s",
        "cap: 2h",
        &at(31, "out_of_range", "backoff.cap"),
    );
}

#[test]
fn credentials() {
    let at = |line: u32, what: &str, key: &str| format!("{line} {what} sessions[0].auth.{key}");
    let secret = "      client_secret_env: CLIENT_SECRET\n";
    with(
        secret,
        "",
        &at(22, "error missing_key", "client_secret_file"),
    );
    with(
        secret,
        "      client_secret_env: CLIENT_SECRET\n      client_secret_file: /dev/null\n",
        &at(26, "error conflict", "client_secret_env"),
    );
    with(
        secret,
        "      client_secret_file: /nowhere/secret\n",
        &at(26, "warning not_found", "client_secret_file"),
    );
    with(
        secret,
        "      client_secret_env: hunter2!\n",
        &at(26, "error wrong_form", "client_secret_env"),
    );
    with(
        secret,
        "      client_secret_env: UNSET\n",
        &at(26, "warning not_found", "client_secret_env"),
    );
    with(
        secret,
        "      client_secret: hunter2\n",
        &at(26, "error inline_secret", "client_secret"),
    );
    with(
        secret,
        "      password: hunter2\n",
        &format!(
            "{}\n{}",
            at(22, "error missing_key", "client_secret_file"),
            at(26, "error inline_secret", "password"),
        ),
    );
    with(
        secret,
        "      client_secret_env: CLIENT_SECRET\n      refresh_token_file: /dev/null\n",
        &at(27, "error conflict", "refresh_token_file"),
    );
    with(
        "https://login.example.com/oauth/token",
        "http://login.example.com/oauth/token",
        &at(24, "error insecure", "token_url"),
    );
    with(
        "grant: client_credentials",
        "grant: refresh_token",
        &format!(
            "{}\n{}",
            at(22, "error missing_key", "refresh_token_file"),
            at(23, "warning insecure", "grant"),
        ),
    );
    let sealed = GOOD
        .replace("drain_timeout: 10s", "state_key_file: /dev/null")
        .replace("grant: client_credentials", "grant: refresh_token")
        .replace(
            "client_secret_env: CLIENT_SECRET",
            "refresh_token_file: /dev/null",
        );
    assert_eq!(brief(&findings_of(&sealed, &sources())), "");
}

#[test]
fn u7_proxies_and_certificates() {
    let at = |code: &str, key: &str| format!("24 error {code} sessions[0].{key}");
    let endpoint = "    endpoint: https://api.example.com\n";
    let given =
        |keys: &str| format!("{endpoint}    transport: auto\n    #\n    #\n    #\n    {keys}\n");
    let tls = "tls: { client_cert_file: /dev/null }";
    with(
        endpoint,
        &given(tls),
        &at("missing_key", "tls.client_cert_file"),
    );
    let tls = "tls: { client_key_file: /dev/null }";
    with(
        endpoint,
        &given(tls),
        &at("missing_key", "tls.client_key_file"),
    );
    let tls = "tls: { client_cert_file: /nowhere/c, client_key_file: /dev/null }";
    with(
        endpoint,
        &given(tls),
        "24 warning not_found sessions[0].tls.client_cert_file",
    );
    for (proxy, code, key) in [
        ("{ url: socks5://p:1080 }", "wrong_form", "url"),
        ("{ url: \"http://p:1/x\" }", "wrong_form", "url"),
        ("{ url: \"http://me:c4nary@p:1\" }", "inline_secret", "url"),
        ("{ username: x }", "missing_key", "url"),
        (
            "{ url: http://p:1, username: \"a:b\" }",
            "wrong_form",
            "username",
        ),
        (
            "{ url: http://p:1, password_env: CLIENT_ID }",
            "missing_key",
            "username",
        ),
        (
            "{ url: http://p:1, username: a, password_file: /dev/null, password_env: CLIENT_ID }",
            "conflict",
            "password_env",
        ),
        (
            "{ url: http://p:1, username: a, password: c4nary }",
            "inline_secret",
            "password",
        ),
        (
            "{ url: http://p:1, no_proxy: [10.0.0.0/8, \"a*b\"] }",
            "wrong_form",
            "no_proxy[1]",
        ),
        ("{ url: http://p:1, user: a }", "unknown_key", "user"),
    ] {
        let key = format!("proxy.{key}");
        with(
            endpoint,
            &given(&format!("proxy: {proxy}")),
            &at(code, &key),
        );
    }
    with(
        endpoint,
        &given("proxy: { url: http://p:1, username: a, password_env: NOWHERE }"),
        "24 warning not_found sessions[0].proxy.password_env",
    );
    with(
        endpoint,
        &given(
            "proxy: { url: https://p:1, username: a, password_file: /dev/null, no_proxy: [x.y, \"*\"] }",
        ),
        "",
    );
}

#[test]
fn u7_an_ipv6_address_behind_a_proxy_is_refused_and_one_that_is_exempt_is_not() {
    let there = GOOD.replacen("https://api.example.com", "https://[2001:db8::7]", 1);
    let mut sources = sources();
    assert_eq!(brief(&findings_of(&there, &sources)), "");
    let proxy = "http://proxy.test:3128".to_owned();
    sources.variables.insert("HTTPS_PROXY".to_owned(), proxy);
    let findings = findings_of(&there, &sources);
    assert_eq!(
        brief(&findings).trim_end(),
        "16 error conflict sessions[0].proxy"
    );
    let said = findings.to_string();
    assert!(said.contains("IPv6") && said.contains("no_proxy"), "{said}");
    let exempt = "2001:db8::/32".to_owned();
    sources.variables.insert("NO_PROXY".to_owned(), exempt);
    assert_eq!(brief(&findings_of(&there, &sources)), "");
}

#[test]
fn u7_a_proxy_of_the_environment_is_checked_where_it_is_used() {
    let mut sources = sources();
    let wrong = "socks5://me:c4nary@proxy.test".to_owned();
    sources.variables.insert("HTTPS_PROXY".to_owned(), wrong);
    let findings = findings_of(GOOD, &sources);
    assert_eq!(
        brief(&findings).trim_end(),
        "16 error wrong_form sessions[0].proxy"
    );
    let said = findings.to_string();
    assert!(
        said.contains("HTTPS_PROXY") && !said.contains("c4nary"),
        "{said}"
    );
    let here = GOOD.replacen("https://api.example.com", "http://localhost:8080", 1);
    assert_eq!(brief(&findings_of(&here, &sources)), "");
}
