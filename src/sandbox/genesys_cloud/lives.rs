//! How channels come to be and how they end: evicted, expired, or with their token. Pure.

use std::sync::Arc;

use super::channels::{self, SystemTopic};
use super::config::OnTokenEnd;
use super::state::{State, Times};
use super::tokens::{Access, Standing};
use crate::runtime::MonoTime;

const EVICTED: &str = "no longer subscribed";

impl State {
    /// Makes a channel; where there are too many, the one unused for longest is pushed out.
    pub(crate) fn add_channel(&mut self, access: Access, now: Times) -> Arc<str> {
        self.end_lives(now.0);
        let most = self.config.channels_per_client;
        while let Some(surplus) = self.channels.surplus(access.client, most) {
            self.evict(&surplus);
        }
        self.counters.channels_made += 1;
        let shard = self.rng.below(4);
        let id: Arc<str> = format!("streaming-{shard}-{}", self.secret()).into();
        let owner = (access.client, access.token);
        let lifetime = self.config.channel_lifetime;
        self.channels.make(Arc::clone(&id), owner, lifetime, now);
        id
    }

    /// Twenty-six characters that nobody guesses.
    fn secret(&self) -> String {
        const LETTERS: [char; 32] = [
            'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'm', 'n', 'p', 'q', 'r', 's',
            't', 'u', 'v', 'w', 'x', 'y', 'z', '0', '1', '2', '3', '4', '5', '7', '9',
        ];
        let letter = |_| {
            let at = usize::try_from(self.rng.below(32)).unwrap_or_default();
            LETTERS.get(at).copied().unwrap_or('a')
        };
        (0..26).map(letter).collect()
    }

    /// Pushes a channel out: its socket is told and left.
    pub(crate) fn evict(&mut self, id: &str) {
        self.counters.channels_evicted += 1;
        let client = self.client_of(id);
        let what = SystemTopic::NoLongerSubscribed;
        let farewell = channels::system(what, id, &client, &self.identifier());
        let lost = self.channels.remove(id, EVICTED, [farewell]);
        self.cut(id, lost);
    }

    /// Removes channels whose life is over, and those whose token's is; whether there were any.
    pub(crate) fn end_lives(&mut self, now: MonoTime) -> bool {
        let mut any = false;
        for id in self.channels.expired(now) {
            any = true;
            let lost = self.channels.remove(&id, "the channel has expired", []);
            self.cut(&id, lost);
        }
        if self.config.on_token_end == OnTokenEnd::Close {
            any |= self.end_with_tokens(now);
        }
        any
    }

    fn end_with_tokens(&mut self, now: MonoTime) -> bool {
        let standings = self.channels.iter().map(|channel| {
            let standing = self.tokens.standing(channel.token, now);
            (Arc::clone(&channel.id), standing)
        });
        let over: Vec<_> = standings
            .filter(|(_, standing)| !matches!(standing, Standing::Good(_)))
            .collect();
        for (id, standing) in &over {
            let client = self.client_of(id);
            let farewell = (*standing == Standing::Revoked).then(|| {
                channels::system(SystemTopic::TokenRevoked, id, &client, &self.identifier())
            });
            let lost = self.channels.remove(id, "the token has ended", farewell);
            self.cut(id, lost);
        }
        !over.is_empty()
    }
}
