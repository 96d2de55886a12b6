//! Guests' sessions that the journal kept, in the moment before they run again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::FutureExt as _;

use super::platform::Platform;
use super::{Tokens, journal};
use crate::auth::TokenSource;
use crate::connectors::Content;
use crate::domain::{SessionName, TemplateName};
use crate::proto::v1::OutboundMessageState as Shown;
use crate::runtime::{Clock, Rng, drain};
use crate::session::outbound::{NewMessage, Stage};
use crate::session::{Guests, GuestsParts, GuestsRunner, HealthDesk, SessionBoard, TemplateParts};
use crate::telemetry::traces::Tracer;
use crate::testing::MemoryJournal;

fn template() -> TemplateName {
    TemplateName::new("chat").unwrap()
}

fn guest() -> SessionName {
    SessionName::new("ada").unwrap()
}

/// On a platform that never answers.
fn runner(journal: &MemoryJournal) -> (Guests, GuestsRunner<Platform>) {
    let platform = Platform::new();
    platform.change(|mood| mood.hang = true);
    let config = serde_json::json!({
        "name": template(),
        "platform": "genesys-web-messaging",
        "endpoint": "https://webmessaging.example.test",
        "deployment_id": "6f0f0c0e-8a9c-4b8e-9d5e-2f4b6c1d7e90",
    });
    let tokens: Arc<dyn TokenSource> = Tokens::new();
    let (_, announce) = drain();
    GuestsRunner::new(GuestsParts {
        templates: vec![TemplateParts {
            config: serde_json::from_value(config).unwrap(),
            http: platform,
            tokens,
            journal: Arc::new(journal.clone()),
            health: HealthDesk::default(),
            sealer: None,
        }],
        configured: BTreeSet::new(),
        limit: 10,
        board: SessionBoard::new(),
        clock: Clock::system(),
        tracer: Tracer::off(),
        rng: Rng::from_seed(3),
        announce,
    })
}

#[tokio::test(start_paused = true)]
async fn u36_what_a_kept_guest_is_sent_before_it_runs_again_is_taken_once_it_runs() {
    let journal = journal();
    let (guests, before) = runner(&journal);
    let (trigger, drained) = drain();
    let mut running = tokio::task::JoinSet::new();
    running.spawn(before.run(drained));
    let created = guests.create(template(), guest(), BTreeMap::new()).await;
    created.unwrap();
    trigger.drain();
    running.join_next().await.unwrap().unwrap();

    let (guests, again) = runner(&journal);
    let name = guest();
    let message = NewMessage {
        id: "early".to_owned(),
        content: Content::Text {
            text: "Where is my parcel?".to_owned(),
        },
        attributes: BTreeMap::new(),
        expire_time: None,
        unknown_outcome: None,
    };
    let sending = guests.send(&name, message, Stage::Accepted);
    tokio::pin!(sending);
    assert!(
        sending.as_mut().now_or_never().is_none(),
        "nothing runs yet"
    );
    let (_trigger, drained) = drain();
    running.spawn(again.run(drained));
    let taken = sending.await.unwrap().unwrap();
    assert_eq!(taken.message.state(), Shown::Accepted);
}
