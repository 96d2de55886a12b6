//! [`Resolving`]: one run of a plan, from its first call to the connectors. Pure: time, chance and
//! answers are arguments.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use crate::auth::{AccessToken, TokenProblem};
use crate::connectors::{Call, Connector, Plan, Step};
use crate::domain::WallTime;
use crate::net::{CallClass, HttpFailure, HttpRequest, HttpResponse, Note, retry_after};
use crate::proto::v1::session::State;
use crate::runtime::Backoff;

/// Everything from DNS to the last byte of an answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// The most an answer may hold (U41).
const MAX_BODY: usize = 8 << 20;
/// Calls of one run; a platform that keeps asking for more is not followed for ever.
const MOST_CALLS: u32 = 10_000;
/// Back-off while the platform is unavailable (U30).
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// Where the platform throttles without saying for how long, and what is obeyed of it (U12).
const THROTTLED: Duration = Duration::from_secs(5);
const SHORTEST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// What a person has to mend is tried again this slowly (U12, U24).
const SUSPENDED: Duration = Duration::from_secs(300);

/// What a session shows while topics are resolved.
const RESOLVING: &str = "RESOLVING_TOPICS";

/// What to do next.
#[derive(Debug)]
pub(super) enum Do {
    /// Ask for a token; before that, say that this generation was refused.
    AskToken { rejecting: Option<u64> },
    /// Make this request.
    Call(Box<HttpRequest>),
    /// Wait; no longer than until the credential's state changes, where that is what it waits for.
    Wait { delay: Duration, or_token: bool },
    /// The end.
    Done(Vec<Arc<dyn Connector>>),
    /// It makes no sense to go on.
    GiveUp,
}

/// What the session's state is meanwhile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::session) struct Standing {
    pub(in crate::session) state: State,
    pub(in crate::session) reason: String,
}

/// One run of a plan.
#[derive(Debug)]
pub(super) struct Resolving {
    plan: Box<dyn Plan>,
    /// The generation of the token that the latest call carried.
    generation: u64,
    /// Whether a call was refused with 401 since the latest that was not.
    refused: bool,
    calls: u32,
    backoff: Backoff,
    standing: Standing,
}

impl Resolving {
    /// Nothing has been asked yet.
    pub(super) fn new(plan: Box<dyn Plan>) -> Self {
        Self {
            plan,
            generation: 0,
            refused: false,
            calls: 0,
            backoff: Backoff::new(BACKOFF.0, BACKOFF.1),
            standing: Standing::resolving(),
        }
    }

    pub(super) fn standing(&self) -> &Standing {
        &self.standing
    }

    /// The beginning, and the end of each wait: tokens are asked for anew before each call, for they
    /// may be others by now.
    #[expect(clippy::unused_self, reason = "an input like the others")]
    pub(super) fn go_on(&mut self) -> Do {
        Do::AskToken { rejecting: None }
    }

    /// A token, or why there is none.
    pub(super) fn token(&mut self, token: Result<AccessToken, TokenProblem>, unit: f64) -> Do {
        let token = match token {
            Ok(token) => token,
            Err(TokenProblem::Refused { reason }) => {
                let delay = spread(SUSPENDED, unit);
                self.suspended(format!("CREDENTIALS_REFUSED: {reason}"));
                return Do::Wait {
                    delay,
                    or_token: true,
                };
            }
            Err(TokenProblem::ProxyRefused { reason }) => {
                let delay = self.backoff.next_delay(unit);
                self.suspended(format!("PROXY_REFUSED: {reason}"));
                return Do::Wait {
                    delay,
                    or_token: true,
                };
            }
            Err(TokenProblem::Unavailable { reason }) => {
                self.troubled(&format!("TOKEN_UNAVAILABLE: {reason}"));
                let delay = self.backoff.next_delay(unit);
                return Do::Wait {
                    delay,
                    or_token: true,
                };
            }
        };
        match self.plan.next(&token) {
            Step::Done(connectors) => Do::Done(connectors),
            Step::Call(_) if self.calls >= MOST_CALLS => {
                self.suspended(format!(
                    "TOO_MANY_CALLS: {MOST_CALLS} to resolve the topics"
                ));
                Do::GiveUp
            }
            Step::Call(call) => {
                self.calls += 1;
                self.generation = token.generation;
                Do::Call(Box::new(request(*call)))
            }
        }
    }

    /// What came of the call.
    pub(super) fn answer(
        &mut self,
        answer: Result<HttpResponse, HttpFailure>,
        wall: WallTime,
        unit: f64,
    ) -> Do {
        let answer = match answer {
            Ok(answer) => answer,
            Err(failure) => return self.failed(&failure.to_string(), unit),
        };
        let status = answer.status;
        if status != StatusCode::UNAUTHORIZED {
            self.refused = false;
        }
        match status.as_u16() {
            200..=299 => match self.plan.answer(&answer) {
                Ok(()) => self.continued(),
                Err(unreadable) => self.failed(&unreadable.to_string(), unit),
            },
            401 if !self.refused => {
                self.refused = true;
                let rejecting = Some(self.generation);
                Do::AskToken { rejecting }
            }
            401 => {
                self.refused = false;
                self.suspended("CREDENTIALS_REFUSED: 401 with a fresh token".to_owned());
                slowly(unit)
            }
            429 => {
                self.troubled("THROTTLED");
                let asked = retry_after(&answer.headers, wall).unwrap_or(THROTTLED);
                Do::Wait {
                    delay: spread(asked.clamp(SHORTEST_WAIT, LONGEST_WAIT), unit),
                    or_token: false,
                }
            }
            408 | 500..=599 => self.failed(&format!("HTTP {}", status.as_u16()), unit),
            _ if self.plan.refused(status) => self.continued(),
            403 => {
                self.suspended("PERMISSION_DENIED".to_owned());
                slowly(unit)
            }
            other => {
                self.suspended(format!("{RESOLVING}: HTTP {other}"));
                slowly(unit)
            }
        }
    }

    fn continued(&mut self) -> Do {
        self.backoff.reset();
        self.standing = Standing::resolving();
        self.go_on()
    }

    fn failed(&mut self, what: &str, unit: f64) -> Do {
        self.troubled(what);
        Do::Wait {
            delay: self.backoff.next_delay(unit),
            or_token: false,
        }
    }

    fn troubled(&mut self, what: &str) {
        self.standing = Standing {
            state: State::Connecting,
            reason: format!("{RESOLVING}: {what}"),
        };
    }

    fn suspended(&mut self, reason: String) {
        self.standing = Standing {
            state: State::Suspended,
            reason,
        };
    }
}

impl Standing {
    /// While nothing is known to be wrong.
    pub(in crate::session) fn resolving() -> Self {
        Self {
            state: State::Connecting,
            reason: RESOLVING.to_owned(),
        }
    }
}

fn request(call: Call) -> HttpRequest {
    HttpRequest {
        method: call.method,
        url: call.url,
        headers: call.headers,
        body: call.body,
        timeout: CALL_TIMEOUT,
        max_body: MAX_BODY,
        class: CallClass::Subscription,
        note: Note {
            kind: "plan",
            ..Note::default()
        },
    }
}

fn slowly(unit: f64) -> Do {
    Do::Wait {
        delay: spread(SUSPENDED, unit),
        or_token: false,
    }
}

/// Up to a fifth longer, so that many who wait for the same do not come back together (U34).
pub(super) fn spread(delay: Duration, unit: f64) -> Duration {
    delay.mul_f64(1.0 + unit / 5.0)
}

#[cfg(test)]
#[path = "tests/machine.rs"]
mod tests;
