//! What to do with an answer that points elsewhere (U42). Pure.

use http::header::{AUTHORIZATION, COOKIE, HOST, HeaderName, LOCATION, PROXY_AUTHORIZATION};
use http::{HeaderMap, Method, StatusCode};
use url::Url;

use super::contract::{HttpFailure, HttpRequest};
use super::url_policy::{UrlPolicy, http_form, same_origin};

/// The request that follows this answer; `None` when the answer is final.
///
/// A body goes nowhere but to the origin it was meant for, since it may hold a credential; so do
/// `Authorization`, cookies and every header marked sensitive.
pub(super) fn next_request(
    policy: &UrlPolicy,
    request: &HttpRequest,
    status: StatusCode,
    headers: &HeaderMap,
) -> Result<Option<HttpRequest>, HttpFailure> {
    let keeps_method = match status {
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND | StatusCode::SEE_OTHER => false,
        StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => true,
        _ => return Ok(None),
    };
    let Some(location) = headers.get(LOCATION) else {
        return Ok(None);
    };
    let target = resolve(&request.url, location.as_bytes())
        .ok_or_else(|| refused("its Location is not an address"))?;
    policy
        .check_redirect(&request.url, &target)
        .map_err(|why| refused(&why.to_string()))?;
    let stays = same_origin(&request.url, &target);
    let is_read = matches!(request.method, Method::GET | Method::HEAD);
    if !(is_read || keeps_method && stays) {
        return Err(refused(&format!(
            "{status} to a {} request that it would change or give to another host",
            request.method
        )));
    }
    let mut next = request.clone();
    next.url = target;
    if !stays {
        forget_credentials(&mut next.headers);
    }
    Ok(Some(next))
}

fn resolve(base: &Url, location: &[u8]) -> Option<Url> {
    let mut target = base.join(std::str::from_utf8(location).ok()?).ok()?;
    target.set_fragment(None);
    Some(http_form(&target))
}

fn forget_credentials(headers: &mut HeaderMap) {
    let secret: Vec<HeaderName> = headers
        .iter()
        .filter(|(name, value)| {
            value.is_sensitive()
                || [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE, HOST].contains(name)
        })
        .map(|(name, _)| name.clone())
        .collect();
    for name in secret {
        headers.remove(name);
    }
}

fn refused(why: &str) -> HttpFailure {
    HttpFailure::RedirectRefused(why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{CallClass, Note};
    use bytes::Bytes;
    use http::HeaderValue;
    use std::time::Duration;

    fn request(method: Method) -> HttpRequest {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer t"));
        headers.insert("accept", HeaderValue::from_static("application/json"));
        let mut key = HeaderValue::from_static("k");
        key.set_sensitive(true);
        headers.insert("x-api-key", key);
        HttpRequest {
            method,
            url: Url::parse("https://api.test/v1/a?x=1").unwrap(),
            headers,
            body: Bytes::from_static(b"client_secret=s"),
            timeout: Duration::from_secs(1),
            max_body: 1,
            class: CallClass::default(),
            note: Note::default(),
        }
    }

    fn follow(
        method: Method,
        status: u16,
        location: &str,
    ) -> Result<Option<HttpRequest>, HttpFailure> {
        let endpoint = Url::parse("https://api.test").unwrap();
        let policy = UrlPolicy::new(&endpoint, &["other.test".to_owned()], false).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(LOCATION, HeaderValue::from_str(location).unwrap());
        let status = StatusCode::from_u16(status).unwrap();
        next_request(&policy, &request(method), status, &headers)
    }

    #[test]
    fn on_the_same_origin_everything_is_kept() {
        for status in [301, 302, 303, 307, 308] {
            let next = follow(Method::GET, status, "../b?y#z").unwrap().unwrap();
            assert_eq!(next.url.as_str(), "https://api.test/b?y");
            assert_eq!(next.headers.len(), 3);
        }
        let next = follow(Method::POST, 307, "/b").unwrap().unwrap();
        assert_eq!((next.method, next.body.len()), (Method::POST, 15));
    }

    #[test]
    fn credentials_do_not_cross_to_another_host() {
        let next = follow(Method::GET, 302, "wss://a.other.test/b").unwrap();
        let next = next.unwrap();
        assert_eq!(next.url.as_str(), "https://a.other.test/b");
        let kept: Vec<_> = next.headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(kept, ["accept"]);
    }

    #[test]
    fn u42_what_must_not_be_followed_is_refused() {
        for (method, status, location) in [
            (Method::GET, 302, "https://evil.test/"),
            (Method::GET, 302, "http://api.test/"),
            (Method::GET, 302, "//evil.test/"),
            (Method::GET, 302, "https://user@api.test/"),
            (Method::GET, 302, "https://api.test:8443/"),
            (Method::GET, 302, "https://["),
            (Method::POST, 302, "/b"),
            (Method::POST, 303, "/b"),
            (Method::POST, 307, "https://a.other.test/b"),
        ] {
            let outcome = follow(method, status, location);
            assert!(
                matches!(outcome, Err(HttpFailure::RedirectRefused(_))),
                "{location}: {outcome:?}"
            );
        }
    }

    #[test]
    fn other_answers_are_final() {
        for status in [200, 204, 300, 304, 401] {
            assert!(follow(Method::GET, status, "/b").unwrap().is_none());
        }
    }
}
