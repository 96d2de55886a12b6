//! [`Catalogue`]: the topics there are (2.3), so that impossible ones are told before they are
//! asked for.

use std::collections::HashMap;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::auth::AccessToken;
use crate::connectors::genesys_notifications::rest::{Page, Rest};
use crate::connectors::genesys_notifications::topics::{expand, is_id};
use crate::connectors::{Call, Unreadable};

const UNKNOWN: &str = "UNKNOWN_TOPIC: not in the platform's catalogue";
const NEEDS_USER: &str = "REQUIRES_CURRENT_USER: an organization's token has no user";
const NOT_HERE: &str = "NOT_OVER_WEBSOCKET: the catalogue gives it other transports";

/// Every topic, by its parts in lower case, with what stands against it.
#[derive(Debug)]
pub(super) struct Catalogue(Vec<(Vec<String>, Option<&'static str>)>);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    id: String,
    #[serde(default)]
    transports: Option<Vec<String>>,
    #[serde(default)]
    requires_current_user: Option<bool>,
    #[serde(default)]
    requires_any_validator: Option<bool>,
}

impl Catalogue {
    pub(super) fn call(rest: &Rest, token: &AccessToken) -> Box<Call> {
        let query = [
            ("expand", "transports"),
            ("expand", "requiresPermissions"),
            ("includePreview", "true"),
        ];
        rest.get(&["notifications", "availabletopics"], &query, token)
    }

    /// `None` for an empty catalogue: it would speak against everything.
    pub(super) fn read(body: &Bytes) -> Result<Option<Self>, Unreadable> {
        let page = Page::read("available topics", body)?;
        let read = |raw: &&RawValue| serde_json::from_str::<Entry>(raw.get()).ok();
        let entries = page.entities().iter().filter_map(read).map(|entry| {
            let objection = entry.objection();
            (parts(&entry.id), objection)
        });
        let entries: Vec<_> = entries.collect();
        Ok((!entries.is_empty()).then_some(Self(entries)))
    }

    /// What stands against a topic; against a combined one where it stands against all of it.
    /// `known` remembers topics that differ in ids alone.
    pub(super) fn objection(
        &self,
        topic: &str,
        known: &mut HashMap<String, Option<&'static str>>,
    ) -> Option<&'static str> {
        let mut last = None;
        for name in expand(topic) {
            let shape = shape(&name);
            let objection = match known.get(&shape) {
                Some(objection) => *objection,
                None => {
                    let objection = self.find(&parts(&name));
                    known.insert(shape, objection);
                    objection
                }
            };
            last = Some(objection?);
        }
        last
    }

    fn find(&self, name: &[String]) -> Option<&'static str> {
        let fits = |entry: &[String]| {
            entry.len() == name.len()
                && entry
                    .iter()
                    .zip(name)
                    .all(|(entry, name)| entry == name || entry.starts_with('{'))
        };
        let found = self.0.iter().find(|(entry, _)| fits(entry));
        found.map_or(Some(UNKNOWN), |(_, objection)| *objection)
    }
}

impl Entry {
    fn objection(&self) -> Option<&'static str> {
        let any = self.requires_any_validator == Some(true);
        let transports = self.transports.as_deref().unwrap_or_default();
        let here =
            |t: &String| t.eq_ignore_ascii_case("all") || t.eq_ignore_ascii_case("websocket");
        if self.requires_current_user == Some(true) && !any {
            Some(NEEDS_USER)
        } else if !transports.is_empty() && !transports.iter().any(here) {
            Some(NOT_HERE)
        } else {
            None
        }
    }
}

fn parts(name: &str) -> Vec<String> {
    name.split('.').map(str::to_ascii_lowercase).collect()
}

fn shape(name: &str) -> String {
    let parts = name.split('.').map(|p| if is_id(p) { "{id}" } else { p });
    parts.collect::<Vec<_>>().join(".").to_ascii_lowercase()
}
