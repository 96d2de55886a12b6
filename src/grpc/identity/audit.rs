//! What the audit log says of calls: who asked for what of which journal, and what came of it. Nothing
//! of what was asked or answered is in it.

use parking_lot::Mutex;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::gate::Gate;
use crate::grpc::calls::word;
use crate::runtime::MonoTime;
use crate::telemetry::AUDIT;

/// Refusals that are written in a second, once those of a burst are.
const EACH_SECOND: f64 = 10.0;
const BURST: f64 = 100.0;

/// Writes refusals, but not all of a flood.
#[derive(Debug, Default)]
pub(super) struct Denials(Mutex<Pace>);

/// How many may be written.
#[derive(Debug, Default)]
struct Pace {
    last: Option<MonoTime>,
    room: f64,
    held_back: u64,
}

impl Pace {
    /// Whether one may be written now; then how many were held back before it.
    fn take(&mut self, now: MonoTime) -> Option<u64> {
        let passed = self.last.map(|last| now.saturating_duration_since(last));
        self.room = match passed {
            Some(passed) => (self.room + passed.as_secs_f64() * EACH_SECOND).min(BURST),
            None => BURST,
        };
        self.last = Some(now);
        if self.room < 1.0 {
            self.held_back += 1;
            return None;
        }
        self.room -= 1.0;
        Some(std::mem::take(&mut self.held_back))
    }
}

impl Denials {
    /// A call was refused: why, and what it was about.
    pub(super) fn refused(
        &self,
        method: &str,
        peer: &str,
        principal: &str,
        (reason, about): (&str, &str),
    ) {
        if let Some(held_back) = self.0.lock().take(MonoTime::now()) {
            tracing::info!(
                target: AUDIT,
                method,
                principal,
                peer,
                reason,
                about,
                held_back,
                "Refused"
            );
        }
    }
}

/// A call was answered, or its stream has begun.
pub(super) fn served(method: &str, peer: &str, gate: &Gate, code: Code) {
    let (journal, detail) = gate.told();
    tracing::debug!(
        target: AUDIT,
        method,
        principal = gate.principal(),
        peer,
        journal = journal.map_or("", |journal| journal.as_str()),
        detail,
        outcome = ?code,
        "Served"
    );
}

/// A stream was ended, because its credential or permission was.
pub(super) fn ended(gate: &Gate, reason: &str) {
    if !gate.tells_end() {
        return;
    }
    let ((journal, _), origin) = (gate.told(), gate.origin());
    tracing::info!(
        target: AUDIT,
        method = origin.method,
        principal = gate.principal(),
        peer = &*origin.peer,
        journal = journal.map_or("", |journal| journal.as_str()),
        reason,
        "Ended"
    );
}

/// A stream that is open, until this is dropped.
#[derive(Debug)]
pub(in crate::grpc) struct Opened {
    gate: Gate,
    /// With what it ends; its caller left where it does not end by itself.
    reason: Option<String>,
}

impl Opened {
    pub(super) fn new(gate: Gate) -> Self {
        let ((journal, detail), origin) = (gate.told(), gate.origin());
        tracing::debug!(
            target: AUDIT,
            method = origin.method,
            principal = gate.principal(),
            peer = &*origin.peer,
            journal = journal.map_or("", |journal| journal.as_str()),
            detail,
            "Opened"
        );
        Self { gate, reason: None }
    }

    /// It ends with this status.
    pub(in crate::grpc) fn ends(&mut self, status: &Status) {
        let details = status.get_error_details();
        let reason = details.error_info().map(|info| info.reason.clone());
        self.reason = Some(reason.unwrap_or_else(|| word(status.code()).to_owned()));
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        if !self.gate.tells_end() {
            return;
        }
        let ((journal, _), origin) = (self.gate.told(), self.gate.origin());
        let left = word(Code::Cancelled);
        tracing::debug!(
            target: AUDIT,
            method = origin.method,
            principal = self.gate.principal(),
            peer = &*origin.peer,
            journal = journal.map_or("", |journal| journal.as_str()),
            reason = self.reason.as_deref().unwrap_or(left),
            "Ended"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn of_a_flood_of_refusals_a_few_are_written_and_the_others_counted() {
        let mut pace = Pace::default();
        let begin = MonoTime::now();
        let written = (0..1_000).filter(|_| pace.take(begin).is_some()).count();
        assert_eq!(written, 100);
        assert_eq!(pace.take(begin + Duration::from_millis(50)), None);
        assert_eq!(pace.take(begin + Duration::from_millis(150)), Some(901));
        let later = begin + Duration::from_secs(3600);
        let written = (0..1_000).filter(|_| pace.take(later).is_some()).count();
        assert_eq!(written, 100);
    }
}
