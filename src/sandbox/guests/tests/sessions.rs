//! Sessions of web messaging: how they begin, go on, end and make way; what is taken in them.

use super::*;

#[tokio::test]
async fn a_token_that_nobody_has_begins_a_session_and_is_resumed_with_it() {
    let visit = Visit::new(messaging()).await;
    let (mut socket, body) = visit.join(TOKEN).await;
    assert_eq!(body["newSession"], true);
    assert_eq!(
        (&body["connected"], &body["readOnly"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(body["durationSeconds"], 3600);
    assert!(body["expirationDate"].as_u64().unwrap() > 1_700_000_000);
    assert_eq!(body["maxCustomDataBytes"], 2048);
    socket.close(None).await.unwrap();
    let (_, body) = visit.join(TOKEN).await;
    assert_eq!(body["newSession"], false);
    let counters = visit.sandbox.counters();
    assert_eq!((counters.sessions_begun, counters.sessions_resumed), (1, 1));
}

#[tokio::test]
async fn a_message_is_echoed_under_its_tracing_id_and_stands_in_the_record() {
    let visit = Visit::new(messaging()).await;
    let (mut socket, _) = visit.join(TOKEN).await;
    let message = json!({
        "type": "Text", "text": "Where is my parcel?",
        "channel": { "metadata": { "customAttributes": { "order": "17" } } },
    });
    let frame = json!({
        "action": "onMessage", "token": TOKEN, "tracingId": "t-002", "message": message,
    });
    ask(&mut socket, &frame).await;
    let echo = next(&mut socket).await;
    assert_eq!(
        (&echo["type"], &echo["class"]),
        (&json!("message"), &json!("StructuredMessage"))
    );
    assert_eq!(
        (&echo["code"], &echo["tracingId"]),
        (&json!(200), &json!("t-002"))
    );
    let body = &echo["body"];
    assert_eq!(body["direction"], "Inbound");
    assert_eq!(body["text"], "Where is my parcel?");
    visit
        .until(|sandbox| sandbox.record().entries()[0].receipt == Receipt::Written)
        .await;
    let entry = visit.sandbox.record().entries().remove(0);
    assert_eq!((entry.number, entry.session.as_str()), (1, TOKEN));
    assert_eq!(entry.request_id.as_deref(), Some("t-002"));
    assert_eq!(body["id"], entry.provider_id);
    assert_eq!(entry.attributes["order"], "17");
    assert_eq!((entry.via, entry.late), (Via::Websocket, false));
}

#[tokio::test]
async fn the_same_message_twice_is_two_messages() {
    let visit = Visit::new(messaging()).await;
    let (mut socket, _) = visit.join(TOKEN).await;
    for _ in 0..2 {
        say(&mut socket, TOKEN, "t", "again").await;
        next(&mut socket).await;
    }
    assert_eq!(visit.sandbox.record().taken(), 2);
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_told_by_its_code() {
    let visit = Visit::new(messaging()).await;
    let mut socket = visit.open().await;
    let deployment = visit.sandbox.config().deployment_id;
    let configure = json!({ "action": "configureSession", "deploymentId": deployment });
    let with = |frame: &Value, key: &str, value: Value| {
        let mut frame = frame.clone();
        frame[key] = value;
        frame
    };
    let message =
        |message: Value| json!({ "action": "onMessage", "token": TOKEN, "message": message });
    let told = |code: u16, frame: Value| (code, frame);
    let unconfigured = [
        told(4020, configure.clone()),
        told(400, with(&configure, "token", "no-uuid".into())),
        told(
            4020,
            json!({ "action": "configureSession", "token": TOKEN }),
        ),
        told(
            400,
            with(
                &with(&configure, "token", TOKEN.into()),
                "deploymentId",
                "x".into(),
            ),
        ),
        told(4007, message(json!({ "type": "Text", "text": "x" }))),
        told(400, json!({ "action": "dance", "token": TOKEN })),
        told(400, json!("not an object")),
        told(
            401,
            json!({ "action": "configureAuthenticatedSession", "token": TOKEN }),
        ),
        told(
            4000,
            json!({ "action": "getConfiguration", "token": TOKEN }),
        ),
    ];
    for (code, frame) in unconfigured {
        ask(&mut socket, &frame).await;
        assert_eq!(error(&mut socket).await.0, code, "{frame}");
    }
    let (mut socket, _) = visit.join(TOKEN).await;
    let large = json!({ "metadata": { "customAttributes": { "x": "y".repeat(2100) } } });
    let attached = json!([{ "contentType": "Attachment", "attachment": { "id": "a" } }]);
    let configured = [
        told(4020, message(json!({ "type": "Text" }))),
        told(4020, json!({ "action": "onMessage", "token": TOKEN })),
        told(
            4011,
            message(json!({ "type": "Text", "text": "x".repeat(4097) })),
        ),
        told(
            4013,
            message(json!({ "type": "Text", "text": "x", "channel": large })),
        ),
        told(
            4009,
            message(json!({ "type": "Text", "text": "x", "content": attached })),
        ),
        told(400, message(json!({ "type": "Smell" }))),
        told(4007, json!({ "action": "getJwt", "token": OTHER })),
    ];
    for (code, frame) in configured {
        ask(&mut socket, &frame).await;
        assert_eq!(error(&mut socket).await.0, code, "{frame}");
    }
    assert_eq!(visit.sandbox.record().taken(), 0);
}

#[tokio::test]
async fn an_ended_conversation_is_read_only_until_another_begins() {
    let visit = Visit::new(messaging()).await;
    let (mut socket, _) = visit.join(TOKEN).await;
    visit.sandbox.act(TOKEN, &Deed::End).unwrap();
    let end = next(&mut socket).await;
    assert_eq!(end["body"]["type"], "Event");
    assert_eq!(end["body"]["events"][0]["presence"]["type"], "Disconnect");
    say(&mut socket, TOKEN, "t", "anybody?").await;
    assert_eq!(error(&mut socket).await, (403, Some("t".to_owned())));
    let (mut socket, body) = visit.join(TOKEN).await;
    assert_eq!(
        (&body["newSession"], &body["readOnly"]),
        (&json!(false), &json!(true))
    );
    let before = visit.sandbox.sessions()[0].conversation.clone();
    visit.configure(&mut socket, TOKEN, true).await;
    let body = next(&mut socket).await["body"].clone();
    assert_eq!(
        (&body["newSession"], &body["readOnly"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(body["clearedExistingSession"], false);
    let after = visit.sandbox.sessions().remove(0);
    assert_ne!(after.conversation, before);
    assert_eq!(after.messages, 0);
}

#[tokio::test]
async fn an_expired_session_says_so_and_its_token_is_dead() {
    let visit = Visit::new(messaging()).await;
    let (mut socket, _) = visit.join(TOKEN).await;
    visit.sandbox.act(TOKEN, &Deed::Expire).unwrap();
    assert_eq!(next(&mut socket).await["class"], "SessionExpiredEvent");
    say(&mut socket, TOKEN, "t", "hello?").await;
    assert_eq!(error(&mut socket).await.0, 4006);
    let mut again = visit.open().await;
    visit.configure(&mut again, TOKEN, false).await;
    assert_eq!(error(&mut again).await.0, 4006);
    assert!(visit.sandbox.act(TOKEN, &Deed::Expire).is_err());
    assert!(visit.sandbox.say(TOKEN, "x").is_err());
}

#[tokio::test]
async fn a_session_ends_by_itself() {
    let visit = Visit::new(GuestConfig {
        session_duration: Duration::from_millis(300),
        ..messaging()
    })
    .await;
    let (mut silent, _) = visit.join(TOKEN).await;
    assert_eq!(next(&mut silent).await["class"], "SessionExpiredEvent");
    assert_eq!(visit.sandbox.counters().sessions_expired, 1);
}

#[tokio::test]
async fn a_forgotten_session_begins_anew() {
    let visit = Visit::new(messaging()).await;
    let (mut socket, _) = visit.join(TOKEN).await;
    visit.sandbox.act(TOKEN, &Deed::Forget).unwrap();
    say(&mut socket, TOKEN, "t", "hello?").await;
    assert_eq!(error(&mut socket).await.0, 4007);
    assert_eq!(visit.join(TOKEN).await.1["newSession"], true);
}

#[tokio::test]
async fn the_oldest_socket_makes_way_and_the_others_hear_each_other() {
    let visit = Visit::new(GuestConfig {
        sockets_per_session: 2,
        ..messaging()
    })
    .await;
    let (mut first, _) = visit.join(TOKEN).await;
    let (mut second, _) = visit.join(TOKEN).await;
    let (mut third, _) = visit.join(TOKEN).await;
    let (code, came) = closed(&mut first).await;
    assert_eq!(code, 1000);
    assert!(came[0].contains("ConnectionClosedEvent"), "{came:?}");
    say(&mut second, TOKEN, "t", "from the second").await;
    assert_eq!(next(&mut second).await["tracingId"], "t");
    assert_eq!(next(&mut third).await["body"]["text"], "from the second");
    assert_eq!(visit.sandbox.counters().sockets_superseded, 1);
}

#[tokio::test]
async fn closing_a_session_closes_its_connections_and_keeps_it() {
    let visit = Visit::new(messaging()).await;
    let (mut one, _) = visit.join(TOKEN).await;
    let (mut two, _) = visit.join(TOKEN).await;
    let frame = json!({
        "action": "closeSession", "token": TOKEN, "tracingId": "c", "closeAllConnections": true,
    });
    ask(&mut two, &frame).await;
    let (_, came) = closed(&mut two).await;
    let answer: Value = serde_json::from_str(&came[0]).unwrap();
    assert_eq!(
        (&answer["class"], &answer["tracingId"]),
        (&json!("SessionResponse"), &json!("c"))
    );
    assert_eq!(answer["body"]["connected"], false);
    assert!(closed(&mut one).await.1[0].contains("ConnectionClosedEvent"));
    assert_eq!(visit.join(TOKEN).await.1["newSession"], false);
}

#[tokio::test]
async fn health_is_answered_with_the_sessions_end_as_text() {
    let visit = Visit::new(messaging()).await;
    let (mut socket, _) = visit.join(TOKEN).await;
    let message = json!({ "type": "Text", "text": "ping" });
    let frame = json!({ "action": "echo", "token": TOKEN, "tracingId": "h", "message": message });
    ask(&mut socket, &frame).await;
    let answer = next(&mut socket).await;
    assert_eq!(
        (&answer["type"], &answer["tracingId"]),
        (&json!("response"), &json!("h"))
    );
    assert_eq!(answer["body"]["text"], "ping");
    assert_eq!(answer["body"]["metadata"]["durationSeconds"], "3600");
    assert!(answer["body"]["metadata"]["expirationDate"].is_string());
    assert_eq!(visit.sandbox.record().taken(), 0, "it is no message");
}

#[tokio::test]
async fn typing_is_no_message_and_clearing_begins_another_conversation() {
    let visit = Visit::new(messaging()).await;
    let (mut socket, _) = visit.join(TOKEN).await;
    let event = |event: Value| {
        json!({
            "action": "onMessage", "token": TOKEN, "tracingId": "e",
            "message": { "type": "Event", "events": [event] },
        })
    };
    let typing = json!({ "eventType": "Typing", "typing": { "type": "On" } });
    ask(&mut socket, &event(typing)).await;
    assert_eq!(next(&mut socket).await["body"]["type"], "Event");
    assert_eq!(visit.sandbox.counters().typing_events, 1);
    say(&mut socket, TOKEN, "t", "old").await;
    next(&mut socket).await;
    let clear = json!({ "eventType": "Presence", "presence": { "type": "Clear" } });
    ask(&mut socket, &event(clear)).await;
    assert_eq!(next(&mut socket).await["class"], "SessionClearedEvent");
    next(&mut socket).await;
    assert_eq!(visit.sandbox.sessions()[0].messages, 0);
    assert_eq!(
        visit.sandbox.record().taken(),
        1,
        "the record keeps what was taken"
    );
    ask(&mut socket, &event(json!({ "eventType": "Yawn" }))).await;
    assert_eq!(error(&mut socket).await.0, 400);
}
