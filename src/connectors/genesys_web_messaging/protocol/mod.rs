//! [`GuestLink`]: one connection of a guest's session: `configureSession`, the JWT, echoes, and what frames
//! say of the session and of messages of ours.
//!
//! The platform takes 2 messages a second of one session (5.11), an echo at most every 30 s (5.6); a JWT
//! is asked for once on each connection, and again half a minute before it expires while history is read.

mod reading;

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::connector::Inner;
use super::kept::Kept;
use super::outgoing::Action;
use super::wire::{self, Lasts};
use crate::auth::AccessToken;
use crate::connectors::{
    Batch, Call, Confirms, Control, Dispatch, Handshake, Keep, Link, Opening, Outgoing, Resume,
    Silent, Unreadable,
};
use crate::domain::WallTime;
use crate::net::{Frame, HttpResponse};
use crate::runtime::MonoTime;

/// What our own frames are traced by. No message of ours has such an id: those are UUIDs.
const CONFIGURE: &str = "tieline-configure";
const JWT: &str = "tieline-jwt-";
const ECHO: &str = "tieline-echo-";
const CLOSE: &str = "tieline-close";

/// Echoes are sent after this much quiet, and never sooner after another (5.6).
const QUIET: Duration = Duration::from_secs(30);
/// How long an echo may take.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long a JWT may take before the session goes on without.
const JWT_PATIENCE: Duration = Duration::from_secs(5);
/// A JWT is renewed this long before it expires, so that it can be used until 5 s before (5.8).
const RENEW_BEFORE: Duration = Duration::from_secs(30);
/// How often a JWT is asked for that was throttled before the connection is confirmed.
const MOST_ASKED: u32 = 3;

/// One connection.
#[derive(Debug)]
pub(super) struct GuestLink {
    of: Arc<Inner>,
    kept: Kept,
    changed: Cell<bool>,
    /// A moment on both clocks.
    origin: (MonoTime, WallTime),
    stage: Stage,
    jwt: Asking,
    /// How many frames of our own were numbered.
    numbered: u32,
    /// The last frame of the platform.
    heard: MonoTime,
    echo: Option<Echo>,
    /// The message that no receipt was read of yet.
    flying: Option<Flying>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// `configureSession` is not answered.
    Configuring,
    /// The session stands; the JWT did not come yet.
    Jwt,
    /// The session stands, and the JWT is given up: the next frame confirms.
    WithoutJwt,
    /// Confirmed.
    Standing,
    /// Nothing more is to be had.
    Over,
}

/// Where a JWT is that we want.
#[derive(Debug, Clone, Copy)]
enum Asking {
    Nothing { since: MonoTime },
    Due { at: MonoTime, asked: u32 },
    Asked { at: MonoTime, asked: u32 },
}

#[derive(Debug)]
struct Echo {
    id: String,
    sent: MonoTime,
    answered: bool,
    /// Nothing was heard since.
    quiet: bool,
}

#[derive(Debug)]
struct Flying {
    id: String,
    /// It carries the guest's attributes.
    introduces: bool,
}

impl GuestLink {
    pub(super) fn new(of: Arc<Inner>, opening: Opening<'_>) -> Self {
        Self {
            kept: Kept::read(opening.resume.opaque, &of.purpose),
            changed: Cell::new(false),
            origin: (opening.now, opening.wall),
            stage: Stage::Configuring,
            jwt: Asking::Nothing { since: opening.now },
            numbered: 0,
            heard: opening.now,
            echo: None,
            flying: None,
            of,
        }
    }

    fn token(&self) -> &str {
        self.of.token.expose()
    }

    fn wall(&self, now: MonoTime) -> WallTime {
        let (mono, wall) = self.origin;
        wall.plus(now.saturating_duration_since(mono))
    }

    fn numbered(&mut self, prefix: &str) -> String {
        self.numbered += 1;
        format!("{prefix}{}", self.numbered)
    }

    fn keeps(&mut self, kept: Kept) {
        if self.kept != kept {
            self.kept = kept;
            self.changed.set(true);
        }
    }

    fn hears(&mut self, now: MonoTime) {
        self.heard = now;
        if let Some(echo) = &mut self.echo {
            echo.quiet = false;
        }
    }

    /// The session is over for good.
    fn expired(&mut self, reason: &str) -> Control {
        self.stage = Stage::Over;
        let reason = reason.to_owned();
        Control::Expired { reason }
    }

    fn lasts(&self, now: MonoTime, lasts: Lasts) -> Option<Control> {
        let until = lasts.until(self.wall(now))?;
        Some(Control::Lasts { until })
    }

    /// When the JWT is to be renewed for those who read with it.
    fn renewal(&self) -> Option<MonoTime> {
        let Asking::Nothing { since } = self.jwt else {
            return None;
        };
        let expires = self.of.pass.read_until()?;
        let (mono, wall) = self.origin;
        let due = mono + expires.minus(RENEW_BEFORE).since(wall);
        // Not over and over, where the platform's clock is far behind ours.
        Some(due.max(since + RENEW_BEFORE))
    }

    /// What is due of the JWT.
    fn jwt_due(&self) -> Option<MonoTime> {
        match (self.stage, self.jwt) {
            (Stage::Configuring | Stage::Over, _) => None,
            (_, Asking::Due { at, .. }) => Some(at),
            (_, Asking::Asked { at, .. }) => Some(at + JWT_PATIENCE),
            (Stage::Standing, Asking::Nothing { .. }) => self.renewal(),
            (Stage::Jwt | Stage::WithoutJwt, Asking::Nothing { .. }) => None,
        }
    }

    /// When the next echo is due, or its answer overdue.
    fn echo_due(&self) -> Option<MonoTime> {
        match (self.stage, &self.echo) {
            (Stage::Configuring | Stage::Jwt | Stage::Over, _) => None,
            (_, Some(echo)) if echo.quiet => Some(echo.sent + PATIENCE),
            (_, Some(echo)) => Some(self.heard.max(echo.sent) + QUIET),
            (Stage::WithoutJwt, None) => Some(self.heard),
            (Stage::Standing, None) => Some(self.heard + QUIET),
        }
    }

    fn ask_for_jwt(&mut self, now: MonoTime, asked: u32) -> Frame {
        self.jwt = Asking::Asked {
            at: now,
            asked: asked + 1,
        };
        let tracing = self.numbered(JWT);
        Action::jwt(self.token(), &tracing).frame()
    }

    fn echo(&mut self, now: MonoTime) -> Frame {
        let id = self.numbered(ECHO);
        let frame = Action::echo(self.token(), &id).frame();
        self.echo = Some(Echo {
            id,
            sent: now,
            answered: false,
            quiet: true,
        });
        frame
    }
}

impl Link for GuestLink {
    fn keep(&self) -> Keep {
        match self.changed.replace(false) {
            true => Keep::This(self.kept.write(&self.of.purpose)),
            false => Keep::Unchanged,
        }
    }

    fn handshake(&self, _token: &AccessToken) -> Option<Handshake> {
        Some(self.of.handshake())
    }

    fn opened(&mut self, _resume: Resume<'_>) -> Vec<Frame> {
        let configure = Action::configure(self.token(), CONFIGURE, &self.of.deployment);
        vec![configure.frame()]
    }

    fn poll(&mut self, _resume: Resume<'_>, _token: &AccessToken) -> Option<Call> {
        None
    }

    fn read_frame(&mut self, now: MonoTime, frame: &Bytes) -> Result<Batch, Unreadable> {
        self.hears(now);
        let said = wire::read(frame)?;
        if self.stage == Stage::Over {
            return Ok(Batch::default());
        }
        let waited = self.stage == Stage::WithoutJwt;
        let mut batch = self.read(now, said);
        if waited && self.stage == Stage::WithoutJwt {
            self.stage = Stage::Standing;
            batch.confirms = Confirms::All;
        }
        Ok(batch)
    }

    fn read_poll(&mut self, _answer: &HttpResponse) -> Result<Batch, Unreadable> {
        Err(Unreadable {
            what: "poll answer",
            reason: "this platform has no long polling".to_owned(),
        })
    }

    fn send(
        &mut self,
        _now: MonoTime,
        _wall: WallTime,
        message: &Outgoing<'_>,
    ) -> Option<Dispatch> {
        if self.stage != Stage::Standing {
            return None;
        }
        let guest = Some(&self.of.attributes).filter(|_| !self.kept.introduced);
        let introduces = guest.is_some_and(|attributes| !attributes.is_empty());
        let frame = Action::say(self.token(), message, guest).frame();
        self.flying = Some(Flying {
            id: message.id.to_owned(),
            introduces,
        });
        Some(Dispatch::Frames(vec![frame]))
    }

    fn goodbye(&mut self) -> Vec<Frame> {
        match self.stage {
            Stage::Configuring | Stage::Over => Vec::new(),
            Stage::Jwt | Stage::WithoutJwt | Stage::Standing => {
                vec![Action::close(self.token(), CLOSE).frame()]
            }
        }
    }

    fn heartbeat_due(&self) -> Option<MonoTime> {
        self.jwt_due().into_iter().chain(self.echo_due()).min()
    }

    fn heartbeat(&mut self, now: MonoTime, _wall: WallTime) -> Result<Vec<Frame>, Silent> {
        let mut frames = Vec::new();
        if self.jwt_due().is_some_and(|due| due <= now) {
            match self.jwt {
                Asking::Nothing { .. } => frames.push(self.ask_for_jwt(now, 0)),
                Asking::Due { asked, .. } => frames.push(self.ask_for_jwt(now, asked)),
                Asking::Asked { .. } => {
                    self.jwt = Asking::Nothing { since: now };
                    if self.stage == Stage::Jwt {
                        self.of.pass.clear();
                        self.stage = Stage::WithoutJwt;
                    }
                }
            }
        }
        if self.echo_due().is_some_and(|due| due <= now) {
            if self.echo.as_ref().is_some_and(|echo| echo.quiet) {
                return Err(Silent);
            }
            frames.push(self.echo(now));
        }
        Ok(frames)
    }

    fn unheard(&mut self, now: MonoTime) {
        self.hears(now);
        if let Some(echo) = &mut self.echo {
            // What its answer took tells nothing.
            echo.answered = true;
        }
    }
}
