//! [`SessionMeasures`]: what a session counts by label, and the times it measures.

use std::time::Duration;

use crate::domain::{TraceContext, WallTime};
use crate::runtime::{Counters, Counts, Gauge, Histogram, Label as _, Scale, Tally};

crate::runtime::label!(
    /// Why events may be missing.
    pub GapCause {
        /// Numbers between others did not come.
        Hole = "sequence_hole",
        /// The connection was lost on a platform that sends nothing again.
        Disconnected = "disconnected",
        /// The platform said so, or its answer showed it.
        Told = "told_by_platform",
        /// An event was larger than what the journal takes.
        Oversize = "oversize",
        /// The platform's numbering began anew.
        Renumbered = "renumbered",
    }
);

impl GapCause {
    /// The cause behind the reason of a gap's record.
    pub(super) fn of(reason: &str) -> Self {
        match reason {
            "SEQUENCE_HOLE" => Self::Hole,
            "DISCONNECTED" => Self::Disconnected,
            "OVERSIZE" => Self::Oversize,
            "NUMBERING_RESTARTED" => Self::Renumbered,
            _ => Self::Told,
        }
    }
}

crate::runtime::label!(
    /// What the platform's history had to say of a loss window.
    pub HistoryOutcome {
        /// It told everything that was missed.
        Everything = "everything",
        /// It told what is so now, and not what happened.
        PresentState = "present_state",
        /// It told nothing, or could not be asked.
        Nothing = "nothing",
    }
);

crate::runtime::label!(
    /// How a WebSocket ended, by its close code.
    pub CloseClass {
        /// 1000, or an orderly end without a code.
        Normal = "normal",
        /// 1001.
        GoingAway = "going_away",
        /// 1008.
        Policy = "policy",
        /// 1011 to 1014.
        ServerError = "server_error",
        /// 1002, 1003, 1007, 1009, 1010.
        Protocol = "protocol",
        /// 3000 to 4999: the platform's own.
        Platform = "platform",
        /// It broke without a close frame.
        Broken = "broken",
        /// Any other code.
        Other = "other",
    }
);

/// What the standard says of a connection that broke.
const BROKEN: u16 = 1006;
/// What it says of a close frame without a code.
const NO_CODE: u16 = 1005;

impl CloseClass {
    const fn of(code: u16) -> Self {
        match code {
            1000 | NO_CODE => Self::Normal,
            1001 => Self::GoingAway,
            1008 => Self::Policy,
            1011..=1014 => Self::ServerError,
            1002 | 1003 | 1007 | 1009 | 1010 => Self::Protocol,
            3000..=4999 => Self::Platform,
            BROKEN => Self::Broken,
            _ => Self::Other,
        }
    }
}

crate::runtime::measures! {
    /// Counters by label, and histograms, of one session.
    pub(super) Measures,
    /// What a session has measured, at one moment.
    pub SessionMeasures {
        /// Gaps suspected, by cause.
        gaps: Counters<GapCause> = Counters::default() => Counts,
        /// Loss windows that the platform's history was asked about, by what it told.
        histories: Counters<HistoryOutcome> = Counters::default() => Counts,
        /// WebSockets that ended, by class of close code.
        closes: Counters<CloseClass> = Counters::default() => Counts,
        /// The close code of the last that ended; zero before the first, 1006 where it broke.
        last_close: Gauge = Gauge::new() => u64,
        /// From the time that the platform gives its event until it was durable. Backfilled ones do not
        /// count.
        ingest_delay: Histogram = Histogram::new(Scale::CALL) => Tally,
    }
}

impl Measures {
    pub(super) fn gap(&self, reason: &str) {
        self.gaps.one(GapCause::of(reason));
    }

    pub(super) fn history(&self, outcome: HistoryOutcome) {
        self.histories.one(outcome);
    }

    /// A WebSocket ended; `None` where that was in order and without a code.
    pub(super) fn closed(&self, code: Option<u16>, broke: bool) {
        let code = code.unwrap_or(if broke { BROKEN } else { NO_CODE });
        self.closes.one(CloseClass::of(code));
        self.last_close.set(code.into());
    }

    pub(super) fn ingested(&self, delay: Duration) {
        self.ingest_delay.took(delay);
    }

    /// A span shows such a delay.
    pub(super) fn ingest_shown(&self, delay: Duration, span: TraceContext, at: WallTime) {
        self.ingest_delay.show(delay, span, at);
    }
}

/// The class of the last close code, of those that are; `None` before the first.
#[must_use]
pub fn close_class(last_close: u64) -> Option<&'static str> {
    let code = u16::try_from(last_close).ok().filter(|code| *code > 0)?;
    Some(CloseClass::of(code).word())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_close_code_has_one_class() {
        for (code, class) in [
            (1000, "normal"),
            (1001, "going_away"),
            (1005, "normal"),
            (1006, "broken"),
            (1008, "policy"),
            (1009, "protocol"),
            (1012, "server_error"),
            (1015, "other"),
            (4401, "platform"),
        ] {
            assert_eq!(close_class(code), Some(class), "{code}");
        }
        assert_eq!(close_class(0), None);
    }

    #[test]
    fn a_connection_that_broke_is_told_from_one_that_was_closed() {
        let measures = Measures::default();
        measures.closed(None, false);
        measures.closed(None, true);
        let seen = measures.snapshot();
        let counted: Vec<_> = seen.closes.iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counted, [&("normal", 1), &("broken", 1)]);
        assert_eq!(seen.last_close, 1006);
    }
}
