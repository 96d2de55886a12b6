//! Token requests and answers (RFC 6749) as data. Pure.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use url::{Url, form_urlencoded};
use zeroize::Zeroizing;

use super::config::{CredentialPlacement, Grant};
use super::schedule::Failure;
use super::secrets::Credentials;
use crate::net::{CallClass, HttpRequest, HttpResponse, Note, retry_after};
use crate::runtime::{Secret, WallTime};

/// Everything from DNS to the last byte of the answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Token answers have some hundred bytes; JSON web tokens have some thousand.
const MAX_BODY: usize = 128 * 1024;
/// A longer token would not pass through a request's head.
const MAX_TOKEN: usize = 16 * 1024;
/// What a token without a readable lifetime is trusted for.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(300);
/// The longest that platforms give (U22).
const MAX_LIFETIME: Duration = Duration::from_secs(48 * 3600);

/// What the endpoint granted.
#[derive(Debug)]
pub(super) struct Granted {
    pub(super) access_token: Secret<String>,
    pub(super) lifetime: Duration,
    pub(super) refresh_token: Option<Secret<String>>,
}

/// The request for a token. `refresh_token` is the newest one: the grant of that name needs it, and
/// a password is not sent while there is one.
pub(super) fn token_request(
    endpoint: &Url,
    grant: Grant,
    placement: CredentialPlacement,
    credentials: &Credentials,
    refresh_token: Option<&Secret<String>>,
) -> Result<HttpRequest, Failure> {
    let id = credentials.client_id.expose();
    let secret = credentials.client_secret.as_ref().map(Secret::expose);
    let refresh_token = refresh_token.map(Secret::expose);
    let mut pairs: Vec<(&str, &str)> = Vec::with_capacity(6);
    match (grant, refresh_token) {
        (Grant::ClientCredentials, _) => pairs.push(("grant_type", grant.name())),
        (Grant::GuestSession, _) => return Err(refused("a guest's session has no token endpoint")),
        (Grant::RefreshToken, None) => return Err(refused("no refresh token is configured")),
        (Grant::RefreshToken, Some(token)) => {
            pairs.extend([("grant_type", "refresh_token"), ("refresh_token", token)]);
        }
        // As CXone's own SDK renews what it was given for an access key.
        (Grant::Password, Some(token)) => pairs.extend([
            ("grant_type", "refresh_token"),
            ("refresh_token", token),
            ("scope", "openid"),
        ]),
        (Grant::Password, None) => {
            let missing = || refused("no user or password is configured");
            let username = credentials.username.as_ref().ok_or_else(missing)?;
            let password = credentials.password.as_ref().ok_or_else(missing)?;
            pairs.extend([
                ("grant_type", grant.name()),
                ("username", username.expose()),
                ("password", password.expose()),
            ]);
        }
    }
    let mut headers = HeaderMap::new();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/x-www-form-urlencoded"),
    );
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    match (placement, secret) {
        (CredentialPlacement::Basic, Some(secret)) => {
            headers.insert(AUTHORIZATION, basic(id, secret)?);
        }
        (_, secret) => {
            pairs.push(("client_id", id));
            pairs.extend(secret.map(|secret| ("client_secret", secret.as_str())));
        }
    }
    Ok(HttpRequest {
        method: Method::POST,
        url: endpoint.clone(),
        headers,
        body: form(&pairs),
        timeout: TIMEOUT,
        max_body: MAX_BODY,
        class: CallClass::Token,
        note: Note {
            kind: "token",
            ..Note::default()
        },
    })
}

/// Id and secret as they are, without the form encoding that RFC 6749 section 2.3.1 asks for: so
/// the platforms document it and so their own SDKs do it.
fn basic(id: &str, secret: &str) -> Result<HeaderValue, Failure> {
    if id.contains(':') {
        return Err(refused("the client id holds a colon"));
    }
    let plain = Zeroizing::new(format!("{id}:{secret}"));
    let header = format!("Basic {}", *Zeroizing::new(STANDARD.encode(&*plain)));
    let mut value = HeaderValue::from_maybe_shared(wiped(header))
        .map_err(|_| refused("client id and secret make no header"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn form(pairs: &[(&str, &str)]) -> Bytes {
    // Room for all at once: a string that grows leaves copies behind.
    let longest = pairs
        .iter()
        .map(|(key, value)| key.len() + 3 * value.len() + 2);
    let room = String::with_capacity(longest.sum());
    let form = form_urlencoded::Serializer::new(room)
        .extend_pairs(pairs)
        .finish();
    wiped(form)
}

/// Bytes that are wiped when their last holder lets go.
fn wiped(text: String) -> Bytes {
    Bytes::from_owner(Zeroizing::new(text.into_bytes()))
}

#[derive(Deserialize)]
struct TokenAnswer {
    #[serde(deserialize_with = "secret")]
    access_token: Secret<String>,
    token_type: Option<String>,
    expires_in: Option<Value>,
    #[serde(default, deserialize_with = "optional_secret")]
    refresh_token: Option<Secret<String>>,
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret<String>, D::Error> {
    String::deserialize(deserializer).map(Secret::new)
}

fn optional_secret<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Secret<String>>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(Secret::new))
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ErrorAnswer {
    error: Option<String>,
    error_description: Option<String>,
}

/// Reads the endpoint's answer. `wall` is for a `Retry-After` that is a date.
pub(super) fn read_answer(response: &HttpResponse, wall: WallTime) -> Result<Granted, Failure> {
    if !response.status.is_success() {
        return Err(failure(response, wall));
    }
    // No error's text goes further: it could quote the answer, and the answer holds tokens.
    let Ok(answer) = serde_json::from_slice::<TokenAnswer>(&response.body) else {
        return Err(failure(response, wall));
    };
    let is_bearer = |kind: &String| kind.eq_ignore_ascii_case("bearer");
    if !answer.token_type.as_ref().is_none_or(is_bearer) {
        return Err(unusable("the token is not a bearer token"));
    }
    if !fits_a_header(&answer.access_token) {
        return Err(unusable("the token is empty, too long or not printable"));
    }
    let refresh_token = answer
        .refresh_token
        .filter(|token| !token.expose().is_empty());
    if !refresh_token.as_ref().is_none_or(fits_a_header) {
        return Err(unusable("the refresh token is too long or not printable"));
    }
    Ok(Granted {
        access_token: answer.access_token,
        lifetime: lifetime(answer.expires_in.as_ref()),
        refresh_token,
    })
}

fn fits_a_header(token: &Secret<String>) -> bool {
    let token = token.expose();
    (1..=MAX_TOKEN).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Seconds as a number or as text; anything else, and nothing, is the default.
fn lifetime(expires_in: Option<&Value>) -> Duration {
    let seconds = match expires_in {
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => text.trim().parse::<f64>().ok(),
        _ => None,
    };
    match seconds {
        Some(seconds) if seconds > 0.0 => {
            Duration::from_secs_f64(seconds.clamp(1.0, MAX_LIFETIME.as_secs_f64()))
        }
        _ => DEFAULT_LIFETIME,
    }
}

/// What an answer without a token means. Only codes that we know are repeated: an endpoint may echo
/// a secret in anything else.
fn failure(response: &HttpResponse, wall: WallTime) -> Failure {
    let status = response.status;
    let retry_after = retry_after(&response.headers, wall);
    let answer: ErrorAnswer = serde_json::from_slice(&response.body).unwrap_or_default();
    let reason = |what: &str| format!("{what} (HTTP {})", status.as_u16());
    let throttled = Failure::Throttled {
        retry_after,
        reason: reason("the endpoint throttles token requests"),
    };
    if status == StatusCode::TOO_MANY_REQUESTS || is_genesys_throttling(status, &answer) {
        return throttled;
    }
    let code = answer.error.as_deref().and_then(known_code);
    match code {
        Some("slow_down") => throttled,
        Some(code @ ("server_error" | "temporarily_unavailable")) => Failure::Unavailable {
            retry_after,
            reason: reason(code),
        },
        Some(code) => refused(&reason(code)),
        None if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
            refused(&reason("the endpoint refuses this client"))
        }
        None => Failure::Unavailable {
            retry_after,
            reason: reason("the answer is no token"),
        },
    }
}

/// Genesys throttles with 400 `invalid_request`, and only its description tells. The one place
/// where text decides, since the platform gives nothing else (genesys-cloud.md 1.4).
fn is_genesys_throttling(status: StatusCode, answer: &ErrorAnswer) -> bool {
    let described = answer.error_description.as_deref().unwrap_or_default();
    status == StatusCode::BAD_REQUEST
        && described
            .get(.."rate limit exceeded".len())
            .is_some_and(|start| start.eq_ignore_ascii_case("rate limit exceeded"))
}

/// Error codes of RFC 6749 section 5.2 and its companions.
fn known_code(code: &str) -> Option<&'static str> {
    [
        "invalid_client",
        "invalid_grant",
        "invalid_request",
        "invalid_scope",
        "unauthorized_client",
        "unsupported_grant_type",
        "access_denied",
        "slow_down",
        "server_error",
        "temporarily_unavailable",
    ]
    .into_iter()
    .find(|known| *known == code)
}

fn refused(reason: &str) -> Failure {
    Failure::Refused {
        reason: reason.to_owned(),
    }
}

fn unusable(reason: &str) -> Failure {
    Failure::Unavailable {
        retry_after: None,
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
#[path = "tests/grant.rs"]
mod tests;
