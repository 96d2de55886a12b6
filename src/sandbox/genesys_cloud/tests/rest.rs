//! The API: lists, snapshots that lag, history, limits, refusals.

use super::*;

#[tokio::test]
async fn users_come_page_by_page_by_id_and_expanded() {
    let visit = Visit::new(prompt()).await;
    let page = visit
        .get("api/v2/users?pageSize=4&pageNumber=2&expand=presence,routingStatus")
        .await;
    assert!(page.correlation.is_some());
    let body = page.json();
    assert_eq!((&body["total"], &body["pageCount"]), (&json!(6), &json!(2)));
    let users = page.entities();
    assert_eq!(users.len(), 2);
    assert_eq!(
        users[0]["presence"]["presenceDefinition"]["systemPresence"],
        "ON_QUEUE"
    );
    assert_eq!(users[0]["routingStatus"]["status"], "IDLE");
    let (one, two) = (visit.user(0), visit.user(3));
    for list in [format!("id={one},{two}"), format!("id={one}&id={two}")] {
        let users = visit.get(&format!("api/v2/users?{list}")).await.entities();
        assert_eq!(users.len(), 2);
        assert!(users[0].get("presence").is_none());
    }
    assert_eq!(visit.get("api/v2/users?pageSize=1000").await.status, 400);
}

#[tokio::test]
async fn presences_come_one_by_one_or_fifty_at_once() {
    let visit = Visit::new(prompt()).await;
    let user = visit.user(0);
    visit.presence(&user, SystemPresence::Meeting);
    let one = visit
        .get(&format!("api/v2/users/{user}/presences/purecloud"))
        .await
        .json();
    assert_eq!(one["presenceDefinition"]["systemPresence"], "MEETING");
    let bulk = visit
        .get(&format!(
            "api/v2/users/presences/purecloud/bulk?id={user},nobody"
        ))
        .await;
    let bulk = bulk.json();
    assert_eq!(
        (bulk.as_array().unwrap().len(), &bulk[0]["userId"]),
        (1, &json!(user))
    );
    assert_eq!(bulk[0]["modifiedDate"], one["modifiedDate"]);
    let many = vec!["x"; 51].join(",");
    let path = format!("api/v2/users/presences/purecloud/bulk?id={many}");
    assert_eq!(visit.get(&path).await.status, 400);
    let status = visit
        .get(&format!("api/v2/users/{user}/routingstatus"))
        .await
        .json();
    assert_eq!(status["status"], "OFF_QUEUE");
    assert_eq!(
        visit
            .get(&format!("api/v2/users/{user}/state"))
            .await
            .json()["state"],
        "active"
    );
    assert_eq!(
        visit.get("api/v2/users/nobody/routingstatus").await.status,
        404
    );
    assert_eq!(visit.get("api/v2/users/me").await.status, 400);
}

#[tokio::test]
async fn snapshots_lag_behind_events() {
    let visit = Visit::new(GenesysCloudConfig {
        snapshot_lag: Duration::from_secs(2),
        ..prompt()
    })
    .await;
    let user = visit.user(0);
    let (_, mut socket) = visit.live(&[&format!("v2.users.{user}.presence")]).await;
    visit.presence(&user, SystemPresence::Meal);
    assert_eq!(
        event(&mut socket).await["eventBody"]["presenceDefinition"]["systemPresence"],
        "MEAL"
    );
    let path = format!("api/v2/users/{user}/presences/purecloud");
    let shown = visit.get(&path).await.json();
    assert_eq!(shown["presenceDefinition"]["systemPresence"], "ON_QUEUE");
}

#[tokio::test]
async fn queues_are_found_by_name_and_members_page_by_page() {
    let visit = Visit::new(prompt()).await;
    let queues = visit
        .get("api/v2/routing/queues?name=supp*")
        .await
        .entities();
    assert_eq!((queues.len(), &queues[0]["name"]), (1, &json!("Support")));
    let queue = visit.queue();
    assert_eq!(queues[0]["id"], queue);
    let path = format!("api/v2/routing/queues/{queue}/members");
    let first = visit
        .get(&format!("{path}?pageSize=4&expand=routingStatus"))
        .await;
    assert!(
        first.json().get("total").is_none(),
        "such a list does not say how long it is"
    );
    assert!(
        first.json()["nextUri"]
            .as_str()
            .unwrap()
            .contains("pageNumber=2")
    );
    let members = first.entities();
    assert_eq!(members[0]["routingStatus"]["status"], "IDLE");
    assert_eq!(visit.get(&format!("{path}?pageSize=101")).await.status, 400);

    let user = visit.user(0);
    let leave = Change::Membership {
        queue: queue.clone(),
        user: user.clone(),
        joined: false,
    };
    visit.sandbox.change(&leave).unwrap();
    let joined = visit.get(&format!("{path}?joined=true")).await.entities();
    assert!(joined.iter().all(|member| member["id"] != user));
    visit
        .sandbox
        .change(&Change::RemoveMember {
            queue,
            user: user.clone(),
        })
        .unwrap();
    let left = visit.get(&path).await.entities();
    assert!(left.iter().all(|member| member["id"] != user));
}

#[tokio::test]
async fn observations_count_what_waits_and_who_is_there() {
    let visit = Visit::new(prompt()).await;
    let queue = visit.queue();
    let media = Media::Chat;
    let start = Change::StartConversation {
        queue: queue.clone(),
        media,
    };
    let started = visit.sandbox.change(&start).unwrap();
    let query = json!({
        "filter": { "type": "or", "predicates": [{ "dimension": "queueId", "value": queue }] },
        "metrics": ["oWaiting", "oOnQueueUsers", "oUserRoutingStatuses"],
        "detailMetrics": ["oWaiting"],
    });
    let path = "api/v2/analytics/queues/observations/query";
    let results = visit.post(path, &query).await.json();
    let results = results["results"].as_array().unwrap();
    let chat = results
        .iter()
        .find(|r| r["group"]["mediaType"] == "chat")
        .unwrap();
    assert_eq!(chat["data"][0]["stats"]["count"], 1);
    let detail = &chat["data"][0]["observations"][0];
    assert_eq!(detail["conversationId"], started.conversation.unwrap());
    let people = results
        .iter()
        .find(|r| r["group"].get("mediaType").is_none())
        .unwrap();
    let idle = people["data"]
        .as_array()
        .unwrap()
        .iter()
        .find(|m| m["qualifier"] == "IDLE");
    assert!(idle.unwrap()["stats"]["count"].as_u64().unwrap() >= 1);
    let bare = json!({ "filter": { "type": "or", "predicates": [] }, "metrics": ["oWaiting"] });
    assert_eq!(visit.post(path, &bare).await.status, 400);
}

#[tokio::test]
async fn a_conversation_is_told_step_by_step_and_found_by_the_day_it_began() {
    let visit = Visit::new(prompt()).await;
    let queue = visit.queue();
    let start = Change::StartConversation {
        queue: queue.clone(),
        media: Media::Voice,
    };
    let id = visit.sandbox.change(&start).unwrap().conversation.unwrap();
    let advance = Change::AdvanceConversation {
        conversation: id.clone(),
        to: None,
        user: None,
    };
    for _ in 0..2 {
        visit.sandbox.change(&advance).unwrap();
    }
    // Its steps have dates of their own, some milliseconds ahead of now.
    let path = format!("api/v2/conversations/{id}");
    let mut body = visit.get(&path).await.json();
    while body["participants"]
        .as_array()
        .is_none_or(|all| all.len() < 3)
        || body["participants"][2]["connectedTime"].is_null()
    {
        body = visit.get(&path).await.json();
    }
    assert_eq!(body["participants"][2]["purpose"], "agent");
    assert_eq!(body["participants"][2]["calls"][0]["state"], "connected");

    let (day, _) = body["startTime"].as_str().unwrap().split_once('T').unwrap();
    let query = |interval: String, filters: Value| {
        json!({ "interval": interval, "segmentFilters": filters,
            "conversationFilters": [{ "type": "and", "predicates":
                [{ "dimension": "conversationEnd", "operator": "notExists" }] }] })
    };
    let of_queue = json!([{ "type": "and", "predicates":
        [{ "dimension": "queueId", "operator": "matches", "value": queue }] }]);
    let path = "api/v2/analytics/conversations/details/query";
    // An early moment of the same UTC day is enough, although nothing happened in it.
    let early = format!("{day}T00:00:00.000Z/{day}T00:00:01.000Z");
    let found = visit
        .post(path, &query(early.clone(), of_queue))
        .await
        .json();
    assert_eq!(found["totalHits"], 1);
    assert_eq!(found["conversations"][0]["conversationId"], id);
    let agent = &found["conversations"][0]["participants"][2]["sessions"][0]["segments"];
    assert_eq!(
        (&agent[0]["segmentType"], &agent[1]["segmentType"]),
        (&json!("alert"), &json!("interact"))
    );
    let old = "2020-01-01T00:00:00.000Z/2020-01-02T00:00:00.000Z".to_owned();
    let none = visit.post(path, &query(old, json!([]))).await.json();
    assert_eq!(
        (&none["totalHits"], none.get("conversations")),
        (&json!(0), None)
    );
    let odd = json!([{ "type": "and", "predicates": [{ "dimension": "mood", "value": "x" }] }]);
    assert_eq!(visit.post(path, &query(early, odd)).await.status, 400);
    assert_eq!(visit.get("api/v2/conversations").await.entities().len(), 0);
    assert_eq!(visit.get("api/v2/conversations/none").await.status, 404);
}

#[tokio::test]
async fn the_past_of_a_user_is_a_timeline() {
    let visit = Visit::new(prompt()).await;
    let user = visit.user(0);
    visit.presence(&user, SystemPresence::Meal);
    visit.presence(&user, SystemPresence::OnQueue);
    let query = json!({
        "interval": "2020-01-01T00:00:00.000Z/2020-01-31T00:00:00.000Z",
        "userFilters": [{ "type": "or", "predicates": [{ "dimension": "userId", "value": user }] }],
    });
    let path = "api/v2/analytics/users/details/query";
    let empty = visit.post(path, &query).await.json();
    assert_eq!(
        empty["userDetails"][0]["primaryPresence"]
            .as_array()
            .unwrap()
            .len(),
        0
    );
    let since = visit.sandbox.world().users[&user].presence_since.clone();
    let (day, _) = since.split_once('T').unwrap();
    let interval = format!("{day}T00:00:00.000Z/{day}T23:59:59.999Z");
    let mut query = query;
    query["interval"] = interval.into();
    let told = visit.post(path, &query).await.json();
    let presences = told["userDetails"][0]["primaryPresence"]
        .as_array()
        .unwrap();
    let told: Vec<_> = presences
        .iter()
        .map(|spell| spell["systemPresence"].clone())
        .collect();
    assert_eq!(told, ["ON_QUEUE", "MEAL", "ON_QUEUE"]);
    assert_eq!(presences[0]["endTime"], presences[1]["startTime"]);
    assert!(presences[2].get("endTime").is_none());
    query["interval"] = "2020-01-01T00:00:00Z/2020-03-01T00:00:00Z".into();
    assert_eq!(visit.post(path, &query).await.status, 400);
}

#[tokio::test]
async fn adherence_records_have_names_of_their_own() {
    let visit = Visit::new(prompt()).await;
    let user = visit.user(0);
    let records = visit
        .get(&format!(
            "api/v2/workforcemanagement/adherence?userId={user}"
        ))
        .await;
    let record = &records.json()[0];
    assert_eq!(record["adherenceState"], "InAdherence");
    assert!(record["timeOfAdherenceChange"].is_string());
    assert!(record["managementUnit"]["id"].is_string() && record.get("managementUnitId").is_none());
    let units = visit
        .get("api/v2/workforcemanagement/managementunits")
        .await
        .entities();
    let unit = record["managementUnit"]["id"].as_str().unwrap();
    assert!(units.iter().any(|known| known["id"] == unit));
    let path = format!("api/v2/workforcemanagement/managementunits/{unit}/adherence");
    assert_eq!(visit.get(&path).await.entities().len(), 3);
    assert_eq!(
        visit
            .get("api/v2/workforcemanagement/adherence")
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn a_missing_permission_is_named() {
    let mut visit = Visit::new(GenesysCloudConfig {
        clients: vec![OauthClient::only("few", ["directory:user:view"])],
        ..prompt()
    })
    .await;
    assert_eq!(visit.get("api/v2/users").await.status, 200);
    let got = visit
        .get("api/v2/workforcemanagement/adherence?userId=x")
        .await;
    let body = got.json();
    assert_eq!(
        (got.status, &body["code"]),
        (403, &json!("missing.permissions"))
    );
    assert!(
        body["message"]
            .as_str()
            .unwrap()
            .contains("wfm:realtimeAdherence:view")
    );
    assert_eq!(
        Some(body["contextId"].as_str().unwrap()),
        got.correlation.as_deref()
    );
    visit.token.clear();
    assert_eq!(visit.get("api/v2/users").await.status, 401);
}

#[tokio::test]
async fn too_many_requests_with_one_token_must_wait() {
    let mut visit = Visit::new(GenesysCloudConfig {
        requests_per_minute: Some(2),
        ..prompt()
    })
    .await;
    for _ in 0..2 {
        assert_eq!(visit.get("api/v2/organizations/me").await.status, 200);
    }
    let got = visit.get("api/v2/organizations/me").await;
    assert_eq!(got.status, 429);
    let wait: u64 = got.retry_after.as_ref().unwrap().parse().unwrap();
    assert!((1..=30).contains(&wait));
    let body = got.json();
    assert_eq!(body["code"], "too.many.requests.retry.after");
    assert_eq!(body["limit"]["value"], 2);
    assert!(
        body["message"]
            .as_str()
            .unwrap()
            .contains(&format!("[{wait}]"))
    );
    visit.token = visit.fresh_token(0).await;
    assert_eq!(visit.get("api/v2/organizations/me").await.status, 200);
}

#[tokio::test]
async fn paths_that_others_have_written_of_do_not_exist() {
    let visit = Visit::new(prompt()).await;
    for path in [
        "api/v2/notifications/stream",
        "api/v2/events/subscribe",
        "api/v2/streaming/",
    ] {
        let got = visit.get(path).await;
        assert_eq!(
            (got.status, &got.json()["code"]),
            (404, &json!("not.found")),
            "{path}"
        );
    }
}
