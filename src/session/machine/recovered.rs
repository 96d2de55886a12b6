//! The session's place as it is kept in the journal's state, and its way back. Pure.
//!
//! Keys stand under `sessions/<name>/`: `position`, `missing`, `coverage`, `gaps/<key>`,
//! `known/<scope>/<key>`, `outbound/<id>`, `over`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::coverage::{Covered, Stored};
use super::gaps::{Extent, Gap, Resolution};
use super::keeping::Keeping;
use super::tracked::Known;
use crate::auth::Sealer;
use crate::connectors::{LossWindow, NumberRange, Opaque};
use crate::domain::{Sequence, WallTime};
use crate::journal::StateEntry;
use crate::runtime::Mistake;
use crate::session::StateError;
use crate::session::ordering::{Missing, MissingRun, Position};
use crate::session::outbound::queue::{KEYS, Message};

pub(super) const POSITION: &str = "position";
pub(super) const MISSING: &str = "missing";
pub(super) const COVERAGE: &str = "coverage";
pub(super) const GAPS: &str = "gaps/";
pub(super) const KNOWN: &str = "known/";
/// Why the session is over for good.
pub(super) const OVER: &str = "over";

/// What a session knew when it was last committed.
#[derive(Debug, Default)]
pub struct Recovered {
    pub(super) position: Position,
    pub(super) keeping: Keeping,
    pub(super) covered: Option<Covered>,
    pub(super) gaps: Vec<Gap>,
    pub(super) known: Known,
    /// Outgoing messages, by id.
    pub(super) outbound: Vec<(String, Message)>,
    pub(super) over: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct StoredPosition {
    numbering: u64,
    cursor: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    opaque: Option<String>,
    /// The same, sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    opaque_sealed: Option<String>,
    /// Likewise of the second connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    beside: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    beside_sealed: Option<String>,
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
        #[serde(default, skip_serializing_if = "String::is_empty")]
        family: String,
    },
    Told {
        runs: Vec<(u64, u64)>,
    },
}

impl Recovered {
    /// Reads the entries that stand under `prefix`. What was sealed with another key is as good as
    /// lost: it is left out.
    ///
    /// # Errors
    /// [`StateError`] names the entry that cannot be read.
    pub fn read(
        prefix: &str,
        entries: &[StateEntry],
        sealer: Option<&Sealer>,
    ) -> Result<Self, StateError> {
        let mut recovered = Self::default();
        for entry in entries {
            let Some(key) = entry.key.strip_prefix(prefix) else {
                continue;
            };
            let taken = recovered.take(key, entry, &Seal { prefix, sealer });
            taken.map_err(|reason| StateError {
                key: entry.key.clone(),
                reason,
            })?;
        }
        Ok(recovered)
    }

    fn take(&mut self, key: &str, entry: &StateEntry, seal: &Seal<'_>) -> Result<(), String> {
        match key {
            POSITION if Mistake::PositionForgotten.is_made() => {}
            POSITION => {
                let stored: StoredPosition = json(&entry.value)?;
                self.position.numbering = stored.numbering;
                self.position.cursor = stored.cursor;
                let kept = [
                    (stored.opaque, stored.opaque_sealed),
                    (stored.beside, stored.beside_sealed),
                ];
                for (slot, (plain, sealed)) in kept.into_iter().enumerate() {
                    let opened = sealed.and_then(|sealed| seal.open(&sealed));
                    if let Some(kept) = opened.or(plain) {
                        self.keeping.restore(slot, Opaque::new(kept));
                    }
                }
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
            COVERAGE => self.covered = Some(json::<Stored>(&entry.value)?.into()),
            OVER => self.over = Some(json(&entry.value)?),
            _ => {
                if let Some(id) = key.strip_prefix(KEYS) {
                    let message = Message::decode(&entry.value, entry.sequence)?;
                    self.outbound.push((id.to_owned(), message));
                } else if let Some(gap) = key.strip_prefix(GAPS) {
                    let stored: StoredGap = json(&entry.value)?;
                    self.gaps.push(stored.restore(gap, entry.sequence));
                } else if let Some((scope, name)) = key.strip_prefix(KNOWN).and_then(known_name) {
                    self.known.insert(&scope, &name, json(&entry.value)?);
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
            StoredExtent::Window { start, end, family } => Extent::Window {
                window: LossWindow {
                    start: WallTime::from_nanos(start),
                    end: WallTime::from_nanos(end),
                },
                family,
            },
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
pub(super) fn position_value(
    position: &Position,
    keeping: &Keeping,
    prefix: &str,
    sealer: Option<&Sealer>,
) -> Bytes {
    let seal = Seal { prefix, sealer };
    let (opaque, opaque_sealed) = seal.close(keeping.get(0));
    let (beside, beside_sealed) = seal.close(keeping.get(1));
    value(&StoredPosition {
        numbering: position.numbering,
        cursor: position.cursor,
        opaque,
        opaque_sealed,
        beside,
        beside_sealed,
    })
}

/// Cursors and channels act as credentials: where there is a key, they are sealed for their session.
struct Seal<'a> {
    prefix: &'a str,
    sealer: Option<&'a Sealer>,
}

impl Seal<'_> {
    fn name(&self) -> String {
        format!("{}{POSITION}", self.prefix)
    }

    /// What is stored plain, and what is stored sealed.
    fn close(&self, kept: Option<&Opaque>) -> (Option<String>, Option<String>) {
        let (Some(kept), Some(sealer)) = (kept, self.sealer) else {
            return (kept.map(|kept| kept.expose().clone()), None);
        };
        match sealer.seal(&self.name(), kept.expose().as_bytes()) {
            Ok(sealed) => (None, Some(STANDARD.encode(sealed))),
            Err(error) => {
                tracing::warn!(%error, "What a connection left cannot be kept");
                (None, None)
            }
        }
    }

    fn open(&self, sealed: &str) -> Option<String> {
        let bytes = STANDARD.decode(sealed).ok();
        let open = |bytes: Vec<u8>| {
            let plain = self.sealer?.open(&self.name(), &bytes).ok()?;
            String::from_utf8(plain.to_vec()).ok()
        };
        let plain = bytes.and_then(open);
        if plain.is_none() {
            tracing::warn!(
                state = self.name(),
                "What a connection left was sealed with another key and is dropped"
            );
        }
        plain
    }
}

/// The value of `missing`.
pub(super) fn missing_value(missing: &Missing) -> Bytes {
    let runs = missing.runs().iter();
    let runs = runs.map(|r| (r.range.first, r.range.last, r.gap.map(Sequence::get)));
    value(&runs.collect::<Vec<_>>())
}

/// The value of `coverage`.
pub(super) fn coverage_value(covered: Covered) -> Bytes {
    value(&Stored::from(covered))
}

/// `<scope>/<key>`: the key is escaped, so that the last stroke parts them.
pub(super) fn known_key(scope: &str, key: &str) -> String {
    let key = key.replace('%', "%25").replace('/', "%2F");
    format!("{scope}/{key}")
}

fn known_name(text: &str) -> Option<(String, String)> {
    let (scope, key) = text.rsplit_once('/')?;
    let key = key.replace("%2F", "/").replace("%25", "%");
    Some((scope.to_owned(), key))
}

/// The value of `known/<scope>/<key>`.
pub(super) fn known_value(hash: u64) -> Bytes {
    value(&hash)
}

/// The value of `over`.
pub(super) fn over_value(reason: &str) -> Bytes {
    value(&reason)
}

/// The value of `gaps/<key>`.
pub(super) fn gap_value(gap: &Gap) -> Bytes {
    let extent = match &gap.extent {
        Extent::Hole { numbering, range } => StoredExtent::Hole {
            numbering: *numbering,
            first: range.first,
            last: range.last,
        },
        Extent::Window { window, family } => StoredExtent::Window {
            start: window.start.as_nanos(),
            end: window.end.as_nanos(),
            family: family.clone(),
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
