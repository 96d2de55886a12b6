//! Answers to single requests: tokens, handshakes, history, health. Pure.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Deserialize;

use super::answer::{Answer, Delayed, UpgradeAnswer, code, whole, whole_seconds};
use super::batch::batch;
use super::record::Transport;
use super::state::{State, SubscriptionKey};
use super::subscription::{Numbered, Past};
use super::tokens::{Granted, Refusal, TokenRequest};
use crate::domain::WallTime;
use crate::runtime::MonoTime;
use crate::sandbox::fault::{Fault, FaultName};

impl State {
    /// `POST /oauth/token`.
    pub(crate) fn answer_token(&mut self, request: TokenRequest<'_>, now: MonoTime) -> Delayed {
        let delay = match self.strike(FaultName::TokenSlow) {
            Some(Fault::TokenSlow { delay }) => delay.0,
            _ => Duration::ZERO,
        };
        if let Some(Fault::TokenDown { status }) = self.strike(FaultName::TokenDown) {
            let answer = Answer::error(status, code(status), "the token service is down");
            let reply = answer.into();
            return Delayed { reply, delay };
        }
        let granted = match self.strike(FaultName::TokenError) {
            Some(Fault::TokenError { error }) => Err(Refusal::injected(error)),
            _ => self.tokens.grant(request, now),
        };
        let answer = token_answer(granted);
        let reply = answer.into();
        Delayed { reply, delay }
    }

    /// `GET …/events/subscribe` with `Upgrade`.
    pub(crate) fn answer_upgrade(
        &mut self,
        bearer: Option<&str>,
        probe: bool,
        now: MonoTime,
    ) -> UpgradeAnswer {
        if self.strike(FaultName::Swallow101).is_some() {
            return UpgradeAnswer::Swallow;
        }
        if let Some(Fault::StripUpgrade { status }) = self.strike(FaultName::StripUpgrade) {
            let answer = Answer::error(status, code(status), "upgrade is not supported here");
            return UpgradeAnswer::Plain(answer.into());
        }
        let refused = match bearer {
            None if probe && self.config.probe_status == 101 => None,
            None if probe => {
                let status = self.config.probe_status;
                Some(Answer::error(status, code(status), "no credentials"))
            }
            _ => self.authorize(bearer, now).err(),
        };
        match refused {
            Some(answer) => UpgradeAnswer::Plain(answer.into()),
            None => UpgradeAnswer::Switch,
        }
    }

    /// The client behind a bearer, held to its rate.
    fn authorize(&mut self, bearer: Option<&str>, now: MonoTime) -> Result<usize, Answer> {
        let client = self.authenticate(bearer, now)?;
        if let Some(throttle) = self.throttles.get_mut(client) {
            throttle.take(now).map_err(Answer::throttled)?;
        }
        Ok(client)
    }

    /// The client behind a bearer.
    pub(crate) fn authenticate(
        &self,
        bearer: Option<&str>,
        now: MonoTime,
    ) -> Result<usize, Answer> {
        let message = match bearer {
            None => "no authentication bearer token",
            Some(token) => match self.access(token, now) {
                Some(access) => return Ok(access.client),
                None => "invalid or expired token",
            },
        };
        Err(Answer::error(401, code(401), message))
    }

    /// The subscription that a client asks for.
    pub(crate) fn key(
        &self,
        client: usize,
        channels: &[String],
    ) -> Result<SubscriptionKey, Answer> {
        let config = &self.config;
        if channels.is_empty() {
            return Err(Answer::error(400, code(400), "no channels"));
        }
        if let Some(name) = channels
            .iter()
            .find(|name| config.forbidden_channels.contains(name))
        {
            return Err(Answer::error(
                403,
                code(403),
                &format!("channel {name} is not permitted"),
            ));
        }
        if let Some(name) = channels.iter().find(|name| !config.channels.contains(name)) {
            return Err(Answer::error(
                400,
                code(400),
                &format!("channel {name} does not exist"),
            ));
        }
        Ok(SubscriptionKey {
            client,
            channels: channels.iter().map(|name| name.as_str().into()).collect(),
        })
    }

    /// `GET …/events/history`.
    pub(crate) fn answer_history(
        &mut self,
        connection: u64,
        bearer: Option<&str>,
        query: &str,
        (now, wall): (MonoTime, WallTime),
    ) -> Delayed {
        let delay = match self.strike(FaultName::HistorySlow) {
            Some(Fault::HistorySlow { delay }) => delay.0,
            _ => Duration::ZERO,
        };
        let found = self
            .authorize(bearer, now)
            .and_then(|client| self.history(client, query));
        let answer = match found {
            Ok((events, sequence)) => {
                let body = batch(self.config.dialect.words(), &events, sequence);
                let kind = Transport::Request;
                self.delivered(connection, kind, wall, (&events, sequence), body.len());
                Answer::json(200, body)
            }
            Err(refused) => refused,
        };
        let reply = answer.into();
        Delayed { reply, delay }
    }

    fn history(&mut self, client: usize, query: &str) -> Result<(Vec<Numbered>, u64), Answer> {
        if let Some(Fault::HistoryDown { status }) = self.strike(FaultName::HistoryDown) {
            return Err(Answer::error(status, code(status), "the history is down"));
        }
        if let Some(Fault::HistoryGone { status }) = self.strike(FaultName::HistoryGone) {
            return Err(Answer::error(status, code(status), "no longer kept"));
        }
        let bad = |message: &str| Answer::error(400, code(400), message);
        let query = HistoryQuery::parse(query).ok_or_else(|| {
            bad("after, through and channels are needed, and after is below through")
        })?;
        let key = self.key(client, &query.channels)?;
        let Some(subscription) = self.subscription(&key) else {
            return Err(Answer::error(404, code(404), "no such subscription"));
        };
        match subscription.past(query.after, query.through, self.batch_limit()) {
            Past::Found { events, sequence } => Ok((events, sequence)),
            Past::Gone => Err(Answer::error(410, code(410), "no longer kept")),
            Past::Missing => Err(Answer::error(404, code(404), "not found")),
        }
    }

    /// `GET …/system/health`.
    pub(crate) fn answer_health(&mut self, bearer: Option<&str>, now: MonoTime) -> Delayed {
        if let Some(Fault::HealthDown { status }) = self.strike(FaultName::HealthDown) {
            return Answer::error(status, code(status), "not healthy").into();
        }
        match self.authorize(bearer, now) {
            Ok(_) => Answer::json(200, "{\"status\":\"UP\"}".to_owned()).into(),
            Err(refused) => refused.into(),
        }
    }
}

/// What the token endpoint answers, after RFC 6749.
pub(crate) fn token_answer(granted: Result<Granted, Refusal>) -> Answer {
    match granted {
        Ok(granted) => {
            let mut body = serde_json::json!({
                "access_token": granted.access_token,
                "token_type": "bearer",
                "expires_in": whole(granted.lifetime),
            });
            if let (Some(token), Some(body)) = (granted.refresh_token, body.as_object_mut()) {
                body.insert("refresh_token".to_owned(), token.into());
            }
            Answer::json(200, body.to_string())
        }
        Err(refusal) => Answer {
            retry_after: refusal.retry_after.map(whole_seconds),
            ..Answer::json(
                refusal.status,
                serde_json::json!({
                    "error": refusal.error,
                    "error_description": refusal.description,
                })
                .to_string(),
            )
        },
    }
}

#[derive(Debug)]
struct HistoryQuery {
    after: u64,
    through: u64,
    channels: Vec<String>,
}

impl HistoryQuery {
    fn parse(query: &str) -> Option<Self> {
        let (mut after, mut through, mut channels) = (None, None, Vec::new());
        for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match &*key {
                "after" => after = value.parse().ok(),
                "through" => through = value.parse().ok(),
                "channels" => channels.extend(value.split(',').map(str::to_owned)),
                _ => {}
            }
        }
        let (after, through) = (after?, through?);
        (after < through && !channels.is_empty()).then_some(Self {
            after,
            through,
            channels,
        })
    }
}

/// The body of a poll, and the first frame of a WebSocket.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct SubscribeRequest {
    pub(crate) channels: Vec<String>,
    pub(crate) polling: bool,
    pub(crate) sequence: u64,
}

impl SubscribeRequest {
    /// Reads a request for one transport; unknown keys are ignored, as the platform does.
    pub(crate) fn parse(text: &[u8], polling: bool) -> Result<Self, Answer> {
        let bad = |message: &str| Answer::error(400, code(400), message);
        let request: Self = serde_json::from_slice(text)
            .map_err(|error| bad(&format!("subscription request: {error}")))?;
        if request.polling != polling {
            return Err(bad("polling does not fit the transport"));
        }
        let distinct: BTreeSet<_> = request.channels.iter().collect();
        if distinct.len() != request.channels.len() {
            return Err(bad("a channel is named twice"));
        }
        Ok(request)
    }
}
