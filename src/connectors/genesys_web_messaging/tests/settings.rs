//! Settings, addresses and their mistakes.

use super::*;
use crate::connectors::{
    AgentSettings, Identity, Redundancy, SettingsError, TopicSetting, keys, platform_domains,
    token_defaults,
};

fn problem(settings: &Settings) -> SettingsError {
    build(settings).unwrap_err()
}

fn key(settings: &Settings) -> &'static str {
    match problem(settings) {
        SettingsError::Setting { key, reason } => {
            assert!(
                !reason.contains(TOKEN) && !reason.contains("s3cret"),
                "{reason}"
            );
            key
        }
        other => panic!("expected a setting, not {other}"),
    }
}

#[test]
fn rest_is_beside_the_sockets_or_where_the_settings_say() {
    for (endpoint, given, socket, rest) in [
        (
            "wss://webmessaging.usw2.pure.cloud",
            None,
            "wss://webmessaging.usw2.pure.cloud/v1",
            "https://api.usw2.pure.cloud/oauth/token",
        ),
        (
            "https://webmessaging.mypurecloud.de/",
            None,
            "wss://webmessaging.mypurecloud.de/v1",
            "https://api.mypurecloud.de/oauth/token",
        ),
        (
            "ws://127.0.0.1:9000",
            None,
            "ws://127.0.0.1:9000/v1",
            "http://127.0.0.1:9000/oauth/token",
        ),
        (
            "http://localhost:9000/chat",
            None,
            "ws://localhost:9000/chat/v1",
            "http://localhost:9000/chat/oauth/token",
        ),
        (
            "wss://gateway.example.test/chat",
            None,
            "wss://gateway.example.test/chat/v1",
            "https://gateway.example.test/chat/oauth/token",
        ),
        (
            "wss://gateway.example.test",
            Some("https://rest.example.test:8443/genesys"),
            "wss://gateway.example.test/v1",
            "https://rest.example.test:8443/genesys/oauth/token",
        ),
        (
            "ws://127.0.0.1:9000",
            Some("http://127.0.0.1:9001"),
            "ws://127.0.0.1:9000/v1",
            "http://127.0.0.1:9001/oauth/token",
        ),
    ] {
        let guest = GuestSettings {
            rest_endpoint: given.map(|url| url.parse().unwrap()),
            ..guest()
        };
        let settings = settings_at(endpoint, guest);
        let connector = built(&settings);
        let link = link_at(&*connector, None, MonoTime::now());
        let mut url = link.handshake(&nobody()).unwrap().url;
        connector.addresses().check(&url).unwrap();
        url.set_query(None);
        assert_eq!(url.as_str(), socket);
        let defaults = token_defaults(&settings).unwrap();
        assert_eq!(defaults.url.as_str(), rest);
        connector.addresses().check(&defaults.url).unwrap();
    }
}

#[test]
fn u42_no_place_is_allowed_but_those_of_the_settings() {
    let domains = |endpoint: &str| platform_domains(&settings_at(endpoint, guest())).unwrap();
    assert_eq!(
        domains("wss://webmessaging.example.test"),
        ["api.example.test"]
    );
    assert!(domains("wss://gateway.example.test").is_empty());
    let connector = connector();
    let allowed = |url: &str| connector.addresses().check(&url.parse().unwrap()).is_ok();
    assert!(allowed(
        "https://api.example.test/api/v2/webmessaging/messages"
    ));
    for foreign in [
        "https://login.example.test/",
        "https://notapi.example.test/",
        "https://example.test/",
        "http://api.example.test/",
        "ws://webmessaging.example.test/v1",
    ] {
        assert!(!allowed(foreign), "{foreign}");
    }
}

#[test]
fn the_origin_is_the_endpoints_unless_the_deployment_allows_another() {
    for (given, shown) in [
        (None, "https://webmessaging.example.test"),
        (Some("https://www.example.org"), "https://www.example.org"),
        (Some("https://www.example.org/"), "https://www.example.org"),
        (Some("http://localhost:3000"), "http://localhost:3000"),
    ] {
        let guest = GuestSettings {
            origin: given.map(str::to_owned),
            ..guest()
        };
        let connector = built(&settings_at("wss://webmessaging.example.test", guest));
        let link = link_at(&*connector, None, MonoTime::now());
        let handshake = link.handshake(&nobody()).unwrap();
        assert_eq!(handshake.headers["origin"], shown);
    }
}

#[test]
fn mistakes_are_named_by_their_key() {
    let with = |change: fn(&mut GuestSettings)| {
        let mut guest = guest();
        change(&mut guest);
        settings_at("wss://webmessaging.example.test", guest)
    };
    let channels = Settings {
        channels: vec!["a".to_owned()],
        ..settings()
    };
    let topics = Settings {
        topics: vec![TopicSetting {
            template: "a".to_owned(),
            ids: None,
        }],
        ..settings()
    };
    let agent_id = "7".to_owned();
    let agent = Settings {
        agent: Some(AgentSettings::Join { agent_id }),
        ..settings()
    };
    let redundancy = Settings {
        redundancy: Redundancy::Double,
        ..settings()
    };
    let nobody = Settings {
        guest: None,
        ..settings()
    };
    for (settings, expected) in [
        (channels, "channels"),
        (topics, "topics"),
        (agent, "agent"),
        (redundancy, "redundancy"),
        (nobody, "guest"),
        (
            with(|g| g.token = Secret::new("s3cret".to_owned())),
            "guest.token",
        ),
        (
            with(|g| g.token = Secret::new(format!("{TOKEN}0"))),
            "guest.token",
        ),
        (
            with(|g| g.token = Secret::new(TOKEN.replace('-', "0"))),
            "guest.token",
        ),
        (with(|g| g.deployment_id = None), "deployment_id"),
        (
            with(|g| g.deployment_id = Some(String::new())),
            "deployment_id",
        ),
        (
            with(|g| g.deployment_id = Some("a b".to_owned())),
            "deployment_id",
        ),
        (
            with(|g| g.deployment_id = Some("x".repeat(101))),
            "deployment_id",
        ),
        (
            with(|g| g.origin = Some("www.example.org".to_owned())),
            "origin",
        ),
        (
            with(|g| g.origin = Some("https://a.test/path".to_owned())),
            "origin",
        ),
        (
            with(|g| g.origin = Some("https://u:s3cret@a.test".to_owned())),
            "origin",
        ),
        (
            with(|g| g.origin = Some("ftp://a.test".to_owned())),
            "origin",
        ),
        (
            with(|g| g.rest_endpoint = "ftp://a.test".parse().ok()),
            "rest_endpoint",
        ),
        (
            with(|g| g.rest_endpoint = "http://a.test".parse().ok()),
            "rest_endpoint",
        ),
        (
            with(|g| g.rest_endpoint = "https://u:s3cret@a.test".parse().ok()),
            "rest_endpoint",
        ),
        (
            with(|g| {
                g.attributes.insert("a".to_owned(), "x".repeat(2_048));
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
        "ftp://webmessaging.example.test",
        "wss://u:s3cret@webmessaging.example.test",
        "ws://webmessaging.example.test",
    ] {
        let error = problem(&settings_at(endpoint, guest()));
        assert!(matches!(error, SettingsError::Endpoint { .. }), "{error}");
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
}

#[test]
fn the_platform_says_what_it_is() {
    let settings = settings();
    let keys = keys(&settings).unwrap();
    assert!(keys.guest && keys.deployment && keys.websocket);
    assert!(keys.guest_token && keys.keeps_credential);
    assert!(!(keys.long_poll || keys.topics || keys.redundancy));
    let connector = connector();
    assert_eq!(
        connector.source(),
        "//genesys-web-messaging/example.test/chat-1"
    );
    let can = connector.capabilities();
    assert_eq!(can.identity, Identity::Ids);
    assert!(can.websocket && !can.long_poll && !can.resumes && !can.overlap);
    assert!(connector.probe().is_none() && connector.health(&nobody()).is_none());
}
