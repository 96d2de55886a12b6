//! [`ProfileLink`]: one connection of a profile: subscription, polls, heartbeats, and what frames
//! say.

use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};

use super::heart::Heart;
use super::model::{Confirmation, HeartbeatShape, WebSocketShape};
use super::protocol::Inner;
use super::template::{Values, websocket};
use super::wire::Said;
use crate::auth::AccessToken;
use crate::connectors::{
    Batch, Call, Condition, Confirms, Control, Handshake, Link, Opening, Resume, Silent, Transport,
    Unreadable,
};
use crate::domain::{WallTime, uuid};
use crate::net::{Frame, HttpResponse};
use crate::runtime::MonoTime;

/// What the ping says whose answer confirms a subscription.
const CONFIRM: &[u8] = b"subscribed";

/// One connection of a profile.
#[derive(Debug)]
pub(super) struct ProfileLink {
    shared: Arc<Inner>,
    connection: String,
    wall: WallTime,
    /// What the subscription goes on after, as it was when the connection was asked for.
    after: u64,
    heart: Option<Heart>,
}

impl ProfileLink {
    pub(super) fn new(shared: Arc<Inner>, opening: Opening<'_>) -> Self {
        let connection = identifier(&shared.source, opening.wall);
        let beats = opening.transport == Transport::WebSocket
            && shared
                .profile
                .websocket
                .as_ref()
                .is_some_and(|w| w.heartbeat.is_some());
        Self {
            heart: beats.then(|| Heart::new(connection.clone(), opening.now)),
            wall: opening.wall,
            after: opening.resume.after,
            connection,
            shared,
        }
    }

    fn websocket(&self) -> Option<&WebSocketShape> {
        self.shared.profile.websocket.as_ref()
    }

    fn values(&self, resume: Resume<'_>) -> Values<'_> {
        Values {
            channels: &self.shared.channels,
            sequence: resume.after,
            connection: &self.connection,
            now: self.wall.as_millis(),
            ..Values::default()
        }
    }

    fn beating(&mut self) -> Option<(&mut Heart, &HeartbeatShape)> {
        let shape = self.shared.profile.websocket.as_ref()?.heartbeat.as_ref()?;
        Some((self.heart.as_mut()?, shape))
    }
}

/// In the form of a random UUID: as different as the moments at which connections are opened, for
/// chance is not at hand here.
fn identifier(source: &str, wall: WallTime) -> String {
    let text = format!("{source} {}", wall.as_nanos());
    let hash = xxhash_rust::xxh3::xxh3_128(text.as_bytes());
    uuid(hash)
}

impl Link for ProfileLink {
    fn handshake(&self, token: &AccessToken) -> Option<Handshake> {
        let shape = self.websocket()?;
        let (url, headers) = self.shared.authorized(&shape.path, token);
        let mut url = websocket(url);
        let resume = Resume {
            after: self.after,
            opaque: None,
        };
        self.values(resume).query(&mut url, &shape.query);
        Some(Handshake { url, headers })
    }

    fn opened(&mut self, resume: Resume<'_>) -> Vec<Frame> {
        let Some(shape) = self.websocket() else {
            return Vec::new();
        };
        let values = self.values(resume);
        let subscribe = shape.subscribe.as_ref().map(|s| values.fill(&s.0));
        let subscribe = subscribe.map(|text| Frame::Text(text.into()));
        let ask = match shape.confirmed_by {
            Confirmation::Pong => Some(Frame::Ping(Bytes::from_static(CONFIRM))),
            Confirmation::Frame => None,
        };
        subscribe.into_iter().chain(ask).collect()
    }

    fn poll(&mut self, resume: Resume<'_>, token: &AccessToken) -> Option<Call> {
        let shape = self.shared.profile.long_poll.as_ref()?;
        let mut call = self.shared.get(&shape.path, token);
        call.method = self.shared.poll_method.clone();
        let values = self.values(resume);
        values.query(&mut call.url, &shape.query);
        if let Some(body) = &shape.body {
            call.body = values.fill(&body.0).into();
            let json = HeaderValue::from_static("application/json");
            call.headers.insert(CONTENT_TYPE, json);
        }
        Some(call)
    }

    fn read_frame(&mut self, now: MonoTime, frame: &Bytes) -> Result<Batch, Unreadable> {
        if let Some((heart, _)) = self.beating() {
            heart.hears(now);
        }
        match self.shared.wire.read("frame", frame)? {
            Said::Batch(batch) => Ok(batch),
            Said::Acknowledgement => {
                let answered = self.beating();
                let sent = answered.and_then(|(heart, shape)| heart.answered(shape, now));
                let controls = sent.map(|sent| Control::Answered { sent });
                Ok(Batch {
                    controls: controls.into_iter().collect(),
                    ..Batch::default()
                })
            }
        }
    }

    fn ponged(&mut self, named: &Bytes) -> Confirms {
        let asked = self.websocket().map(|shape| shape.confirmed_by);
        if asked == Some(Confirmation::Pong) && named == CONFIRM {
            Confirms::All
        } else {
            Confirms::Nothing
        }
    }

    fn read_poll(&mut self, answer: &HttpResponse) -> Result<Batch, Unreadable> {
        if matches!(
            answer.status,
            StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
        ) {
            return Ok(Batch::empty());
        }
        // Nothing at all is an empty answer (U10), but it does not say who gave it.
        if answer.body.trim_ascii().is_empty() {
            return Ok(Batch::default());
        }
        self.shared.read_body("poll answer", &answer.body)
    }

    fn condition(&mut self, _now: MonoTime, condition: Condition) {
        if let Some((heart, _)) = self.beating() {
            heart.fares(condition);
        }
    }

    fn unheard(&mut self, now: MonoTime) {
        if let Some((heart, _)) = self.beating() {
            heart.unheard(now);
        }
    }

    fn heartbeat_due(&self) -> Option<MonoTime> {
        let shape = self.websocket()?.heartbeat.as_ref()?;
        self.heart.as_ref().map(|heart| heart.due(shape))
    }

    fn heartbeat(&mut self, now: MonoTime, wall: WallTime) -> Result<Vec<Frame>, Silent> {
        let Some((heart, shape)) = self.beating() else {
            return Ok(Vec::new());
        };
        let frame = heart.beat(shape, now, wall)?;
        Ok(frame.map(Frame::Text).into_iter().collect())
    }
}
