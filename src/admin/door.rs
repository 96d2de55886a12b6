//! Who may ask at the admin listener: `Host`, `Origin` and `Sec-Fetch-Site` are checked, so that no
//! page of another site reaches it through an operator's browser. There is no CORS. Where it is known who
//! calls, what is behind a credential is; gRPC looks at its callers itself. Pure but for the layer.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::problem::Problem;
use super::routes::TAIL;
use crate::grpc::{Callers, Gate, Peer, Right};

/// What the page may load and do: its own style and script, its own data, nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     connect-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; \
     form-action 'none'";

/// What is known of a listener.
#[derive(Debug, Clone)]
pub struct Door {
    /// Over a Unix socket there is no other site, and what the mode of the file lets in may change
    /// things.
    pub is_socket: bool,
    /// Only this machine reaches it.
    pub is_local: bool,
    /// Who may ask.
    pub callers: Callers,
}

/// A door with the names that it goes by.
#[derive(Debug, Clone)]
pub(super) struct Named {
    pub(super) door: Door,
    /// Names besides those of loopback.
    pub(super) hosts: Arc<[String]>,
}

impl Named {
    /// Why a request may not come in, if it may not.
    fn objection(&self, method: &Method, headers: &HeaderMap, host: &str) -> Option<Problem> {
        let Door {
            is_socket, callers, ..
        } = &self.door;
        if !is_reading(method) && *method != Method::POST && !is_socket && !callers.are_known() {
            return Some(Problem::SocketOnly);
        }
        if !is_socket && !self.knows(host) {
            return Some(Problem::Host);
        }
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let fetched = text(header::HeaderName::from_static("sec-fetch-site"));
        if !matches!(fetched, None | Some("same-origin" | "none")) {
            return Some(Problem::Site);
        }
        match headers.get(header::ORIGIN) {
            None => None,
            Some(origin) if is_own(origin, host) => None,
            Some(_) => Some(Problem::Site),
        }
    }

    /// Lets a request in that brings what it needs; with a gate where it is about one journal.
    fn credential(&self, request: &Request) -> Result<Option<Gate>, Problem> {
        let Door {
            is_socket,
            is_local,
            callers,
        } = &self.door;
        if *is_socket || !callers.are_known() {
            return Ok(None);
        }
        let (headers, peer) = (request.headers(), request.extensions().get::<Peer>());
        if request.uri().path() == TAIL {
            return Ok(Some(callers.operator(headers, peer, Right::Read)?));
        }
        if *is_local && is_reading(request.method()) {
            return Ok(None);
        }
        Ok(Some(callers.operator_of_all(headers, peer)?))
    }

    /// Whether a browser that means this listener would say so.
    fn knows(&self, host: &str) -> bool {
        let name = without_port(host).to_ascii_lowercase();
        let loopback = ["localhost", "127.0.0.1", "[::1]"];
        loopback.contains(&name.as_str())
            || self.hosts.iter().any(|h| h.eq_ignore_ascii_case(&name))
    }
}

fn is_own(origin: &HeaderValue, host: &str) -> bool {
    let origin = origin.to_str().unwrap_or_default();
    let authority = origin
        .strip_prefix("http://")
        .or_else(|| origin.strip_prefix("https://"));
    authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host))
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

fn is_reading(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// Lets a request for the console in that brings what it needs; calls of gRPC have a layer of their own.
pub(super) async fn admit(State(door): State<Named>, mut request: Request, next: Next) -> Response {
    match door.credential(&request) {
        Err(problem) => problem.into_response(),
        Ok(gate) => {
            if let Some(gate) = gate {
                request.extensions_mut().insert(gate);
            }
            next.run(request).await
        }
    }
}

/// Lets a request in or refuses it, and says on every answer what a browser may do with it.
pub(super) async fn guard(State(door): State<Named>, request: Request, next: Next) -> Response {
    let host = request.uri().authority().map(|a| a.as_str().to_owned());
    let host = host.or_else(|| {
        let value = request.headers().get(header::HOST)?;
        Some(value.to_str().ok()?.to_owned())
    });
    let host = host.unwrap_or_default();
    let mut response = match door.objection(request.method(), request.headers(), &host) {
        Some(problem) => problem.into_response(),
        None => next.run(request).await,
    };
    let headers = response.headers_mut();
    let fixed = [
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            header::HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(
        method: Method,
        host: &str,
        headers: &[(&'static str, &'static str)],
    ) -> Option<Problem> {
        let door = Named {
            door: Door {
                is_socket: false,
                is_local: true,
                callers: Callers::anyone(),
            },
            hosts: Arc::from(["tieline.example.test".to_owned()]),
        };
        let headers = headers.iter().map(|(name, value)| {
            (
                header::HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        });
        door.objection(&method, &headers.collect(), host)
    }

    #[test]
    fn only_names_of_this_machine_and_those_configured_are_known() {
        for host in [
            "localhost:7445",
            "127.0.0.1:7445",
            "[::1]:7445",
            "LOCALHOST",
            "tieline.example.test:80",
        ] {
            assert_eq!(asked(Method::GET, host, &[]), None, "{host}");
        }
        for host in [
            "",
            "evil.example:7445",
            "127.0.0.1.evil.example",
            "[::2]:7445",
        ] {
            assert_eq!(asked(Method::GET, host, &[]), Some(Problem::Host), "{host}");
        }
    }

    #[test]
    fn another_site_is_refused_whatever_it_asks_for() {
        let own = "127.0.0.1:7445";
        for (headers, expected) in [
            (vec![("sec-fetch-site", "same-origin")], None),
            (vec![("sec-fetch-site", "none")], None),
            (vec![("sec-fetch-site", "cross-site")], Some(Problem::Site)),
            (vec![("sec-fetch-site", "same-site")], Some(Problem::Site)),
            (vec![("origin", "http://127.0.0.1:7445")], None),
            (vec![("origin", "http://127.0.0.1:1")], Some(Problem::Site)),
            (vec![("origin", "null")], Some(Problem::Site)),
        ] {
            assert_eq!(asked(Method::GET, own, &headers), expected, "{headers:?}");
        }
    }

    #[test]
    fn methods_that_change_something_are_for_the_socket() {
        assert_eq!(
            asked(Method::PUT, "localhost", &[]),
            Some(Problem::SocketOnly)
        );
    }
}
