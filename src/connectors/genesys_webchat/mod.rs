//! The web chat of a guest, as it is described under the name of Genesys' web chat API: a guest is made over
//! REST with an OAuth token, and talks over one WebSocket with the token of its own that it is given.
//!
//! # How it goes on
//!
//! Making the guest answers with an instance and its token, which are kept sealed for every later connection:
//! a session makes one instance and never another. The platform has no frame that confirms a connection; one is
//! confirmed when the pong to a ping behind the handshake came.
//!
//! # Ends
//!
//! An instance lives for `expiresIn`. Whether it does is the platform's to say: 401, 404 and 410 in answer to its token, at
//! the handshake or a message, mean that it is over. It is never replaced within the session: a new one may
//! be another agent's, and old text must not go there (U39).
//!
//! # Gaps
//!
//! There is no history, so what came while no socket was open is lost, and its gap is confirmed.
//!
//! # Duplicates
//!
//! Each message has a `messageId`.
//!
//! # Sending
//!
//! `messageReceived` acknowledges a message. What was certainly never written may go over REST while no socket stands;
//! there, success is the acknowledgement. Text alone is taken, up to 4 000 characters.
//!
//! # Settings and permissions
//!
//! `endpoint` is the organisation's host. `auth` is a client that may make guests. A guest is known by `email`,
//! `firstName` and `lastName`, and by nothing else.

mod connector;
mod kept;
mod normalize;
mod protocol;
mod sending;
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
use connector::Webchat;

/// The registry name.
const NAME: &str = "genesys-webchat";
/// What a guest is known by.
const ATTRIBUTES: [&str; 3] = ["email", "firstName", "lastName"];
/// The longest of these, in bytes.
const LONGEST_ATTRIBUTE: usize = 256;

/// What the registry knows of this platform.
pub(super) const ENTRY: Entry = Entry {
    platforms: || vec![NAME],
    build,
    token,
    domains: |settings| base(&settings.endpoint).map(|_| Vec::new()),
    keys: |_| {
        Ok(Keys {
            guest: true,
            websocket: true,
            keeps_credential: true,
            ..Keys::default()
        })
    },
};

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
    let Some(guest) = &settings.guest else {
        return Err(wrong(
            "guest",
            "is missing: a session of this platform is a guest's",
        ));
    };
    check(guest)?;
    let connector = Webchat::new(base, guest, settings)?;
    Ok(Built::Ready(vec![Arc::new(connector)]))
}

fn check(guest: &GuestSettings) -> Result<(), SettingsError> {
    let unused = |key, given: bool| {
        let reason = "is not for this platform, which knows its guests by an instance";
        if given {
            Err(wrong(key, reason))
        } else {
            Ok(())
        }
    };
    unused("deployment_id", guest.deployment_id.is_some())?;
    unused("origin", guest.origin.is_some())?;
    unused("rest_endpoint", guest.rest_endpoint.is_some())?;
    if guest.token.expose().is_empty() {
        return Err(wrong("guest.token", "is empty: it tells sessions apart"));
    }
    for (name, value) in &guest.attributes {
        if !ATTRIBUTES.contains(&name.as_str()) {
            let known = ATTRIBUTES.join(", ");
            let name: String = name.chars().take(LONGEST_ATTRIBUTE).collect();
            let reason = format!("holds '{name}', which this platform has not: it has {known}");
            return Err(wrong(GUEST_ATTRIBUTES, &reason));
        }
        if value.len() > LONGEST_ATTRIBUTE {
            let length = value.len();
            let reason = format!("'{name}' has {length} bytes; at most {LONGEST_ATTRIBUTE}");
            return Err(wrong(GUEST_ATTRIBUTES, &reason));
        }
    }
    let given = |name: &&str| guest.attributes.get(*name).is_some_and(|v| !v.is_empty());
    match ATTRIBUTES.iter().find(|name| !given(name)) {
        Some(missing) => {
            let reason = format!("must hold '{missing}': this platform knows a guest by it");
            Err(wrong(GUEST_ATTRIBUTES, &reason))
        }
        None => Ok(()),
    }
}

fn wrong(key: &'static str, reason: &str) -> SettingsError {
    let reason = reason.to_owned();
    SettingsError::Setting { key, reason }
}

fn token(settings: &Settings) -> Result<TokenDefaults, SettingsError> {
    Ok(TokenDefaults {
        url: below(&base(&settings.endpoint)?, ["oauth", "token"]),
        placement: CredentialPlacement::Basic,
        refresh_before: None,
    })
}

/// The endpoint as the base of addresses, checked.
fn base(endpoint: &Url) -> Result<Url, SettingsError> {
    if !matches!(endpoint.scheme(), "http" | "https") {
        return Err(refused(endpoint, "the scheme is neither https nor http"));
    }
    if !endpoint.username().is_empty() || endpoint.password().is_some() {
        let reason = "credentials do not belong into an address";
        return Err(refused(endpoint, reason));
    }
    let mut base = endpoint.clone();
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

/// An address below `base`, whose own path is kept. Each part is one segment, whatever it holds.
fn below<'a>(base: &Url, parts: impl IntoIterator<Item = &'a str>) -> Url {
    let mut url = base.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(parts);
    }
    url
}
