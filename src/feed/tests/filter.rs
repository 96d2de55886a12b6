//! Filters and shards against a naive reading of the decoded event.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::feed::keys::Keys;

/// The contract's sentences, word for word, on a decoded event.
fn oracle(spec: &FilterSpec, event: &v1::Event) -> bool {
    let one = |values: &[String], value: &str| {
        values.iter().any(|v| match v.strip_suffix('*') {
            Some(prefix) => value.starts_with(prefix),
            None => v == value,
        })
    };
    let field = |values: &[String], value: &str| values.is_empty() || one(values, value);
    let is_fact = matches!(event.data, Some(v1::event::Data::SessionEvent(_)));
    if is_fact && !spec.filter_sidecar_events {
        return field(&spec.sessions, &event.session);
    }
    field(&spec.types, &event.r#type)
        && field(&spec.subjects, &event.subject)
        && field(&spec.ordering_keys, &event.ordering_key)
        && field(&spec.sessions, &event.session)
        && field(&spec.provider_types, &event.provider_type)
        && !one(&spec.excluded_types, &event.r#type)
}

/// Few letters, so that values meet.
fn word() -> impl Strategy<Value = String> {
    "[abä]{0,3}"
}

fn values() -> impl Strategy<Value = Vec<String>> {
    vec(("[abä]{0,3}", any::<bool>()), 0..4).prop_map(|words| {
        words
            .into_iter()
            .map(|(word, star)| if star { word + "*" } else { word })
            .filter(|value| !value.is_empty())
            .collect()
    })
}

prop_compose! {
    fn specs()(
        types in values(), subjects in values(), ordering_keys in values(),
        sessions in values(), excluded_types in values(), provider_types in values(),
        filter_sidecar_events: bool,
    ) -> FilterSpec {
        FilterSpec {
            types, subjects, ordering_keys, sessions, excluded_types, provider_types,
            filter_sidecar_events, expression: String::new(),
        }
    }
}

prop_compose! {
    fn events()(
        words in vec(word(), 9), kind in 0..3, number: u64, raw in vec(any::<u8>(), 0..20),
    ) -> v1::Event {
        v1::Event {
            id: words[0].clone(),
            source: words[1].clone(),
            r#type: words[2].clone(),
            subject: words[3].clone(),
            ordering_key: words[4].clone(),
            session: words[5].clone(),
            provider_type: words[6].clone(),
            data_schema: words[7].clone(),
            attributes: [(words[8].clone(), words[2].clone())].into(),
            provider_sequence: number,
            raw_data: raw.into(),
            data: match kind {
                0 => None,
                1 => Some(v1::event::Data::SessionEvent(v1::SessionEvent::default())),
                _ => Some(v1::event::Data::AgentStateEvent(v1::AgentStateEvent {
                    agent_id: words[0].clone(),
                    ..Default::default()
                })),
            },
            ..Default::default()
        }
    }
}

proptest! {
    #![proptest_config(cases(2_000))]

    #[test]
    fn a_filter_says_what_the_decoded_event_says(
        spec in specs(), event in events(), sequence in 1_u64.., nanos: u64,
    ) {
        let filter = Filter::compile(&spec).unwrap();
        let entry = entry(sequence, WallTime::from_nanos(nanos), event.clone());
        let selection = Selection { filter, shard: None };
        let expected = oracle(&spec, &event);
        prop_assert_eq!(selection.wants(&Keys::scan(&entry), &entry), expected);
        prop_assert!(!selection.is_everything() || expected);
    }

    #[test]
    fn every_event_is_in_exactly_one_shard_and_every_fact_in_all(
        event in events(), count in 1_u32..40,
    ) {
        let entry = entry(7, WallTime::from_nanos(1), event.clone());
        let keys = Keys::scan(&entry);
        let holds = |index| {
            let shard = Some(Shard::new(index, count).unwrap());
            Selection { filter: Filter::default(), shard }.wants(&keys, &entry)
        };
        let holders: Vec<u32> = (0..count).filter(|index| holds(*index)).collect();
        if matches!(event.data, Some(v1::event::Data::SessionEvent(_))) {
            prop_assert_eq!(holders.len(), count as usize);
        } else {
            let key = [&event.ordering_key, &event.subject, &event.session]
                .into_iter().find(|k| !k.is_empty()).cloned().unwrap_or_default();
            let hash = xxhash_rust::xxh3::xxh3_64(key.as_bytes());
            prop_assert_eq!(holders, vec![u32::try_from(hash % u64::from(count)).unwrap()]);
        }
    }

    #[test]
    fn bytes_that_are_no_event_are_scanned_without_harm(
        bytes in vec(any::<u8>(), 0..80), data_at in 0_u32..100,
    ) {
        let entry = Entry {
            element: bytes.into(), data_at, ..entry(1, WallTime::default(), draft(1))
        };
        let keys = Keys::scan(&entry);
        let spec = FilterSpec { types: vec!["a*".to_owned()], ..FilterSpec::default() };
        let _matched = Filter::compile(&spec).unwrap().matches(&keys, &entry);
    }
}

#[test]
fn filters_that_cannot_be_meant_are_refused_with_their_field() {
    let refused = |spec: FilterSpec| Filter::compile(&spec).unwrap_err().field;
    let one = |value: &str| vec![value.to_owned()];
    let spec = FilterSpec::default;
    assert_eq!(
        refused(FilterSpec {
            types: one(""),
            ..spec()
        }),
        "types"
    );
    assert_eq!(
        refused(FilterSpec {
            subjects: one("a*b"),
            ..spec()
        }),
        "subjects"
    );
    assert_eq!(
        refused(FilterSpec {
            sessions: one("**"),
            ..spec()
        }),
        "sessions"
    );
    let long = "x".repeat(MAX_VALUE_LEN + 1);
    assert_eq!(
        refused(FilterSpec {
            provider_types: one(&long),
            ..spec()
        }),
        "provider_types"
    );
    let many = vec!["a".to_owned(); MAX_VALUES];
    let too_many = FilterSpec {
        excluded_types: many.clone(),
        types: one("b"),
        ..spec()
    };
    assert_eq!(refused(too_many), "types");
    assert!(
        Filter::compile(&FilterSpec {
            excluded_types: many,
            ..spec()
        })
        .is_ok()
    );
    assert!(Shard::new(0, 0).is_err() && Shard::new(3, 3).is_err());
}
