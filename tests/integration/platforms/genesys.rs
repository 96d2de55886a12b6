//! Genesys Cloud notifications: names, rejections, lost sockets, redundancy, eviction, renewal.

use std::time::Duration;

use serde_json::{Value, json};
use tieline::proto::v1;
use tieline::runtime::HumanDuration;
use tieline::sandbox::fault::FaultRule;
use tieline::sandbox::genesys_cloud::fault::GenesysFault;
use tieline::sandbox::genesys_cloud::{
    Change, GenesysCloud, GenesysCloudConfig, GenesysOracle, GenesysVerdict, OauthClient,
    SystemPresence,
};
use tokio::time::Instant;
use v1::session::State;
use v1::session_event::Kind;

use super::stage::{cloud, of_genesys, quiet, sidecar};
use crate::kit::{PATIENCE, Sidecar, Witness};

const NAME: &str = "genesys";

/// Everything that the contact centre tells, by families.
fn everything() -> Value {
    json!({ "topics": [
        { "v2.users.{id}?presence&routingStatus": "all" },
        { "v2.routing.queues.{id}.conversations": "all" },
        { "v2.routing.queues.{id}.users": "all" },
        { "v2.analytics.queues.{id}.observations": "all" },
        { "v2.workforcemanagement.managementunits.{id}.adherence": "all" },
    ] })
}

fn with(mut session: Value, key: &str, value: Value) -> Value {
    session[key] = value;
    session
}

async fn one(cloud: &GenesysCloud, session: Value) -> Sidecar {
    let sidecar = sidecar(|files| vec![of_genesys(files, cloud, NAME, session)]).await;
    sidecar
        .until_of(NAME, "active", |s| s.state() == State::Active)
        .await;
    sidecar
}

fn judged(cloud: &GenesysCloud, witness: &Witness) -> GenesysVerdict {
    let mut oracle = GenesysOracle::new();
    oracle.take(&witness.epoch, &witness.events);
    oracle.judge(&cloud.facts(), &cloud.client_credentials().id)
}

/// Reads until nothing is missing that no window covers, and every gap has its end.
async fn settled(cloud: &GenesysCloud, witness: &mut Witness) -> GenesysVerdict {
    let until = Instant::now() + 3 * PATIENCE;
    loop {
        let verdict = judged(cloud, witness);
        let late = Instant::now() > until;
        if (verdict.lost == 0 && witness.has_closed_gaps()) || late {
            assert!(witness.has_closed_gaps(), "gaps stay open: {verdict:?}");
            return verdict;
        }
        drop(tokio::time::timeout(PATIENCE, witness.next()).await);
    }
}

fn kept(verdict: &GenesysVerdict) {
    let GenesysVerdict {
        lost,
        invented,
        doubled,
        jumps,
        ..
    } = verdict;
    assert_eq!(
        (*lost, *invented, *doubled, *jumps),
        (0, 0, 0, 0),
        "{verdict:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn families_become_topics_and_their_events_normal_forms() {
    let cloud = cloud(quiet()).await;
    let sidecar = one(&cloud, everything()).await;
    let mut witness = Witness::new(&sidecar);
    cloud.tell(200);
    let verdict = settled(&cloud, &mut witness).await;
    kept(&verdict);
    assert!(
        verdict.delivered >= 200 && verdict.windows == 0,
        "{verdict:?}"
    );
    for form in [
        "ccaas.agent.state_changed.v1",
        "ccaas.conversation.updated.v1",
        "ccaas.queue.statistics.v1",
    ] {
        let seen = witness.events.iter().any(|event| event.r#type == form);
        assert!(seen, "no {form}");
    }
    let unmapped = |e: &&v1::Event| e.r#type == "ccaas.unmapped.v1";
    assert_eq!(witness.events.iter().find(unmapped), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_are_looked_up_and_members_followed() {
    let cloud = cloud(quiet()).await;
    let world = cloud.world();
    let (queue, state) = world.queues.iter().next().unwrap();
    let topics = json!({ "topics": [
        { "v2.routing.queues.{id}.conversations": [state.name] },
        { "v2.users.{id}.presence": { "all_users_of_queue": state.name } },
    ] });
    let sidecar = one(&cloud, topics).await;
    let channels = cloud.channels();
    let topics: Vec<_> = channels.iter().flat_map(|c| &c.topics).collect();
    assert_eq!(topics.len(), 1 + state.members.len(), "{topics:?}");
    let mut witness = Witness::new(&sidecar);
    let conversation = Change::StartConversation {
        queue: queue.clone(),
        media: Default::default(),
    };
    let id = cloud.change(&conversation).unwrap().conversation.unwrap();
    witness
        .until("the conversation comes", |w| {
            w.events
                .iter()
                .any(|e| e.subject == format!("conversations/{id}"))
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forbidden_topic_is_told_with_its_permission_and_the_others_are_served() {
    let mut config = quiet();
    let permissions = ["routing:queue:view", "directory:user:view"];
    config.clients = vec![OauthClient::only("restricted", permissions)];
    let cloud = cloud(config).await;
    let sidecar = sidecar(|files| vec![of_genesys(files, &cloud, NAME, everything())]).await;
    let session = sidecar
        .until_of(NAME, "degraded", |s| s.state() == State::Degraded)
        .await;
    assert!(
        session.reason.contains("TOPIC_REJECTED") || session.reason.contains("REJECTED"),
        "{session:?}"
    );
    let mut witness = Witness::new(&sidecar);
    witness
        .until("the rejection is on record", |w| {
            let mut told = w.told(Kind::SubscriptionsChanged).into_iter();
            told.any(|fact| fact.reason.contains("wfm:") || fact.reason.contains("permission"))
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn u16_two_equal_frames_on_one_channel_are_two_events() {
    let cloud = cloud(quiet()).await;
    let user = cloud.world().users.keys().next().unwrap().clone();
    let topic = format!("v2.users.{user}.presence");
    let sidecar = one(&cloud, json!({ "topics": [topic] })).await;
    let mut witness = Witness::new(&sidecar);
    let raw = Change::Raw {
        topic: topic.clone(),
        body: json!({ "source": "PURECLOUD", "message": "", "modifiedDate": "2026-03-10T09:41:07.552Z" }),
    };
    cloud.change(&raw).unwrap();
    cloud.change(&raw).unwrap();
    witness
        .until("both come", |w| {
            w.events.iter().filter(|e| e.provider_type == topic).count() == 2
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn u18_every_lost_socket_has_its_record_and_nothing_else_is_missing() {
    let cloud = cloud(GenesysCloudConfig {
        snapshot_lag: Duration::from_millis(500),
        ..quiet()
    })
    .await;
    let sidecar = one(&cloud, everything()).await;
    cloud.set_rate(60.0);
    let mut witness = Witness::new(&sidecar);
    for kill in 1..=50_u32 {
        let fault = if kill.is_multiple_of(2) {
            GenesysFault::WebsocketReset {
                after: HumanDuration::from_secs(0),
                mid_frame: kill.is_multiple_of(4),
            }
        } else {
            GenesysFault::WebsocketClose {
                code: 1006,
                reason: String::new(),
                after: HumanDuration::from_secs(0),
            }
        };
        let rule = FaultRule::<GenesysFault>::from(fault).times(1);
        cloud.faults().set(rule).unwrap();
        witness
            .until("the session is back", |w| {
                w.told(Kind::Connected).len() > kill as usize
            })
            .await;
    }
    cloud.set_rate(0.0);
    let verdict = settled(&cloud, &mut witness).await;
    kept(&verdict);
    let (closed, confirmed) = (
        witness.told(Kind::GapClosed),
        witness.told(Kind::GapConfirmed),
    );
    assert!(verdict.windows >= 50, "{verdict:?}");
    assert!(!closed.is_empty(), "REST gives every change of presence");
    let reasons: std::collections::BTreeSet<_> =
        confirmed.iter().map(|fact| fact.reason.as_str()).collect();
    assert_eq!(reasons.into_iter().collect::<Vec<_>>(), ["SNAPSHOT"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn u16_two_channels_lose_nothing_to_single_kills() {
    let cloud = cloud(quiet()).await;
    let sidecar = one(&cloud, with(everything(), "redundancy", json!(2))).await;
    cloud.set_rate(80.0);
    let mut witness = Witness::new(&sidecar);
    for _ in 0..12 {
        let both = |s: &v1::Session| s.state() == State::Active && s.reason.is_empty();
        sidecar.until_of(NAME, "on two connections", both).await;
        let issued = cloud.ledger(0, 0).issued;
        let busy = |cloud: &GenesysCloud| cloud.ledger(0, 0).issued > issued + 50;
        assert!(cloud.wait_until(PATIENCE, busy).await, "nothing happens");
        let before = cloud.counters().sockets_opened;
        let reset = GenesysFault::WebsocketReset {
            after: HumanDuration::from_secs(0),
            mid_frame: false,
        };
        cloud
            .faults()
            .set(FaultRule::<GenesysFault>::from(reset).times(1))
            .unwrap();
        let came = |cloud: &GenesysCloud| cloud.counters().sockets_opened > before;
        assert!(cloud.wait_until(PATIENCE, came).await, "no successor");
    }
    cloud.set_rate(0.0);
    let verdict = settled(&cloud, &mut witness).await;
    kept(&verdict);
    assert_eq!((verdict.windows, verdict.in_windows), (0, 0), "{verdict:?}");
    assert!(
        sidecar.stats().duplicates > 0,
        "two connections bring twice"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn u5_a_planned_close_loses_nothing() {
    let cloud = cloud(quiet()).await;
    let sidecar = one(&cloud, everything()).await;
    cloud.set_rate(60.0);
    let mut witness = Witness::new(&sidecar);
    let closing = GenesysFault::SocketClosing {
        notice: Some(HumanDuration::from_secs(2)),
        after: HumanDuration::from_secs(0),
    };
    let rule = FaultRule::<GenesysFault>::from(closing).times(1);
    cloud.faults().set(rule).unwrap();
    let moved = |cloud: &GenesysCloud| cloud.channels().len() >= 2;
    assert!(cloud.wait_until(PATIENCE, moved).await, "no second channel");
    cloud.tell(100);
    cloud.set_rate(0.0);
    let verdict = settled(&cloud, &mut witness).await;
    kept(&verdict);
    assert_eq!(verdict.windows, 0, "{verdict:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn u5_a_new_token_moves_to_a_channel_of_its_own() {
    let cloud = cloud(GenesysCloudConfig {
        token_lifetime: Duration::from_secs(8),
        ..quiet()
    })
    .await;
    let sidecar = one(&cloud, everything()).await;
    cloud.set_rate(40.0);
    let mut witness = Witness::new(&sidecar);
    let renewed = |cloud: &GenesysCloud| cloud.tokens_issued() >= 3 && cloud.channels().len() >= 2;
    assert!(
        cloud.wait_until(PATIENCE, renewed).await,
        "{:?}",
        cloud.channels()
    );
    cloud.set_rate(0.0);
    let verdict = settled(&cloud, &mut witness).await;
    kept(&verdict);
    assert_eq!(verdict.windows, 0, "{verdict:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_sidecars_on_one_client_settle_and_say_what_is_not_covered() {
    let cloud = cloud(quiet()).await;
    let users: Vec<String> = cloud.world().users.keys().cloned().collect();
    let many = || {
        sidecar(|files| {
            let session = |number: usize| {
                let user = &users[number % users.len()];
                let topics = json!({ "topics": [format!("v2.users.{user}.presence")] });
                of_genesys(files, &cloud, &format!("s{number}"), topics)
            };
            (0..15).map(session).collect()
        })
    };
    let (one, other) = tokio::join!(many(), many());
    let began = Instant::now();
    let standing = |sidecar: &Sidecar| -> Vec<v1::Session> {
        let posts = sidecar.board().posts();
        posts
            .values()
            .map(|post| post.state.as_ref().clone())
            .collect()
    };
    let settled = || {
        let all: Vec<_> = standing(&one).into_iter().chain(standing(&other)).collect();
        let active = all.iter().filter(|s| s.state() == State::Active).count();
        let yielded = all.iter().filter(|s| s.state() == State::Suspended).count();
        (active, yielded, all)
    };
    while settled().0 != 20 || settled().1 != 10 {
        let (active, yielded, all) = settled();
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "{active} active, {yielded} yielded: {all:?}"
        );
        let before = cloud.requests(0, usize::MAX).len();
        let more = |cloud: &GenesysCloud| cloud.requests(0, usize::MAX).len() > before;
        cloud.wait_until(Duration::from_millis(300), more).await;
    }
    for session in settled().2 {
        if session.state() == State::Suspended {
            assert!(session.reason.contains("CHANNEL_LIMIT"), "{session:?}");
            assert!(session.reason.contains("v2.users."), "{session:?}");
        }
    }
    let user = users[0].clone();
    let presence = SystemPresence::Break;
    cloud.change(&Change::Presence { user, presence }).unwrap();
    let made = cloud.channels().len();
    let more = |cloud: &GenesysCloud| {
        cloud
            .channels()
            .iter()
            .filter(|c| c.socket.is_some())
            .count()
            < 20
    };
    assert!(
        !cloud.wait_until(Duration::from_secs(2), more).await,
        "they go on fighting, {made} channels"
    );
}
