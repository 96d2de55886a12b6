//! [`Rng`]: the only source of chance, always seeded.

use std::sync::Arc;

use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// A seeded source of chance. Clones share one sequence; [`Rng::fork`] starts another.
#[derive(Debug, Clone)]
pub struct Rng {
    seed: u64,
    /// Whether chance is the operating system's, and the seed merely what repeats a run.
    entropy: bool,
    source: Arc<Mutex<StdRng>>,
}

impl Rng {
    /// The same seed gives the same numbers.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        Self {
            seed,
            entropy: false,
            source: Arc::new(Mutex::new(StdRng::seed_from_u64(seed))),
        }
    }

    /// Seeded by the operating system.
    #[must_use]
    pub fn from_entropy() -> Self {
        let mut bytes = [0_u8; 8];
        match rand::TryRng::try_fill_bytes(&mut rand::rngs::SysRng, &mut bytes) {
            Ok(()) => Self {
                entropy: true,
                ..Self::from_seed(u64::from_le_bytes(bytes))
            },
            // No entropy at all: the address of a fresh allocation still differs between processes.
            Err(_) => Self::from_seed(std::ptr::from_ref(&*Box::new(0_u8)).addr() as u64),
        }
    }

    /// What this source was seeded with; logged at start so that a run can be repeated.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// An independent source for `label`: the same seed and label give the same numbers, however
    /// much other components have drawn meanwhile.
    #[must_use]
    pub fn fork(&self, label: &str) -> Self {
        Self {
            entropy: self.entropy,
            ..Self::from_seed(self.seed ^ xxhash_rust::xxh3::xxh3_64(label.as_bytes()))
        }
    }

    /// Bits for what acts as a credential: the operating system's, which the seed in the log does not
    /// give away; the seed's only where the whole run is a repeatable one. `None` where the system
    /// has none to give.
    #[must_use]
    pub fn secret_bits(&self) -> Option<u128> {
        if !self.entropy {
            return Some(u128::from(self.bits()) << 64 | u128::from(self.bits()));
        }
        let mut bytes = [0_u8; 16];
        rand::TryRng::try_fill_bytes(&mut rand::rngs::SysRng, &mut bytes).ok()?;
        Some(u128::from_le_bytes(bytes))
    }

    /// Uniform in [0, 1).
    #[must_use]
    pub fn unit(&self) -> f64 {
        self.source.lock().random::<f64>()
    }

    /// Any 64 bits.
    #[must_use]
    pub fn bits(&self) -> u64 {
        self.source.lock().random::<u64>()
    }

    /// Uniform in `0..bound`; zero when `bound` is zero.
    #[must_use]
    pub fn below(&self, bound: u64) -> u64 {
        if bound == 0 {
            0
        } else {
            self.source.lock().random_range(0..bound)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_follow_from_the_seed_unless_the_run_is_a_repeatable_one() {
        let one = Rng::from_seed(7).fork("guests").secret_bits();
        assert_eq!(one, Rng::from_seed(7).fork("guests").secret_bits());
        let free = Rng::from_entropy();
        let again = Rng::from_seed(free.seed());
        let label = "guests";
        assert_ne!(
            free.fork(label).secret_bits(),
            again.fork(label).secret_bits()
        );
    }

    #[test]
    fn forks_do_not_depend_on_what_others_drew() {
        let a = Rng::from_seed(7);
        let b = Rng::from_seed(7);
        let _drawn = b.bits();
        assert_eq!(a.fork("session").bits(), b.fork("session").bits());
        assert_ne!(a.fork("session").bits(), a.fork("journal").bits());
    }
}
