//! [`Desk`]: the JWTs for the history, and the attachments. Pure.

use std::collections::BTreeMap;

use serde_json::json;

use super::attachments::Attachment;
use crate::domain::WallTime;
use crate::runtime::MonoTime;
use crate::sandbox::guests::fault::{GuestFault, GuestFaultName as Name};
use crate::sandbox::guests::state::State;

/// JWTs that are valid at once; those that expire first make way.
const MOST_JWTS: usize = 200_000;

/// What the platform hands out beside the conversation.
#[derive(Debug, Default)]
pub(in crate::sandbox::guests) struct Desk {
    /// Whose each JWT is, and until when it is good.
    jwts: BTreeMap<String, (String, MonoTime)>,
    /// In the order in which they were issued, and so expire.
    by_age: std::collections::VecDeque<String>,
    pub(super) attachments: BTreeMap<String, Attachment>,
    /// Bytes of all attachments.
    pub(super) bytes: usize,
}

impl Desk {
    /// Whose JWT this is, while it is good.
    pub(super) fn bearer(&self, jwt: &str, now: MonoTime) -> Option<String> {
        let (session, until) = self.jwts.get(jwt)?;
        (*until > now).then(|| session.clone())
    }

    fn issue(&mut self, jwt: String, session: String, until: MonoTime, now: MonoTime) {
        while let Some(oldest) = self.by_age.front() {
            let good = self.jwts.get(oldest).is_some_and(|(_, until)| *until > now);
            if good && self.by_age.len() < MOST_JWTS {
                break;
            }
            self.jwts.remove(oldest);
            self.by_age.pop_front();
        }
        self.by_age.push_back(jwt.clone());
        self.jwts.insert(jwt, (session, until));
    }

    /// Every JWT issued so far stops being valid.
    pub(in crate::sandbox::guests) fn expire_jwts(&mut self) {
        self.jwts.clear();
        self.by_age.clear();
    }
}

impl State {
    /// `getJwt`: with it the history is asked for.
    pub(super) fn get_jwt(
        &mut self,
        connection: u64,
        session: &str,
        tracing_id: Option<&str>,
        (now, wall): (MonoTime, WallTime),
    ) {
        if let Some(GuestFault::RefuseJwt { code }) = self.strike(Name::RefuseJwt) {
            let why = "User is unauthorized";
            return self.refuse(connection, (code, why), tracing_id, now);
        }
        self.counters.jwts += 1;
        let part = |_| format!("{:016x}{:016x}", self.rng.bits(), self.rng.bits());
        let jwt = [0, 1, 2].map(part).join(".");
        let lifetime = self.config.jwt_lifetime;
        self.desk
            .issue(jwt.clone(), session.to_owned(), now + lifetime, now);
        let exp = wall.plus(lifetime).as_millis() / 1000;
        let body = json!({ "jwt": jwt, "exp": exp });
        self.respond(connection, "JwtResponse", &body, tracing_id, now);
    }
}
