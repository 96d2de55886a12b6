//! One event from the bytes of its frame to its normal form, against typed serde_json of the envelope
//! alone, whose body is passed over.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use serde::Deserialize;
use tieline::auth::AccessToken;
use tieline::connectors::{
    Built, Connector, Opening, Resume, Settings, Step, TopicSetting, Transport, build,
};
use tieline::domain::{SessionName, WallTime};
use tieline::runtime::{MonoTime, Secret};

use crate::effort::Effort;
use crate::figure::Sample;
use crate::fixtures::TOPIC;
use crate::harness::{Bound, Contender, Row};
use crate::machine::thread_time;

const SIZES: [usize; 3] = [600, 2_048, 4_096];
/// Different events, read in turn.
const DOCUMENTS: usize = 256;
const USER: &str = "5f0c9a52-7d1e-4f1c-9f2b-1a6c2d3e4f50";

/// A platform: its name, an event of it in so many bytes, and its envelope.
#[derive(Clone, Copy)]
struct Platform {
    name: &'static str,
    event: fn(usize, usize) -> String,
    envelope: fn(&[u8]) -> serde_json::Result<usize>,
}

const PLATFORMS: [Platform; 2] = [
    Platform {
        name: "genesys-events",
        event: agent_event,
        envelope: |bytes| serde_json::from_slice(bytes).map(|read: Numbered<'_>| read.seen()),
    },
    Platform {
        name: "genesys-notifications",
        event: presence,
        envelope: |bytes| serde_json::from_slice(bytes).map(|read: Notified<'_>| read.seen()),
    },
];

pub(crate) fn rows() -> Vec<Row> {
    let each = PLATFORMS.into_iter();
    each.flat_map(|platform| SIZES.map(|size| row(platform, size)))
        .collect()
}

fn row(platform: Platform, size: usize) -> Row {
    let events: Vec<Bytes> = (0..DOCUMENTS)
        .map(|number| (platform.event)(number, size).into())
        .collect();
    let documents = events.clone();
    let bare = move |effort: &Effort| {
        timed(effort, &documents, |document| {
            std::hint::black_box((platform.envelope)(document)?);
            Ok(())
        })
    };
    let ours = move |effort: &Effort| {
        let connector = connector(platform.name)?;
        let mut link = connector.link(Opening {
            transport: Transport::WebSocket,
            resume: Resume::default(),
            beside: false,
            now: MonoTime::now(),
            wall: WallTime::default(),
        });
        let now = MonoTime::now();
        timed(effort, &events, |document| {
            let batch = link.read_frame(now, document)?;
            anyhow::ensure!(batch.events.len() == 1, "it is not an event");
            for event in &batch.events {
                std::hint::black_box(connector.normalize(event));
            }
            Ok(())
        })
    };
    Row::new(
        format!("parse and normalize {size} B of {}", platform.name),
        vec![
            Contender::anchor("ceiling: typed serde_json of the envelope", bare),
            Contender::tieline("Tieline", ours).goal("", Bound::Within(1.15)),
        ],
    )
}

fn timed(
    effort: &Effort,
    documents: &[Bytes],
    mut read: impl FnMut(&Bytes) -> anyhow::Result<()>,
) -> anyhow::Result<Sample> {
    let (started, spent) = (MonoTime::now(), thread_time());
    let mut count = 0;
    while started.elapsed() < effort.sample() / 2 {
        documents.iter().try_for_each(&mut read)?;
        count += documents.len() as u64;
    }
    Ok(Sample::each(count, thread_time().saturating_sub(spent)))
}

fn connector(platform: &str) -> anyhow::Result<Arc<dyn Connector>> {
    let mut settings = Settings::new(
        platform,
        SessionName::new("bench")?,
        "https://api.mypurecloud.com/".parse()?,
    );
    if platform == "genesys-events" {
        settings.channels = vec![TOPIC.to_owned()];
    } else {
        settings.topics = vec![TopicSetting {
            template: format!("v2.users.{USER}.presence"),
            ids: None,
        }];
    }
    let token = AccessToken {
        value: Secret::new("bench".to_owned()),
        generation: 1,
        expires_at: MonoTime::now(),
    };
    let connectors = match build(&settings)? {
        Built::Ready(connectors) => connectors,
        Built::Planned(mut plan) => loop {
            match plan.next(&token) {
                Step::Done(connectors) => break connectors,
                Step::Call(_) => {
                    let goes_on = plan.refused(StatusCode::NOT_FOUND);
                    anyhow::ensure!(goes_on, "{platform} needs its REST");
                }
            }
        },
    };
    let first = connectors.into_iter().next();
    first.ok_or_else(|| anyhow::anyhow!("{platform} has no connector"))
}

/// The envelope of genesys-events.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Numbered<'a> {
    #[serde(borrow)]
    event_type: Cow<'a, str>,
    sequence: u64,
    #[serde(borrow)]
    timestamp: Cow<'a, str>,
}

impl Numbered<'_> {
    fn seen(&self) -> usize {
        let number = usize::try_from(self.sequence).unwrap_or_default();
        self.event_type.len() + self.timestamp.len() + number
    }
}

/// The envelope of Genesys Cloud notifications, with the id in the body.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Notified<'a> {
    #[serde(borrow)]
    topic_name: Cow<'a, str>,
    #[serde(borrow)]
    version: Cow<'a, str>,
    #[serde(borrow)]
    event_body: Identified<'a>,
    #[serde(borrow)]
    metadata: Metadata<'a>,
}

#[derive(Deserialize)]
struct Identified<'a> {
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata<'a> {
    #[serde(borrow)]
    correlation_id: Cow<'a, str>,
}

impl Notified<'_> {
    fn seen(&self) -> usize {
        let id = self.event_body.id.as_ref().map_or(0, |id| id.len());
        self.topic_name.len() + self.version.len() + self.metadata.correlation_id.len() + id
    }
}

fn agent_event(number: usize, size: usize) -> String {
    let head = format!(
        r#"{{"eventType":"{TOPIC}","sequence":{},"timestamp":"2026-03-10T09:41:07.550Z","data":{{"agentId":"agent-{number:03}","state":"available","reason":"","since":"2026-03-10T09:41:07.550Z""#,
        number + 1,
    );
    filled(head, "}}", size)
}

fn presence(number: usize, size: usize) -> String {
    let head = format!(
        r#"{{"topicName":"v2.users.{USER}.presence","version":"2","metadata":{{"CorrelationId":"1b7e4f0a-6a0e-4f56-9a44-0f6c1a0f{number:04x}"}},"eventBody":{{"source":"PURECLOUD","presenceDefinition":{{"id":"6a3af858-942f-489d-9700-5f9bcdcdae9b","systemPresence":"AVAILABLE"}},"primary":true,"message":"","modifiedDate":"2026-03-10T09:41:07.550Z""#,
    );
    filled(head, "}}", size)
}

/// Members as platforms have them, until the event has its size.
fn filled(mut json: String, tail: &str, size: usize) -> String {
    let mut number = 0;
    loop {
        let member = format!(
            r#","field{number}":{{"id":"7fb334b0-0e9e-11e4-9191-{number:012}","count":{number},"held":false}}"#,
        );
        if json.len() + member.len() + tail.len() + 16 > size {
            break;
        }
        json.push_str(&member);
        number += 1;
    }
    let rest = size.saturating_sub(json.len() + tail.len() + r#","note":"""#.len());
    json.push_str(&format!(r#","note":"{:x<rest$}""#, ""));
    json.push_str(tail);
    json
}
