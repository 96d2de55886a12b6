//! Platform dialects as data and pure functions. Adding a platform touches one folder and its name
//! in `registry!`; adding a profile touches one file, which the build finds in `profile/built_in`.

mod asking;
mod batch;
mod capabilities;
mod contract;
mod cxone_agent;
mod genesys_notifications;
mod genesys_web_messaging;
mod genesys_webchat;
mod outgoing;
mod profile;
mod settings;

use std::sync::Arc;
use std::time::Duration;

use url::Url;

pub use asking::{Found, LossWindow, Plan, Recovered, Recoverer, Step};
pub use batch::{
    Batch, Confirms, Control, NumberRange, Opaque, ProviderEvent, Resume, Snapshot, Span, Tracked,
    Transport, Unreadable,
};
pub use capabilities::{COVERAGE_MARK, Capabilities, Identity, Numbering, READ_BUFFER};
pub use contract::{
    Call, Condition, Connector, Family, Handshake, Keep, Link, Opening, Setup, Silent, Verdict,
};
pub use outgoing::{Content, Dispatch, Outgoing, Receipt, Seen, SendOutcome, Sending, Unsendable};
pub use profile::{
    AdherenceForm, AdherenceState, AgentStateForm, Availability, BatchShape, BoundedInterval,
    CatchUpShape, Confirmation, ConversationForm, CredentialPlace, CredentialShape, Direction,
    ErrorShape, EventShape, FormRule, FrameMeaning, FrameRule, HeartbeatShape, Intervals, JsonType,
    LongPollShape, Media, NumberedTime, NumberingShape, Phase, Profile, ProfileMistake,
    QueueStatisticsForm, Step as ProfileStep, Target, Template, TokenShape, WebSocketShape,
};
pub use settings::{
    AgentSettings, GUEST_ATTRIBUTES, GuestSettings, HeartbeatSettings, Redundancy, Selector,
    Settings, Station, TopicSetting,
};

use crate::auth::CredentialPlacement;

/// How a platform gives tokens, where the configuration does not say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenDefaults {
    /// The token endpoint.
    pub url: Url,
    /// Where client id and secret stand in the request.
    pub placement: CredentialPlacement,
    /// How long before its expiry a token is refreshed, where the platform says so (U21).
    pub refresh_before: Option<Duration>,
}

/// Which keys of a session mean something to a platform, besides those that every platform has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Keys {
    /// `channels`.
    pub channels: bool,
    /// `topics`.
    pub topics: bool,
    /// `agent`.
    pub agent: bool,
    /// `redundancy: 2`.
    pub redundancy: bool,
    /// `profile`.
    pub profile: bool,
    /// `timing.heartbeat`.
    pub heartbeat: bool,
    /// `transport: websocket`.
    pub websocket: bool,
    /// `transport: long_poll`.
    pub long_poll: bool,
    /// `alternative_endpoints`: the same subscription can be had, and its position used, elsewhere.
    pub alternative_endpoints: bool,
    /// Sessions are a guest's: made by `CreateSession` from a template, never configured.
    pub guest: bool,
    /// A guest needs no credential but a token that is made up: `auth.grant: guest_session`.
    pub guest_token: bool,
    /// `deployment_id`.
    pub deployment: bool,
    /// Whether what is kept between connections opens them to whoever reads it: then it belongs
    /// sealed.
    pub keeps_credential: bool,
}

/// Settings that no connector can be made of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// No platform has this name.
    #[error("platform '{platform}' is not known; known are {known}")]
    UnknownPlatform {
        /// The name given.
        platform: String,
        /// The names there are.
        known: String,
    },
    /// The endpoint cannot be the base of an address.
    #[error("endpoint '{endpoint}' cannot be used: {reason}")]
    Endpoint {
        /// The endpoint given.
        endpoint: String,
        /// Why not.
        reason: String,
    },
    /// Nothing to subscribe to.
    #[error("no channels to subscribe to")]
    NoChannels,
    /// A topic that cannot be meant.
    #[error("topic '{topic}': {reason}")]
    Topic {
        /// As it was given.
        topic: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A setting that this platform needs, or does not have.
    #[error("{key} {reason}")]
    Setting {
        /// Its key in the session.
        key: &'static str,
        /// What is wrong, such as "is missing: an agent session needs the agent's id".
        reason: String,
    },
    /// The profile itself is wrong.
    #[error("profile '{profile}': {reason}")]
    Profile {
        /// Its name.
        profile: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// What settings make.
#[derive(Debug)]
pub enum Built {
    /// One connector for each channel that stands side by side, most often one.
    Ready(Vec<Arc<dyn Connector>>),
    /// What to subscribe to must be found out first, and again now and then.
    Planned(Box<dyn Plan>),
}

/// What a connector module gives to the registry.
struct Entry {
    platforms: fn() -> Vec<&'static str>,
    build: fn(&Settings) -> Result<Built, SettingsError>,
    token: fn(&Settings) -> Result<TokenDefaults, SettingsError>,
    domains: fn(&Settings) -> Result<Vec<String>, SettingsError>,
    keys: fn(&Settings) -> Result<Keys, SettingsError>,
}

macro_rules! registry {
    ($($module:ident),+ $(,)?) => {
        const REGISTRY: &[Entry] = &[$($module::ENTRY),+];
    };
}

registry! { profile, genesys_notifications, genesys_web_messaging, genesys_webchat, cxone_agent }

/// Every platform that `sessions[].platform` may name.
#[must_use]
pub fn platforms() -> Vec<&'static str> {
    REGISTRY.iter().flat_map(|e| (e.platforms)()).collect()
}

/// Makes the connectors of a session, or the plan that leads to them.
///
/// # Errors
/// [`SettingsError`] says which setting is wrong.
pub fn build(settings: &Settings) -> Result<Built, SettingsError> {
    (entry(&settings.platform)?.build)(settings)
}

/// How the platform gives tokens at the endpoint.
///
/// # Errors
/// When there is no such platform, or the endpoint cannot be used.
pub fn token_defaults(settings: &Settings) -> Result<TokenDefaults, SettingsError> {
    (entry(&settings.platform)?.token)(settings)
}

/// The platform's own domains, which server-given addresses may point to (U42) where it is reached at
/// the endpoint.
///
/// # Errors
/// When there is no such platform, or the endpoint cannot be used.
pub fn platform_domains(settings: &Settings) -> Result<Vec<String>, SettingsError> {
    (entry(&settings.platform)?.domains)(settings)
}

/// Which keys of a session mean something to the platform.
///
/// # Errors
/// When there is no such platform, or what describes it is missing.
pub fn keys(settings: &Settings) -> Result<Keys, SettingsError> {
    (entry(&settings.platform)?.keys)(settings)
}

/// The heartbeat that the session keeps, where the platform wants one.
#[must_use]
pub fn heartbeat(settings: &Settings) -> Option<HeartbeatShape> {
    profile::heartbeat(settings)
}

/// The profile of a platform that is built in.
#[must_use]
pub fn built_in_profile(platform: &str) -> Option<Profile> {
    profile::built_in(platform)
}

fn entry(platform: &str) -> Result<&'static Entry, SettingsError> {
    let known = || SettingsError::UnknownPlatform {
        platform: platform.to_owned(),
        known: platforms().join(", "),
    };
    let mut entries = REGISTRY.iter();
    let found = entries.find(|e| (e.platforms)().contains(&platform));
    found.ok_or_else(known)
}
