//! [`Permissions`]: who may do what with which journal; what is not allowed is refused. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::config::{PermissionConfig, Right};
use super::principal::Identity;

type Rights = BTreeSet<Right>;

/// What is allowed.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Permissions(BTreeMap<String, BTreeMap<String, Rights>>);

impl Permissions {
    /// Entries of one principal add up.
    pub(super) fn new(entries: &[PermissionConfig]) -> Self {
        let mut all = Self::default();
        for entry in entries {
            let own = all.0.entry(entry.principal.clone()).or_default();
            for journal in &entry.journals {
                let rights = own.entry(journal.clone()).or_default();
                rights.extend(&entry.allow);
            }
        }
        all
    }

    /// Whether somebody may do this with a journal of this name.
    pub(super) fn allow(&self, who: &Identity, right: Right, journal: &str) -> bool {
        who.names().any(|name| {
            let rights = self.0.get(name).and_then(|own| own.get(journal));
            rights.is_some_and(|rights| rights.contains(&right))
        })
    }

    /// Whether somebody may do anything at all.
    pub(super) fn know(&self, who: &Identity) -> bool {
        who.names().any(|name| {
            let own = self.0.get(name);
            own.is_some_and(|own| own.values().any(|rights| !rights.is_empty()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grpc::identity::principal::Shown;
    use proptest::prelude::*;

    const ALL: [Right; 4] = [Right::Read, Right::Commit, Right::Send, Right::Admin];

    fn entry(principal: &str, journals: &[&str], allow: &[Right]) -> PermissionConfig {
        PermissionConfig {
            principal: principal.to_owned(),
            journals: journals.iter().map(|j| (*j).to_owned()).collect(),
            allow: allow.to_vec(),
        }
    }

    fn named(name: &str) -> Identity {
        Identity {
            name: name.into(),
            ..Identity::nobody()
        }
    }

    #[test]
    fn entries_add_up_and_rights_do_not_imply_each_other() {
        let permissions = Permissions::new(&[
            entry("a", &["one", "two"], &[Right::Read]),
            entry("a", &["two"], &[Right::Admin]),
            entry("gid:5", &["one"], &[Right::Send]),
            entry("idle", &["one"], &[]),
        ]);
        let may = |who: &Identity, right, journal| permissions.allow(who, right, journal);
        let a = named("a");
        assert!(may(&a, Right::Read, "one") && may(&a, Right::Read, "two"));
        assert!(may(&a, Right::Admin, "two") && !may(&a, Right::Admin, "one"));
        assert!(!may(&a, Right::Commit, "two") && !may(&a, Right::Send, "two"));
        let process = Identity::shown(&Shown::Process { user: 1, group: 5 }).unwrap();
        assert!(may(&process, Right::Send, "one") && permissions.know(&process));
        for nobody in ["", "A", "idle", "one"] {
            assert!(!permissions.know(&named(nobody)), "{nobody}");
        }
    }

    fn name() -> impl Strategy<Value = String> {
        "[a-d]{1,2}"
    }

    fn rights() -> impl Strategy<Value = Vec<Right>> {
        proptest::collection::vec(proptest::sample::select(ALL.to_vec()), 0..4)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000 * crate::testing::scale()))]

        /// Against the plainest reading of the list.
        #[test]
        fn nobody_passes_without_a_grant(
            grants in proptest::collection::vec((name(), proptest::collection::vec(name(), 0..3), rights()), 0..8),
            asked in proptest::collection::vec((name(), name(), proptest::sample::select(ALL.to_vec())), 64),
        ) {
            let entries: Vec<_> = grants
                .iter()
                .map(|(who, journals, allow)| PermissionConfig {
                    principal: who.clone(),
                    journals: journals.clone(),
                    allow: allow.clone(),
                })
                .collect();
            let permissions = Permissions::new(&entries);
            for (who, journal, right) in asked {
                let granted = grants.iter().any(|(name, journals, allow)| {
                    *name == who && journals.contains(&journal) && allow.contains(&right)
                });
                prop_assert_eq!(permissions.allow(&named(&who), right, &journal), granted);
            }
        }
    }
}
