//! Genesys Cloud web messaging: one guest's session, over the WebSocket of the guest API.
//!
//! A session is a guest's. Its token is a UUID of our own making that *is* the session: whoever knows it can go on
//! with it, so it is a credential. There is no OAuth; what is trusted is the deployment's id and the `Origin`.
//!
//! # How it goes on
//!
//! A connection says `configureSession` with the token and `startNew: false`, always: that begins a session
//! where the token is new and goes on with it where it is known, so a connection that broke before the
//! answer came is simply made again. Then it asks for a JWT, which the history wants. Both answered, it is
//! confirmed; where the JWT is refused, or does not come within 5 s, it is confirmed without history.
//!
//! # Ends
//!
//! Old text never goes to a new agent (U39), so a session is over ([`Control::Expired`](super::Control::Expired)) when
//! the platform answers `newSession: true` for one that had begun, `readOnly: true` or `connected: false`;
//! when it cleared the conversation or logged the guest out; at `SessionExpiredEvent`; and at codes 4006 and 4007.
//! That it had begun is kept between connections; without that, `newSession: false` is as good as `true`.
//! `ConnectionClosedEvent` means that another connection took this one's place: connecting again would
//! take it back, and so on for ever, so that waits for somebody to ask.
//!
//! # Gaps
//!
//! What was said while no socket was open is not pushed afterwards. History has it: its pages are read from the newest
//! until they are a minute older than the loss window, and then the gap is closed. A window that no 40
//! pages reach is not; nor is one without a JWT.
//!
//! # Duplicates
//!
//! A message's `id` is the same in a frame and in history. Order is not guaranteed: what counts is `channel.time`, which
//! is the event's time.
//!
//! # Sending
//!
//! The platform acknowledges a message by its echo, with our `tracingId`. Error frames may lack one: then they blame the
//! message in flight, of which there is one at a time. 2 messages a second are taken. The guest's attributes go with each
//! message until one was acknowledged. History does not keep the `tracingId` by any document; where an
//! entry has `metadata.customMessageId`, by which the vendor's mobile client knows its own, that is the id.
//!
//! # Settings and permissions
//!
//! `endpoint` is `wss://webmessaging.<domain>`; REST is at `https://api.<domain>` then, else at the endpoint itself, unless `rest_endpoint`
//! says where. `deployment_id` is that of the web deployment; `origin` one that it allows. No permission is needed, and
//! `auth` means nothing. The guest API tells no conversation id: the session's name stands in its place.
//!
//! # Facts
//!
//! Numbers in comments refer to these; the sources are the vendor's mobile and Java clients, and its forum.
//!
//! - 5.1 `/v1?deploymentId=…&application=…`, `Origin`; 403 is access denied, and the mobile client does not try again.
//! - 5.2 The token is a UUID made by the client.
//! - 5.3 Actions of the client; custom attributes stand in `message.channel.metadata.customAttributes`.
//! - 5.4 Classes of the platform; unknown kinds of content are kept.
//! - 5.5 The echo acknowledges; order is not guaranteed.
//! - 5.6 `echo` not more often than every 30 s; its answer may carry the session's end, as texts.
//! - 5.7 Going on, `readOnly`, several connections, `closeSession`.
//! - 5.8 History by JWT: pages of 25, the newest first as the mobile client reads them, used while `exp` is more than 5 s away.
//! - 5.10 Codes in frames. 5.11 Limits.

mod codes;
mod connector;
mod history;
mod kept;
mod message;
mod normalize;
mod outgoing;
mod pass;
mod protocol;
mod wire;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use url::Url;

use super::GUEST_ATTRIBUTES;
use super::{
    Built, Entry, GuestSettings, Keys, Redundancy, Settings, SettingsError, TokenDefaults,
};
use crate::auth::CredentialPlacement;
use connector::WebMessaging;

/// The registry name.
const NAME: &str = "genesys-web-messaging";
/// The host of the sockets, before the region's domain (5.1).
const SOCKET_HOST: &str = "webmessaging.";
/// The host of REST, likewise.
const REST_HOST: &str = "api.";
/// No deployment's id is longer.
const LONGEST_ID: usize = 100;

/// What the registry knows of this platform.
pub(super) const ENTRY: Entry = Entry {
    platforms: || vec![NAME],
    build,
    token,
    domains: |settings| {
        let base = base(&settings.endpoint)?;
        let rest = rest(&base, settings.guest.as_ref())?;
        Ok(place_beside(&base, &rest).into_iter().collect())
    },
    keys: |_| {
        Ok(Keys {
            guest: true,
            guest_token: true,
            keeps_credential: true,
            deployment: true,
            websocket: true,
            ..Keys::default()
        })
    },
};

/// What a session is made of, checked.
#[derive(Debug)]
struct Checked<'a> {
    guest: &'a GuestSettings,
    deployment: &'a str,
    origin: String,
}

fn build(settings: &Settings) -> Result<Built, SettingsError> {
    let base = base(&settings.endpoint)?;
    let none = |key, empty: bool| {
        let reason = "is not for this platform: a guest's session has all its messages";
        if empty {
            Ok(())
        } else {
            Err(wrong(key, reason))
        }
    };
    none("channels", settings.channels.is_empty())?;
    none("topics", settings.topics.is_empty())?;
    none("agent", settings.agent.is_none())?;
    if settings.redundancy == Redundancy::Double {
        return Err(wrong(
            "redundancy",
            "must be 1: a guest's session has one connection",
        ));
    }
    let checked = check(settings.guest.as_ref(), &base)?;
    let connector = WebMessaging::new(base, &checked, settings)?;
    Ok(Built::Ready(vec![Arc::new(connector)]))
}

fn check<'a>(guest: Option<&'a GuestSettings>, base: &Url) -> Result<Checked<'a>, SettingsError> {
    let Some(guest) = guest else {
        return Err(wrong(
            "guest",
            "is missing: a session of this platform is a guest's",
        ));
    };
    if !is_uuid(guest.token.expose()) {
        return Err(wrong("guest.token", "must be a UUID"));
    }
    let deployment = guest.deployment_id.as_deref().unwrap_or_default();
    let fits = deployment.len() <= LONGEST_ID && deployment.bytes().all(|b| b.is_ascii_graphic());
    if deployment.is_empty() {
        return Err(wrong(
            "deployment_id",
            "is missing: give the id of the web deployment",
        ));
    } else if !fits {
        let reason = format!("must be at most {LONGEST_ID} visible ASCII characters");
        return Err(wrong("deployment_id", &reason));
    }
    let origin = match &guest.origin {
        Some(origin) => origin_of(origin)?,
        None => in_http(base)?.origin().ascii_serialization(),
    };
    if let Some(problem) = outgoing::attributes_problem(&guest.attributes) {
        return Err(wrong(GUEST_ATTRIBUTES, &problem));
    }
    Ok(Checked {
        guest,
        deployment,
        origin,
    })
}

fn wrong(key: &'static str, reason: &str) -> SettingsError {
    let reason = reason.to_owned();
    SettingsError::Setting { key, reason }
}

/// A UUID of any version as it is written.
fn is_uuid(text: &str) -> bool {
    let fits = |(at, byte): (usize, u8)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    text.len() == 36 && text.bytes().enumerate().all(fits)
}

/// An origin as a browser would send it (RFC 6454 section 6.2).
fn origin_of(text: &str) -> Result<String, SettingsError> {
    let reason = "must be a scheme and a host, such as https://www.example.org";
    let url = Url::parse(text).ok();
    let url = url.filter(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.username().is_empty()
            && url.password().is_none()
            && url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
    });
    let url = url.ok_or_else(|| wrong("origin", reason))?;
    Ok(url.origin().ascii_serialization())
}

/// The platform asks for no token; where one is configured all the same, it is the region's.
fn token(settings: &Settings) -> Result<TokenDefaults, SettingsError> {
    let rest = rest(&base(&settings.endpoint)?, settings.guest.as_ref())?;
    Ok(TokenDefaults {
        url: below(&rest, ["oauth", "token"]),
        placement: CredentialPlacement::Basic,
        refresh_before: None,
    })
}

/// The endpoint as the base of addresses, checked.
fn base(endpoint: &Url) -> Result<Url, SettingsError> {
    if !matches!(endpoint.scheme(), "wss" | "https" | "ws" | "http") {
        return Err(refused(
            endpoint,
            "the scheme is none of wss, https, ws, http",
        ));
    }
    checked(endpoint).map_err(|reason| refused(endpoint, reason))
}

/// An address without what is none of its place.
fn checked(url: &Url) -> Result<Url, &'static str> {
    if url.host_str().is_none() {
        return Err("it has no host");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("credentials do not belong into an address");
    }
    let mut base = url.clone();
    base.set_query(None);
    base.set_fragment(None);
    Ok(base)
}

fn refused(endpoint: &Url, reason: &str) -> SettingsError {
    // What stands before the host may be a password.
    let host = endpoint.host_str().unwrap_or_default();
    SettingsError::Endpoint {
        endpoint: format!("{}://{host}", endpoint.scheme()),
        reason: reason.to_owned(),
    }
}

/// Where REST is (5.8).
fn rest(base: &Url, guest: Option<&GuestSettings>) -> Result<Url, SettingsError> {
    if let Some(given) = guest.and_then(|guest| guest.rest_endpoint.as_ref()) {
        if !matches!(given.scheme(), "https" | "http") {
            return Err(wrong("rest_endpoint", "must begin with https or http"));
        }
        return checked(given).map_err(|reason| wrong("rest_endpoint", reason));
    }
    let mut rest = in_http(base)?;
    let domain = base
        .host_str()
        .and_then(|host| host.strip_prefix(SOCKET_HOST));
    if let Some(domain) = domain {
        let host = format!("{REST_HOST}{domain}");
        let changed = rest.set_host(Some(&host));
        changed.map_err(|error| refused(base, &error.to_string()))?;
    }
    Ok(rest)
}

/// The same address for requests.
fn in_http(base: &Url) -> Result<Url, SettingsError> {
    with_scheme(base, [("wss", "https"), ("ws", "http")])
}

/// The same address for sockets.
fn in_ws(base: &Url) -> Result<Url, SettingsError> {
    with_scheme(base, [("https", "wss"), ("http", "ws")])
}

fn with_scheme(base: &Url, table: [(&str, &str); 2]) -> Result<Url, SettingsError> {
    let mut url = base.clone();
    let other = table.iter().find(|(from, _)| *from == base.scheme());
    if let Some((_, to)) = other
        && url.set_scheme(to).is_err()
    {
        return Err(refused(base, "it has no form for sockets"));
    }
    Ok(url)
}

/// Where REST is, as an allowed place, if that is not the endpoint's own.
fn place_beside(base: &Url, rest: &Url) -> Option<String> {
    let host = rest.host_str()?;
    let own =
        rest.host() == base.host() && rest.port_or_known_default() == base.port_or_known_default();
    let place = match rest.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    };
    (!own).then_some(place)
}

/// An address below `base`, whose own path is kept.
fn below<'a>(base: &Url, parts: impl IntoIterator<Item = &'a str>) -> Url {
    let mut url = base.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(parts);
    }
    url
}
