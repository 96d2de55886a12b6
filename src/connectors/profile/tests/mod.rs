//! Profiles: the model, those that are built in, and what is made of them.

mod dialects;
mod genesys_events;
mod heartbeats;
mod mistakes;

use super::*;
use crate::auth::AccessToken;
use crate::connectors::{
    Confirms, Connector, Control, Opening, Resume, Transport, build, platforms, token_defaults,
};
use crate::domain::{SessionName, WallTime};
use crate::proto::v1;
use crate::runtime::{MonoTime, Secret};

pub(super) fn settings(platform: &str) -> Settings {
    let session = SessionName::new("cc").unwrap();
    let endpoint = "https://api.example.test".parse().unwrap();
    Settings::new(platform, session, endpoint)
}

pub(super) fn connector(settings: Settings) -> Arc<dyn Connector> {
    match build(&settings).unwrap() {
        Built::Ready(mut connectors) => connectors.remove(0),
        Built::Planned(plan) => panic!("a profile needs no plan: {plan:?}"),
    }
}

pub(super) fn opening(transport: Transport) -> Opening<'static> {
    Opening {
        transport,
        resume: Resume::default(),
        beside: false,
        now: MonoTime::now(),
        wall: WallTime::default(),
    }
}

pub(super) fn token() -> AccessToken {
    AccessToken {
        value: Secret::new("t0ken".to_owned()),
        generation: 1,
        expires_at: MonoTime::now(),
    }
}

/// A profile that says as little as it may.
pub(super) fn smallest() -> serde_json::Value {
    serde_json::json!({
        "token": { "path": "/token", "placement": "form" },
        "websocket": { "path": "/stream" },
        "events": [{ "type": "/type" }],
    })
}

pub(super) fn custom(profile: serde_json::Value) -> Settings {
    Settings {
        channels: vec!["agents".to_owned()],
        profile: Some(Arc::new(serde_json::from_value(profile).unwrap())),
        ..settings(CUSTOM)
    }
}

#[test]
fn every_built_in_profile_is_well_formed_and_has_fixtures() {
    assert!(BUILT_IN.len() >= 5);
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/connectors/profile");
    for (name, text) in BUILT_IN {
        let profile: Profile = serde_json::from_str(text).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(profile.mistakes(), [], "{name}");
        token_defaults(&settings(name)).unwrap();
        let domains = super::super::platform_domains(&settings(name)).unwrap();
        // The regions of two governments have domains of their own.
        for region in ["us-gov-pure.cloud", "eusc-pure.cloud"] {
            let covered = domains.iter().any(|domain| domain == region);
            assert_eq!(covered, name.starts_with("genesys-"), "{name}: {region}");
        }
        let fixtures = std::fs::read_dir(folder.join("fixtures").join(name));
        let fixtures = fixtures.unwrap_or_else(|e| panic!("{name} has no fixtures: {e}"));
        assert!(fixtures.count() > 0, "{name}");
    }
    let unknown = token_defaults(&settings("nice")).unwrap_err();
    assert!(unknown.to_string().contains("genesys-events"), "{unknown}");
}

#[test]
fn every_platform_has_a_name_of_its_own() {
    let mut names = platforms();
    names.sort_unstable();
    let all = names.len();
    names.dedup();
    assert_eq!(names.len(), all, "{names:?}");
}
