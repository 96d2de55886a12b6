//! Who read what, from where, until when: streams in the audit log.

use tieline::proto::v1;
use tieline::testing::Log;
use tokio::time::timeout;
use tonic::{Request, Streaming};
use v1::subscribe_request::{End, Start};

use super::house::{ADMIN, House, READER, TOKENS, WRITER, lines};
use crate::kit::{PATIENCE, write_private};

const SUBSCRIBE: &str = "/tieline.v1.EventService/Subscribe";

/// A stream of all there is, as a proxy asks for it that speaks for somebody.
async fn stream(
    house: &House,
    token: &str,
    end: Option<End>,
    forwarded: Option<&'static str>,
) -> Streaming<v1::SubscribeResponse> {
    let mut request = Request::new(v1::SubscribeRequest {
        journal: "journals/default".to_owned(),
        start: Some(Start::Preset(v1::StartPreset::Earliest.into())),
        end,
        ..Default::default()
    });
    if let Some(forwarded) = forwarded {
        let value = forwarded.parse().unwrap();
        request.metadata_mut().insert("x-forwarded-for", value);
    }
    let mut events = house.events(house.token(token));
    let opened = timeout(PATIENCE, events.subscribe(request)).await.unwrap();
    let mut stream = opened.unwrap().into_inner();
    let first = timeout(PATIENCE, stream.message()).await.unwrap();
    assert!(first.unwrap().is_some());
    stream
}

/// What is said of the stream of a principal: the word, the peer, the reason.
fn said(log: &Log, principal: &str) -> Vec<(String, String, String)> {
    let lines = log.lines().into_iter();
    let lines = lines.map(|line| line["fields"].clone());
    let own = lines.filter(|f| f["method"] == SUBSCRIBE && f["principal"] == principal);
    own.map(|fields| {
        assert_eq!(fields["journal"], "default");
        let text = |name: &str| fields[name].as_str().unwrap_or_default().to_owned();
        (text("message"), text("peer"), text("reason"))
    })
    .collect()
}

#[tokio::test]
async fn a_stream_is_in_the_audit_log_when_it_is_opened_and_when_it_ends_and_why() {
    for is_trusted in [true, false] {
        let (log, guard) = Log::capture("tieline::audit=debug");
        let house = House::with(|config, _, _| {
            if is_trusted {
                config.listen.trusted_proxies = vec!["127.0.0.0/8".to_owned()];
            }
        })
        .await;
        // One reads to the end, one leaves, one loses its credential.
        let for_others = Some("10.9.9.9, 198.51.100.9");
        let end = Some(End::UntilCaughtUp(true));
        let mut whole = stream(&house, READER, end, for_others).await;
        while whole.message().await.unwrap().is_some() {}
        let left = stream(&house, WRITER, None, None).await;
        let cut = stream(&house, ADMIN, None, for_others).await;
        drop(left);
        let rest = lines(&[("reader", READER), ("writer", WRITER)]);
        write_private(house.files(), TOKENS, &rest);
        let told = async {
            while ["reader", "writer", "admin"]
                .iter()
                .any(|who| said(&log, who).len() < 2)
            {
                tokio::task::yield_now().await;
            }
        };
        assert!(timeout(PATIENCE, told).await.is_ok(), "{}", log.text());
        drop((cut, guard));
        for (who, reason) in [
            ("reader", "OK"),
            ("writer", "CANCELLED"),
            ("admin", "CREDENTIALS_EXPIRED"),
        ] {
            let said = said(&log, who);
            let words: Vec<_> = said
                .iter()
                .map(|(word, _, reason)| (&**word, &**reason))
                .collect();
            assert_eq!(words, [("Opened", ""), ("Ended", reason)], "{who}");
            for (_, peer, _) in &said {
                let forwarded = is_trusted && who != "writer";
                let expected = if forwarded {
                    "198.51.100.9"
                } else {
                    "127.0.0.1:"
                };
                assert!(peer.starts_with(expected), "{who}: {peer}");
            }
        }
    }
}
