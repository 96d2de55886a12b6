//! [`Senders`]: an application that opens guests' sessions and sends in them, and asks again with the
//! same id for as long as it takes.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use tieline::client::Address;
use tieline::domain::uuid;
use tieline::proto::v1;
use tieline::runtime::Rng;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tonic::{Code, Response, Status};
use v1::messaging_service_client::MessagingServiceClient;
use v1::session_service_client::SessionServiceClient;

use super::place::TEMPLATE;

/// How soon an application asks again.
const AGAIN: Duration = Duration::from_millis(25);
/// No message takes longer to be taken.
const PATIENCE: Duration = Duration::from_secs(300);
/// One guest in so many has what may have arrived sent again.
const RESENDING: usize = 10;

/// A message that was taken.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) guest: usize,
    pub(super) place: usize,
    pub(super) resend: bool,
}

/// What was taken, by request id.
pub(super) type AllSent = BTreeMap<String, Sent>;

/// Guests that send.
#[derive(Debug)]
pub(super) struct Senders {
    tasks: JoinSet<AllSent>,
    sent: AllSent,
}

impl Senders {
    pub(super) fn start(address: &Address, guests: usize, messages: usize, rng: &Rng) -> Self {
        let mut tasks = JoinSet::new();
        for guest in 0..guests {
            let address = address.clone();
            let rng = rng.fork(&format!("guest {guest}"));
            tasks.spawn(async move {
                let speaking = speak(&address, guest, messages, &rng);
                timeout(PATIENCE, speaking)
                    .await
                    .expect("everything is taken")
            });
        }
        Self {
            tasks,
            sent: AllSent::new(),
        }
    }

    /// Whether every message was taken.
    pub(super) fn are_done(&mut self) -> bool {
        while let Some(done) = self.tasks.try_join_next() {
            self.sent.extend(done.unwrap());
        }
        self.tasks.is_empty()
    }

    pub(super) async fn finish(mut self) -> AllSent {
        while let Some(done) = self.tasks.join_next().await {
            self.sent.extend(done.unwrap());
        }
        self.sent
    }
}

async fn speak(address: &Address, guest: usize, messages: usize, rng: &Rng) -> AllSent {
    let channel = address.channel().unwrap();
    let sessions = SessionServiceClient::new(channel.clone());
    let messaging = MessagingServiceClient::new(channel);
    let session = format!("guest-{guest}");
    taken(|| {
        let (mut sessions, session) = (sessions.clone(), session.clone());
        async move {
            let request = v1::CreateSessionRequest {
                template: TEMPLATE.to_owned(),
                session_id: session,
                guest_attributes: ["email", "firstName", "lastName"]
                    .map(|key| (key.to_owned(), key.to_owned()))
                    .into(),
            };
            sessions.create_session(request).await
        }
    })
    .await;
    let mut sent = AllSent::new();
    for place in 0..messages {
        let id = uuid(rng.secret_bits().unwrap());
        let resend = guest.is_multiple_of(RESENDING);
        let request = request(&session, &id, place, resend);
        let answer = taken(|| {
            let (mut messaging, request) = (messaging.clone(), request.clone());
            async move { messaging.send_message(request).await }
        })
        .await;
        let message = answer.message.unwrap();
        assert_eq!(
            message.name,
            format!("sessions/{session}/outboundMessages/{id}")
        );
        assert!(answer.position.unwrap().sequence > 0);
        let one = Sent {
            guest,
            place,
            resend,
        };
        sent.insert(id, one);
    }
    sent
}

/// Every other text is said by all guests and again and again, as people do.
fn request(session: &str, id: &str, place: usize, resend: bool) -> v1::SendMessageRequest {
    let text = match place % 2 {
        0 => "Hello?".to_owned(),
        _ => format!("This is {place} of {session}"),
    };
    let policy = if resend {
        v1::UnknownOutcomePolicy::Resend
    } else {
        v1::UnknownOutcomePolicy::Unspecified
    };
    v1::SendMessageRequest {
        parent: format!("sessions/{session}"),
        message: Some(v1::OutboundMessage {
            content: Some(v1::outbound_message::Content::Text(v1::TextContent {
                text,
            })),
            ..Default::default()
        }),
        request_id: id.to_owned(),
        wait_for: v1::SendStage::Accepted.into(),
        unknown_outcome_policy: policy.into(),
    }
}

/// Asks until it is answered, as an application does whose sidecar comes and goes.
pub(super) async fn taken<T, F>(mut ask: impl FnMut() -> F) -> T
where
    F: Future<Output = Result<Response<T>, Status>>,
{
    let mut again = interval(AGAIN);
    again.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        again.tick().await;
        match ask().await {
            Ok(answer) => return answer.into_inner(),
            // What a broken connection leaves, besides what says that one should come again.
            Err(status)
                if matches!(
                    status.code(),
                    Code::Unavailable
                        | Code::ResourceExhausted
                        | Code::Unknown
                        | Code::Cancelled
                        | Code::Internal
                ) => {}
            Err(status) => panic!("{status:?}"),
        }
    }
}
