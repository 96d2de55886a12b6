//! Long polling: one chained loop, the next request leaves when the last answer is journaled (U8 to
//! U13).

use std::time::Duration;

use http::StatusCode;

use super::Machine;
use super::ingest::Via;
use super::io::{Actions, At, CallId, Generation};
use super::keeping::Place;
use super::poll_end::PollEnd;
use super::requests::Asks;
use super::state::{State, StateName, limits};
use super::tokens::Purpose;
use crate::auth::AccessToken;
use crate::connectors::{Batch, Confirms, Control, Link, Resume, Setup, Transport};
use crate::domain::WallTime;
use crate::net::{HttpFailure, HttpResponse};
use crate::runtime::{Backoff, MonoTime};
use crate::session::BackoffConfig;

/// The chain of polls.
#[derive(Debug)]
pub(super) struct Polling {
    pub(super) generation: Generation,
    pub(super) link: Box<dyn Link>,
    pub(super) phase: PollPhase,
    /// Confirmed by an answer.
    pub(super) confirmed: bool,
    /// It was told how it ended.
    pub(super) over: bool,
    /// When the first poll left, on the wall.
    pub(super) began: Option<WallTime>,
    /// 408, 502, 504 and broken holds in a row (U11).
    pub(super) resets: u32,
    /// Empty or failed answers in under a second, in a row (U10).
    pub(super) quick: u32,
    pub(super) quick_backoff: Backoff,
}

/// What the chain waits for.
#[derive(Debug)]
pub(super) enum PollPhase {
    Token,
    SettingUp {
        call: CallId,
        token: AccessToken,
    },
    InFlight {
        call: CallId,
        sent: At,
        token: u64,
    },
    /// The last answer is on its way into the journal.
    Committing,
    Paused {
        until: MonoTime,
    },
}

impl Polling {
    pub(super) fn new(
        generation: Generation,
        link: Box<dyn Link>,
        backoff: &BackoffConfig,
    ) -> Self {
        Self {
            generation,
            link,
            phase: PollPhase::Token,
            confirmed: false,
            over: false,
            began: None,
            resets: 0,
            quick: 0,
            quick_backoff: Backoff::new(backoff.base.0, backoff.cap.0),
        }
    }

    pub(super) fn name(&self) -> StateName {
        match (&self.phase, self.confirmed) {
            (_, true) => StateName::LiveLongPoll,
            (PollPhase::Token, false) => StateName::AwaitingToken,
            (PollPhase::SettingUp { .. }, false) => StateName::SettingUp,
            (
                PollPhase::InFlight { .. } | PollPhase::Committing | PollPhase::Paused { .. },
                false,
            ) => StateName::Subscribing,
        }
    }

    /// The request under way, if there is one.
    pub(super) fn call(&self) -> Option<CallId> {
        match self.phase {
            PollPhase::SettingUp { call, .. } | PollPhase::InFlight { call, .. } => Some(call),
            PollPhase::Token | PollPhase::Committing | PollPhase::Paused { .. } => None,
        }
    }
}

impl Machine {
    pub(super) fn polling(&mut self) -> Option<&mut Polling> {
        match &mut self.state {
            State::Polling(polling) => Some(polling),
            _ => None,
        }
    }

    /// A token came for the poll: the platform's own requests first, then the poll.
    pub(super) fn poll_with(&mut self, at: At, token: &AccessToken, out: &mut Actions) {
        let Some(polling) = self.polling() else {
            return;
        };
        if !matches!(polling.phase, PollPhase::Token) {
            return;
        }
        let sent = match polling.link.setup(token) {
            Setup::Call(call) => {
                let asks = Asks::SetUp(polling.generation);
                let call = self.call(asks, *call, limits::CALL_TIMEOUT, out);
                call.map(|call| PollPhase::SettingUp {
                    call,
                    token: token.clone(),
                })
            }
            Setup::Yield { reason } => return self.suspend(at, &reason, out),
            Setup::Ready => {
                let keep = polling.link.keep();
                self.keep(Place::FIRST, keep);
                self.send_poll(at, token, out)
            }
        };
        match (sent, self.polling()) {
            (Some(phase), Some(polling)) => polling.phase = phase,
            _ => self.suspend(at, "ADDRESS_REFUSED", out),
        }
    }

    fn send_poll(&mut self, at: At, token: &AccessToken, out: &mut Actions) -> Option<PollPhase> {
        let State::Polling(polling) = &mut self.state else {
            return None;
        };
        // While a hole is held the chain asks after the highest number received; a new chain asks
        // after the position (U17).
        let after = self.ordering.as_ref().map_or(0, |o| match polling.began {
            Some(_) => o.highest(),
            None => o.position().cursor,
        });
        polling.began.get_or_insert(at.wall);
        let generation = polling.generation;
        let opaque = self.keeping.get(0);
        let call = polling.link.poll(Resume { after, opaque }, token)?;
        let call = self.call(
            Asks::Poll(generation),
            call,
            self.timing.poll_timeout.0,
            out,
        )?;
        Some(PollPhase::InFlight {
            call,
            sent: at,
            token: token.generation,
        })
    }

    /// The answer to the poll or to a request before it.
    pub(super) fn poll_answered(
        &mut self,
        at: At,
        result: Result<HttpResponse, HttpFailure>,
        out: &mut Actions,
    ) {
        let Some(polling) = self.polling() else {
            return;
        };
        match std::mem::replace(&mut polling.phase, PollPhase::Committing) {
            PollPhase::SettingUp { token, .. } => self.poll_set_up(at, &token, result, out),
            PollPhase::InFlight { sent, token, .. } => {
                self.hold_ended(at, sent, token, result, out);
            }
            other @ (PollPhase::Token | PollPhase::Committing | PollPhase::Paused { .. }) => {
                polling.phase = other;
            }
        }
    }

    fn poll_set_up(
        &mut self,
        at: At,
        token: &AccessToken,
        result: Result<HttpResponse, HttpFailure>,
        out: &mut Actions,
    ) {
        match result {
            Ok(answer) if answer.status.is_success() => {
                let Some(polling) = self.polling() else {
                    return;
                };
                match polling.link.setup_answer(&answer) {
                    Ok(()) => {
                        polling.phase = PollPhase::Token;
                        self.poll_with(at, token, out);
                    }
                    Err(unreadable) => {
                        self.stats.unreadable(self.session.as_str(), &unreadable);
                        self.lose_poll(at, "SETUP_UNREADABLE", out);
                    }
                }
            }
            Ok(answer) => {
                let State::Polling(mut polling) = std::mem::replace(&mut self.state, State::Idle)
                else {
                    return;
                };
                let again = self.has_another_way(&mut *polling.link, &answer);
                if again {
                    polling.phase = PollPhase::Token;
                }
                self.state = State::Polling(polling);
                if again {
                    self.poll_with(at, token, out);
                } else {
                    self.poll_refused(at, Duration::MAX, token.generation, &answer, out);
                }
            }
            Err(failure) => self.lose_poll(at, failure.word(), out),
        }
    }

    fn hold_ended(
        &mut self,
        at: At,
        sent: At,
        token: u64,
        result: Result<HttpResponse, HttpFailure>,
        out: &mut Actions,
    ) {
        let held = at.now.saturating_duration_since(sent.now);
        match result {
            Ok(answer) if answer.status.is_success() || answer.status.as_u16() == 304 => {
                self.standing.received(at.wall);
                self.coverage.input();
                let Some(polling) = self.polling() else {
                    return;
                };
                match polling.link.read_poll(&answer) {
                    Ok(batch) => self.poll_batch(at, sent, token, (answer.status, batch), out),
                    Err(error) => {
                        self.stats.unreadable(self.session.as_str(), &error);
                        self.poll_unreadable(at, held, "BODY_UNREADABLE", out);
                    }
                }
            }
            Ok(answer) => self.poll_refused(at, held, token, &answer, out),
            Err(failure) => match failure {
                HttpFailure::Timeout(_) | HttpFailure::Reset(_) => {
                    self.poll_interrupted(at, held, failure.word(), out);
                }
                HttpFailure::Truncated { .. } | HttpFailure::TooLarge { .. } => {
                    self.stats.unreadable(self.session.as_str(), &failure);
                    self.poll_unreadable(at, held, failure.word(), out);
                }
                HttpFailure::RedirectRefused(_) => self.suspend(at, "ADDRESS_REFUSED", out),
                _ => self.lose_poll(at, failure.word(), out),
            },
        }
    }

    fn poll_batch(
        &mut self,
        at: At,
        sent: At,
        token: u64,
        (status, batch): (StatusCode, Batch),
        out: &mut Actions,
    ) {
        let held = at.now.saturating_duration_since(sent.now);
        let refused = batch.controls.iter().find_map(|control| match control {
            Control::Refused { status, .. } => StatusCode::from_u16(*status).ok(),
            _ => None,
        });
        if let Some(status) = refused {
            let answer = HttpResponse {
                status,
                headers: http::HeaderMap::new(),
                body: bytes::Bytes::new(),
            };
            self.poll_refused(at, held, token, &answer, out);
            return;
        }
        let end = batch.controls.iter().find_map(PollEnd::of);
        // An answer without content at once may be anybody's: it proves nothing.
        let proves = batch.confirms != Confirms::Nothing || held >= limits::QUICK;
        // The platform answered after the request had left: with everything, unless it says at once
        // that there is nothing, which is abnormal (U10). A network that holds that back makes it look
        // like the end of a hold, so the status has to say it, too.
        let nothing = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let whole = !batch.events.is_empty() || nothing && held >= limits::QUICK;
        let proven = self.coverage.frontier().filter(|_| !whole).unwrap_or(sent);
        let Some(polling) = self.polling() else {
            return;
        };
        polling.resets = 0;
        let first = proves && !std::mem::replace(&mut polling.confirmed, true);
        let began = polling.began.unwrap_or(at.wall);
        let generation = polling.generation;
        let keep = polling.link.keep();
        if first {
            let condition = self.condition();
            if let Some(polling) = self.polling() {
                polling.link.condition(at.now, condition);
            }
            self.connected(at, proven, Transport::LongPoll, out);
        } else if proves {
            self.tokens.strikes = 0;
            self.answers_again();
        }
        if proves {
            self.unreadable = 0;
        }
        let before = self.progress();
        let news = self.ordering.is_none() && !batch.events.is_empty();
        self.ingest(at, batch, Via::Poll { began, generation }, out);
        self.keep(Place::FIRST, keep);
        if proves && whole {
            self.coverage.lives(proven);
            self.mark_coverage(at);
        }
        // An answer that repeats what is known is as good as an empty one: it may come from a cache.
        let idle = !news && before == self.progress();
        if let Some(end) = end {
            match end {
                PollEnd::Lost => self.lose_poll(at, "SUBSCRIPTION_LOST", out),
                PollEnd::Over(end) => self.ends(at, end, out),
            }
        } else if idle && held < limits::QUICK {
            self.poll_quick(at, out);
        } else {
            if let Some(polling) = self.polling() {
                polling.quick = 0;
                polling.quick_backoff.reset();
            }
            self.poll_after_commit(at, out);
        }
    }

    /// What changes with an answer that brings something.
    fn progress(&self) -> (u64, u64, Option<String>) {
        let numbers = self.ordering.as_ref();
        let (highest, missing) = numbers.map_or((0, 0), |o| (o.highest(), o.missing_changes()));
        (
            highest,
            missing,
            self.keeping.get(0).map(|o| o.expose().clone()),
        )
    }

    /// The next poll, once all of the last answer is durable (U8).
    pub(super) fn poll_after_commit(&mut self, _at: At, out: &mut Actions) {
        if !self.is_durable() {
            return;
        }
        let Some(polling) = self.polling() else {
            return;
        };
        if matches!(polling.phase, PollPhase::Committing) {
            polling.phase = PollPhase::Token;
            self.want_token(Purpose::Poll, out);
        }
    }

    pub(super) fn poll_pause_over(&mut self, out: &mut Actions) {
        let Some(polling) = self.polling() else {
            return;
        };
        polling.phase = PollPhase::Token;
        self.want_token(Purpose::Poll, out);
    }
}
