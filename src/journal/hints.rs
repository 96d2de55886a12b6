//! [`Hints`]: where readers stopped, so that they go on without a search.

use parking_lot::Mutex;

use crate::domain::Sequence;

const SLOTS: usize = 256;

/// A small, lossy memory from a sequence to the place of its frame.
#[derive(Debug)]
pub(crate) struct Hints(Mutex<Box<[Hint]>>);

#[derive(Debug, Clone, Copy, Default)]
struct Hint {
    generation: u64,
    sequence: Sequence,
    offset: u64,
}

impl Default for Hints {
    fn default() -> Self {
        Self(Mutex::new(vec![Hint::default(); SLOTS].into()))
    }
}

fn slot(sequence: Sequence) -> usize {
    // Readers step by pages of like size: an odd factor spreads them over the slots.
    let mixed = sequence.get().wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56;
    usize::try_from(mixed).unwrap_or(0) % SLOTS
}

impl Hints {
    /// The frame of `sequence`, or the first behind it, stands at `offset` of a segment.
    pub(crate) fn note(&self, generation: u64, sequence: Sequence, offset: u64) {
        if let Some(hint) = self.0.lock().get_mut(slot(sequence)) {
            *hint = Hint {
                generation,
                sequence,
                offset,
            };
        }
    }

    /// Where to look for `sequence`, if that is remembered.
    pub(crate) fn find(&self, generation: u64, sequence: Sequence) -> Option<u64> {
        let hint = *self.0.lock().get(slot(sequence))?;
        (hint.generation == generation && hint.sequence == sequence).then_some(hint.offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_is_right_or_absent() {
        let hints = Hints::default();
        for n in 0..1000 {
            hints.note(1, Sequence::new(n), n * 10);
        }
        let found: Vec<_> = (0..1000)
            .filter_map(|n| hints.find(1, Sequence::new(n)).map(|at| (n, at)))
            .collect();
        assert!(found.len() > SLOTS / 2);
        assert!(found.iter().all(|(n, at)| *at == n * 10));
        assert_eq!(hints.find(2, Sequence::new(999)), None);
    }
}
