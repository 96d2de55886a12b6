//! What a client says on a socket, and what it is answered. Pure.

use serde::Deserialize;
use serde_json::Value;

use super::channels::{self, PONG};
use super::config::OnTokenEnd;
use super::socket::Socket;
use super::state::{State, Times};
use super::tokens::Standing;
use crate::runtime::MonoTime;

/// What a client says on a socket.
#[derive(Debug, Deserialize)]
struct Said {
    message: String,
    #[serde(default)]
    topics: Vec<String>,
    #[serde(default, rename = "correlationId")]
    correlation: Value,
}

impl Socket {
    /// A message came. What is no JSON is tolerated and not answered.
    pub(crate) fn hear(&mut self, state: &mut State, text: &[u8], now: Times) {
        let Ok(said) = serde_json::from_slice::<Said>(text) else {
            state.counters.strange_texts += 1;
            return;
        };
        let reply = match said.message.as_str() {
            "ping" => {
                state.counters.text_pings += 1;
                PONG.to_owned()
            }
            "subscribe" => self.subscribe(state, &said, now),
            "unsubscribe" => self.unsubscribe(state, &said, now),
            other => {
                let text = format!("unknown message {other}");
                channels::reply(400, "failure", Some(&text), &said.correlation)
            }
        };
        state.say(&self.channel, reply);
    }

    /// Whether the channel is still good for what is said on it; its client, if so.
    fn client(&self, state: &State, now: MonoTime) -> Option<usize> {
        let channel = state.channels.get(&self.channel)?;
        let good = matches!(state.tokens.standing(channel.token, now), Standing::Good(_));
        // Where a channel dies with its token this socket is about to be left.
        let good = good || state.config.on_token_end == OnTokenEnd::Close;
        good.then_some(channel.client)
    }

    fn subscribe(&self, state: &mut State, said: &Said, now: Times) -> String {
        let failed =
            |message: &str| channels::reply(400, "failure", Some(message), &said.correlation);
        let Some(client) = self.client(state, now.0) else {
            return gone(said);
        };
        let judged = match state.judge(&said.topics, client) {
            Ok(judged) => judged,
            Err(refusal) => return failed(&refusal.message),
        };
        if let Some((topic, refused)) = &judged.refusal {
            return failed(&format!("{topic}: {}", refused.reason));
        }
        let replaces = state.config.in_band_replaces;
        if let Err(refusal) = state.hold(&self.channel, judged.held, replaces) {
            return failed(&refusal.message);
        }
        if state.config.in_band_extends {
            let lifetime = state.config.channel_lifetime;
            state.channels.extend(&self.channel, lifetime, now);
        }
        channels::reply(200, "subscribed", None, &said.correlation)
    }

    fn unsubscribe(&self, state: &mut State, said: &Said, now: Times) -> String {
        if self.client(state, now.0).is_none() {
            return gone(said);
        }
        let mut topics = state
            .channels
            .get(&self.channel)
            .map_or_else(Vec::new, |channel| channel.topics.clone());
        topics.retain(|held| !said.topics.contains(&held.id));
        state.channels.set_topics(&self.channel, topics);
        channels::reply(200, "unsubscribed", None, &said.correlation)
    }
}

fn gone(said: &Said) -> String {
    channels::reply(
        404,
        "",
        Some("The channel cannot be used any more"),
        &said.correlation,
    )
}
