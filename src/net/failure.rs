//! Sorts the errors of reqwest, hyper and rustls into [`HttpFailure`], by type, and by text only
//! where there is no type.

use std::error::Error;
use std::io;

use super::contract::HttpFailure;
use super::stack::CONNECT_LIMIT;

/// What reqwest says of an IPv6 address behind a proxy (`ProxyRoutes::cannot_name`); a test holds the
/// two together.
const NO_NAME: &str = "Invalid Server Name";

/// What broke before the head of an answer was complete.
pub(super) fn before_head(error: &reqwest::Error) -> HttpFailure {
    let cause = causes(error);
    if let Some(tunnel) = cause.iter().find_map(|cause| tunnel_failure(*cause)) {
        return tunnel;
    }
    if error.is_timeout() {
        // reqwest is given no other limit than this.
        return HttpFailure::Connect(format!("no connection within {CONNECT_LIMIT:?}"));
    }
    if cause.iter().any(|cause| cause.to_string() == NO_NAME) {
        let why = "behind a proxy, an https address must have a name and no IPv6 address";
        return HttpFailure::Connect(why.to_owned());
    }
    let connecting = error.is_connect() || error.is_builder();
    if cause.iter().any(|cause| cause.is::<rustls::Error>()) {
        return HttpFailure::Tls(describe(&cause));
    }
    let cut_short = |cause: &&(dyn Error + 'static)| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|io| io.kind() == io::ErrorKind::UnexpectedEof)
    };
    match connecting {
        // A bare end of stream while connecting can only come from the TLS handshake: TCP has none
        // before it, and a proxy's tunnel has an error type of its own.
        true if cause.iter().any(cut_short) => HttpFailure::Tls("handshake cut short".to_owned()),
        true => HttpFailure::Connect(describe(&cause)),
        false => HttpFailure::Reset(describe(&cause)),
    }
}

/// What a proxy's answer to CONNECT means. hyper keeps the type of that error to itself, so that here
/// alone its text counts; a test holds the two together.
fn tunnel_failure(cause: &(dyn Error + 'static)) -> Option<HttpFailure> {
    let text = cause.to_string();
    match text.strip_prefix("tunnel error: ")? {
        "proxy authorization required" => Some(HttpFailure::ProxyRefused),
        "unsuccessful" => {
            let why = "the proxy opens no tunnel to this address";
            Some(HttpFailure::Connect(why.to_owned()))
        }
        "unexpected end of file" => {
            let why = "the proxy hung up before it opened a tunnel";
            Some(HttpFailure::Connect(why.to_owned()))
        }
        _ => None,
    }
}

/// Every cause beneath an error, outermost first. The error itself is left out: reqwest's text
/// holds the address, whose query may be secret.
fn causes(error: &reqwest::Error) -> Vec<&(dyn Error + 'static)> {
    let mut found = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        found.push(cause);
        // An `io::Error` made from another error is that error: its `source()` skips it.
        next = match cause
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
        {
            Some(inner) => Some(inner),
            None => cause.source(),
        };
    }
    found
}

/// The texts of all causes, without those that repeat what comes after them.
fn describe(causes: &[&(dyn Error + 'static)]) -> String {
    let mut parts: Vec<String> = Vec::new();
    for cause in causes.iter().rev() {
        let text = cause.to_string();
        if parts.iter().all(|part| !text.contains(part.as_str())) {
            parts.push(text);
        }
    }
    parts.reverse();
    parts.join(": ")
}
