//! [`Channel`]: what one connection leaves to the next. It holds the `connectUri`, which opens the
//! channel to whoever knows it, so it travels as [`Opaque`] and does not print.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use url::Url;
use xxhash_rust::xxh3::Xxh3;
use zeroize::Zeroize;

use crate::auth::AccessToken;
use crate::connectors::Opaque;
use crate::domain::WallTime;
use crate::runtime::MonoTime;

/// A channel lives this long after it was last subscribed (2.5).
const LIFE: Duration = Duration::from_secs(24 * 3600);
/// It is renewed at this age: what a public client does (2.8), an hour before its end.
pub(super) const RENEW_AT: Duration = Duration::from_secs(23 * 3600);
/// So close to its end a channel is not opened again.
const LAST_CHANCE: Duration = Duration::from_secs(5 * 60);
/// A subscription older than this is sent again when the channel is reopened: permissions may have
/// changed, and the channel's life is extended.
const TRUSTED_FOR: Duration = Duration::from_secs(3600);
/// A channel that is gone this soon after its last sign of life was pushed out by another. One that
/// stood without a socket for longer was merely the first to go (2.5).
const PUSHED_OUT: Duration = Duration::from_secs(15 * 60);
/// More refused topics than this are not kept: they are asked for again.
const MOST_REJECTED: usize = 200;

/// A channel as it was left.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Channel {
    pub(super) id: String,
    uri: String,
    created: u64,
    /// When its topics were last sent.
    renewed: u64,
    /// When it was last known to be ours.
    alive: u64,
    /// What it is subscribed to; zero for nothing yet.
    topics: u64,
    /// The token it was made with, and when that ends: a channel does not outlive it (2.10).
    token: u64,
    token_until: u64,
    /// Topics refused, with the reason.
    pub(super) rejected: Vec<(String, String)>,
}

/// What is kept: a channel, and whether the last one was pushed out.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Left {
    pub(super) channel: Option<Channel>,
    pub(super) evicted: bool,
}

/// What may be done with a channel that was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// Open it: its topics are in place.
    Open,
    /// Send the topics, then open it.
    Subscribe,
    /// Nothing.
    Forget,
}

impl Left {
    /// Reads what was kept; nothing where it is none of ours.
    pub(super) fn read(opaque: Option<&Opaque>) -> Self {
        let kept = opaque.and_then(|o| serde_json::from_str(o.expose()).ok());
        kept.unwrap_or_default()
    }

    pub(super) fn write(&self) -> Opaque {
        // Numbers and texts only, so it cannot fail.
        Opaque::new(serde_json::to_string(self).unwrap_or_default())
    }
}

impl Channel {
    /// A channel made just now.
    pub(super) fn new(
        id: String,
        uri: &Url,
        token: u64,
        token_until: WallTime,
        wall: WallTime,
    ) -> Self {
        Self {
            id,
            uri: uri.as_str().to_owned(),
            created: wall.as_millis(),
            renewed: wall.as_millis(),
            alive: wall.as_millis(),
            topics: 0,
            token,
            token_until: token_until.as_millis(),
            rejected: Vec::new(),
        }
    }

    /// Where to open it. `None` where what was kept is damaged.
    pub(super) fn uri(&self) -> Option<Url> {
        Url::parse(&self.uri).ok()
    }

    pub(super) const fn renewed(&self) -> WallTime {
        WallTime::from_millis(self.renewed)
    }

    pub(super) const fn token_until(&self) -> WallTime {
        WallTime::from_millis(self.token_until)
    }

    /// Whether it was made with this token.
    pub(super) const fn is_of(&self, token: u64) -> bool {
        self.token == token
    }

    pub(super) const fn is_subscribed(&self) -> bool {
        self.topics != 0
    }

    pub(super) fn reuse(&self, token: u64, topics: u64, wall: WallTime) -> Use {
        let age = wall.since(self.renewed());
        let orphan = !self.is_of(token) && self.token_until() <= wall.plus(LAST_CHANCE);
        if age + LAST_CHANCE >= LIFE || orphan || self.uri().is_none() {
            Use::Forget
        } else if self.topics != topics || age >= TRUSTED_FOR {
            Use::Subscribe
        } else {
            Use::Open
        }
    }

    /// Its topics were sent.
    pub(super) fn subscribed(
        &mut self,
        topics: u64,
        rejected: Vec<(String, String)>,
        wall: WallTime,
    ) {
        self.renewed = wall.as_millis();
        self.alive = wall.as_millis();
        // A list that is not kept must be asked for again, so the channel counts as changed.
        self.topics = if rejected.len() > MOST_REJECTED {
            1
        } else {
            topics
        };
        self.rejected = rejected;
    }

    /// It was ours at `wall`; true where that is worth keeping.
    pub(super) fn lives(&mut self, wall: WallTime) -> bool {
        const EVERY: Duration = Duration::from_secs(5 * 60);
        let due = wall.since(WallTime::from_millis(self.alive)) >= EVERY;
        if due {
            self.alive = wall.as_millis();
        }
        due
    }

    /// It is gone: whether another channel pushed it out, rather than its age.
    pub(super) fn was_pushed_out(&self, wall: WallTime) -> bool {
        let young = wall.since(self.renewed()) < RENEW_AT;
        young && wall.since(WallTime::from_millis(self.alive)) < PUSHED_OUT
    }

    /// What is kept of it: without a long list of refusals.
    pub(super) fn kept(&self) -> Self {
        let mut kept = self.clone();
        if kept.rejected.len() > MOST_REJECTED {
            kept.rejected.clear();
        }
        kept
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.uri.zeroize();
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").finish_non_exhaustive()
    }
}

/// Tells topic lists apart; never zero or one.
pub(super) fn topics_hash(topics: &[String]) -> u64 {
    let mut hasher = Xxh3::new();
    for topic in topics {
        hasher.update(topic.as_bytes());
        hasher.update(&[0]);
    }
    hasher.digest().max(2)
}

/// Tells tokens apart without keeping them.
pub(super) fn token_hash(token: &AccessToken) -> u64 {
    xxhash_rust::xxh3::xxh3_64(token.value.expose().as_bytes())
}

/// When a token ends, on the wall.
pub(super) fn token_until(token: &AccessToken, now: MonoTime, wall: WallTime) -> WallTime {
    wall.plus(token.expires_at.saturating_duration_since(now))
}
