//! [`Settings`]: what a connector is made of.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::Profile;
use crate::domain::{SessionName, uuid};
use crate::runtime::Secret;

/// Below what proxies cut and below the client's own deadline (U9).
const HOLD: Duration = Duration::from_secs(25);

/// What a connector is made of.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The registry name.
    pub platform: String,
    /// The session's name; part of the events' `source`.
    pub session: SessionName,
    /// Base address.
    pub endpoint: Url,
    /// The host that names the events' `source`, where that is not the endpoint's: events of an
    /// alternative endpoint are still events of the first.
    pub source_host: Option<String>,
    /// What to subscribe to, for profiles.
    pub channels: Vec<String>,
    /// What to subscribe to, for platforms whose topics name things.
    pub topics: Vec<TopicSetting>,
    /// Connections that are to stand at once.
    pub redundancy: Redundancy,
    /// Which agent, for platforms whose sessions are an agent's.
    pub agent: Option<AgentSettings>,
    /// Whose session it is, on platforms whose sessions are a guest's.
    pub guest: Option<GuestSettings>,
    /// How long the platform may hold a poll, where it lets the client choose.
    pub hold: Duration,
    /// The dialect, where the platform is one that the configuration describes.
    pub profile: Option<Arc<Profile>>,
    /// How often heartbeats are sent, where the platform wants any.
    pub heartbeat: HeartbeatSettings,
    /// Hosts allowed besides the endpoint's own and the platform's.
    pub allowed_domains: Vec<String>,
    /// Allows `http` and `ws` beyond loopback.
    pub allow_plaintext: bool,
}

impl Settings {
    /// Settings with nothing to subscribe to yet.
    #[must_use]
    pub fn new(platform: &str, session: SessionName, endpoint: Url) -> Self {
        Self {
            platform: platform.to_owned(),
            session,
            endpoint,
            source_host: None,
            channels: Vec::new(),
            topics: Vec::new(),
            redundancy: Redundancy::Single,
            agent: None,
            guest: None,
            hold: HOLD,
            profile: None,
            heartbeat: HeartbeatSettings::default(),
            allowed_domains: Vec::new(),
            allow_plaintext: false,
        }
    }
}

/// How often heartbeats are sent, by how the session fares; what is not given is the platform's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HeartbeatSettings {
    /// While all is well.
    pub stable: Option<Duration>,
    /// While round trips are slow or too many are lost.
    pub degraded: Option<Duration>,
    /// After a connection broke, until one is confirmed.
    pub reconnecting: Option<Duration>,
}

/// A topic, or a family of topics with what to put in the place of `{id}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSetting {
    /// In the platform's words, such as `v2.users.{id}.presence`, combined or not.
    pub template: String,
    /// What `{id}` stands for; `None` where the template has none.
    pub ids: Option<Selector>,
}

/// What the `{id}` of a family stands for. Names are looked up; what looks like an id is taken for
/// one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// These.
    Named(Vec<String>),
    /// Everything of that kind that the platform lists.
    All,
    /// Every user that is a member of these queues.
    UsersOfQueues(Vec<String>),
}

/// How many connections are to stand at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Redundancy {
    /// One.
    #[default]
    Single,
    /// Two that overlap, so that one of them may break without a gap.
    Double,
}

/// Which agent's session to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentSettings {
    /// Joins the session that this agent has open.
    Join {
        /// The agent's id.
        agent_id: String,
    },
    /// Starts a session of the user that the credential belongs to, with this phone.
    Start {
        /// A station's id, or else a phone number.
        station: Station,
    },
}

/// Where a started agent session takes calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Station {
    /// A station of the platform.
    Id(String),
    /// A phone number.
    Phone(String),
}

/// The key of [`super::SettingsError::Setting`] for what is wrong with a guest's attributes, as
/// `CreateSession` names them.
pub const GUEST_ATTRIBUTES: &str = "guest_attributes";

/// Whose session it is, where sessions are a guest's (guest messaging).
#[derive(Debug, Clone)]
pub struct GuestSettings {
    /// The UUID that is the guest's session, made by us: who knows it can go on with the session.
    pub token: Secret<String>,
    /// Shown to the agent, such as name and e-mail of the guest. Personal data.
    pub attributes: BTreeMap<String, String>,
    /// Which deployment of the platform the guest comes to, where the platform has them.
    pub deployment_id: Option<String>,
    /// The `Origin` that the deployment allows; that of the endpoint where it is not given.
    pub origin: Option<String>,
    /// Where the platform's REST is, where that does not follow from the endpoint.
    pub rest_endpoint: Option<Url>,
}

impl GuestSettings {
    /// A guest that nobody is, known by all that any platform asks for: to check what guests are made
    /// of before there is one.
    #[must_use]
    pub fn nobody() -> Self {
        let known = ["email", "firstName", "lastName"].map(|key| (key.to_owned(), key.to_owned()));
        Self {
            token: Secret::new(uuid(0)),
            attributes: known.into(),
            deployment_id: None,
            origin: None,
            rest_endpoint: None,
        }
    }
}
