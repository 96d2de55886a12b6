//! Requests that ask for too much: filters above all.

use prost::Message as _;
use serde_json::json;
use tieline::client::Address;
use tieline::proto::v1;
use tokio::time::timeout;
use tonic::Code;
use v1::event_service_client::EventServiceClient;
use v1::subscribe_request::Start;

use super::arena::Arena;
use super::raw::{DATA, END_HEADERS, END_STREAM, HEADERS, Raw, SUBSCRIBE, call, message};
use crate::child::BOUND;

fn asking(filter: v1::EventFilter) -> v1::SubscribeRequest {
    v1::SubscribeRequest {
        start: Some(Start::Preset(v1::StartPreset::Earliest.into())),
        filter: Some(filter),
        ..Default::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b07_filters_that_cost_too_much_are_refused() {
    let mut arena = Arena::new(json!({}), &[]).await;
    let address: Address = arena.server.to_string().parse().unwrap();
    let mut client = EventServiceClient::new(address.channel().unwrap());
    let types = |types: Vec<String>| v1::EventFilter {
        types,
        ..Default::default()
    };
    let expression = |expression: String| v1::EventFilter {
        expression,
        ..Default::default()
    };
    let bombs = [
        types((0..10_000).map(|n| format!("ccaas.type-{n}")).collect()),
        types(vec!["*".repeat(10_000)]),
        types(vec!["a*".repeat(30)]),
        types(vec!["x".repeat(100_000)]),
        types(vec![String::new()]),
        expression("x".repeat(100_000)),
        expression(format!("{}true{}", "(".repeat(5_000), ")".repeat(5_000))),
        expression(vec!["type == 'a'"; 5_000].join(" || ")),
        expression("[1,2,3].all(a, [1,2,3].all(b, [1,2,3].all(c, a + b + c > 0)))".to_owned()),
        expression(format!("{}true", "!".repeat(4_000))),
    ];
    for filter in bombs {
        let shown: String = format!("{filter:?}").chars().take(160).collect();
        let asked = timeout(BOUND, client.subscribe(asking(filter))).await;
        let refused = asked.expect("it is answered").expect_err(&shown);
        assert_eq!(refused.code(), Code::InvalidArgument, "{shown}: {refused}");
    }
    arena.stands("filters", 1).await;

    // Text that is none, and a message that ends in its middle.
    let mut raw = Raw::tcp(arena.server).await;
    raw.hello(&[]).await.unwrap();
    let mut filter = Vec::new();
    prost::encoding::bytes::encode(1, &b"\xff\xfe\xfd".to_vec(), &mut filter);
    let mut invalid = Vec::new();
    prost::encoding::bytes::encode(11, &filter, &mut invalid);
    let whole = asking(types(vec!["ccaas.*".to_owned()])).encode_to_vec();
    let cut = whole.get(..whole.len() - 2).unwrap().to_vec();
    for (stream, request) in [(1, invalid), (3, cut), (5, vec![0xff; 1_000])] {
        raw.mouth
            .frame(HEADERS, END_HEADERS, stream, &call(SUBSCRIBE))
            .await
            .unwrap();
        raw.mouth
            .frame(DATA, END_STREAM, stream, &message(&request))
            .await
            .unwrap();
        let answer = raw.ear.hear(HEADERS).await.expect("an answer");
        assert_eq!(
            (answer.stream, answer.flags & END_STREAM),
            (stream, END_STREAM)
        );
    }
    arena.stands("requests that are none", 2).await;
    arena.over().await;
}
