//! What a journal keeps of its cursors: `subscriptions/<name>`, each as the message of the contract with
//! what is its own alone; and under `subscriptions` the highest lease of those that are gone.

use bytes::Bytes;
use prost::Message;
use xxhash_rust::xxh3::xxh3_64;

use super::cursor::Cursor;
use crate::domain::{Position, Sequence, SubscriptionName, WallTime};
use crate::journal::{StateDelta, StateEntry};
use crate::proto::v1;

/// Where the cursors stand, and what else begins so.
pub(super) const PREFIX: &str = "subscriptions";

fn encode(cursor: &Cursor) -> Vec<u8> {
    let kept = v1::Subscription {
        committed: Some(v1::Position {
            epoch: cursor.committed.epoch.to_string(),
            sequence: cursor.committed.sequence.get(),
        }),
        commit_time: cursor.commit_time.map(WallTime::to_proto),
        lease: cursor.lease,
        max_retained_bytes: cursor.max_retained_bytes,
        ..v1::Subscription::default()
    };
    kept.encode_to_vec()
}

fn decode(bytes: &[u8]) -> Option<Cursor> {
    let kept = v1::Subscription::decode(bytes).ok()?;
    let committed = kept.committed?;
    Some(Cursor {
        committed: Position {
            epoch: committed.epoch.parse().ok()?,
            sequence: Sequence::new(committed.sequence),
        },
        commit_time: kept.commit_time.as_ref().and_then(WallTime::from_proto),
        lease: kept.lease,
        max_retained_bytes: kept.max_retained_bytes,
    })
}

/// Changes with everything about a cursor but its lag.
pub(super) fn etag(cursor: &Cursor) -> String {
    format!("{:016x}", xxh3_64(&encode(cursor)))
}

/// Keeps a cursor, or forgets it.
pub(super) fn delta(name: &SubscriptionName, cursor: Option<&Cursor>) -> StateDelta {
    StateDelta {
        key: name.resource(),
        value: cursor.map(|cursor| Bytes::from(encode(cursor))),
        event: None,
    }
}

/// Keeps the highest lease of cursors that are gone.
pub(super) fn spent_delta(lease: u64) -> StateDelta {
    StateDelta {
        key: PREFIX.to_owned(),
        value: Some(Bytes::copy_from_slice(&lease.to_le_bytes())),
        event: None,
    }
}

/// What stands under one key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Record {
    Cursor(SubscriptionName, Cursor),
    Spent(u64),
}

/// Reads what [`delta`] and [`spent_delta`] wrote; `None` where it is none of that.
pub(super) fn read(entry: &StateEntry) -> Option<Record> {
    if entry.key == PREFIX {
        let lease = <[u8; 8]>::try_from(entry.value.as_ref()).ok()?;
        return Some(Record::Spent(u64::from_le_bytes(lease)));
    }
    let name = SubscriptionName::from_resource(&entry.key)?;
    Some(Record::Cursor(name, decode(&entry.value)?))
}
