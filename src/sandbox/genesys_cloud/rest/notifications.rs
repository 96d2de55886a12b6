//! Channels and their topics over the API. Pure.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Ask, Refusal, Rest};
use crate::sandbox::genesys_cloud::channels::{self, Asked, Channel, Held, Judged, Verdict};
use crate::sandbox::genesys_cloud::state::State;
use crate::sandbox::genesys_cloud::tokens::Access;
use crate::sandbox::genesys_cloud::world::iso;

/// A topic in the body of a request.
#[derive(Debug, Deserialize)]
struct Topic {
    id: String,
}

/// `GET /api/v2/notifications/availabletopics`
pub(super) fn available(ask: &Ask<'_>) -> Answer {
    Answer::ok(&channels::available(&ask.query.list("expand")))
}

impl State {
    /// `POST /api/v2/notifications/channels`
    pub(super) fn make_channel(&mut self, ask: &Ask<'_>, access: Access) -> Answer {
        let id = self.add_channel(access, (ask.now, ask.wall));
        let channel = self.channels.get(&id);
        let body = channel.map(|channel| body(channel, ask.base));
        Answer::ok(&body.unwrap_or_default())
    }

    /// `GET /api/v2/notifications/channels`
    pub(super) fn list_channels(&mut self, ask: &Ask<'_>, access: Access) -> Rest {
        let all = match ask.query.get("includechannels") {
            None | Some("token") => false,
            Some("oauthclient") => true,
            Some(other) => {
                let text = format!("includechannels is token or oauthclient, not {other}");
                return Err(Refusal::bad(text));
            }
        };
        let own = |channel: &&Channel| channel.client == access.client;
        let listed = self.channels.iter().filter(own);
        let entities: Vec<_> = listed
            .filter(|channel| all || channel.token == access.token)
            .map(|channel| match channel.token == access.token {
                true => body(channel, ask.base),
                // The id is the credential: those of other tokens are not shown.
                false => json!({ "expires": iso(channel.expires_at) }),
            })
            .collect();
        Ok(Answer::ok(&json!({ "entities": entities })))
    }

    /// The channel in the path, if this token may manage it.
    fn managed(&mut self, ask: &Ask<'_>, access: Access) -> Result<Arc<str>, Refusal> {
        self.end_lives(ask.now);
        let any = self.config.any_token_manages;
        self.channels
            .get(ask.id())
            .filter(|channel| channel.client == access.client)
            .filter(|channel| any || channel.token == access.token)
            .map(|channel| Arc::clone(&channel.id))
            .ok_or_else(|| Refusal::not_found("channel"))
    }

    /// `HEAD /api/v2/notifications/channels/{id}`
    pub(super) fn check_channel(&mut self, ask: &Ask<'_>, access: Access) -> Rest {
        self.managed(ask, access).map(|_| Answer::empty(200))
    }

    /// `GET …/subscriptions`
    pub(super) fn list_topics(&mut self, ask: &Ask<'_>, access: Access) -> Rest {
        let id = self.managed(ask, access)?;
        let topics = self.channels.get(&id).map(|channel| &channel.topics);
        let entities: Vec<_> = topics
            .into_iter()
            .flatten()
            .map(|held| permitted(&held.id))
            .collect();
        Ok(Answer::ok(&json!({ "entities": entities })))
    }

    /// `DELETE …/subscriptions`
    pub(super) fn remove_topics(&mut self, ask: &Ask<'_>, access: Access) -> Rest {
        let id = self.managed(ask, access)?;
        self.channels.set_topics(&id, Vec::new());
        self.tell_update(&id);
        Ok(Answer::empty(200))
    }

    /// `POST …/subscriptions` adds, `PUT` replaces.
    pub(super) fn subscribe(&mut self, ask: &Ask<'_>, access: Access, replaces: bool) -> Rest {
        let id = self.managed(ask, access)?;
        let topics: Vec<Topic> = ask.read()?;
        let ids: Vec<_> = topics.into_iter().map(|topic| topic.id).collect();
        let judged = self.judge(&ids, access.client)?;
        let ignores = ask.query.get("ignoreErrors") == Some("true");
        if let Some((topic, refused)) = judged.refusal.as_ref().filter(|_| !ignores) {
            // One refused topic, and nothing is subscribed.
            if refused.unknown {
                return Err(Refusal::bad(format!("{}: {topic}", refused.reason)));
            }
            let missing: Vec<_> = refused.missing.iter().map(String::as_str).collect();
            return Err(Refusal::missing(&missing));
        }
        let Judged { held, verdicts, .. } = judged;
        self.hold(&id, held, replaces)?;
        let lifetime = self.config.channel_lifetime;
        self.channels.extend(&id, lifetime, (ask.now, ask.wall));
        self.tell_update(&id);
        let entities: Vec<_> = verdicts.iter().map(entity).collect();
        Ok(Answer::ok(&json!({ "entities": entities })))
    }

    /// Reads topics and judges each.
    pub(crate) fn judge(&mut self, ids: &[String], client: usize) -> Result<Judged, Refusal> {
        let longest = self.config.longest_topic;
        let mut asked = Vec::new();
        for id in ids {
            if id.len() > longest {
                let text = format!("A topic has at most {longest} characters: {id}");
                return Err(Refusal::bad(text));
            }
            let topic = Asked::parse(id);
            asked.push(topic.ok_or_else(|| Refusal::bad(format!("Not a topic: {id}")))?);
        }
        Ok(channels::judge(&asked, |topic| self.permits(client, topic)))
    }

    /// Gives a channel its topics, unless there are too many.
    pub(crate) fn hold(
        &mut self,
        id: &str,
        held: Vec<Held>,
        replaces: bool,
    ) -> Result<(), Refusal> {
        let mut topics = match self.channels.get(id) {
            Some(channel) if !replaces => channel.topics.clone(),
            _ => Vec::new(),
        };
        for topic in held {
            topics.retain(|known| known.id != topic.id);
            topics.push(topic);
        }
        let counted: usize = match self.config.combined_topics_count_apart {
            true => topics.iter().map(|held| held.permitted.len()).sum(),
            false => topics.len(),
        };
        let most = self.config.topics_per_channel;
        if counted > most {
            let text = format!("A channel has at most {most} topics; this would make {counted}");
            return Err(Refusal::bad(text));
        }
        self.channels.set_topics(id, topics);
        Ok(())
    }
}

fn body(channel: &Channel, base: &str) -> Value {
    json!({
        "connectUri": format!("{base}/channels/{}", channel.id),
        "id": &*channel.id,
        "expires": iso(channel.expires_at),
    })
}

fn permitted(id: &str) -> Value {
    let uri = format!("/api/v2/notifications/availabletopics/{id}");
    json!({ "id": id, "state": "Permitted", "selfUri": uri })
}

fn entity(verdict: &Verdict) -> Value {
    match verdict {
        Verdict::Permitted { id } => permitted(id),
        Verdict::Rejected {
            id,
            reason,
            missing,
        } => json!({
            "id": id, "state": "Rejected", "rejectionReason": reason,
            "missingPermissions": missing,
        }),
    }
}
