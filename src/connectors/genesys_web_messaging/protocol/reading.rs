//! What frames say of the session and of messages of ours, and what becomes of the link by it.

use std::time::Duration;

use super::{Asking, CLOSE, CONFIGURE, ECHO, GuestLink, JWT, JWT_PATIENCE, MOST_ASKED, Stage};
use crate::connectors::genesys_web_messaging::codes::Code;
use crate::connectors::genesys_web_messaging::kept::Kept;
use crate::connectors::genesys_web_messaging::wire::{Failure, Message, Said, Session, What};
use crate::connectors::{Batch, Confirms, Control, Receipt, SendOutcome};
use crate::runtime::MonoTime;

impl GuestLink {
    /// An answer to `configureSession`, or the same unasked.
    fn session(&mut self, now: MonoTime, session: &Session) -> Batch {
        let over = match session {
            Session {
                connected: Some(false),
                ..
            } => Some("SESSION_CLOSED"),
            Session {
                read_only: true, ..
            } => Some("SESSION_READ_ONLY"),
            Session { new: true, .. } if self.kept.begun && self.stage == Stage::Configuring => {
                Some("SESSION_NEW")
            }
            Session { cleared: true, .. } if self.kept.begun => Some("CONVERSATION_CLEARED"),
            Session { .. } => None,
        };
        if let Some(reason) = over {
            return control(self.expired(reason));
        }
        if self.stage == Stage::Configuring {
            self.keeps(Kept {
                begun: true,
                ..self.kept
            });
            self.stage = Stage::Jwt;
            self.jwt = Asking::Due { at: now, asked: 0 };
        }
        Batch {
            controls: self.lasts(now, session.lasts).into_iter().collect(),
            ..Batch::default()
        }
    }

    /// The JWT came, or will not.
    fn jwt_settled(&mut self, now: MonoTime) -> Batch {
        self.jwt = Asking::Nothing { since: now };
        match self.stage {
            Stage::Jwt | Stage::WithoutJwt => {
                self.stage = Stage::Standing;
                Batch::empty()
            }
            Stage::Configuring | Stage::Standing | Stage::Over => Batch::default(),
        }
    }

    fn jwt_refused(&mut self, now: MonoTime) -> Batch {
        self.of.pass.clear();
        self.jwt_settled(now)
    }

    fn message(&mut self, now: MonoTime, tracing: Option<String>, message: Message) -> Batch {
        let mut controls: Vec<Control> = self.lasts(now, message.lasts).into_iter().collect();
        if tracing.as_deref().is_some_and(|id| id.starts_with(ECHO)) {
            controls.extend(self.echoed(tracing.as_deref()));
            return Batch {
                controls,
                ..Batch::default()
            };
        }
        let receipt = message.own.and_then(|own| {
            let id = tracing.filter(|id| !is_ours(id)).or(own.id)?;
            self.landed(&id, true);
            let provider_id = own.provider_id;
            let outcome = SendOutcome::Acknowledged { provider_id };
            let id = Some(id);
            Some(Receipt { id, outcome })
        });
        if message.ends_session {
            controls.push(self.expired("SESSION_READ_ONLY"));
        }
        Batch {
            events: vec![message.event],
            receipts: receipt.into_iter().collect(),
            controls,
            ..Batch::default()
        }
    }

    /// An echo was answered, whether well or not.
    fn echoed(&mut self, id: Option<&str>) -> Option<Control> {
        let echo = self.echo.as_mut()?;
        let fits = !echo.answered && id == Some(echo.id.as_str());
        echo.answered |= fits;
        fits.then_some(Control::Answered { sent: echo.sent })
    }

    /// Something was said of a message; whether the platform took it.
    fn landed(&mut self, id: &str, taken: bool) {
        if let Some(flying) = self.flying.take_if(|flying| flying.id == id)
            && flying.introduces
            && taken
        {
            self.keeps(Kept {
                introduced: true,
                ..self.kept
            });
        }
    }

    fn failed(&mut self, now: MonoTime, tracing: Option<String>, failure: Failure) -> Batch {
        let blamed = match tracing.as_deref() {
            Some(CONFIGURE) => Blamed::Configuring,
            Some(CLOSE) => return Batch::default(),
            Some(id) if id.starts_with(JWT) => Blamed::Jwt,
            Some(id) if id.starts_with(ECHO) => Blamed::Echo,
            Some(_) => Blamed::Message,
            None => match (self.stage, &self.jwt) {
                (Stage::Configuring, _) => Blamed::Configuring,
                (Stage::Jwt | Stage::WithoutJwt, _) => Blamed::Jwt,
                _ if self.flying.is_some() => Blamed::Message,
                (_, Asking::Asked { .. }) => Blamed::Jwt,
                _ => Blamed::Nothing,
            },
        };
        let Failure {
            code, retry_after, ..
        } = failure;
        let mut batch = match blamed {
            Blamed::Message => {
                let id = tracing.clone();
                let flown = id
                    .clone()
                    .or_else(|| Some(self.flying.as_ref()?.id.clone()));
                if let Some(flown) = flown {
                    self.landed(&flown, false);
                }
                let outcome = code.outcome(retry_after);
                Batch {
                    receipts: vec![Receipt { id, outcome }],
                    ..Batch::default()
                }
            }
            Blamed::Jwt => self.jwt_failed(now, code, retry_after),
            Blamed::Echo => Batch {
                controls: self.echoed(tracing.as_deref()).into_iter().collect(),
                ..Batch::default()
            },
            Blamed::Configuring if !matches!(code, Code::SessionOver(_)) => {
                let reason = match code {
                    Code::Refused { reason, .. } => reason,
                    _ => "SESSION_REFUSED",
                };
                control(Control::Refused {
                    status: code.status(),
                    reason: reason.to_owned(),
                })
            }
            Blamed::Configuring => Batch::default(),
            Blamed::Nothing => Batch {
                events: vec![*failure.event],
                ..Batch::default()
            },
        };
        if let Code::SessionOver(reason) = code {
            batch.controls.push(self.expired(reason));
            batch.confirms = Confirms::Nothing;
        }
        batch
    }

    /// Throttled, it is asked for again some times; anything else is final.
    fn jwt_failed(&mut self, now: MonoTime, code: Code, retry_after: Duration) -> Batch {
        let asked = match self.jwt {
            Asking::Asked { asked, .. } | Asking::Due { asked, .. } => asked,
            Asking::Nothing { .. } => return Batch::default(),
        };
        if code == Code::Throttled && asked < MOST_ASKED {
            let at = now + retry_after.min(JWT_PATIENCE);
            self.jwt = Asking::Due { at, asked };
            return Batch::default();
        }
        self.jwt_refused(now)
    }

    pub(super) fn read(&mut self, now: MonoTime, said: Said) -> Batch {
        let Said { tracing, what } = said;
        match what {
            What::Session(session) => self.session(now, &session),
            What::Jwt(text, expires) => {
                self.of.pass.put(text, expires);
                self.jwt_settled(now)
            }
            What::NoJwt => self.jwt_refused(now),
            What::Message(message) => self.message(now, tracing, *message),
            What::Failed(failure) => self.failed(now, tracing, failure),
            What::SessionExpired => control(self.expired("SESSION_EXPIRED")),
            What::SessionCleared => control(self.expired("CONVERSATION_CLEARED")),
            What::LoggedOut => control(self.expired("LOGGED_OUT")),
            What::ConnectionClosed(why) => {
                self.stage = Stage::Over;
                let reason = match why.as_str() {
                    "" => "CONNECTION_SUPERSEDED".to_owned(),
                    why => format!("CONNECTION_SUPERSEDED: {why}"),
                };
                control(Control::Superseded { reason })
            }
            What::Other(event) => Batch {
                events: vec![*event],
                ..Batch::default()
            },
        }
    }
}

/// What an error is about.
enum Blamed {
    Configuring,
    Jwt,
    Echo,
    Message,
    Nothing,
}

fn is_ours(id: &str) -> bool {
    id == CONFIGURE || id == CLOSE || id.starts_with(JWT) || id.starts_with(ECHO)
}

fn control(control: Control) -> Batch {
    Batch {
        controls: vec![control],
        ..Batch::default()
    }
}
