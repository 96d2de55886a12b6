//! Tokens of a file, and accounts at the socket.

use serde_json::json;
use tieline::client::{Credentials, GapChoice, Item, Resuming, Target};
use tieline::proto::v1;
use tieline::runtime::Rng;
use tokio::time::{Instant, timeout};
use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_types::StatusExt as _;
use v1::event_service_client::EventServiceClient;

use super::house::{
    ADMIN, House, READER, STRANGER, TOKENS, auth, end, everybody, goes_on, is, lines, soon,
    subscribe,
};
use crate::kit::{PATIENCE, write_private};

const MISSING: &str = "CREDENTIALS_MISSING";
const EXPIRED: &str = "CREDENTIALS_EXPIRED";

#[tokio::test]
async fn whoever_has_no_token_that_is_known_is_refused() {
    let house = House::with_tokens().await;
    let none = house
        .stream(Credentials::default(), "journals/default")
        .await;
    is(&none.unwrap_err(), Code::Unauthenticated, MISSING);
    for wrong in [STRANGER, "short", "a.b.c"] {
        let refused = house.stream(house.token(wrong), "journals/default").await;
        is(&refused.unwrap_err(), Code::Unauthenticated, EXPIRED);
    }
    // No bearer token, or two of them.
    let mut plain = EventServiceClient::new(house.address().channel().unwrap());
    for values in [
        vec!["Basic YTpi".to_owned()],
        vec![format!("Bearer {READER}"); 2],
    ] {
        let mut request = Request::new(v1::ListJournalsRequest::default());
        for value in values {
            request
                .metadata_mut()
                .append("authorization", value.parse().unwrap());
        }
        let refused = plain.list_journals(request).await.unwrap_err();
        is(&refused, Code::Unauthenticated, MISSING);
    }
    let mut stream = house
        .stream(house.token(READER), "journals/default")
        .await
        .unwrap();
    goes_on(&mut stream).await;
    // The scheme is written as one likes.
    let mut request = Request::new(v1::ListJournalsRequest::default());
    let value = format!("bearer  {READER}").parse().unwrap();
    request.metadata_mut().insert("authorization", value);
    assert!(plain.list_journals(request).await.is_ok());
}

#[tokio::test]
async fn a_token_that_is_taken_out_ends_its_streams_and_no_others() {
    let house = House::with_tokens().await;
    let reader = house
        .stream(house.token(READER), "journals/default")
        .await
        .unwrap();
    let mut admin = house
        .stream(house.token(ADMIN), "journals/default")
        .await
        .unwrap();
    let began = Instant::now();
    write_private(house.files(), TOKENS, &lines(&[("admin", ADMIN)]));
    let (status, ended) = end(reader).await;
    is(&status, Code::Unauthenticated, EXPIRED);
    soon(began, ended);
    goes_on(&mut admin).await;
    house
        .figure(
            r#"tieline_feed_subscriptions_ended_total{journal="default",reason="credentials"} 1"#,
        )
        .await;
    // A file that makes no sense changes nothing.
    write_private(house.files(), TOKENS, "admin\n");
    house
        .figure(r#"tieline_listen_files_read_total{file="tokens",outcome="refused"} 1"#)
        .await;
    goes_on(&mut admin).await;
    assert!(
        house
            .stream(house.token(ADMIN), "journals/default")
            .await
            .is_ok()
    );
    write_private(house.files(), TOKENS, &everybody());
    let back = async {
        let open = || house.stream(house.token(READER), "journals/default");
        while open().await.is_err() {}
    };
    assert!(timeout(PATIENCE, back).await.is_ok(), "it is let in again");
}

#[tokio::test]
async fn a_reader_whose_token_is_replaced_goes_on_with_the_new_one() {
    let house = House::with_tokens().await;
    let credentials = house.token(READER);
    let file = credentials.token_file.clone().unwrap();
    let target = Target {
        address: house.address(),
        credentials,
    };
    let request = v1::SubscribeRequest {
        journal: "journals/default".to_owned(),
        start: Some(v1::subscribe_request::Start::Preset(
            v1::StartPreset::Earliest.into(),
        )),
        ..v1::SubscribeRequest::default()
    };
    let stop = |_: &_| GapChoice::Stop;
    let mut reader = Resuming::at(target, request, stop, Rng::from_seed(5)).unwrap();
    let mut read = async |more: u64| {
        let mut seen = 0;
        while seen < more {
            let item = timeout(PATIENCE, reader.next()).await.unwrap().unwrap();
            if let Item::Response(response) = item.unwrap() {
                seen += response.events.len() as u64;
            }
        }
    };
    read(5).await;
    std::fs::write(&file, STRANGER).unwrap();
    let tokens = lines(&[("reader", STRANGER), ("admin", ADMIN)]);
    write_private(house.files(), TOKENS, &tokens);
    house
        .figure(
            r#"tieline_feed_subscriptions_ended_total{journal="default",reason="credentials"} 1"#,
        )
        .await;
    house.stage.emit(10);
    read(5).await;
}

#[tokio::test]
async fn an_account_at_the_socket_may_do_what_it_or_its_group_is_allowed() {
    use std::os::unix::fs::MetadataExt as _;
    let own = std::fs::metadata("/proc/self").unwrap();
    let (user, group) = (own.uid(), own.gid());
    let permitted = |principal: String, right: &str| json!([{ "principal": principal, "journals": ["default"], "allow": [right] }]);
    for (principal, right, comes_in) in [
        (format!("uid:{user}"), "read", true),
        (format!("gid:{group}"), "read", true),
        (format!("uid:{user}"), "send", false),
        (format!("uid:{}", user + 1), "read", false),
        ("reader".to_owned(), "read", false),
    ] {
        let house = House::with(|config, files, _| {
            let auth = auth(files, permitted(principal.clone(), right));
            config.listen.auth = serde_json::from_value(auth).unwrap();
        })
        .await;
        let target = Target::from(house.socket());
        let events = EventServiceClient::new(target.channel().unwrap());
        let opened = subscribe(events, "journals/default").await;
        assert_eq!(opened.is_ok(), comes_in, "{principal} {right}");
        if let Err(status) = opened {
            is(&status, Code::PermissionDenied, "JOURNAL_FORBIDDEN");
        }
        // Nobody is an account over TCP.
        let none = house
            .stream(Credentials::default(), "journals/default")
            .await;
        is(&none.unwrap_err(), Code::Unauthenticated, MISSING);
    }
}

#[tokio::test]
async fn a_principal_has_so_many_streams_at_once_and_others_have_theirs() {
    let house = House::with(|config, _, _| config.listen.limits.per_principal = 2).await;
    let mut held = Vec::new();
    for _ in 0..2 {
        held.push(
            house
                .stream(house.token(READER), "journals/default")
                .await
                .unwrap(),
        );
    }
    let refused = house.stream(house.token(READER), "journals/default").await;
    let status = refused.unwrap_err();
    is(&status, Code::ResourceExhausted, "SUBSCRIBER_QUOTA");
    let details = status.get_error_details();
    let violations = &details.quota_failure().unwrap().violations;
    assert_eq!(violations[0].subject, "principals/reader");
    assert!(details.retry_info().unwrap().retry_delay.is_some());
    assert!(
        house
            .stream(house.token(ADMIN), "journals/default")
            .await
            .is_ok()
    );
    drop(held.pop());
    let again = async {
        while house
            .stream(house.token(READER), "journals/default")
            .await
            .is_err()
        {}
    };
    timeout(PATIENCE, again).await.expect("there is room again");
}

#[tokio::test]
async fn probes_need_no_credential_and_reflection_does() {
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    let house = House::with_tokens().await;
    let mut health = HealthClient::new(house.address().channel().unwrap());
    let service = String::new();
    assert!(health.check(HealthCheckRequest { service }).await.is_ok());
    let ask = async |credentials| {
        let mut client = ServerReflectionClient::new(house.calls(credentials));
        let requests =
            tokio_stream::once(tonic_reflection::pb::v1::ServerReflectionRequest::default());
        client.server_reflection_info(requests).await.map(drop)
    };
    let refused = ask(Credentials::default()).await.unwrap_err();
    is(&refused, Code::Unauthenticated, MISSING);
    assert!(ask(house.token(READER)).await.is_ok());
}
