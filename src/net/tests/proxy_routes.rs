//! Which proxy stands before an address, and what of it is ever printed.

use super::*;
use serde_json::json;

fn from(variables: &[(&str, &str)]) -> Result<ProxyRoutes, InvalidProxy> {
    ProxyRoutes::from_environment(|name| {
        let set = variables.iter().find(|(key, _)| *key == name);
        set.map(|(_, value)| (*value).to_owned())
    })
}

fn config(json: serde_json::Value) -> ProxyConfig {
    serde_json::from_value(json).unwrap()
}

fn route(routes: &ProxyRoutes, url: &str) -> Option<String> {
    let address = routes.address_for(&Url::parse(url).unwrap());
    address.map(|address| address.to_string())
}

#[test]
fn u7_the_environment_names_a_proxy_for_each_scheme() {
    let routes = from(&[
        ("https_proxy", "http://lower.test:1"),
        ("HTTPS_PROXY", "https://secure.test:8443"),
        ("http_proxy", "plain.test:3128"),
        ("ALL_PROXY", "http://all.test:2"),
    ])
    .unwrap();
    let https = Some("https://secure.test:8443/".to_owned());
    for url in ["https://api.test/", "wss://api.test/"] {
        assert_eq!(route(&routes, url), https);
    }
    for url in ["http://api.test/", "ws://api.test/"] {
        assert_eq!(
            route(&routes, url).as_deref(),
            Some("http://plain.test:3128/")
        );
    }
    let routes = from(&[("all_proxy", "http://all.test:2"), ("HTTPS_PROXY", "")]).unwrap();
    for url in ["https://api.test/", "http://api.test/"] {
        assert_eq!(route(&routes, url).as_deref(), Some("http://all.test:2/"));
    }
    assert!(from(&[]).unwrap().is_direct());
}

#[test]
fn u7_what_is_exempt_and_what_stays_on_this_machine_goes_direct() {
    let routes = from(&[
        ("ALL_PROXY", "http://proxy.test:3128"),
        ("NO_PROXY", "corp.test, 10.0.0.0/8 what/ever,api.test:8443"),
    ])
    .unwrap();
    for url in [
        "https://a.corp.test/",
        "https://10.1.2.3/",
        "wss://api.test:8443/",
        "http://localhost:1/",
        "https://127.0.0.9/",
        "ws://[::1]:1/",
    ] {
        assert_eq!(route(&routes, url), None, "{url}");
    }
    for url in ["https://api.test/", "https://11.1.2.3/"] {
        assert!(route(&routes, url).is_some(), "{url}");
    }
}

#[test]
fn u7_a_session_of_its_own_proxy_reaches_even_this_machine_through_it() {
    let given = config(json!({ "url": "http://proxy.test:3128", "no_proxy": ["[::1]"] }));
    let routes = ProxyRoutes::of(Some(&given)).unwrap();
    assert!(routes.crosses(&Url::parse("http://127.0.0.1:1/").unwrap()));
    assert!(!routes.crosses(&Url::parse("http://[::1]:1/").unwrap()));
}

#[test]
fn u7_credentials_reach_the_client_and_no_text() {
    let routes = from(&[("HTTPS_PROXY", "http://me:p%40ss%2Fc4nary@proxy.test:3128")]).unwrap();
    let address = routes.address_for(&Url::parse("https://api.test/").unwrap());
    let address = address.unwrap();
    assert_eq!(address.username(), "me");
    assert_eq!(address.password(), Some("p%40ss%2Fc4nary"));
    assert!(!format!("{routes:?}").contains("c4nary"));
    let wrong = from(&[("HTTPS_PROXY", "socks5://me:c4nary@proxy.test")]).unwrap_err();
    let said = format!("{wrong} {wrong:?}");
    assert!(
        said.contains("HTTPS_PROXY") && !said.contains("c4nary"),
        "{said}"
    );
}

#[test]
fn u7_a_password_is_read_where_it_stands() {
    let files = tempfile::tempdir().unwrap();
    let file = files.path().join("password");
    let given = config(json!({
        "url": "https://proxy.test:3128", "username": "me", "password_file": file,
    }));
    let routes = ProxyRoutes::of(Some(&given)).unwrap();
    assert!(routes.clone().read_password().is_err());
    for password in ["first", "sec:ond %41@/"] {
        std::fs::write(&file, format!("{password}\n")).unwrap();
        let read = routes.clone().read_password().unwrap();
        let address = read.address_for(&Url::parse("https://api.test/").unwrap());
        let encoded = address.unwrap().password().map(str::to_owned);
        assert_eq!(decoded(&encoded.unwrap()).as_deref(), Some(password));
    }
}

#[test]
fn u7_every_mistake_in_a_proxy_is_named() {
    let table = [
        (
            json!({ "url": "socks5://p:1" }),
            InvalidProxy::Address { key: "proxy.url" },
        ),
        (
            json!({ "url": "http://p:1/path" }),
            InvalidProxy::Address { key: "proxy.url" },
        ),
        (json!({ "url": "http://me@p:1" }), InvalidProxy::Userinfo),
        (
            json!({ "url": "http://p:1", "username": "a:b" }),
            InvalidProxy::Username,
        ),
        (
            json!({ "url": "http://p:1", "password_env": "P" }),
            InvalidProxy::NoUsername,
        ),
        (
            json!({ "url": "http://p:1", "username": "a", "password_env": "P", "password_file": "/p" }),
            InvalidProxy::PasswordTwice,
        ),
        (
            json!({ "url": "http://p:1", "no_proxy": ["*", "a*b"] }),
            InvalidProxy::Exemption { index: 1 },
        ),
    ];
    for (given, expected) in table {
        let given = config(given);
        assert_eq!(given.problems(), std::slice::from_ref(&expected));
        assert_eq!(ProxyRoutes::of(Some(&given)).unwrap_err(), expected);
    }
    for variable in [
        "http://",
        "proxy.test/path",
        "ftp://proxy.test",
        "http://%ff@p:1",
    ] {
        let key = "HTTPS_PROXY";
        let outcome = from(&[(key, variable)]).unwrap_err();
        assert_eq!(outcome, InvalidProxy::Address { key }, "{variable}");
    }
}
