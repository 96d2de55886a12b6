//! [`Exemplars`]: for each class of a histogram, a span that shows what fell into it last.

use std::sync::OnceLock;

use parking_lot::Mutex;

use crate::domain::{TraceContext, WallTime};

/// A span that shows one of what was taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exemplar {
    /// Which it is.
    pub span: TraceContext,
    /// How much it was, as it was measured.
    pub(super) size: u64,
    /// When.
    pub at: WallTime,
}

/// One for each class, at most. There is no room for any before the first comes.
#[derive(Debug, Default)]
pub(super) struct Exemplars(OnceLock<Mutex<Box<[Option<Exemplar>]>>>);

impl Exemplars {
    /// Keeps it in the place of the one before, in one of so many classes. Nobody waits for another who
    /// does so at the same time: that one's is as good.
    pub(super) fn keep(&self, class: usize, classes: usize, exemplar: Exemplar) {
        let room = || Mutex::new(vec![None; classes].into_boxed_slice());
        if let Some(mut all) = self.0.get_or_init(room).try_lock()
            && let Some(place) = all.get_mut(class)
        {
            *place = Some(exemplar);
        }
    }

    /// By class; empty where there were none.
    pub(super) fn all(&self) -> Vec<Option<Exemplar>> {
        let all = self.0.get();
        all.map_or_else(Vec::new, |all| all.lock().to_vec())
    }
}
