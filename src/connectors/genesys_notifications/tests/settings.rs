//! Settings, tokens, addresses.

use std::time::Duration;

use super::super::super::{build, platform_domains, platforms, token_defaults};
use super::*;
use crate::auth::CredentialPlacement;
use crate::connectors::{
    Built, Identity, Selector, Settings, SettingsError, TopicSetting, Verdict,
};
use crate::domain::SessionName;

pub(super) fn settings(topics: Vec<TopicSetting>) -> Settings {
    let session = SessionName::new("cc").unwrap();
    Settings {
        topics,
        ..Settings::new("genesys-notifications", session, endpoint())
    }
}

pub(super) fn topic(template: &str, ids: Option<Selector>) -> TopicSetting {
    TopicSetting {
        template: template.to_owned(),
        ids,
    }
}

#[test]
fn tokens_come_from_the_login_host_of_the_same_region() {
    assert!(platforms().contains(&"genesys-notifications"));
    let of = |endpoint: &str| {
        let endpoint = endpoint.parse().unwrap();
        token_defaults(&Settings {
            endpoint,
            ..settings(Vec::new())
        })
        .unwrap()
    };
    let real = of("https://api.usw2.pure.cloud");
    assert_eq!(
        real.url.as_str(),
        "https://login.usw2.pure.cloud/oauth/token"
    );
    assert_eq!(real.placement, CredentialPlacement::Basic);
    assert_eq!(real.refresh_before, Some(Duration::from_secs(60)));
    let other = of("http://127.0.0.1:8080");
    assert_eq!(other.url.as_str(), "http://127.0.0.1:8080/oauth/token");
    let behind = of("https://gateway.example.test/genesys/");
    assert_eq!(
        behind.url.as_str(),
        "https://gateway.example.test/genesys/oauth/token"
    );
}

#[test]
fn u42_sockets_may_be_on_the_regions_own_domain_and_nowhere_else() {
    let connector = connector(&[]);
    let allowed = |text: &str| connector.addresses().check(&text.parse().unwrap()).is_ok();
    assert!(allowed(URI));
    assert!(allowed("https://api.example.test/api/v2/users"));
    for foreign in [
        "wss://streaming.example.test.evil.test/channels/x",
        "wss://streaming.evil.test/channels/x",
        "wss://notexample.test/channels/x",
        "wss://streaming.example.test:8443/channels/x",
        "ws://streaming.example.test/channels/x",
    ] {
        assert!(!allowed(foreign), "{foreign}");
    }
    let domains = platform_domains(&settings(Vec::new())).unwrap();
    assert_eq!(domains, ["example.test"]);
}

#[test]
fn the_source_names_region_and_session() {
    let settings = settings(vec![topic("v2.users.x.presence", None)]);
    let Built::Planned(mut plan) = build(&settings).unwrap() else {
        panic!("topics need a plan");
    };
    assert!(plan.refused(StatusCode::FORBIDDEN));
    let Step::Done(connectors) = plan.next(&token()) else {
        panic!("nothing else is to be asked");
    };
    assert_eq!(
        connectors[0].source(),
        "//genesys-notifications/example.test/cc"
    );
}

#[test]
fn what_the_platform_can_do() {
    let connector = connector(&[]);
    let can = connector.capabilities();
    assert!(can.websocket && !can.long_poll && !can.resumes && can.overlap);
    assert!(can.bound_to_token && !can.stop_on_clean_close);
    assert_eq!(can.identity, Identity::Neither);
    assert_eq!(can.rest_lag, Duration::from_secs(5));
    assert_eq!(can.connections, 1);
    assert!(connector.probe().is_none());
    let double = Site {
        redundancy: Redundancy::Double,
        ..site()
    };
    let double = NotificationsConnector::new(&double, Vec::new(), Vec::new());
    assert_eq!(double.capabilities().connections, 2);
}

#[test]
fn a_handshake_that_is_refused_is_about_the_channel_a_request_about_the_token() {
    let connector = connector(&[]);
    for code in [401, 403, 404] {
        let status = StatusCode::from_u16(code).unwrap();
        assert_eq!(connector.handshake_verdict(status), Some(Verdict::Gone));
        assert_eq!(connector.verdict(status), None);
    }
    assert_eq!(
        connector.handshake_verdict(StatusCode::TOO_MANY_REQUESTS),
        None
    );
}

#[test]
fn settings_that_cannot_be_meant_are_refused() {
    let named = |names: &[&str]| {
        Some(Selector::Named(
            names.iter().map(|n| (*n).to_owned()).collect(),
        ))
    };
    let members = || Some(Selector::UsersOfQueues(vec!["q".to_owned()]));
    let table = [
        (topic("v2.users.{id}.presence", None), "needs ids"),
        (topic("v2.users.x.presence", named(&["a"])), "no '{id}'"),
        (topic("v2.users.{id}.presence", named(&[])), "empty"),
        (topic("v2.routing.queues.{id}.users", members()), "no user"),
        (
            topic("v2.conversations.{id}.transcription", Some(Selector::All)),
            "cannot be listed",
        ),
        (topic("users.{id}.presence", named(&["a"])), "begins with"),
    ];
    for (setting, reason) in table {
        let refused = build(&settings(vec![setting])).unwrap_err().to_string();
        assert!(refused.contains(reason), "{refused}");
    }
    let nothing = build(&settings(Vec::new())).unwrap_err();
    assert!(matches!(
        nothing,
        SettingsError::Setting { key: "topics", .. }
    ));
    let mut channels = settings(vec![topic("v2.users.x.presence", None)]);
    channels.channels.push("routing.agentEvent".to_owned());
    let refused = build(&channels).unwrap_err();
    assert!(matches!(
        refused,
        SettingsError::Setting {
            key: "channels",
            ..
        }
    ));
    for endpoint in [
        "wss://api.example.test",
        "https://u:hunter2@api.example.test",
    ] {
        let mut wrong = settings(vec![topic("v2.users.x.presence", None)]);
        wrong.endpoint = endpoint.parse().unwrap();
        let refused = build(&wrong).unwrap_err().to_string();
        assert!(!refused.contains("hunter2"), "{refused}");
    }
}

#[test]
fn each_family_has_its_topics() {
    let users = format!("v2.users.{AGENT}?presence&routingStatus");
    let connector = connector(&[&users, "v2.audits.x", &presence_of(OTHER_AGENT)]);
    let families = connector.families();
    let names: Vec<_> = families.iter().map(|f| f.name).collect();
    assert_eq!(names, ["other", "presence", "routing_status"]);
    let presence = vec![presence_of(AGENT), presence_of(OTHER_AGENT)];
    assert_eq!(families[1].topics, presence);
    assert_eq!(connector.topics().len(), 3);
}
