//! [`Trace`]: what a run did, as one number.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use parking_lot::Mutex;
use tieline::runtime::MonoTime;

/// Everything that happened, when and where. Masks and keys of WebSockets come from the operating
/// system's chance, so sizes count and not bytes.
#[derive(Debug, Clone)]
pub(crate) struct Trace(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    began: MonoTime,
    hash: DefaultHasher,
    notes: u64,
    /// The notes themselves, to find where two runs part.
    kept: Option<Vec<String>>,
}

impl Trace {
    pub(crate) fn new(keep: bool) -> Self {
        Self(Arc::new(Mutex::new(State {
            began: MonoTime::now(),
            hash: DefaultHasher::new(),
            notes: 0,
            kept: keep.then(Vec::new),
        })))
    }

    pub(crate) fn note(&self, what: &str, which: u64, amount: u64) {
        let mut state = self.0.lock();
        let at = state.began.elapsed();
        (at, what, which, amount).hash(&mut state.hash);
        state.notes += 1;
        if state.kept.is_some() && !["write", "event", "connect"].contains(&what) {
            println!("{at:?}: {what} {which} {amount}");
        }
        if let Some(kept) = &mut state.kept {
            kept.push(format!("{at:?}: {what} {which} {amount}"));
        }
    }

    /// The number, and how many things it stands for.
    pub(crate) fn sum(&self) -> (u64, u64) {
        let state = self.0.lock();
        (state.hash.finish(), state.notes)
    }

    pub(crate) fn kept(&self) -> Vec<String> {
        self.0.lock().kept.clone().unwrap_or_default()
    }
}
