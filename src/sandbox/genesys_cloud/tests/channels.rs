//! Channels and their topics: limits, refusals, eviction, life.

use super::*;

const ADHERENCE: &str = "v2.users.u1.workforcemanagement.adherence";
const PRESENCE: &str = "v2.users.u1.presence";

/// Two clients; the second lacks what adherence and conversations take.
fn unequal() -> GenesysCloudConfig {
    GenesysCloudConfig {
        clients: vec![OauthClient::all("all"), OauthClient::only("few", [])],
        ..prompt()
    }
}

#[tokio::test]
async fn a_channel_has_an_id_an_end_and_an_address_on_the_host_that_was_asked() {
    let visit = Visit::new(prompt()).await;
    let channel = visit.make_channel().await;
    let endpoint = visit.sandbox.endpoint();
    let port = endpoint.port().unwrap();
    let expected = format!("ws://127.0.0.1:{port}/channels/{}", channel.id);
    assert_eq!(channel.uri, expected);
    assert!(channel.id.starts_with("streaming-"));
    let path = format!("{CHANNELS}/{}", channel.id);
    assert_eq!(
        visit.ask(reqwest::Method::HEAD, &path, None).await.status,
        200
    );
    let gone = format!("{CHANNELS}/streaming-0-gone");
    assert_eq!(
        visit.ask(reqwest::Method::HEAD, &gone, None).await.status,
        404
    );
}

#[tokio::test]
async fn topics_are_added_replaced_listed_and_removed() {
    let visit = Visit::new(prompt()).await;
    let channel = visit.make_channel().await;
    let path = format!("{CHANNELS}/{}/subscriptions", channel.id);
    let ids = |got: Got| -> Vec<String> {
        let entities = got.entities().into_iter();
        entities
            .map(|topic| topic["id"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        ids(visit.put(&channel, &[PRESENCE], false).await),
        [PRESENCE]
    );
    let more = json!([{ "id": "v2.users.u2.presence" }, { "id": PRESENCE }]);
    assert_eq!(visit.post(&path, &more).await.status, 200);
    assert_eq!(
        ids(visit.get(&path).await),
        ["v2.users.u2.presence", PRESENCE]
    );
    visit.put(&channel, &["v2.users.u3.presence"], false).await;
    assert_eq!(ids(visit.get(&path).await), ["v2.users.u3.presence"]);
    assert_eq!(
        visit.ask(reqwest::Method::DELETE, &path, None).await.status,
        200
    );
    assert_eq!(ids(visit.get(&path).await), [""; 0]);
}

#[tokio::test]
async fn one_forbidden_topic_fails_the_whole_call_unless_errors_are_ignored() {
    let mut visit = Visit::new(unequal()).await;
    visit.token = visit.fresh_token(1).await;
    let channel = visit.make_channel().await;
    let got = visit.put(&channel, &[PRESENCE, ADHERENCE], false).await;
    assert_eq!(
        (got.status, &got.json()["code"]),
        (403, &json!("missing.any.permissions"))
    );
    assert_eq!(visit.sandbox.channels()[0].permitted, 0);

    let entities = visit
        .put(&channel, &[PRESENCE, ADHERENCE], true)
        .await
        .entities();
    let state = |place: usize| entities[place]["state"].as_str().unwrap();
    assert_eq!((state(0), state(1)), ("Permitted", "Rejected"));
    let missing = entities[1]["missingPermissions"].as_array().unwrap();
    assert!(missing.contains(&json!("wfm:realtimeAdherence:view")));
    assert_eq!(visit.sandbox.channels()[0].permitted, 1);
}

#[tokio::test]
async fn a_combined_topic_refused_in_part_comes_back_with_its_refused_parts() {
    let mut visit = Visit::new(unequal()).await;
    visit.token = visit.fresh_token(1).await;
    let channel = visit.make_channel().await;
    let combined = "v2.users.u1?presence&routingStatus&conversations";
    let entities = visit.put(&channel, &[combined], true).await.entities();
    assert_eq!(
        (&entities[0]["id"], &entities[0]["state"]),
        (&json!(combined), &json!("Permitted"))
    );
    assert_eq!(entities[1]["id"], "v2.users.u1.conversations");
    assert_eq!(entities[1]["state"], "Rejected");
    assert_eq!(visit.sandbox.channels()[0].permitted, 2);
}

#[tokio::test]
async fn unknown_topics_topics_of_users_and_long_ones_are_refused() {
    let visit = Visit::new(prompt()).await;
    let channel = visit.make_channel().await;
    assert_eq!(
        visit
            .put(&channel, &["v2.users.u1.mood"], false)
            .await
            .status,
        400
    );
    let entities = visit
        .put(&channel, &["v2.users.u1.mood", "v2.users.u1.tokens"], true)
        .await;
    assert!(
        entities
            .entities()
            .iter()
            .all(|topic| topic["state"] == "Rejected")
    );
    let long = format!("v2.users.u1?{}", ["presence"; 30].join("&"));
    assert_eq!(visit.put(&channel, &[&long], true).await.status, 400);
    let body = json!({ "not": "a list" });
    let path = format!("{CHANNELS}/{}/subscriptions", channel.id);
    assert_eq!(visit.post(&path, &body).await.status, 400);
}

#[tokio::test]
async fn a_channel_takes_a_thousand_topics_and_no_more() {
    let visit = Visit::new(prompt()).await;
    let channel = visit.make_channel().await;
    let topics: Vec<_> = (0..1_001)
        .map(|n| format!("v2.users.u{n}?presence&routingStatus"))
        .collect();
    let topics: Vec<_> = topics.iter().map(String::as_str).collect();
    assert_eq!(visit.put(&channel, &topics, true).await.status, 400);
    assert_eq!(
        visit.put(&channel, &topics[..1_000], true).await.status,
        200
    );
    assert_eq!(visit.sandbox.channels()[0].permitted, 2_000);
    let path = format!("{CHANNELS}/{}/subscriptions", channel.id);
    assert_eq!(
        visit
            .post(&path, &json!([{ "id": topics[7] }]))
            .await
            .status,
        200
    );
    let other = json!([{ "id": "v2.users.other.presence" }]);
    assert_eq!(visit.post(&path, &other).await.status, 400);
}

#[tokio::test]
async fn the_catalogue_names_topics_and_their_permissions() {
    let visit = Visit::new(prompt()).await;
    let path = "api/v2/notifications/availabletopics?expand=requiresPermissions,description";
    let topics = visit.get(path).await.entities();
    let presence = topics
        .iter()
        .find(|t| t["id"] == "v2.users.{id}.presence")
        .unwrap();
    assert!(presence["description"].is_string() && presence.get("schema").is_none());
}

#[tokio::test]
async fn the_twenty_first_channel_pushes_out_the_one_unused_for_longest_without_a_socket_first() {
    let visit = Visit::new(prompt()).await;
    let (first, mut socket) = visit.live(&[PRESENCE]).await;
    let second = visit.make_channel().await;
    for _ in 2..20 {
        visit.make_channel().await;
    }
    assert_eq!(visit.sandbox.channels().len(), 20);
    visit.make_channel().await;
    assert_eq!(visit.refused(&second).await, 404);
    assert_eq!(visit.sandbox.counters().channels_evicted, 1);

    // Once all have sockets, the oldest use decides.
    let mut sockets = Vec::new();
    for channel in visit
        .sandbox
        .channels()
        .into_iter()
        .filter(|c| c.socket.is_none())
    {
        let uri = format!(
            "{}channels/{}",
            visit.url("").replace("http", "ws"),
            channel.id
        );
        sockets.push(
            visit
                .open(&Made {
                    id: channel.id,
                    uri,
                })
                .await
                .unwrap(),
        );
    }
    visit
        .until(|sandbox| sandbox.channels().iter().all(|c| c.socket.is_some()))
        .await;
    visit.make_channel().await;
    let (code, said) = close_code(&mut socket).await;
    let farewell: Value = serde_json::from_str(said.last().unwrap()).unwrap();
    let topic = format!("v2.system.no_longer_subscribed.{}", first.id);
    assert_eq!(
        (code, farewell["topicName"].as_str().unwrap()),
        (1001, topic.as_str())
    );
    assert_eq!(
        farewell["eventBody"]["reason"],
        "another_channel_subscribed"
    );
    assert_eq!(visit.refused(&first).await, 404);
}

#[tokio::test]
async fn clients_do_not_push_each_other_out_nor_see_each_other() {
    let mut visit = Visit::new(GenesysCloudConfig {
        channels_per_client: 1,
        ..unequal()
    })
    .await;
    let first = visit.make_channel().await;
    visit.token = visit.fresh_token(1).await;
    visit.make_channel().await;
    assert_eq!(visit.sandbox.channels().len(), 2);
    let path = format!("{CHANNELS}/{}", first.id);
    assert_eq!(
        visit.ask(reqwest::Method::HEAD, &path, None).await.status,
        404
    );
    assert_eq!(visit.get(CHANNELS).await.entities().len(), 1);
}

#[tokio::test]
async fn channels_of_other_tokens_are_counted_but_their_ids_are_hidden() {
    let mut visit = Visit::new(prompt()).await;
    let old = visit.make_channel().await;
    visit.token = visit.fresh_token(0).await;
    let new = visit.make_channel().await;
    assert_eq!(visit.get(CHANNELS).await.entities().len(), 1);
    let all = visit
        .get(&format!("{CHANNELS}?includechannels=oauthclient"))
        .await
        .entities();
    let ids: Vec<_> = all
        .iter()
        .filter_map(|channel| channel["id"].as_str())
        .collect();
    assert_eq!((all.len(), ids), (2, vec![new.id.as_str()]));
    assert_eq!(visit.put(&old, &[PRESENCE], false).await.status, 404);
}

#[tokio::test]
async fn a_channel_lives_for_its_time_unless_it_is_subscribed_with_again() {
    let visit = Visit::new(GenesysCloudConfig {
        channel_lifetime: Duration::from_secs(2),
        ..prompt()
    })
    .await;
    let (kept, mut kept_socket) = visit.live(&[PRESENCE]).await;
    let (other, mut socket) = visit.live(&[PRESENCE]).await;
    let again = async {
        loop {
            assert_eq!(visit.put(&kept, &[PRESENCE], false).await.status, 200);
        }
    };
    tokio::select! {
        closed = close_code(&mut socket) => assert_eq!(closed.0, 1001),
        () = again => {}
    }
    assert_eq!(visit.refused(&other).await, 404);
    assert!(before_the_pong(&mut kept_socket).await.is_empty());
    assert_eq!(close_code(&mut kept_socket).await.0, 1001);
    assert_eq!(visit.refused(&kept).await, 404);
    assert_eq!(visit.put(&kept, &[PRESENCE], false).await.status, 404);
}
