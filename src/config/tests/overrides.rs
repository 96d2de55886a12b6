//! Environment over file, flags over environment.

use super::{GOOD, Sources, brief, findings_of, good, load_text, sources};

fn overridden(variables: &[(&str, &str)], flags: &[&str]) -> Sources {
    let mut sources = sources();
    for (name, value) in variables {
        sources
            .variables
            .insert((*name).to_owned(), (*value).to_owned());
    }
    sources.flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
    sources
}

#[test]
fn environment_overrides_the_file_and_flags_override_both() {
    let sources = overridden(
        &[
            ("TIELINE__LISTEN__HEALTH", "127.0.0.1:1"),
            ("TIELINE__LISTEN__LIMITS__SUBSCRIBERS", "7"),
            ("TIELINE__DRAIN_TIMEOUT", "3s"),
            (
                "TIELINE__SESSIONS__0__ENDPOINT",
                "https://other.example.com",
            ),
            ("TIELINE__SESSIONS__0__CHANNELS", "[a, b]"),
            ("TIELINE__SESSIONS__0__TRANSPORT", "long_poll"),
            (
                "TIELINE__SESSIONS__0__ALLOWED_DOMAINS__1",
                "second.example.com",
            ),
            ("TIELINE__SESSIONS__0__ALLOW_PLAINTEXT", "true"),
            ("TIELINE_PORT", "tcp://10.0.0.1:80"),
        ],
        &["drain_timeout=4s", "sessions[0].channels[1]=c"],
    );
    let loaded = load_text(GOOD, &sources).unwrap_or_else(|findings| panic!("{findings}"));
    let config = loaded.config;
    assert_eq!(config.listen.health, "127.0.0.1:1");
    assert_eq!(config.listen.limits.subscribers, 7);
    assert_eq!(config.drain_timeout.to_string(), "4s");
    let session = &config.sessions[0];
    assert_eq!(session.endpoint.as_str(), "https://other.example.com/");
    assert_eq!(session.channels, ["a", "c"]);
    assert_eq!(
        session.allowed_domains,
        ["example.com", "second.example.com"]
    );
    assert!(session.allow_plaintext);
    assert_eq!(format!("{:?}", session.transport), "LongPoll");
}

#[test]
fn text_from_the_environment_needs_no_quotes() {
    let sources = overridden(&[("TIELINE__SESSIONS__0__NAME", "4711")], &[]);
    assert_eq!(
        load_text(GOOD, &sources).unwrap().config.sessions[0]
            .name
            .as_str(),
        "4711"
    );
}

#[test]
fn a_variable_may_add_what_the_file_lacks() {
    let sources = overridden(&[("TIELINE__SESSIONS__0__TLS__CA_FILE", "/dev/null")], &[]);
    let config = load_text(GOOD, &sources).unwrap().config;
    assert_eq!(
        config.sessions[0].tls.ca_file.as_deref(),
        Some("/dev/null".as_ref())
    );
    assert_eq!(good().sessions[0].tls.ca_file, None);
}

#[test]
fn a_wrong_variable_is_named_with_its_mend() {
    for (name, value, expected, hint) in [
        (
            "TIELINE__LISTEN__HELTH",
            "x",
            "unknown_key listen.helth",
            "did you mean 'health'?",
        ),
        (
            "TIELINE__DRAIN_TIMEOUT",
            "10",
            "wrong_form drain_timeout",
            "with its unit",
        ),
        (
            "TIELINE__SESSIONS__3__NAME",
            "x",
            "override sessions[3].name",
            "of a list that has 1",
        ),
        (
            "TIELINE__SESSIONS__NAME",
            "x",
            "override sessions.name",
            "items are named by number",
        ),
        (
            "TIELINE__DRAIN_TIMEOUT__X",
            "x",
            "override drain_timeout.x",
            "in what is no mapping",
        ),
        ("TIELINE__LISTEN__", "x", "override listen.", "empty part"),
        (
            "TIELINE__LISTEN__HEALTH",
            "tcp://10.0.0.1:80",
            "override listen.health",
            "enableServiceLinks",
        ),
        (
            "TIELINE__SESSIONS__0__CHANNELS",
            "[a",
            "syntax ",
            "not YAML",
        ),
        (
            "TIELINE__SESSIONS__0__AUTH__CLIENT_SECRET",
            "hunter2",
            "inline_secret sessions[0].auth.client_secret",
            "client_secret_file or client_secret_env",
        ),
    ] {
        let findings = findings_of(GOOD, &overridden(&[(name, value)], &[]));
        assert_eq!(
            brief(&findings),
            format!("${name} error {expected}\n"),
            "{findings}"
        );
        assert!(findings.to_string().contains(hint), "{findings}");
        assert!(
            findings
                .to_string()
                .contains(&format!("environment variable {name}"))
        );
        assert!(!findings.to_string().contains("hunter2"));
    }
}

#[test]
fn a_wrong_flag_is_named_and_a_misplaced_secret_is_not_shown() {
    let findings = findings_of(GOOD, &overridden(&[], &["hunter2", "listen.helth=x"]));
    assert_eq!(
        brief(&findings),
        "--listen.helth error unknown_key listen.helth\n--… error override \n"
    );
    assert!(!findings.to_string().contains("hunter2"));
}
