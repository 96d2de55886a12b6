//! [`Lookup`]: one list of the platform, read page by page.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use http::StatusCode;
use url::Url;

use super::Ids;
use crate::auth::AccessToken;
use crate::connectors::genesys_notifications::rest::{Entity, PAGE, Page, Rest};
use crate::connectors::genesys_notifications::topics::Thing;
use crate::connectors::{Call, Unreadable};

/// Twenty channels of 1 000 topics need no more ids than this many pages hold.
const MOST_PAGES: u64 = 200;

/// What a lookup gave.
#[derive(Debug)]
pub(super) enum Outcome {
    All(Thing, Ids),
    Name(Thing, String, Ids),
    Members(String, Ids),
}

#[derive(Debug)]
enum Sought {
    /// The queue of this name, in lower case.
    Queue(String),
    /// Some or all of a list.
    List {
        thing: Thing,
        all: bool,
        names: Vec<String>,
    },
    Members(String),
}

/// One list being read.
#[derive(Debug)]
pub(super) struct Lookup {
    sought: Sought,
    page: u64,
    /// Where a list goes on that does not number its pages.
    after: Option<String>,
    /// Every id read, so that a list that ignores page numbers is noticed.
    seen: HashSet<String>,
    ids: Vec<String>,
    found: HashMap<String, Vec<String>>,
}

impl Lookup {
    fn new(sought: Sought) -> Self {
        Self {
            sought,
            page: 1,
            after: None,
            seen: HashSet::new(),
            ids: Vec::new(),
            found: HashMap::new(),
        }
    }

    pub(super) fn queue(name: &str) -> Self {
        Self::new(Sought::Queue(name.to_owned()))
    }

    pub(super) fn list(thing: Thing, all: bool, names: Vec<String>) -> Self {
        Self::new(Sought::List { thing, all, names })
    }

    pub(super) fn members(queue: String) -> Self {
        Self::new(Sought::Members(queue))
    }

    pub(super) fn call(&self, rest: &Rest, token: &AccessToken) -> Box<Call> {
        let (page, size) = (self.page.to_string(), PAGE.to_string());
        let mut query = vec![("pageSize", size.as_str())];
        match &self.after {
            Some(after) => query.push(("after", after)),
            None => query.push(("pageNumber", &page)),
        }
        let path: &[&str] = match &self.sought {
            Sought::Queue(name) => {
                query.insert(0, ("name", name));
                &["routing", "queues"]
            }
            Sought::Members(queue) => &["routing", "queues", queue, "members"],
            Sought::List { thing, .. } => match thing {
                Thing::Queue => &["routing", "queues"],
                Thing::User => &["users"],
                Thing::ManagementUnit => &["workforcemanagement", "managementunits"],
                Thing::Team => &["teams"],
            },
        };
        rest.get(path, &query, token)
    }

    /// Takes a page in; the outcome once there is no other.
    pub(super) fn read(&mut self, body: &Bytes) -> Result<Option<Vec<Outcome>>, Unreadable> {
        let page = Page::read("list", body)?;
        let known = self.seen.len();
        for raw in page.entities() {
            // An entity without an id is none that could be subscribed to.
            if let Ok(entity) = serde_json::from_str::<Entity>(raw.get()) {
                self.take(entity);
            }
        }
        let after = page.next_uri.as_deref().and_then(after_of);
        let goes_on = self.seen.len() > known && self.page < MOST_PAGES;
        let is_new = after.is_some() && after != self.after;
        if goes_on && (is_new || page.has_more(self.page)) {
            self.page += 1;
            self.after = after;
            return Ok(None);
        }
        Ok(Some(self.outcomes()))
    }

    fn take(&mut self, entity: Entity) {
        let Some(id) = entity.id.filter(|id| is_plain(id)) else {
            return;
        };
        if !self.seen.insert(id.clone()) {
            return;
        }
        let name = entity.name.map(|n| n.to_lowercase());
        let email = entity.email.map(|e| e.to_lowercase());
        let called = [name, email];
        match &self.sought {
            Sought::Queue(sought) => {
                if called.iter().flatten().any(|name| name == sought) {
                    self.ids.push(id);
                }
            }
            Sought::List { all, names, .. } => {
                for name in called.into_iter().flatten() {
                    if names.contains(&name) {
                        let found = self.found.entry(name).or_default();
                        if found.last() != Some(&id) {
                            found.push(id.clone());
                        }
                    }
                }
                if *all {
                    self.ids.push(id);
                }
            }
            Sought::Members(_) => self.ids.push(id),
        }
    }

    fn outcomes(&mut self) -> Vec<Outcome> {
        let ids = std::mem::take(&mut self.ids);
        match &self.sought {
            Sought::Queue(name) => vec![Outcome::Name(Thing::Queue, name.clone(), only(ids))],
            Sought::Members(queue) => vec![Outcome::Members(queue.clone(), Ok(ids))],
            Sought::List { thing, all, names } => {
                let mut outcomes = Vec::new();
                for name in names {
                    let found = self.found.remove(name).unwrap_or_default();
                    outcomes.push(Outcome::Name(*thing, name.clone(), only(found)));
                }
                if *all {
                    outcomes.push(Outcome::All(*thing, Ok(ids)));
                }
                outcomes
            }
        }
    }

    /// The list may not be read.
    pub(super) fn refused(self, status: StatusCode) -> Vec<Outcome> {
        let reason = match (&self.sought, status.as_u16()) {
            (Sought::Members(_), 404) => "NOT_FOUND: no such queue".to_owned(),
            (sought, code) => format!("{} ({code})", sought.permission()),
        };
        let no = || Err(reason.clone());
        match self.sought {
            Sought::Queue(name) => vec![Outcome::Name(Thing::Queue, name, no())],
            Sought::Members(queue) => vec![Outcome::Members(queue, no())],
            Sought::List { thing, all, names } => {
                let names = names.into_iter();
                let mut outcomes: Vec<Outcome> =
                    names.map(|name| Outcome::Name(thing, name, no())).collect();
                if all {
                    outcomes.push(Outcome::All(thing, no()));
                }
                outcomes
            }
        }
    }
}

impl Sought {
    const fn permission(&self) -> &'static str {
        match self {
            Self::Queue(_) | Self::Members(_) => "missing routing:queue:view",
            Self::List { thing, .. } => match thing {
                Thing::Queue => "missing routing:queue:view",
                Thing::User => "missing directory:user:view",
                Thing::ManagementUnit => "missing wfm:managementUnit:view",
                Thing::Team => "missing groups:team:view",
            },
        }
    }
}

/// A name must lead to one thing.
fn only(ids: Vec<String>) -> Ids {
    match ids.len() {
        0 => Err("NOT_FOUND".to_owned()),
        1 => Ok(ids),
        n => Err(format!("AMBIGUOUS: {n} have this name; use the id")),
    }
}

/// Ids become parts of topics and paths.
fn is_plain(id: &str) -> bool {
    (1..=64).contains(&id.len())
        && id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

fn after_of(next: &str) -> Option<String> {
    let base = Url::parse("https://platform.invalid").ok()?;
    let url = base.join(next).ok()?;
    let mut pairs = url.query_pairs();
    let after = pairs.find(|(key, _)| key == "after");
    after.map(|(_, value)| value.into_owned())
}
