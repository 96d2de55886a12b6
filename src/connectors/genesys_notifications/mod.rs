//! Genesys Cloud: events of notification channels, read over WebSockets.
//!
//! A session names topics ([`topics`]); a [`plan`] turns names into ids and topics into channels;
//! each channel is one connector, and each connection on it a [`protocol::ChannelLink`].
//!
//! # Rules
//!
//! **Gaps.** A channel sends only to an open socket and keeps nothing: whatever happens while there is none
//! is a loss window, one gap record for each family. The engine opens it; `recover` asks REST what was
//! missed, from the moment that every topic is confirmed again and REST had its time to catch up.
//! The platform's clock is not ours, so what it dated up to 5 s before the window counts as within it.
//!
//! | family | topics | what REST can say | ends as |
//! |---|---|---|---|
//! | `presence` | `v2.users.{id}.presence` | every state is older than the window; else every change, from the timeline; else the state | closed, closed, snapshot |
//! | `routing_status` | `v2.users.{id}.routingStatus` | likewise | closed, closed, snapshot |
//! | `adherence` | `…workforcemanagement.adherence` of users, units, teams | every state is older than the window; else the state | closed, snapshot |
//! | `conversations` | `v2.users.{id}.conversations…`, `v2.routing.queues.{id}.conversations…` | none lived in the window; else each as it stands | closed, snapshot |
//! | `queue_members` | `v2.routing.queues.{id}.users` | the members as they are | snapshot |
//! | `queue_observations` | `v2.analytics.queues.{id}.observations` | the present values, stamped with the time of asking | snapshot |
//! | `activity` | `v2.users.{id}.activity` | nothing | not recoverable |
//! | `other` | detail events, transcripts, aggregates, anything else | nothing | not recoverable |
//!
//! A present state that could not be read in full is journaled as far as it goes, and its gap is
//! confirmed as not recoverable.
//!
//! **Duplicates.** Events have no id and no number. Only overlapping connections are compared, by topic and
//! `eventBody`: the rest of the frame holds a trace id that may differ between channels. Presence, routing status,
//! activity and detail events carry a date that moves with each, so equal bodies are one fact. The others
//! are told apart by occurrence; adherence too, whose dates stay when something else changes and changes back.
//!
//! **Channels.** A connection that breaks reopens its channel, where the subscriptions still are; beside a
//! standing one it makes a channel of its own, for a second socket would end the first. A channel is
//! renewed at 23 h, belongs to the token that made it, and is left a minute before that ends.
//! A channel that another pushed out asks first how many there are: at the limit it yields, tries
//! again slowly, and the session says which topics are not covered, so that two sidecars on one
//! OAuth client do not push each other out for ever. One that was gone after standing without a
//! socket for a quarter of an hour was merely the first to go, and is made anew.
//!
//! **Several events of one frame.** A transcript's utterances come in groups; each is an event with its own
//! bytes. Everywhere else an event's bytes are the whole frame.
//!
//! # Settings
//!
//! `endpoint` is the API host, such as `https://api.mypurecloud.de`; tokens come from `login.` of the same domain, sockets
//! from `streaming.` of it. `topics` are catalogued names, combined ones (`v2.users.{id}?presence&routingStatus`, sent
//! as they are) and templates with one `{id}`: ids, names (queues, users by name or e-mail, management units, teams),
//! all there are, or the users of queues. Topics that differ in case alone, or that a combined one brings, are sent once.
//! `redundancy: 2` holds two channels for each; then ten thousand topics fit, else twenty.
//!
//! # Permissions
//!
//! Of the OAuth client's roles, beside those that each topic needs (a refused topic names its own):
//!
//! | for | permission |
//! |---|---|
//! | queues by name, all queues, their members | `routing:queue:view` |
//! | users by name, all users | `directory:user:view` |
//! | management units by name | `wfm:managementUnit:view` |
//! | the timeline of agents | `analytics:userDetail:view` |
//! | queue observations | `analytics:queueObservation:view` |
//! | conversations of a window | `analytics:conversationDetail:view`, `conversation:communication:view` |
//! | adherence | `wfm:realtimeAdherence:view` |
//!
//! # Facts
//!
//! Numbers in comments refer to these. The platform's own words are those of its SDKs' API pages
//! (`platform-client-sdk-python`, `-dotnet`), of its announcements and of its streaming client.
//!
//! - 1.1 API, login and streaming hosts are `api.`, `login.` and `streaming.` of one domain for each region.
//! - 1.3 Several tokens of a client are valid side by side; the Go SDK renews 60 s before expiry.
//! - 2.3 The catalogue says which transports a topic has and whether it needs a user.
//! - 2.4 The handshake shows no token: the address is the credential. 404, 401 and 403 mean that the channel is gone.
//! - 2.5 20 channels for each OAuth client: one more removes the one used longest ago, those without a socket
//!   first. 1,000 topics a channel. A channel lives 24 h from its last subscription.
//! - 2.6 The answer to a subscription confirms it; with `ignoreErrors=true` refused topics are listed with
//!   what they miss. Replies inside the channel have no `topicName`; public clients wait 7 s for them.
//! - 2.7 A heartbeat about every 30 s; `{"message":"ping"}` is answered by a pong, both on `channel.metadata`.
//! - 2.8 Subscriptions survive the socket; a second socket on a channel ends the first.
//! - 2.10 `socket_closing` comes about a minute ahead; `no_longer_subscribed`, `token_revoked` end a channel.
//! - 3.1 300 requests a minute for each token.
//! - 4.1 First subscribe, then ask for the state: a state asked for sooner leaves a hole.
//! - 4.2 What REST has for each family, with its page limits.
//! - 4.3 Adherence has other names over REST; observations have no time.
//! - 4.4 The details query selects conversations by the day on which they began.

mod answers;
mod channel;
mod connector;
mod link;
mod members;
mod normalize;
mod pings;
mod plan;
mod protocol;
mod recover;
mod rest;
mod topics;
mod wire;

#[cfg(test)]
mod tests;

use url::Url;

use super::{Built, Entry, Keys, Selector, Settings, SettingsError, TokenDefaults, TopicSetting};
use crate::auth::CredentialPlacement;
use crate::net::UrlPolicy;
use connector::Site;
use plan::TopicPlan;
use rest::Rest;
use topics::Thing;

/// The registry name.
const NAME: &str = "genesys-notifications";
/// Official clients renew a token this long before it ends (1.3).
const REFRESH_BEFORE: std::time::Duration = std::time::Duration::from_secs(60);

/// What the registry knows of this platform.
pub(super) const ENTRY: Entry = Entry {
    platforms: || vec![NAME],
    build,
    token,
    domains: |settings| Ok(domain(&base(&settings.endpoint)?).into_iter().collect()),
    keys: |_| {
        Ok(Keys {
            topics: true,
            redundancy: true,
            websocket: true,
            keeps_credential: true,
            ..Keys::default()
        })
    },
};

fn build(settings: &Settings) -> Result<Built, SettingsError> {
    let base = base(&settings.endpoint)?;
    let unused = |key, reason: &str| {
        let reason = reason.to_owned();
        Err(SettingsError::Setting { key, reason })
    };
    if !settings.channels.is_empty() {
        return unused("channels", "belongs to profiles: name 'topics' instead");
    }
    if settings.agent.is_some() {
        return unused(
            "agent",
            "belongs to platforms whose sessions are an agent's",
        );
    }
    if settings.topics.is_empty() {
        return unused("topics", "is missing: there is nothing to subscribe to");
    }
    settings.topics.iter().try_for_each(check)?;
    let mut allowed = settings.allowed_domains.clone();
    allowed.extend(domain(&base));
    let addresses = UrlPolicy::new(&base, &allowed, settings.allow_plaintext);
    let site = Site {
        source: format!("//{NAME}/{}/{}", organization_host(&base), settings.session),
        addresses: addresses.map_err(|refused| SettingsError::Endpoint {
            endpoint: base.to_string(),
            reason: refused.to_string(),
        })?,
        rest: Rest::new(base),
        redundancy: settings.redundancy,
    };
    let plan = TopicPlan::new(site, settings.topics.clone());
    Ok(Built::Planned(Box::new(plan)))
}

/// A topic that can be meant.
fn check(setting: &TopicSetting) -> Result<(), SettingsError> {
    let wrong = |reason: &str| {
        Err(SettingsError::Topic {
            topic: setting.template.clone(),
            reason: reason.to_owned(),
        })
    };
    if let Err(reason) = topics::check(&setting.template) {
        return wrong(reason);
    }
    let thing = topics::thing_of(&setting.template);
    match (&setting.ids, topics::has_placeholder(&setting.template)) {
        (None, true) => wrong("'{id}' needs ids, names, 'all' or the users of queues"),
        (Some(_), false) => wrong("it has no '{id}' to put them in"),
        (Some(Selector::UsersOfQueues(_)), _) if thing != Some(Thing::User) => {
            wrong("its '{id}' is no user")
        }
        (Some(Selector::All), _) if thing.is_none() => {
            wrong("what its '{id}' names cannot be listed: name the ids")
        }
        (Some(Selector::Named(names) | Selector::UsersOfQueues(names)), _) if names.is_empty() => {
            wrong("the list of what to put in the place of '{id}' is empty")
        }
        _ => Ok(()),
    }
}

fn token(settings: &Settings) -> Result<TokenDefaults, SettingsError> {
    let mut url = base(&settings.endpoint)?;
    let host = url.host_str().unwrap_or_default();
    if let Some(domain) = host.strip_prefix("api.") {
        let login = format!("login.{domain}");
        let changed = url.set_host(Some(&login));
        changed.map_err(|error| endpoint_refused(&settings.endpoint, &error.to_string()))?;
    }
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(["oauth", "token"]);
    }
    Ok(TokenDefaults {
        url,
        placement: CredentialPlacement::Basic,
        refresh_before: Some(REFRESH_BEFORE),
    })
}

/// The endpoint as the base of requests.
fn base(endpoint: &Url) -> Result<Url, SettingsError> {
    if !matches!(endpoint.scheme(), "http" | "https") {
        return Err(endpoint_refused(
            endpoint,
            "the scheme is neither http nor https",
        ));
    }
    if endpoint.host_str().is_none() {
        return Err(endpoint_refused(endpoint, "it has no host"));
    }
    if !endpoint.username().is_empty() || endpoint.password().is_some() {
        let reason = "credentials do not belong into an address";
        return Err(endpoint_refused(endpoint, reason));
    }
    let mut base = endpoint.clone();
    base.set_query(None);
    base.set_fragment(None);
    Ok(base)
}

fn endpoint_refused(endpoint: &Url, reason: &str) -> SettingsError {
    // What stands before the host may be a password.
    let host = endpoint.host_str().unwrap_or_default();
    SettingsError::Endpoint {
        endpoint: format!("{}://{host}", endpoint.scheme()),
        reason: reason.to_owned(),
    }
}

/// The host that names the region: without its `api.`.
fn organization_host(base: &Url) -> &str {
    let host = base.host_str().unwrap_or_default();
    host.strip_prefix("api.").unwrap_or(host)
}

/// The domain of the endpoint, whose `streaming.` host serves the channels (1.1).
fn domain(base: &Url) -> Option<String> {
    let host = base.host_str()?;
    host.strip_prefix("api.").map(str::to_owned)
}
