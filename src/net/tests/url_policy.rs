//! Tables of addresses that may and may not be used.

use super::*;

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

fn policy(endpoint: &str, allowed: &[&str], allow_plaintext: bool) -> UrlPolicy {
    let allowed: Vec<_> = allowed.iter().map(ToString::to_string).collect();
    UrlPolicy::new(&url(endpoint), &allowed, allow_plaintext).unwrap()
}

fn host(name: &str) -> Refused {
    Refused::Host {
        host: name.to_owned(),
    }
}

fn plaintext(name: &str) -> Refused {
    Refused::Plaintext {
        host: name.to_owned(),
    }
}

fn port(name: &str, port: u16) -> Refused {
    Refused::Port {
        host: name.to_owned(),
        port,
    }
}

#[test]
fn u42_addresses_of_the_endpoint_and_allowed_domains_pass() {
    let policy = policy(
        "https://api.mypurecloud.de",
        &[
            "mypurecloud.de",
            "bücher.example",
            "10.1.2.3",
            "edge.test:8443",
        ],
        false,
    );
    for good in [
        "https://api.mypurecloud.de/api/v2",
        "wss://api.mypurecloud.de:443/x",
        "https://API.MyPureCloud.DE/",
        "https://api.mypurecloud.de./",
        "wss://streaming.mypurecloud.de/channels/1?token=a#b",
        "wss://a.b.streaming.mypurecloud.de/",
        "https://mypurecloud.de/",
        "https://xn--bcher-kva.example/",
        "https://BÜCHER.example/",
        "https://10.1.2.3/",
        "https://0xa.0x1.0x2.0x3/",
        "https://[::ffff:10.1.2.3]/",
        "https://edge.test:8443/",
    ] {
        assert_eq!(policy.check(&url(good)), Ok(()), "{good}");
    }
}

#[test]
fn u42_every_other_address_is_refused_with_its_reason() {
    let policy = policy(
        "https://api.mypurecloud.de",
        &["mypurecloud.de", "10.1.2.3", "edge.test:8443"],
        false,
    );
    let scheme = |name: &str| Refused::Scheme(name.to_owned());
    for (bad, why) in [
        ("https://evil.test/", host("evil.test")),
        ("https://notmypurecloud.de/", host("notmypurecloud.de")),
        (
            "https://mypurecloud.de.evil.test/",
            host("mypurecloud.de.evil.test"),
        ),
        ("https://mypurecloud.com/", host("mypurecloud.com")),
        ("https://evil.test\\.mypurecloud.de/", host("evil.test")),
        ("https://api.mypurecloud.de@evil.test/", Refused::Userinfo),
        ("https://user@api.mypurecloud.de/", Refused::Userinfo),
        ("https://:secret@api.mypurecloud.de/", Refused::Userinfo),
        ("https://evil.test#.mypurecloud.de", host("evil.test")),
        ("https://evil.test?.mypurecloud.de", host("evil.test")),
        (
            "http://api.mypurecloud.de/",
            plaintext("api.mypurecloud.de"),
        ),
        (
            "ws://streaming.mypurecloud.de/",
            plaintext("streaming.mypurecloud.de"),
        ),
        (
            "https://api.mypurecloud.de:8443/",
            port("api.mypurecloud.de", 8443),
        ),
        (
            "https://api.mypurecloud.de:80/",
            port("api.mypurecloud.de", 80),
        ),
        (
            "https://streaming.mypurecloud.de:22/",
            port("streaming.mypurecloud.de", 22),
        ),
        ("https://edge.test/", port("edge.test", 443)),
        ("https://10.1.2.4/", host("10.1.2.4")),
        ("https://1.10.1.2.3.test/", host("1.10.1.2.3.test")),
        ("https://127.0.0.1/", host("127.0.0.1")),
        ("http://127.0.0.1:9000/", host("127.0.0.1")),
        (
            "https://169.254.169.254/latest/meta-data",
            host("169.254.169.254"),
        ),
        ("https://2852039166/", host("169.254.169.254")),
        ("https://[::1]/", host("[::1]")),
        ("https://[fd00::1]/", host("[fd00::1]")),
        ("https://localhost/", host("localhost")),
        (
            "https://аpi.mypurecloud.com/",
            host("xn--pi-6kc.mypurecloud.com"),
        ),
        ("file:///etc/passwd", scheme("file")),
        ("ftp://api.mypurecloud.de/", scheme("ftp")),
        ("data:text/plain,x", scheme("data")),
        ("javascript:alert(1)", scheme("javascript")),
        ("unix:/run/docker.sock", scheme("unix")),
    ] {
        assert_eq!(policy.check(&url(bad)), Err(why), "{bad}");
    }
}

#[test]
fn u42_plaintext_is_for_loopback_unless_allowed() {
    for loopback in [
        "http://127.0.0.1:9000/",
        "http://127.8.7.6:9000/",
        "http://0x7f.1:9000/",
        "http://[::1]:9000/",
        "http://[::ffff:127.0.0.1]:9000/",
        "http://localhost:9000/",
        "http://LOCALHOST.:9000/",
    ] {
        let policy = UrlPolicy::new(&url(loopback), &[], false);
        let policy = policy.unwrap_or_else(|why| panic!("{loopback}: {why}"));
        assert_eq!(policy.check(&url(loopback)), Ok(()), "{loopback}");
        assert!(is_loopback_url(&url(loopback)), "{loopback}");
    }
    for beyond in [
        "http://128.0.0.1/",
        "http://localhost.test/",
        "http://[::2]/",
        "ws://0.0.0.0/",
    ] {
        let refused = UrlPolicy::new(&url(beyond), &[], false).unwrap_err();
        assert!(
            matches!(refused, Refused::Plaintext { .. }),
            "{beyond}: {refused}"
        );
        assert!(UrlPolicy::new(&url(beyond), &[], true).is_ok());
        assert!(!is_loopback_url(&url(beyond)), "{beyond}");
    }
}

#[test]
fn a_loopback_endpoint_opens_no_other_port() {
    let policy = policy("http://127.0.0.1:9000", &["127.0.0.1:9001"], false);
    assert_eq!(policy.check(&url("ws://127.0.0.1:9000/x")), Ok(()));
    assert_eq!(policy.check(&url("http://127.0.0.1:9001/")), Ok(()));
    assert_eq!(
        policy.check(&url("http://127.0.0.1:7445/")),
        Err(port("127.0.0.1", 7445))
    );
    assert_eq!(
        policy.check(&url("http://127.0.0.2:9000/")),
        Err(host("127.0.0.2"))
    );
}

#[test]
fn u42_redirects_never_leave_encryption() {
    let policy = policy("https://api.test", &["localhost:9000", "other.test"], true);
    let from = url("https://api.test/a");
    for (to, expected) in [
        ("https://api.test/b", Ok(())),
        ("https://x.other.test/b", Ok(())),
        ("http://localhost:9000/b", Ok(())),
        ("https://evil.test/", Err(host("evil.test"))),
        (
            "http://api.test/b",
            Err(Refused::Downgrade {
                host: "api.test".to_owned(),
            }),
        ),
    ] {
        assert_eq!(policy.check_redirect(&from, &url(to)), expected, "{to}");
    }
    let plain = url("http://api.test/a");
    assert_eq!(
        policy.check_redirect(&plain, &url("http://api.test/b")),
        Ok(())
    );
}

#[test]
fn entries_that_are_no_domains_are_named() {
    for entry in [
        "",
        ".",
        "*.example.com",
        ".example.com",
        "https://example.com",
        "example.com/path",
        "user@example.com",
        "exa mple.com",
        "example.com:99999",
        "[::1",
    ] {
        let refused = UrlPolicy::new(&url("https://api.test"), &[entry.to_owned()], false);
        assert_eq!(refused.unwrap_err(), Refused::Entry(entry.to_owned()));
    }
}

#[test]
fn a_credential_belongs_to_one_origin() {
    let base = url("https://api.test/a?x");
    for (other, same) in [
        ("https://api.test:443/b", true),
        ("https://API.test./b", true),
        ("https://api.test:8443/a", false),
        ("http://api.test:443/a", false),
        ("https://www.api.test/a", false),
    ] {
        assert_eq!(same_origin(&base, &url(other)), same, "{other}");
    }
}
