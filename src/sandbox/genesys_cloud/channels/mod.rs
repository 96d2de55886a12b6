//! [`Channels`]: notification channels, what they are subscribed to, and what waits on their
//! sockets. Pure: time is handed in, and nothing is sent here.

mod catalogue;
mod frames;
mod topic;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

pub(crate) use catalogue::{available, find};
pub(crate) use frames::{
    HEARTBEAT, PONG, SystemTopic, closing, event, malformed, reply, system, updated,
};
pub(crate) use topic::{Asked, Held, Judged, Refused, Verdict, judge};

use super::world::iso;
use crate::domain::WallTime;
use crate::runtime::MonoTime;

/// A frame on its way to a socket, and the fact that it tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outgoing {
    pub(crate) text: String,
    pub(crate) fact: Option<u64>,
}

/// Why a socket is to be left, and what is said before.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Parting {
    pub(crate) frames: VecDeque<Outgoing>,
    pub(crate) reason: &'static str,
}

/// A channel, and its socket where there is one.
#[derive(Debug)]
pub(crate) struct Channel {
    pub(crate) id: Arc<str>,
    /// Index of the OAuth client.
    pub(crate) client: usize,
    /// The token it was made with.
    pub(crate) token: u64,
    pub(crate) expires: MonoTime,
    pub(crate) expires_at: WallTime,
    /// When it was last used, in the order of all uses.
    used: u64,
    pub(crate) topics: Vec<Held>,
    /// The connection of its socket.
    pub(crate) socket: Option<u64>,
    outbox: VecDeque<Outgoing>,
}

/// What became of an event on a channel that was subscribed to it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Offered {
    /// It waits to be sent.
    Waiting,
    /// There is no socket.
    NoSocket,
    /// The socket reads too slowly: it is left, and what waited there is lost.
    Overrun { lost: Vec<u64> },
}

/// A channel, for people and tests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChannelStatus {
    /// Its id.
    pub id: String,
    /// The OAuth client's id.
    pub client: String,
    /// Counts tokens from 1: the one it was made with.
    pub token: u64,
    /// When it expires.
    pub expires: String,
    /// Its topics as they were asked for.
    pub topics: Vec<String>,
    /// The individual topics that were permitted.
    pub permitted: usize,
    /// The connection of its socket.
    pub socket: Option<u64>,
    /// Frames that wait to be sent.
    pub waiting: usize,
}

#[derive(Debug, Default)]
pub(crate) struct Channels {
    channels: BTreeMap<Arc<str>, Channel>,
    /// Channels by individual topic.
    index: BTreeMap<Arc<str>, BTreeSet<Arc<str>>>,
    /// Sockets that are to be left, by connection.
    partings: BTreeMap<u64, Parting>,
    uses: u64,
}

impl Channels {
    pub(crate) fn get(&self, id: &str) -> Option<&Channel> {
        self.channels.get(id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Channel> {
        self.channels.values()
    }

    /// Makes a channel.
    pub(crate) fn make(
        &mut self,
        id: Arc<str>,
        (client, token): (usize, u64),
        lifetime: Duration,
        (now, wall): (MonoTime, WallTime),
    ) {
        self.uses += 1;
        let channel = Channel {
            id: Arc::clone(&id),
            client,
            token,
            expires: now + lifetime,
            expires_at: wall.plus(lifetime),
            used: self.uses,
            topics: Vec::new(),
            socket: None,
            outbox: VecDeque::new(),
        };
        self.channels.insert(id, channel);
    }

    /// The channel that makes room for another of the same client, if there must be one: the one
    /// that was not used for longest, those without a socket first.
    pub(crate) fn surplus(&self, client: usize, most: usize) -> Option<Arc<str>> {
        let of_client = || self.channels.values().filter(|c| c.client == client);
        if of_client().count() < most {
            return None;
        }
        of_client()
            .min_by_key(|channel| (channel.socket.is_some(), channel.used))
            .map(|channel| Arc::clone(&channel.id))
    }

    /// Removes a channel. Its socket is told `frames` and left; what waited there is returned as
    /// lost.
    pub(crate) fn remove(
        &mut self,
        id: &str,
        reason: &'static str,
        frames: impl IntoIterator<Item = String>,
    ) -> Vec<u64> {
        let Some(channel) = self.channels.remove(id) else {
            return Vec::new();
        };
        self.unindex(&channel.id, &channel.topics);
        if let Some(connection) = channel.socket {
            self.part(connection, reason, frames);
        }
        facts(channel.outbox)
    }

    fn part(
        &mut self,
        connection: u64,
        reason: &'static str,
        frames: impl IntoIterator<Item = String>,
    ) {
        let frames = frames.into_iter().map(|text| Outgoing { text, fact: None });
        let frames = frames.collect();
        self.partings.insert(connection, Parting { frames, reason });
    }

    /// Channels whose life is over.
    pub(crate) fn expired(&self, now: MonoTime) -> Vec<Arc<str>> {
        let over = self.channels.values().filter(|c| c.expires <= now);
        over.map(|channel| Arc::clone(&channel.id)).collect()
    }

    /// Sets the topics of a channel.
    pub(crate) fn set_topics(&mut self, id: &str, topics: Vec<Held>) {
        self.uses += 1;
        let used = self.uses;
        let Some(channel) = self.channels.get_mut(id) else {
            return;
        };
        channel.used = used;
        let id = Arc::clone(&channel.id);
        let before = std::mem::replace(&mut channel.topics, topics.clone());
        self.unindex(&id, &before);
        for topic in topics.into_iter().flat_map(|held| held.permitted) {
            self.index.entry(topic).or_default().insert(Arc::clone(&id));
        }
    }

    fn unindex(&mut self, id: &Arc<str>, topics: &[Held]) {
        for topic in topics.iter().flat_map(|held| &held.permitted) {
            if let Some(channels) = self.index.get_mut(topic) {
                channels.remove(id);
                if channels.is_empty() {
                    self.index.remove(topic);
                }
            }
        }
    }

    /// A channel lives on.
    pub(crate) fn extend(
        &mut self,
        id: &str,
        lifetime: Duration,
        (now, wall): (MonoTime, WallTime),
    ) {
        if let Some(channel) = self.channels.get_mut(id) {
            channel.expires = now + lifetime;
            channel.expires_at = wall.plus(lifetime);
        }
    }

    /// A channel's life ends now.
    pub(crate) fn end_life(&mut self, id: &str, now: MonoTime) {
        if let Some(channel) = self.channels.get_mut(id) {
            channel.expires = channel.expires.min(now);
        }
    }

    /// A socket is opened on a channel. An older one is left; what waited there is returned as
    /// lost.
    pub(crate) fn attach(&mut self, id: &str, connection: u64) -> Vec<u64> {
        self.uses += 1;
        let used = self.uses;
        let Some(channel) = self.channels.get_mut(id) else {
            return Vec::new();
        };
        channel.used = used;
        let older = channel.socket.replace(connection);
        let waited = std::mem::take(&mut channel.outbox);
        if let Some(older) = older {
            self.part(older, "another socket was opened on this channel", []);
        }
        facts(waited)
    }

    /// A connection is over. What waited there is returned as lost.
    pub(crate) fn detach(&mut self, id: &str, connection: u64) -> Vec<u64> {
        self.partings.remove(&connection);
        match self.channels.get_mut(id) {
            Some(channel) if channel.socket == Some(connection) => {
                channel.socket = None;
                facts(std::mem::take(&mut channel.outbox))
            }
            _ => Vec::new(),
        }
    }

    /// Channels that are subscribed to an individual topic.
    pub(crate) fn subscribed(&self, topic: &str) -> Vec<Arc<str>> {
        let channels = self.index.get(topic);
        channels.map_or_else(Vec::new, |ids| ids.iter().cloned().collect())
    }

    /// Lets a frame wait for a channel's socket.
    pub(crate) fn offer(&mut self, id: &str, frame: Outgoing, most: usize) -> Offered {
        let Some(channel) = self.channels.get_mut(id) else {
            return Offered::NoSocket;
        };
        let Some(connection) = channel.socket else {
            return Offered::NoSocket;
        };
        if channel.outbox.len() < most {
            channel.outbox.push_back(frame);
            return Offered::Waiting;
        }
        channel.socket = None;
        let lost = facts(std::mem::take(&mut channel.outbox));
        self.part(connection, "the client does not read", []);
        Offered::Overrun { lost }
    }

    /// What a connection is still told before it is left, if it is to be left.
    pub(crate) fn parting(&mut self, connection: u64) -> Option<&mut Parting> {
        self.partings.get_mut(&connection)
    }

    /// The next frames of a channel's socket.
    pub(crate) fn take(&mut self, id: &str, most: usize) -> Vec<Outgoing> {
        let Some(channel) = self.channels.get_mut(id) else {
            return Vec::new();
        };
        let count = channel.outbox.len().min(most);
        channel.outbox.drain(..count).collect()
    }

    pub(crate) fn has_mail(&self, id: &str) -> bool {
        let channel = self.channels.get(id);
        channel.is_some_and(|channel| !channel.outbox.is_empty())
    }

    pub(crate) fn status(&self, client: impl Fn(usize) -> Arc<str>) -> Vec<ChannelStatus> {
        let status = |channel: &Channel| ChannelStatus {
            id: channel.id.to_string(),
            client: client(channel.client).to_string(),
            token: channel.token,
            expires: iso(channel.expires_at),
            topics: channel.topics.iter().map(|held| held.id.clone()).collect(),
            permitted: channel.topics.iter().map(|held| held.permitted.len()).sum(),
            socket: channel.socket,
            waiting: channel.outbox.len(),
        };
        self.channels.values().map(status).collect()
    }
}

fn facts(frames: VecDeque<Outgoing>) -> Vec<u64> {
    frames.into_iter().filter_map(|frame| frame.fact).collect()
}

#[cfg(test)]
mod tests;
