//! Checks of `sessions`: names, journals, platforms, addresses, channels and timing.

use std::collections::BTreeMap;

use url::{Host, Url};

use super::Checks;
use crate::config::findings::Code;
use crate::config::key::KeyPath;
use crate::config::suggest::nearest;
use crate::connectors;
use crate::runtime::HumanDuration;
use crate::session::{SessionConfig, TimingConfig};

const fn ms(millis: u64) -> HumanDuration {
    HumanDuration::from_millis(millis)
}

const fn s(seconds: u64) -> HumanDuration {
    HumanDuration::from_secs(seconds)
}

type Timing = (
    &'static str,
    fn(&TimingConfig) -> HumanDuration,
    HumanDuration,
    HumanDuration,
);

/// What each deadline and interval may be. The least keeps loops from running hot, the most keeps
/// a dead connection from going unnoticed.
const TIMINGS: [Timing; 11] = [
    ("probe_timeout", |t| t.probe_timeout, ms(10), s(60)),
    (
        "failback_interval",
        |t| t.failback_interval,
        ms(10),
        s(86_400),
    ),
    ("poll_timeout", |t| t.poll_timeout, ms(10), s(600)),
    ("websocket_ping", |t| t.websocket_ping, ms(10), s(600)),
    ("pong_timeout", |t| t.pong_timeout, ms(10), s(600)),
    ("review_latency", |t| t.review_latency, ms(1), s(3600)),
    ("reorder_window", |t| t.reorder_window, ms(0), s(300)),
    (
        "token_refresh_before",
        |t| t.token_refresh_before,
        ms(0),
        s(3600),
    ),
    ("health_interval", |t| t.health_interval, ms(10), s(3600)),
    ("degraded_latency", |t| t.degraded_latency, ms(1), s(60)),
    ("outbound_ttl", |t| t.outbound_ttl, s(1), s(86_400)),
];
const BACKOFF_LEAST: HumanDuration = ms(1);
const BACKOFF_MOST: HumanDuration = s(3600);

impl Checks<'_> {
    pub(super) fn sessions(&mut self) {
        let config = self.config;
        let all = KeyPath::root().key("sessions");
        if config.sessions.is_empty() && config.session_templates.is_empty() {
            let hint = "describe a session, or nothing will ever be received";
            if self.tree.find(&all).is_some() {
                self.warning(Code::OutOfRange, &all, "holds no session", hint);
            } else {
                self.error(Code::MissingKey, &all, "is missing", hint);
            }
        }
        let mut names = BTreeMap::new();
        for (index, session) in config.sessions.iter().enumerate() {
            let at = all.index(index);
            let name = at.key("name");
            match names.get(&session.name) {
                Some(first) => {
                    let message = format!("is the name of {first} too");
                    self.error(
                        Code::NotUnique,
                        &name,
                        message,
                        "give each session its own name",
                    );
                }
                None if self.is_sound(&name) => {
                    names.insert(&session.name, at.clone());
                }
                None => {}
            }
            self.session(&at, session);
        }
        self.shared_rates(&all);
        if let Some(file) = &config.state_key_file {
            self.expect_file(&KeyPath::root().key("state_key_file"), file);
        }
    }

    pub(super) fn session(&mut self, at: &KeyPath, session: &SessionConfig) {
        self.journal_of(&at.key("journal"), session);
        self.platform_of(&at.key("platform"), session);
        self.url(
            &at.key("endpoint"),
            &session.endpoint,
            session.allow_plaintext,
        );
        let others = at.key("alternative_endpoints");
        for (index, endpoint) in session.alternative_endpoints.iter().enumerate() {
            let at = others.index(index);
            self.url(&at, endpoint, session.allow_plaintext);
            let before = session.endpoints().take(index + 1);
            if before.into_iter().any(|earlier| earlier == endpoint) {
                let hint = "name each address once, and not that of endpoint";
                self.warning(Code::NotUnique, &at, "is named before", hint);
            }
        }
        for (index, domain) in session.allowed_domains.iter().enumerate() {
            // A bare host name: what parses to itself as the host of a URL.
            let host = Host::parse(domain).map(|host| host.to_string());
            let bare = host.is_ok_and(|host| host == *domain) && !domain.contains('*');
            if !bare {
                let hint = "write the bare name in lower case, such as mypurecloud.de";
                let at = at.key("allowed_domains").index(index);
                self.error(Code::WrongForm, &at, "must be the name of a host", hint);
            }
        }
        self.tls(&at.key("tls"), session);
        self.proxy(&at.key("proxy"), session);
        self.timing(&at.key("timing"), &session.timing);
        self.auth(&at.key("auth"), session);
        self.subscription(at, session);
    }

    /// Sessions of one credential share its budget (U40): the lowest counts.
    fn shared_rates(&mut self, all: &KeyPath) {
        let config = self.config;
        let mut rates = BTreeMap::new();
        for (index, session) in config.sessions.iter().enumerate() {
            let at = all.index(index);
            let auth = &session.auth;
            let own = connectors::token_defaults(&session.settings());
            let url = auth.token_url.clone().or(own.ok().map(|own| own.url));
            let client = (&auth.client_id_file, &auth.client_id_env);
            if !self.is_sound(&at.key("auth")) || client == (&None, &None) {
                continue;
            }
            let rate = session.rate_limit.per_minute;
            let (first, theirs) = *rates.entry((url, client)).or_insert((index, rate));
            if rate != theirs {
                let first = all.index(first);
                let message = format!("is not that of {first}, {theirs}, with the same credential");
                let hint = "give both the same: the lower counts for both";
                let at = at.key("rate_limit").key("per_minute");
                self.warning(Code::Conflict, &at, message, hint);
            }
        }
    }

    fn journal_of(&mut self, at: &KeyPath, session: &SessionConfig) {
        let config = self.config;
        if !self.is_sound(&KeyPath::root().key("journals")) {
            return;
        }
        let names: Vec<_> = config
            .journals
            .iter()
            .map(|journal| journal.name.as_str())
            .collect();
        match &session.journal {
            Some(name) if !names.contains(&name.as_str()) => {
                let hint = match nearest(name.as_str(), names.iter().copied()) {
                    Some(meant) => format!("did you mean '{meant}'?"),
                    None => format!("there are: {}", names.join(", ")),
                };
                // A journal whose name is in doubt may be the one that is meant.
                let all = KeyPath::root().key("journals");
                let certain = (0..names.len()).all(|i| self.is_sound(&all.index(i).key("name")));
                if certain {
                    self.error(Code::NotFound, at, "must name a journal of this file", hint);
                }
            }
            None if names.len() > 1 => {
                let hint = format!("name one of {}", names.join(", "));
                self.error(
                    Code::MissingKey,
                    at,
                    "is missing: there are several journals",
                    hint,
                );
            }
            _ => {}
        }
    }

    fn platform_of(&mut self, at: &KeyPath, session: &SessionConfig) {
        let known = &self.sources.platforms;
        if !known.contains(&session.platform.as_str()) {
            let hint = match nearest(&session.platform, known.iter().copied()) {
                Some(meant) => format!("did you mean '{meant}'?"),
                None => format!("there are: {}", known.join(", ")),
            };
            self.error(
                Code::NotFound,
                at,
                "is not a platform that is built in",
                hint,
            );
        }
    }

    /// An address of the platform: encrypted unless it stays on this machine, without credentials.
    pub(super) fn url(&mut self, at: &KeyPath, url: &Url, allow_plaintext: bool) {
        if !matches!(url.scheme(), "http" | "https") {
            let hint = "write https://…; the address of the WebSocket follows from it";
            self.error(Code::WrongForm, at, "must begin with https://", hint);
            return;
        }
        if url.scheme() == "http" && !allow_plaintext && !is_loopback(url) {
            let hint = "write https://, or set allow_plaintext: true and accept that tokens and \
                        events can be read on the way";
            self.error(
                Code::Insecure,
                at,
                "must be encrypted beyond this machine",
                hint,
            );
        }
        if !url.username().is_empty() || url.password().is_some() {
            let hint = "take them out of the address; 'auth' names where they are";
            self.error(Code::InlineSecret, at, "must not hold credentials", hint);
        }
        if url.query().is_some() || url.fragment().is_some() {
            let hint = "remove what follows '?' or '#'";
            self.error(Code::WrongForm, at, "must end before any '?' or '#'", hint);
        }
    }

    fn timing(&mut self, at: &KeyPath, timing: &TimingConfig) {
        for (name, get, least, most) in TIMINGS {
            if !(least..=most).contains(&get(timing)) {
                let message = format!("must be from {least} to {most}");
                let default = get(&TimingConfig::default());
                let hint = format!("the default is {default}");
                self.error(Code::OutOfRange, &at.key(name), message, hint);
            }
        }
        let (pong, ping) = (at.key("pong_timeout"), at.key("websocket_ping"));
        if timing.pong_timeout >= timing.websocket_ping && self.is_sound(&ping) {
            let message = format!(
                "must be shorter than websocket_ping, {}",
                timing.websocket_ping
            );
            let at = if self.tree.find(&pong).is_some() {
                pong
            } else {
                ping
            };
            self.error(
                Code::Conflict,
                &at,
                message,
                "lower pong_timeout or raise websocket_ping",
            );
        }
        let backoff = at.key("backoff");
        let (base, cap) = (backoff.key("base"), backoff.key("cap"));
        for (at, given) in [(&base, timing.backoff.base), (&cap, timing.backoff.cap)] {
            if !(BACKOFF_LEAST..=BACKOFF_MOST).contains(&given) {
                let message = format!("must be from {BACKOFF_LEAST} to {BACKOFF_MOST}");
                self.error(Code::OutOfRange, at, message, "the defaults are 1s and 30s");
            }
        }
        if timing.backoff.base > timing.backoff.cap && self.is_sound(&cap) {
            let message = format!("must be at most cap, {}", timing.backoff.cap);
            let at = if self.tree.find(&base).is_some() {
                base
            } else {
                cap
            };
            self.error(Code::Conflict, &at, message, "lower base or raise cap");
        }
    }
}

pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}
