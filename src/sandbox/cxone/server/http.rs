//! The platform's HTTP: reads requests, asks the state, writes answers, whole or broken.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName, WWW_AUTHENTICATE,
};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{Either, Full, StreamBody};
use hyper::body::Incoming;
use hyper::service::service_fn;
use tokio::io::{AsyncRead, AsyncWrite};

use super::core::Core;
use super::poll;
use crate::sandbox::Outcome;
use crate::sandbox::cxone::platform::{
    Answer, CxoneRequestKind as Kind, PollRequest, Reply, State,
};
use crate::sandbox::platform::{Cut, TokenRequest};
use crate::sandbox::server::{
    Broken, Dialect, Link, ResetOnPurpose, Unread, bearer, broken, converse, header, read,
};

const LARGEST_BODY: usize = 64 << 10;

type Body = Either<Full<Bytes>, StreamBody<Broken>>;

impl Dialect for State {
    async fn converse<IO>(core: &Arc<Core>, link: &Arc<Link>, io: IO)
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = service_fn(|request| handle(core, link, request));
        converse(io, service).await;
    }
}

async fn handle(
    core: &Arc<Core>,
    link: &Arc<Link>,
    request: Request<Incoming>,
) -> Result<Response<Body>, ResetOnPurpose> {
    let target = Target::of(request.method(), request.uri().path());
    let arrival = core.arrive(link.id, target.kind());
    let reply = respond(core, link, arrival.entry, target, request).await;
    let latency = core.with(|state| state.latency());
    let response = match reply {
        Reply::Answer(answer) => {
            let delay = answer.delay + latency;
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
            response(answer)
        }
        Reply::Reset => {
            arrival.end(Outcome::Reset);
            link.reset();
            return Err(ResetOnPurpose);
        }
    };
    arrival.end(Outcome::Status(response.status().as_u16()));
    Ok(response)
}

/// What is asked for. Paths are written in any case, as the platform takes them.
#[derive(Debug, PartialEq, Eq)]
enum Target {
    OpenId,
    Configuration,
    Keys,
    Token,
    WhoAmI,
    Start,
    Join,
    End(String),
    Poll(String),
    States,
    ServerTime,
    Other,
}

impl Target {
    fn of(method: &Method, path: &str) -> Self {
        let lower = path.to_ascii_lowercase();
        match (method, lower.as_str()) {
            (&Method::GET, "/.well-known/openid-configuration") => return Self::OpenId,
            (&Method::GET, "/.well-known/cxone-configuration") => return Self::Configuration,
            (&Method::GET, "/auth/jwks") => return Self::Keys,
            (&Method::POST, "/auth/token") => return Self::Token,
            (&Method::POST, "/incontactauthorizationserver/token/whoami") => return Self::WhoAmI,
            _ => {}
        }
        let words: Vec<&str> = path.split('/').skip(1).collect();
        let small: Vec<&str> = lower.split('/').skip(1).collect();
        let (Some(["incontactapi", "services", version]), Some(rest)) =
            (small.get(..3), small.get(3..))
        else {
            return Self::Other;
        };
        if !is_version(version) {
            return Self::Other;
        }
        // An id is opaque: its case counts.
        let id = || words.get(4).map_or_else(String::new, |id| decoded(id));
        match (method, rest) {
            (&Method::POST, ["agent-sessions"]) => Self::Start,
            (&Method::POST, ["agent-sessions", "join"]) => Self::Join,
            (&Method::DELETE, ["agent-sessions", _]) => Self::End(id()),
            (&Method::GET, ["agent-sessions", _, "get-next-event"]) => Self::Poll(id()),
            (&Method::GET, ["agents", "states"]) => Self::States,
            (&Method::GET, ["server-time"]) => Self::ServerTime,
            _ => Self::Other,
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::OpenId | Self::Configuration | Self::Keys => Kind::Discovery,
            Self::Token => Kind::Token,
            Self::WhoAmI => Kind::WhoAmI,
            Self::Start => Kind::Start,
            Self::Join => Kind::Join,
            Self::End(_) => Kind::End,
            Self::Poll(_) => Kind::Poll,
            Self::States => Kind::States,
            Self::ServerTime => Kind::ServerTime,
            Self::Other => Kind::Other,
        }
    }
}

/// `v` and a number with one decimal place.
fn is_version(word: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    word.strip_prefix('v')
        .and_then(|version| version.split_once('.'))
        .is_some_and(|(major, minor)| digits(major) && digits(minor))
}

/// A segment of a path without its percent signs.
fn decoded(segment: &str) -> String {
    // A plus is no blank in a path.
    let segment = format!("id={}", segment.replace('+', "%2B"));
    let mut pairs = url::form_urlencoded::parse(segment.as_bytes());
    pairs
        .next()
        .map_or_else(String::new, |(_, id)| id.into_owned())
}

async fn respond(
    core: &Arc<Core>,
    link: &Arc<Link>,
    entry: u64,
    target: Target,
    request: Request<Incoming>,
) -> Reply {
    let (head, body) = request.into_parts();
    let kind = target.kind();
    let body = match read(body, LARGEST_BODY).await {
        Ok(body) => body,
        Err(Unread::TooLarge) => return Answer::refused(413, "The body is too large").into(),
        Err(Unread::TooSlow) => return Answer::refused(408, "The body took too long").into(),
    };
    let authorization = header(&head.headers, AUTHORIZATION);
    let bearer = bearer(authorization.as_deref());
    let bearer = bearer.as_deref();
    let query = head.uri.query().unwrap_or_default();
    let host = header(&head.headers, HOST);
    let host = host.as_deref();
    let now = core.times();
    let answer = match target {
        Target::Poll(id) => {
            let request = PollRequest {
                entry,
                bearer,
                session_id: &id,
                query,
            };
            return poll::hold(core, link, request).await;
        }
        Target::OpenId => core.with(|state| state.answer_openid(host)),
        Target::Configuration => core.with(|state| state.answer_configuration(query, host)),
        Target::Keys => core.with(|state| state.answer_keys()),
        Target::Token => {
            let request = TokenRequest {
                authorization: authorization.as_deref(),
                form: &body,
            };
            core.with(|state| state.answer_token(request, now))
        }
        Target::WhoAmI => core.with(|state| state.answer_who_am_i(&body, now.0)),
        Target::Start => core.with(|state| state.answer_start(bearer, &body, now)),
        Target::Join => core.with(|state| state.answer_join(bearer, &body, now)),
        Target::End(id) => core.with(|state| state.answer_end(bearer, &id, now)),
        Target::States => core.with(|state| state.answer_states(bearer, query, now)),
        Target::ServerTime => core.with(|state| state.answer_time(bearer, now)),
        Target::Other => Answer::refused(404, "No such resource"),
    };
    if matches!(kind, Kind::Start | Kind::Join | Kind::End) {
        core.change();
    }
    answer.into()
}

fn response(answer: Answer) -> Response<Body> {
    let whole = Bytes::from(answer.body);
    let half = whole.slice(..whole.len() / 2);
    let mut response = Response::new(match answer.cut {
        Cut::Whole => Either::Left(Full::new(whole.clone())),
        Cut::Text => Either::Left(Full::new(half)),
        Cut::Connection => Either::Right(StreamBody::new(broken(half))),
    });
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    if !whole.is_empty() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
    }
    if answer.cut == Cut::Connection {
        headers.insert(CONTENT_LENGTH, whole.len().into());
    }
    if answer.status == 401 {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer, Basic"));
    }
    for (name, value) in answer.headers {
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(&value)) {
            headers.insert(name, value);
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_in_any_case_and_version_but_ids_as_they_are() {
        let poll = "/inContactAPI/Services/v31.0/agent-sessions/aB%2B%3D=+/get-next-event";
        let target = Target::of(&Method::GET, poll);
        assert_eq!(target, Target::Poll("aB+==+".to_owned()));
        let base = "/InContactAPI/services/v23.0";
        let post = |path: &str| Target::of(&Method::POST, &format!("{base}{path}"));
        assert_eq!(post("/agent-sessions"), Target::Start);
        assert_eq!(post("/agent-sessions/JOIN"), Target::Join);
        let end = Target::of(&Method::DELETE, &format!("{base}/agent-sessions/Join"));
        assert_eq!(end, Target::End("Join".to_owned()));
        for path in ["", "/", "/incontactapi/services/v2/agents/states", "/auth"] {
            assert_eq!(Target::of(&Method::GET, path), Target::Other, "{path}");
        }
    }
}
