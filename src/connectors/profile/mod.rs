//! The generic connector: runs a declarative profile. A built-in profile is one data file beside
//! this one and its name in `BUILT_IN`.

mod model;
mod normalize;
mod pointers;
mod protocol;
mod template;
mod wire;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::{Built, Entry, Keys, Settings, SettingsError, TokenDefaults};
use model::Profile;
use protocol::ProfileConnector;

const BUILT_IN: &[(&str, &str)] = &[("genesys-events", include_str!("genesys_events.json"))];

/// What the registry knows of profiles.
pub(super) const ENTRY: Entry = Entry {
    platforms: || BUILT_IN.iter().map(|(name, _)| *name).collect(),
    build,
    token,
    domains: |name, _| Ok(load(name)?.1.domains),
    keys: |name| {
        let (_, profile) = load(name)?;
        Ok(Keys {
            channels: true,
            websocket: profile.websocket.is_some(),
            long_poll: profile.long_poll.is_some(),
            ..Keys::default()
        })
    },
};

fn load(name: &str) -> Result<(&'static str, Profile), SettingsError> {
    let wrong = |reason: String| SettingsError::Profile {
        profile: name.to_owned(),
        reason,
    };
    let (known, text) = BUILT_IN
        .iter()
        .find(|(known, _)| *known == name)
        .ok_or_else(|| wrong("there is none of this name".to_owned()))?;
    let profile: Profile = serde_json::from_str(text).map_err(|e| wrong(e.to_string()))?;
    if profile.name == name {
        Ok((known, profile))
    } else {
        Err(wrong(format!("calls itself '{}'", profile.name)))
    }
}

fn build(settings: &Settings) -> Result<Built, SettingsError> {
    if settings.channels.is_empty() {
        return Err(SettingsError::NoChannels);
    }
    let (name, profile) = load(&settings.platform)?;
    let base = base(&settings.endpoint)?;
    let connector = ProfileConnector::new(name, profile, base, settings)?;
    Ok(Built::Ready(vec![Arc::new(connector)]))
}

fn token(name: &str, endpoint: &Url) -> Result<TokenDefaults, SettingsError> {
    let (_, profile) = load(name)?;
    Ok(TokenDefaults {
        url: template::below(&base(endpoint)?, &profile.token.path),
        placement: profile.token.placement,
        refresh_before: profile.token.refresh_before_s.map(Duration::from_secs),
    })
}

/// The endpoint as the base of requests: `ws` and `wss` are taken for what they are made of.
fn base(endpoint: &Url) -> Result<Url, SettingsError> {
    let refused = |reason: &str| SettingsError::Endpoint {
        // Not all of it: it may hold a password.
        endpoint: format!(
            "{}://{}",
            endpoint.scheme(),
            endpoint.host_str().unwrap_or_default()
        ),
        reason: reason.to_owned(),
    };
    let mut base = endpoint.clone();
    let scheme = match endpoint.scheme() {
        "http" | "ws" => "http",
        "https" | "wss" => "https",
        _ => return Err(refused("the scheme is none of http, https, ws, wss")),
    };
    if endpoint.host_str().is_none() {
        return Err(refused("it has no host"));
    }
    if !endpoint.username().is_empty() || endpoint.password().is_some() {
        return Err(refused("credentials do not belong into an address"));
    }
    base.set_scheme(scheme)
        .map_err(|()| refused("the scheme cannot be changed"))?;
    Ok(base)
}
