//! Settings, addresses, and what the registry knows.

use std::time::Duration;

use super::*;
use crate::connectors::{Redundancy, SettingsError, Station, TopicSetting, token_defaults};

#[test]
fn tokens_come_from_below_the_endpoint_with_basic_credentials() {
    let defaults = token_defaults(&settings(REAL)).unwrap();
    assert_eq!(
        defaults.url.as_str(),
        "https://cxone.niceincontact.com/auth/token"
    );
    assert_eq!(defaults.placement, crate::auth::CredentialPlacement::Basic);
    assert_eq!(defaults.refresh_before, None);
}

#[test]
fn settings_that_cannot_be_meant_are_refused_with_their_key() {
    let good = settings(REAL);
    let topic = TopicSetting {
        template: "v2.users.{id}.presence".to_owned(),
        ids: None,
    };
    let cases = [
        (
            "agent",
            Settings {
                agent: None,
                ..good.clone()
            },
        ),
        (
            "topics",
            Settings {
                topics: vec![topic],
                ..good.clone()
            },
        ),
        (
            "channels",
            Settings {
                channels: vec!["a".to_owned()],
                ..good.clone()
            },
        ),
        (
            "redundancy",
            Settings {
                redundancy: Redundancy::Double,
                ..good
            },
        ),
    ];
    for (expected, settings) in cases {
        match build(&settings) {
            Err(SettingsError::Setting { key, reason }) => {
                assert_eq!(key, expected);
                assert!(!reason.is_empty());
            }
            other => panic!("{expected}: {other:?}"),
        }
    }
}

#[test]
fn u24_an_endpoint_that_cannot_be_used_is_refused_without_its_password() {
    for bad in [
        "https://u:hunter2@h.test",
        "wss://h.test/hunter2",
        "ftp://h.test",
    ] {
        let refused = build(&settings(bad)).unwrap_err();
        assert!(matches!(refused, SettingsError::Endpoint { .. }), "{bad}");
        assert!(!refused.to_string().contains("hunter2"), "{refused}");
    }
}

#[test]
fn u42_the_platforms_own_domains_are_allowed_and_a_sandbox_stays_at_home() {
    let real = connector();
    for host in [
        "api-b32.nice-incontact.com",
        "api-c16.incontact.com",
        "x.nicecxone-gov.com",
    ] {
        let url = format!("https://{host}/").parse().unwrap();
        real.addresses().check(&url).unwrap();
        let sandbox = made_of(&settings("http://127.0.0.1:4443"));
        assert!(sandbox.addresses().check(&url).is_err(), "{host}");
    }
    let foreign = "https://nice-incontact.com.evil.test/".parse().unwrap();
    assert!(real.addresses().check(&foreign).is_err());
}

#[test]
fn a_hold_is_in_whole_seconds_and_no_longer_than_the_platform_allows() {
    for (millis, timeout) in [(25_000, "25"), (90_000, "60"), (100, "1"), (59_900, "59")] {
        let hold = Duration::from_millis(millis);
        let connector = made_of(&Settings {
            hold,
            ..settings(REAL)
        });
        let mut link = link(&*connector, None);
        enter(&mut *link, "s1");
        let query = format!("timeout={timeout}");
        assert_eq!(poll(&mut *link).url.query(), Some(query.as_str()));
    }
}

#[test]
fn two_subscriptions_tell_their_cursors_apart() {
    let phone = Settings {
        agent: Some(AgentSettings::Start {
            station: Station::Phone("+15550100".to_owned()),
        }),
        ..settings(REAL)
    };
    let mut first = link(&*connector(), None);
    enter(&mut *first, "s1");
    let cursor = kept(&*first);
    let mut same = link(&*connector(), Some(&cursor));
    assert!(matches!(same.setup(&token()), Setup::Ready));
    for other in [phone, settings("https://cxone.nicecxone-gov.com/")] {
        let mut link = link(&*made_of(&other), Some(&cursor));
        assert!(matches!(link.setup(&token()), Setup::Call(_)), "{other:?}");
    }
}
