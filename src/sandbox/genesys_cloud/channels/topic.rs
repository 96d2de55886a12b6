//! Topics as they are subscribed: one by one, or combined (`v2.users.{id}?presence&routingStatus`).
//! Pure.

use std::sync::Arc;

/// A topic as it was asked for, and the individual topics that it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) id: String,
    pub(crate) topics: Vec<Arc<str>>,
}

impl Asked {
    /// Reads a topic; one that is combined has a part at least, and none that is empty.
    pub(crate) fn parse(id: &str) -> Option<Self> {
        let topics = match id.split_once('?') {
            None if id.is_empty() || id.contains('&') => return None,
            None => vec![id.into()],
            Some((root, leaves)) => leaves
                .split('&')
                .map(|leaf| (!leaf.is_empty()).then(|| format!("{root}.{leaf}").into()))
                .collect::<Option<_>>()?,
        };
        Some(Self {
            id: id.to_owned(),
            topics,
        })
    }
}

/// A topic that a channel has: as it was asked for, and what of it was permitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) id: String,
    pub(crate) permitted: Vec<Arc<str>>,
}

/// What a client gets to know of one topic it asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Permitted {
        id: String,
    },
    Rejected {
        id: String,
        reason: String,
        missing: Vec<String>,
    },
}

/// Why an individual topic is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) reason: String,
    pub(crate) missing: Vec<String>,
    /// It does not exist, instead of not being permitted.
    pub(crate) unknown: bool,
}

/// What came of a list of topics.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Judged {
    pub(crate) held: Vec<Held>,
    pub(crate) verdicts: Vec<Verdict>,
    /// The first refusal, with its topic.
    pub(crate) refusal: Option<(String, Refused)>,
}

/// Judges topics one by one: a combined one whose parts are refused in part comes back as itself,
/// and each refused part besides.
pub(crate) fn judge(asked: &[Asked], mut check: impl FnMut(&str) -> Result<(), Refused>) -> Judged {
    let mut judged = Judged::default();
    for topic in asked {
        let mut permitted = Vec::new();
        let mut refused = Vec::new();
        for part in &topic.topics {
            match check(part) {
                Ok(()) => permitted.push(Arc::clone(part)),
                Err(refusal) => {
                    let first = || (part.to_string(), refusal.clone());
                    judged.refusal.get_or_insert_with(first);
                    refused.push((part, refusal));
                }
            }
        }
        let id = || topic.id.clone();
        if !permitted.is_empty() {
            judged.verdicts.push(Verdict::Permitted { id: id() });
            judged.held.push(Held {
                id: id(),
                permitted,
            });
        }
        for (part, refusal) in refused {
            judged.verdicts.push(Verdict::Rejected {
                id: part.to_string(),
                reason: refusal.reason,
                missing: refusal.missing,
            });
        }
    }
    judged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(id: &str) -> Option<Vec<String>> {
        let asked = Asked::parse(id)?;
        Some(asked.topics.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn combined_topics_stand_for_their_parts() {
        let expected = [
            "v2.users.u.presence",
            "v2.users.u.workforcemanagement.adherence",
        ];
        let id = "v2.users.u?presence&workforcemanagement.adherence";
        assert_eq!(parts(id).unwrap(), expected);
        assert_eq!(parts("v2.users.u.presence").unwrap(), expected[..1]);
        for wrong in ["", "v2.users.u?", "v2.users.u?a&&b", "a&b"] {
            assert_eq!(parts(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_combined_topic_refused_in_part_comes_back_as_itself_and_its_refused_parts() {
        let asked = [
            Asked::parse("v2.users.u?presence&activity").unwrap(),
            Asked::parse("v2.users.u.activity").unwrap(),
        ];
        let judged = judge(&asked, |topic| match topic.ends_with("activity") {
            false => Ok(()),
            true => Err(Refused {
                reason: "no".to_owned(),
                missing: vec!["p".to_owned()],
                unknown: false,
            }),
        });
        let rejected = Verdict::Rejected {
            id: "v2.users.u.activity".to_owned(),
            reason: "no".to_owned(),
            missing: vec!["p".to_owned()],
        };
        let id = "v2.users.u?presence&activity".to_owned();
        let expected = [Verdict::Permitted { id }, rejected.clone(), rejected];
        assert_eq!(judged.verdicts, expected);
        assert_eq!(judged.held.len(), 1);
        assert_eq!(judged.held[0].permitted, ["v2.users.u.presence".into()]);
        assert_eq!(judged.refusal.unwrap().0, "v2.users.u.activity");
    }
}
