//! Makes the connectors of every platform and reads their fixtures.
//!
//! A fixture is one frame or one answer to a poll as it stands on the wire, `fixtures/<name>.json`
//! in the connector's folder (of a profile: `profile/fixtures/<platform>/`).

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use tieline::auth::AccessToken;
use tieline::config::{Sources, load_text};
use tieline::connectors::{
    AgentSettings, Batch, Built, Connector, GuestSettings, Link, Opaque, Opening, Plan, Profile,
    ProviderEvent, Resume, Settings, Step, TopicSetting, Transport, Unreadable, build, platforms,
};
use tieline::domain::{SessionName, WallTime};
use tieline::net::HttpResponse;
use tieline::runtime::{MonoTime, Secret};

pub(crate) const ENDPOINT: &str = "https://api.conformance.test/";
/// What no output may hold.
pub(crate) const CANARY: &str = "c4nary";

/// A platform and a connector of it.
pub(crate) struct Subject {
    pub(crate) platform: &'static str,
    pub(crate) connector: Arc<dyn Connector>,
}

/// A frame or answer as it stands on the wire.
pub(crate) struct Fixture {
    pub(crate) path: PathBuf,
    pub(crate) wire: Bytes,
}

/// Every platform of the registry.
pub(crate) fn subjects() -> Vec<Subject> {
    let names = platforms();
    assert!(names.len() > 1, "the registry is empty");
    let subject = |platform| {
        let connector = first_connector(platform);
        Subject {
            platform,
            connector,
        }
    };
    names.into_iter().map(subject).collect()
}

pub(crate) fn bare_settings(platform: &str, endpoint: &str) -> Settings {
    let session = SessionName::new("conformance").unwrap();
    Settings::new(platform, session, endpoint.parse().unwrap())
}

/// Each way of saying what to subscribe to, one at a time: a platform has one of them, or needs none.
pub(crate) fn settings_for(platform: &str, endpoint: &str) -> Settings {
    let bare = Settings {
        profile: (platform == "custom").then(acme),
        ..bare_settings(platform, endpoint)
    };
    let topic = TopicSetting {
        template: "v2.users.5f0c9a52-7d1e-4f1c-9f2b-1a6c2d3e4f50.presence".to_owned(),
        ids: None,
    };
    let agent_id = "4711".to_owned();
    let ways = [
        bare.clone(),
        Settings {
            channels: vec!["channel".to_owned()],
            ..bare.clone()
        },
        Settings {
            topics: vec![topic],
            ..bare.clone()
        },
        Settings {
            agent: Some(AgentSettings::Join { agent_id }),
            ..bare.clone()
        },
        Settings {
            guest: Some(guest(None)),
            ..bare.clone()
        },
        Settings {
            guest: Some(guest(Some("6f0f0c0e-8a9c-4b8e-9d5e-2f4b6c1d7e90"))),
            ..bare
        },
    ];
    let found = ways.into_iter().find(|way| build(way).is_ok());
    found.unwrap_or_else(|| panic!("{platform}: no way of subscribing is accepted"))
}

fn guest(deployment: Option<&str>) -> GuestSettings {
    GuestSettings {
        token: Secret::new("0b7c3a52-6d1e-4f8a-9c3b-5e2d7f1a4c60".to_owned()),
        deployment_id: deployment.map(str::to_owned),
        ..GuestSettings::nobody()
    }
}

/// The vendor of the README's example.
fn acme() -> Arc<Profile> {
    let readme = Path::new(tieline::testing::ROOT).join("README.md");
    let readme = fs::read_to_string(readme).unwrap();
    let (_, rest) = readme
        .split_once("```yaml\n# acme.yaml\n")
        .expect("an example");
    let (example, _) = rest.split_once("```").unwrap();
    let sources = Sources {
        file: "acme.yaml".into(),
        variables: std::env::vars().collect(),
        flags: Vec::new(),
        platforms: platforms(),
    };
    let loaded = load_text(example, &sources).unwrap_or_else(|findings| panic!("{findings}"));
    loaded.config.sessions[0].profile.clone().unwrap()
}

fn first_connector(platform: &str) -> Arc<dyn Connector> {
    let connectors = match build(&settings_for(platform, ENDPOINT)).unwrap() {
        Built::Ready(connectors) => connectors,
        Built::Planned(plan) => carried_out(plan),
    };
    let first = connectors.into_iter().next();
    first.unwrap_or_else(|| panic!("{platform}: no connector"))
}

/// Carries a plan out where REST knows nothing.
fn carried_out(mut plan: Box<dyn Plan>) -> Vec<Arc<dyn Connector>> {
    const ENOUGH: usize = 100;
    for _ in 0..ENOUGH {
        match plan.next(&token()) {
            Step::Done(connectors) => return connectors,
            Step::Call(call) => {
                let refused = plan.refused(StatusCode::NOT_FOUND);
                assert!(refused, "a plan that ends with {call:?}");
            }
        }
    }
    panic!("a plan without an end")
}

pub(crate) fn token() -> AccessToken {
    AccessToken {
        value: Secret::new(format!("{CANARY}-token")),
        generation: 1,
        expires_at: MonoTime::now(),
    }
}

pub(crate) fn transport(connector: &dyn Connector) -> Transport {
    if connector.capabilities().websocket {
        Transport::WebSocket
    } else {
        Transport::LongPoll
    }
}

pub(crate) fn link(connector: &dyn Connector, opaque: Option<&Opaque>) -> Box<dyn Link> {
    connector.link(Opening {
        transport: transport(connector),
        resume: Resume { after: 0, opaque },
        beside: false,
        now: MonoTime::now(),
        wall: WallTime::default(),
    })
}

/// Reads a frame, or an answer where the platform has no frames.
pub(crate) fn read(connector: &dyn Connector, wire: &Bytes) -> Result<Batch, Unreadable> {
    let mut link = link(connector, None);
    match transport(connector) {
        Transport::WebSocket => link.read_frame(MonoTime::now(), wire),
        Transport::LongPoll => link.read_poll(&HttpResponse {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: wire.clone(),
        }),
    }
}

/// Every fixture of a platform; a platform without any is not tested.
pub(crate) fn fixtures(platform: &str) -> Vec<Fixture> {
    let connectors = Path::new(tieline::testing::ROOT).join("src/connectors");
    let own = connectors.join(platform.replace('-', "_"));
    let folder = if own.is_dir() {
        own.join("fixtures")
    } else {
        connectors.join("profile/fixtures").join(platform)
    };
    let entries = fs::read_dir(&folder);
    let entries = entries.unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "json"))
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "{} is empty", folder.display());
    let fixture = |path: PathBuf| {
        let wire = fs::read(&path).unwrap().into();
        Fixture { path, wire }
    };
    paths.into_iter().map(fixture).collect()
}

/// Every event of every fixture, with the name of its fixture.
pub(crate) fn events(subject: &Subject) -> Vec<(String, ProviderEvent)> {
    let mut all = Vec::new();
    for fixture in fixtures(subject.platform) {
        let batch = read(&*subject.connector, &fixture.wire);
        let name = fixture.path.display().to_string();
        let batch = batch.unwrap_or_else(|e| panic!("{name}: {e}"));
        all.extend(batch.events.into_iter().map(|event| (name.clone(), event)));
    }
    all
}
