//! [`FaultTable`]: which faults are in force, and whether one strikes now. Pure.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Fault, FaultKind, FaultName, FaultNames, FaultRule};
use crate::runtime::MonoTime;

/// The faults in force and how often each has struck.
#[derive(Debug)]
pub(crate) struct FaultTable<F: FaultKind = Fault> {
    active: BTreeMap<F::Name, Active<F>>,
    struck: BTreeMap<F::Name, u64>,
    rules_set: u64,
}

/// For which rules something has met its fate already: a connection that lives through many turns
/// takes its chance once for each rule, not once for each turn.
#[derive(Debug)]
pub(crate) struct Occasions<N = FaultName>(BTreeMap<N, u64>);

#[derive(Debug)]
struct Active<F> {
    /// Counts rules set, over all names.
    serial: u64,
    rule: FaultRule<F>,
    until: Option<MonoTime>,
    struck: u64,
}

/// One fault, for people and tests.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FaultStatus<N = FaultName> {
    /// Its name.
    pub name: N,
    /// The rule in force, if any.
    pub rule: Option<serde_json::Value>,
    /// Whether that rule has struck as often as it may.
    pub exhausted: bool,
    /// How often it struck since the start, over all rules.
    pub struck: u64,
}

impl<F: FaultKind> Default for FaultTable<F> {
    fn default() -> Self {
        Self {
            active: BTreeMap::new(),
            struck: BTreeMap::new(),
            rules_set: 0,
        }
    }
}

impl<N> Default for Occasions<N> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<F: FaultKind> FaultTable<F> {
    /// Puts a rule in force, in place of the one of the same name.
    pub(crate) fn set(&mut self, rule: FaultRule<F>, now: MonoTime) {
        let until = rule.limit.duration.map(|duration| now + duration.0);
        self.rules_set += 1;
        let active = Active {
            serial: self.rules_set,
            struck: 0,
            rule,
            until,
        };
        self.active.insert(active.rule.name(), active);
    }

    /// Takes a rule out of force; whether there was one.
    pub(crate) fn clear(&mut self, name: F::Name) -> bool {
        self.active.remove(&name).is_some()
    }

    /// Names with a rule.
    pub(crate) fn names(&self) -> Vec<F::Name> {
        self.active.keys().copied().collect()
    }

    /// Takes out of force what has lasted long enough.
    pub(crate) fn expire(&mut self, now: MonoTime) -> Vec<F::Name> {
        let over = |active: &Active<F>| active.until.is_some_and(|until| until <= now);
        let names: Vec<_> = self
            .active
            .iter()
            .filter(|(_, active)| over(active))
            .map(|(name, _)| *name)
            .collect();
        self.active.retain(|_, active| !over(active));
        names
    }

    /// When [`FaultTable::expire`] has work.
    pub(crate) fn next_expiry(&self) -> Option<MonoTime> {
        self.active.values().filter_map(|active| active.until).min()
    }

    /// The fault, if a rule is in force, however often it has struck: for those that are a state.
    pub(crate) fn in_force(&self, name: F::Name) -> Option<&F> {
        self.active.get(&name).map(|active| &active.rule.fault)
    }

    /// The fault, if it may strike on this occasion: for those that must wait for their moment.
    pub(crate) fn may_strike(&self, name: F::Name) -> Option<&F> {
        let active = self.active.get(&name)?;
        active.can_strike().then_some(&active.rule.fault)
    }

    /// Whether the fault strikes now; counted if so. `unit` is a random number in [0, 1).
    pub(crate) fn strike(&mut self, name: F::Name, unit: f64) -> Option<F> {
        let active = self.active.get_mut(&name)?;
        let share = active.rule.limit.probability.unwrap_or(1.0);
        if !active.can_strike() || unit >= share {
            return None;
        }
        active.struck += 1;
        let fault = active.rule.fault.clone();
        self.count(name);
        Some(fault)
    }

    /// Like [`FaultTable::strike`], once for each rule and bearer of `seen`.
    pub(crate) fn strike_once(
        &mut self,
        name: F::Name,
        seen: &mut Occasions<F::Name>,
        unit: f64,
    ) -> Option<F> {
        let serial = self.active.get(&name)?.serial;
        if seen.0.insert(name, serial) == Some(serial) {
            return None;
        }
        self.strike(name, unit)
    }

    /// Counts a strike of a fault that needs no rule.
    pub(crate) fn count(&mut self, name: F::Name) {
        *self.struck.entry(name).or_default() += 1;
    }

    /// How often anything has struck since the start.
    pub(crate) fn strikes(&self) -> u64 {
        self.struck.values().sum()
    }

    /// How often a fault has struck since the start.
    pub(crate) fn struck(&self, name: F::Name) -> u64 {
        self.struck.get(&name).copied().unwrap_or_default()
    }

    /// Every fault that is in force or has struck.
    pub(crate) fn status(&self) -> Vec<FaultStatus<F::Name>> {
        let names = F::Name::all().iter().copied();
        names
            .filter(|name| self.active.contains_key(name) || self.struck.contains_key(name))
            .map(|name| {
                let active = self.active.get(&name);
                FaultStatus {
                    name,
                    rule: active.map(|active| active.rule.to_json()),
                    exhausted: active.is_some_and(|active| !active.can_strike()),
                    struck: self.struck(name),
                }
            })
            .collect()
    }
}

impl<F> Active<F> {
    fn can_strike(&self) -> bool {
        self.rule
            .limit
            .count
            .is_none_or(|count| self.struck < count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const SKIP: FaultName = FaultName::Skip;

    fn skip() -> Fault {
        Fault::Skip { history: true }
    }

    #[tokio::test(start_paused = true)]
    async fn a_fault_strikes_until_its_count_its_time_or_its_clearing() {
        let now = MonoTime::now();
        let mut table = FaultTable::<Fault>::default();
        assert_eq!(table.strike(SKIP, 0.0), None);

        table.set(skip().times(2), now);
        assert!(table.strike(SKIP, 0.99).is_some());
        assert!(table.strike(SKIP, 0.99).is_some());
        assert_eq!(table.strike(SKIP, 0.0), None);
        assert!(table.in_force(SKIP).is_some() && table.may_strike(SKIP).is_none());
        assert!(table.status().iter().all(|fault| fault.exhausted));

        table.set(skip().during(Duration::from_secs(10)), now);
        assert!(table.strike(SKIP, 0.0).is_some());
        assert_eq!(table.expire(now + Duration::from_secs(9)), []);
        assert_eq!(table.next_expiry(), Some(now + Duration::from_secs(10)));
        assert_eq!(table.expire(now + Duration::from_secs(10)), [SKIP]);
        assert_eq!(table.strike(SKIP, 0.0), None);

        table.set(skip().into(), now);
        assert!(table.clear(SKIP) && !table.clear(SKIP));
        assert_eq!(table.struck(SKIP), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn chance_decides_without_being_counted() {
        let mut table = FaultTable::default();
        table.set(skip().times(1).with_probability(0.25), MonoTime::now());
        assert_eq!(table.strike(SKIP, 0.25), None);
        assert!(table.strike(SKIP, 0.24).is_some());
        assert_eq!(table.struck(SKIP), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn one_bearer_takes_its_chance_once_for_each_rule() {
        let (mut table, mut seen) = (FaultTable::default(), Occasions::default());
        for rules in 1..=2 {
            table.set(skip().into(), MonoTime::now());
            assert!(table.strike_once(SKIP, &mut seen, 0.0).is_some());
            assert!(table.strike_once(SKIP, &mut seen, 0.0).is_none());
            assert_eq!(table.struck(SKIP), rules);
        }
        assert!(
            table
                .strike_once(SKIP, &mut Occasions::default(), 0.0)
                .is_some()
        );
    }
}
