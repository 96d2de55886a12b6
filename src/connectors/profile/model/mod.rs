//! [`Profile`]: the declarative dialect. Paths, templates, pointers and tables; every key says what
//! it takes, for the schema of the configuration is made of this.

mod event;
mod forms;
mod heartbeat;
mod template;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::auth::CredentialPlacement;
use crate::runtime::HumanDuration;

pub use event::{BatchShape, ErrorShape, EventShape, FrameMeaning, FrameRule, NumberedTime};
pub use forms::{
    AdherenceForm, AdherenceState, AgentStateForm, Availability, ConversationForm, Direction,
    FormRule, Media, Phase, QueueStatisticsForm,
};
pub use heartbeat::{HeartbeatShape, Intervals, JsonType};
pub use template::Template;

/// A platform's dialect as data, run by the generic connector. A JSON pointer (RFC 6901, such as
/// `/data/agentId`) says where in a frame something stands; a placeholder (`{channels}`) says what a
/// template is filled with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The platform's own domains; addresses below them may be used besides the endpoint's host.
    #[serde(default)]
    pub domains: Vec<String>,
    /// Ports of the endpoint's host that may be used besides the endpoint's own.
    #[serde(default)]
    pub ports: Vec<u16>,
    /// How access tokens are asked for.
    pub token: TokenShape,
    /// Where the access token stands in a request; `Authorization: Bearer` where not given.
    #[serde(default)]
    pub credential: CredentialShape,
    /// A handshake without credentials that shows whether the network lets WebSockets through; the
    /// WebSocket's own handshake decides where not given.
    #[serde(default)]
    pub probe: Option<Target>,
    /// The WebSocket; not given where there is none.
    #[serde(default)]
    pub websocket: Option<WebSocketShape>,
    /// The long poll; not given where there is none.
    #[serde(default)]
    pub long_poll: Option<LongPollShape>,
    /// The request for numbers that are missing; only where events are numbered.
    #[serde(default)]
    pub catch_up: Option<CatchUpShape>,
    /// Path of a request that shows whether the platform is well, apart from its events.
    #[serde(default)]
    pub health: Option<String>,
    /// What the platform's numbers mean; not given where it numbers nothing.
    #[serde(default)]
    pub numbering: Option<NumberingShape>,
    /// How long a hole in the numbers may be mere disorder; 0s where not given, at most 10s.
    #[serde(default = "nothing")]
    pub loose_order: HumanDuration,
    /// Whether close codes 1000 and 1001 end the session instead of a reconnect.
    #[serde(default)]
    pub stop_on_clean_close: bool,
    /// Whether two connections of one subscription may stand side by side for a while; true where
    /// not given.
    #[serde(default = "yes")]
    pub overlap: bool,
    /// Whether the platform closes a connection when the token ends that it was opened with: then a
    /// renewed token opens its successor beside it, and nothing is missed.
    #[serde(default)]
    pub bound_to_token: bool,
    /// What comes, where a session cannot choose: then `channels` is not used, and loss is told of
    /// these names.
    #[serde(default)]
    pub topics: Vec<String>,
    /// Where in a batch its events stand; not given where frames are single events or arrays of
    /// them.
    #[serde(default)]
    pub batch: BatchShape,
    /// Where in an event its parts stand; of several forms the first whose type is there.
    pub events: Vec<EventShape>,
    /// Where in an error that comes as a frame or body its parts stand; of several forms the first
    /// whose status is there.
    #[serde(default)]
    pub errors: Vec<ErrorShape>,
    /// Frames that are no events, told by what stands in them; the first rule that fits counts.
    #[serde(default)]
    pub frames: Vec<FrameRule>,
    /// Which events take which normal form; what none names is `ccaas.unmapped.v1`.
    #[serde(default)]
    pub forms: Vec<FormRule>,
}

/// How access tokens are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenShape {
    /// Path of the token endpoint below the session's endpoint: `/oauth/token`.
    pub path: String,
    /// Where client id and secret stand in the token request.
    pub placement: CredentialPlacement,
    /// How long before its expiry a token is refreshed; the session's `token_refresh_before` where
    /// not given.
    #[serde(default)]
    pub refresh_before: Option<HumanDuration>,
}

/// Where the access token stands in a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CredentialShape {
    /// In a header, or in the query of the address.
    pub place: CredentialPlace,
    /// Name of the header or of the query's parameter; `authorization` or `access_token` where not
    /// given.
    pub name: Option<String>,
    /// What stands before the token in a header, with a space between; `Bearer` where not given,
    /// empty for nothing.
    pub scheme: Option<String>,
}

/// Where the access token stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CredentialPlace {
    /// In a header.
    #[default]
    Header,
    /// In the query: then the whole address is a secret.
    Query,
}

/// A path below the endpoint, with a query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Path below the endpoint, beginning with `/`.
    pub path: String,
    /// Query by name; fixed values.
    #[serde(default)]
    pub query: BTreeMap<String, String>,
}

/// The WebSocket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WebSocketShape {
    /// Path below the endpoint, beginning with `/`.
    pub path: String,
    /// Query by name; values may be `{channels}` (joined by commas), `{sequence}` and
    /// `{connection}`.
    #[serde(default)]
    pub query: BTreeMap<String, String>,
    /// The first frame; may hold `{channels}` (a list), `{sequence}`, `{connection}`, `{now}`. None
    /// is sent where not given.
    #[serde(default)]
    pub subscribe: Option<Template>,
    /// What shows that the subscription stands; `frame` where not given.
    #[serde(default)]
    pub confirmed_by: Confirmation,
    /// The heartbeat that the platform wants besides WebSocket pings.
    #[serde(default)]
    pub heartbeat: Option<HeartbeatShape>,
}

/// What shows that a subscription over WebSocket stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Confirmation {
    /// The first batch (even an empty one), event or frame that means `confirmation`: it must come
    /// within 10s.
    #[default]
    Frame,
    /// The answer to a ping that is sent behind the first frame: for platforms that say nothing
    /// until something happens.
    Pong,
}

/// The long poll.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LongPollShape {
    /// `GET` or `POST`.
    pub method: String,
    /// Path below the endpoint, beginning with `/`.
    pub path: String,
    /// Query by name; values may be `{channels}` (joined by commas) and `{sequence}`.
    #[serde(default)]
    pub query: BTreeMap<String, String>,
    /// The body, sent as JSON; may hold `{channels}` (a list) and `{sequence}`. None where not given.
    #[serde(default)]
    pub body: Option<Template>,
}

/// The request for a range of numbers that are missing; it is answered like a poll.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CatchUpShape {
    /// Path below the endpoint, beginning with `/`; asked for with `GET`.
    pub path: String,
    /// Query by name; values may be `{after}` (the number before the first that is missing),
    /// `{through}` (the last that is missing) and `{channels}` (joined by commas).
    pub query: BTreeMap<String, String>,
    /// Statuses that say the range is gone for good; 404 and 410 where not given.
    #[serde(default = "gone")]
    pub gone: Vec<u16>,
}

/// What the platform's numbers mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NumberingShape {
    /// Whether each number is used once, without holes: then a hole is a loss.
    pub dense: bool,
    /// Whether a batch's number is the cursor, so that an empty batch may advance it.
    pub batch_is_cursor: bool,
}

impl Default for CredentialShape {
    fn default() -> Self {
        Self {
            place: CredentialPlace::Header,
            name: None,
            scheme: None,
        }
    }
}

impl CredentialShape {
    /// The header's or parameter's name.
    #[must_use]
    pub fn name(&self) -> &str {
        match (&self.name, self.place) {
            (Some(name), _) => name,
            (None, CredentialPlace::Header) => "authorization",
            (None, CredentialPlace::Query) => "access_token",
        }
    }

    /// What stands before the token in a header, with its space.
    #[must_use]
    pub fn prefix(&self) -> String {
        match self.scheme.as_deref() {
            None => "Bearer ".to_owned(),
            Some("") => String::new(),
            Some(scheme) => format!("{scheme} "),
        }
    }
}

const fn nothing() -> HumanDuration {
    HumanDuration::from_secs(0)
}

const fn yes() -> bool {
    true
}

fn gone() -> Vec<u16> {
    vec![404, 410]
}
