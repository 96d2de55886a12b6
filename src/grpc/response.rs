//! Deliveries, journals and gaps into messages. Pure.

use std::time::Duration;

use prost::Message;

use crate::domain::{Epoch, Sequence, SubscriptionName, WallTime};
use crate::feed::{Cause, Closing, Cursor, Delivery, Gap, Info, Notice, Opened};
use crate::proto::v1;
use v1::subscribe_response::Notice as SentNotice;

/// The encoding of a response without its events.
pub(super) fn tail(delivery: &Delivery) -> Vec<u8> {
    let rest = v1::SubscribeResponse {
        events: Vec::new(),
        through_sequence: delivery.through.get(),
        latest_sequence: delivery.latest.get(),
        notice: delivery.notice.as_ref().map(notice),
    };
    rest.encode_to_vec()
}

fn notice(notice: &Notice) -> SentNotice {
    match notice {
        Notice::Opened(facts) => SentNotice::Opened(opened(facts)),
        Notice::CaughtUp => SentNotice::CaughtUp(v1::CaughtUp {}),
        Notice::FellBehind => SentNotice::FellBehind(v1::FellBehind {}),
        Notice::Gap(facts) => SentNotice::Gap(gap(facts.as_ref().clone())),
        Notice::Closing(facts) => SentNotice::Closing(closing(*facts)),
    }
}

fn opened(facts: &Opened) -> v1::Opened {
    let journal = facts.journal.resource();
    v1::Opened {
        subscriber: format!("{journal}/subscribers/{}", facts.subscriber),
        journal,
        epoch: facts.epoch.to_string(),
        earliest_sequence: facts.earliest.get(),
        latest_sequence: facts.latest.get(),
        start: Some(position(facts.epoch, facts.start)),
        heartbeat_interval: Some(duration(facts.heartbeat)),
        max_age: facts.max_age.map(duration),
        lease: facts.lease,
    }
}

pub(super) fn gap(facts: Gap) -> v1::Gap {
    let cause = match facts.cause {
        Cause::Trimmed => v1::gap::Cause::Trimmed,
        Cause::Erased => v1::gap::Cause::Erased,
        Cause::Corrupted => v1::gap::Cause::Corrupted,
        Cause::EpochChanged => v1::gap::Cause::EpochChanged,
    };
    let (first, last) = facts.range.unwrap_or_default();
    v1::Gap {
        cause: cause.into(),
        first_sequence: first.get(),
        last_sequence: last.get(),
        start_time: facts.start_time.map(WallTime::to_proto),
        end_time: facts.end_time.map(WallTime::to_proto),
        previous_epoch: facts.previous_epoch.unwrap_or_default(),
    }
}

fn closing(facts: Closing) -> v1::Closing {
    use v1::closing::Reason;
    let (reason, delay) = match facts {
        Closing::EndReached => (Reason::EndReached, None),
        Closing::Draining(delay) => (Reason::Draining, Some(delay)),
        Closing::MaxAge(delay) => (Reason::MaxAge, Some(delay)),
        Closing::Disconnected(delay) => (Reason::DisconnectedByOperator, Some(delay)),
        Closing::TakenOver => (Reason::TakenOver, None),
    };
    v1::Closing {
        reason: reason.into(),
        retry_delay: delay.map(duration),
    }
}

pub(super) fn position(epoch: Epoch, sequence: Sequence) -> v1::Position {
    v1::Position {
        epoch: epoch.to_string(),
        sequence: sequence.get(),
    }
}

pub(super) fn journal(info: &Info) -> v1::Journal {
    v1::Journal {
        name: info.name.resource(),
        epoch: info.epoch.to_string(),
        earliest_sequence: info.earliest.get(),
        latest_sequence: info.latest.get(),
        earliest_time: info.earliest_time.map(WallTime::to_proto),
        latest_time: info.latest_time.map(WallTime::to_proto),
        size_bytes: info.size_bytes,
        max_age: info.max_age.map(duration),
        max_bytes: info.max_bytes.unwrap_or(0),
        create_time: Some(info.create_time.to_proto()),
    }
}

pub(super) fn subscription(
    name: &SubscriptionName,
    cursor: &Cursor,
    info: &Info,
) -> v1::Subscription {
    v1::Subscription {
        name: name.resource(),
        journal: info.name.resource(),
        committed: Some(position(cursor.committed.epoch, cursor.committed.sequence)),
        commit_time: cursor.commit_time.map(WallTime::to_proto),
        lag: cursor.lag(info),
        lease: cursor.lease,
        max_retained_bytes: cursor.max_retained_bytes,
        etag: cursor.etag(),
    }
}

pub(super) fn duration(duration: Duration) -> prost_types::Duration {
    prost_types::Duration::try_from(duration).unwrap_or_default()
}
