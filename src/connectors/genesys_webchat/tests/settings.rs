//! Settings and their mistakes.

use super::*;
use crate::auth::CredentialPlacement;
use crate::connectors::{
    AgentSettings, Identity, Redundancy, SettingsError, TopicSetting, keys, platform_domains,
    token_defaults,
};

fn key(settings: &Settings) -> &'static str {
    match build(settings).unwrap_err() {
        SettingsError::Setting { key, reason } => {
            assert!(
                !reason.contains(GUEST) && !reason.contains("s3cret"),
                "{reason}"
            );
            key
        }
        other => panic!("expected a setting, not {other}"),
    }
}

#[test]
fn mistakes_are_named_by_their_key() {
    let with = |change: fn(&mut GuestSettings)| {
        let mut guest = guest();
        change(&mut guest);
        settings_of(guest)
    };
    let plain = || settings_of(guest());
    let topics = vec![TopicSetting {
        template: "a".to_owned(),
        ids: None,
    }];
    let agent_id = "7".to_owned();
    for (settings, expected) in [
        (
            Settings {
                channels: vec!["a".to_owned()],
                ..plain()
            },
            "channels",
        ),
        (Settings { topics, ..plain() }, "topics"),
        (
            Settings {
                agent: Some(AgentSettings::Join { agent_id }),
                ..plain()
            },
            "agent",
        ),
        (
            Settings {
                redundancy: Redundancy::Double,
                ..plain()
            },
            "redundancy",
        ),
        (
            Settings {
                guest: None,
                ..plain()
            },
            "guest",
        ),
        (
            with(|g| g.token = Secret::new(String::new())),
            "guest.token",
        ),
        (
            with(|g| g.deployment_id = Some("a".to_owned())),
            "deployment_id",
        ),
        (
            with(|g| g.origin = Some("https://a.test".to_owned())),
            "origin",
        ),
        (
            with(|g| g.rest_endpoint = "https://a.test".parse().ok()),
            "rest_endpoint",
        ),
        (
            with(|g| {
                g.attributes
                    .insert("shoeSize".to_owned(), "s3cret".to_owned());
            }),
            "guest_attributes",
        ),
        (
            with(|g| {
                g.attributes
                    .insert("lastName".to_owned(), "s3cret".repeat(50));
            }),
            "guest_attributes",
        ),
    ] {
        assert_eq!(key(&settings), expected);
    }
}

#[test]
fn endpoints_that_cannot_be_are_refused_without_their_secrets() {
    for endpoint in [
        "wss://chat.example.test",
        "https://u:s3cret@chat.example.test",
        "http://chat.example.test",
    ] {
        let settings = Settings {
            endpoint: endpoint.parse().unwrap(),
            ..settings_of(guest())
        };
        let error = build(&settings).unwrap_err();
        assert!(matches!(error, SettingsError::Endpoint { .. }), "{error}");
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
}

#[test]
fn the_platform_says_what_it_is() {
    let settings = settings_of(guest());
    let keys = keys(&settings).unwrap();
    assert!(keys.guest && keys.websocket && keys.keeps_credential);
    assert!(!(keys.long_poll || keys.deployment || keys.topics || keys.redundancy));
    let defaults = token_defaults(&settings).unwrap();
    assert_eq!(
        defaults.url.as_str(),
        "https://chat.example.test/oauth/token"
    );
    assert_eq!(defaults.placement, CredentialPlacement::Basic);
    assert!(platform_domains(&settings).unwrap().is_empty());
    let connector = connector();
    assert_eq!(
        connector.source(),
        "//genesys-webchat/chat.example.test/chat-1"
    );
    let can = connector.capabilities();
    assert_eq!(can.identity, Identity::Ids);
    assert!(can.websocket && !can.long_poll && !can.resumes && !can.overlap);
    assert!(connector.probe().is_none() && connector.health(&token()).is_none());
}
