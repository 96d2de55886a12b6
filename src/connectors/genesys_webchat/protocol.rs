//! [`GuestLink`]: makes the guest where there is none yet, and talks for it. No rate limit is described;
//! 429 is obeyed.

use std::cell::Cell;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;

use super::connector::{Inner, bearer, post};
use super::kept::Instance;
use super::sending;
use super::wire::{self, Said};
use crate::auth::AccessToken;
use crate::connectors::{
    Batch, Call, Confirms, Control, Dispatch, Handshake, Keep, Link, Opening, Outgoing, Resume,
    SendOutcome, Setup, Unreadable,
};
use crate::domain::WallTime;
use crate::net::{Frame, HttpResponse};
use crate::runtime::MonoTime;

/// What the ping says whose answer confirms the connection.
const CONFIRM: &[u8] = b"subscribed";

/// One connection.
#[derive(Debug)]
pub(super) struct GuestLink {
    of: Arc<Inner>,
    instance: Option<Instance>,
    changed: Cell<bool>,
    wall: WallTime,
    confirmed: bool,
    /// The session's end was told.
    told: bool,
}

impl GuestLink {
    pub(super) fn new(of: Arc<Inner>, opening: Opening<'_>) -> Self {
        let kept = opening.resume.opaque;
        Self {
            instance: kept.and_then(|text| Instance::read(text, &of.purpose)),
            changed: Cell::new(false),
            wall: opening.wall,
            confirmed: false,
            told: false,
            of,
        }
    }

    /// When the session will end, told once.
    fn lasts(&mut self) -> Option<Control> {
        let told = std::mem::replace(&mut self.told, true);
        let until = self.instance.as_ref()?.expires.filter(|_| !told)?;
        Some(Control::Lasts { until })
    }
}

impl Link for GuestLink {
    fn setup(&mut self, token: &AccessToken) -> Setup {
        // One that is over is not replaced: the platform says so at the handshake (U39).
        if self.instance.is_some() {
            return Setup::Ready;
        }
        let body = json!({ "guest": self.of.attributes }).to_string();
        let url = self.of.below(&["guests"]);
        Setup::Call(post(url, &token.value, body.into()))
    }

    fn setup_answer(&mut self, answer: &HttpResponse) -> Result<(), Unreadable> {
        self.instance = Some(wire::instance(&answer.body, self.wall)?);
        self.changed.set(true);
        Ok(())
    }

    fn keep(&self) -> Keep {
        match (&self.instance, self.changed.replace(false)) {
            (Some(instance), true) => Keep::This(instance.write(&self.of.purpose)),
            _ => Keep::Unchanged,
        }
    }

    fn handshake(&self, _token: &AccessToken) -> Option<Handshake> {
        let instance = self.instance.as_ref()?;
        let mut url = self.of.below(&["instances", &instance.id, "websocket"]);
        let scheme = if url.scheme() == "https" { "wss" } else { "ws" };
        url.set_scheme(scheme).ok()?;
        let headers = bearer(&instance.token);
        Some(Handshake { url, headers })
    }

    fn opened(&mut self, _resume: Resume<'_>) -> Vec<Frame> {
        vec![Frame::Ping(Bytes::from_static(CONFIRM))]
    }

    fn poll(&mut self, _resume: Resume<'_>, _token: &AccessToken) -> Option<Call> {
        None
    }

    fn read_frame(&mut self, _now: MonoTime, frame: &Bytes) -> Result<Batch, Unreadable> {
        let said = wire::read(frame)?;
        let mut batch = Batch {
            controls: self.lasts().into_iter().collect(),
            ..Batch::default()
        };
        match said {
            Said::Event(event) => batch.events.push(*event),
            Said::Receipt(receipt) => batch.receipts.push(receipt),
        }
        Ok(batch)
    }

    fn ponged(&mut self, named: &Bytes) -> Confirms {
        if named != CONFIRM {
            return Confirms::Nothing;
        }
        self.confirmed = true;
        Confirms::All
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
        let body = sending::body(message).filter(|_| self.confirmed)?;
        Some(Dispatch::Frames(vec![Frame::Text(body)]))
    }

    fn send_over_rest(&mut self, message: &Outgoing<'_>) -> Option<Box<Call>> {
        let instance = self.instance.as_ref()?;
        let url = self.of.below(&["instances", &instance.id, "messages"]);
        Some(post(url, &instance.token, sending::body(message)?))
    }

    fn sent_answer(&mut self, wall: WallTime, answer: &HttpResponse) -> SendOutcome {
        sending::outcome(wall, answer)
    }
}
