//! Which spans are recorded: the sampler of `OTEL_TRACES_SAMPLER`, and a bound for each second. Pure.

use super::TraceContext;
use crate::domain::WallTime;

/// What a new trace depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Root {
    Always,
    Never,
    /// Of 2^63 trace ids, so many.
    Ratio(u64),
}

/// Decides before anything else is done for a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sampler {
    pub(super) root: Root,
    /// Whether the parent decides where there is one.
    pub(super) parent_based: bool,
}

impl Root {
    /// `part` of all traces, from 0 to 1.
    pub(super) fn ratio(part: f64) -> Self {
        const ALL: f64 = (1_u64 << 63) as f64;
        if part >= 1.0 {
            return Self::Always;
        }
        // Between zero and 2^63.
        Self::Ratio((part.max(0.0) * ALL) as u64)
    }
}

impl Sampler {
    pub(super) fn takes(self, trace: u128, parent: Option<TraceContext>) -> bool {
        match (parent, self.root) {
            (Some(parent), _) if self.parent_based => parent.is_sampled(),
            (_, Root::Always) => true,
            (_, Root::Never) => false,
            // As the SDKs do it, so that a trace is whole wherever the same ratio holds.
            (_, Root::Ratio(of)) => {
                u64::try_from(trace & u128::from(u64::MAX)).unwrap_or(u64::MAX) >> 1 < of
            }
        }
    }
}

/// So many spans in a second, and no more.
#[derive(Debug)]
pub(super) struct Budget {
    most: u32,
    second: u64,
    used: u32,
}

impl Budget {
    pub(super) fn new(most: u32) -> Self {
        Self {
            most,
            second: 0,
            used: 0,
        }
    }

    /// Takes one, if one is left.
    pub(super) fn take(&mut self, now: WallTime) -> bool {
        let second = now.as_millis() / 1000;
        if second != self.second {
            self.second = second;
            self.used = 0;
        }
        let left = self.used < self.most;
        self.used += u32::from(left);
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::Rng;

    fn sampler(root: Root) -> Sampler {
        Sampler {
            root,
            parent_based: true,
        }
    }

    #[test]
    fn a_ratio_takes_its_share_of_traces() {
        let rng = Rng::from_seed(7);
        let taken = |part: f64| {
            let ids = (0..4000).map(|_| u128::from(rng.bits()));
            ids.filter(|id| sampler(Root::ratio(part)).takes(*id, None))
                .count()
        };
        assert_eq!(taken(0.0), 0);
        assert!((800..1200).contains(&taken(0.25)));
        assert_eq!(taken(1.0), 4000);
    }

    #[test]
    fn a_parent_decides_where_the_sampler_says_so() {
        let parent = |sampled| {
            Some(TraceContext {
                trace: 1,
                span: 1,
                sampled,
            })
        };
        assert!(sampler(Root::Never).takes(1, parent(true)));
        assert!(!sampler(Root::Always).takes(1, parent(false)));
        let root_alone = Sampler {
            root: Root::Always,
            parent_based: false,
        };
        assert!(root_alone.takes(1, parent(false)));
    }

    #[test]
    fn a_second_has_its_bound_and_the_next_one_its_own() {
        let mut budget = Budget::new(2);
        let taken = [10, 400, 999, 1000].map(|ms| budget.take(WallTime::from_millis(ms)));
        assert_eq!(taken, [true, true, false, true]);
    }
}
