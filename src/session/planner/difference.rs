//! [`changes`]: what a new plan means for the channels that stand. Pure.

use std::sync::Arc;

use crate::connectors::Connector;

/// What to do with the channel of an index.
#[derive(Debug, Clone)]
pub(in crate::session) enum Change {
    /// There is one more.
    Add(usize, Arc<dyn Connector>),
    /// It subscribes to something else.
    Replace(usize, Arc<dyn Connector>),
    /// It is not wanted any more.
    Remove(usize),
}

/// What leads from what stands to what is planned. The same answers of the platform lead to
/// nothing.
pub(in crate::session) fn changes(
    standing: &[Arc<dyn Connector>],
    planned: &[Arc<dyn Connector>],
) -> Vec<Change> {
    let most = standing.len().max(planned.len());
    let each = (0..most).filter_map(|index| match (standing.get(index), planned.get(index)) {
        (None, Some(new)) => Some(Change::Add(index, Arc::clone(new))),
        (Some(old), Some(new)) if !is_same(old.as_ref(), new.as_ref()) => {
            Some(Change::Replace(index, Arc::clone(new)))
        }
        (Some(_), None) => Some(Change::Remove(index)),
        (Some(_), Some(_)) | (None, None) => None,
    });
    each.collect()
}

fn is_same(one: &dyn Connector, other: &dyn Connector) -> bool {
    one.platform() == other.platform()
        && one.source() == other.source()
        && one.topics() == other.topics()
        && one.families() == other.families()
        && one.variant() == other.variant()
}
