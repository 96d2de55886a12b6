//! The generic connector: runs a declarative profile, built in or from the configuration. A profile
//! that is built in is one file in `built_in`, called as its platform is; the build finds it there.

mod check;
mod heart;
mod link;
mod model;
mod normalize;
mod pointers;
mod protocol;
mod template;
mod wire;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use url::Url;

use super::{Built, Entry, Keys, Settings, SettingsError, TokenDefaults};
use protocol::ProfileConnector;

pub use check::{BoundedInterval, ProfileMistake, Step};
pub use model::{
    AdherenceForm, AdherenceState, AgentStateForm, Availability, BatchShape, CatchUpShape,
    Confirmation, ConversationForm, CredentialPlace, CredentialShape, Direction, ErrorShape,
    EventShape, FormRule, FrameMeaning, FrameRule, HeartbeatShape, Intervals, JsonType,
    LongPollShape, Media, NumberedTime, NumberingShape, Phase, Profile, QueueStatisticsForm,
    Target, Template, TokenShape, WebSocketShape,
};

// `BUILT_IN`: name and text of each file in `built_in`.
include!(concat!(env!("OUT_DIR"), "/profiles.rs"));

/// The platform whose profile stands in the configuration.
pub(super) const CUSTOM: &str = "custom";

/// What the registry knows of profiles.
pub(super) const ENTRY: Entry = Entry {
    platforms: || {
        BUILT_IN
            .iter()
            .map(|(name, _)| *name)
            .chain([CUSTOM])
            .collect()
    },
    build,
    token,
    domains,
    keys: |settings| {
        let (name, profile) = load(settings)?;
        Ok(Keys {
            channels: profile.topics.is_empty(),
            alternative_endpoints: true,
            websocket: profile.websocket.is_some(),
            long_poll: profile.long_poll.is_some(),
            heartbeat: profile.websocket.is_some_and(|w| w.heartbeat.is_some()),
            profile: name == CUSTOM,
            ..Keys::default()
        })
    },
};

/// The profile of a platform that is built in.
#[must_use]
pub(super) fn built_in(platform: &str) -> Option<Profile> {
    let mut all = BUILT_IN.iter();
    let (_, text) = all.find(|(name, _)| *name == platform)?;
    // A test reads every one of them.
    serde_json::from_str(text).ok()
}

/// The heartbeat that a session keeps, where its platform wants one.
#[must_use]
pub(super) fn heartbeat(settings: &Settings) -> Option<HeartbeatShape> {
    let (_, profile) = load(settings).ok()?;
    let shape = profile.websocket?.heartbeat?;
    Some(shape.with(&settings.heartbeat))
}

/// The profile of a session, with the platform's name.
fn load(settings: &Settings) -> Result<(&'static str, Profile), SettingsError> {
    let platform = settings.platform.as_str();
    if platform == CUSTOM {
        let missing = || SettingsError::Setting {
            key: "profile",
            reason: "is missing: it describes the platform".to_owned(),
        };
        let profile = settings.profile.as_deref().cloned();
        return Ok((CUSTOM, profile.ok_or_else(missing)?));
    }
    let wrong = |reason: String| SettingsError::Profile {
        profile: platform.to_owned(),
        reason,
    };
    let mut all = BUILT_IN.iter();
    let found = all.find(|(name, _)| *name == platform);
    let (name, text) = found.ok_or_else(|| wrong("there is none of this name".to_owned()))?;
    let profile = serde_json::from_str(text).map_err(|e| wrong(e.to_string()))?;
    Ok((*name, profile))
}

fn build(settings: &Settings) -> Result<Built, SettingsError> {
    let (name, profile) = load(settings)?;
    match (profile.topics.is_empty(), settings.channels.is_empty()) {
        (true, true) => return Err(SettingsError::NoChannels),
        (false, false) => {
            return Err(SettingsError::Setting {
                key: "channels",
                reason: format!("is not used: {} comes whole", profile.topics.join(", ")),
            });
        }
        _ => {}
    }
    if let Some(mistake) = profile.mistakes().first() {
        return Err(SettingsError::Profile {
            profile: name.to_owned(),
            reason: mistake.to_string(),
        });
    }
    let base = base(&settings.endpoint)?;
    let connector = ProfileConnector::new(name, profile, base, settings)?;
    Ok(Built::Ready(vec![Arc::new(connector)]))
}

fn token(settings: &Settings) -> Result<TokenDefaults, SettingsError> {
    let (_, profile) = load(settings)?;
    Ok(TokenDefaults {
        url: template::below(&base(&settings.endpoint)?, &profile.token.path),
        placement: profile.token.placement,
        refresh_before: profile.token.refresh_before.map(|before| before.0),
    })
}

fn domains(settings: &Settings) -> Result<Vec<String>, SettingsError> {
    let (_, profile) = load(settings)?;
    let base = base(&settings.endpoint)?;
    let host = base.host_str().unwrap_or_default();
    let ports = profile.ports.iter().map(|port| format!("{host}:{port}"));
    Ok(profile.domains.into_iter().chain(ports).collect())
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
