//! What a driver does because its machine says so.

use std::sync::Arc;

use futures_util::future::{AbortHandle, abortable};
use tokio::sync::{mpsc, oneshot};

use super::{Connection, Driver, Ended};
use crate::connectors::Connector;
use crate::net::{Frame, HttpClient, HttpFailure, WebSocketRequest};
use crate::session::health::Asking;
use crate::session::machine::{Action, Generation, Input};
use crate::session::outbound::{Handover, Ticket};
use crate::session::socket::{self, Command, OUTGOING, Sending, Wire};

impl<C: HttpClient + 'static> Driver<C> {
    pub(super) fn perform(&mut self, action: Action) {
        match action {
            Action::AskToken => {
                let tokens = Arc::clone(&self.tokens);
                let asked = async move { Ended::Token(tokens.token().await) };
                self.tasks.push(Box::pin(asked));
            }
            Action::RejectToken(generation) => self.tokens.reject(generation),
            Action::Dial {
                generation,
                request,
            } => {
                if !self.http.paces_handshakes() {
                    return self.dial(generation, request);
                }
                self.backlog.push_back(Input::DialWaits { generation });
                let http = Arc::clone(&self.http);
                let (waiting, abort) = abortable(async move { http.handshake_turn().await });
                self.connecting(generation, abort);
                self.tasks.push(Box::pin(async move {
                    match waiting.await {
                        Ok(()) => Ended::Turn(generation, request),
                        Err(_) => Ended::Nothing,
                    }
                }));
            }
            Action::Send {
                generation,
                frame,
                kind,
            } => {
                let state = self.machine.state().word();
                let sending = Sending { frame, kind, state };
                self.command(generation, Command::Send(sending));
            }
            Action::Dispatch {
                generation,
                frames,
                handover,
                ticket,
            } => self.dispatch(generation, frames, handover, ticket),
            Action::Answer(ticket, answer) => {
                let epoch = self.journal.info().epoch;
                self.callers.answer(ticket, answer, epoch);
            }
            Action::Close { generation, code } => {
                let state = self.machine.state().word();
                self.command(generation, Command::Close { code, state });
            }
            Action::Drop { generation } => {
                if let Some(connection) = self.connections.remove(&generation) {
                    connection.abort.abort();
                }
            }
            Action::Call { call, request } => {
                let http = Arc::clone(&self.http);
                let (calling, abort) = abortable(async move { http.request(*request).await });
                self.calls.insert(call, abort);
                self.tasks.push(Box::pin(async move {
                    match calling.await {
                        Ok(result) => Ended::Answer(call, result),
                        Err(_) => Ended::Nothing,
                    }
                }));
            }
            Action::Cancel { call } => {
                if let Some(abort) = self.calls.remove(&call) {
                    abort.abort();
                }
            }
            Action::AskHealth(connector) => self.ask_health(connector),
            Action::DropHealth => {
                self.health_seen = 0;
                if let Some(asked) = self.health_asked.take() {
                    asked.abort();
                }
            }
            Action::Append { number, commit } => {
                let journal = Arc::clone(&self.journal);
                let turn = self.lane.turn(number);
                self.tasks.push(Box::pin(async move {
                    Ended::Appended(number, journal.append_in_turn(commit, turn).await)
                }));
            }
            Action::Post => {
                let vitals = self.machine.vitals(self.at());
                (self.posts)(self.machine.status(), vitals);
            }
        }
    }

    pub(super) fn dial(&mut self, generation: Generation, request: Box<WebSocketRequest>) {
        let http = Arc::clone(&self.http);
        let (dialling, abort) = abortable(async move { http.websocket(*request).await });
        self.connecting(generation, abort);
        self.tasks.push(Box::pin(async move {
            match dialling.await {
                Ok(result) => Ended::Dialled(generation, result),
                Err(_) => Ended::Nothing,
            }
        }));
    }

    fn connecting(&mut self, generation: Generation, abort: AbortHandle) {
        let commands = None;
        self.connections
            .insert(generation, Connection { abort, commands });
    }

    /// Queues the frames of a message; the last one carries it.
    fn dispatch(
        &mut self,
        generation: Generation,
        mut frames: Vec<Frame>,
        handover: Handover,
        ticket: Ticket,
    ) {
        let (kind, state) = ("message", self.machine.state().word());
        let Some(last) = frames.pop() else {
            return;
        };
        for frame in frames {
            self.command(generation, Command::Send(Sending { frame, kind, state }));
        }
        let (written, told) = oneshot::channel();
        let sending = Sending {
            frame: last,
            kind,
            state,
        };
        let message = Command::Message {
            sending,
            handover,
            written,
        };
        self.command(generation, message);
        self.tasks.push(Box::pin(async move {
            match told.await {
                Ok(()) => Ended::Written(generation, ticket),
                Err(_) => Ended::Nothing,
            }
        }));
    }

    /// Queues a command; a connection whose queue is full lets nothing out any more.
    fn command(&mut self, generation: Generation, command: Command) {
        let connection = self.connections.get(&generation);
        let Some(commands) = connection.and_then(|c| c.commands.as_ref()) else {
            return;
        };
        if let Err(mpsc::error::TrySendError::Full(_)) = commands.try_send(command) {
            let failure = HttpFailure::Reset("nothing can be sent on it".to_owned());
            self.backlog.push_back(Input::Closed {
                generation,
                failure: Some(failure),
            });
        }
    }

    /// Waits for the next health report, beside whatever else goes on.
    fn ask_health(&mut self, connector: Arc<dyn Connector>) {
        let asking = Asking {
            session: self.session.to_string(),
            every: self.health_interval,
            connector,
            http: Arc::clone(&self.http),
            tokens: Arc::clone(&self.tokens),
            clock: self.clock.clone(),
            rng: self.rng.clone(),
        };
        let (desk, seen) = (self.health.clone(), self.health_seen);
        let (next, abort) = abortable(async move { desk.next(&asking, seen).await });
        self.health_asked = Some(abort);
        self.tasks.push(Box::pin(async move {
            match next.await {
                Ok(report) => Ended::Health(report),
                Err(_) => Ended::Nothing,
            }
        }));
    }

    pub(super) fn run_socket(&mut self, generation: Generation, socket: C::Socket) {
        let (commands, queue) = mpsc::channel(OUTGOING);
        let (running, abort) = abortable(socket::run(
            Wire::new(&self.session, generation),
            Box::new(socket),
            queue,
            self.inbox.clone(),
        ));
        let commands = Some(commands);
        self.connections
            .insert(generation, Connection { abort, commands });
        self.tasks.push(Box::pin(async move {
            match running.await {
                Ok(()) | Err(_) => Ended::Nothing,
            }
        }));
    }
}
