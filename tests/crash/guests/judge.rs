//! [`Judge`]: reads what became of each message, and holds it against what the platform took.

use std::collections::BTreeMap;
use std::time::Duration;

use tieline::client::{Address, GapChoice, Item, Resuming};
use tieline::proto::v1;
use tieline::runtime::Rng;
use tieline::sandbox::guests::GuestMessage;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tonic::transport::Channel;
use v1::OutboundMessageState as State;
use v1::event::Data;
use v1::messaging_service_client::MessagingServiceClient;

use super::senders::{AllSent, Sent, taken};
use crate::child::Child;

/// By when everything has an outcome: messages live for five minutes.
const PATIENCE: Duration = Duration::from_secs(400);

/// What was told of one message, in order.
#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    states: Vec<State>,
    provider_id: String,
}

/// By request id.
pub(super) type AllTold = BTreeMap<String, Told>;

/// A reader of outcomes, beside whatever else goes on.
#[derive(Debug)]
pub(super) struct Judge {
    told: watch::Receiver<AllTold>,
    reading: JoinSet<()>,
}

impl Judge {
    pub(super) fn start(address: &Address, rng: &Rng) -> Self {
        let earliest = v1::StartPreset::Earliest.into();
        let request = v1::SubscribeRequest {
            start: Some(v1::subscribe_request::Start::Preset(earliest)),
            ..Default::default()
        };
        let on_gap = |_: &_| GapChoice::Stop;
        let events = Resuming::new(address.clone(), request, on_gap, rng.fork("judge"));
        let (tell, told) = watch::channel(AllTold::new());
        let mut reading = JoinSet::new();
        reading.spawn(read(events.unwrap(), tell));
        Self { told, reading }
    }

    /// How many messages have an outcome.
    pub(super) fn outcomes(&self) -> usize {
        let told = self.told.borrow();
        told.values()
            .filter(|told| is_final(told.outcome()))
            .count()
    }

    /// Waits until each message has an outcome, and until that is what the sidecar has of it.
    pub(super) async fn until_settled(
        mut self,
        address: &Address,
        sent: &AllSent,
        sidecar: &mut Child,
    ) -> AllTold {
        let settling = async {
            let client = MessagingServiceClient::new(address.channel().unwrap());
            for (id, one) in sent {
                let name = format!("sessions/guest-{}/outboundMessages/{id}", one.guest);
                self.until_kept(&client, &name, id).await;
            }
        };
        tokio::select! {
            died = sidecar.died() => panic!("{died}"),
            settled = timeout(PATIENCE, settling) => settled.expect("every message has an outcome"),
        }
        self.reading.abort_all();
        self.told.borrow().clone()
    }

    async fn until_kept(&mut self, client: &MessagingServiceClient<Channel>, name: &str, id: &str) {
        loop {
            let kept = taken(|| {
                let (mut client, name) = (client.clone(), name.to_owned());
                async move {
                    let request = v1::GetOutboundMessageRequest { name };
                    client.get_outbound_message(request).await
                }
            })
            .await;
            let kept = kept.message.unwrap();
            assert!(kept.content.is_some(), "it is kept for a day: {kept:?}");
            let told = self.told.borrow_and_update().get(id).map(Told::outcome);
            if told == Some(kept.state()) && is_final(kept.state()) {
                return;
            }
            self.told.changed().await.expect("it reads on");
        }
    }
}

async fn read(mut events: Resuming, tell: watch::Sender<AllTold>) {
    loop {
        let item = events.next().await.expect("the journal has no end");
        let Item::Response(response) = item.expect("it goes on") else {
            continue;
        };
        tell.send_modify(|all| {
            for event in response.events {
                if let Some(Data::OutboundMessageEvent(event)) = event.data {
                    hear(all, event);
                }
            }
        });
    }
}

fn hear(all: &mut AllTold, event: v1::OutboundMessageEvent) {
    let (_, id) = event.outbound_message.rsplit_once('/').unwrap();
    let told = all.entry(id.to_owned()).or_default();
    told.states.push(event.state());
    if !event.provider_message_id.is_empty() {
        told.provider_id = event.provider_message_id;
    }
}

impl Told {
    fn outcome(&self) -> State {
        *self.states.last().expect("something was told")
    }

    /// One beginning and one end. That it may have arrived is told when that is known, and is the end
    /// only where nothing more becomes known and nothing is to be sent again.
    fn assert_order(&self, id: &str, resend: bool) {
        let states = &self.states;
        assert_eq!(states[0], State::Accepted, "{id}: {states:?}");
        for pair in states.windows(2) {
            let allowed = match (pair[0], pair[1]) {
                // What was written and certainly not taken waits again.
                (State::Accepted | State::Sent, State::Accepted) => true,
                (State::Accepted, State::Sent) => true,
                (State::Accepted | State::Sent, end) => is_final(end),
                (State::OutcomeUnknown, State::Acknowledged | State::OutcomeUnknown) => true,
                (State::OutcomeUnknown, State::Sent | State::Accepted) => resend,
                _ => false,
            };
            assert!(allowed, "{id}: {states:?}");
        }
    }
}

fn is_final(state: State) -> bool {
    matches!(
        state,
        State::Acknowledged
            | State::Failed
            | State::Expired
            | State::Cancelled
            | State::OutcomeUnknown
    )
}

/// Everything was told once, and what was told is what the platform took. How often each outcome.
pub(super) fn assert_agreement(
    sent: &AllSent,
    told: &AllTold,
    record: &[GuestMessage],
) -> BTreeMap<&'static str, usize> {
    assert!(
        told.keys().eq(sent.keys()),
        "all that was taken was told of, and nothing else"
    );
    let mut taken = BTreeMap::<&str, Vec<&GuestMessage>>::new();
    for message in record {
        let id = message.request_id.as_deref().expect("each has an id");
        assert!(sent.contains_key(id), "{id} was never sent");
        taken.entry(id).or_default().push(message);
    }
    let mut outcomes = BTreeMap::new();
    for (id, one) in sent {
        let (told, taken) = (
            &told[id],
            taken.get(id.as_str()).map_or(&[][..], Vec::as_slice),
        );
        told.assert_order(id, one.resend);
        assert_outcome(id, one, told, taken);
        *outcomes.entry(told.outcome().as_str_name()).or_default() += 1;
    }
    assert_in_order(sent, record);
    outcomes
}

fn assert_outcome(id: &str, one: &Sent, told: &Told, taken: &[&GuestMessage]) {
    let (outcome, times) = (told.outcome(), taken.len());
    let context = || format!("{id} of {one:?}: told {told:?}, taken {taken:?}");
    assert!(times <= 1 || one.resend, "taken twice: {}", context());
    match outcome {
        State::Acknowledged => {
            assert!(times >= 1, "acknowledged and never taken: {}", context());
            let known = taken.iter().any(|t| t.provider_id == told.provider_id);
            assert!(known || told.provider_id.is_empty(), "{}", context());
        }
        State::Failed | State::Expired | State::Cancelled => {
            assert_eq!(times, 0, "given up and taken: {}", context());
        }
        _ => {}
    }
}

/// A guest's messages were taken in the order in which they were sent, those aside that the network
/// held back and those that were sent again.
fn assert_in_order(sent: &AllSent, record: &[GuestMessage]) {
    let mut last = BTreeMap::<usize, usize>::new();
    for message in record.iter().filter(|message| !message.late) {
        let one = &sent[message.request_id.as_deref().unwrap()];
        let before = last.insert(one.guest, one.place);
        let in_order = before.is_none_or(|before| before < one.place);
        assert!(in_order || one.resend, "{message:?} came after {before:?}");
    }
}
