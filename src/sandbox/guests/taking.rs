//! What becomes of a message that a guest sends: not read, refused, taken, taken late. Pure.

use std::time::Duration;

use super::agent;
use super::fault::{GuestFault, GuestFaultName as Name};
use super::guest::{Due, OnItsWay, Said, Utterance};
use super::record::{GuestMessage, Receipt, Via};
use super::state::State;
use super::{web_messaging, webchat};
use crate::domain::WallTime;
use crate::runtime::MonoTime;

/// What becomes of a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taking {
    /// It was taken: its number, and how late its echo is.
    Taken(u64, Duration),
    /// It was taken, and no echo comes.
    Silent,
    /// The connection is reset: before it was read, or after it was taken.
    Reset,
    /// It was taken, and the connection is reset in the middle of its echo.
    ResetInEcho(u64),
    /// It is one too many.
    Throttled(Duration),
    /// This code, and why.
    Refused(u16, &'static str),
}

/// The first half of a frame, and less than the frame's head promises.
pub(super) fn half(text: &str) -> String {
    let most = (text.len() / 2).min(2000);
    let mut end = 0;
    for (at, _) in text.char_indices().take_while(|(at, _)| *at <= most) {
        end = at;
    }
    text.get(..end).unwrap_or_default().to_owned()
}

impl State {
    /// A message of a guest whose session is known to the dialect.
    pub(super) fn take(&mut self, said: Said, now: (MonoTime, WallTime)) -> Taking {
        if self.strike(Name::CutBeforeTaking).is_some() {
            return Taking::Reset;
        }
        if let Some(GuestFault::LateArrival {
            after,
            after_history,
            echo,
        }) = self.strike(Name::LateArrival)
        {
            let session = said.session.clone();
            if let Some(number) = self.send_on_its_way(OnItsWay { said, echo }) {
                self.at(now.0 + after.0, Due::Arrival(number));
                if let Some(guest) = self.guests.get_mut(&session).filter(|_| after_history) {
                    guest.after_history.push(number);
                }
            }
            return Taking::Reset;
        }
        if self.strike(Name::ExpireSession).is_some() {
            self.expire(&said.session, now.0);
        }
        if let Err(refused) = self.admit_message(&said, now.0) {
            return refused;
        }
        let failing = match self.strike(Name::MessageError) {
            Some(GuestFault::MessageError { code, taken: false }) => {
                self.counters.messages_refused += 1;
                return Taking::Refused(code, "the request failed");
            }
            Some(GuestFault::MessageError { code, .. }) => Some(code),
            _ => None,
        };
        let number = self.enter(said, false, now);
        if let Some(code) = failing {
            let fault = Name::MessageError;
            self.receipt(number, Receipt::Lost { fault });
            return Taking::Refused(code, "the request failed");
        }
        if self.strike(Name::CutAfterTaking).is_some() {
            self.receipt(number, Receipt::Cut);
            return Taking::Reset;
        }
        if self.strike(Name::CutInEcho).is_some() {
            self.receipt(number, Receipt::Cut);
            return Taking::ResetInEcho(number);
        }
        if self.strike(Name::LostEcho).is_some() {
            let fault = Name::LostEcho;
            self.receipt(number, Receipt::Lost { fault });
            return Taking::Silent;
        }
        match self.strike(Name::LateEcho) {
            Some(GuestFault::LateEcho { delay }) => Taking::Taken(number, delay.0),
            _ => Taking::Taken(number, Duration::ZERO),
        }
    }

    /// Whether a session may say something now.
    fn admit_message(&mut self, said: &Said, now: MonoTime) -> Result<(), Taking> {
        let session = said.session.as_str();
        let most = self.config.messages_per_second;
        // On the socket of a chat no limit is documented.
        let limited = self.is_web_messaging() || said.via == Via::Rest;
        let problem = match self.guests.get(session) {
            None => Some((4007, "session not found")),
            Some(guest) if guest.expired => Some((4006, "session expired")),
            Some(guest) if guest.read_only => Some((403, "the conversation is read only")),
            Some(_) => None,
        };
        if let Some((code, why)) = problem {
            self.counters.messages_refused += 1;
            return Err(Taking::Refused(code, why));
        }
        let throttled = match self.strike(Name::Throttle) {
            Some(GuestFault::Throttle { retry_after }) => {
                Some(Duration::from_secs(retry_after.into()))
            }
            _ => {
                let guest = self.guests.get_mut(session).filter(|_| limited);
                guest.and_then(|guest| guest.pace.take(most, now).err())
            }
        };
        match throttled {
            Some(wait) => {
                self.counters.messages_throttled += 1;
                Err(Taking::Throttled(wait))
            }
            None => Ok(()),
        }
    }

    /// Enters a message into the record and the conversation; the agent hears it.
    fn enter(&mut self, said: Said, late: bool, (now, wall): (MonoTime, WallTime)) -> u64 {
        let shown = match self.strike(Name::HistoryLate) {
            Some(GuestFault::HistoryLate { delay }) => now + delay.0,
            _ => now,
        };
        let provider_id = self.uuid();
        self.counters.messages_taken += 1;
        self.counters.messages_over_rest += u64::from(said.via == Via::Rest);
        let (kept, reply) = (self.config.history, self.config.reply);
        let mut answers = Vec::new();
        let mut conversation = String::new();
        if let Some(guest) = self.guests.get_mut(&said.session) {
            conversation.clone_from(&guest.conversation);
            let utterance = Utterance {
                id: provider_id.clone(),
                at: wall,
                shown,
                inbound: true,
                request_id: said.request_id.clone(),
                text: said.text.clone(),
                content: said.content.clone(),
                choices: Vec::new(),
                ends: false,
            };
            guest.keep(utterance, kept);
            answers = agent::answer(reply, !guest.greeted, said.text.as_deref().unwrap_or(""));
            guest.greeted = true;
        }
        self.prolong(&said.session, (now, wall));
        for saying in answers {
            let due = now + self.config.reply_delay;
            self.at(due, Due::Saying(said.session.clone(), saying));
        }
        self.record.enter(|number| GuestMessage {
            number,
            at: wall,
            session: said.session,
            conversation,
            request_id: said.request_id,
            provider_id,
            text: said.text,
            content: said.content,
            attributes: said.attributes,
            via: said.via,
            connection: said.connection,
            late,
            receipt: match late {
                true => Receipt::Cut,
                false => Receipt::Waiting,
            },
        })
    }

    /// What was on its way when its connection was cut arrives; a session that is over takes nothing.
    pub(super) fn arrive_late(&mut self, number: u64, now: (MonoTime, WallTime)) {
        let Some(OnItsWay { said, echo }) = self.take_off_its_way(number) else {
            // It came when the history had been asked for.
            return;
        };
        let session = said.session.clone();
        let open = |guest: &&super::guest::Guest| !guest.expired && !guest.read_only;
        if self.guests.get(&session).filter(open).is_none() {
            return;
        }
        self.enter(said, true, now);
        let guest = self.guests.get(&session);
        let Some((sockets, utterance)) = guest.and_then(|guest| {
            let utterance = guest.history.back().filter(|_| echo)?;
            Some((guest.sockets.clone(), utterance.clone()))
        }) else {
            return;
        };
        for socket in sockets {
            let text = self.echo(&utterance);
            self.tell(socket, text, now.0);
        }
    }

    /// The history of a session was asked for and answered.
    pub(super) fn asked_for_history(&mut self, session: &str, now: (MonoTime, WallTime)) {
        let guest = self.guests.get_mut(session);
        let arriving = guest.map(|guest| std::mem::take(&mut guest.after_history));
        for number in arriving.into_iter().flatten() {
            self.arrive_late(number, now);
        }
    }

    /// The frame with which a guest is told that its message was taken.
    pub(super) fn echo(&self, utterance: &Utterance) -> String {
        match self.is_web_messaging() {
            true => web_messaging::echo(utterance),
            false => webchat::receipt(utterance),
        }
    }
}
