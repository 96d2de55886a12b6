//! Token requests and answers, by table.

use super::*;
use serde_json::json;

fn credentials(secret: Option<&str>) -> Credentials {
    Credentials {
        client_id: Secret::new("the id".to_owned()),
        client_secret: secret.map(|secret| Secret::new(secret.to_owned())),
        refresh_token: None,
        username: Some(Secret::new("key id".to_owned())),
        password: Some(Secret::new("k&y".to_owned())),
    }
}

fn request(
    grant: Grant,
    placement: CredentialPlacement,
    secret: Option<&str>,
    refresh_token: Option<&str>,
) -> Result<HttpRequest, Failure> {
    let endpoint = Url::parse("https://login.test/oauth/token").unwrap();
    let refresh_token = refresh_token.map(|token| Secret::new(token.to_owned()));
    token_request(
        &endpoint,
        grant,
        placement,
        &credentials(secret),
        refresh_token.as_ref(),
    )
}

fn answer(status: u16, body: &[u8]) -> Result<Granted, Failure> {
    let mut headers = HeaderMap::new();
    headers.insert("retry-after", HeaderValue::from_static("9"));
    let response = HttpResponse {
        status: StatusCode::from_u16(status).unwrap(),
        headers,
        body: Bytes::copy_from_slice(body),
    };
    read_answer(&response, WallTime::from_millis(0))
}

fn json_answer(status: u16, body: &Value) -> Result<Granted, Failure> {
    answer(status, body.to_string().as_bytes())
}

#[test]
fn u22_id_and_secret_stand_where_they_were_told_to() {
    use CredentialPlacement::{Basic, Form};
    use Grant::{ClientCredentials, Password, RefreshToken};
    let basic = Some("Basic dGhlIGlkOnMrZSY9dA==");
    for (grant, placement, secret, token, authorization, body) in [
        (
            ClientCredentials,
            Basic,
            Some("s+e&=t"),
            None,
            basic,
            "grant_type=client_credentials",
        ),
        (
            ClientCredentials,
            Form,
            Some("s+e&=t"),
            None,
            None,
            "grant_type=client_credentials&client_id=the+id&client_secret=s%2Be%26%3Dt",
        ),
        (
            RefreshToken,
            Basic,
            Some("s+e&=t"),
            Some("r/1"),
            basic,
            "grant_type=refresh_token&refresh_token=r%2F1",
        ),
        (
            RefreshToken,
            Basic,
            None,
            Some("r/1"),
            None,
            "grant_type=refresh_token&refresh_token=r%2F1&client_id=the+id",
        ),
        (
            Password,
            Basic,
            Some("s+e&=t"),
            None,
            basic,
            "grant_type=password&username=key+id&password=k%26y",
        ),
        (
            Password,
            Basic,
            Some("s+e&=t"),
            Some("r/1"),
            basic,
            "grant_type=refresh_token&refresh_token=r%2F1&scope=openid",
        ),
    ] {
        let request = request(grant, placement, secret, token).unwrap();
        assert_eq!(request.method, Method::POST);
        assert_eq!(request.url.as_str(), "https://login.test/oauth/token");
        assert_eq!(
            request.headers[CONTENT_TYPE],
            "application/x-www-form-urlencoded"
        );
        let header = request.headers.get(AUTHORIZATION);
        assert_eq!(header.map(|value| value.to_str().unwrap()), authorization);
        assert!(header.is_none_or(HeaderValue::is_sensitive));
        assert_eq!(request.body, body);
    }
}

#[test]
fn a_request_that_cannot_be_made_needs_a_person() {
    let without = request(Grant::RefreshToken, CredentialPlacement::Form, None, None);
    assert!(
        matches!(without, Err(Failure::Refused { .. })),
        "{without:?}"
    );
    assert!(basic("a:b", "secret").is_err());
}

#[test]
fn lifetimes_are_read_whatever_form_they_have() {
    for (expires_in, seconds) in [
        (json!(86_399), 86_399),
        (json!(300.7), 300),
        (json!("3600"), 3600),
        (json!(2), 2),
        (json!(0.2), 1),
        (json!(172_800), 172_800),
        (json!(1_000_000_000_000_u64), 172_800),
        (json!("1e300"), 172_800),
        (json!(0), 300),
        (json!(-5), 300),
        (json!("soon"), 300),
        (json!("NaN"), 300),
        (json!([1]), 300),
        (json!(null), 300),
    ] {
        let body = json!({ "access_token": "t", "expires_in": expires_in });
        let granted = json_answer(200, &body).unwrap();
        assert_eq!(granted.lifetime.as_secs(), seconds, "{expires_in}");
    }
    let granted = json_answer(200, &json!({ "access_token": "t" })).unwrap();
    assert_eq!(granted.lifetime.as_secs(), 300);
}

#[test]
fn tokens_are_taken_when_they_fit_a_header() {
    let longest = "x".repeat(16 * 1024);
    let body = json!({ "access_token": longest, "token_type": "BEARER", "refresh_token": "r" });
    let granted = json_answer(200, &body).unwrap();
    assert_eq!(granted.access_token.expose(), &longest);
    assert_eq!(granted.refresh_token.unwrap().expose(), "r");
    for refresh_token in [json!(null), json!("")] {
        let body = json!({ "access_token": "t", "refresh_token": refresh_token });
        assert!(json_answer(200, &body).unwrap().refresh_token.is_none());
    }
}

#[test]
fn an_answer_without_a_usable_token_is_no_success_and_not_quoted() {
    let too_long = "x".repeat(16 * 1024 + 1);
    for body in [
        json!({ "access_token": "" }),
        json!({ "access_token": "hunter2\r\nX: y" }),
        json!({ "access_token": "hunter2 " }),
        json!({ "access_token": "größe" }),
        json!({ "access_token": too_long }),
        json!({ "access_token": 7 }),
        json!({ "access_token": null }),
        json!({ "access_token": ["hunter2"] }),
        json!({ "access_token": "t", "token_type": "mac" }),
        json!({ "access_token": "t", "refresh_token": "hunter2\n" }),
        json!({ "access_token": "t", "refresh_token": { "hunter2": 1 } }),
        json!({}),
        json!("hunter2"),
    ] {
        let failure = json_answer(200, &body).unwrap_err();
        assert!(
            matches!(failure, Failure::Unavailable { .. }),
            "{body}: {failure:?}"
        );
        assert!(!format!("{failure:?}").contains("hunter2"));
    }
    for body in [
        &b""[..],
        b"<html>hunter2",
        b"{\"access_token\":\"hunter2",
        b"\xff",
    ] {
        let failure = answer(200, body).unwrap_err();
        assert!(
            matches!(failure, Failure::Unavailable { .. }),
            "{failure:?}"
        );
        assert!(!format!("{failure:?}").contains("hunter2"));
    }
}

#[derive(Debug, PartialEq)]
enum Kind {
    Refused,
    Throttled,
    Unavailable,
}

#[test]
fn u24_failures_are_told_apart_and_echo_nothing() {
    use Kind::{Refused, Throttled, Unavailable};
    let error = |code: &str| json!({ "error": code, "error_description": "hunter2" });
    let described = |text: &str| json!({ "error": "invalid_request", "error_description": text });
    for (status, body, expected) in [
        (400, error("invalid_client"), Refused),
        (401, error("invalid_client"), Refused),
        (400, error("invalid_grant"), Refused),
        (400, error("invalid_request"), Refused),
        (400, error("unauthorized_client"), Refused),
        (200, error("invalid_grant"), Refused),
        (401, json!({ "code": "ip.not.authorized" }), Refused),
        (403, json!("hunter2"), Refused),
        (400, described("rate limit exceeded; hunter2"), Throttled),
        (400, described("Rate limit exceeded"), Throttled),
        (400, described("größer rate limit exceeded"), Refused),
        (429, json!({}), Throttled),
        (400, error("slow_down"), Throttled),
        (400, error("temporarily_unavailable"), Unavailable),
        (400, error("server_error"), Unavailable),
        (400, error("hunter2"), Unavailable),
        (404, json!({}), Unavailable),
        (500, error("hunter2"), Unavailable),
        (502, json!(null), Unavailable),
        (503, json!({}), Unavailable),
        (302, json!({}), Unavailable),
    ] {
        let failure = json_answer(status, &body).unwrap_err();
        assert!(!format!("{failure:?}").contains("hunter2"), "{failure:?}");
        let kind = match failure {
            Failure::Refused { .. } => Refused,
            Failure::Throttled { retry_after, .. } => {
                assert_eq!(retry_after, Some(Duration::from_secs(9)));
                Throttled
            }
            Failure::ProxyRefused { .. } => panic!("no answer is a proxy's"),
            Failure::Unavailable { retry_after, .. } => {
                assert_eq!(retry_after, Some(Duration::from_secs(9)));
                Unavailable
            }
        };
        assert_eq!(kind, expected, "{status} {body}");
    }
}
