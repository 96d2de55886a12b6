//! [`Pages`]: what is read from disk, read once for all readers who are at the same place at the same
//! time. Nothing is kept here: a page lives as long as a reader holds it.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use futures_util::future::{FutureExt, Shared, WeakShared};
use parking_lot::Mutex;

use super::steps::WINDOW;
use crate::domain::Sequence;
use crate::journal::{Journal, Page, ReadError};

/// Where many read at different places, each reads no less than this at once.
const LEAST_WINDOW: usize = 32 << 10;
/// What the pages of all readers come to, about.
const TOGETHER: usize = 8 << 20;

type Answer = Result<Arc<Page>, ReadError>;
type Boxed = Pin<Box<dyn Future<Output = Answer> + Send>>;
/// A read that goes on; whoever waits for its answer moves it on.
pub(super) type Read = Shared<Boxed>;

/// The pages that readers of one journal hold or wait for.
pub(super) struct Pages {
    journal: Arc<dyn Journal>,
    /// By the place after which they begin. No more than there are readers, but for those that
    /// nobody holds any more, which go when the next one comes.
    known: Mutex<BTreeMap<Sequence, Known>>,
    /// Of which erasures they are.
    erasures: AtomicU64,
}

enum Known {
    Awaited(WeakShared<Boxed>),
    Held { page: Weak<Page>, through: Sequence },
}

impl Known {
    fn is_used(&self) -> bool {
        match self {
            Self::Awaited(read) => read.upgrade().is_some(),
            Self::Held { page, .. } => page.strong_count() > 0,
        }
    }
}

impl Pages {
    pub(super) fn new(journal: Arc<dyn Journal>) -> Arc<Self> {
        Arc::new(Self {
            journal,
            known: Mutex::default(),
            erasures: AtomicU64::new(0),
        })
    }

    /// A page that holds the event after `after`: another reader's, or one that is read. What it
    /// holds up to `after` is to be passed over.
    pub(super) fn read(self: &Arc<Self>, after: Sequence) -> Read {
        // What is not retained any more is not handed on, whoever may still hold it.
        let end = *self.journal.durable_end().borrow();
        let earliest = end.earliest;
        let mut known = self.known.lock();
        if self.erasures.swap(end.erasures, Ordering::Relaxed) != end.erasures {
            known.clear();
        }
        if after.next() >= earliest
            && let Some(read) = shared(&known, after)
        {
            return read;
        }
        known.retain(|_, known| known.is_used());
        let window = window_of(known.len() + 1);
        let pages = Arc::clone(self);
        let read: Boxed = Box::pin(async move {
            let page = Arc::new(pages.journal.read(after, window).await?);
            if pages.journal.durable_end().borrow().erasures == end.erasures {
                pages.came(after, &page);
            }
            Ok(page)
        });
        let read = read.shared();
        if let Some(awaited) = read.downgrade() {
            known.insert(after, Known::Awaited(awaited));
        }
        read
    }

    fn came(&self, after: Sequence, page: &Arc<Page>) {
        let held = Known::Held {
            page: Arc::downgrade(page),
            through: page.through,
        };
        self.known.lock().insert(after, held);
    }
}

/// How much is read at once where so many pages are held.
fn window_of(pages: usize) -> usize {
    (TOGETHER / pages).clamp(LEAST_WINDOW, WINDOW)
}

/// What others read or wait for, if the event after `after` is in it.
fn shared(known: &BTreeMap<Sequence, Known>, after: Sequence) -> Option<Read> {
    let (place, known) = known.range(..=after).next_back()?;
    match known {
        Known::Awaited(read) if *place == after => read.upgrade(),
        Known::Held { page, through } if *through > after => {
            let page = page.upgrade()?;
            let there: Boxed = Box::pin(std::future::ready(Ok(page)));
            Some(there.shared())
        }
        Known::Awaited(_) | Known::Held { .. } => None,
    }
}

impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages").finish_non_exhaustive()
    }
}
