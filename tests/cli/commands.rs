//! Commands that need no server: help, version, completions, schema, check.

use crate::process::{finished, fixture, fixture_text, run, tieline};

#[tokio::test]
async fn help_names_every_command_and_shows_an_example() {
    let help = run(&["--help"]).await;
    assert_eq!(help.code, Some(0));
    let commands = [
        "run",
        "check",
        "schema",
        "tail",
        "status",
        "top",
        "journal",
        "wait",
        "healthcheck",
        "completions",
        "version",
    ];
    for command in commands {
        assert!(
            help.stdout.contains(&format!("\n  {command} ")),
            "{command}"
        );
        let own = run(&[command, "--help"]).await;
        assert_eq!(own.code, Some(0));
        assert!(own.stdout.contains("Example:\n  tieline"), "{command}");
    }
    for action in ["inspect", "verify", "new-epoch"] {
        let own = run(&["journal", action, "--help"]).await;
        assert!(
            own.stdout.contains(&format!("tieline journal {action} ")),
            "{action}"
        );
    }
    assert!(!help.stdout.contains('\u{1b}'), "no colour off a terminal");
}

#[tokio::test]
async fn version_is_told_to_people_and_to_tools() {
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        run(&["version"]).await.stdout,
        format!("tieline {version}\n")
    );
    assert_eq!(
        run(&["--version"]).await.stdout,
        format!("tieline {version}\n")
    );
    let json = run(&["version", "--format", "json"]).await.stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&json["version"], &json["api"]),
        (&version.into(), &"tieline.v1".into())
    );
}

#[tokio::test]
async fn completions_are_made_for_each_shell() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = run(&["completions", shell]).await;
        assert_eq!(script.code, Some(0));
        assert!(script.stdout.contains("healthcheck"), "{shell}");
    }
}

#[tokio::test]
async fn schema_is_the_golden_file() {
    assert_eq!(
        run(&["schema"]).await.stdout,
        fixture_text("config.schema.json")
    );
}

#[tokio::test]
async fn a_wrong_argument_is_refused_with_the_mend() {
    let refused = run(&["tail", "--filter", "tpye=x"]).await;
    assert_eq!(refused.code, Some(2));
    assert!(
        refused.stderr.contains("'tpye' is none of type, subject"),
        "{}",
        refused.stderr
    );
    let refused = run(&["tail", "--earliest", "--latest"]).await;
    assert_eq!(refused.code, Some(2));
    let refused = run(&["tail", "--address", "https://host"]).await;
    assert!(
        refused.stderr.contains("the port is missing"),
        "{}",
        refused.stderr
    );
    let refused = run(&["version", "--log", "a=b=c"]).await;
    assert_eq!(refused.code, Some(78));
    assert!(
        refused.stderr.contains("'a=b=c' is not a log filter"),
        "{}",
        refused.stderr
    );
}

/// Compares with a golden file; the path of the fixture is cut to its name.
#[track_caller]
fn assert_golden(output: &str, golden: &str) {
    let folder = format!("{}/", fixture("").display()).replace("//", "/");
    let output = output.replace(&folder, "");
    assert_eq!(
        output,
        fixture_text(golden),
        "{golden} differs; this is what came:\n{output}"
    );
}

#[tokio::test]
async fn five_mistakes_are_five_findings_each_with_key_line_and_mend() {
    let file = fixture("config.mistakes.yaml");
    let path = file.to_str().unwrap();
    let human = run(&["check", "--config", path]).await;
    assert_eq!((human.code, human.stderr.as_str()), (Some(78), ""));
    assert_golden(&human.stdout, "config.mistakes.txt");
    let json = run(&["check", "--config", path, "--format", "json"]).await;
    assert_eq!(json.code, Some(78));
    assert_golden(&json.stdout, "config.mistakes.json");
    let document: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(
        (&document["errors"], &document["warnings"]),
        (&5.into(), &1.into())
    );
    for finding in document["findings"].as_array().unwrap() {
        assert!(
            finding["line"].is_u64() && finding["hint"].is_string() && finding["key"].is_string()
        );
    }
    let run = run(&["run", "--config", path]).await;
    assert_eq!((run.code, run.stdout.as_str()), (Some(78), ""));
    assert_golden(&run.stderr, "config.mistakes.txt");
    for text in [human.stdout, json.stdout, run.stderr] {
        assert!(!text.contains("hunter2"));
    }
}

const GOOD: &str = "sessions:
  - name: a
    platform: genesys-events
    endpoint: https://api.example.com
    channels: [x]
    auth: { grant: client_credentials, client_id_file: /dev/null, client_secret_env: SECRET_OF_A }
";

#[tokio::test]
async fn a_good_configuration_is_told_so_and_warnings_can_be_denied() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("tieline.yaml");
    std::fs::write(&file, GOOD).unwrap();
    let check = |more: &[&str]| {
        let mut command = tieline(&["check", "--offline"]);
        command.arg("--config").arg(&file).args(more);
        command
    };
    let warned = finished(check(&[])).await;
    assert_eq!(warned.code, Some(0));
    assert!(
        warned
            .stdout
            .contains("names a variable that is not set here (given: SECRET_OF_A)")
    );
    assert_eq!(finished(check(&["--deny-warnings"])).await.code, Some(78));
    let mut good = check(&["--deny-warnings"]);
    good.env("SECRET_OF_A", "hunter2");
    let good = finished(good).await;
    assert_eq!(good.code, Some(0), "{}", good.stdout);
    assert!(good.stdout.contains("no mistakes found") && !good.stdout.contains("hunter2"));
    let mut overridden = check(&["--set", "drain_timeout=10"]);
    overridden.env("TIELINE__LISTEN__HELTH", "x");
    let overridden = finished(overridden).await;
    assert_eq!(overridden.code, Some(78));
    assert!(
        overridden
            .stdout
            .contains("environment variable TIELINE__LISTEN__HELTH: error")
    );
    assert!(
        overridden
            .stdout
            .contains("flag --set drain_timeout: error")
    );
}

#[tokio::test]
async fn a_missing_file_is_named() {
    let missing = run(&["check", "--config", "/nowhere/tieline.yaml"]).await;
    assert_eq!(missing.code, Some(78));
    assert!(
        missing
            .stdout
            .starts_with("/nowhere/tieline.yaml: error: cannot be read")
    );
    assert!(
        missing
            .stdout
            .contains("mend: check the path given with --config")
    );
}
