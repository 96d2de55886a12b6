//! The bodies of events, as the platform writes them, each made from the state at a time. Pure.

use serde_json::{Value, json};

use super::timeline::iso;
use super::words::{RoutingState, SystemPresence};
use super::{Draft, World};
use crate::domain::WallTime;

impl World {
    /// `…presence`: the whole presence of a user.
    pub(crate) fn presence_body(&self, user: usize, time: WallTime) -> Value {
        let Some(user) = self.users.get(user) else {
            return Value::Null;
        };
        let (since, presence) = *user.presence.at(time);
        json!({
            "source": "PURECLOUD",
            "presenceDefinition": self.presence_definition(presence),
            "primary": true,
            "message": "",
            "modifiedDate": iso(since),
        })
    }

    pub(crate) fn presence_definition(&self, presence: SystemPresence) -> Value {
        json!({ "id": self.presence_id(presence), "systemPresence": presence.upper() })
    }

    /// The routing status of a user; `startTime` is when it became what it is.
    pub(crate) fn routing_body(&self, user: usize, time: WallTime) -> Value {
        let (since, status) = self.routing_at(user, time);
        json!({ "status": status.upper(), "startTime": iso(since) })
    }

    pub(crate) fn routing_at(&self, user: usize, time: WallTime) -> (WallTime, RoutingState) {
        let user = self.users.get(user);
        user.map_or((self.began, RoutingState::OffQueue), |user| {
            *user.routing.at(time)
        })
    }

    /// `…activity`: presence, routing status and queues of a user in one.
    pub(crate) fn activity_body(&self, user: usize, time: WallTime) -> Value {
        let (since, presence) = match self.users.get(user) {
            Some(user) => *user.presence.at(time),
            None => return Value::Null,
        };
        let queues: Vec<_> = self
            .active_queues(user, time)
            .map(|queue| &*queue.id)
            .collect();
        json!({
            "id": self.user_id(user),
            "routingStatus": self.routing_body(user, time),
            "presence": {
                "presenceDefinition": self.presence_definition(presence),
                "presenceMessage": "",
                "modifiedDate": iso(since),
            },
            "outOfOffice": { "active": false },
            "activeQueueIds": queues,
            "dateActiveQueuesChanged": iso(self.queues_changed(user, time)),
        })
    }

    /// `…adherence`, as events have it; the REST record names some things otherwise.
    pub(crate) fn adherence_body(&self, user: usize, time: WallTime) -> Value {
        let Some(agent) = self.users.get(user) else {
            return Value::Null;
        };
        let adherence = agent.adherence.at(time).1;
        let (presence_since, presence) = *agent.presence.at(time);
        let unit = self.units.get(agent.unit);
        let queues: Vec<_> = self
            .active_queues(user, time)
            .map(|queue| json!({ "id": &*queue.id }))
            .collect();
        json!({
            "user": { "id": &*agent.id },
            "managementUnitId": unit.map(|unit| &*unit.id),
            "businessUnitId": unit.map(|unit| &*unit.business_unit),
            "team": unit.map(|unit| json!({ "id": &*unit.team })),
            "scheduledActivityCategory": adherence.scheduled,
            "actualActivityCategory": presence.activity(),
            "systemPresence": presence.camel(),
            "routingStatus": match presence {
                SystemPresence::Offline => "OFFLINE",
                _ => self.routing_at(user, time).1.upper(),
            },
            "isOutOfOffice": false,
            "adherenceState": adherence.state,
            "impact": adherence.impact(),
            "adherenceChangeTime": iso(adherence.since),
            "presenceUpdateTime": iso(presence_since),
            "activeQueues": queues,
            "activeQueuesModifiedTime": iso(self.queues_changed(user, time)),
            "removedFromManagementUnit": false,
            "suppressOnTimeReminder": false,
            "nextActivityReminders": [],
        })
    }
}

impl Draft {
    pub(crate) fn new(topic: String, body: &Value) -> Self {
        Self {
            topic: topic.into(),
            body: body.to_string(),
            dated: false,
        }
    }

    pub(crate) fn dated(self) -> Self {
        Self {
            dated: true,
            ..self
        }
    }
}
