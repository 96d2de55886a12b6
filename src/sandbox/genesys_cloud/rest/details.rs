//! Queries for what happened in an interval: timelines of users, and conversations. Pure.

use serde::Deserialize;
use serde_json::{Value, json};

use super::conversations::told;
use super::page::Page;
use super::{Answer, Ask, Refusal, Rest};
use crate::domain::WallTime;
use crate::sandbox::genesys_cloud::fields::set;
use crate::sandbox::genesys_cloud::world::{Conversation, Scene, Spell, World, iso};

const DAY: u64 = 24 * 60 * 60 * 1_000;
/// No interval is longer.
const LONGEST_DAYS: u64 = 31;
const LARGEST_PAGE: usize = 200;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Query {
    interval: String,
    #[serde(default)]
    order: Option<String>,
    #[serde(default)]
    paging: Option<Paging>,
    #[serde(default)]
    user_filters: Vec<Filter>,
    #[serde(default)]
    segment_filters: Vec<Filter>,
    #[serde(default)]
    conversation_filters: Vec<Filter>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Paging {
    #[serde(default)]
    page_size: Option<usize>,
    #[serde(default)]
    page_number: Option<usize>,
}

#[derive(Debug, Deserialize)]
struct Filter {
    #[serde(default, rename = "type")]
    kind: Kind,
    #[serde(default)]
    predicates: Vec<Predicate>,
    #[serde(default)]
    clauses: Vec<Filter>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    #[default]
    And,
    Or,
}

#[derive(Debug, Deserialize)]
struct Predicate {
    dimension: String,
    #[serde(default)]
    operator: Operator,
    #[serde(default)]
    value: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Operator {
    #[default]
    Matches,
    Exists,
    NotExists,
}

impl Filter {
    /// Whether it lets pass what has these values in a dimension.
    fn passes(&self, values: &impl Fn(&str) -> Option<Vec<String>>) -> Result<bool, Refusal> {
        let mut passed = Vec::new();
        for predicate in &self.predicates {
            passed.push(predicate.passes(values)?);
        }
        for clause in &self.clauses {
            passed.push(clause.passes(values)?);
        }
        Ok(match self.kind {
            Kind::And => passed.iter().all(|one| *one),
            Kind::Or => passed.iter().any(|one| *one),
        })
    }
}

impl Predicate {
    fn passes(&self, values: &impl Fn(&str) -> Option<Vec<String>>) -> Result<bool, Refusal> {
        let unknown = || Refusal::bad(format!("dimension {} is not supported", self.dimension));
        let has = values(&self.dimension).ok_or_else(unknown)?;
        Ok(match self.operator {
            Operator::Exists => !has.is_empty(),
            Operator::NotExists => has.is_empty(),
            Operator::Matches => {
                let wanted = self.value.as_deref();
                let wanted = wanted.ok_or_else(|| Refusal::bad("matches needs a value"))?;
                has.iter().any(|one| one == wanted)
            }
        })
    }
}

/// All filters must let it pass.
fn pass(
    filters: &[Filter],
    values: &impl Fn(&str) -> Option<Vec<String>>,
) -> Result<bool, Refusal> {
    for filter in filters {
        if !filter.passes(values)? {
            return Ok(false);
        }
    }
    Ok(true)
}

impl Query {
    fn interval(&self) -> Result<(WallTime, WallTime), Refusal> {
        let read = |text: &str| WallTime::parse_rfc3339(text);
        let ends = self.interval.split_once('/');
        let ends = ends.and_then(|(from, to)| Some((read(from)?, read(to)?)));
        let (from, to) = ends
            .filter(|(from, to)| from < to)
            .ok_or_else(|| Refusal::bad("interval must be START/END in ISO-8601"))?;
        if to.as_millis() - from.as_millis() > LONGEST_DAYS * DAY {
            return Err(Refusal::bad("interval must not be longer than 31 days"));
        }
        Ok((from, to))
    }

    fn page(&self) -> Result<Page, Refusal> {
        let paging = self.paging.as_ref();
        let page = Page {
            size: paging.and_then(|paging| paging.page_size).unwrap_or(25),
            number: paging.and_then(|paging| paging.page_number).unwrap_or(1),
        };
        let good = (1..=LARGEST_PAGE).contains(&page.size) && page.number >= 1;
        good.then_some(page).ok_or_else(|| {
            Refusal::bad(format!("paging.pageSize lies between 1 and {LARGEST_PAGE}"))
        })
    }
}

/// `POST /api/v2/analytics/users/details/query`
pub(super) fn users(world: &World, ask: &Ask<'_>, seen: WallTime) -> Rest {
    let query: Query = ask.read()?;
    let (from, to) = query.interval()?;
    let page = query.page()?;
    let to = to.min(seen);
    let mut found = Vec::new();
    for (index, user) in world.users.iter().enumerate() {
        let values = |dimension: &str| (dimension == "userId").then(|| vec![user.id.to_string()]);
        if pass(&query.user_filters, &values)? {
            found.push(index);
        }
    }
    let total = found.len();
    let told: Vec<_> = page
        .of(found.into_iter())
        .into_iter()
        .map(|user| user_timeline(world, user, from, to))
        .collect();
    Ok(Answer::ok(
        &json!({ "userDetails": told, "totalHits": total }),
    ))
}

fn user_timeline(world: &World, index: usize, from: WallTime, to: WallTime) -> Value {
    let Some(user) = world.users.get(index) else {
        return Value::Null;
    };
    let presences = user.presence.between(from, to);
    let presences: Vec<_> = presences
        .iter()
        .map(|spell| {
            let id = world.presence_id(*spell.value);
            let mut body = times(spell);
            let presence = spell.value.upper();
            set(
                &mut body,
                [
                    ("systemPresence", Some(presence.into())),
                    ("organizationPresenceId", Some(id.into())),
                ],
            );
            body
        })
        .collect();
    let statuses = user.routing.between(from, to);
    let statuses: Vec<_> = statuses
        .iter()
        .map(|spell| {
            let mut body = times(spell);
            set(
                &mut body,
                [("routingStatus", Some(spell.value.upper().into()))],
            );
            body
        })
        .collect();
    json!({ "userId": &*user.id, "primaryPresence": presences, "routingStatus": statuses })
}

fn times<T>(spell: &Spell<'_, T>) -> Value {
    let mut body = json!({ "startTime": iso(spell.start) });
    set(
        &mut body,
        [("endTime", spell.end.map(|end| iso(end).into()))],
    );
    body
}

/// `POST /api/v2/analytics/conversations/details/query`: those that *started* on a UTC day that the
/// interval touches, whatever happened in it.
pub(super) fn conversations(world: &World, ask: &Ask<'_>, seen: WallTime) -> Rest {
    let query: Query = ask.read()?;
    let (from, to) = query.interval()?;
    let page = query.page()?;
    let first_day = from.as_millis() / DAY;
    let last_day = (to.as_millis() - 1) / DAY;
    let mut found = Vec::new();
    for conversation in &world.conversations {
        let day = conversation.started().as_millis() / DAY;
        let Some(scene) = conversation
            .at(seen)
            .filter(|_| (first_day..=last_day).contains(&day))
        else {
            continue;
        };
        if matches(world, &query, conversation, scene)? {
            found.push((conversation, scene));
        }
    }
    found.sort_by_key(|(conversation, _)| conversation.started());
    if query.order.as_deref() == Some("desc") {
        found.reverse();
    }
    let total = found.len();
    let told: Vec<_> = page
        .of(found.into_iter())
        .into_iter()
        .map(|(conversation, scene)| told(world, conversation, scene))
        .collect();
    let mut body = json!({ "totalHits": total });
    // Beyond the last page there is no list at all.
    let told = Some(told).filter(|told| !told.is_empty());
    set(&mut body, [("conversations", told.map(Value::from))]);
    Ok(Answer::ok(&body))
}

fn matches(
    world: &World,
    query: &Query,
    conversation: &Conversation,
    scene: &Scene,
) -> Result<bool, Refusal> {
    let of_conversation = |dimension: &str| {
        Some(match dimension {
            "conversationId" => vec![conversation.id.to_string()],
            "conversationStart" => vec![iso(conversation.started())],
            "conversationEnd" => scene.ended.map(iso).into_iter().collect(),
            "originatingDirection" => vec!["inbound".to_owned()],
            _ => return None,
        })
    };
    let of_segments = |dimension: &str| {
        let agents = scene.agents.iter().filter_map(|agent| agent.user);
        Some(match dimension {
            "queueId" => vec![world.queue_id(conversation.queue).to_owned()],
            "mediaType" => vec![conversation.media.word().to_owned()],
            "direction" => vec!["inbound".to_owned()],
            "userId" => agents.map(|user| world.user_id(user).to_owned()).collect(),
            "purpose" => ["customer", "acd", "agent"].map(str::to_owned).into(),
            _ => return None,
        })
    };
    Ok(pass(&query.conversation_filters, &of_conversation)?
        && pass(&query.segment_filters, &of_segments)?)
}
