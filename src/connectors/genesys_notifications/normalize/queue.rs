//! Queues: statistics and membership.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::conversation::media;
use super::lenient::{Reference, id_of};
use super::{Body, Normal, body, required};
use crate::connectors::ProviderEvent;
use crate::connectors::genesys_notifications::topics::{Kind, Topic};
use crate::domain::WallTime;
use crate::proto::v1;
use crate::proto::v1::event::Data;
use crate::proto::v1::queue_statistics_event::Metric as NormalMetric;

const STATISTICS: &str = "ccaas.queue.statistics.v1";
const MEMBERSHIP: &str = "ccaas.queue.membership_changed.v1";

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Statistics {
    group: Option<Group>,
    data: Option<Vec<Slot>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Group {
    queue_id: Option<String>,
    media_type: Option<String>,
}

/// Events put metrics into intervals; observations over REST list them bare.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Slot {
    interval: Option<String>,
    metrics: Option<Vec<Metric>>,
    #[serde(flatten)]
    bare: Metric,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Metric {
    metric: Option<String>,
    qualifier: Option<String>,
    stats: Option<BTreeMap<String, serde_json::Value>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Member {
    id: Option<String>,
    user: Option<Reference>,
    user_id: Option<String>,
    joined: Option<bool>,
}

pub(super) fn statistics(topic: &Topic<'_>, json: Body<'_>) -> Result<Option<Normal>, String> {
    let read: Statistics = body(json)?;
    let group = read.group.unwrap_or_default();
    let queue_id = required(group.queue_id, topic, "queue id")?;
    let data = read.data.ok_or("no data")?;
    // Metrics of different intervals are different facts; the newest is the one that changed.
    let newest = data.iter().filter_map(|d| interval(d.interval.as_deref()));
    let newest = newest.max();
    let mut metrics = Vec::new();
    let is_empty = data.is_empty();
    for entry in data {
        if interval(entry.interval.as_deref()) == newest || entry.interval.is_none() {
            let inner = entry.metrics.unwrap_or_default();
            let all = inner.into_iter().chain(std::iter::once(entry.bare));
            all.for_each(|metric| add(&mut metrics, metric));
        }
    }
    if metrics.is_empty() && !is_empty {
        return Err("no metrics".to_owned());
    }
    // Observations are of a point in time; the interval around them says nothing.
    let span = newest.filter(|_| topic.kind != Kind::QueueObservations);
    Ok(Some(Normal {
        kind: STATISTICS,
        subject: format!("queues/{queue_id}"),
        data: Data::QueueStatisticsEvent(v1::QueueStatisticsEvent {
            queue_id,
            media: media(&group.media_type.unwrap_or_default()).into(),
            metrics,
            start_time: span.map(|(start, _)| start.to_proto()),
            end_time: span.map(|(_, end)| end.to_proto()),
        }),
    }))
}

/// A count is the metric's value; its other statistics go by `metric.statistic`.
fn add(metrics: &mut Vec<NormalMetric>, metric: Metric) {
    let Some(name) = metric.metric else {
        return;
    };
    for (statistic, value) in metric.stats.unwrap_or_default() {
        let Some(value) = value.as_f64() else {
            continue;
        };
        let name = match statistic.as_str() {
            "count" => name.clone(),
            other => format!("{name}.{other}"),
        };
        metrics.push(NormalMetric {
            name,
            qualifier: metric.qualifier.clone().unwrap_or_default(),
            value,
        });
    }
}

fn interval(text: Option<&str>) -> Option<(WallTime, WallTime)> {
    let (start, end) = text?.split_once('/')?;
    Some((
        WallTime::parse_rfc3339(start)?,
        WallTime::parse_rfc3339(end)?,
    ))
}

pub(super) fn membership(topic: &Topic<'_>, json: Body<'_>) -> Result<Option<Normal>, String> {
    let read: Member = body(json)?;
    let queue_id = required(None, topic, "queue id")?;
    let agent = id_of(read.user).or(read.user_id).or(read.id);
    let agent_id = agent.filter(|id| !id.is_empty()).ok_or("no agent id")?;
    let joined = read.joined.ok_or("it does not say whether joined")?;
    Ok(Some(member(queue_id, agent_id, joined)))
}

/// A member that a full list left out.
pub(super) fn departed(event: &ProviderEvent) -> Option<Normal> {
    let tracked = event.tracked.as_ref()?;
    let queue = tracked.scope.strip_prefix("queues/")?;
    Some(member(
        queue.to_owned(),
        tracked.key.clone(),
        tracked.stands,
    ))
}

fn member(queue_id: String, agent_id: String, joined: bool) -> Normal {
    Normal {
        kind: MEMBERSHIP,
        subject: format!("queues/{queue_id}"),
        data: Data::QueueMembershipEvent(v1::QueueMembershipEvent {
            queue_id,
            agent_id,
            joined,
        }),
    }
}
