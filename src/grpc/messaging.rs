//! `MessagingService` over the guests' sessions.

use std::collections::BTreeMap;
use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::convert::{moment, unknown};
use super::identity::Gate;
use super::limits::{CallRefused, ConnectionStats};
use super::paging;
use super::status::{CallError, Of, RequestError, Resource};
use crate::domain::{JournalName, SessionName, WallTime, uuid_from_text};
use crate::proto::v1;
use crate::runtime::Clock;
use crate::session::outbound::{Content, NewMessage, Stage, UnknownOutcome};
use crate::session::{Guests, SessionBoard};
use v1::messaging_service_server::MessagingService;

/// What stands between a session's name and a message's.
const MESSAGES: &str = "/outboundMessages/";
/// Platforms take less; this keeps what must be refused out of the journal.
const LONGEST_TEXT: usize = 64 << 10;
const MOST_ATTRIBUTES: usize = 64;
const LONGEST_ATTRIBUTES: usize = 16 << 10;

/// The service.
#[derive(Debug)]
pub(super) struct Messaging {
    pub(super) stats: Arc<ConnectionStats>,
    pub(super) guests: Guests,
    pub(super) board: SessionBoard,
    pub(super) clock: Clock,
}

impl Messaging {
    /// Lets a call through that is about a session, or a message of one, of this name.
    fn pass(
        &self,
        gate: &Gate,
        session: Option<&SessionName>,
        name: &str,
    ) -> Result<(), RequestError> {
        let journal = session.and_then(|s| session_journal(&self.guests, &self.board, s));
        gate.pass_to(journal.as_ref(), name)?;
        gate.has_detail(|| name.to_owned());
        Ok(())
    }

    /// Why a session is not among the guests'.
    fn no_guest(&self, session: &SessionName) -> Status {
        let name = session.resource();
        match self.board.state(session) {
            Some(_) => Of(&name).receives_only(),
            None => no_session(&name).into(),
        }
    }
}

/// Something is sent to a platform: its principal may do so only as often as its quota says.
pub(super) fn spend(gate: &Gate, stats: &ConnectionStats) -> Result<(), RequestError> {
    let spent = gate.sends();
    spent.inspect_err(|_| stats.call_refused(CallRefused::Sends))
}

/// The journal that a session writes to, or wrote to.
pub(super) fn session_journal(
    guests: &Guests,
    board: &SessionBoard,
    session: &SessionName,
) -> Option<JournalName> {
    let posted = || JournalName::from_resource(&board.state(session)?.journal);
    guests.journal_of(session).or_else(posted)
}

fn no_session(name: &str) -> RequestError {
    RequestError::NotFound {
        resource: Resource::Session,
        name: name.to_owned(),
    }
}

/// What the journal holds under a message's name is not what we wrote there.
fn unreadable() -> CallError {
    CallError::Internal("the journal's entry of the message cannot be read")
}

fn session_of(parent: &str) -> Result<SessionName, RequestError> {
    SessionName::from_resource(parent).ok_or_else(|| no_session(parent))
}

/// The session in a message's name, whatever follows it.
fn session_in(name: &str) -> Option<SessionName> {
    SessionName::from_resource(name.split_once(MESSAGES)?.0)
}

/// The parts of `sessions/{session}/outboundMessages/{outbound_message}`.
fn message_of(name: &str) -> Result<(SessionName, String), Status> {
    let parts = name.split_once(MESSAGES).and_then(|(session, id)| {
        Some((SessionName::from_resource(session)?, uuid_from_text(id)?))
    });
    parts.ok_or_else(|| Of(name).no_message())
}

fn invalid(field: &'static str, problem: impl Into<String>) -> RequestError {
    RequestError::Invalid {
        field,
        problem: problem.into(),
    }
}

/// The checked request.
fn new_message(
    request: v1::SendMessageRequest,
    now: WallTime,
) -> Result<(SessionName, NewMessage, Stage), RequestError> {
    let session = session_of(&request.parent)?;
    let id = uuid_from_text(&request.request_id).ok_or_else(|| {
        invalid(
            "request_id",
            "must be a UUID, such as one made anew for each message",
        )
    })?;
    let message = request
        .message
        .ok_or_else(|| invalid("message", "is required"))?;
    let content = content(message.content)?;
    let expire_time = message.expire_time.as_ref();
    let expire_time = expire_time
        .map(|time| moment("message.expire_time", time))
        .transpose()?;
    if expire_time.is_some_and(|time| time <= now) {
        return Err(invalid("message.expire_time", "must be in the future"));
    }
    let stage = match v1::SendStage::try_from(request.wait_for) {
        Ok(v1::SendStage::Unspecified | v1::SendStage::Accepted) => Stage::Accepted,
        Ok(v1::SendStage::Sent) => Stage::Sent,
        Ok(v1::SendStage::Acknowledged) => Stage::Acknowledged,
        Err(_) => return Err(unknown("wait_for", request.wait_for)),
    };
    let policy = request.unknown_outcome_policy;
    let unknown_outcome = match v1::UnknownOutcomePolicy::try_from(policy) {
        Ok(v1::UnknownOutcomePolicy::Unspecified) => None,
        Ok(v1::UnknownOutcomePolicy::Report) => Some(UnknownOutcome::Report),
        Ok(v1::UnknownOutcomePolicy::Resend) => Some(UnknownOutcome::Resend),
        Err(_) => return Err(unknown("unknown_outcome_policy", policy)),
    };
    let message = NewMessage {
        id,
        content,
        attributes: attributes("message.custom_attributes", message.custom_attributes)?,
        expire_time,
        unknown_outcome,
    };
    Ok((session, message, stage))
}

fn content(content: Option<v1::outbound_message::Content>) -> Result<Content, RequestError> {
    use v1::outbound_message::Content as Given;
    let (field, given, content) = match content {
        None => {
            return Err(invalid(
                "message.content",
                "one of text, quick_reply and attachment is required",
            ));
        }
        Some(Given::Text(v1::TextContent { text })) => {
            ("message.text.text", text.len(), Content::Text { text })
        }
        Some(Given::QuickReply(v1::QuickReplyContent { text, payload })) => {
            let field = "message.quick_reply.payload";
            (
                field,
                payload.len().max(text.len()),
                Content::QuickReply { text, payload },
            )
        }
        Some(Given::Attachment(v1::AttachmentContent { attachment_id: id })) => (
            "message.attachment.attachment_id",
            id.len(),
            Content::Attachment { id },
        ),
    };
    match given {
        0 => Err(invalid(field, "must not be empty")),
        1..=LONGEST_TEXT => Ok(content),
        _ => Err(invalid(
            field,
            format!("has {given} bytes; at most {LONGEST_TEXT} are taken"),
        )),
    }
}

/// What an agent is shown; bounded, for it is kept.
pub(super) fn attributes(
    field: &'static str,
    given: impl IntoIterator<Item = (String, String)>,
) -> Result<BTreeMap<String, String>, RequestError> {
    let attributes: BTreeMap<_, _> = given.into_iter().collect();
    let bytes: usize = attributes.iter().map(|(k, v)| k.len() + v.len()).sum();
    if attributes.len() > MOST_ATTRIBUTES || bytes > LONGEST_ATTRIBUTES {
        let count = attributes.len();
        return Err(invalid(
            field,
            format!(
                "has {count} entries of {bytes} bytes; at most {MOST_ATTRIBUTES} of \
                 {LONGEST_ATTRIBUTES} bytes together are taken"
            ),
        ));
    }
    Ok(attributes)
}

#[tonic::async_trait]
impl MessagingService for Messaging {
    async fn send_message(
        &self,
        request: Request<v1::SendMessageRequest>,
    ) -> Result<Response<v1::SendMessageResponse>, Status> {
        let gate = Gate::of(request.extensions())?;
        let parent = &request.get_ref().parent;
        self.pass(&gate, SessionName::from_resource(parent).as_ref(), parent)?;
        let (session, message, stage) = new_message(request.into_inner(), self.clock.wall())?;
        spend(&gate, &self.stats)?;
        let name = format!("{}{MESSAGES}{}", session.resource(), message.id);
        let sent = self.guests.send(&session, message, stage).await;
        let taken = sent
            .ok_or_else(|| self.no_guest(&session))?
            .map_err(|problem| Of(&name).send(&problem))?;
        Ok(Response::new(v1::SendMessageResponse {
            message: Some(taken.message),
            position: Some(v1::Position {
                epoch: taken.position.epoch.to_string(),
                sequence: taken.position.sequence.get(),
            }),
        }))
    }

    async fn get_outbound_message(
        &self,
        request: Request<v1::GetOutboundMessageRequest>,
    ) -> Result<Response<v1::GetOutboundMessageResponse>, Status> {
        let gate = Gate::of(request.extensions())?;
        let name = &request.get_ref().name;
        self.pass(&gate, session_in(name).as_ref(), name)?;
        let (session, id) = message_of(name)?;
        let taken = self.guests.message(&session, &id);
        let taken = taken.ok_or_else(|| Of(name).no_message())?;
        let message = Some(taken.map_err(|_| unreadable())?.message);
        Ok(Response::new(v1::GetOutboundMessageResponse { message }))
    }

    async fn list_outbound_messages(
        &self,
        request: Request<v1::ListOutboundMessagesRequest>,
    ) -> Result<Response<v1::ListOutboundMessagesResponse>, Status> {
        let gate = Gate::of(request.extensions())?;
        let asked = request.get_ref();
        let parent = &asked.parent;
        self.pass(&gate, SessionName::from_resource(parent).as_ref(), parent)?;
        let session = session_of(parent)?;
        let all = self
            .guests
            .messages(&session)
            .ok_or_else(|| self.no_guest(&session))?
            .map_err(|_| unreadable())?;
        // In the order in which they were accepted.
        let all = all.into_iter();
        let all = all.map(|taken| {
            (
                format!("{:020}", taken.position.sequence.get()),
                taken.message,
            )
        });
        let (messages, next_page_token) = paging::page(all, asked.page_size, &asked.page_token)?;
        Ok(Response::new(v1::ListOutboundMessagesResponse {
            messages,
            next_page_token,
        }))
    }

    async fn cancel_outbound_message(
        &self,
        request: Request<v1::CancelOutboundMessageRequest>,
    ) -> Result<Response<v1::CancelOutboundMessageResponse>, Status> {
        let gate = Gate::of(request.extensions())?;
        let name = &request.get_ref().name;
        self.pass(&gate, session_in(name).as_ref(), name)?;
        let (session, id) = message_of(name)?;
        let cancelled = self.guests.cancel(&session, &id).await;
        let message = cancelled
            .ok_or_else(|| self.no_guest(&session))?
            .map_err(|problem| Of(name).cancel(&problem))?;
        let message = Some(message);
        Ok(Response::new(v1::CancelOutboundMessageResponse { message }))
    }
}
