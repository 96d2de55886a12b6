//! [`TopicPlan`]: from templates and names to topics with ids, and from topics to channels. Asks
//! for the catalogue, then for what is named or listed, then for the members of queues.

mod catalogue;
mod lookup;
mod spread;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use http::StatusCode;

use super::connector::{NotificationsConnector, Site};
use super::topics::{Thing, expand, fill, has_placeholder, is_id, thing_of};
use crate::auth::AccessToken;
use crate::connectors::{Connector, Plan, Redundancy, Selector, Step, TopicSetting, Unreadable};
use crate::net::HttpResponse;
use catalogue::Catalogue;
use lookup::{Lookup, Outcome};
use spread::CHANNEL_LIMIT;
#[cfg(test)]
pub(super) use spread::spread as spread_for_tests;

/// What a lookup gave: ids, or why there are none.
pub(super) type Ids = Result<Vec<String>, String>;

#[derive(Debug, PartialEq, Eq)]
enum Stage {
    Catalogue,
    /// Names and lists.
    Things,
    /// Members of queues, whose own names are known by now.
    Members,
    Done,
}

/// Carried out anew at each start and now and then.
#[derive(Debug)]
pub(super) struct TopicPlan {
    site: Site,
    settings: Vec<TopicSetting>,
    stage: Stage,
    catalogue: Option<Catalogue>,
    lookups: VecDeque<Lookup>,
    lists: HashMap<Thing, Ids>,
    names: HashMap<(Thing, String), Ids>,
    members: HashMap<String, Ids>,
}

impl TopicPlan {
    pub(super) fn new(site: Site, settings: Vec<TopicSetting>) -> Self {
        Self {
            site,
            settings,
            stage: Stage::Catalogue,
            catalogue: None,
            lookups: VecDeque::new(),
            lists: HashMap::new(),
            names: HashMap::new(),
            members: HashMap::new(),
        }
    }

    /// On to the first stage that has something to ask.
    fn advance(&mut self) {
        while self.lookups.is_empty() {
            self.stage = match self.stage {
                Stage::Catalogue => {
                    self.lookups = self.things().into();
                    Stage::Things
                }
                Stage::Things => {
                    let queues = self.queues_with_members();
                    self.lookups = queues.into_iter().map(Lookup::members).collect();
                    Stage::Members
                }
                Stage::Members | Stage::Done => {
                    self.stage = Stage::Done;
                    return;
                }
            };
        }
    }

    /// Lists and names that the settings need, each once.
    fn things(&self) -> Vec<Lookup> {
        let mut lists = Vec::new();
        let mut sought: Vec<(Thing, Vec<String>)> = Vec::new();
        let mut seek = |thing: Thing, name: &str| {
            if is_id(name) {
                return;
            }
            let name = name.to_lowercase();
            match sought.iter_mut().find(|(known, _)| *known == thing) {
                Some((_, names)) if names.contains(&name) => {}
                Some((_, names)) => names.push(name),
                None => sought.push((thing, vec![name])),
            }
        };
        for setting in &self.settings {
            let thing = thing_of(&setting.template);
            match (&setting.ids, thing) {
                (Some(Selector::All), Some(thing)) if !lists.contains(&thing) => lists.push(thing),
                (Some(Selector::Named(names)), Some(thing)) => {
                    names.iter().for_each(|name| seek(thing, name));
                }
                (Some(Selector::UsersOfQueues(queues)), _) => {
                    queues.iter().for_each(|queue| seek(Thing::Queue, queue));
                }
                _ => {}
            }
        }
        let mut lookups: Vec<Lookup> = Vec::new();
        for (thing, names) in sought {
            match thing {
                // The platform filters queues by name, and lists all of everything else.
                Thing::Queue => {
                    let each = names.into_iter().map(|name| Lookup::queue(&name));
                    lookups.extend(each);
                }
                _ => {
                    let all = lists.contains(&thing);
                    lists.retain(|known| *known != thing);
                    lookups.push(Lookup::list(thing, all, names));
                }
            }
        }
        let whole = lists.into_iter();
        lookups.extend(whole.map(|thing| Lookup::list(thing, true, Vec::new())));
        lookups
    }

    fn queues_with_members(&self) -> Vec<String> {
        let mut queues: Vec<String> = Vec::new();
        for setting in &self.settings {
            let Some(Selector::UsersOfQueues(named)) = &setting.ids else {
                continue;
            };
            let ids = named.iter().flat_map(|name| self.named(Thing::Queue, name));
            for id in ids.flatten() {
                if !queues.contains(&id) {
                    queues.push(id);
                }
            }
        }
        queues
    }

    /// The ids behind a name; an id stands for itself.
    fn named(&self, thing: Thing, name: &str) -> Ids {
        if is_id(name) {
            return Ok(vec![name.to_owned()]);
        }
        let known = self.names.get(&(thing, name.to_lowercase()));
        known
            .cloned()
            .unwrap_or_else(|| Err("NOT_FOUND".to_owned()))
    }

    fn learned(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::All(thing, ids) => {
                self.lists.insert(thing, ids);
            }
            Outcome::Name(thing, name, ids) => {
                self.names.insert((thing, name), ids);
            }
            Outcome::Members(queue, ids) => {
                self.members.insert(queue, ids);
            }
        }
    }

    /// What one setting stands for: ids, and what could not be found, each with the reason.
    fn ids(
        &self,
        setting: &TopicSetting,
        selector: &Selector,
    ) -> (Vec<String>, Vec<(String, String)>) {
        let (mut ids, mut lost) = (Vec::new(), Vec::new());
        let thing = thing_of(&setting.template);
        let mut take = |name: &str, found: Ids| match found {
            Ok(found) => ids.extend(found),
            Err(reason) => lost.push((fill(&setting.template, name), reason)),
        };
        match selector {
            Selector::Named(names) => {
                for name in names {
                    // What cannot be looked up is taken for what it says it is.
                    let found = thing
                        .map_or_else(|| Ok(vec![name.clone()]), |thing| self.named(thing, name));
                    take(name, found);
                }
            }
            Selector::All => {
                let found = thing.and_then(|thing| self.lists.get(&thing).cloned());
                take("*", found.unwrap_or_else(|| Err("NOT_FOUND".to_owned())));
            }
            Selector::UsersOfQueues(queues) => {
                for name in queues {
                    let of = format!("{{users of {name}}}");
                    match self.named(Thing::Queue, name) {
                        Err(reason) => take(&of, Err(reason)),
                        Ok(queues) => queues.iter().for_each(|queue| {
                            let members = self.members.get(queue).cloned();
                            let none = || Err("NOT_FOUND".to_owned());
                            take(&of, members.unwrap_or_else(none));
                        }),
                    }
                }
            }
        }
        (ids, lost)
    }

    /// Every topic once, in the order of the settings, and what is not covered.
    fn topics(&self) -> (Vec<String>, Vec<(String, String)>) {
        let (mut topics, mut lost) = (Vec::new(), Vec::new());
        for setting in &self.settings {
            match &setting.ids {
                Some(selector) if has_placeholder(&setting.template) => {
                    let (ids, unresolved) = self.ids(setting, selector);
                    topics.extend(ids.iter().map(|id| fill(&setting.template, id)));
                    lost.extend(unresolved);
                }
                _ => topics.push(setting.template.clone()),
            }
        }
        let mut seen = HashSet::new();
        topics.retain(|topic| seen.insert(topic.to_ascii_lowercase()));
        let topics = merge(topics);
        let Some(catalogue) = &self.catalogue else {
            return (topics, lost);
        };
        let (mut possible, mut reasons) = (Vec::with_capacity(topics.len()), HashMap::new());
        for topic in topics {
            match catalogue.objection(&topic, &mut reasons) {
                None => possible.push(topic),
                Some(reason) => lost.push((topic, reason.to_owned())),
            }
        }
        (possible, lost)
    }

    fn connectors(&self) -> Vec<Arc<dyn Connector>> {
        let (topics, mut lost) = self.topics();
        let most = match self.site.redundancy {
            Redundancy::Single => super::protocol::MOST_CHANNELS,
            Redundancy::Double => super::protocol::MOST_CHANNELS / 2,
        };
        let (channels, beyond) = spread::spread(topics, most);
        lost.extend(
            beyond
                .into_iter()
                .map(|topic| (topic, CHANNEL_LIMIT.to_owned())),
        );
        let mut connectors: Vec<Arc<dyn Connector>> = Vec::new();
        for topics in channels {
            // What is not covered at all is told by the first.
            let lost = std::mem::take(&mut lost);
            connectors.push(Arc::new(NotificationsConnector::new(
                &self.site, topics, lost,
            )));
        }
        connectors
    }
}

/// Leaves out what a combined topic brings already.
fn merge(topics: Vec<String>) -> Vec<String> {
    let combined = topics.iter().filter(|topic| topic.contains('?'));
    let brought: HashSet<String> = combined
        .flat_map(|topic| expand(topic))
        .map(|name| name.to_ascii_lowercase())
        .collect();
    let alone =
        |topic: &String| topic.contains('?') || !brought.contains(&topic.to_ascii_lowercase());
    topics.into_iter().filter(alone).collect()
}

impl Plan for TopicPlan {
    fn next(&mut self, token: &AccessToken) -> Step<Vec<Arc<dyn Connector>>> {
        if self.stage == Stage::Catalogue && self.lookups.is_empty() {
            return Step::Call(Catalogue::call(&self.site.rest, token));
        }
        match self.lookups.front() {
            Some(lookup) => Step::Call(lookup.call(&self.site.rest, token)),
            None => Step::Done(self.connectors()),
        }
    }

    fn answer(&mut self, answer: &HttpResponse) -> Result<(), Unreadable> {
        if self.stage == Stage::Catalogue {
            self.catalogue = Catalogue::read(&answer.body)?;
        } else if let Some(lookup) = self.lookups.front_mut() {
            let outcomes = lookup.read(&answer.body)?;
            if let Some(outcomes) = outcomes {
                self.lookups.pop_front();
                outcomes
                    .into_iter()
                    .for_each(|outcome| self.learned(outcome));
            }
        }
        self.advance();
        Ok(())
    }

    fn refused(&mut self, status: StatusCode) -> bool {
        // A token that is not accepted and a limit that is reached say nothing about what was asked.
        let about_it = status.is_client_error() && !matches!(status.as_u16(), 401 | 408 | 429);
        if !about_it {
            return false;
        }
        if self.stage != Stage::Catalogue
            && let Some(lookup) = self.lookups.pop_front()
        {
            let outcomes = lookup.refused(status);
            outcomes
                .into_iter()
                .for_each(|outcome| self.learned(outcome));
        }
        self.advance();
        true
    }
}
