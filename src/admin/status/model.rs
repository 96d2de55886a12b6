//! The document itself. Times are RFC 3339 in UTC, states are words.

use serde::{Deserialize, Serialize};

use super::LastReload;

/// Everything, as of one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// [`super::SCHEMA`].
    pub schema: String,
    /// When it was made.
    pub time: String,
    /// The process.
    pub process: ProcessStatus,
    /// What somebody should look at, worst first. Empty when all is well.
    pub attention: Vec<Attention>,
    /// Sessions, by name.
    pub sessions: Vec<SessionStatus>,
    /// Journals, by name.
    pub journals: Vec<JournalStatus>,
    /// Open streams, oldest first.
    pub subscribers: Vec<SubscriberStatus>,
}

/// The process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessStatus {
    /// Of the binary.
    pub version: String,
    /// When it started.
    pub start_time: String,
    /// How long ago that was.
    pub uptime_seconds: u64,
    /// Tells the configuration that was applied last from others.
    pub config_hash: String,
    /// How the last reload ended; none where there was none.
    pub reload: Option<LastReload>,
    /// Whether it is about to end.
    pub draining: bool,
    /// Where traces and metrics go, and how that went last; none where they go nowhere.
    pub telemetry: Option<String>,
    /// Why `/readyz` says no; empty when it says yes.
    pub not_ready: Vec<String>,
    /// Whether the live tail may show payloads.
    pub tail_payloads: bool,
    /// What was left insecure, in words; none where nothing was.
    #[serde(default)]
    pub insecure: Option<String>,
}

impl ProcessStatus {
    /// Whether it is ready, in words: "ready", "draining", or "not ready" with the reasons.
    #[must_use]
    pub fn readiness(&self) -> String {
        match (self.draining, self.not_ready.is_empty()) {
            (true, _) => "draining".to_owned(),
            (false, true) => "ready".to_owned(),
            (false, false) => format!("not ready: {}", self.not_ready.join(", ")),
        }
    }
}

/// Something that somebody should look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attention {
    /// What: `sessions/x`, `journals/y`, `subscribers/7`, `process`.
    pub what: String,
    /// Why.
    pub why: String,
    /// Since when, where that is known.
    pub since: Option<String>,
}

/// One session.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SessionStatus {
    /// Its name.
    pub name: String,
    /// Its platform.
    pub platform: String,
    /// What it was made of, where it is a guest's; then its counters are those of all of its template.
    pub template: Option<String>,
    /// The journal that it writes to.
    pub journal: String,
    /// `connecting`, `active`, `degraded`, `reconnecting`, `suspended` or `closed`.
    pub state: String,
    /// Since when.
    pub since: String,
    /// Why; empty where there is nothing to say.
    pub reason: String,
    /// `websocket`, `long_poll`, or empty while not connected.
    pub transport: String,
    /// What it does at this moment.
    pub phase: String,
    /// Attempts in a row that failed.
    pub failed_attempts: u32,
    /// When it tries again, while it waits.
    pub next_attempt_time: Option<String>,
    /// When its token expires.
    pub token_expire_time: Option<String>,
    /// When the platform ends the session by itself.
    pub expire_time: Option<String>,
    /// Topics that it subscribes to.
    pub topics: u32,
    /// Of these, those that the platform refused.
    pub rejected_topics: u32,
    /// When its connection was made.
    pub connect_time: Option<String>,
    /// When it last heard anything.
    pub last_receive_time: Option<String>,
    /// Events journaled since the start.
    pub events: u64,
    /// Events each second, over the time since the last look.
    pub events_per_second: f64,
    /// Repeated events dropped.
    pub duplicates: u64,
    /// Connections made after one was lost.
    pub reconnects: u64,
    /// Gaps suspected since the start.
    pub gaps_suspected: u64,
    /// Of these, those of which nothing is missing.
    pub gaps_closed: u64,
    /// Of these, those that stay.
    pub gaps_confirmed: u64,
    /// Events fetched later.
    pub backfilled: u64,
    /// Round trip of the path, in milliseconds, where it is measured.
    pub round_trip_ms: Option<f64>,
    /// Share of health requests without an answer.
    pub loss_ratio: f64,
    /// Whether a supervisor should look.
    pub review_required: bool,
    /// Latest gaps and loss windows, oldest first.
    pub losses: Vec<LossStatus>,
    /// Latest transitions, oldest first: 5 of them here, 200 at `/admin/v1/sessions/{name}`.
    pub transitions: Vec<TransitionStatus>,
}

/// A gap or loss window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LossStatus {
    /// `suspected`, `closed` or `confirmed`.
    pub outcome: String,
    /// Why.
    pub reason: String,
    /// The platform's own numbers, where it numbers.
    pub first_number: Option<u64>,
    /// Likewise.
    pub last_number: Option<u64>,
    /// The time that it is about.
    pub start_time: String,
    /// Likewise.
    pub end_time: String,
}

/// A change of what a session shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransitionStatus {
    /// When.
    pub time: String,
    /// The state before.
    pub from: String,
    /// The state since.
    pub to: String,
    /// What it receives by since.
    pub transport: String,
    /// Why; empty where nothing was said.
    pub cause: String,
}

/// One journal.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct JournalStatus {
    /// Its name.
    pub name: String,
    /// Its incarnation.
    pub epoch: String,
    /// First sequence that can be read.
    pub earliest_sequence: u64,
    /// Last durable sequence.
    pub latest_sequence: u64,
    /// When the earliest event was written.
    pub earliest_time: Option<String>,
    /// When the latest was.
    pub latest_time: Option<String>,
    /// Bytes on disk.
    pub size_bytes: u64,
    /// Retention by size; none where there is no bound.
    pub max_bytes: Option<u64>,
    /// Retention by age, in seconds.
    pub max_age_seconds: Option<u64>,
    /// Empty while it takes appends, else why not.
    pub trouble: String,
    /// Events each second, over the time since the last look.
    pub events_per_second: f64,
    /// How long things take.
    pub latencies: Vec<Distribution>,
}

/// How long something takes, by size.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    /// `append`, `sync` or `delivery`.
    pub name: String,
    /// How many were measured.
    pub count: u64,
    /// Half of them took no longer, in seconds.
    pub p50_seconds: Option<f64>,
    /// 99 of 100 took no longer, in seconds.
    pub p99_seconds: Option<f64>,
    /// Upper bounds in seconds, ascending; the last class has none.
    pub bounds_seconds: Vec<f64>,
    /// How many fell into each class; one more than there are bounds.
    pub counts: Vec<u64>,
}

/// One open stream.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriberStatus {
    /// Its number in this process.
    pub id: u64,
    /// Its name in the API.
    pub name: String,
    /// The journal that it reads.
    pub journal: String,
    /// What the caller calls itself.
    pub client_id: String,
    /// Where it connected from.
    pub peer: String,
    /// The managed cursor that it reads by; empty where it reads by none.
    pub subscription: String,
    /// `replaying`, `live`, `blocked` or `closing`.
    pub state: String,
    /// What lies behind it.
    pub through_sequence: u64,
    /// Durable events that do not.
    pub lag: u64,
    /// Its filter, as a few words; empty where it reads everything.
    pub filter: String,
    /// When it was opened.
    pub connect_time: String,
    /// When it was last sent anything.
    pub last_progress_time: String,
    /// Events sent.
    pub sent_events: u64,
    /// Bytes of events sent.
    pub sent_bytes: u64,
}
