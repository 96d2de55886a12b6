//! The declarative profile: paths, templates, pointers and tables that make a dialect.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::auth::CredentialPlacement;

/// A dialect as data. One file each; a vendor's own needs no Rust.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Profile {
    /// The registry name.
    pub(super) name: String,
    /// The platform's own domains.
    #[serde(default)]
    pub(super) domains: Vec<String>,
    pub(super) token: TokenShape,
    /// The handshake without credentials; none where the WebSocket's own is good enough.
    #[serde(default)]
    pub(super) probe: Option<Target>,
    #[serde(default)]
    pub(super) websocket: Option<WebSocketShape>,
    #[serde(default)]
    pub(super) long_poll: Option<LongPollShape>,
    #[serde(default)]
    pub(super) catch_up: Option<CatchUpShape>,
    /// Path of the health request.
    #[serde(default)]
    pub(super) health: Option<String>,
    /// What the numbers mean; none where there are none.
    #[serde(default)]
    pub(super) numbering: Option<NumberingShape>,
    /// How long a hole may be mere disorder, in milliseconds.
    #[serde(default)]
    pub(super) loose_order_ms: u64,
    /// Whether close codes 1000 and 1001 end the session.
    #[serde(default)]
    pub(super) stop_on_clean_close: bool,
    pub(super) batch: BatchShape,
    pub(super) event: EventShape,
    #[serde(default)]
    pub(super) error: Option<ErrorShape>,
    #[serde(default)]
    pub(super) forms: Vec<FormRule>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenShape {
    pub(super) path: String,
    pub(super) placement: CredentialPlacement,
    #[serde(default)]
    pub(super) refresh_before_s: Option<u64>,
}

/// A path below the endpoint, with a query whose values may hold `{placeholders}`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Target {
    pub(super) path: String,
    #[serde(default)]
    pub(super) query: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WebSocketShape {
    pub(super) path: String,
    /// The first frame; a string that is a placeholder becomes its value.
    pub(super) subscribe: serde_json::Value,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LongPollShape {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) body: serde_json::Value,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CatchUpShape {
    pub(super) path: String,
    pub(super) query: BTreeMap<String, String>,
    /// Statuses that say the range is gone for good.
    pub(super) gone: Vec<u16>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NumberingShape {
    pub(super) dense: bool,
    pub(super) batch_is_cursor: bool,
}

/// Pointers into a batch.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BatchShape {
    pub(super) number: String,
    pub(super) events: String,
}

/// Pointers into an event. `number`, `time` and `id` may be missing from an event, `type` not.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EventShape {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) number: String,
    pub(super) time: String,
    pub(super) id: String,
}

/// Pointers into an error that comes as a frame.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ErrorShape {
    pub(super) status: String,
    pub(super) message: String,
}

/// Which provider events take which normal form.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct FormRule {
    /// The platform's name of the event.
    pub(super) event: String,
    #[serde(flatten)]
    pub(super) form: Form,
}

/// A normal form: pointers into the event, and tables from the platform's words to ours.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "form", rename_all = "snake_case")]
pub(super) enum Form {
    /// `ccaas.agent.state_changed.v1`.
    AgentState {
        agent_id: String,
        state: String,
        reason: String,
        since: String,
        availability: BTreeMap<String, Availability>,
    },
    /// `ccaas.queue.statistics.v1`; `metrics` is an object of name to number.
    QueueStatistics {
        queue_id: String,
        media: String,
        metrics: String,
        media_names: BTreeMap<String, Media>,
    },
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Availability {
    Offline,
    Away,
    Available,
    Busy,
    AfterContactWork,
    NotResponding,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Media {
    Voice,
    Callback,
    Chat,
    Email,
    Message,
    Social,
    Video,
    WorkItem,
}
