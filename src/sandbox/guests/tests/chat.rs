//! genesys-webchat: tokens, guests, sockets, and sending over REST.

use super::*;

/// A guest of a chat.
struct Chat {
    instance: String,
    token: String,
}

impl Chat {
    fn messages(&self) -> String {
        format!("api/v2/webchat/instances/{}/messages", self.instance)
    }

    async fn open(&self, visit: &Visit) -> Result<Ws, Error> {
        let path = format!("api/v2/webchat/instances/{}/websocket", self.instance);
        let bearer = format!("Bearer {}", self.token);
        visit.dial(&path, &[("authorization", &bearer)]).await
    }
}

impl Visit {
    async fn access(&self) -> String {
        let client = self.sandbox.client_credentials();
        let request = self.http.post(self.url("oauth/token"));
        let request = request.basic_auth(client.id, Some(client.secret));
        let got = read(request.body("grant_type=client_credentials")).await;
        assert_eq!(got.status, 200, "{got:?}");
        got.json()["access_token"].as_str().unwrap().to_owned()
    }

    async fn guest(&self) -> Chat {
        let access = self.access().await;
        let got = self.post("api/v2/webchat/guests", &access, &guest()).await;
        assert_eq!(got.status, 200, "{got:?}");
        let body = got.json();
        assert_eq!(body["expiresIn"], 3600);
        Chat {
            instance: body["webchatInstanceId"].as_str().unwrap().to_owned(),
            token: body["token"].as_str().unwrap().to_owned(),
        }
    }
}

fn guest() -> Value {
    json!({ "guest": { "email": "guest@example.org", "firstName": "G", "lastName": "Uest" } })
}

fn message(id: &str, content: &str) -> Value {
    json!({ "type": "message", "content": content, "messageId": id })
}

#[tokio::test]
async fn messages_go_both_ways_each_with_its_acknowledgement() {
    let visit = Visit::new(webchat()).await;
    let chat = visit.guest().await;
    let mut socket = chat.open(&visit).await.unwrap();
    ask(&mut socket, &message("m-1", "hello")).await;
    let expected = json!({ "type": "messageReceived", "messageId": "m-1" });
    assert_eq!(next(&mut socket).await, expected);
    visit
        .sandbox
        .say(&chat.instance, "How can I help?")
        .unwrap();
    let told = next(&mut socket).await;
    assert_eq!(
        (&told["type"], &told["content"]),
        (&json!("message"), &json!("How can I help?"))
    );
    let received = json!({ "type": "messageReceived", "messageId": told["messageId"] });
    ask(&mut socket, &received).await;
    visit.until(|sandbox| sandbox.said()[0].received).await;
    visit
        .until(|sandbox| sandbox.record().entries()[0].receipt == Receipt::Written)
        .await;
    let entry = visit.sandbox.record().entries().remove(0);
    assert_eq!((entry.session, entry.via), (chat.instance, Via::Websocket));
    ask(&mut socket, &json!({ "type": "dance" })).await;
    visit
        .until(|sandbox| sandbox.counters().strange_texts == 1)
        .await;
}

#[tokio::test]
async fn a_message_may_go_over_rest_and_is_recorded_alike() {
    let visit = Visit::new(webchat()).await;
    let chat = visit.guest().await;
    for id in ["1", "2"] {
        let got = visit
            .post(&chat.messages(), &chat.token, &message(id, "x"))
            .await;
        assert_eq!((got.status, &got.json()["messageId"]), (200, &json!(id)));
    }
    let entries = visit.sandbox.record().entries();
    assert_eq!(entries.len(), 2);
    assert!(
        entries
            .iter()
            .all(|m| m.via == Via::Rest && m.receipt == Receipt::Written)
    );
}

#[tokio::test]
async fn a_request_over_rest_is_cut_before_or_after_it_was_taken() {
    for (fault, taken) in [
        (GuestFault::CutBeforeTaking {}, 0),
        (GuestFault::CutAfterTaking {}, 1),
        (GuestFault::CutInEcho {}, 1),
        (GuestFault::LostEcho {}, 1),
    ] {
        let visit = Visit::new(webchat()).await;
        let chat = visit.guest().await;
        visit.set(fault.clone().times(1));
        let request = visit
            .http
            .post(visit.url(&chat.messages()))
            .bearer_auth(&chat.token);
        let answer = request.body(message("m", "x").to_string()).send().await;
        let whole = match answer {
            Ok(answer) => answer.text().await.is_ok(),
            Err(_) => false,
        };
        assert!(!whole, "{fault:?}");
        assert_eq!(visit.sandbox.record().taken(), taken, "{fault:?}");
        assert!(
            visit
                .record()
                .iter()
                .all(|(_, _, receipt)| *receipt != Receipt::Written)
        );
    }
}

#[tokio::test]
async fn errors_over_rest_and_in_frames_name_the_message() {
    let visit = Visit::new(webchat()).await;
    let chat = visit.guest().await;
    let failing = || {
        GuestFault::MessageError {
            code: 5000,
            taken: false,
        }
        .times(1)
    };
    visit.set(failing());
    assert_eq!(
        visit
            .post(&chat.messages(), &chat.token, &message("1", "x"))
            .await
            .status,
        500
    );
    let mut socket = chat.open(&visit).await.unwrap();
    visit.set(failing());
    ask(&mut socket, &message("2", "x")).await;
    let answer = next(&mut socket).await;
    assert_eq!(
        (&answer["status"], &answer["messageId"]),
        (&json!(500), &json!("2"))
    );
    visit.set(GuestFault::Throttle { retry_after: 2 }.times(2));
    ask(&mut socket, &message("3", "x")).await;
    assert_eq!(next(&mut socket).await["retryAfter"], 2);
    let got = visit
        .post(&chat.messages(), &chat.token, &message("4", "x"))
        .await;
    assert_eq!((got.status, got.retry_after.as_deref()), (429, Some("2")));
    for broken in [
        json!({}),
        json!({ "type": "x", "content": "", "messageId": "" }),
    ] {
        assert_eq!(
            visit
                .post(&chat.messages(), &chat.token, &broken)
                .await
                .status,
            400
        );
    }
    assert_eq!(visit.sandbox.record().taken(), 0);
}

#[tokio::test]
async fn guests_need_an_access_token_and_instances_the_guests_own() {
    let visit = Visit::new(webchat()).await;
    let guests = "api/v2/webchat/guests";
    assert_eq!(visit.post(guests, "nobody", &guest()).await.status, 401);
    let access = visit.access().await;
    assert_eq!(
        visit
            .post(guests, &access, &json!({ "guest": {} }))
            .await
            .status,
        400
    );
    let retry_after = Some("4".to_owned());
    visit.set(
        GuestFault::RefuseGuest {
            status: 429,
            retry_after,
        }
        .times(1),
    );
    let got = visit.post(guests, &access, &guest()).await;
    assert_eq!((got.status, got.retry_after.as_deref()), (429, Some("4")));
    visit.set(GuestFault::ExpireTokensNow {});
    assert_eq!(visit.post(guests, &access, &guest()).await.status, 401);
    let chat = visit.guest().await;
    let forged = Chat {
        instance: chat.instance.clone(),
        token: "forged".to_owned(),
    };
    assert_eq!(refused(forged.open(&visit).await).0, 401);
    let unknown = Chat {
        instance: "unknown".to_owned(),
        token: chat.token.clone(),
    };
    assert_eq!(refused(unknown.open(&visit).await).0, 404);
    assert_eq!(
        visit
            .post(&unknown.messages(), &chat.token, &message("1", "x"))
            .await
            .status,
        404
    );
    assert_eq!(
        visit
            .post(&chat.messages(), "forged", &message("1", "x"))
            .await
            .status,
        401
    );
    visit.set(GuestFault::RefuseSession { code: 403 }.times(1));
    assert_eq!(refused(chat.open(&visit).await).0, 403);
}

#[tokio::test]
async fn an_ended_chat_closes_its_socket_and_takes_nothing_more() {
    let visit = Visit::new(GuestConfig {
        reply: AgentReply::Script,
        ..webchat()
    })
    .await;
    let chat = visit.guest().await;
    let mut socket = chat.open(&visit).await.unwrap();
    assert!(
        next(&mut socket).await["content"]
            .as_str()
            .unwrap()
            .starts_with("Hello")
    );
    ask(&mut socket, &message("1", "bye")).await;
    let (code, came) = closed(&mut socket).await;
    assert_eq!(code, 1001);
    assert!(
        came.iter().any(|frame| frame.contains("Good bye.")),
        "{came:?}"
    );
    assert_eq!(refused(chat.open(&visit).await).0, 410);
    assert_eq!(
        visit
            .post(&chat.messages(), &chat.token, &message("2", "x"))
            .await
            .status,
        410
    );
}

#[tokio::test]
async fn an_expired_guest_is_turned_away() {
    let visit = Visit::new(webchat()).await;
    let chat = visit.guest().await;
    let mut socket = chat.open(&visit).await.unwrap();
    visit
        .until(|sandbox| !sandbox.sessions()[0].sockets.is_empty())
        .await;
    visit.sandbox.act(&chat.instance, &Deed::Expire).unwrap();
    assert_eq!(closed(&mut socket).await.0, 4401);
    assert_eq!(refused(chat.open(&visit).await).0, 401);
}

#[tokio::test]
async fn the_token_endpoint_may_be_down_slow_or_refuse() {
    let visit = Visit::new(webchat()).await;
    visit.set(GuestFault::TokenDown { status: 503 }.times(1));
    let client = visit.sandbox.client_credentials();
    let ask = || {
        let request = visit.http.post(visit.url("oauth/token"));
        request
            .basic_auth(&client.id, Some(&client.secret))
            .body("grant_type=client_credentials")
    };
    assert_eq!(read(ask()).await.status, 503);
    let delay = HumanDuration::from_millis(1);
    visit.set(GuestFault::TokenSlow { delay }.times(1));
    visit.set(
        GuestFault::TokenError {
            error: crate::sandbox::fault::TokenRefusal::InvalidClient,
        }
        .times(1),
    );
    let got = read(ask()).await;
    assert!((400..=401).contains(&got.status), "{got:?}");
    assert_eq!(read(ask()).await.status, 200);
}
