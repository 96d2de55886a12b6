//! Requests into checked values. Pure.

use std::sync::Arc;
use std::time::Duration;

use super::identity::Gate;
use super::peer::Peer;
use super::status::{RequestError, Resource};
use crate::domain::{Sequence, SubscriptionName, WallTime};
use crate::feed::{
    AskedPosition, Batching, Caller, End, Filter, FilterSpec, Origin, Policy, ReadPlan, Selection,
    Shard, Start, SubscribePlan, View,
};
use crate::proto::v1;
use v1::read_events_request::Start as ReadStart;
use v1::seek_subscription_request::Target as SeekTarget;
use v1::subscribe_request::{End as AskedEnd, Start as SubscribeStart};

/// What a caller may call itself; the rest is cut off.
const MAX_CLIENT_ID: usize = 128;

pub(super) fn subscribe_plan(
    request: v1::SubscribeRequest,
    peer: Option<Peer>,
    gate: &Gate,
) -> Result<(String, SubscribePlan), RequestError> {
    let start = match request.start.ok_or(RequestError::StartRequired)? {
        SubscribeStart::After(position) => Origin::Place(Start::After(asked(position))),
        SubscribeStart::FromTime(time) => {
            Origin::Place(Start::FromTime(moment("from_time", &time)?))
        }
        SubscribeStart::Preset(preset) => Origin::Place(preset_start(preset)?),
        SubscribeStart::LastEvents(count) => Origin::Place(Start::Last(count)),
        SubscribeStart::Subscription(name) => Origin::Cursor(subscription_name(&name)?),
    };
    let end = match request.end {
        None | Some(AskedEnd::UntilCaughtUp(false)) => None,
        Some(AskedEnd::UntilCaughtUp(true)) => Some(End::CaughtUp),
        Some(AskedEnd::Until(position)) => Some(End::At(asked(position))),
        Some(AskedEnd::UntilTime(time)) => Some(End::Time(moment("until_time", &time)?)),
    };
    let batching = request.batching.unwrap_or_default();
    let (peer, connection) = peer.map(|peer| (peer.name, peer.connection)).unzip();
    let caller = Caller {
        client_id: request.client_id.chars().take(MAX_CLIENT_ID).collect(),
        peer: peer.unwrap_or_default(),
        principal: gate.principal().to_owned(),
        has_quota: gate.is_known(),
        filter: request.filter.clone(),
        connection,
    };
    let plan = SubscribePlan {
        start,
        policy: policy(request.unavailable_policy)?,
        end,
        selection: selection(request.filter, request.shard)?,
        view: view(request.view)?,
        batching: Batching {
            max_events: batching.max_events,
            max_bytes: batching.max_bytes,
            linger: duration("batching.linger", batching.linger.as_ref())?.unwrap_or_default(),
        },
        heartbeat: duration("heartbeat_interval", request.heartbeat_interval.as_ref())?,
        replay_rate: request.max_replay_events_per_second,
        caller: Arc::new(caller),
    };
    Ok((request.journal, plan))
}

pub(super) fn read_plan(
    request: v1::ReadEventsRequest,
) -> Result<(String, ReadPlan), RequestError> {
    let start = match request.start.ok_or(RequestError::StartRequired)? {
        ReadStart::After(position) => Start::After(asked(position)),
        ReadStart::FromTime(time) => Start::FromTime(moment("from_time", &time)?),
        ReadStart::Preset(preset) => preset_start(preset)?,
        ReadStart::LastEvents(count) => Start::Last(count),
    };
    let plan = ReadPlan {
        start,
        policy: policy(request.unavailable_policy)?,
        selection: selection(request.filter, request.shard)?,
        view: view(request.view)?,
        batching: Batching {
            max_events: request.max_events,
            max_bytes: request.max_bytes,
            linger: Duration::ZERO,
        },
        wait: duration("wait", request.wait.as_ref())?.unwrap_or_default(),
    };
    Ok((request.journal, plan))
}

/// Where a managed cursor begins: at a preset, or at a position.
pub(super) fn initial_start(
    preset: i32,
    committed: Option<v1::Position>,
) -> Result<Start, RequestError> {
    match (preset, committed) {
        (0, None) => Err(RequestError::InitialStartRequired),
        (0, Some(position)) => Ok(Start::After(asked(position))),
        (_, None) => preset_start(preset),
        (_, Some(_)) => Err(RequestError::Invalid {
            field: "start",
            problem: "subscription.committed is a start as well: set one of them".to_owned(),
        }),
    }
}

/// Where a managed cursor is moved to.
pub(super) fn seek_target(target: Option<SeekTarget>) -> Result<Start, RequestError> {
    match target {
        Some(SeekTarget::Position(position)) => Ok(Start::After(asked(position))),
        Some(SeekTarget::FromTime(time)) => Ok(Start::FromTime(moment("from_time", &time)?)),
        Some(SeekTarget::Preset(preset)) if preset != 0 => preset_start(preset),
        Some(SeekTarget::Preset(_)) | None => Err(RequestError::Invalid {
            field: "target",
            problem: "set position, from_time or preset".to_owned(),
        }),
    }
}

pub(super) fn required_position(
    position: Option<v1::Position>,
) -> Result<AskedPosition, RequestError> {
    position.map(asked).ok_or_else(|| RequestError::Invalid {
        field: "position",
        problem: "there is none".to_owned(),
    })
}

pub(super) fn subscription_name(name: &str) -> Result<SubscriptionName, RequestError> {
    SubscriptionName::from_resource(name).ok_or_else(|| no_cursor(name))
}

pub(super) fn no_cursor(name: &str) -> RequestError {
    RequestError::NotFound {
        resource: Resource::Subscription,
        name: name.to_owned(),
    }
}

pub(super) fn view(view: i32) -> Result<View, RequestError> {
    match v1::EventView::try_from(view) {
        Ok(v1::EventView::Unspecified | v1::EventView::Full) => Ok(View::Full),
        Ok(v1::EventView::Normalized) => Ok(View::Normalized),
        Ok(v1::EventView::Raw) => Ok(View::Raw),
        Ok(v1::EventView::Attributes) => Ok(View::Attributes),
        Err(_) => Err(unknown("view", view)),
    }
}

fn policy(policy: i32) -> Result<Policy, RequestError> {
    use v1::UnavailablePolicy as Asked;
    match Asked::try_from(policy) {
        Ok(Asked::Unspecified | Asked::Fail) => Ok(Policy::Fail),
        Ok(Asked::ResumeAtEarliest) => Ok(Policy::ResumeAtEarliest),
        Ok(Asked::ResumeAtLatest) => Ok(Policy::ResumeAtLatest),
        Err(_) => Err(unknown("unavailable_policy", policy)),
    }
}

fn preset_start(preset: i32) -> Result<Start, RequestError> {
    match v1::StartPreset::try_from(preset) {
        Ok(v1::StartPreset::Earliest) => Ok(Start::Earliest),
        Ok(v1::StartPreset::Latest) => Ok(Start::Latest),
        Ok(v1::StartPreset::Unspecified) => Err(RequestError::StartRequired),
        Err(_) => Err(unknown("preset", preset)),
    }
}

pub(super) fn unknown(field: &'static str, value: i32) -> RequestError {
    RequestError::Invalid {
        field,
        problem: format!("{value} is not a known value"),
    }
}

fn asked(position: v1::Position) -> AskedPosition {
    AskedPosition {
        epoch: position.epoch,
        sequence: Sequence::new(position.sequence),
    }
}

/// A moment before 1970 stands for the beginning, one after 2554 for the end of time.
pub(super) fn moment(
    field: &'static str,
    time: &prost_types::Timestamp,
) -> Result<WallTime, RequestError> {
    if !(0..1_000_000_000).contains(&time.nanos) {
        return Err(RequestError::Invalid {
            field,
            problem: "nanos must be from 0 to 999,999,999".to_owned(),
        });
    }
    Ok(WallTime::from_proto(time).unwrap_or(if time.seconds < 0 {
        WallTime::default()
    } else {
        WallTime::from_nanos(u64::MAX)
    }))
}

/// A negative duration counts as none at all; the bounds are the callee's.
fn duration(
    field: &'static str,
    duration: Option<&prost_types::Duration>,
) -> Result<Option<Duration>, RequestError> {
    let Some(duration) = duration else {
        return Ok(None);
    };
    if !(-999_999_999..=999_999_999).contains(&duration.nanos) {
        return Err(RequestError::Invalid {
            field,
            problem: "nanos must be from -999,999,999 to 999,999,999".to_owned(),
        });
    }
    Ok(Some(Duration::try_from(*duration).unwrap_or_default()))
}

fn selection(
    filter: Option<v1::EventFilter>,
    shard: Option<v1::Shard>,
) -> Result<Selection, RequestError> {
    let filter = self::filter(filter)?;
    let shard = shard
        .map(|shard| Shard::new(shard.index, shard.count))
        .transpose()
        .map_err(|invalid| RequestError::ShardInvalid {
            problem: invalid.to_string(),
        })?;
    Ok(Selection { filter, shard })
}

/// A filter that is ready to match.
pub(super) fn filter(filter: Option<v1::EventFilter>) -> Result<Filter, RequestError> {
    let filter = filter.unwrap_or_default();
    Filter::compile(&FilterSpec {
        types: filter.types,
        subjects: filter.subjects,
        ordering_keys: filter.ordering_keys,
        sessions: filter.sessions,
        excluded_types: filter.excluded_types,
        provider_types: filter.provider_types,
        expression: filter.expression,
        filter_sidecar_events: filter.filter_sidecar_events,
    })
    .map_err(|invalid| RequestError::FilterInvalid {
        field: invalid.field.to_owned(),
        problem: invalid.problem,
    })
}
