//! What a configuration is refused for, and what is said about it.

mod callers;
mod checks;
mod overrides;
mod profile;
mod subscription;
mod templates;
mod yaml;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::findings::Place;
use super::{Config, Findings, Loaded, Sources, load_text};
use crate::connectors::platforms;

/// A configuration without a mistake, one key a line.
pub(super) const GOOD: &str = r#"listen:
  grpc: ["127.0.0.1:7443", "unix:/run/tieline/tieline.sock"]
  health: "0.0.0.0:7444"
  limits:
    subscribers: 1000
    message: 1MiB
journals:
  - name: default
    path: /var/lib/tieline/default
    retention:
      max_age: 72h
      max_bytes: 2GiB
      hard_max_bytes: 3GiB
drain_timeout: 10s
sessions:
  - name: queue-stats
    journal: default
    platform: genesys-events
    endpoint: https://api.example.com
    channels: [routing.queueStats]
    allowed_domains: [example.com]
    auth:
      grant: client_credentials
      token_url: https://login.example.com/oauth/token
      client_id_env: CLIENT_ID
      client_secret_env: CLIENT_SECRET
    timing:
      probe_timeout: 4s
      websocket_ping: 20s
      pong_timeout: 10s
      backoff: { base: 1s, cap: 30s }
"#;

pub(super) fn sources() -> Sources {
    let variables = [("CLIENT_ID", "id"), ("CLIENT_SECRET", "hunter2")];
    Sources {
        file: "tieline.yaml".into(),
        variables: variables
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        flags: Vec::new(),
        platforms: platforms(),
    }
}

pub(super) fn good() -> Config {
    load_text(GOOD, &sources()).unwrap().config
}

/// Errors and warnings alike.
pub(super) fn findings_of(text: &str, sources: &Sources) -> Findings {
    match load_text(text, sources) {
        Ok(Loaded { warnings, .. }) => warnings,
        Err(findings) => findings,
    }
}

/// One line per finding: line, severity, code, key.
pub(super) fn brief(findings: &Findings) -> String {
    let mut text = String::new();
    for finding in findings.all() {
        let line = match &finding.place {
            Place::File { line, .. } => line.to_string(),
            Place::Variable(name) => format!("${name}"),
            Place::Flag(name) => format!("--{name}"),
            Place::Nowhere => "-".to_owned(),
        };
        let json = serde_json::to_value((finding.severity, finding.code)).unwrap();
        let (severity, code) = (json[0].as_str().unwrap(), json[1].as_str().unwrap());
        writeln!(text, "{line} {severity} {code} {}", finding.key).unwrap();
    }
    text
}

#[test]
fn the_good_configuration_has_no_finding() {
    let findings = findings_of(GOOD, &sources());
    assert_eq!(findings.to_string(), "tieline.yaml: no mistakes found");
    assert_eq!(good().sessions[0].name.as_str(), "queue-stats");
}

#[test]
fn every_mistake_is_found_at_once_whatever_its_kind() {
    let text = GOOD
        .replace("    channels:", "    chanels:")
        .replace("drain_timeout: 10s", "drain_timeout: 10")
        .replace("journal: default", "journal: defualt")
        .replace("https://api.example.com", "http://api.example.com")
        .replace("client_secret_env: CLIENT_SECRET", "client_secret: hunter2")
        .replace("pong_timeout: 10s", "pong_timeout: 30s");
    let findings = findings_of(&text, &sources());
    assert_eq!(
        brief(&findings),
        "14 error wrong_form drain_timeout\n\
         17 error not_found sessions[0].journal\n\
         19 error insecure sessions[0].endpoint\n\
         20 error unknown_key sessions[0].chanels\n\
         26 error inline_secret sessions[0].auth.client_secret\n\
         30 error conflict sessions[0].timing.pong_timeout\n"
    );
    assert!(!findings.to_string().contains("hunter2"));
    assert!(!findings.to_json().to_string().contains("hunter2"));
}

#[test]
fn whatever_the_types_refuse_the_schema_foresees() {
    // A text that no form accepts, put in place of each value in turn, must be found at its key.
    for (number, line) in GOOD.lines().enumerate() {
        let Some((head, value)) = line.split_once(": ").filter(|(_, value)| !value.is_empty())
        else {
            continue;
        };
        let text = GOOD.replacen(
            &format!("{head}: {value}"),
            &format!("{head}: \"%% %%\""),
            1,
        );
        let findings = findings_of(&text, &sources());
        for finding in findings.all() {
            assert_ne!(finding.place, Place::Nowhere, "{line}: {findings}");
            assert!(!finding.key.is_empty(), "{line}: {findings}");
        }
        let at_line =
            |place: &Place| matches!(place, Place::File { line, .. } if *line == number + 1);
        // Free text: a directory may be called anything.
        if !head.contains("path") {
            assert!(
                findings.all().iter().any(|f| at_line(&f.place)),
                "{line}: {findings}"
            );
        }
    }
}

#[test]
fn the_smallest_file_takes_every_default() {
    let text = "sessions:\n  - name: a\n    platform: genesys-events\n    \
                endpoint: https://api.example.com\n    channels: [x]\n    auth: { grant: \
                client_credentials, client_id_env: CLIENT_ID, client_secret_env: CLIENT_SECRET }\n";
    let config = load_text(text, &sources()).unwrap().config;
    assert_eq!(config.listen.grpc, ["127.0.0.1:7443"]);
    assert_eq!(config.journals[0].name.as_str(), "default");
}

#[test]
fn a_file_that_cannot_be_read_is_one_clear_finding() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    std::fs::write(path("latin1.yaml"), b"listen:\n  health: \xfc\n").unwrap();
    std::fs::write(path("large.yaml"), vec![b'#'; (1 << 20) + 1]).unwrap();
    std::fs::write(path("empty.yaml"), "# nothing\n").unwrap();
    for (file, message) in [
        ("missing.yaml", "cannot be read: No such file"),
        (".", "is a directory"),
        ("latin1.yaml", "2:1: error: this line is not UTF-8"),
        ("large.yaml", "is larger than 1 MiB"),
        ("empty.yaml", "the file is empty"),
    ] {
        let sources = Sources {
            file: path(file),
            ..sources()
        };
        let findings = super::load(&sources).unwrap_err();
        assert_eq!(findings.all().len(), 1);
        assert!(findings.to_string().contains(message), "{findings}");
    }
}

#[test]
fn a_byte_order_mark_does_no_harm() {
    assert!(load_text(&format!("\u{feff}{GOOD}"), &sources()).is_ok());
}

#[test]
fn json_is_yaml() {
    let json = serde_json::to_string_pretty(&good()).unwrap();
    let again = load_text(&json, &sources()).unwrap_or_else(|findings| panic!("{findings}"));
    assert_eq!(serde_json::to_string_pretty(&again.config).unwrap(), json);
}

#[test]
fn no_environment_is_no_problem_but_a_warning() {
    let bare = Sources {
        variables: BTreeMap::new(),
        ..sources()
    };
    assert_eq!(
        brief(&findings_of(GOOD, &bare)),
        "25 warning not_found sessions[0].auth.client_id_env\n\
         26 warning not_found sessions[0].auth.client_secret_env\n"
    );
}
