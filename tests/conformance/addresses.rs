//! Where a connector goes, and what it shows of it.

use tieline::connectors::{
    Opaque, Resume, Settings, Setup, build, keys, platform_domains, platforms, token_defaults,
};
use url::Url;

use crate::kit::{CANARY, ENDPOINT, Subject, bare_settings, link, settings_for, subjects, token};

fn url(text: &str) -> Url {
    text.parse().unwrap()
}

#[test]
fn tokens_are_asked_for_at_the_endpoint_as_securely_as_everything_else() {
    for platform in platforms() {
        let secure = token_defaults(&settings_for(platform, ENDPOINT)).unwrap();
        assert_eq!(secure.url.scheme(), "https", "{platform}");
        assert!(secure.url.username().is_empty(), "{platform}");
        let local = Settings {
            endpoint: url("http://127.0.0.1:8443/base"),
            ..settings_for(platform, ENDPOINT)
        };
        let local = token_defaults(&local).unwrap();
        assert_eq!(local.url.scheme(), "http", "{platform}");
        assert_eq!(local.url.port(), Some(8443), "{platform}");
        assert!(
            local.url.path().starts_with("/base/"),
            "{platform}: {}",
            local.url
        );
    }
}

#[test]
fn u42_a_foreign_host_is_refused_whoever_names_it() {
    for Subject {
        platform,
        connector,
    } in subjects()
    {
        let check = |text: &str| connector.addresses().check(&url(text));
        check(ENDPOINT).unwrap();
        for foreign in [
            "https://evil.test/",
            "https://api.conformance.test.evil.test/",
            "https://evil-api.conformance.test.evil/",
            "http://api.conformance.test/",
            "https://user@api.conformance.test/",
            "https://api.conformance.test:9443/",
            "ftp://api.conformance.test/",
        ] {
            assert!(check(foreign).is_err(), "{platform}: {foreign}");
        }
        for domain in platform_domains(&settings_for(platform, ENDPOINT)).unwrap() {
            check(&format!("https://somewhere.{domain}/")).unwrap();
            let look_alike = format!("https://not{domain}/");
            assert!(check(&look_alike).is_err(), "{platform}: {look_alike}");
            assert!(check(&format!("http://somewhere.{domain}/")).is_err());
        }
    }
}

#[test]
fn u24_an_endpoint_that_holds_a_password_is_refused_and_not_printed() {
    for platform in platforms() {
        let endpoint = format!("https://user:{CANARY}@api.conformance.test/");
        let mut settings = settings_for(platform, ENDPOINT);
        settings.endpoint = url(&endpoint);
        let refused = build(&settings).unwrap_err().to_string();
        assert!(!refused.contains(CANARY), "{platform}: {refused}");
        let refused = token_defaults(&settings).unwrap_err();
        let refused = refused.to_string();
        assert!(!refused.contains(CANARY), "{platform}: {refused}");
    }
}

#[test]
fn settings_that_say_nothing_are_refused_with_a_reason() {
    for platform in platforms() {
        let bare = bare_settings(platform, ENDPOINT);
        // Some platforms send all they have, so that there is nothing to say.
        if keys(&bare).is_ok_and(|keys| !(keys.channels || keys.topics || keys.agent || keys.guest))
        {
            continue;
        }
        let refused = build(&bare).unwrap_err();
        assert!(!refused.to_string().is_empty(), "{platform}");
    }
}

#[test]
fn u1_the_probe_carries_no_credential() {
    for Subject {
        platform,
        connector,
    } in subjects()
    {
        let Some(probe) = connector.probe() else {
            continue;
        };
        assert!(probe.headers.is_empty(), "{platform}");
        connector.addresses().check(&probe.url).unwrap();
    }
}

#[test]
fn u24_no_credential_is_ever_printed() {
    for Subject {
        platform,
        connector,
    } in subjects()
    {
        let kept = Opaque::new(format!("{CANARY}-kept"));
        let mut link = link(&*connector, Some(&kept));
        let setup = link.setup(&token());
        if let Setup::Call(call) = &setup {
            connector.addresses().check(&call.url).unwrap();
        }
        let handshake = link.handshake(&token());
        let poll = link.poll(Resume::default(), &token());
        let shown = format!("{connector:?} {link:?} {setup:?} {handshake:?} {poll:?}");
        assert!(!shown.contains(CANARY), "{platform}: {shown}");
        let calls = handshake.map(|h| h.headers);
        for headers in calls.into_iter().chain(poll.map(|call| call.headers)) {
            let shown = format!("{headers:?}");
            assert!(!shown.contains(CANARY), "{platform}: {shown}");
        }
    }
}
