//! [`Door`]: what browsers may do here. Pages of allowed origins call by gRPC-Web, which tonic-web
//! translates; it passes shared bytes on as they are and gathers nothing. Pages of any other origin are
//! refused whatever they ask for, and so is everything by HTTP/1.1 where no origin is allowed.
//!
//! No answer allows `*`, and none allows credentials of the browser (cookies, client certificates): a
//! page that is to be known sends a token of its own.

use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Either, ready};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use tonic::body::Body;
use tower::{Layer, Service};

use super::limits::{CallRefused, ConnectionStats};
use super::peer::Peer;
use crate::telemetry::AUDIT;

const WEB: &str = "application/grpc-web";
/// What a page may send: the protocol's own, a deadline, a token, a trace.
const MAY_SEND: &str = "content-type, x-grpc-web, x-user-agent, grpc-timeout, authorization, \
     traceparent, tracestate";
/// What a page may see.
const MAY_SEE: &str = "grpc-status, grpc-message, grpc-status-details-bin";
/// How long a browser may remember the answer to its question: the most that one does.
const REMEMBERED: &str = "7200";
const ASKS_PRIVATE: &str = "access-control-request-private-network";
const ALLOW_PRIVATE: &str = "access-control-allow-private-network";
const FETCHED: &str = "sec-fetch-site";
/// Of what a stranger wrote, so much is written into the log.
const SHOWN: usize = 120;

/// Whom the door is opened to. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Door {
    /// As browsers write them, in small letters.
    origins: Arc<[String]>,
    /// Names of this listener besides those of loopback.
    hosts: Arc<[String]>,
    stats: Arc<ConnectionStats>,
}

/// What a request is let in as.
#[derive(Debug, PartialEq, Eq)]
enum Entry {
    /// No browser made it.
    Plain,
    /// A page made it, whose browser is told that it may read the answer.
    Page(HeaderValue),
    /// A browser asks beforehand; whether it does so from a public network.
    Question(HeaderValue, bool),
    Refused(CallRefused),
}

impl Door {
    pub(super) fn new(origins: &[String], hosts: &[String], stats: &Arc<ConnectionStats>) -> Self {
        let small = |names: &[String]| names.iter().map(|name| name.to_ascii_lowercase()).collect();
        Self {
            origins: small(origins),
            hosts: small(hosts),
            stats: Arc::clone(stats),
        }
    }

    /// Whether there is a browser to speak to.
    pub(super) fn is_open(&self) -> bool {
        !self.origins.is_empty()
    }

    fn look<B>(&self, request: &Request<B>) -> Entry {
        let headers = request.headers();
        // HTTP/2 takes both, though no client of gRPC writes them.
        let is_malformed = !request.uri().path().starts_with('/') || host(request).contains('@');
        if is_malformed {
            return Entry::Refused(CallRefused::Malformed);
        }
        let origin = headers.get(header::ORIGIN);
        let by_browser = origin.is_some() || headers.contains_key(FETCHED);
        let is_old = request.version() < http::Version::HTTP_2;
        if (by_browser || is_old) && !self.knows(host(request)) {
            return Entry::Refused(CallRefused::Host);
        }
        match origin {
            Some(origin) if !self.allows(origin) => Entry::Refused(CallRefused::Origin),
            Some(origin) if request.method() == Method::OPTIONS => {
                Entry::Question(origin.clone(), headers.contains_key(ASKS_PRIVATE))
            }
            _ if is_web(headers) && !self.is_open() => Entry::Refused(CallRefused::Web),
            Some(origin) => Entry::Page(origin.clone()),
            // A page of another site that leaves no origin, which is none that calls.
            None if by_browser && is_foreign(headers) => Entry::Refused(CallRefused::Origin),
            None => Entry::Plain,
        }
    }

    fn allows(&self, origin: &HeaderValue) -> bool {
        let allowed = |allowed: &String| allowed.as_bytes().eq_ignore_ascii_case(origin.as_bytes());
        self.origins.iter().any(allowed)
    }

    /// Whether a browser that means this listener would say so. A name that somebody makes point here is
    /// not an address.
    fn knows(&self, host: &str) -> bool {
        let name = without_port(host);
        let bare = name
            .strip_prefix('[')
            .and_then(|name| name.strip_suffix(']'));
        name.eq_ignore_ascii_case("localhost")
            || bare.unwrap_or(name).parse::<IpAddr>().is_ok()
            || self
                .hosts
                .iter()
                .any(|host| host.eq_ignore_ascii_case(name))
    }

    fn refuse<B>(&self, request: &Request<B>, reason: CallRefused) -> Response<Body> {
        self.stats.call_refused(reason);
        let text = |name| {
            let value = request.headers().get(name).map(HeaderValue::as_bytes);
            let value = String::from_utf8_lossy(value.unwrap_or_default()).into_owned();
            value.chars().take(SHOWN).collect::<String>()
        };
        let (origin, host) = (text(header::ORIGIN), host(request));
        let (status, why) = match reason {
            CallRefused::Origin => (
                StatusCode::FORBIDDEN,
                format!("origin '{origin}' is not in listen.allowed_origins"),
            ),
            CallRefused::Host => (
                StatusCode::FORBIDDEN,
                "Host names neither an address nor one of listen.grpc_hosts".to_owned(),
            ),
            CallRefused::Web => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "gRPC-Web is served where listen.allowed_origins names an origin".to_owned(),
            ),
            CallRefused::Malformed
            | CallRefused::PeerStreams
            | CallRefused::RequestTimeout
            | CallRefused::Sends => (
                StatusCode::BAD_REQUEST,
                "the path or the authority is none".to_owned(),
            ),
        };
        if let CallRefused::Origin | CallRefused::Host = reason {
            let peer = request
                .extensions()
                .get::<Peer>()
                .map(|peer| peer.name.as_str());
            let host: String = host.chars().take(SHOWN).collect();
            tracing::warn!(target: AUDIT, kind = "browser", outcome = "REFUSED", peer, origin, host, "Refused");
        }
        let mut response = Response::new(Body::new(Full::new(Bytes::from(why))));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        let text = HeaderValue::from_static("text/plain; charset=utf-8");
        headers.insert(header::CONTENT_TYPE, text);
        let as_it_is = HeaderValue::from_static("nosniff");
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, as_it_is);
        response
    }
}

fn is_web(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    kind.is_some_and(|kind| kind.starts_with(WEB.as_bytes()))
}

fn is_foreign(headers: &HeaderMap) -> bool {
    let fetched = headers.get(FETCHED).map(HeaderValue::as_bytes);
    !matches!(fetched, None | Some(b"same-origin" | b"none"))
}

fn host<B>(request: &Request<B>) -> &str {
    let named = request.uri().authority().map(http::uri::Authority::as_str);
    named.unwrap_or_else(|| {
        let value = request.headers().get(header::HOST);
        value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    })
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

/// The answer to a browser that asks beforehand.
fn answer(is_private: bool) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    let mut allow = |name, value| headers.insert(name, HeaderValue::from_static(value));
    allow(header::ACCESS_CONTROL_ALLOW_METHODS, "POST");
    allow(header::ACCESS_CONTROL_ALLOW_HEADERS, MAY_SEND);
    allow(header::ACCESS_CONTROL_MAX_AGE, REMEMBERED);
    if is_private {
        allow(HeaderName::from_static(ALLOW_PRIVATE), "true");
    }
    response
}

fn readable_by(origin: HeaderValue, mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    let exposed = HeaderValue::from_static(MAY_SEE);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    response
}

impl<S> Layer<S> for Door {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        let door = self.clone();
        Guarded { inner, door }
    }
}

/// A service behind a [`Door`].
#[derive(Debug, Clone)]
pub(super) struct Guarded<S> {
    inner: S,
    door: Door,
}

impl<S, R> Service<Request<R>> for Guarded<S>
where
    S: Service<Request<R>, Response = Response<Body>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Either<S::Future, BoxFuture<'static, Result<Response<Body>, S::Error>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<R>) -> Self::Future {
        let at_once = |response| Either::Right(ready(Ok(response)).boxed());
        match self.door.look(&request) {
            Entry::Plain => Either::Left(self.inner.call(request)),
            Entry::Refused(reason) => at_once(self.door.refuse(&request, reason)),
            Entry::Question(origin, is_private) => at_once(readable_by(origin, answer(is_private))),
            Entry::Page(origin) => {
                let answer = self.inner.call(request);
                let answer =
                    answer.map(|answer| answer.map(|response| readable_by(origin, response)));
                Either::Right(answer.boxed())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Version;

    const PAGE: &str = "https://wallboard.example.test";

    fn looked(origins: &[&str], version: Version, uri: &str, headers: &[(&str, &str)]) -> Entry {
        let origins: Vec<_> = origins.iter().map(|origin| (*origin).to_owned()).collect();
        let hosts = ["tieline.example.test".to_owned()];
        let door = Door::new(&origins, &hosts, &Arc::default());
        let method = match headers
            .iter()
            .any(|(name, _)| name.starts_with("access-control"))
        {
            true => Method::OPTIONS,
            false => Method::POST,
        };
        let mut request = Request::builder().version(version).uri(uri).method(method);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        door.look(&request.body(()).unwrap())
    }

    fn page() -> HeaderValue {
        HeaderValue::from_static(PAGE)
    }

    #[test]
    fn pages_of_exactly_the_allowed_origins_come_in() {
        let host = ("host", "127.0.0.1:7443");
        for (origin, expected) in [
            (PAGE, Entry::Page(page())),
            (
                "https://wallboard.example.test:8443",
                Entry::Refused(CallRefused::Origin),
            ),
            (
                "http://wallboard.example.test",
                Entry::Refused(CallRefused::Origin),
            ),
            (
                "https://wallboard.example.test.evil",
                Entry::Refused(CallRefused::Origin),
            ),
            (
                "https://evil.wallboard.example.test",
                Entry::Refused(CallRefused::Origin),
            ),
            ("null", Entry::Refused(CallRefused::Origin)),
            ("*", Entry::Refused(CallRefused::Origin)),
            ("", Entry::Refused(CallRefused::Origin)),
        ] {
            let headers = [
                host,
                ("content-type", "application/grpc-web+proto"),
                ("origin", origin),
            ];
            let found = looked(&[PAGE], Version::HTTP_11, "/a.B/C", &headers);
            assert_eq!(found, expected, "{origin}");
            let closed = looked(&[], Version::HTTP_2, "/a.B/C", &headers);
            assert_eq!(closed, Entry::Refused(CallRefused::Origin), "{origin}");
        }
    }

    #[test]
    fn a_name_that_somebody_makes_point_here_is_refused() {
        for (host, known) in [
            ("127.0.0.1:7443", true),
            ("[::1]:7443", true),
            ("[2001:db8::1]", true),
            ("192.0.2.1", true),
            ("LOCALHOST:7443", true),
            ("tieline.example.test:443", true),
            ("rebound.example:7443", false),
            ("127.0.0.1.example", false),
            ("tieline.example.test.evil", false),
            ("", false),
        ] {
            let found = looked(
                &[PAGE],
                Version::HTTP_11,
                "/a.B/C",
                &[("host", host), ("origin", PAGE)],
            );
            assert_eq!(found == Entry::Page(page()), known, "{host}: {found:?}");
            let headers = [("host", host), ("content-type", "application/grpc-web")];
            let found = looked(&[PAGE], Version::HTTP_11, "/a.B/C", &headers);
            assert_eq!(found == Entry::Plain, known, "{host}: {found:?}");
        }
        // A client over a Unix socket writes anything there, and no browser is one.
        let uri = "http://anything/a.B/C";
        assert_eq!(looked(&[PAGE], Version::HTTP_2, uri, &[]), Entry::Plain);
    }

    #[test]
    fn a_question_beforehand_is_answered_to_the_allowed_alone() {
        let asks = ("access-control-request-method", "POST");
        let private = ("access-control-request-private-network", "true");
        let host = ("host", "localhost");
        let ask = |headers: &[_]| looked(&[PAGE], Version::HTTP_11, "/a.B/C", headers);
        let own = ("origin", PAGE);
        assert_eq!(ask(&[host, asks, own]), Entry::Question(page(), false));
        assert_eq!(
            ask(&[host, asks, own, private]),
            Entry::Question(page(), true)
        );
        let foreign = ("origin", "https://evil.example");
        assert_eq!(
            ask(&[host, asks, foreign]),
            Entry::Refused(CallRefused::Origin)
        );
    }

    #[test]
    fn what_a_browser_sends_for_another_site_without_an_origin_is_refused() {
        for (fetched, expected) in [
            ("cross-site", Entry::Refused(CallRefused::Origin)),
            ("same-site", Entry::Refused(CallRefused::Origin)),
            ("same-origin", Entry::Plain),
            ("none", Entry::Plain),
        ] {
            let headers = [("host", "localhost"), ("sec-fetch-site", fetched)];
            assert_eq!(looked(&[PAGE], Version::HTTP_11, "/", &headers), expected);
        }
    }

    #[test]
    fn without_allowed_origins_there_is_no_web_and_a_path_begins_with_a_slash() {
        let web = ("content-type", "application/grpc-web+proto");
        let found = looked(&[], Version::HTTP_2, "http://localhost/a.B/C", &[web]);
        assert_eq!(found, Entry::Refused(CallRefused::Web));
        let native = ("content-type", "application/grpc");
        let found = looked(&[], Version::HTTP_2, "http://localhost/a.B/C", &[native]);
        assert_eq!(found, Entry::Plain);
        let found = looked(&[], Version::HTTP_2, "*", &[native]);
        assert_eq!(found, Entry::Refused(CallRefused::Malformed));
    }
}
