//! `tieline sandbox` from its flags to its end.

use super::*;
use crate::sandbox::cxone::fault::CxoneFaultName;
use crate::sandbox::fault::FaultName;
use crate::sandbox::genesys_cloud::fault::GenesysFaultName;
use crate::sandbox::genesys_cloud::{GenesysCloud, GenesysCloudConfig};
use crate::sandbox::guests::fault::GuestFaultName;
use crate::sandbox::push::fault::PushFaultName;
use crate::sandbox::{Sandbox, SandboxConfig};
use clap::{CommandFactory, FromArgMatches, Parser};

#[derive(Debug, Parser)]
struct Alone {
    #[command(flatten)]
    args: SandboxArgs,
}

fn args(line: &str) -> SandboxArgs {
    let words = ["tieline"].into_iter().chain(line.split_whitespace());
    let matches = Alone::command().try_get_matches_from(words).unwrap();
    Alone::from_arg_matches(&matches).unwrap().args
}

#[test]
fn the_help_names_every_fault_and_path() {
    let help = Alone::command().render_long_help().to_string();
    for name in FaultName::ALL {
        assert!(help.contains(name.as_str()), "{name}");
    }
    for name in CxoneFaultName::ALL {
        assert!(help.contains(name.as_str()), "{name}");
    }
    for name in GenesysFaultName::ALL {
        assert!(help.contains(name.as_str()), "{name}");
    }
    for name in PushFaultName::ALL {
        assert!(help.contains(name.as_str()), "{name}");
    }
    for name in GuestFaultName::ALL {
        assert!(help.contains(name.as_str()), "{name}");
    }
    for path in [
        "/heartbeats",
        "/messages",
        "/said",
        "/sessions",
        "/restart",
        "/state",
        "/ledger",
        "/deliveries",
        "/emit",
        "/rate",
        "/expire-tokens",
        "/world",
        "/changes",
        "/revoke-tokens",
    ] {
        assert!(help.contains(path), "{path}");
    }
    Alone::command().debug_assert();
}

#[tokio::test]
async fn it_ends_by_itself_with_status_zero() {
    for platform in [
        "genesys-events",
        "cxone-realtime",
        "genesys-streaming",
        "genesys-adherence",
        "genesys-analytics",
        "genesys-notifications",
        "cxone-agent",
        "genesys-web-messaging",
        "genesys-webchat",
    ] {
        let line = format!(
            "--platform {platform} --listen 127.0.0.1:0 --control 127.0.0.1:0 --rate 500 --for 50ms"
        );
        assert_eq!(run(args(&line)).await.unwrap(), ExitCode::SUCCESS);
    }
}

#[tokio::test]
async fn a_wrong_script_or_setting_is_a_wrong_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("faults.yaml");
    std::fs::write(&path, "- { at: 1s, fault: gremlins }").unwrap();
    let line = format!(
        "--listen 127.0.0.1:0 --control 127.0.0.1:0 --script {}",
        path.display()
    );
    let expected = ExitCode::from(BAD_CONFIGURATION);
    assert_eq!(run(args(&line)).await.unwrap(), expected);
    let line = "--platform custom --listen 127.0.0.1:0 --control 127.0.0.1:0";
    assert_eq!(run(args(line)).await.unwrap(), expected);
    let line = "--listen 127.0.0.1:0 --control 0.0.0.0:0";
    assert_eq!(run(args(line)).await.unwrap(), expected);
    let line = "--platform genesys-webchat --listen 127.0.0.1:0 --control 127.0.0.1:0 --sockets-per-session 0";
    assert_eq!(run(args(line)).await.unwrap(), expected);
    assert!(run(args("--script no-such-file")).await.is_err());
}

#[tokio::test]
async fn the_greeting_says_how_to_reach_it() {
    let sandbox = Sandbox::start(SandboxConfig::default(), Clock::system(), Rng::from_seed(7))
        .await
        .unwrap();
    let text = Running::greeting(&sandbox, &args("--seed 7"), 7);
    let endpoint = sandbox.endpoint();
    assert!(text.contains(endpoint.as_str().trim_end_matches('/')));
    assert!(text.contains(&sandbox.client_credentials().secret));
    assert!(text.contains(&format!("{}control/v1/ledger", sandbox.control_url())));
}

#[tokio::test]
async fn the_greeting_of_genesys_cloud_is_a_configuration_and_commands() {
    let config = GenesysCloudConfig::default();
    let sandbox = GenesysCloud::start(config, Clock::system(), Rng::from_seed(7))
        .await
        .unwrap();
    let text = sandbox.greeting(7);
    for part in [
        "platform: genesys-notifications",
        &sandbox.client_credentials().secret,
        &format!("{}control/v1/changes", sandbox.control_url()),
    ] {
        assert!(text.contains(part), "{part}");
    }
    let line: serde_json::Value = serde_json::from_str(&sandbox.announcement(7)).unwrap();
    assert_eq!(line["client_id"], "sandbox-client");
}

#[tokio::test]
async fn a_script_has_the_faults_of_its_platform() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("faults.yaml");
    std::fs::write(&path, "- { at: 0s, fault: socket_closing, notice: 5s }").unwrap();
    let line = |platform| {
        format!(
            "--platform {platform} --listen 127.0.0.1:0 --control 127.0.0.1:0 --for 10ms --script {}",
            path.display()
        )
    };
    let good = run(args(&line("genesys-notifications"))).await.unwrap();
    assert_eq!(good, ExitCode::SUCCESS);
    let wrong = run(args(&line("genesys-events"))).await.unwrap();
    assert_eq!(wrong, ExitCode::from(BAD_CONFIGURATION));
}
