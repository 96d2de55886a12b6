//! [`Overview`]: looks at sessions, journals and subscribers when it is asked, at most twice a second
//! however many ask.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::value::RawValue;

use super::model::{
    Attention, Distribution, JournalStatus, LossStatus, ProcessStatus, SessionStatus, Status,
    SubscriberStatus, TransitionStatus,
};
use super::{LastReload, SCHEMA};
use crate::domain::{JournalName, SessionName, SubscriptionName, WallTime};
use crate::feed::{Feed, Health, Info, Registry, StateName, SubscriberFacts};
use crate::proto::v1;
use crate::runtime::{Clock, Drain, MonoTime, Readiness, ReloadStatus};
use crate::session::{Loss, MOST_TRANSITIONS, Post, SessionBoard, Transition};
use crate::telemetry::stats;

/// A look is as good as new for so long.
const FRESH: Duration = Duration::from_millis(500);
/// Transitions of each session in the document.
const FEW_TRANSITIONS: usize = 5;
/// A reader that is further behind is one to look at.
const FAR_BEHIND: u64 = 10_000;

/// How long appends, syncs and deliveries of a journal take, from whoever measures them.
pub trait Latencies: Send + Sync + fmt::Debug {
    /// Those of one journal.
    fn of(&self, journal: &JournalName) -> Vec<Distribution>;
}

/// What an overview looks at.
#[derive(Debug)]
pub struct OverviewParts {
    /// The journals. They share one [`Registry`].
    pub feeds: Vec<Feed>,
    /// The sessions.
    pub sessions: SessionBoard,
    /// How long things take; none where nobody measures.
    pub latencies: Option<Box<dyn Latencies>>,
    /// What `/readyz` answers.
    pub readiness: Readiness,
    /// Told when the process is about to end.
    pub announce: Drain,
    /// Which configuration counts.
    pub reload: ReloadStatus,
    /// Whether the live tail may show payloads.
    pub tail_payloads: bool,
    /// Time.
    pub clock: Clock,
}

/// Makes [`Status`]. Clones share it.
#[derive(Debug, Clone)]
pub struct Overview(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    parts: OverviewParts,
    started: (WallTime, MonoTime),
    looks: Mutex<Looks>,
}

#[derive(Debug, Default)]
struct Looks {
    latest: Option<(MonoTime, Arc<Look>)>,
    counts: HashMap<String, Count>,
}

/// One status, and its encoding.
#[derive(Debug)]
pub(in crate::admin) struct Look {
    pub(in crate::admin) status: Status,
    pub(in crate::admin) json: Box<RawValue>,
}

/// A count at one look, and what it came to each second since the one before.
#[derive(Debug, Clone, Copy)]
struct Count {
    at: MonoTime,
    count: u64,
    rate: f64,
}

impl Overview {
    /// Nothing is looked at yet.
    #[must_use]
    pub fn new(parts: OverviewParts) -> Self {
        let started = (parts.clock.wall(), parts.clock.now());
        Self(Arc::new(Inner {
            parts,
            started,
            looks: Mutex::default(),
        }))
    }

    pub(in crate::admin) fn feeds(&self) -> &[Feed] {
        &self.0.parts.feeds
    }

    /// How things are, give or take half a second.
    pub(in crate::admin) fn look(&self) -> Arc<Look> {
        let now = self.0.parts.clock.now();
        let mut looks = self.0.looks.lock();
        if let Some((at, look)) = &looks.latest
            && now.saturating_duration_since(*at) < FRESH
        {
            return Arc::clone(look);
        }
        let status = self.0.status(now, &mut looks.counts);
        let json = serde_json::value::to_raw_value(&status).unwrap_or_default();
        let look = Arc::new(Look { status, json });
        looks.latest = Some((now, Arc::clone(&look)));
        look
    }

    /// One session with all transitions that are kept.
    pub(in crate::admin) fn session(&self, name: &str) -> Option<SessionStatus> {
        let name = SessionName::new(name).ok()?;
        let post = self.0.parts.sessions.posts().get(&name).cloned()?;
        Some(session(&name, &post, 0.0, MOST_TRANSITIONS))
    }
}

impl Inner {
    fn status(&self, now: MonoTime, counts: &mut HashMap<String, Count>) -> Status {
        let parts = &self.parts;
        let wall = parts.clock.wall();
        let mut kept = HashMap::with_capacity(counts.len());
        let mut rate = |key: String, count: u64| {
            let next = next_count(counts.get(&key).copied(), now, count);
            kept.insert(key, next);
            next.rate
        };
        let posts = parts.sessions.posts();
        let sessions: Vec<_> = posts
            .iter()
            .map(|(name, post)| {
                let events = post.owner.stats.snapshot().events;
                session(name, post, rate(name.resource(), events), FEW_TRANSITIONS)
            })
            .collect();
        let infos: Vec<Info> = parts.feeds.iter().map(Feed::info).collect();
        let journals: Vec<_> = infos
            .iter()
            .map(|info| {
                let latencies = parts.latencies.as_ref();
                let latencies = latencies.map_or_else(Vec::new, |all| all.of(&info.name));
                journal(
                    info,
                    rate(info.name.resource(), info.latest.get()),
                    latencies,
                )
            })
            .collect();
        let registry = parts.feeds.first().map(Feed::registry);
        let subscribers = registry.map_or_else(Vec::new, Registry::subscribers);
        let subscribers: Vec<_> = subscribers
            .iter()
            .map(|facts| subscriber(facts, &infos, wall, now))
            .collect();
        *counts = kept;
        let process = self.process(now);
        Status {
            schema: SCHEMA.to_owned(),
            time: wall.to_string(),
            attention: attention(&process, &sessions, &journals, &subscribers),
            process,
            sessions,
            journals,
            subscribers,
        }
    }

    fn process(&self, now: MonoTime) -> ProcessStatus {
        let configuration = self.parts.reload.state();
        ProcessStatus {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            start_time: self.started.0.to_string(),
            uptime_seconds: now.saturating_duration_since(self.started.1).as_secs(),
            reload: configuration.last.as_ref().map(LastReload::of),
            config_hash: configuration.config_hash,
            draining: self.parts.announce.is_draining(),
            telemetry: stats().outcomes.told(),
            not_ready: self.parts.readiness.pending(),
            tail_payloads: self.parts.tail_payloads,
            insecure: self.parts.readiness.remarked().map(str::to_owned),
        }
    }
}

fn next_count(before: Option<Count>, now: MonoTime, count: u64) -> Count {
    let rate = before.map_or(0.0, |before| {
        let seconds = now.saturating_duration_since(before.at).as_secs_f64();
        match count.checked_sub(before.count) {
            Some(more) if seconds > 0.0 => {
                #[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
                let more = more as f64;
                (more / seconds * 10.0).round() / 10.0
            }
            _ => before.rate,
        }
    });
    Count {
        at: now,
        count,
        rate,
    }
}

fn attention(
    process: &ProcessStatus,
    sessions: &[SessionStatus],
    journals: &[JournalStatus],
    subscribers: &[SubscriberStatus],
) -> Vec<Attention> {
    let insecure = process.insecure.clone();
    let process = process.not_ready.iter().map(|pending| Attention {
        what: "process".to_owned(),
        why: format!("not ready: {pending}"),
        since: None,
    });
    let insecure = insecure.map(|insecure| Attention {
        what: "process".to_owned(),
        why: insecure,
        since: None,
    });
    let journals = journals.iter().filter(|j| !j.trouble.is_empty());
    let journals = journals.map(|journal| Attention {
        what: format!("journals/{}", journal.name),
        why: journal.trouble.clone(),
        since: None,
    });
    let mut unwell: Vec<_> = sessions.iter().filter(|s| s.state != "active").collect();
    unwell.sort_by_key(|session| badness(&session.state));
    let unwell = unwell.into_iter().map(|session| Attention {
        what: format!("sessions/{}", session.name),
        why: match session.reason.as_str() {
            "" => session.state.clone(),
            reason => format!("{}: {reason}", session.state),
        },
        since: Some(session.since.clone()),
    });
    let behind = subscribers
        .iter()
        .filter(|s| s.state == "blocked" || (s.state == "live" && s.lag > FAR_BEHIND));
    let behind = behind.map(|subscriber| Attention {
        what: format!("subscribers/{}", subscriber.id),
        why: format!("{}, {} events behind", subscriber.state, subscriber.lag),
        since: Some(subscriber.last_progress_time.clone()),
    });
    process
        .chain(insecure)
        .chain(journals)
        .chain(unwell)
        .chain(behind)
        .collect()
}

fn badness(state: &str) -> u8 {
    match state {
        "suspended" => 0,
        "reconnecting" => 1,
        "connecting" => 2,
        "degraded" => 3,
        _ => 4,
    }
}

fn session(name: &SessionName, post: &Post, rate: f64, transitions: usize) -> SessionStatus {
    let state = &post.state;
    let stats = post.owner.stats.snapshot();
    let (vitals, since) = post.detail.vitals();
    let transitions = post.detail.transitions(transitions);
    SessionStatus {
        name: name.to_string(),
        platform: state.provider.clone(),
        template: post.owner.template.as_ref().map(ToString::to_string),
        journal: state.journal.trim_start_matches("journals/").to_owned(),
        state: state.state().word().to_owned(),
        since: since.to_string(),
        reason: state.reason.clone(),
        transport: state.transport().word().to_owned(),
        phase: vitals.phase.to_owned(),
        failed_attempts: vitals.failed_attempts,
        next_attempt_time: vitals.next_attempt.map(|time| time.to_string()),
        token_expire_time: post.detail.token_expires().map(|time| time.to_string()),
        expire_time: time(state.expire_time.as_ref()),
        topics: state.topic_count,
        rejected_topics: vitals.rejected_topics,
        connect_time: time(state.connect_time.as_ref()),
        last_receive_time: time(state.last_receive_time.as_ref()),
        events: stats.events,
        events_per_second: rate,
        duplicates: stats.duplicates,
        reconnects: stats.reconnects,
        gaps_suspected: stats.gaps,
        gaps_closed: stats.gaps_closed,
        gaps_confirmed: stats.gaps_confirmed,
        backfilled: stats.backfilled,
        round_trip_ms: state.round_trip.as_ref().map(milliseconds),
        loss_ratio: state.loss_ratio,
        review_required: state.review_required,
        losses: vitals.losses.iter().map(loss).collect(),
        transitions: transitions.into_iter().map(transition).collect(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
fn milliseconds(duration: &prost_types::Duration) -> f64 {
    (duration.seconds as f64).mul_add(1e3, f64::from(duration.nanos) / 1e6)
}

fn time(time: Option<&prost_types::Timestamp>) -> Option<String> {
    WallTime::from_proto(time?).map(|time| time.to_string())
}

fn loss(loss: &Loss) -> LossStatus {
    let (first, last) = loss.numbers.unzip();
    LossStatus {
        outcome: loss.outcome.word().to_owned(),
        reason: loss.reason.to_string(),
        first_number: first,
        last_number: last,
        start_time: loss.start.to_string(),
        end_time: loss.end.to_string(),
    }
}

fn transition(transition: Transition) -> TransitionStatus {
    TransitionStatus {
        time: transition.time.to_string(),
        from: transition.from.word().to_owned(),
        to: transition.to.word().to_owned(),
        transport: transition.transport.word().to_owned(),
        cause: transition.cause,
    }
}

fn journal(info: &Info, rate: f64, latencies: Vec<Distribution>) -> JournalStatus {
    JournalStatus {
        name: info.name.to_string(),
        epoch: info.epoch.to_string(),
        earliest_sequence: info.earliest.get(),
        latest_sequence: info.latest.get(),
        earliest_time: info.earliest_time.map(|time| time.to_string()),
        latest_time: info.latest_time.map(|time| time.to_string()),
        size_bytes: info.size_bytes,
        max_bytes: info.max_bytes,
        max_age_seconds: info.max_age.map(|age| age.as_secs()),
        trouble: match &info.health {
            Health::Writable => String::new(),
            Health::NoSpace => "no space: appends are refused".to_owned(),
            Health::Poisoned { reason } => format!("read-only until restart: {reason}"),
        },
        events_per_second: rate,
        latencies,
    }
}

fn subscriber(
    facts: &SubscriberFacts,
    infos: &[Info],
    wall: WallTime,
    now: MonoTime,
) -> SubscriberStatus {
    let info = infos.iter().find(|info| info.name == facts.journal);
    let idle = now.saturating_duration_since(facts.last_progress);
    let state = match facts.state {
        _ if facts.blocked => "blocked",
        StateName::Replaying => "replaying",
        StateName::Live => "live",
        StateName::Closing => "closing",
    };
    let subscription = facts.subscription.as_ref().map(SubscriptionName::as_str);
    SubscriberStatus {
        id: facts.id,
        name: format!("{}/subscribers/{}", facts.journal.resource(), facts.id),
        journal: facts.journal.to_string(),
        client_id: facts.caller.client_id.clone(),
        peer: facts.caller.peer.clone(),
        subscription: subscription.unwrap_or_default().to_owned(),
        state: state.to_owned(),
        through_sequence: facts.through.get(),
        lag: info.map_or(facts.lag, |info| info.latest.since(facts.through)),
        filter: facts.caller.filter.as_ref().map(filter).unwrap_or_default(),
        connect_time: facts.connect_time.to_string(),
        last_progress_time: wall.minus(idle).to_string(),
        sent_events: facts.sent_events,
        sent_bytes: facts.sent_bytes,
    }
}

/// What a filter asks for, without the values that may name people.
fn filter(filter: &v1::EventFilter) -> String {
    let lists = [
        ("types", filter.types.len()),
        ("subjects", filter.subjects.len()),
        ("ordering keys", filter.ordering_keys.len()),
        ("sessions", filter.sessions.len()),
        ("excluded types", filter.excluded_types.len()),
        ("provider types", filter.provider_types.len()),
        ("expression", usize::from(!filter.expression.is_empty())),
    ];
    let given = lists.into_iter().filter(|(_, count)| *count > 0);
    let words: Vec<_> = given
        .map(|(name, count)| format!("{count} {name}"))
        .collect();
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_what_came_since_the_last_look() {
        let then = MonoTime::now();
        let first = next_count(None, then, 100);
        assert_eq!(first.rate.to_bits(), 0.0_f64.to_bits());
        let second = next_count(Some(first), then + Duration::from_secs(2), 150);
        assert!((second.rate - 25.0).abs() < 1e-9, "{}", second.rate);
        let restarted = next_count(Some(second), then + Duration::from_secs(3), 10);
        assert!(
            (restarted.rate - 25.0).abs() < 1e-9,
            "a count that fell says nothing"
        );
    }

    #[test]
    fn what_is_worst_is_named_first() {
        let named = |name: &str, state: &str| SessionStatus {
            name: name.to_owned(),
            state: state.to_owned(),
            ..SessionStatus::default()
        };
        let sessions = [
            named("a", "active"),
            named("b", "degraded"),
            named("c", "suspended"),
        ];
        let found = attention(&ProcessStatus::default(), &sessions, &[], &[]);
        let found: Vec<_> = found.iter().map(|a| a.what.as_str()).collect();
        assert_eq!(found, ["sessions/c", "sessions/b"]);
    }
}
