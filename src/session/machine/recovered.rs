//! The session's place as it is kept in the journal's state, and its way back. Pure.
//!
//! Keys stand under `sessions/<name>/`: `position`, `missing`, `coverage`, `gaps/<key>`.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::gaps::{Extent, Gap, Resolution};
use crate::connectors::{LossWindow, NumberRange, Opaque};
use crate::domain::{Sequence, WallTime};
use crate::journal::StateEntry;
use crate::session::StateError;
use crate::session::ordering::{Missing, MissingRun, Position};

pub(super) const POSITION: &str = "position";
pub(super) const MISSING: &str = "missing";
pub(super) const COVERAGE: &str = "coverage";
pub(super) const GAPS: &str = "gaps/";

/// What a session knew when it was last committed.
#[derive(Debug, Default)]
pub struct Recovered {
    pub(super) position: Position,
    pub(super) opaque: Option<Opaque>,
    pub(super) covered_until: Option<WallTime>,
    pub(super) gaps: Vec<Gap>,
}

#[derive(Serialize, Deserialize)]
struct StoredPosition {
    numbering: u64,
    cursor: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    opaque: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct StoredGap {
    reason: String,
    #[serde(flatten)]
    extent: StoredExtent,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    confirmed: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "extent", rename_all = "snake_case")]
enum StoredExtent {
    Hole {
        numbering: u64,
        first: u64,
        last: u64,
    },
    Window {
        start: u64,
        end: u64,
    },
    Told {
        runs: Vec<(u64, u64)>,
    },
}

impl Recovered {
    /// Reads the entries that stand under `prefix`.
    ///
    /// # Errors
    /// [`StateError`] names the entry that cannot be read.
    pub fn read(prefix: &str, entries: &[StateEntry]) -> Result<Self, StateError> {
        let mut recovered = Self::default();
        for entry in entries {
            let Some(key) = entry.key.strip_prefix(prefix) else {
                continue;
            };
            recovered.take(key, entry).map_err(|reason| StateError {
                key: entry.key.clone(),
                reason,
            })?;
        }
        Ok(recovered)
    }

    fn take(&mut self, key: &str, entry: &StateEntry) -> Result<(), String> {
        match key {
            POSITION => {
                let stored: StoredPosition = json(&entry.value)?;
                self.position.numbering = stored.numbering;
                self.position.cursor = stored.cursor;
                self.opaque = stored.opaque.map(Opaque::new);
            }
            MISSING => {
                let runs: Vec<(u64, u64, Option<u64>)> = json(&entry.value)?;
                for (first, last, gap) in runs {
                    self.position.missing.restore(MissingRun {
                        range: NumberRange { first, last },
                        gap: gap.map(Sequence::new),
                    });
                }
            }
            COVERAGE => self.covered_until = Some(WallTime::from_nanos(json(&entry.value)?)),
            _ => {
                if let Some(gap) = key.strip_prefix(GAPS) {
                    let stored: StoredGap = json(&entry.value)?;
                    self.gaps.push(stored.restore(gap, entry.sequence));
                }
            }
        }
        Ok(())
    }
}

impl StoredGap {
    fn restore(self, key: &str, sequence: Sequence) -> Gap {
        let extent = match self.extent {
            StoredExtent::Hole {
                numbering,
                first,
                last,
            } => Extent::Hole {
                numbering,
                range: NumberRange { first, last },
            },
            StoredExtent::Window { start, end } => Extent::Window(LossWindow {
                start: WallTime::from_nanos(start),
                end: WallTime::from_nanos(end),
            }),
            StoredExtent::Told { runs } => {
                let runs = runs
                    .into_iter()
                    .map(|(first, last)| NumberRange { first, last });
                Extent::Told(runs.collect())
            }
        };
        Gap {
            key: key.to_owned(),
            extent,
            reason: self.reason,
            sequence: Some(sequence),
            resolution: self.confirmed.map(Resolution::Confirmed),
            deadline: None,
        }
    }
}

/// The value of `position`.
pub(super) fn position_value(position: &Position, opaque: Option<&Opaque>) -> Bytes {
    value(&StoredPosition {
        numbering: position.numbering,
        cursor: position.cursor,
        opaque: opaque.map(|o| o.expose().clone()),
    })
}

/// The value of `missing`.
pub(super) fn missing_value(missing: &Missing) -> Bytes {
    let runs = missing.runs().iter();
    let runs = runs.map(|r| (r.range.first, r.range.last, r.gap.map(Sequence::get)));
    value(&runs.collect::<Vec<_>>())
}

/// The value of `coverage`.
pub(super) fn coverage_value(until: WallTime) -> Bytes {
    value(&until.as_nanos())
}

/// The value of `gaps/<key>`.
pub(super) fn gap_value(gap: &Gap) -> Bytes {
    let extent = match &gap.extent {
        Extent::Hole { numbering, range } => StoredExtent::Hole {
            numbering: *numbering,
            first: range.first,
            last: range.last,
        },
        Extent::Window(window) => StoredExtent::Window {
            start: window.start.as_nanos(),
            end: window.end.as_nanos(),
        },
        Extent::Told(runs) => StoredExtent::Told {
            runs: runs.iter().map(|r| (r.first, r.last)).collect(),
        },
    };
    value(&StoredGap {
        reason: gap.reason.clone(),
        extent,
        confirmed: match &gap.resolution {
            Some(Resolution::Confirmed(reason)) => Some(reason.clone()),
            Some(Resolution::Closed) | None => None,
        },
    })
}

/// These shapes hold numbers and texts only, so serializing them cannot fail.
fn value<T: Serialize>(value: &T) -> Bytes {
    serde_json::to_vec(value).unwrap_or_default().into()
}

fn json<'a, T: Deserialize<'a>>(value: &'a Bytes) -> Result<T, String> {
    serde_json::from_slice(value).map_err(|e| e.to_string())
}
