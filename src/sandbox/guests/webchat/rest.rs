//! REST of a chat: access tokens, guests, messages, who may open a socket. Pure.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use crate::domain::WallTime;
use crate::runtime::MonoTime;
use crate::sandbox::guests::fault::{GuestFault, GuestFaultName as Name};
use crate::sandbox::guests::guest::Said;
use crate::sandbox::guests::record::Via;
use crate::sandbox::guests::state::{State, error, refused};
use crate::sandbox::guests::taking::Taking;
use crate::sandbox::platform::{
    Answer, Cut, Delayed, Refusal, Reply, TokenRequest, UpgradeAnswer, code, token_answer,
};

/// `{"guest": {"email", "firstName", "lastName"}}`.
#[derive(Debug, Deserialize)]
struct NewGuest {
    guest: Person,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Person {
    email: String,
    first_name: String,
    last_name: String,
}

/// `{"type": "message", "content", "messageId"}`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewMessage {
    #[serde(rename = "type")]
    kind: String,
    content: String,
    message_id: String,
}

/// A status of HTTP for a code of the platform's list.
pub(super) const fn status_of(code: u16) -> u16 {
    match code {
        400..=599 => code,
        4006 => 410,
        4007 => 404,
        4000..=4999 => 400,
        _ => 500,
    }
}

impl State {
    /// The token endpoint.
    pub(in crate::sandbox::guests) fn answer_token(
        &mut self,
        request: TokenRequest<'_>,
        now: MonoTime,
    ) -> Delayed {
        let delay = match self.strike(Name::TokenSlow) {
            Some(GuestFault::TokenSlow { delay }) => delay.0,
            _ => Duration::ZERO,
        };
        let answer = match self.strike(Name::TokenDown) {
            Some(GuestFault::TokenDown { status }) => {
                Answer::error(status, code(status), "the token service is down")
            }
            _ => token_answer(match self.strike(Name::TokenError) {
                Some(GuestFault::TokenError { error }) => Err(Refusal::injected(error)),
                _ => self.tokens.grant(request, now),
            }),
        };
        let reply = answer.into();
        Delayed { reply, delay }
    }

    /// `POST /api/v2/webchat/guests`.
    pub(in crate::sandbox::guests) fn new_guest(
        &mut self,
        bearer: Option<&str>,
        body: &[u8],
        now: (MonoTime, WallTime),
    ) -> Answer {
        let good = bearer.and_then(|token| self.tokens.check(token, now.0));
        if good.is_none() {
            return error(401, "no good access token", None);
        }
        if let Some(GuestFault::RefuseGuest {
            status,
            retry_after,
        }) = self.strike(Name::RefuseGuest)
        {
            return error(status, "no guest can be made", retry_after);
        }
        let person = match serde_json::from_slice::<NewGuest>(body) {
            Ok(NewGuest { guest }) => guest,
            Err(problem) => return error(400, &problem.to_string(), None),
        };
        if [&person.email, &person.first_name, &person.last_name]
            .iter()
            .any(|f| f.is_empty())
        {
            return error(400, "email, firstName and lastName are wanted", None);
        }
        let id = self.uuid();
        let token = format!("guest-{:016x}{:016x}", self.rng.bits(), self.rng.bits());
        self.begin(&id, &token, now);
        let body = json!({
            "webchatInstanceId": id,
            "token": token,
            "expiresIn": self.config.session_duration.as_secs(),
        });
        let answer = Answer::json(200, body.to_string());
        match self.strike(Name::TruncatedBody) {
            Some(_) => Answer {
                cut: Cut::Connection,
                ..answer
            },
            None => answer,
        }
    }

    /// Whether a guest may use an instance; else the status and why.
    fn check_guest(&self, instance: &str, bearer: Option<&str>) -> Result<(), (u16, &'static str)> {
        match self.guests.get(instance) {
            None => Err((404, "no such instance")),
            Some(guest) if bearer != Some(guest.secret.as_str()) => {
                Err((401, "no good guest token"))
            }
            Some(guest) if guest.expired => Err((401, "the guest token has expired")),
            Some(guest) if guest.read_only => Err((410, "the conversation is ended")),
            Some(_) => Ok(()),
        }
    }

    /// Whether a guest may open the socket of an instance.
    pub(in crate::sandbox::guests) fn admit_guest(
        &mut self,
        instance: &str,
        bearer: Option<&str>,
    ) -> Option<UpgradeAnswer> {
        let problem = self.check_guest(instance, bearer).err().or_else(|| {
            match self.strike(Name::RefuseSession) {
                Some(GuestFault::RefuseSession { code }) => {
                    Some((status_of(code), "the session is refused"))
                }
                _ => None,
            }
        });
        let problem = problem.or_else(|| {
            self.strike(Name::ForgetSession)?;
            self.forget(instance);
            Some((404, "no such instance"))
        });
        problem.map(|(status, why)| refused(status, why, None))
    }

    /// A socket of an instance was opened.
    pub(in crate::sandbox::guests) fn enter_chat(
        &mut self,
        connection: u64,
        instance: &str,
        now: MonoTime,
    ) {
        self.attach(connection, instance, now);
        self.welcome(instance, now);
    }

    /// `POST /api/v2/webchat/instances/{id}/messages`. With it, the number of what was taken and is
    /// answered.
    pub(in crate::sandbox::guests) fn new_message(
        &mut self,
        (connection, instance): (u64, &str),
        bearer: Option<&str>,
        body: &[u8],
        now: (MonoTime, WallTime),
    ) -> (Delayed, Option<u64>) {
        if let Err((status, why)) = self.check_guest(instance, bearer) {
            self.counters.messages_refused += 1;
            return (error(status, why, None).into(), None);
        }
        let message = match serde_json::from_slice::<NewMessage>(body) {
            Ok(message) if message.kind == "message" => message,
            Ok(_) => return (error(400, "type is message", None).into(), None),
            Err(problem) => return (error(400, &problem.to_string(), None).into(), None),
        };
        let named = message.message_id.clone();
        let said = Said {
            session: instance.to_owned(),
            request_id: Some(message.message_id),
            text: Some(message.content),
            content: Vec::new(),
            attributes: std::collections::BTreeMap::new(),
            via: Via::Rest,
            connection,
        };
        let delay = Duration::ZERO;
        let reset = Delayed {
            reply: Reply::Reset,
            delay,
        };
        match self.take(said, now) {
            Taking::Reset | Taking::Silent => (reset, None),
            Taking::Throttled(wait) => {
                let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                let answer = error(429, "too many messages", Some(seconds.to_string()));
                (answer.into(), None)
            }
            Taking::Refused(code, why) => (error(status_of(code), why, None).into(), None),
            Taking::ResetInEcho(_) => {
                let answer = Answer {
                    cut: Cut::Connection,
                    ..taken(&named)
                };
                (answer.into(), None)
            }
            Taking::Taken(number, delay) => {
                let reply = taken(&named).into();
                (Delayed { reply, delay }, Some(number))
            }
        }
    }
}

fn taken(named: &str) -> Answer {
    let body = json!({ "type": "messageReceived", "messageId": named });
    Answer::json(200, body.to_string())
}
