//! [`Judge`]: reads what became of each message, and holds it against what the platform took.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tieline::client::{Address, GapChoice, Item, Resuming};
use tieline::proto::v1;
use tieline::runtime::Rng;
use tieline::sandbox::guests::GuestMessage;
use tokio::time::timeout;
use v1::OutboundMessageState as State;
use v1::event::Data;
use v1::messaging_service_client::MessagingServiceClient;

use super::senders::{AllSent, Sent};
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

/// A reader of outcomes.
#[derive(Debug)]
pub(super) struct Judge {
    events: Resuming,
    told: AllTold,
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
        Self {
            events: events.unwrap(),
            told: AllTold::new(),
        }
    }

    /// Reads until each message has an outcome.
    pub(super) async fn until_final(&mut self, sidecar: &mut Child, sent: &AllSent) -> AllTold {
        let reading = async {
            let mut open: BTreeSet<_> = sent.keys().cloned().collect();
            while !open.is_empty() {
                let item = self.events.next().await.expect("the journal has no end");
                if let Item::Response(response) = item.expect("it goes on") {
                    for event in response.events {
                        if let Some(Data::OutboundMessageEvent(event)) = event.data {
                            self.hear(event, &mut open);
                        }
                    }
                }
            }
        };
        tokio::select! {
            died = sidecar.died() => panic!("{died}"),
            read = timeout(PATIENCE, reading) => read.expect("every message has an outcome"),
        }
        self.told.clone()
    }

    fn hear(&mut self, event: v1::OutboundMessageEvent, open: &mut BTreeSet<String>) {
        let (_, id) = event.outbound_message.rsplit_once('/').unwrap();
        let told = self.told.entry(id.to_owned()).or_default();
        told.states.push(event.state());
        if !event.provider_message_id.is_empty() {
            told.provider_id = event.provider_message_id;
        }
        if is_final(told.outcome()) {
            open.remove(id);
        }
    }
}

impl Told {
    fn outcome(&self) -> State {
        *self.states.last().expect("something was told")
    }

    /// One beginning, and nothing after an end but what became known of it.
    fn assert_order(&self, id: &str) {
        let states = &self.states;
        assert_eq!(states[0], State::Accepted, "{id}: {states:?}");
        let again = states[1..].contains(&State::Accepted);
        assert!(!again, "{id} was accepted twice: {states:?}");
        let ends = states.iter().position(|state| is_final(*state));
        let after = &states[ends.expect("it has an outcome") + 1..];
        let allowed = match after {
            [] => true,
            [State::Acknowledged] => states[states.len() - 2] == State::OutcomeUnknown,
            _ => false,
        };
        assert!(allowed, "{id}: {states:?}");
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
        told.assert_order(id);
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

/// What the sidecar has of each message is what was told last.
pub(super) async fn assert_kept(address: &Address, sent: &AllSent, told: &AllTold) {
    let mut client = MessagingServiceClient::new(address.channel().unwrap());
    for (id, one) in sent {
        let name = format!("sessions/guest-{}/outboundMessages/{id}", one.guest);
        let request = v1::GetOutboundMessageRequest { name };
        let kept = client.get_outbound_message(request).await.unwrap();
        let kept = kept.into_inner().message.unwrap();
        assert_eq!(kept.state(), told[id].outcome(), "{kept:?}");
        assert!(
            kept.content.is_some(),
            "its content is kept for a day: {kept:?}"
        );
    }
}
