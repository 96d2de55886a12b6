//! Queues, their members and their observations. Pure.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Ask, Refusal, Rest, people};
use crate::domain::WallTime;
use crate::sandbox::genesys_cloud::world::{
    Group, Media, Observation, Stage, World, group_body, iso, metric,
};

const LARGEST_PAGE: usize = 500;
const MOST_MEMBERS: usize = 100;

/// `GET /api/v2/routing/queues`
pub(super) fn queues(world: &World, ask: &Ask<'_>, seen: WallTime) -> Rest {
    let page = ask.query.page(LARGEST_PAGE)?;
    let ids = ask.query.list("id");
    let name = ask.query.get("name");
    let mut all: Vec<_> = world
        .queues
        .iter()
        .enumerate()
        .filter(|(_, queue)| ids.is_empty() || ids.iter().any(|id| **id == *queue.id))
        .filter(|(_, queue)| name.is_none_or(|name| is_called(&queue.name, name)))
        .collect();
    all.sort_by(|(_, a), (_, b)| a.name.cmp(&b.name));
    if ask
        .query
        .get("sortOrder")
        .is_some_and(|order| order.eq_ignore_ascii_case("desc"))
    {
        all.reverse();
    }
    let total = all.len();
    let shown = page.of(all.into_iter()).into_iter();
    let entities = shown.map(|(index, _)| body(world, index, seen)).collect();
    Ok(Answer::ok(&page.listing(
        entities,
        total,
        (ask.path, &ask.query),
    )))
}

/// By name, whatever its case; an asterisk stands for anything at either end.
fn is_called(name: &str, wanted: &str) -> bool {
    let (name, wanted) = (name.to_lowercase(), wanted.to_lowercase());
    let core = wanted.trim_matches('*');
    match (wanted.starts_with('*'), wanted.ends_with('*')) {
        (true, true) => name.contains(core),
        (true, false) => name.ends_with(core),
        (false, true) => name.starts_with(core),
        (false, false) => name == core,
    }
}

/// `GET /api/v2/routing/queues/{id}`
pub(super) fn queue(world: &World, ask: &Ask<'_>, seen: WallTime) -> Rest {
    let index = find(world, ask)?;
    Ok(Answer::ok(&body(world, index, seen)))
}

fn find(world: &World, ask: &Ask<'_>) -> Result<usize, Refusal> {
    world
        .find_queue(ask.id())
        .ok_or_else(|| Refusal::not_found("queue"))
}

fn body(world: &World, index: usize, seen: WallTime) -> Value {
    let Some(queue) = world.queues.get(index) else {
        return Value::Null;
    };
    let joined = queue.members_at(seen).filter(|(_, joined)| *joined).count();
    let members = queue.members_at(seen).count();
    json!({
        "id": &*queue.id,
        "name": queue.name,
        "dateCreated": iso(world.began),
        "dateModified": iso(world.began),
        "memberCount": members,
        "userMemberCount": members,
        "joinedMemberCount": joined,
        "selfUri": format!("/api/v2/routing/queues/{}", queue.id),
    })
}

/// `GET /api/v2/routing/queues/{id}/members`: a list that does not say how long it is.
pub(super) fn members(world: &World, ask: &Ask<'_>, seen: WallTime) -> Rest {
    let index = find(world, ask)?;
    let page = ask.query.page(MOST_MEMBERS)?;
    let joined = ask.query.get("joined").map(|text| text == "true");
    let queue = world
        .queues
        .get(index)
        .ok_or_else(|| Refusal::not_found("queue"))?;
    let mut all: Vec<_> = queue
        .members_at(seen)
        .filter(|(_, is)| joined.is_none_or(|wanted| wanted == *is))
        .collect();
    all.sort_by_key(|(user, _)| world.users.get(*user).map(|user| user.name.clone()));
    let more = all.len() > page.size * page.number;
    let shown = page.of(all.into_iter()).into_iter();
    let entities = shown
        .map(|(user, joined)| {
            let account = people::body(world, user, &ask.query, seen);
            let routing = account.get("routingStatus").cloned();
            json!({
                "id": world.user_id(user),
                "name": account.get("name").cloned(),
                "user": account,
                "ringNumber": 1,
                "joined": joined,
                "memberBy": "user",
                "routingStatus": routing,
                "selfUri": format!("{}/{}", ask.path, world.user_id(user)),
            })
        })
        .collect();
    Ok(Answer::ok(&page.links(
        entities,
        more,
        (ask.path, &ask.query),
    )))
}

/// A query for observations.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Query {
    filter: Filter,
    metrics: Vec<String>,
    #[serde(default)]
    detail_metrics: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Filter {
    #[serde(default)]
    predicates: Vec<Predicate>,
    #[serde(default)]
    clauses: Vec<Filter>,
}

#[derive(Debug, Deserialize)]
struct Predicate {
    dimension: String,
    #[serde(default)]
    value: Option<String>,
}

impl Filter {
    fn predicates(&self) -> Vec<&Predicate> {
        let inner = self.clauses.iter().flat_map(Self::predicates);
        self.predicates.iter().chain(inner).collect()
    }
}

/// `POST /api/v2/analytics/queues/observations/query`: numbers without any time.
pub(super) fn observations(world: &World, ask: &Ask<'_>, seen: WallTime) -> Rest {
    let query: Query = ask.read()?;
    let predicates = query.filter.predicates();
    let values = |dimension: &str| -> Vec<&str> {
        let of = predicates.iter().filter(|one| one.dimension == dimension);
        of.filter_map(|one| one.value.as_deref()).collect()
    };
    let (queues, media) = (values("queueId"), values("mediaType"));
    if queues.is_empty() {
        return Err(Refusal::bad("filter needs a predicate on queueId"));
    }
    if query.metrics.is_empty() {
        return Err(Refusal::bad("metrics must not be empty"));
    }
    let mut results = Vec::new();
    for id in queues {
        let Some(queue) = world.find_queue(id) else {
            continue;
        };
        for (group, observed) in world.observe(queue, seen) {
            let wanted = group.is_none_or(|one| media.is_empty() || media.contains(&one.word()));
            let data = wanted.then(|| data(world, (queue, group), &observed, &query, seen));
            if let Some(data) = data.filter(|data| !data.is_empty()) {
                results.push(json!({ "group": group_body(id, group), "data": data }));
            }
        }
    }
    Ok(Answer::ok(&json!({ "results": results })))
}

fn data(
    world: &World,
    (queue, group): (usize, Group),
    observed: &Observation,
    query: &Query,
    seen: WallTime,
) -> Vec<Value> {
    let asked = |name: &str, list: &[String]| list.iter().any(|metric| metric == name);
    let wanted = observed
        .iter()
        .filter(|((name, _), _)| asked(name, &query.metrics));
    wanted
        .map(|(key, count)| {
            let mut body = metric((key, count));
            let detailed = group.filter(|_| asked(key.0, &query.detail_metrics));
            if let (Some(media), Some(body)) = (detailed, body.as_object_mut()) {
                let each = each(world, (queue, media), key.0, seen);
                body.insert("observations".to_owned(), each.into());
                body.insert("truncated".to_owned(), false.into());
            }
            body
        })
        .collect()
}

/// The conversations behind a number.
fn each(world: &World, (queue, media): (usize, Media), metric: &str, seen: WallTime) -> Vec<Value> {
    let of_queue = world.conversations.iter();
    of_queue
        .filter(|c| c.queue == queue && c.media == media)
        .filter_map(|conversation| {
            let scene = conversation.at(seen)?;
            let counted = match scene.stage {
                Stage::Queued | Stage::Alerting => "oWaiting",
                Stage::Connected => "oInteracting",
                _ => return None,
            };
            (counted == metric).then(|| {
                json!({
                    "observationDate": iso(conversation.started()),
                    "conversationId": &*conversation.id,
                    "sessionId": &*scene.acd.session,
                    "direction": "inbound",
                })
            })
        })
        .collect()
}
