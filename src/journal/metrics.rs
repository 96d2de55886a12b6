//! What an operator is told of a journal. Each event that matters is one method.

use std::io;

use super::recovery::{NewEpoch, Recovered};
use super::segment::Segment;
use super::shared::Shared;

/// The journal is open.
pub(crate) fn opened(shared: &Shared, recovered: &Recovered) {
    let end = shared.durable_end();
    tracing::info!(
        journal = %shared.name,
        epoch = %shared.epoch,
        earliest = %end.earliest,
        latest = %end.latest,
        segments = recovered.segments,
        cut_bytes = recovered.cut_bytes,
        "Journal opened"
    );
    match recovered.new_epoch {
        None => {}
        Some(cause @ NewEpoch::Created) => {
            tracing::info!(journal = %shared.name, epoch = %shared.epoch, %cause, "New epoch");
        }
        Some(cause) => {
            tracing::warn!(journal = %shared.name, epoch = %shared.epoch, %cause, "New epoch");
        }
    }
    for damage in &recovered.damage {
        tracing::error!(
            journal = %shared.name,
            segment = %damage.segment,
            offset = damage.place.offset,
            first = %damage.place.first,
            last = %damage.place.last,
            "Damaged events"
        );
    }
    if recovered.state_is_partial {
        tracing::error!(journal = %shared.name, "Session state is incomplete: its snapshot is damaged");
    }
}

/// A new segment is being written.
pub(crate) fn rolled(shared: &Shared, old: &Segment) {
    tracing::debug!(journal = %shared.name, segment = %old.name(), "Segment rolled");
}

/// Retention has deleted a segment.
pub(crate) fn trimmed(shared: &Shared, segment: &Segment) {
    tracing::info!(
        journal = %shared.name,
        segment = %segment.name(),
        earliest = %shared.durable_end().earliest,
        "Segment trimmed"
    );
}

/// Retention could not delete a segment; it tries again.
pub(crate) fn trim_failed(shared: &Shared, segment: &Segment, error: &io::Error) {
    tracing::warn!(journal = %shared.name, segment = %segment.name(), %error, "Trim failed");
}

/// The volume is full.
pub(crate) fn no_space(shared: &Shared, error: &io::Error) {
    tracing::error!(journal = %shared.name, %error, "No space, appends are refused");
}

/// The volume is not full any more.
pub(crate) fn regained(shared: &Shared) {
    tracing::info!(journal = %shared.name, "Space regained, appends are taken");
}

/// A write or sync failed.
pub(crate) fn poisoned(shared: &Shared, reason: &str) {
    tracing::error!(journal = %shared.name, error = %reason, "Journal is read-only until restart");
}

/// The next segment could not be prepared; it will be made when it is needed.
pub(crate) fn spare_failed(shared: &Shared, error: &io::Error) {
    tracing::warn!(journal = %shared.name, %error, "Next segment not prepared");
}
