//! Users, their presence and their routing status. Pure.

use serde_json::{Value, json};

use super::{Answer, Ask, Query, Refusal, Rest};
use crate::domain::WallTime;
use crate::sandbox::genesys_cloud::fields::set;
use crate::sandbox::genesys_cloud::world::{World, iso};

const LARGEST_PAGE: usize = 500;
const LARGEST_BULK: usize = 50;

/// `GET /api/v2/users`
pub(super) fn users(world: &World, ask: &Ask<'_>, seen: WallTime) -> Rest {
    let page = ask.query.page(LARGEST_PAGE)?;
    let ids = ask.query.list("id");
    let asked = |id: &str| ids.is_empty() || ids.iter().any(|asked| asked == id);
    let all: Vec<_> = world
        .users
        .iter()
        .enumerate()
        .filter(|(_, user)| asked(&user.id))
        .map(|(index, _)| index)
        .collect();
    let total = all.len();
    let users = page.of(all.into_iter()).into_iter();
    let entities = users
        .map(|user| body(world, user, &ask.query, seen))
        .collect();
    Ok(Answer::ok(&page.listing(
        entities,
        total,
        (ask.path, &ask.query),
    )))
}

/// `GET /api/v2/users/{id}`
pub(super) fn user(world: &World, ask: &Ask<'_>, seen: WallTime) -> Rest {
    let user = find(world, ask)?;
    Ok(Answer::ok(&body(world, user, &ask.query, seen)))
}

fn find(world: &World, ask: &Ask<'_>) -> Result<usize, Refusal> {
    world
        .find_user(ask.id())
        .ok_or_else(|| Refusal::not_found("user"))
}

/// A user, with what was asked to be expanded.
pub(super) fn body(world: &World, index: usize, query: &Query, seen: WallTime) -> Value {
    let Some(user) = world.users.get(index) else {
        return Value::Null;
    };
    let id = &*user.id;
    let mut body = json!({
        "id": id,
        "name": user.name,
        "email": user.email,
        "username": user.email,
        "state": "active",
        "version": 1,
        "acdAutoAnswer": false,
        "selfUri": format!("/api/v2/users/{id}"),
    });
    let asked = |field| query.has("expand", field);
    let away = || json!({ "active": false, "indefinite": false });
    let team = world.units.get(user.unit).filter(|_| asked("team"));
    let fields = [
        (
            "presence",
            asked("presence").then(|| presence_record(world, index, seen)),
        ),
        (
            "routingStatus",
            asked("routingStatus").then(|| routing_record(world, index, seen)),
        ),
        ("outOfOffice", asked("outOfOffice").then(away)),
        ("team", team.map(|unit| json!({ "id": &*unit.team }))),
    ];
    set(&mut body, fields);
    body
}

fn presence_record(world: &World, user: usize, seen: WallTime) -> Value {
    let id = world.user_id(user);
    let mut body = world.presence_body(user, seen);
    let uri = format!("/api/v2/users/{id}/presences/PURECLOUD");
    let fields = [("id", Some(id.into())), ("selfUri", Some(uri.into()))];
    set(&mut body, fields);
    body
}

fn routing_record(world: &World, user: usize, seen: WallTime) -> Value {
    let mut body = world.routing_body(user, seen);
    set(&mut body, [("userId", Some(world.user_id(user).into()))]);
    body
}

/// `GET /api/v2/users/{id}/presences/purecloud`
pub(super) fn presence(world: &World, ask: &Ask<'_>, seen: WallTime) -> Rest {
    Ok(Answer::ok(&presence_record(world, find(world, ask)?, seen)))
}

/// `GET /api/v2/users/presences/purecloud/bulk`
pub(super) fn presences(world: &World, ask: &Ask<'_>, seen: WallTime) -> Rest {
    let ids = ask.query.list("id");
    if ids.is_empty() || ids.len() > LARGEST_BULK {
        let text = format!("id must have between 1 and {LARGEST_BULK} values");
        return Err(Refusal::bad(text));
    }
    let found = ids.iter().filter_map(|id| world.find_user(id));
    let records = found.map(|user| {
        let mut body = presence_record(world, user, seen);
        if let Some(body) = body.as_object_mut() {
            body.insert("userId".to_owned(), world.user_id(user).into());
            body.remove("primary");
        }
        body
    });
    Ok(Answer::ok(&records.collect()))
}

/// `GET /api/v2/users/{id}/routingstatus`
pub(super) fn routing_status(world: &World, ask: &Ask<'_>, seen: WallTime) -> Rest {
    Ok(Answer::ok(&routing_record(world, find(world, ask)?, seen)))
}

/// `GET /api/v2/users/{id}/state`: of the account, whatever the name of the activity topic says.
pub(super) fn account_state(world: &World, ask: &Ask<'_>) -> Rest {
    find(world, ask)?;
    Ok(Answer::ok(&json!({
        "state": "active",
        "version": 1,
        "stateChangeReason": "Unknown",
        "stateChangeDate": iso(world.began),
    })))
}
