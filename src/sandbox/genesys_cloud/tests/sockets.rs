//! Notification sockets: what is sent, what is not, and who may be there.

use super::*;

const PRESENCE: &str = "v2.users.u1.presence";

#[tokio::test]
async fn events_come_under_their_own_topic_each_with_a_correlation_of_its_own() {
    let visit = Visit::new(prompt()).await;
    let user = visit.user(0);
    let combined = format!("v2.users.{user}?presence&routingStatus");
    let (_, mut one) = visit.live(&[&combined]).await;
    let (_, mut two) = visit.live(&[&combined]).await;
    visit.presence(&user, SystemPresence::Meal);
    let (first, second) = (event(&mut one).await, event(&mut two).await);
    assert_eq!(first["topicName"], format!("v2.users.{user}.presence"));
    assert_eq!(first["version"], "2");
    let definition = &first["eventBody"]["presenceDefinition"];
    assert_eq!(definition["systemPresence"], "MEAL");
    assert_eq!(first["eventBody"], second["eventBody"]);
    assert_ne!(
        first["metadata"]["CorrelationId"],
        second["metadata"]["CorrelationId"]
    );
    let next = event(&mut one).await;
    assert_eq!(next["eventBody"]["routingStatus"]["status"], "OFF_QUEUE");
    assert_eq!(before_the_pong(&mut one).await, [Value::Null; 0]);
}

#[tokio::test]
async fn nothing_is_kept_for_a_channel_without_a_socket() {
    let visit = Visit::new(prompt()).await;
    let (channel, mut socket) = visit.live(&[PRESENCE]).await;
    let before = visit.emit(PRESENCE, &json!(1));
    assert_eq!(event(&mut socket).await["eventBody"], 1);
    socket.close(None).await.unwrap();
    visit
        .until(|sandbox| sandbox.channels()[0].socket.is_none())
        .await;
    let missed = visit.emit(PRESENCE, &json!(2));

    let mut again = visit.open(&channel).await.unwrap();
    visit
        .until(|sandbox| sandbox.channels()[0].socket.is_some())
        .await;
    let after = visit.emit(PRESENCE, &json!(3));
    assert_eq!(
        event(&mut again).await["eventBody"],
        3,
        "subscriptions stay, events do not"
    );
    visit
        .until(|s| s.facts().last().unwrap().due[0].fate == DueFate::Sent { copies: 1 })
        .await;
    let fates = [before, missed, after].map(|fact| visit.fate(fact, &channel));
    let sent = DueFate::Sent { copies: 1 };
    assert_eq!(fates, [sent, DueFate::NoSocket, sent]);
}

#[tokio::test]
async fn a_newer_socket_takes_the_channel_from_the_older() {
    let visit = Visit::new(prompt()).await;
    let (channel, mut older) = visit.live(&[PRESENCE]).await;
    let mut newer = visit.open(&channel).await.unwrap();
    assert_eq!(close_code(&mut older).await, (1001, vec![]));
    visit.emit(PRESENCE, &json!("x"));
    assert_eq!(event(&mut newer).await["eventBody"], "x");
    assert_eq!(visit.sandbox.counters().sockets_opened, 2);
}

#[tokio::test]
async fn heartbeats_come_and_pings_of_both_kinds_are_answered() {
    let visit = Visit::new(GenesysCloudConfig {
        heartbeat: Duration::from_millis(50),
        ..prompt()
    })
    .await;
    let (_, mut socket) = visit.live(&[]).await;
    let expected =
        r#"{"topicName":"channel.metadata","eventBody":{"message":"WebSocket Heartbeat"}}"#;
    for _ in 0..2 {
        assert_eq!(text(&mut socket).await, expected);
    }
    before_the_pong(&mut socket).await;
    socket.send(Message::Ping("abc".into())).await.unwrap();
    loop {
        if let Message::Pong(payload) = frame(&mut socket).await.unwrap().unwrap() {
            assert_eq!(payload, "abc");
            break;
        }
    }
    let counters = visit.sandbox.counters();
    assert_eq!((counters.text_pings, counters.protocol_pings), (1, 1));
}

#[tokio::test]
async fn what_is_no_json_is_tolerated() {
    let visit = Visit::new(prompt()).await;
    let (_, mut socket) = visit.live(&[]).await;
    say(&mut socket, "10:42:07").await;
    socket.send(Message::binary(vec![0_u8, 255])).await.unwrap();
    assert!(before_the_pong(&mut socket).await.is_empty());
    assert_eq!(visit.sandbox.counters().strange_texts, 2);
    say(&mut socket, r#"{"message":"dance","correlationId":"c7"}"#).await;
    let answer = event(&mut socket).await;
    assert_eq!(
        (&answer["result"], &answer["correlationId"]),
        (&json!("400"), &json!("c7"))
    );
}

#[tokio::test]
async fn topics_can_be_added_and_removed_on_the_socket() {
    let visit = Visit::new(prompt()).await;
    let (_, mut socket) = visit.live(&[PRESENCE]).await;
    let topic = "v2.users.u2.presence";
    let ask = |message: &str, topic: &str| {
        json!({ "message": message, "topics": [topic], "correlationId": "c1" }).to_string()
    };
    say(&mut socket, &ask("subscribe", topic)).await;
    let expected = json!({ "result": "200", "status": "subscribed", "correlationId": "c1" });
    assert_eq!(event(&mut socket).await, expected);
    visit.emit(PRESENCE, &json!(1));
    visit.emit(topic, &json!(2));
    assert_eq!(event(&mut socket).await["eventBody"], 1, "it adds");
    assert_eq!(event(&mut socket).await["eventBody"], 2);
    say(&mut socket, &ask("unsubscribe", PRESENCE)).await;
    assert_eq!(event(&mut socket).await["status"], "unsubscribed");
    visit.emit(PRESENCE, &json!(3));
    assert!(before_the_pong(&mut socket).await.is_empty());
    say(&mut socket, &ask("subscribe", "v2.users.u1.mood")).await;
    let refused = event(&mut socket).await;
    assert_eq!(
        (&refused["result"], &refused["status"]),
        (&json!("400"), &json!("failure"))
    );
}

#[tokio::test]
async fn a_changed_list_of_topics_is_told_on_the_socket() {
    let visit = Visit::new(GenesysCloudConfig {
        tell_subscription_changes: true,
        ..prompt()
    })
    .await;
    let (channel, mut socket) = visit.live(&[PRESENCE]).await;
    visit.put(&channel, &[], false).await;
    let told = event(&mut socket).await;
    assert_eq!(told["topicName"], "v2.subscription.updated");
    assert_eq!(told["eventBody"]["systemTopicType"], "subscription_changed");
}

#[tokio::test]
async fn a_revoked_token_is_announced_and_takes_its_channels_with_it() {
    let visit = Visit::new(prompt()).await;
    let (channel, mut socket) = visit.live(&[PRESENCE]).await;
    visit
        .ask(reqwest::Method::DELETE, "api/v2/tokens/me", None)
        .await;
    let (code, said) = close_code(&mut socket).await;
    assert_eq!(code, 1001);
    assert!(
        said[0].contains(&format!("v2.system.token_revoked.{}", channel.id)),
        "{said:?}"
    );
    assert_eq!(visit.refused(&channel).await, 404);
}

#[tokio::test]
async fn an_expired_token_ends_its_channels_or_makes_them_deaf() {
    let visit = Visit::new(prompt()).await;
    let (channel, mut socket) = visit.live(&[PRESENCE]).await;
    visit.set(GenesysFault::ExpireTokensNow {});
    assert_eq!(close_code(&mut socket).await, (1001, vec![]));
    assert_eq!(visit.refused(&channel).await, 404);

    let tolerant = Visit::new(GenesysCloudConfig {
        on_token_end: OnTokenEnd::Tolerate,
        ..prompt()
    })
    .await;
    let (_, mut socket) = tolerant.live(&[PRESENCE]).await;
    tolerant.set(GenesysFault::ExpireTokensNow {});
    tolerant.emit(PRESENCE, &json!(1));
    assert_eq!(event(&mut socket).await["eventBody"], 1);
    say(
        &mut socket,
        r#"{"message":"subscribe","topics":["v2.users.u2.presence"]}"#,
    )
    .await;
    assert_eq!(event(&mut socket).await["result"], "404");
}

#[tokio::test]
async fn two_equal_facts_are_two_frames() {
    let visit = Visit::new(prompt()).await;
    let (_, mut socket) = visit.live(&[PRESENCE]).await;
    let mut oracle = GenesysOracle::new();
    for _ in 0..2 {
        visit.emit(PRESENCE, &json!({ "joined": true }));
        oracle.take_frame(text(&mut socket).await.as_bytes(), false);
    }
    visit
        .until(|s| {
            s.facts()
                .iter()
                .all(|fact| fact.due[0].fate == DueFate::Sent { copies: 1 })
        })
        .await;
    let verdict = oracle.judge(&visit.sandbox.facts(), "sandbox-client");
    assert_eq!(
        (verdict.due, verdict.delivered, verdict.first_violation),
        (2, 2, None)
    );
}

#[tokio::test]
async fn the_story_reaches_a_socket_whole_and_adds_up_to_the_state() {
    let visit = Visit::new(prompt()).await;
    let world = visit.sandbox.world();
    let users = world
        .users
        .keys()
        .map(|id| format!("v2.users.{id}?presence&routingStatus&activity"));
    let queues = world
        .queues
        .keys()
        .map(|id| format!("v2.routing.queues.{id}?users&conversations"));
    let topics: Vec<_> = users.chain(queues).collect();
    let topics: Vec<_> = topics.iter().map(String::as_str).collect();
    let (_, mut socket) = visit.live(&topics).await;
    visit.sandbox.tell(400);
    let mut oracle = GenesysOracle::new();
    let mut presences = std::collections::BTreeMap::new();
    let mut came = before_the_pong(&mut socket).await.into_iter();
    assert!(came.len() > 300);
    let facts = visit.sandbox.facts();
    for frame in came.by_ref() {
        let topic = frame["topicName"].as_str().unwrap();
        if let Some(user) = topic.strip_suffix(".presence") {
            let presence = frame["eventBody"]["presenceDefinition"]["systemPresence"].clone();
            presences.insert(user.replace("v2.users.", ""), presence);
        }
        oracle.take_frame(frame.to_string().as_bytes(), false);
    }
    assert_eq!(oracle.judge(&facts, "sandbox-client").first_violation, None);
    let world = visit.sandbox.world();
    for (user, presence) in presences {
        assert_eq!(json!(world.users[&user].presence), presence);
    }
}
