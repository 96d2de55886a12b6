//! The wire shapes of the platform when nothing goes wrong.

use super::*;

fn form(client: &ClientCredentials, rest: &str) -> String {
    format!(
        "{rest}&client_id={}&client_secret={}",
        client.id, client.secret
    )
}

#[tokio::test]
async fn a_token_is_had_with_the_form_and_with_basic_and_not_with_a_wrong_secret() {
    let visit = Visit::new(quick()).await;
    let client = visit.sandbox.client_credentials();
    let url = visit.url("oauth/token");
    let body = form(&client, "grant_type=client_credentials");
    let got = read(visit.http.post(&url).body(body)).await.unwrap();
    let answer = got.json();
    assert_eq!((got.status, &answer["expires_in"]), (200, &300.into()));
    assert_eq!(answer["token_type"], "bearer");

    let request = visit.http.post(&url).basic_auth(client.id, Some("wrong"));
    let got = read(request.body("grant_type=client_credentials"))
        .await
        .unwrap();
    assert_eq!(
        (got.status, &got.json()["error"]),
        (401, &"invalid_client".into())
    );
    assert_eq!(visit.sandbox.tokens_issued(), 2);
    let counters = visit.sandbox.counters();
    assert_eq!(counters.answered(RequestKind::Token, 401), 1);
}

#[tokio::test]
async fn a_refresh_token_rotates_where_it_is_told_to() {
    let config = SandboxConfig {
        rotate_refresh_tokens: true,
        ..quick()
    };
    let visit = Visit::new(config).await;
    let first = visit.sandbox.client_credentials().refresh_token;
    let grant = |token: &str| format!("grant_type=refresh_token&refresh_token={token}");
    let got = visit.ask_token(&grant(&first)).await.unwrap().json();
    let second = got["refresh_token"].as_str().unwrap();
    assert_eq!(visit.ask_token(&grant(second)).await.unwrap().status, 200);
    let spent = visit.ask_token(&grant(&first)).await.unwrap();
    assert_eq!(
        (spent.status, &spent.json()["error"]),
        (400, &"invalid_grant".into())
    );
}

#[tokio::test]
async fn the_token_endpoint_has_a_rate() {
    let config = SandboxConfig {
        token_requests_per_minute: Some(1),
        ..quick()
    };
    let visit = Visit::new(config).await;
    let got = visit
        .ask_token("grant_type=client_credentials")
        .await
        .unwrap();
    let wait: u64 = got.retry_after.unwrap().parse().unwrap();
    assert_eq!(got.status, 429);
    assert!((1..=60).contains(&wait));
}

#[tokio::test]
async fn requests_have_a_rate_too() {
    let config = SandboxConfig {
        requests_per_minute: Some(1),
        ..quick()
    };
    let visit = Visit::new(config).await;
    assert_eq!(visit.get("api/v2/system/health").await.unwrap().status, 200);
    let got = visit.get("api/v2/system/health").await.unwrap();
    assert!(got.status == 429 && got.retry_after.is_some());
    assert_eq!(visit.poll(0).await.unwrap().status, 200);
}

#[tokio::test]
async fn the_probe_is_answered_without_credentials_and_leads_to_nothing() {
    let visit = Visit::new(quick()).await;
    let probe = format!("{SUBSCRIBE}?polling=true");
    let mut socket = visit.handshake(&probe, None).await.unwrap();
    say(&mut socket, &DEFAULT_CHANNELS, 0).await;
    assert_eq!(
        serde_json::from_str::<Value>(&text(&mut socket).await).unwrap()["status"],
        401
    );
    assert_eq!(close_code(&mut socket).await, 4401);
    let counters = visit.sandbox.counters();
    assert_eq!(counters.answered(RequestKind::Probe, 101), 1);
    assert_eq!(counters.subscriptions_confirmed, 0);
}

#[tokio::test]
async fn a_platform_may_refuse_the_probe_and_handshakes_without_credentials() {
    let config = SandboxConfig {
        probe_status: 401,
        ..quick()
    };
    let visit = Visit::new(config).await;
    for (path, token) in [
        (format!("{SUBSCRIBE}?polling=true"), None),
        (SUBSCRIBE.to_owned(), None),
        (SUBSCRIBE.to_owned(), Some("forged")),
    ] {
        match visit.handshake(&path, token).await {
            Err(Error::Http(answer)) => assert_eq!(answer.status(), 401),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_websocket_confirms_with_a_batch_and_then_tells_what_happens() {
    let visit = Visit::new(quick()).await;
    let mut socket = visit.subscribe(0).await;
    let confirmation = batch(&mut socket).await;
    assert_eq!((confirmation.sequence, confirmation.events.len()), (0, 0));
    visit.emit(1);
    let first = batch(&mut socket).await;
    assert_eq!((first.sequence, first.numbers()), (1, vec![1]));
    socket.send(Message::Ping("beat".into())).await.unwrap();
    let pong = frame(&mut socket).await.unwrap().unwrap();
    assert_eq!(pong, Message::Pong("beat".into()));
    socket.close(None).await.unwrap();
    visit
        .until(|sandbox| sandbox.counters().closes_received.values().sum::<u64>() == 1)
        .await;
    visit
        .until(|sandbox| sandbox.counters().pings_received == 1)
        .await;
}

#[tokio::test]
async fn a_websocket_resumes_from_its_position() {
    let visit = Visit::new(quick()).await;
    visit.emit(5);
    for (after, expected) in [(0, 1..=5), (3, 4..=5)] {
        let mut socket = visit.subscribe(after).await;
        assert_eq!(
            batch(&mut socket).await.numbers(),
            expected.collect::<Vec<_>>()
        );
    }
}

#[tokio::test]
async fn a_single_event_may_come_bare() {
    let config = SandboxConfig {
        bare_share: 1.0,
        ..quick()
    };
    let visit = Visit::new(config).await;
    let mut socket = visit.live().await;
    visit.emit(1);
    let bare: Value = serde_json::from_str(&text(&mut socket).await).unwrap();
    assert_eq!(bare["sequence"], 1);
    assert!(bare["eventType"].is_string() && bare["data"].is_object());
    visit.emit(2);
    assert_eq!(batch(&mut socket).await.numbers(), [2, 3]);
}

#[tokio::test]
async fn the_platform_pings_its_clients() {
    let config = SandboxConfig {
        ping_interval: Duration::from_millis(20),
        ..quick()
    };
    let visit = Visit::new(config).await;
    let mut socket = visit.live().await;
    assert!(matches!(
        frame(&mut socket).await,
        Some(Ok(Message::Ping(_)))
    ));
}

#[tokio::test]
async fn a_websocket_that_does_not_subscribe_is_closed() {
    let config = SandboxConfig {
        subscribe_timeout: Duration::from_millis(20),
        ..quick()
    };
    let visit = Visit::new(config).await;
    let mut socket = visit
        .handshake(SUBSCRIBE, Some(&visit.token))
        .await
        .unwrap();
    assert_eq!(close_code(&mut socket).await, 1008);
}

#[tokio::test]
async fn channels_that_are_unknown_or_forbidden_are_refused() {
    let config = SandboxConfig {
        forbidden_channels: vec!["audit.secret".to_owned()],
        ..quick()
    };
    let visit = Visit::new(config).await;
    for (channel, status, code) in [("audit.secret", 403, 4403), ("no.such", 400, 1008)] {
        assert_eq!(
            visit.poll_channels(0, &[channel]).await.unwrap().status,
            status
        );
        let mut socket = visit
            .handshake(SUBSCRIBE, Some(&visit.token))
            .await
            .unwrap();
        say(&mut socket, &[channel], 0).await;
        let error: Value = serde_json::from_str(&text(&mut socket).await).unwrap();
        assert_eq!(error["status"], status);
        assert_eq!(close_code(&mut socket).await, code);
    }
    for body in ["", "[]", r#"{"channels":[],"polling":true,"sequence":0}"#] {
        assert_eq!(visit.post(body).await.unwrap().status, 400, "{body}");
    }
    let websockets = r#"{"channels":["routing.agentEvent"],"polling":false,"sequence":0}"#;
    assert_eq!(visit.post(websockets).await.unwrap().status, 400);
    let large = " ".repeat(70_000);
    assert_eq!(visit.post(&large).await.unwrap().status, 413);
}

#[tokio::test]
async fn a_poll_answers_at_once_where_there_is_something_and_holds_where_not() {
    let visit = Visit::new(quick()).await;
    visit.emit(3);
    let got = visit.poll(1).await.unwrap();
    assert_eq!(Batch::parse(&got.body).numbers(), [2, 3]);
    let empty = visit.poll(3).await.unwrap();
    assert_eq!(empty.body, r#"{"sequence":3,"events":[]}"#);

    let nothing = SandboxConfig {
        elapsed: ElapsedHold::NoContent,
        ..quick()
    };
    let visit = Visit::new(nothing).await;
    assert_eq!(visit.poll(0).await.unwrap().status, 204);
}

#[tokio::test]
async fn an_event_ends_a_hold() {
    let visit = Visit::new(patient()).await;
    let emit = async {
        visit
            .until(|sandbox| sandbox.counters().arrived(RequestKind::Poll) == 1)
            .await;
        visit.emit(1);
    };
    let (got, ()) = tokio::join!(visit.poll(0), emit);
    assert_eq!(Batch::parse(&got.unwrap().body).numbers(), [1]);
}

#[tokio::test]
async fn a_poll_whose_client_went_away_is_let_go() {
    let visit = Visit::new(patient()).await;
    let held = |sandbox: &Sandbox| {
        let open = sandbox.connections().into_iter();
        open.filter(|connection| connection.transport == Transport::Poll)
            .count()
    };
    tokio::select! {
        _ = visit.poll(0) => panic!("held"),
        () = visit.until(|sandbox| held(sandbox) == 1) => {}
    }
    visit.until(|sandbox| held(sandbox) == 0).await;
    let counters = visit.sandbox.counters();
    assert_eq!(counters.ended(RequestKind::Poll, Outcome::Abandoned), 1);
}

#[tokio::test]
async fn numbers_are_dense_for_each_set_of_channels() {
    let visit = Visit::new(quick()).await;
    for (channel, count) in [("routing.agentEvent", 2), ("routing.queueStats", 3)] {
        for n in 0..count {
            let event = Emission::event(channel, json!({ "n": n }));
            visit.sandbox.emit(&event).unwrap();
        }
    }
    let one = visit
        .poll_channels(0, &["routing.queueStats"])
        .await
        .unwrap();
    assert_eq!(Batch::parse(&one.body).numbers(), [1, 2, 3]);
    let all = visit.poll(0).await.unwrap();
    assert_eq!(Batch::parse(&all.body).numbers(), [1, 2, 3, 4, 5]);
    let unknown = Emission::event("no.such", json!({}));
    assert!(matches!(
        visit.sandbox.emit(&unknown),
        Err(InvalidEvent::UnknownChannel(_))
    ));
}

#[tokio::test]
async fn the_history_has_what_is_kept_and_says_what_is_not() {
    let config = SandboxConfig {
        retention: 2,
        history_retention: 4,
        ..quick()
    };
    let visit = Visit::new(config).await;
    visit.emit(6);
    assert_eq!(
        Batch::parse(&visit.history(2, 5).await.body).numbers(),
        [3, 4, 5]
    );
    assert_eq!(visit.history(0, 2).await.status, 410);
    assert_eq!(
        visit
            .get("api/v2/events/history?after=1")
            .await
            .unwrap()
            .status,
        400
    );
    let other = "api/v2/events/history?after=1&through=2&channels=routing.agentEvent";
    assert_eq!(visit.get(other).await.unwrap().status, 404);
    // The log itself begins at 5, and tells so by its first number.
    assert_eq!(
        Batch::parse(&visit.poll(0).await.unwrap().body).numbers(),
        [5, 6]
    );
}

#[tokio::test]
async fn health_wants_credentials_and_other_paths_do_not_exist() {
    let mut visit = Visit::new(quick()).await;
    assert_eq!(visit.get("api/v2/system/health").await.unwrap().status, 200);
    assert_eq!(visit.get("api/v2/elsewhere").await.unwrap().status, 404);
    visit.token = "forged".to_owned();
    assert_eq!(visit.get("api/v2/system/health").await.unwrap().status, 401);
    assert_eq!(visit.poll(0).await.unwrap().status, 401);
    assert_eq!(visit.history(0, 1).await.status, 401);
}

#[tokio::test]
async fn a_token_that_expires_ends_a_held_poll_and_a_websocket() {
    let config = SandboxConfig {
        token_lifetime: Duration::from_secs(1),
        ..patient()
    };
    let visit = Visit::new(config).await;
    let mut socket = visit.live().await;
    assert_eq!(visit.poll(0).await.unwrap().status, 401);
    assert_eq!(close_code(&mut socket).await, 4401);
}

#[tokio::test]
async fn a_platform_may_tolerate_an_expired_token_on_a_websocket() {
    let config = SandboxConfig {
        on_expiry: OnExpiry::Tolerate,
        ..quick()
    };
    let visit = Visit::new(config).await;
    let mut socket = visit.live().await;
    visit.set(fault::Fault::ExpireTokensNow {});
    assert_eq!(visit.poll(0).await.unwrap().status, 401);
    visit.emit(1);
    assert_eq!(batch(&mut socket).await.numbers(), [1]);
}

#[tokio::test]
async fn a_handshake_without_upgrade_is_told_so() {
    let visit = Visit::new(quick()).await;
    assert_eq!(visit.get(SUBSCRIBE).await.unwrap().status, 426);
}

#[tokio::test]
async fn requests_are_remembered_with_the_position_they_asked_for() {
    let visit = Visit::new(quick()).await;
    visit.emit(3);
    visit.poll(2).await.unwrap();
    let _live = visit.live().await;
    visit.poll_channels(0, &["no.such"]).await.unwrap();
    let ended = |sandbox: &Sandbox| sandbox.requests(1, 9).iter().all(|r| r.outcome.is_some());
    visit.until(ended).await;
    let told: Vec<_> = visit
        .sandbox
        .requests(1, 9)
        .into_iter()
        .map(|request| (request.kind, request.position, request.outcome))
        .collect();
    let status = |status| Some(Outcome::Status(status));
    let expected = [
        (RequestKind::Poll, Some(2), status(200)),
        (RequestKind::Websocket, None, status(101)),
        (RequestKind::Subscribe, Some(3), status(200)),
        (RequestKind::Poll, Some(0), status(400)),
    ];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn several_connections_of_one_client_all_get_everything() {
    let visit = Visit::new(patient()).await;
    let (mut first, mut second) = (visit.live().await, visit.live().await);
    let emit = async {
        visit
            .until(|sandbox| sandbox.counters().arrived(RequestKind::Poll) == 1)
            .await;
        visit.emit(2);
    };
    let (polled, ()) = tokio::join!(visit.poll(0), emit);
    let expected = visit.issued();
    assert_eq!(Batch::parse(&polled.unwrap().body).events, expected);
    assert_eq!(batch(&mut first).await.events, expected);
    assert_eq!(batch(&mut second).await.events, expected);
}

#[tokio::test]
async fn a_sandbox_that_is_shut_down_or_dropped_leaves_nothing_behind() {
    for orderly in [true, false] {
        let visit = Visit::new(quick()).await;
        let mut socket = visit.live().await;
        let address = visit.sandbox.endpoint().socket_addrs(|| None).unwrap()[0];
        match orderly {
            true => visit.sandbox.shutdown().await,
            false => drop(visit.sandbox),
        }
        assert!(matches!(frame(&mut socket).await, None | Some(Err(_))));
        assert!(TcpStream::connect(address).await.is_err());
    }
}

#[tokio::test]
async fn settings_that_contradict_themselves_are_refused_together() {
    let config = SandboxConfig {
        channels: Vec::new(),
        rate: -1.0,
        control: "0.0.0.0:0".parse().unwrap(),
        ..quick()
    };
    let problem = Sandbox::start(config, Clock::system(), Rng::from_seed(1)).await;
    match problem {
        Err(StartError::Invalid { problems }) => assert_eq!(problems.len(), 3),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn tls_is_served_with_an_authority_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    let config = SandboxConfig {
        tls_ca_out: Some(path.clone()),
        ..quick()
    };
    let visit = Visit::new(config).await;
    assert_eq!(visit.sandbox.endpoint().scheme(), "https");
    let written = std::fs::read_to_string(path).unwrap();
    assert_eq!(visit.sandbox.ca_pem(), Some(written.as_str()));
    visit.emit(1);
    assert_eq!(
        Batch::parse(&visit.poll(0).await.unwrap().body).numbers(),
        [1]
    );
    let stranger = client(None)
        .get(visit.url("api/v2/system/health"))
        .send()
        .await;
    assert!(stranger.unwrap_err().is_connect());
}
