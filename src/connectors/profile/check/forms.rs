//! Checks of normal forms: their pointers, and tables whose words can be found.

use super::Check;
use crate::connectors::profile::model::FormRule;
use crate::connectors::profile::normalize::word;

impl Check {
    pub(super) fn form(&mut self, rule: &FormRule) {
        let FormRule {
            event,
            agent_state,
            queue_statistics,
            adherence,
            conversation,
        } = rule;
        if event.is_empty() {
            let hint = "write the platform's name of the event, or * for any";
            self.at("event", |c| c.wrong("must not be empty", hint));
        }
        let given = [
            agent_state.is_some(),
            queue_statistics.is_some(),
            adherence.is_some(),
            conversation.is_some(),
        ];
        if given.into_iter().filter(|given| *given).count() != 1 {
            let hint = "give one of agent_state, queue_statistics, adherence and conversation";
            self.wrong("must have one form", hint);
        }
        if let Some(form) = agent_state {
            self.at("agent_state", |c| {
                c.at("agent_id", |c| c.is_pointer(&form.agent_id));
                c.at("state", |c| c.is_pointer(&form.state));
                c.pointers([("reason", &form.reason), ("since", &form.since)]);
                c.words("availability", form.availability.keys());
            });
        }
        if let Some(form) = queue_statistics {
            self.at("queue_statistics", |c| {
                c.at("queue_id", |c| c.is_pointer(&form.queue_id));
                c.at("metrics", |c| c.is_pointer(&form.metrics));
                c.pointers([("media", &form.media)]);
                c.words("media_names", form.media_names.keys());
            });
        }
        if let Some(form) = adherence {
            self.at("adherence", |c| {
                c.at("agent_id", |c| c.is_pointer(&form.agent_id));
                c.at("state", |c| c.is_pointer(&form.state));
                c.pointers([
                    ("scheduled_activity", &form.scheduled_activity),
                    ("actual_activity", &form.actual_activity),
                    ("impact", &form.impact),
                    ("management_unit_id", &form.management_unit_id),
                    ("team_id", &form.team_id),
                    ("since", &form.since),
                ]);
                c.words("states", form.states.keys());
            });
        }
        if let Some(form) = conversation {
            self.at("conversation", |c| {
                c.at("conversation_id", |c| c.is_pointer(&form.conversation_id));
                c.at("phase", |c| c.is_pointer(&form.phase));
                c.pointers([
                    ("media", &form.media),
                    ("direction", &form.direction),
                    ("queue_id", &form.queue_id),
                    ("since", &form.since),
                ]);
                c.words("phases", form.phases.keys());
                c.words("media_names", form.media_names.keys());
                c.words("directions", form.directions.keys());
            });
        }
    }

    fn words<'k>(&mut self, table: &str, words: impl Iterator<Item = &'k String>) {
        self.at(table, |c| {
            for given in words {
                let spelled = word(given);
                if spelled != *given {
                    let hint =
                        format!("write it as {spelled}: words are compared in that spelling");
                    c.at(given, |c| c.wrong("is never found", hint));
                }
            }
        });
    }
}
