//! `/admin/v1/tail`: events as they become durable, as server-sent events. It reads as any subscriber
//! does and stands among them; where events come faster than a person reads, it skips to the newest.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use futures_util::{StreamExt as _, stream};
use prost::Message as _;
use serde::{Deserialize, Serialize};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::sleep;

use super::problem::Problem;
use super::routes::{Inner, MOST_TAILS};
use crate::domain::{SessionName, WallTime};
use crate::feed::{
    Batching, Caller, Delivery, Feed, Filter, FilterSpec, Origin, Policy, Selection, Start,
    SubscribePlan, Subscriber, View,
};
use crate::grpc::Gate;
use crate::proto::v1;

/// Rows of one message, and how long it may wait to be full.
const ROWS: u32 = 100;
const LINGER: Duration = Duration::from_millis(250);
/// Between two messages.
const PAUSE: Duration = Duration::from_millis(200);
/// One that is further behind skips to the newest event.
const PATIENCE: u64 = 1_000;
/// What is shown of a payload.
const LONGEST_PAYLOAD: usize = 4096;

/// What is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TailQuery {
    /// The journal; may be left out where there is one.
    #[serde(default)]
    journal: String,
    /// Events of this session alone.
    #[serde(default)]
    session: String,
    /// Events of this type alone; a trailing `*` makes it a prefix.
    #[serde(default, rename = "type")]
    kind: String,
    /// With payloads, where that is allowed.
    #[serde(default)]
    payload: bool,
}

/// One event, as it is shown.
#[derive(Debug, Serialize)]
struct Row {
    sequence: u64,
    r#type: String,
    session: String,
    provider_type: String,
    origin: &'static str,
    /// When the provider says it happened.
    time: Option<String>,
    record_time: Option<String>,
    size_bytes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<String>,
}

#[derive(Debug, Serialize)]
struct Rows {
    events: Vec<Row>,
    /// Events that were not shown, because more came than can be read.
    skipped: u64,
}

struct Tail {
    feed: Feed,
    plan: SubscribePlan,
    subscriber: Subscriber,
    payload: bool,
    begun: bool,
    /// Completes when whoever watches may not any more.
    ended: BoxFuture<'static, ()>,
    _permit: OwnedSemaphorePermit,
}

/// Opens a tail.
pub(super) async fn open(
    console: &Inner,
    asked: TailQuery,
    gate: Option<Gate>,
) -> Result<Body, Problem> {
    if asked.payload && !console.tail_payloads {
        return Err(Problem::NoPayloads);
    }
    let permit = Arc::clone(&console.tails).try_acquire_owned();
    let permit = permit.map_err(|_| Problem::TooMany(MOST_TAILS))?;
    let found = find(console.overview.feeds(), &asked.journal);
    if let Some(gate) = &gate {
        let allowed = match &found {
            Ok(feed) => gate.lets(feed.name().as_str()),
            Err(_) => gate.lets_all(),
        };
        if !allowed {
            let who = gate.principal();
            let why = format!("principal '{who}' has no permission to read this journal");
            return Err(Problem::Forbidden(why));
        }
    }
    let feed = found?.clone();
    if let Some(gate) = &gate {
        gate.opens(feed.name());
    }
    let principal = gate.as_ref().map(Gate::principal).unwrap_or_default();
    let plan = plan(&asked, principal)?;
    let subscriber = feed.subscribe(plan.clone()).await;
    let tail = Tail {
        subscriber: subscriber.map_err(|why| Problem::Unavailable(why.to_string()))?,
        feed,
        plan,
        payload: asked.payload,
        begun: false,
        ended: Box::pin(async move {
            match gate {
                Some(gate) => gate.ended().await,
                None => std::future::pending().await,
            }
        }),
        _permit: permit,
    };
    let messages = stream::unfold(tail, |mut tail| async move {
        let message = tail.next_while_allowed().await?;
        Some((Ok::<_, std::convert::Infallible>(message), tail))
    });
    Ok(Body::from_stream(messages))
}

fn find<'a>(feeds: &'a [Feed], name: &str) -> Result<&'a Feed, Problem> {
    let found = match feeds {
        [only] if name.is_empty() => Some(only),
        _ => feeds.iter().find(|feed| feed.name().as_str() == name),
    };
    found.ok_or_else(|| Problem::NotFound("journal of this name: name one of them".to_owned()))
}

fn plan(asked: &TailQuery, principal: &str) -> Result<SubscribePlan, Problem> {
    let sessions = match asked.session.as_str() {
        "" => Vec::new(),
        name => {
            let name = SessionName::new(name);
            let name = name.map_err(|wrong| Problem::Invalid(format!("session: {wrong}")))?;
            vec![name.resource()]
        }
    };
    let types: Vec<String> = Some(asked.kind.clone())
        .filter(|kind| !kind.is_empty())
        .into_iter()
        .collect();
    let filter = Filter::compile(&FilterSpec {
        filter_sidecar_events: !types.is_empty(),
        types,
        sessions,
        ..FilterSpec::default()
    });
    Ok(SubscribePlan {
        start: Origin::Place(Start::Latest),
        policy: Policy::ResumeAtLatest,
        end: None,
        selection: Selection {
            filter: filter.map_err(|wrong| Problem::Invalid(wrong.to_string()))?,
            shard: None,
        },
        view: View::Full,
        batching: Batching {
            max_events: ROWS,
            max_bytes: 0,
            linger: LINGER,
        },
        heartbeat: None,
        replay_rate: 0,
        caller: Arc::new(Caller {
            client_id: "console tail".to_owned(),
            principal: principal.to_owned(),
            ..Caller::default()
        }),
    })
}

impl Tail {
    async fn next_while_allowed(&mut self) -> Option<Bytes> {
        let mut ended = std::mem::replace(&mut self.ended, Box::pin(std::future::pending()));
        let message = tokio::select! {
            biased;
            () = &mut ended => return None,
            message = self.next() => message,
        };
        self.ended = ended;
        message
    }

    /// The next message; `None` when the stream is over.
    async fn next(&mut self) -> Option<Bytes> {
        if std::mem::replace(&mut self.begun, true) {
            sleep(PAUSE).await;
        }
        let delivery = self.subscriber.next().await?.ok()?;
        let behind = delivery.latest.since(delivery.through);
        let skipped = if behind > PATIENCE {
            self.subscriber = self.feed.subscribe(self.plan.clone()).await.ok()?;
            behind
        } else {
            0
        };
        if delivery.elements.is_empty() && skipped == 0 {
            // A comment, by which a browser sees that the stream lives.
            return Some(Bytes::from_static(b": nothing new\n\n"));
        }
        let rows = Rows {
            events: rows(&delivery, self.payload)?,
            skipped,
        };
        let json = serde_json::to_string(&rows).ok()?;
        Some(format!("event: tail\ndata: {json}\n\n").into())
    }
}

/// `None` where stored bytes do not decode, which is a bug.
fn rows(delivery: &Delivery, payload: bool) -> Option<Vec<Row>> {
    let mut bytes = BytesMut::with_capacity(delivery.elements.len());
    delivery.elements.write(&mut bytes);
    // Events are field 1, so the stored bytes are the encoding of the list.
    let events = v1::ReadEventsResponse::decode(bytes.freeze()).ok()?.events;
    Some(
        events
            .into_iter()
            .map(|event| row(event, payload))
            .collect(),
    )
}

fn row(event: v1::Event, payload: bool) -> Row {
    let size_bytes = event.encoded_len();
    let time = |time: Option<&prost_types::Timestamp>| {
        WallTime::from_proto(time?).map(|time| time.to_string())
    };
    Row {
        sequence: event.sequence,
        session: event.session.trim_start_matches("sessions/").to_owned(),
        origin: match event.origin() {
            v1::event::Origin::Unspecified => "",
            v1::event::Origin::Live => "live",
            v1::event::Origin::Backfill => "backfill",
            v1::event::Origin::Sidecar => "sidecar",
        },
        time: time(event.time.as_ref()),
        record_time: time(event.record_time.as_ref()),
        size_bytes,
        payload: payload.then(|| shown(&event.raw_data)),
        r#type: event.r#type,
        provider_type: event.provider_type,
    }
}

fn shown(raw: &[u8]) -> String {
    let part = raw.get(..LONGEST_PAYLOAD).unwrap_or(raw);
    let mut text = String::from_utf8_lossy(part).into_owned();
    if part.len() < raw.len() {
        text.push('…');
    }
    text
}
