//! [`Machine`]: what a resuming subscription asks for, accepts and does next. Pure.

use std::time::Duration;

use tonic::Code;

use super::{Failure, Refusal, ResumeError, Unavailable, Violation};
use crate::proto::v1;
use crate::runtime::Backoff;
use v1::subscribe_request::Start;
use v1::subscribe_response::Notice;

/// The server's default, until `Opened` names the real one.
const DEFAULT_HEARTBEAT: Duration = Duration::from_secs(10);
/// Heartbeats are between these, so a wrong value neither kills nor hangs the stream.
const HEARTBEATS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// Silence of this many heartbeats means that the connection is dead.
const SILENT_HEARTBEATS: f64 = 2.5;
const BACKOFF_BASE: Duration = Duration::from_millis(200);
const BACKOFF_CAP: Duration = Duration::from_secs(5);
/// The credentials are no longer good, and others may be.
const EXPIRED: &str = "CREDENTIALS_EXPIRED";
/// Attempts in a row after which they will not get better: half a minute.
const MOST_REFRESHES: u32 = 10;
/// No server makes a reader wait for longer than this.
const LONGEST_WAIT: Duration = Duration::from_secs(120);

/// What to do when the position cannot be served any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GapChoice {
    /// End with [`ResumeError::Gap`].
    Stop,
    /// Continue with the earliest event there is.
    Earliest,
    /// Continue with events recorded from now on.
    Latest,
}

/// What follows the end of an attempt.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// Wait, then send [`Machine::request`] on a new connection.
    Retry(Duration),
    /// Ask the caller, then call [`Machine::resolve_gap`].
    AskAboutGap(Unavailable),
    /// The requested end was reached.
    Finished,
    /// It cannot go on.
    Stop(ResumeError),
}

/// The decisions of the client loop. Time passes elsewhere, and chance comes in as a number.
#[derive(Debug)]
pub struct Machine {
    template: v1::SubscribeRequest,
    position: Option<v1::Position>,
    /// The right to commit, of the newest attempt that was opened at a managed cursor.
    lease: u64,
    /// Set by a gap choice, until something came that explains the gap or lies behind it.
    policy: v1::UnavailablePolicy,
    attempt: Attempt,
    heartbeat: Duration,
    backoff: Backoff,
}

/// What is known of the present attempt.
#[derive(Debug, Default)]
struct Attempt {
    opened: bool,
    /// Through where this stream has come; the machine's position follows it.
    reached: v1::Position,
    closing: Option<v1::Closing>,
}

impl Machine {
    /// `template` is what to subscribe to; its start serves until there is a position, and its
    /// policy is ours. A managed cursor is the start of each attempt: what was not committed comes
    /// again.
    ///
    /// # Errors
    /// When the template names no start.
    pub fn new(template: v1::SubscribeRequest) -> Result<Self, ResumeError> {
        if template.start.is_none() {
            return Err(ResumeError::StartRequired);
        }
        let wanted = template.heartbeat_interval.as_ref().and_then(to_duration);
        let position = match &template.start {
            Some(Start::After(position)) => Some(position.clone()),
            _ => None,
        };
        Ok(Self {
            template,
            position,
            lease: 0,
            policy: v1::UnavailablePolicy::Fail,
            attempt: Attempt::default(),
            heartbeat: clamp(wanted.unwrap_or(DEFAULT_HEARTBEAT)),
            backoff: Backoff::new(BACKOFF_BASE, BACKOFF_CAP),
        })
    }

    /// What lies behind the reader: store it once the last response has been handled.
    #[must_use]
    pub fn position(&self) -> Option<&v1::Position> {
        self.position.as_ref()
    }

    /// The request of a commit; `None` where the start is no managed cursor.
    #[must_use]
    pub fn commit_request(&self, position: v1::Position) -> Option<v1::CommitSubscriptionRequest> {
        Some(v1::CommitSubscriptionRequest {
            name: self.cursor()?.to_owned(),
            position: Some(position),
            lease: self.lease,
        })
    }

    fn cursor(&self) -> Option<&str> {
        match &self.template.start {
            Some(Start::Subscription(name)) => Some(name),
            _ => None,
        }
    }

    /// Attempts that failed since a response last made progress.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.backoff.failures()
    }

    /// How long silence may last before the connection counts as dead.
    #[must_use]
    pub fn silence_limit(&self) -> Duration {
        self.heartbeat.mul_f64(SILENT_HEARTBEATS)
    }

    /// Begins an attempt: the request to send.
    pub fn request(&mut self) -> v1::SubscribeRequest {
        self.attempt = Attempt::default();
        let mut request = self.template.clone();
        if let Some(position) = &self.position
            && self.cursor().is_none()
        {
            request.start = Some(Start::After(position.clone()));
        }
        request.unavailable_policy = self.policy.into();
        request
    }

    /// Takes a response in, before it is handed to the reader.
    ///
    /// # Errors
    /// When it breaks the contract; then it must not be handed on.
    pub fn accept(&mut self, response: &v1::SubscribeResponse) -> Result<(), Violation> {
        match &response.notice {
            Some(Notice::Opened(opened)) => self.accept_opened(opened)?,
            _ if !self.attempt.opened => return Err(Violation::NotOpened),
            Some(Notice::Closing(closing)) => self.attempt.closing = Some(*closing),
            _ => {}
        }
        self.accept_progress(response)?;
        let frame = matches!(
            &response.notice,
            Some(Notice::Opened(_) | Notice::Closing(_))
        );
        if !frame {
            self.backoff.reset();
        }
        // Behind a gap choice the start lies beyond what is lost: a stream that breaks before it said
        // so is asked for again from where the reader is.
        let chosen = self.policy != v1::UnavailablePolicy::Fail;
        if !(chosen && frame && response.events.is_empty()) {
            self.position = Some(self.attempt.reached.clone());
            self.policy = v1::UnavailablePolicy::Fail;
        }
        Ok(())
    }

    fn accept_opened(&mut self, opened: &v1::Opened) -> Result<(), Violation> {
        if self.attempt.opened {
            return Err(Violation::OpenedTwice);
        }
        let start = v1::Position {
            epoch: opened.epoch.clone(),
            sequence: opened.start.as_ref().map_or(0, |start| start.sequence),
        };
        let strict = self.policy == v1::UnavailablePolicy::Fail;
        let asked = self.position.as_ref();
        match asked.filter(|_| self.cursor().is_none()) {
            Some(asked) if strict && *asked != start => {
                return Err(Violation::StartMoved {
                    asked: text(asked),
                    given: text(&start),
                });
            }
            // A resume that skips may still not go back.
            Some(asked) if asked.epoch == start.epoch && start.sequence < asked.sequence => {
                return Err(Violation::StartMoved {
                    asked: text(asked),
                    given: text(&start),
                });
            }
            _ => {}
        }
        let named = opened.heartbeat_interval.as_ref().and_then(to_duration);
        self.heartbeat = clamp(named.unwrap_or(self.heartbeat));
        self.lease = opened.lease;
        self.attempt.reached = start;
        self.attempt.opened = true;
        Ok(())
    }

    fn accept_progress(&mut self, response: &v1::SubscribeResponse) -> Result<(), Violation> {
        let whole = self.template.filter.is_none() && self.template.shard.is_none();
        let mut behind = self.attempt.reached.sequence;
        for event in &response.events {
            if event.sequence <= behind {
                return Err(Violation::Disordered {
                    sequence: event.sequence,
                    after: behind,
                });
            }
            if whole && event.sequence != behind + 1 {
                return Err(Violation::Hole {
                    first: behind + 1,
                    last: event.sequence - 1,
                });
            }
            behind = event.sequence;
        }
        // A bookmark before the start is true of the first response, and moves nothing back.
        let first = matches!(&response.notice, Some(Notice::Opened(_)));
        let through = match response.through_sequence {
            through if first => through.max(behind),
            through => through,
        };
        if through < behind {
            return Err(Violation::Bookmark {
                through,
                at_least: behind,
            });
        }
        let explained = matches!(&response.notice, Some(Notice::Gap(_) | Notice::Opened(_)));
        if whole && through > behind && !explained {
            return Err(Violation::Hole {
                first: behind + 1,
                last: through,
            });
        }
        self.attempt.reached.sequence = through;
        Ok(())
    }

    /// Decides what follows the end of an attempt; `unit` is a random number in [0, 1).
    pub fn ended(&mut self, failure: Failure, unit: f64) -> Decision {
        match failure {
            Failure::Ended if self.end_was_announced() => Decision::Finished,
            Failure::Unavailable(gap) if self.policy == v1::UnavailablePolicy::Fail => {
                Decision::AskAboutGap(gap)
            }
            // The server refuses what was chosen: asking again would go round in circles.
            Failure::Unavailable(gap) => Decision::Stop(ResumeError::Gap(gap)),
            Failure::Refused(refusal) if is_retried(&refusal) || self.may_refresh(&refusal) => {
                let asked = refusal.retry_after.or_else(|| self.closing_delay());
                Decision::Retry(self.delay(asked, unit))
            }
            Failure::Refused(refusal) => Decision::Stop(ResumeError::Refused(refusal)),
            Failure::Ended | Failure::Broken(_) | Failure::Silent(_) => {
                let asked = self.closing_delay();
                Decision::Retry(self.delay(asked, unit))
            }
        }
    }

    /// Continues as the caller chose.
    pub fn resolve_gap(&mut self, gap: Unavailable, choice: GapChoice, unit: f64) -> Decision {
        self.policy = match choice {
            GapChoice::Stop => return Decision::Stop(ResumeError::Gap(gap)),
            GapChoice::Earliest => v1::UnavailablePolicy::ResumeAtEarliest,
            GapChoice::Latest => v1::UnavailablePolicy::ResumeAtLatest,
        };
        // Jittered like any retry: after a restore every reader finds its epoch gone at once.
        Decision::Retry(self.delay(None, unit))
    }

    /// Credentials are read anew at each attempt; what stands in their files may be a little late.
    fn may_refresh(&self, refusal: &Refusal) -> bool {
        let expired = refusal.reason.as_deref() == Some(EXPIRED);
        expired && self.backoff.failures() < MOST_REFRESHES
    }

    /// OK without the announcement is a stream that something between cut off cleanly.
    fn end_was_announced(&self) -> bool {
        let reached = v1::closing::Reason::EndReached;
        self.attempt
            .closing
            .is_some_and(|closing| closing.reason() == reached)
    }

    fn closing_delay(&self) -> Option<Duration> {
        self.attempt
            .closing?
            .retry_delay
            .as_ref()
            .and_then(to_duration)
    }

    /// At least what the server asked for; what it asked for again and again is not enough alone.
    fn delay(&mut self, asked: Option<Duration>, unit: f64) -> Duration {
        let first = self.backoff.failures() == 0;
        let backoff = self.backoff.next_delay(unit);
        match asked {
            Some(asked) if first => asked.min(LONGEST_WAIT),
            Some(asked) => asked.min(LONGEST_WAIT).max(backoff),
            None => backoff,
        }
    }
}

/// UNAVAILABLE always; RESOURCE_EXHAUSTED only when it is ours, because a message above the
/// client's own limit is the same tomorrow.
fn is_retried(refusal: &Refusal) -> bool {
    match refusal.code {
        Code::Unavailable => true,
        Code::ResourceExhausted => refusal.reason.is_some(),
        _ => false,
    }
}

fn clamp(heartbeat: Duration) -> Duration {
    heartbeat.clamp(HEARTBEATS.0, HEARTBEATS.1)
}

/// `None` for a negative duration.
fn to_duration(duration: &prost_types::Duration) -> Option<Duration> {
    Duration::try_from(*duration).ok()
}

fn text(position: &v1::Position) -> String {
    format!("{}/{}", position.epoch, position.sequence)
}
