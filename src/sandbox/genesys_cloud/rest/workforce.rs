//! Management units and adherence, with the names that the records have and events have not. Pure.

use serde_json::{Value, json};

use super::{Answer, Ask, Refusal, Rest};
use crate::domain::WallTime;
use crate::sandbox::genesys_cloud::world::{World, iso};

const LARGEST_BULK: usize = 100;

/// `GET /api/v2/workforcemanagement/adherence?userId=a,b`
pub(super) fn adherence(world: &World, ask: &Ask<'_>, seen: WallTime) -> Rest {
    let ids = ask.query.list("userId");
    if ids.is_empty() || ids.len() > LARGEST_BULK {
        let text = format!("userId must have between 1 and {LARGEST_BULK} values");
        return Err(Refusal::bad(text));
    }
    let found = ids.iter().filter_map(|id| world.find_user(id));
    let records: Value = found.map(|user| record(world, user, seen)).collect();
    Ok(Answer::ok(&records))
}

/// `GET /api/v2/workforcemanagement/managementunits`: all of them; paging is not supported.
pub(super) fn units(world: &World) -> Answer {
    let entities: Vec<_> = world
        .units
        .iter()
        .map(|unit| {
            json!({
                "id": &*unit.id,
                "name": unit.name,
                "businessUnit": { "id": &*unit.business_unit },
                "startDayOfWeek": "Monday",
                "timeZone": "Etc/UTC",
                "version": 1,
                "dateModified": iso(world.began),
                "selfUri": format!("/api/v2/workforcemanagement/managementunits/{}", unit.id),
            })
        })
        .collect();
    let total = entities.len();
    Answer::ok(&json!({
        "entities": entities, "pageSize": total, "pageNumber": 1, "pageCount": 1, "total": total,
    }))
}

/// `GET /api/v2/workforcemanagement/managementunits/{id}/adherence`
pub(super) fn unit_adherence(world: &World, ask: &Ask<'_>, seen: WallTime) -> Rest {
    let mut units = world.units.iter();
    let unit = units
        .position(|unit| *unit.id == *ask.id())
        .ok_or_else(|| Refusal::not_found("management unit"))?;
    let users = world.users.iter().enumerate();
    let entities: Vec<_> = users
        .filter(|(_, user)| user.unit == unit)
        .map(|(user, _)| record(world, user, seen))
        .collect();
    Ok(Answer::ok(&json!({ "entities": entities })))
}

/// The event's body under the record's names: units are nested, the change is called otherwise.
fn record(world: &World, user: usize, seen: WallTime) -> Value {
    let mut body = world.adherence_body(user, seen);
    if let Some(body) = body.as_object_mut() {
        let mut rename = |from: &str, to: &str, nest: bool| {
            if let Some(value) = body.remove(from) {
                let value = if nest { json!({ "id": value }) } else { value };
                body.insert(to.to_owned(), value);
            }
        };
        rename("managementUnitId", "managementUnit", true);
        rename("businessUnitId", "businessUnit", true);
        rename("adherenceChangeTime", "timeOfAdherenceChange", false);
        // A record has no status for somebody who is not there.
        if body
            .get("routingStatus")
            .is_some_and(|status| status == "OFFLINE")
        {
            body.insert("routingStatus".to_owned(), "OFF_QUEUE".into());
        }
        let id = world.user_id(user);
        body.insert("id".to_owned(), id.into());
        let uri = format!("/api/v2/users/{id}");
        body.insert("user".to_owned(), json!({ "id": id, "selfUri": uri }));
    }
    body
}
