//! Normal forms of a profile's events, by pointers and value tables.

use std::borrow::Cow;
use std::collections::BTreeMap;

use smallvec::SmallVec;

use super::model::{
    AdherenceForm, AdherenceState, AgentStateForm, Availability, ConversationForm, Direction,
    FormRule, Media, NumberedTime, Phase, QueueStatisticsForm,
};
use super::pointers::{Place, Pointers, Slot};
use super::wire::read_time;
use crate::connectors::{ProviderEvent, Span};
use crate::proto::v1;
use crate::proto::v1::event::Data;

const AGENT_STATE: &str = "ccaas.agent.state_changed.v1";
const QUEUE_STATISTICS: &str = "ccaas.queue.statistics.v1";
const ADHERENCE: &str = "ccaas.adherence.changed.v1";
const CONVERSATION: &str = "ccaas.conversation.updated.v1";
const UNMAPPED: &str = "ccaas.unmapped.v1";

/// A profile's rules.
#[derive(Debug)]
pub(super) struct Forms(Vec<Rule>);

#[derive(Debug)]
struct Rule {
    event: String,
    /// Whether a `*` in it stands for any text.
    many: bool,
    form: Form,
}

#[derive(Debug)]
enum Form {
    AgentState(AgentStateForm),
    QueueStatistics(QueueStatisticsForm),
    Adherence(AdherenceForm),
    Conversation(ConversationForm),
}

/// What a rule makes of an event.
struct Normal {
    kind: &'static str,
    subject: String,
    data: Data,
}

impl Forms {
    pub(super) fn new(rules: &[FormRule]) -> Self {
        let mut rules: Vec<_> = rules
            .iter()
            .flat_map(|rule| forms_of(rule).into_iter().map(|form| (&rule.event, form)))
            .map(|(event, form)| Rule {
                event: event.clone(),
                many: event.contains('*'),
                form,
            })
            .collect();
        // A name in full goes before one that stands for many.
        rules.sort_by_key(|rule| rule.many);
        Self(rules)
    }

    /// Asks for what each rule needs of an event.
    pub(super) fn ask(&self, pointers: &mut Pointers) -> Vec<Vec<Place>> {
        let mut place = |pointer: Option<&String>| {
            pointer.map_or(Place::NOWHERE, |pointer| pointers.value(pointer))
        };
        let each = self.0.iter().map(|rule| rule.form.pointers());
        each.map(|asked| asked.into_iter().map(&mut place).collect())
            .collect()
    }

    /// Which rule is for an event of this name.
    pub(super) fn rule_of(&self, topic: &str) -> Option<usize> {
        let mut rules = self.0.iter();
        rules.position(|rule| rule.is_for(topic))
    }

    /// The event in its normal form; unmapped, with the reason as attribute, where it has none.
    pub(super) fn apply(&self, source: &str, event: &ProviderEvent) -> v1::Event {
        let mut rules = self.0.iter();
        let rule = rules.find(|rule| rule.is_for(&event.topic));
        let normal = match (&event.malformed, rule) {
            (Some(problem), _) => Err(Some(problem.clone())),
            (None, None) => Err(None),
            (None, Some(rule)) => rule.read(event).map_err(Some),
        };
        let mut draft = v1::Event {
            id: event.id.clone().unwrap_or_default(),
            source: source.to_owned(),
            time: event.time.map(|t| t.to_proto()),
            provider_type: event.topic.clone(),
            data_content_type: "application/json".to_owned(),
            raw_data: event.raw.clone(),
            ..v1::Event::default()
        };
        match normal {
            Ok(normal) => {
                normal.kind.clone_into(&mut draft.r#type);
                draft.ordering_key.clone_from(&normal.subject);
                draft.subject = normal.subject;
                draft.data = Some(normal.data);
            }
            Err(problem) => {
                UNMAPPED.clone_into(&mut draft.r#type);
                draft.subject.clone_from(&event.topic);
                draft.ordering_key.clone_from(&event.topic);
                if let Some(problem) = problem {
                    draft.attributes.insert("parseerror".to_owned(), problem);
                }
            }
        }
        draft
    }
}

fn forms_of(rule: &FormRule) -> Vec<Form> {
    let FormRule {
        event: _,
        agent_state,
        queue_statistics,
        adherence,
        conversation,
    } = rule.clone();
    let all = [
        agent_state.map(Form::AgentState),
        queue_statistics.map(Form::QueueStatistics),
        adherence.map(Form::Adherence),
        conversation.map(Form::Conversation),
    ];
    all.into_iter().flatten().collect()
}

/// Whether a name, in which `*` stands for any text, is that of an event. Each part is looked for once,
/// behind the one before it.
fn stands_for(pattern: &str, name: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let (middle, tail) = rest.rsplit_once('*').unwrap_or(("", rest));
    let inner = name.strip_prefix(head).and_then(|n| n.strip_suffix(tail));
    let Some(mut left) = inner else {
        return false;
    };
    middle.split('*').all(|part| match left.split_once(part) {
        _ if part.is_empty() => true,
        Some((_, behind)) => {
            left = behind;
            true
        }
        None => false,
    })
}

impl Form {
    fn pointers(&self) -> Vec<Option<&String>> {
        match self {
            Self::AgentState(f) => vec![
                Some(&f.agent_id),
                Some(&f.state),
                f.reason.as_ref(),
                f.since.as_ref(),
            ],
            Self::QueueStatistics(f) => {
                vec![Some(&f.queue_id), f.media.as_ref(), Some(&f.metrics)]
            }
            Self::Adherence(f) => vec![
                Some(&f.agent_id),
                Some(&f.state),
                f.scheduled_activity.as_ref(),
                f.actual_activity.as_ref(),
                f.impact.as_ref(),
                f.management_unit_id.as_ref(),
                f.team_id.as_ref(),
                f.since.as_ref(),
            ],
            Self::Conversation(f) => vec![
                Some(&f.conversation_id),
                Some(&f.phase),
                f.media.as_ref(),
                f.direction.as_ref(),
                f.queue_id.as_ref(),
                f.since.as_ref(),
            ],
        }
    }
}

impl Rule {
    fn is_for(&self, topic: &str) -> bool {
        match self.many {
            true => stands_for(&self.event, topic),
            false => self.event == topic,
        }
    }

    fn read(&self, event: &ProviderEvent) -> Result<Normal, String> {
        let value = |span: &Span| span.text(&event.raw).map_or(Slot::Absent, Slot::Value);
        let found: SmallVec<[Slot<'_>; 8]> = event.spans.iter().map(value).collect();
        match (&self.form, found.as_slice()) {
            (Form::AgentState(form), [agent, state, reason, since]) => {
                agent_state(event, form, [agent, state, reason, since])
            }
            (Form::QueueStatistics(form), [queue, media, metrics]) => {
                queue_statistics(form, [queue, media, metrics])
            }
            (Form::Adherence(form), [agent, state, rest @ ..]) => {
                adherence(event, form, (agent, state), rest)
            }
            (Form::Conversation(form), [id, phase, rest @ ..]) => {
                conversation(form, (id, phase), rest)
            }
            _ => Err("not an object".to_owned()),
        }
    }
}

fn agent_state(
    event: &ProviderEvent,
    form: &AgentStateForm,
    [agent, state, reason, since]: [&Slot<'_>; 4],
) -> Result<Normal, String> {
    let agent_id = required(agent, "agent id")?;
    let provider_state = required(state, "agent state")?;
    let known = form.availability.get(&*word(&provider_state));
    let availability = known.map(|known| match known {
        Availability::Offline => v1::agent_state_event::Availability::Offline,
        Availability::Away => v1::agent_state_event::Availability::Away,
        Availability::Available => v1::agent_state_event::Availability::Available,
        Availability::Busy => v1::agent_state_event::Availability::Busy,
        Availability::AfterContactWork => v1::agent_state_event::Availability::AfterContactWork,
        Availability::NotResponding => v1::agent_state_event::Availability::NotResponding,
    });
    Ok(Normal {
        kind: AGENT_STATE,
        subject: ["agents/", &agent_id].concat(),
        data: Data::AgentStateEvent(v1::AgentStateEvent {
            agent_id,
            availability: availability.unwrap_or_default().into(),
            provider_state,
            provider_reason: text(reason),
            start_time: moment(since).or(event.time.map(|t| t.to_proto())),
            queue_ids: Vec::new(),
        }),
    })
}

fn queue_statistics(
    form: &QueueStatisticsForm,
    [queue, media, metrics]: [&Slot<'_>; 3],
) -> Result<Normal, String> {
    let queue_id = required(queue, "queue id")?;
    let metrics = match metrics {
        Slot::Value(raw) => serde_json::from_str::<BTreeMap<String, f64>>(raw)
            .map_err(|_| "its metrics are not names with numbers".to_owned())?,
        Slot::Absent | Slot::List(_) | Slot::Other => BTreeMap::new(),
    };
    let metrics = metrics
        .into_iter()
        .map(|(name, value)| v1::queue_statistics_event::Metric {
            name,
            value,
            ..Default::default()
        });
    Ok(Normal {
        kind: QUEUE_STATISTICS,
        subject: ["queues/", &queue_id].concat(),
        data: Data::QueueStatisticsEvent(v1::QueueStatisticsEvent {
            queue_id,
            media: media_of(&form.media_names, media),
            metrics: metrics.collect(),
            start_time: None,
            end_time: None,
        }),
    })
}

fn adherence(
    event: &ProviderEvent,
    form: &AdherenceForm,
    (agent, state): (&Slot<'_>, &Slot<'_>),
    rest: &[Slot<'_>],
) -> Result<Normal, String> {
    let agent_id = required(agent, "agent id")?;
    let provider_state = required(state, "adherence state")?;
    let [scheduled, actual, impact, unit, team, since] = rest else {
        return Err("not an object".to_owned());
    };
    let known = form.states.get(&*word(&provider_state));
    let state = known.map(|known| match known {
        AdherenceState::InAdherence => v1::adherence_event::State::InAdherence,
        AdherenceState::OutOfAdherence => v1::adherence_event::State::OutOfAdherence,
        AdherenceState::Unscheduled => v1::adherence_event::State::Unscheduled,
        AdherenceState::Unknown => v1::adherence_event::State::Unknown,
        AdherenceState::Ignored => v1::adherence_event::State::Ignored,
        AdherenceState::Explained => v1::adherence_event::State::Explained,
    });
    Ok(Normal {
        kind: ADHERENCE,
        subject: ["agents/", &agent_id].concat(),
        data: Data::AdherenceEvent(v1::AdherenceEvent {
            agent_id,
            state: state.unwrap_or_default().into(),
            scheduled_activity: text(scheduled),
            actual_activity: text(actual),
            impact: text(impact),
            management_unit_id: text(unit),
            team_id: text(team),
            start_time: moment(since).or(event.time.map(|t| t.to_proto())),
        }),
    })
}

fn conversation(
    form: &ConversationForm,
    (id, phase): (&Slot<'_>, &Slot<'_>),
    rest: &[Slot<'_>],
) -> Result<Normal, String> {
    let conversation_id = required(id, "conversation id")?;
    let provider_phase = required(phase, "phase")?;
    let [media, direction, queue, since] = rest else {
        return Err("not an object".to_owned());
    };
    let phase = form
        .phases
        .get(&*word(&provider_phase))
        .map(|known| match known {
            Phase::SelfService => v1::Phase::SelfService,
            Phase::Queued => v1::Phase::Queued,
            Phase::Alerting => v1::Phase::Alerting,
            Phase::Connected => v1::Phase::Connected,
            Phase::Held => v1::Phase::Held,
            Phase::WrapUp => v1::Phase::WrapUp,
            Phase::Ended => v1::Phase::Ended,
        });
    let direction = form.directions.get(&*word(&text(direction)));
    let direction = direction.map(|known| match known {
        Direction::Inbound => v1::Direction::Inbound,
        Direction::Outbound => v1::Direction::Outbound,
    });
    Ok(Normal {
        kind: CONVERSATION,
        subject: ["conversations/", &conversation_id].concat(),
        data: Data::ConversationEvent(v1::ConversationEvent {
            conversation_id,
            media: media_of(&form.media_names, media),
            direction: direction.unwrap_or_default().into(),
            phase: phase.unwrap_or_default().into(),
            queue_id: text(queue),
            start_time: moment(since),
            ..v1::ConversationEvent::default()
        }),
    })
}

fn media_of(table: &BTreeMap<String, Media>, media: &Slot<'_>) -> i32 {
    let known = table.get(&*word(&text(media))).map(|known| match known {
        Media::Voice => v1::Media::Voice,
        Media::Callback => v1::Media::Callback,
        Media::Chat => v1::Media::Chat,
        Media::Email => v1::Media::Email,
        Media::Message => v1::Media::Message,
        Media::Social => v1::Media::Social,
        Media::Video => v1::Media::Video,
        Media::WorkItem => v1::Media::WorkItem,
    });
    known.unwrap_or_default().into()
}

fn moment(slot: &Slot<'_>) -> Option<prost_types::Timestamp> {
    read_time(slot, NumberedTime::Milliseconds).map(|time| time.to_proto())
}

fn text(slot: &Slot<'_>) -> String {
    slot.text().unwrap_or_default().into_owned()
}

fn required(slot: &Slot<'_>, what: &str) -> Result<String, String> {
    match slot.text() {
        Some(text) if !text.is_empty() => Ok(text.into_owned()),
        _ => Err(format!("no {what}")),
    }
}

/// The platform's word as the tables spell it: lower case, words joined by `_`.
pub(super) fn word(text: &str) -> Cow<'_, str> {
    let spelt = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
    if text.as_bytes().iter().all(spelt) {
        return text.into();
    }
    let mut word = String::with_capacity(text.len() + 2);
    let mut after_lower = false;
    for c in text.chars() {
        if c.is_uppercase() && after_lower {
            word.push('_');
        }
        after_lower = c.is_lowercase();
        match c {
            ' ' | '-' => word.push('_'),
            _ => word.extend(c.to_lowercase()),
        }
    }
    word.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, name, fits) in [
            ("a.b", "a.b", true),
            ("a.b", "a.bc", false),
            ("*", "", true),
            (
                "v2.users.*.adherence",
                "v2.users.1.workforce.adherence",
                true,
            ),
            ("v2.users.*.adherence", "v2.users.1.presence", false),
            ("*dherence*", "wfm.Adherence", true),
            ("*é", "aé", true),
            ("a*a", "a", false),
        ] {
            assert_eq!(stands_for(pattern, name), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn words_are_compared_as_the_tables_spell_them() {
        for given in ["AfterCallWork", "AFTER_CALL_WORK", "after call-work"] {
            assert_eq!(word(given), "after_call_work");
        }
    }
}
