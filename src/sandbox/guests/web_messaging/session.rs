//! `configureSession` and `closeSession`. Pure.

use serde_json::{Value, json};

use super::attachments::{BLOCKED_EXTENSIONS, FILE_TYPES, LARGEST_FILE};
use super::hear::{LARGEST_ATTRIBUTES, Request};
use crate::sandbox::guests::fault::{GuestFault, GuestFaultName as Name};
use crate::sandbox::guests::speaking::SUPERSEDED;
use crate::sandbox::guests::state::State;

/// What a session is answered with.
struct Answered {
    connected: bool,
    new: bool,
    cleared: bool,
}

impl State {
    /// Begins a session under a token that nobody has, or goes on with one.
    pub(super) fn configure(&mut self, request: Request<'_>) {
        let Request {
            connection,
            token,
            now,
            ..
        } = request;
        let problem = match request.text("deploymentId") {
            None => Some((4020, "missing parameter: deploymentId")),
            Some(id) if id != self.config.deployment_id => Some((400, "deployment not found")),
            Some(_) if !is_uuid(token) => Some((400, "the token is no UUID")),
            Some(_) => None,
        };
        let problem = problem.or_else(|| match self.strike(Name::RefuseSession) {
            Some(GuestFault::RefuseSession { code }) => Some((code, "the session is refused")),
            _ => None,
        });
        if let Some((code, why)) = problem {
            return self.refuse_request(request, code, why);
        }
        if self.guests.contains_key(token) && self.strike(Name::ForgetSession).is_some() {
            self.forget(token);
        }
        let known = self
            .guests
            .get(token)
            .map(|guest| (guest.expired, guest.read_only));
        let (new, cleared) = match (known, request.flag("startNew")) {
            (Some((true, _)), _) => return self.refuse_request(request, 4006, "session expired"),
            (None, _) => {
                self.begin(token, "", now);
                (true, false)
            }
            (Some((_, read_only)), true) => {
                self.begin_anew(token, now);
                (true, !read_only)
            }
            (Some(_), false) => {
                self.counters.sessions_resumed += 1;
                self.prolong(token, now);
                (false, false)
            }
        };
        let answered = Answered {
            connected: true,
            new,
            cleared,
        };
        let body = self.session_response(token, &answered);
        self.attach(connection, token, now.0);
        self.respond(
            connection,
            "SessionResponse",
            &body,
            request.tracing_id,
            now.0,
        );
    }

    fn session_response(&self, token: &str, answered: &Answered) -> Value {
        let guest = self.guests.get(token);
        let until = guest.map_or(0, |guest| guest.until.1.as_millis() / 1000);
        let types: Vec<_> = FILE_TYPES
            .iter()
            .map(|name| json!({ "type": name }))
            .collect();
        json!({
            "connected": answered.connected,
            "newSession": answered.new,
            "readOnly": guest.is_some_and(|guest| guest.read_only),
            "maxCustomDataBytes": LARGEST_ATTRIBUTES,
            "allowedMedia": {
                "inbound": { "fileTypes": types, "maxFileSizeKB": LARGEST_FILE / 1024 },
            },
            "blockedExtensions": BLOCKED_EXTENSIONS,
            "clearedExistingSession": answered.cleared,
            "durationSeconds": self.config.session_duration.as_secs(),
            "expirationDate": until,
        })
    }

    /// Closes this connection, or all of the session; the session itself stays.
    pub(super) fn close_session(&mut self, request: Request<'_>) {
        let Request {
            connection,
            token,
            now,
            ..
        } = request;
        if request.flag("closeAllConnections") {
            for socket in self.sockets_of(token) {
                if socket != connection {
                    self.supersede(socket, now.0);
                }
            }
        }
        let answered = Answered {
            connected: false,
            new: false,
            cleared: false,
        };
        let body = self.session_response(token, &answered);
        self.respond(
            connection,
            "SessionResponse",
            &body,
            request.tracing_id,
            now.0,
        );
        self.part(connection, SUPERSEDED.0, "closed");
    }
}

fn is_uuid(token: &str) -> bool {
    let lengths: Vec<_> = token.split('-').map(str::len).collect();
    let digit = |c: char| c.is_ascii_hexdigit() || c == '-';
    lengths == [8, 4, 4, 4, 12] && token.chars().all(digit)
}
