//! The control API of the platforms for guests.

use super::*;

impl Visit {
    async fn look(&self, path: &str) -> Value {
        let got = read(self.http.get(self.control(path))).await;
        assert_eq!(got.status, 200, "{path}: {}", got.body);
        got.json()
    }

    async fn tell(&self, path: &str, body: &str) -> Got {
        read(self.http.post(self.control(path)).body(body.to_owned())).await
    }
}

#[tokio::test]
async fn the_record_is_read_in_pages() {
    let visit = Visit::new(messaging()).await;
    let (mut socket, _) = visit.join(TOKEN).await;
    for number in 1..=3 {
        say(&mut socket, TOKEN, &format!("t-{number}"), "x").await;
        next(&mut socket).await;
    }
    visit.until(|sandbox| sandbox.counters().echoes == 3).await;
    let page = visit.look("messages?after=1&limit=1").await;
    assert_eq!(page["taken"], 3);
    let messages = page["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 1);
    assert_eq!(
        (&messages[0]["number"], &messages[0]["request_id"]),
        (&json!(2), &json!("t-2"))
    );
    assert_eq!(
        (&messages[0]["receipt"], &messages[0]["session"]),
        (&json!("written"), &json!(TOKEN))
    );
    let sessions = visit.look("sessions").await;
    assert_eq!(sessions["sessions"][0]["messages"], 3);
    let after = visit.look(&format!("sessions?after={TOKEN}")).await;
    assert_eq!(after["sessions"], json!([]));
    let requests = visit.look("requests").await;
    assert_eq!(requests["requests"][0]["operation"], "handshake");
    let counters = visit.look("counters").await;
    assert_eq!(
        (
            &counters["messages_taken"],
            &counters["actions"]["onMessage"]
        ),
        (&json!(3), &json!(3))
    );
    assert_eq!(visit.look("state").await["sockets"], 1);
}

#[tokio::test]
async fn the_agent_does_what_it_is_told() {
    let visit = Visit::new(messaging()).await;
    let (mut socket, _) = visit.join(TOKEN).await;
    let say = format!("sessions/{TOKEN}/say");
    assert_eq!(
        visit
            .tell(&say, r#"{"text":"Hi","choices":["a","b"]}"#)
            .await
            .status,
        200
    );
    let heard = next(&mut socket).await;
    assert_eq!(heard["body"]["content"][1]["quickReply"]["text"], "b");
    assert_eq!(visit.tell(&say, "{}").await.status, 400);
    assert_eq!(visit.tell(&say, r#"{"words":"Hi"}"#).await.status, 400);
    assert_eq!(
        visit
            .tell("sessions/nobody/say", r#"{"text":"Hi"}"#)
            .await
            .status,
        404
    );
    assert_eq!(
        visit
            .tell(&format!("sessions/{TOKEN}/hug"), "")
            .await
            .status,
        404
    );
    assert_eq!(visit.tell("emit", "").await.status, 400);
    let everybody = visit.tell("sessions/*/end", "").await;
    assert_eq!(everybody.json()["sessions"], 1);
    assert_eq!(next(&mut socket).await["body"]["type"], "Event");
    assert_eq!(visit.look("said").await["said"][0]["text"], "Hi");
    assert_eq!(
        visit
            .tell(&format!("sessions/{TOKEN}/supersede"), "")
            .await
            .status,
        200
    );
    assert_eq!(closed(&mut socket).await.0, 1000);
    assert_eq!(
        visit
            .tell(&format!("sessions/{TOKEN}/clear"), "")
            .await
            .status,
        200
    );
    assert_eq!(
        visit
            .tell(&format!("sessions/{TOKEN}/expire"), "")
            .await
            .status,
        200
    );
    assert_eq!(
        visit
            .tell(&format!("sessions/{TOKEN}/forget"), "")
            .await
            .status,
        200
    );
    assert_eq!(visit.look("state").await["sessions"], 0);
}

#[tokio::test]
async fn faults_are_set_and_the_platform_restarted_over_it() {
    let visit = Visit::new(messaging()).await;
    let (mut socket, _) = visit.join(TOKEN).await;
    let put = visit
        .http
        .put(visit.control("faults/lost_echo"))
        .body(r#"{"count":1}"#);
    assert_eq!(read(put).await.status, 200);
    say(&mut socket, TOKEN, "t", "x").await;
    visit.until(|sandbox| sandbox.record().taken() == 1).await;
    assert_eq!(
        visit.look("messages").await["messages"][0]["fault"],
        "lost_echo"
    );
    assert_eq!(visit.look("faults").await["faults"][0]["struck"], 1);
    let jwt = visit.jwt(&mut socket, TOKEN).await;
    assert_eq!(visit.tell("expire-tokens", "").await.status, 200);
    assert_eq!(visit.history(&jwt, "").await.status, 401);
    assert_eq!(visit.tell("restart", "").await.status, 200);
    breaks(&mut socket).await;
    visit.join(TOKEN).await;
    let wrong = visit
        .http
        .put(visit.control("faults/message_error"))
        .body(r#"{"code":7}"#);
    assert_eq!(read(wrong).await.status, 400);
}

#[test]
fn every_fault_can_be_set_by_its_name_alone() {
    for name in GuestFaultName::ALL {
        let object = json!({ "fault": name.as_str() });
        let rule = FaultRule::<GuestFault>::from_json(object.as_object().unwrap().clone()).unwrap();
        assert_eq!(rule.name(), *name);
    }
}

#[tokio::test]
async fn the_greeting_is_a_configuration_and_commands() {
    for config in [messaging(), webchat()] {
        let platform = config.dialect.platform();
        let visit = Visit::new(config).await;
        let text = visit.sandbox.greeting(7);
        let endpoint = visit.sandbox.endpoint();
        for part in [
            "session_templates:",
            &format!("platform: {platform}"),
            &format!("endpoint: {}", endpoint.as_str().trim_end_matches('/')),
            &visit.control("messages"),
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        let line: Value = serde_json::from_str(&visit.sandbox.announcement(7)).unwrap();
        assert_eq!(line["platform"], platform);
        assert!(visit.sandbox.farewell().contains("messages taken 0"));
    }
}

#[test]
fn settings_that_cannot_be_are_named() {
    let wrong = GuestConfig {
        control: "0.0.0.0:0".parse().unwrap(),
        deployment_id: String::new(),
        session_duration: Duration::ZERO,
        sockets_per_session: 0,
        handshakes_per_second: Some(0),
        ..messaging()
    };
    assert_eq!(wrong.problems().len(), 5, "{:?}", wrong.problems());
    assert!(messaging().problems().is_empty() && webchat().problems().is_empty());
}
