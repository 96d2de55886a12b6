//! [`ChannelLink`] as the engine sees it: each call of the contract is one step of the machine.

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};

use super::answers;
use super::channel::{Left, token_hash, token_until};
use super::protocol::{
    ChannelLink, LEAVE_BEFORE, MOST_CHANNELS, PATIENCE, RENEW_AGAIN, Renewal, SILENCE, Stage, Watch,
};
use super::wire::{self, Message};
use crate::auth::AccessToken;
use crate::connectors::{
    Batch, Call, Control, Handshake, Keep, Link, Resume, Setup, Silent, Unreadable,
};
use crate::domain::WallTime;
use crate::net::{Frame, HttpResponse};
use crate::runtime::MonoTime;

impl Link for ChannelLink {
    fn setup(&mut self, token: &AccessToken) -> Setup {
        let (now, wall) = self.origin;
        self.token = (token_hash(token), token_until(token, now, wall));
        if self.stage == Stage::Start {
            self.start();
        }
        let channels = ["notifications", "channels"];
        let rest = &self.shared.rest;
        let call = match self.stage {
            Stage::Count => {
                let query = [("includechannels", "oauthclient")];
                Some(rest.get(&channels, &query, token))
            }
            Stage::Create => Some(rest.call(Method::POST, &channels, &[], None, token)),
            Stage::Subscribe => self.subscription(token),
            Stage::Full(listed) => {
                let reason = self.full(listed);
                return Setup::Yield { reason };
            }
            Stage::Start | Stage::Ready => None,
        };
        if let Some(call) = call {
            return Setup::Call(call);
        }
        let foreign = self.channel.as_ref().filter(|c| !c.is_of(self.token.0));
        self.leave_at = foreign.map(|c| self.moment(c.token_until().minus(LEAVE_BEFORE)));
        Setup::Ready
    }

    fn setup_answer(&mut self, answer: &HttpResponse) -> Result<(), Unreadable> {
        match self.stage {
            Stage::Count => {
                let listed = answers::channels(&answer.body)?;
                self.stage = if listed < MOST_CHANNELS {
                    Stage::Create
                } else {
                    Stage::Full(Some(listed))
                };
            }
            Stage::Create => self.created(answers::created(&answer.body)?),
            Stage::Subscribe => {
                let rejected = answers::rejected(&answer.body)?;
                let (topics, wall) = (self.topics, self.origin.1);
                if let Some(channel) = &mut self.channel {
                    channel.subscribed(topics, rejected, wall);
                    self.changed.set(true);
                }
                self.ready();
            }
            Stage::Start | Stage::Full(_) | Stage::Ready => {}
        }
        Ok(())
    }

    fn setup_refused(&mut self, answer: &HttpResponse) -> bool {
        let final_word = matches!(answer.status.as_u16(), 400 | 403 | 404);
        match self.stage {
            // A channel that was once subscribed is refused now: it is gone, or belongs to a token
            // that is. A new one that is refused would be refused again.
            Stage::Subscribe if final_word => {
                let proven = self.channel.as_ref().is_some_and(|c| c.is_subscribed());
                if proven || answer.status == StatusCode::NOT_FOUND {
                    self.channel = None;
                    self.stage = Stage::Create;
                    self.changed.set(true);
                }
                proven
            }
            // Who was pushed out and may not count does not push back.
            Stage::Count if final_word => {
                self.stage = Stage::Full(None);
                true
            }
            _ => false,
        }
    }

    fn over(&mut self, status: Option<StatusCode>) {
        // The channel id in the address is all that a handshake shows, so each of these says that
        // there is no such channel (2.4).
        if matches!(status.map(|s| s.as_u16()), Some(401 | 403 | 404)) && self.channel.is_some() {
            self.gone(self.origin.1, false);
        }
    }

    fn keep(&self) -> Keep {
        if !self.changed.replace(false) {
            return Keep::Unchanged;
        }
        if self.channel.is_none() && !self.evicted {
            return Keep::Nothing;
        }
        let left = Left {
            channel: self.channel.as_ref().map(super::channel::Channel::kept),
            evicted: self.evicted,
        };
        Keep::This(left.write())
    }

    fn handshake(&self, _token: &AccessToken) -> Option<Handshake> {
        let url = self.channel.as_ref()?.uri()?;
        let headers = HeaderMap::new();
        Some(Handshake { url, headers })
    }

    fn opened(&mut self, _resume: Resume<'_>) -> Vec<Frame> {
        // The pong confirms at once what the heartbeat would only confirm after half a minute.
        vec![self.pings.unnamed()]
    }

    fn poll(&mut self, _resume: Resume<'_>, _token: &AccessToken) -> Option<Call> {
        None
    }

    fn read_frame(&mut self, now: MonoTime, frame: &Bytes) -> Result<Batch, Unreadable> {
        self.watch = Watch::Since(now);
        match wire::read(&self.shared.names, frame)? {
            Message::Alive => Ok(self.confirmed(now)),
            Message::Pong => {
                let proof = self.pings.answered().map(|name| Control::Proof { name });
                let mut batch = self.confirmed(now);
                batch.controls.extend(proof);
                Ok(batch)
            }
            Message::Events(events) => Ok(Batch {
                events,
                ..self.confirmed(now)
            }),
            Message::Malformed(event) => Ok(Batch {
                events: vec![*event],
                ..Batch::default()
            }),
            Message::Notice(notice) => Ok(Batch {
                controls: self.notice(now, notice).into_iter().collect(),
                ..Batch::default()
            }),
        }
    }

    /// The protocol's own ping only shows that the edge is alive (2.7): it may be answered before what
    /// the platform has for us.
    fn ask(&mut self, name: &Bytes) -> Frame {
        self.pings.named(name)
    }

    fn read_poll(&mut self, _answer: &HttpResponse) -> Result<Batch, Unreadable> {
        Err(Unreadable {
            what: "poll answer",
            reason: "this platform has no long polling".to_owned(),
        })
    }

    fn errand_due(&self) -> Option<MonoTime> {
        match self.renewal {
            Some(Renewal::Due(at)) => Some(at),
            Some(Renewal::Asked) | None => None,
        }
    }

    fn errand(&mut self, now: MonoTime, token: &AccessToken) -> Option<Call> {
        if self.errand_due().is_none_or(|due| now < due) {
            return None;
        }
        if self.shared.topics.is_empty() {
            self.renewal = None;
            return None;
        }
        let call = self.subscription(token)?;
        self.renewal = Some(Renewal::Asked);
        Some(*call)
    }

    fn errand_answer(
        &mut self,
        now: MonoTime,
        answer: Option<&HttpResponse>,
    ) -> Result<Batch, Unreadable> {
        self.renewal = Some(Renewal::Due(now + RENEW_AGAIN));
        let Some(answer) = answer else {
            return Ok(Batch::default());
        };
        let mut batch = Batch::default();
        if answer.status.is_success() {
            let rejected = answers::rejected(&answer.body)?;
            let wall = self.wall(now);
            let topics = self.topics;
            if let Some(channel) = &mut self.channel {
                let known = std::mem::take(&mut channel.rejected);
                let fresh = rejected.iter().filter(|r| !known.contains(r));
                batch.controls = fresh.map(answers::rejection).collect();
                channel.subscribed(topics, rejected, wall);
                self.changed.set(true);
            }
            self.ready();
        } else if answer.status == StatusCode::NOT_FOUND {
            self.gone(self.wall(now), false);
            let reason = "CHANNEL_GONE".to_owned();
            batch.controls.push(Control::SubscriptionLost { reason });
        }
        Ok(batch)
    }

    fn heartbeat_due(&self) -> Option<MonoTime> {
        Some(match self.watch {
            Watch::Since(last) => last + SILENCE,
            Watch::Asked(at) => at + PATIENCE,
        })
    }

    fn heartbeat(&mut self, now: MonoTime, _wall: WallTime) -> Result<Vec<Frame>, Silent> {
        match self.watch {
            Watch::Since(last) if now >= last + SILENCE => {
                self.watch = Watch::Asked(now);
                Ok(vec![self.pings.unnamed()])
            }
            Watch::Asked(at) if now >= at + PATIENCE => Err(Silent),
            Watch::Since(_) | Watch::Asked(_) => Ok(Vec::new()),
        }
    }

    fn unheard(&mut self, now: MonoTime) {
        self.watch = match self.watch {
            Watch::Since(_) => Watch::Since(now),
            Watch::Asked(_) => Watch::Asked(now),
        };
    }
}
