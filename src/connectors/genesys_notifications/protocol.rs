//! [`ChannelLink`]: one connection on one notification channel, as a machine: count, create,
//! subscribe, open, live. Numbers in brackets are the facts listed in [`super`].

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use super::answers::Created;
use super::channel::{Channel, Left, RENEW_AT, Use, topics_hash};
use super::connector::Shared;
use super::pings::Pings;
use super::wire::Notice;
use crate::auth::AccessToken;
use crate::connectors::{Batch, Call, Confirms, Control, Opening};
use crate::domain::WallTime;
use crate::runtime::MonoTime;

/// Channels of one OAuth client; one more removes another (2.5).
pub(super) const MOST_CHANNELS: usize = 20;
/// The server's heartbeat comes about every 30 s; public clients wait 35 to 40 s (2.7).
pub(super) const SILENCE: Duration = Duration::from_secs(40);
/// Clients wait about this long for the answer to a ping (2.6).
pub(super) const PATIENCE: Duration = Duration::from_secs(7);
/// A renewal that failed is tried again after this.
pub(super) const RENEW_AGAIN: Duration = Duration::from_secs(5 * 60);
/// A channel made with an earlier token is left this long before that token ends.
pub(super) const LEAVE_BEFORE: Duration = Duration::from_secs(60);
/// How many topics a reason names.
const NAMED: usize = 3;

/// What the set-up does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nothing was asked yet: the token decides.
    Start,
    /// Pushed out: ask how many channels there are.
    Count,
    /// As many as may be.
    Full(Option<usize>),
    Create,
    Subscribe,
    Ready,
}

/// Whether the platform was asked if it is still there.
#[derive(Debug, Clone, Copy)]
pub(super) enum Watch {
    Since(MonoTime),
    Asked(MonoTime),
}

/// When the channel is to be renewed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Renewal {
    Due(MonoTime),
    Asked,
}

/// One connection.
pub(super) struct ChannelLink {
    pub(super) shared: Arc<Shared>,
    pub(super) stage: Stage,
    pub(super) channel: Option<Channel>,
    pub(super) evicted: bool,
    pub(super) topics: u64,
    /// The token of the set-up, and when it ends.
    pub(super) token: (u64, WallTime),
    /// The moment it was made, on both clocks.
    pub(super) origin: (MonoTime, WallTime),
    pub(super) watch: Watch,
    pub(super) pings: Pings,
    pub(super) renewal: Option<Renewal>,
    /// When to leave a channel of an earlier token.
    pub(super) leave_at: Option<MonoTime>,
    /// Refused topics are told with the first confirmation.
    pub(super) told: bool,
    pub(super) changed: Cell<bool>,
}

impl fmt::Debug for ChannelLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChannelLink")
            .field("stage", &self.stage)
            .field("evicted", &self.evicted)
            .finish_non_exhaustive()
    }
}

impl ChannelLink {
    pub(super) fn new(shared: Arc<Shared>, opening: &Opening<'_>) -> Self {
        let mut left = Left::read(opening.resume.opaque);
        if opening.beside {
            // Another connection stands on it; a second socket there would end that one (2.8).
            left.channel = None;
        }
        Self {
            topics: topics_hash(&shared.topics),
            shared,
            stage: Stage::Start,
            channel: left.channel,
            evicted: left.evicted,
            token: (0, opening.wall),
            origin: (opening.now, opening.wall),
            watch: Watch::Since(opening.now),
            pings: Pings::default(),
            renewal: None,
            leave_at: None,
            told: false,
            changed: Cell::new(false),
        }
    }

    pub(super) fn wall(&self, now: MonoTime) -> WallTime {
        let (then, wall) = self.origin;
        wall.plus(now.saturating_duration_since(then))
    }

    /// The moment at which the wall shows `wall`; at once where that is past.
    pub(super) fn moment(&self, wall: WallTime) -> MonoTime {
        self.origin.0 + wall.since(self.origin.1)
    }

    pub(super) fn start(&mut self) {
        let (token, wall) = (self.token.0, self.origin.1);
        let channel = self.channel.as_ref();
        let reuse = channel.map(|channel| channel.reuse(token, self.topics, wall));
        self.stage = match reuse {
            _ if self.evicted => Stage::Count,
            Some(Use::Open) => Stage::Ready,
            Some(Use::Subscribe) if self.shared.topics.is_empty() => Stage::Ready,
            Some(Use::Subscribe) => Stage::Subscribe,
            Some(Use::Forget) | None => Stage::Create,
        };
        if matches!(self.stage, Stage::Count | Stage::Create) {
            self.channel = None;
        }
        if self.stage == Stage::Ready {
            self.ready();
        }
    }

    /// The channel can be opened.
    pub(super) fn ready(&mut self) {
        self.stage = Stage::Ready;
        let renew = self.channel.as_ref().map(|c| c.renewed().plus(RENEW_AT));
        self.renewal = renew.map(|wall| Renewal::Due(self.moment(wall)));
    }

    pub(super) fn subscription(&self, token: &AccessToken) -> Option<Box<Call>> {
        let channel = self.channel.as_ref()?;
        let topics = self.shared.topics.iter();
        let body: Value = topics.map(|topic| json!({ "id": topic })).collect();
        let path = ["notifications", "channels", &channel.id, "subscriptions"];
        let query = [("ignoreErrors", "true")];
        Some(
            self.shared
                .rest
                .call(Method::PUT, &path, &query, Some(&body), token),
        )
    }

    pub(super) fn created(&mut self, created: Created) {
        let (token, until) = self.token;
        let wall = self.origin.1;
        let channel = Channel::new(created.id, &created.uri, token, until, wall);
        self.channel = Some(channel);
        self.evicted = false;
        self.changed.set(true);
        if self.shared.topics.is_empty() {
            self.ready();
        } else {
            self.stage = Stage::Subscribe;
        }
    }

    /// The channel no longer exists.
    pub(super) fn gone(&mut self, wall: WallTime, pushed_out: bool) {
        let channel = self.channel.take();
        self.evicted = pushed_out || channel.is_some_and(|c| c.was_pushed_out(wall));
        self.renewal = None;
        self.changed.set(true);
    }

    /// What the platform says of itself.
    pub(super) fn notice(&mut self, now: MonoTime, notice: Notice) -> Option<Control> {
        let ours = self.channel.as_ref().map(|c| c.id.as_str());
        let other = |id: &Option<String>| id.is_some() && id.as_deref() != ours;
        match notice {
            Notice::Closing { channel } if !other(&channel) => Some(Control::Closing),
            Notice::Evicted { channel } if !other(&channel) => {
                self.gone(self.wall(now), true);
                let reason = "NO_LONGER_SUBSCRIBED".to_owned();
                Some(Control::SubscriptionLost { reason })
            }
            Notice::TokenRevoked { channel } if !other(&channel) => {
                self.channel = None;
                self.changed.set(true);
                let reason = "TOKEN_REVOKED".to_owned();
                Some(Control::Refused {
                    status: 401,
                    reason,
                })
            }
            Notice::Refused { status: 404, .. } => {
                self.gone(self.wall(now), false);
                let reason = "CHANNEL_GONE".to_owned();
                Some(Control::SubscriptionLost { reason })
            }
            Notice::Refused { status, reason } => Some(Control::Refused { status, reason }),
            Notice::Closing { .. }
            | Notice::Evicted { .. }
            | Notice::TokenRevoked { .. }
            | Notice::Other => None,
        }
    }

    /// Every topic that is not covered, once for each connection.
    fn rejections(&mut self) -> Vec<Control> {
        if std::mem::replace(&mut self.told, true) {
            return Vec::new();
        }
        let refused = self.channel.iter().flat_map(|c| &c.rejected);
        let all = self.shared.unresolved.iter().chain(refused);
        all.map(|(topic, reason)| Control::TopicRejected {
            topic: topic.clone(),
            reason: reason.clone(),
        })
        .collect()
    }

    /// A frame that shows that the channel is served.
    pub(super) fn confirmed(&mut self, now: MonoTime) -> Batch {
        let wall = self.wall(now);
        if self.channel.as_mut().is_some_and(|c| c.lives(wall)) {
            self.changed.set(true);
        }
        let mut controls = self.rejections();
        if self.leave_at.is_some_and(|at| at <= now) {
            self.leave_at = None;
            controls.push(Control::Closing);
        }
        Batch {
            confirms: Confirms::All,
            controls,
            ..Batch::default()
        }
    }

    pub(super) fn full(&self, listed: Option<usize>) -> String {
        let topics = &self.shared.topics;
        let mut named: Vec<&str> = topics.iter().take(NAMED).map(String::as_str).collect();
        if topics.len() > NAMED {
            named.push("…");
        }
        let count = listed.map_or_else(String::new, |n| format!(" ({n} channels in use)"));
        let names = named.join(", ");
        format!(
            "CHANNEL_LIMIT: {} topics not covered{count}: {names}",
            topics.len()
        )
    }
}
