//! What the demo comes to.

use serde::Serialize;

use crate::sandbox::Verdict;
use crate::session::StatsSnapshot;

/// The figures of one demo.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    #[serde(flatten)]
    pub(super) verdict: Verdict,
    pub(super) duplicates_dropped: u64,
    pub(super) gaps: u64,
    pub(super) gaps_closed: u64,
    pub(super) gaps_confirmed: u64,
    pub(super) transport_changes: u64,
    pub(super) reconnects: u64,
    pub(super) token_refreshes: u64,
    pub(super) reader_resumes: u64,
}

impl Summary {
    /// The first token is not a refresh.
    pub(super) fn new(verdict: Verdict, stats: StatsSnapshot, tokens: u64, resumes: u64) -> Self {
        Self {
            verdict,
            duplicates_dropped: stats.duplicates,
            gaps: stats.gaps,
            gaps_closed: stats.gaps_closed,
            gaps_confirmed: stats.gaps_confirmed,
            transport_changes: stats.transport_changes,
            reconnects: stats.reconnects,
            token_refreshes: tokens.saturating_sub(1),
            reader_resumes: resumes,
        }
    }

    /// The figures by name, in the order in which they are told.
    pub(super) fn rows(&self) -> [(&'static str, u64); 13] {
        [
            ("issued by the platform", self.verdict.issued),
            ("delivered to the reader", self.verdict.delivered),
            ("lost", self.verdict.lost),
            ("doubled", self.verdict.doubled),
            ("out of order", self.verdict.disordered),
            (
                "invented or altered",
                self.verdict.invented + self.verdict.altered,
            ),
            ("missing, on record", self.verdict.on_record),
            ("duplicates dropped", self.duplicates_dropped),
            ("gaps", self.gaps),
            ("backfilled", self.verdict.backfilled),
            ("transport changes", self.transport_changes),
            ("token refreshes", self.token_refreshes),
            ("reader resumes", self.reader_resumes),
        ]
    }
}
