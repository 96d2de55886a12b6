//! The connector cxone-agent: reads the events of one agent's session from the Agent API of NICE
//! CXone, by long polling.
//!
//! # How it goes on
//!
//! There are no event ids and no numbers. Each answer names the session anew, and that *session id*
//! must be in the next request: it is the cursor, kept with the events of its answer in one append,
//! and it opens the session to whoever holds it, so it is a credential. An answer without news (304)
//! leaves it as it is.
//!
//! # Gaps
//!
//! The platform goes on behind the id that it is given, so a broken connection or a restart opens no
//! loss window. What it does not have any more it replaces by the present state:
//!
//! - `AgentSessionStart` in answer to an id that had been read from before: the id was stale;
//! - the header `icbranchvalue` with 3: it dropped events;
//! - the first answer of a session that was joined in the place of one that was lost or ended.
//!
//! Each of these is a loss window and a snapshot ([`Control::Missed`](super::Control::Missed),
//! [`Batch::snapshot`](super::Batch)): contacts that stood before and are not in it have ended unseen.
//! Only the first session of all begins without a window, for nothing was covered before it.
//!
//! # Duplicates
//!
//! None are removed: equal events on one connection are two facts, and two connections never overlap,
//! because two pollers on one session would fight over its id. So a renewed token, another transport
//! and redundancy have no meaning here.
//!
//! # Ends
//!
//! 409, `icbranchvalue` 4, `AgentSessionEnd` and `RemoteAgentSessionEnd` end the session; 404, 410 and
//! `icbranchvalue` 5 say that the id means nothing any more. What is kept then is that a session
//! stood, without its id: the next attempt joins anew. Where the agent has not signed in there is
//! nothing to join (404 or 409 of the join), and it is tried again slowly. A start that meets a
//! session of the same user (409) joins that one.
//!
//! # Settings and permissions
//!
//! `endpoint` is `https://cxone.niceincontact.com`, or the host that takes its place in a sovereign
//! cloud. `agent` says whose session: `join` with an agent's id reads the session that this agent has
//! open, and needs the access key of a user whose role may impersonate agents; `start` opens a
//! session of the key's own user at a station or phone. `auth` is the grant `password` with the access key,
//! beside the registered application's id and secret.
//!
//! The platform holds a poll for at most 60 s. The engine's `timing.poll_timeout` is the watchdog of
//! a poll that never ends; it must leave some seconds beyond the hold (35 s and 25 s by default).

mod claims;
mod connector;
mod discovery;
mod kept;
mod meaning;
mod normalize;
mod protocol;
mod wire;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use url::{Host, Url};

use super::{Built, Entry, Keys, Redundancy, Settings, SettingsError, TokenDefaults};
use crate::auth::CredentialPlacement;
use connector::CxoneAgent;

/// The registry name.
const NAME: &str = "cxone-agent";

/// Where the platform's discovery points to: user hub and digital, clusters of old and new, FedRAMP.
const DOMAINS: [&str; 4] = [
    "niceincontact.com",
    "nice-incontact.com",
    "incontact.com",
    "nicecxone-gov.com",
];

/// What the registry knows of this platform.
pub(super) const ENTRY: Entry = Entry {
    platforms: || vec![NAME],
    build,
    token,
    domains: |settings| Ok(domains(&settings.endpoint)),
    keys: |_| {
        Ok(Keys {
            agent: true,
            long_poll: true,
            keeps_credential: true,
            ..Keys::default()
        })
    },
};

fn build(settings: &Settings) -> Result<Built, SettingsError> {
    let base = base(&settings.endpoint)?;
    let refused = |key, reason: &str| {
        let reason = reason.to_owned();
        Err(SettingsError::Setting { key, reason })
    };
    let Some(agent) = settings.agent.clone() else {
        return refused(
            "agent",
            "is missing: say which agent's session to join, or at which station to start one",
        );
    };
    if !settings.topics.is_empty() {
        return refused(
            "topics",
            "is not for this platform: a session has all its events",
        );
    }
    if !settings.channels.is_empty() {
        return refused(
            "channels",
            "is not for this platform: a session has all its events",
        );
    }
    if settings.redundancy == Redundancy::Double {
        return refused("redundancy", "must be 1: a session has one poller");
    }
    let connector = CxoneAgent::new(base, agent, settings)?;
    Ok(Built::Ready(vec![Arc::new(connector)]))
}

/// The engine's own 60 s before expiry suit a lifetime of an hour.
fn token(settings: &Settings) -> Result<TokenDefaults, SettingsError> {
    Ok(TokenDefaults {
        url: below(&base(&settings.endpoint)?, ["auth", "token"]),
        placement: CredentialPlacement::Basic,
        refresh_before: None,
    })
}

/// The endpoint as the base of requests, checked.
fn base(endpoint: &Url) -> Result<Url, SettingsError> {
    let host = endpoint.host_str().unwrap_or_default();
    let refused = |reason: &str| SettingsError::Endpoint {
        // Not all of it: what stands beside the host may be a secret.
        endpoint: format!("{}://{host}", endpoint.scheme()),
        reason: reason.to_owned(),
    };
    if !matches!(endpoint.scheme(), "http" | "https") {
        return Err(refused("the scheme is neither https nor http"));
    }
    if !endpoint.username().is_empty() || endpoint.password().is_some() {
        return Err(refused("credentials do not belong into an address"));
    }
    Ok(endpoint.clone())
}

/// An address below `base`, whose own path is kept. Each part is one segment, whatever it holds.
fn below<'a>(base: &Url, parts: impl IntoIterator<Item = &'a str>) -> Url {
    let mut url = base.clone();
    url.set_query(None);
    url.set_fragment(None);
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(parts);
    }
    url
}

/// Hosts that the platform may point to, besides the endpoint's own.
fn domains(endpoint: &Url) -> Vec<String> {
    if is_loopback(endpoint) {
        Vec::new()
    } else {
        DOMAINS.map(str::to_owned).to_vec()
    }
}

/// Whether an address is on this machine: then it is a sandbox, which names no other host.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
