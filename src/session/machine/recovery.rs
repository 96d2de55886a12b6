//! Asking REST about a loss window, and what becomes of live events meanwhile (U18).

use std::collections::HashSet;

use prost::Message;

use super::Machine;
use super::gaps::{Extent, Resolution};
use super::io::{Action, Actions, At, CallId};
use super::outcome::retry_after;
use super::state::limits;
use super::tokens::Purpose;
use crate::auth::AccessToken;
use crate::connectors::{LossWindow, ProviderEvent, Recovery, Verdict};
use crate::domain::Sequence;
use crate::journal::id_hash;
use crate::net::{HttpFailure, HttpResponse};
use crate::proto::v1;
use crate::runtime::MonoTime;

/// Live events held while a snapshot is fetched; beyond it they go on and the snapshot yields.
const MOST_HELD: usize = 10_000;
const MOST_HELD_BYTES: usize = 16 << 20;

/// A loss window that REST is asked about.
#[derive(Debug)]
pub(super) struct Recovering {
    key: String,
    window: LossWindow,
    gap: Sequence,
    how: Recovery,
    step: usize,
    pub(super) phase: Phase,
    failures: u32,
    live: LiveEvents,
}

#[derive(Debug)]
pub(super) enum Phase {
    Token,
    Asked(CallId),
    Later(MonoTime),
}

/// What becomes of live events while a snapshot is fetched.
#[derive(Debug)]
enum LiveEvents {
    Pass,
    Held {
        events: Vec<v1::Event>,
        bytes: usize,
    },
    /// Too many to hold: these keys moved on, and the snapshot's items of them are old.
    Moved(HashSet<String>),
}

impl Machine {
    /// Begins with the next window whose suspicion is durable.
    pub(super) fn recovery_next(&mut self, at: At, out: &mut Actions) {
        while self.coverage.recovery.is_none() && self.up.is_some() {
            let open = self.gaps.iter_mut().find_map(|gap| match &gap.extent {
                Extent::Window(window) if gap.resolution.is_none() => gap
                    .sequence
                    .map(|sequence| (gap.key.clone(), window.clone(), sequence)),
                _ => None,
            });
            let Some((key, window, gap)) = open else {
                return;
            };
            let how = self.connector.recovery(&window);
            let live = match how {
                Recovery::Snapshot { .. } => LiveEvents::Held {
                    events: Vec::new(),
                    bytes: 0,
                },
                Recovery::Nothing | Recovery::History { .. } => LiveEvents::Pass,
            };
            let recovering = Recovering {
                key,
                window,
                gap,
                how,
                step: 0,
                phase: Phase::Token,
                failures: 0,
                live,
            };
            if recovering.is_complete() {
                self.end_recovery(at, recovering);
            } else {
                self.coverage.recovery = Some(recovering);
                self.want_token(Purpose::Recovery, out);
            }
        }
    }

    pub(super) fn recovery_with(&mut self, at: At, token: &AccessToken, out: &mut Actions) {
        let Some(recovering) = &self.coverage.recovery else {
            return;
        };
        if !matches!(recovering.phase, Phase::Token) {
            return;
        }
        let call = self
            .connector
            .recovery_call(&recovering.window, recovering.step, token);
        let call = call.and_then(|call| self.call(call, limits::CALL_TIMEOUT, out));
        let Some(mut recovering) = self.coverage.recovery.take() else {
            return;
        };
        match call {
            Some(call) => {
                recovering.phase = Phase::Asked(call);
                self.coverage.recovery = Some(recovering);
            }
            None => {
                recovering.how = Recovery::Nothing;
                self.end_recovery(at, recovering);
                self.recovery_next(at, out);
            }
        }
    }

    pub(super) fn recovery_answered(
        &mut self,
        at: At,
        result: Result<HttpResponse, HttpFailure>,
        out: &mut Actions,
    ) {
        let Some(mut recovering) = self.coverage.recovery.take() else {
            return;
        };
        let read = match &result {
            Ok(answer) if answer.status.is_success() => {
                self.connector.read_recovery(recovering.step, answer).ok()
            }
            Ok(_) | Err(_) => None,
        };
        let pause = match (&read, &result) {
            (None, Ok(answer)) if self.verdict(answer.status) == Verdict::Throttled => {
                Some(self.spread(retry_after(&answer.headers, at.wall)))
            }
            (None, _) => Some(self.jittered(limits::CATCH_UP_PAUSE)),
            (Some(_), _) => None,
        };
        match read {
            Some(events) => {
                self.recovered(&recovering, events, at);
                recovering.step += 1;
                recovering.failures = 0;
            }
            None => recovering.failures += 1,
        }
        if recovering.failures >= limits::IN_A_ROW {
            recovering.how = Recovery::Nothing;
        }
        if recovering.is_complete() {
            self.end_recovery(at, recovering);
            self.recovery_next(at, out);
        } else if let Some(pause) = pause {
            recovering.phase = Phase::Later(at.now + pause);
            self.coverage.recovery = Some(recovering);
        } else {
            recovering.phase = Phase::Token;
            self.coverage.recovery = Some(recovering);
            self.want_token(Purpose::Recovery, out);
        }
    }

    /// Journals what a step brought. A snapshot never dedupes a live event.
    pub(super) fn recovered(
        &mut self,
        recovering: &Recovering,
        events: Vec<ProviderEvent>,
        at: At,
    ) {
        for event in events {
            let hash = event
                .id
                .as_ref()
                .map(|id| id_hash(self.connector.source(), id));
            let known = hash.is_some_and(|hash| self.ids.contains(hash));
            if known {
                self.stats.duplicate(1);
                continue;
            }
            let draft = self.snapshot_item(&event, recovering.gap);
            let moved = match &recovering.live {
                LiveEvents::Moved(keys) => keys.contains(&draft.ordering_key),
                LiveEvents::Pass | LiveEvents::Held { .. } => false,
            };
            if !moved {
                self.outbox.push(draft);
            }
            if let (Recovery::History { .. }, Some(hash)) = (recovering.how, hash) {
                self.ids.is_new(at.now, hash);
            }
        }
    }

    pub(super) fn end_recovery(&mut self, at: At, recovering: Recovering) {
        if let LiveEvents::Held { events, .. } = recovering.live {
            for event in events {
                self.outbox.push(event);
            }
        }
        let resolution = match recovering.how {
            Recovery::History { .. } => Resolution::Closed,
            Recovery::Snapshot { .. } => Resolution::Confirmed("SNAPSHOT".to_owned()),
            Recovery::Nothing => Resolution::Confirmed("NOT_RECOVERABLE".to_owned()),
        };
        if let Some(gap) = self.gaps.iter_mut().find(|g| g.key == recovering.key) {
            gap.resolution = Some(resolution);
        }
        self.settle_gaps(at);
    }

    /// The connection is gone: what is held goes on, and the window is asked about again later.
    pub(super) fn recovery_stop(&mut self, _at: At, out: &mut Actions) {
        let Some(recovering) = self.coverage.recovery.take() else {
            return;
        };
        if let Phase::Asked(call) = recovering.phase {
            out.push(Action::Cancel { call });
        }
        if let LiveEvents::Held { events, .. } = recovering.live {
            for event in events {
                self.outbox.push(event);
            }
        }
    }

    pub(super) fn recovery_later(&mut self, at: At) {
        let pause = self.jittered(limits::CATCH_UP_PAUSE);
        if let Some(recovering) = &mut self.coverage.recovery {
            recovering.phase = Phase::Later(at.now + pause);
        }
    }

    /// Journals a live event, or holds it while a snapshot is fetched.
    pub(super) fn deliver(&mut self, event: v1::Event) {
        let Some(recovering) = &mut self.coverage.recovery else {
            self.outbox.push(event);
            return;
        };
        match &mut recovering.live {
            LiveEvents::Pass => {}
            LiveEvents::Moved(keys) => {
                keys.insert(event.ordering_key.clone());
            }
            LiveEvents::Held { events, bytes } => {
                *bytes += event.encoded_len();
                events.push(event);
                if events.len() > MOST_HELD || *bytes > MOST_HELD_BYTES {
                    let events = std::mem::take(events);
                    let keys = events.iter().map(|e| e.ordering_key.clone()).collect();
                    recovering.live = LiveEvents::Moved(keys);
                    for event in events {
                        self.outbox.push(event);
                    }
                }
                return;
            }
        }
        self.outbox.push(event);
    }

    pub(super) fn recovery_call(&self) -> Option<CallId> {
        match self.coverage.recovery.as_ref()?.phase {
            Phase::Asked(call) => Some(call),
            Phase::Token | Phase::Later(_) => None,
        }
    }

    pub(super) fn recovery_due(&mut self, at: At, out: &mut Actions) {
        let Some(recovering) = &mut self.coverage.recovery else {
            return;
        };
        if let Phase::Later(when) = recovering.phase
            && when <= at.now
        {
            recovering.phase = Phase::Token;
            self.want_token(Purpose::Recovery, out);
        }
    }
}

impl Recovering {
    pub(super) fn is_complete(&self) -> bool {
        match self.how {
            Recovery::Nothing => true,
            Recovery::History { calls } | Recovery::Snapshot { calls } => self.step >= calls,
        }
    }
}
