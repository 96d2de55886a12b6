//! Asks REST about the loss windows of each family, one question at a time (U18).

use std::collections::HashSet;

use super::Machine;
use super::gaps::{Extent, Resolution};
use super::holding::{Held, LiveEvents, Waiting, key_of};
use super::io::{Action, Actions, At, CallId};
use super::outcome::retry_after;
use super::recoveries::{Phase, Recovering};
use super::requests::Asks;
use super::state::limits;
use super::tokens::{Purpose, Strike};
use crate::auth::AccessToken;
use crate::connectors::{Found, LossWindow, ProviderEvent, Recovered, Step, Verdict};
use crate::domain::{Sequence, WallTime};
use crate::journal::id_hash;
use crate::net::{HttpFailure, HttpResponse};
use crate::runtime::MonoTime;
use crate::session::HistoryOutcome;
use crate::session::outbound::queue::Asked;

impl Machine {
    /// Every open window that nobody asks about yet is asked about: its family's live events wait
    /// from here on, if a present state is to come before them.
    pub(super) fn plan_recoveries(&mut self, at: At, out: &mut Actions) {
        let open = self.gaps.iter().filter(|gap| {
            gap.resolution.is_none()
                && !self.recoveries.concerns(&gap.key)
                && !self.awaits_snapshot(&gap.key)
        });
        let windows = open.filter_map(|gap| match &gap.extent {
            Extent::Window { window, family } => {
                Some((gap.key.clone(), window.clone(), family.clone()))
            }
            Extent::Hole { .. } | Extent::Told(_) => None,
        });
        for (key, window, family) in windows.collect::<Vec<_>>() {
            self.plan_recovery(at, key, window, family, out);
        }
        self.settle_gaps(at);
        self.recovery_next(at, out);
    }

    fn plan_recovery(
        &mut self,
        at: At,
        key: String,
        window: LossWindow,
        family: String,
        out: &mut Actions,
    ) {
        let (mut keys, mut window) = (vec![key], window);
        if let Some(earlier) = self.recoveries.take_holding(&family) {
            // What is held came before this window ended, so the new present state knows it.
            out.extend(earlier.call().map(|call| Action::Cancel { call }));
            window.start = window.start.min(earlier.window.start);
            window.end = window.end.max(earlier.window.end);
            keys.splice(0..0, earlier.keys);
            if let LiveEvents::Held(waiting) = earlier.live {
                for held in waiting.into_events() {
                    self.journal_held(held);
                }
            }
        }
        let asked = self.asked_of_history(&window);
        let Some(recoverer) = self.connector.recover(&family, &asked) else {
            return self.resolve_windows(&keys, Found::Nothing);
        };
        self.stats.recovery();
        let live = if recoverer.holds() {
            LiveEvents::Held(Waiting::default())
        } else {
            LiveEvents::Pass
        };
        // Not the window's end alone: what was journaled until now must not be set back either.
        let lag = self.spread(self.connector.capabilities().rest_lag);
        let recovering = Recovering {
            family,
            keys,
            window,
            asked: Asked {
                start: asked.start,
                decided: at.now,
            },
            recoverer,
            phase: Phase::Lagging(at.now + lag),
            failures: 0,
            live,
            changed: HashSet::new(),
            listed: HashSet::new(),
        };
        // Those that hold live events back have their turn first.
        match recovering.live {
            LiveEvents::Pass => self.recoveries.waiting.push_back(recovering),
            LiveEvents::Held(_) | LiveEvents::Moved(_) => {
                let waiting = &self.recoveries.waiting;
                let passes = |r: &Recovering| matches!(r.live, LiveEvents::Pass);
                let place = waiting.iter().position(passes).unwrap_or(waiting.len());
                self.recoveries.waiting.insert(place, recovering);
            }
        }
    }

    /// Begins with the next window whose suspicion is durable and old enough.
    pub(super) fn recovery_next(&mut self, at: At, out: &mut Actions) {
        if self.recoveries.asking.is_some() || self.up.is_none() {
            return;
        }
        let ready =
            |r: &Recovering| r.due().is_some_and(|due| due <= at.now) && self.are_numbered(&r.keys);
        let Some(index) = self.recoveries.waiting.iter().position(ready) else {
            return;
        };
        if let Some(mut next) = self.recoveries.waiting.remove(index) {
            next.phase = Phase::Token;
            self.recoveries.asking = Some(next);
            self.want_token(Purpose::Recovery, out);
        }
    }

    fn are_numbered(&self, keys: &[String]) -> bool {
        keys.iter().all(|key| self.sequence_of(key).is_some())
    }

    fn sequence_of(&self, key: &str) -> Option<Sequence> {
        self.gaps.iter().find(|gap| gap.key == key)?.sequence
    }

    pub(super) fn recovery_with(&mut self, at: At, token: &AccessToken, out: &mut Actions) {
        let Some(mut recovering) = self.recoveries.asking.take() else {
            return;
        };
        if !matches!(recovering.phase, Phase::Token) {
            self.recoveries.asking = Some(recovering);
            return;
        }
        let found = match recovering.recoverer.next(token) {
            Step::Call(call) => match self.call(Asks::Recovery, *call, limits::CALL_TIMEOUT, out) {
                Some(call) => {
                    let token = token.generation;
                    recovering.phase = Phase::Asked { call, token };
                    self.recoveries.asking = Some(recovering);
                    return;
                }
                None => Found::Nothing,
            },
            Step::Done(found) => found,
        };
        self.end_recovery(at, recovering, found, out);
        self.recovery_next(at, out);
    }

    pub(super) fn recovery_answered(
        &mut self,
        at: At,
        result: Result<HttpResponse, HttpFailure>,
        out: &mut Actions,
    ) {
        let Some(mut recovering) = self.recoveries.asking.take() else {
            return;
        };
        let again = match result {
            Ok(answer) if answer.status.is_success() => {
                match recovering.recoverer.answer(&answer, at.wall) {
                    Ok(found) => {
                        self.tokens.strikes = 0;
                        recovering.failures = 0;
                        self.recovered(at, &mut recovering, found);
                        Again::Now
                    }
                    Err(error) => {
                        self.stats.unreadable(self.session.as_str(), &error);
                        Again::Failed
                    }
                }
            }
            Ok(answer) => self.recovery_refused(at, &mut recovering, &answer, out),
            Err(_) => Again::Failed,
        };
        let pause = match again {
            Again::Now => None,
            Again::After(pause) => Some(pause),
            Again::Failed => {
                recovering.failures += 1;
                Some(self.jittered(limits::CATCH_UP_PAUSE))
            }
            Again::Never => {
                recovering.failures = limits::IN_A_ROW;
                None
            }
        };
        if recovering.failures >= limits::IN_A_ROW {
            self.end_recovery(at, recovering, Found::Nothing, out);
            return self.recovery_next(at, out);
        }
        // The journal is full: what is fetched would have to wait in memory.
        let full = !self.wants_frames();
        let pause = pause.or_else(|| full.then(|| self.jittered(limits::CATCH_UP_PAUSE)));
        recovering.phase = match pause {
            Some(pause) => Phase::Later(at.now + pause),
            None => Phase::Token,
        };
        self.recoveries.asking = Some(recovering);
        if pause.is_none() {
            self.want_token(Purpose::Recovery, out);
        }
    }

    fn recovery_refused(
        &mut self,
        at: At,
        recovering: &mut Recovering,
        answer: &HttpResponse,
        out: &mut Actions,
    ) -> Again {
        let Phase::Asked { token, .. } = recovering.phase else {
            return Again::Failed;
        };
        match self.verdict(answer.status) {
            Verdict::Throttled => Again::After(self.spread(retry_after(&answer.headers, at.wall))),
            Verdict::Unauthorized => match self.strike(token, out) {
                Strike::Again => Again::Now,
                // REST alone refuses us: the subscription is none the worse for it.
                Strike::Out => {
                    self.tokens.strikes = 0;
                    Again::Never
                }
            },
            _ if answer.status.as_u16() == 408 || !answer.status.is_client_error() => Again::Failed,
            _ if recovering.recoverer.refused(answer.status) => Again::Now,
            _ => Again::Never,
        }
    }

    /// Journals what an answer brought. A present state never dedupes a live event.
    fn recovered(&mut self, at: At, recovering: &mut Recovering, found: Recovered) {
        self.history_showed(found.seen);
        for event in found.events {
            if let Some(tracked) = event.tracked.as_ref().filter(|t| t.stands) {
                let listed = (tracked.scope.clone(), tracked.key.clone());
                recovering.listed.insert(listed);
            }
            let hash = event
                .id
                .as_ref()
                .map(|id| id_hash(self.connector.source(), id));
            if hash.is_some_and(|hash| self.ids.contains(hash)) {
                self.stats.duplicate(1);
                continue;
            }
            match &recovering.live {
                LiveEvents::Moved(keys) if keys.contains(key_of(&event)) => continue,
                LiveEvents::Moved(_) | LiveEvents::Held(_) => {}
                LiveEvents::Pass => {
                    hash.map(|hash| self.is_new_id(at, hash));
                }
            }
            let gap = self.gap_of(recovering, &event);
            self.backfill(at, &event, gap);
        }
        for scope in found.complete {
            let spared = [&recovering.listed, &recovering.changed];
            let gap = recovering.keys.last().and_then(|key| self.sequence_of(key));
            self.reconcile(at, &scope, &spared, gap);
        }
    }

    /// The gap record that a fetched event belongs to: the one whose window it happened in, else the
    /// newest.
    fn gap_of(&self, recovering: &Recovering, event: &ProviderEvent) -> Option<Sequence> {
        let mut own = self
            .gaps
            .iter()
            .filter(|gap| recovering.keys.contains(&gap.key));
        let holds = |extent: &Extent, time: WallTime| match extent {
            Extent::Window { window, .. } => window.start <= time && time <= window.end,
            Extent::Hole { .. } | Extent::Told(_) => false,
        };
        let mut inside = own
            .clone()
            .filter(|gap| event.time.is_some_and(|t| holds(&gap.extent, t)));
        inside.next().or_else(|| own.next_back())?.sequence
    }

    fn end_recovery(&mut self, at: At, recovering: Recovering, found: Found, out: &mut Actions) {
        self.history_told(at, recovering.asked, found == Found::Everything, out);
        self.stats.history(match found {
            Found::Everything => HistoryOutcome::Everything,
            Found::PresentState => HistoryOutcome::PresentState,
            Found::Nothing => HistoryOutcome::Nothing,
        });
        self.resolve_windows(&recovering.keys, found);
        if let LiveEvents::Held(waiting) = recovering.live {
            for held in waiting.into_events() {
                self.journal_held(held);
            }
        }
        self.settle_gaps(at);
    }

    fn resolve_windows(&mut self, keys: &[String], found: Found) {
        let resolution = match found {
            Found::Everything => Resolution::Closed,
            Found::PresentState => Resolution::Confirmed("SNAPSHOT".to_owned()),
            Found::Nothing => Resolution::Confirmed("NOT_RECOVERABLE".to_owned()),
        };
        let gaps = self.gaps.iter_mut();
        for gap in gaps.filter(|gap| keys.contains(&gap.key)) {
            gap.resolution = Some(resolution.clone());
        }
    }

    /// The connection is gone: what is held goes on, and every window is asked about again later.
    pub(super) fn recoveries_stop(&mut self, out: &mut Actions) {
        let recoveries = std::mem::take(&mut self.recoveries);
        for recovering in recoveries.asking.into_iter().chain(recoveries.waiting) {
            out.extend(recovering.call().map(|call| Action::Cancel { call }));
            if let LiveEvents::Held(waiting) = recovering.live {
                waiting
                    .into_events()
                    .into_iter()
                    .for_each(|held: Held| self.journal_held(held));
            }
        }
    }

    pub(super) fn recovery_later(&mut self, at: At) {
        let pause = self.jittered(limits::CATCH_UP_PAUSE);
        if let Some(recovering) = &mut self.recoveries.asking {
            recovering.phase = Phase::Later(at.now + pause);
        }
    }

    pub(super) fn recovery_call(&self) -> Option<CallId> {
        self.recoveries.asking.as_ref()?.call()
    }

    pub(super) fn recovery_timeout(&self) -> Option<MonoTime> {
        self.up.as_ref()?;
        match &self.recoveries.asking {
            Some(asking) => asking.due(),
            None => {
                let waiting = self.recoveries.waiting.iter();
                let numbered = waiting.filter(|r| self.are_numbered(&r.keys));
                numbered.filter_map(Recovering::due).min()
            }
        }
    }

    pub(super) fn recovery_due(&mut self, at: At, out: &mut Actions) {
        match &mut self.recoveries.asking {
            Some(asking) if asking.due().is_some_and(|due| due <= at.now) => {
                asking.phase = Phase::Token;
                self.want_token(Purpose::Recovery, out);
            }
            Some(_) => {}
            None => self.recovery_next(at, out),
        }
    }
}

/// Whether and when to go on after an answer.
#[derive(Debug)]
enum Again {
    Now,
    After(std::time::Duration),
    /// A failure that may pass: three in a row are the end.
    Failed,
    Never,
}
