//! [`Renewals`]: gives new guests other templates. Those that stand keep theirs until they end.

use std::collections::BTreeSet;
use std::fmt;

use tokio::sync::mpsc;

use super::runner::{GuestsRunner, TemplateParts};
use crate::domain::SessionName;
use crate::net::HttpClient;

/// What new guests' sessions are made of from now on.
#[derive(Debug)]
pub struct Renewal<C> {
    /// The templates that differ from those before; one that is not in `offered` is of no use.
    pub templates: Vec<TemplateParts<C>>,
    /// The names of all that may be used.
    pub offered: BTreeSet<crate::domain::TemplateName>,
    /// Names that belong to the configuration.
    pub configured: BTreeSet<SessionName>,
    /// Sessions that may stand at once.
    pub limit: u32,
}

/// Tells a runner of other templates. Clones share it.
pub struct Renewals<C>(pub(super) mpsc::Sender<Renewal<C>>);

impl<C> Renewals<C> {
    /// New guests get these; nothing happens where everything ends.
    pub async fn renew(&self, renewal: Renewal<C>) {
        // A runner that is gone needs none.
        self.0.send(renewal).await.ok();
    }
}

impl<C> Clone for Renewals<C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<C> fmt::Debug for Renewals<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Renewals").finish_non_exhaustive()
    }
}

impl<C: HttpClient + 'static> GuestsRunner<C> {
    pub(super) fn renewed(&mut self, renewal: Renewal<C>) {
        let own: BTreeSet<_> = self.guests.values().map(|g| &g.kept.template).collect();
        let still = |name: &_| renewal.offered.contains(name) || own.contains(name);
        self.templates.retain(|name, _| still(name));
        for template in renewal.templates {
            self.templates
                .insert(template.config.name.clone(), template);
        }
        let offered = renewal.offered.into_iter().filter_map(|name| {
            let journal = self.templates.get(&name)?.journal.info().name;
            Some((name, journal))
        });
        *self.shared.templates.lock() = offered.collect();
        self.configured = renewal.configured;
        self.limit = renewal.limit;
    }
}
