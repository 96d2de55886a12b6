//! Expressions: what they say of an event, and what is refused because nobody could bound it.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::feed::keys::Keys;

fn event() -> v1::Event {
    v1::Event {
        id: "id-1".to_owned(),
        source: "//genesys.cloud/orgs/o1".to_owned(),
        r#type: "ccaas.conversation.ended.v1".to_owned(),
        subject: "conversations/7".to_owned(),
        ordering_key: "key ä".to_owned(),
        session: "sessions/s1".to_owned(),
        origin: v1::event::Origin::Backfill.into(),
        provider_type: "v2.topic".to_owned(),
        data_content_type: "application/json".to_owned(),
        attributes: [("media", "voice"), ("skill", "")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
        provider_sequence: 12,
        raw_data: "{}".into(),
        data: Some(v1::event::Data::ConversationEvent(
            v1::ConversationEvent::default(),
        )),
        ..v1::Event::default()
    }
}

fn compile(expression: &str) -> Result<Filter, InvalidFilter> {
    Filter::compile(&FilterSpec {
        expression: expression.to_owned(),
        ..FilterSpec::default()
    })
}

fn holds(filter: &Filter, event: v1::Event) -> bool {
    let entry = entry(4711, WallTime::from_nanos(1), event);
    filter.matches(&Keys::scan(&entry), &entry)
}

#[test]
fn an_expression_says_which_events_are_wanted() {
    let cases = [
        ("true", true),
        ("false", false),
        ("type == 'ccaas.conversation.ended.v1'", true),
        ("type != 'ccaas.conversation.ended.v1'", false),
        ("type in ['a', 'ccaas.conversation.ended.v1']", true),
        ("source.startsWith('//genesys.cloud/')", true),
        (
            "subject.endsWith('/7') && !subject.contains('agents')",
            true,
        ),
        (
            "subject.contains('agents') || session == 'sessions/s1'",
            true,
        ),
        ("ordering_key == 'key ä' && size(ordering_key) == 5", true),
        ("origin == 'BACKFILL'", true),
        ("attributes.media == 'voice'", true),
        (
            "attributes['media'] == 'voice' ? id == 'id-1' : false",
            true,
        ),
        ("'media' in attributes && size(attributes) == 2", true),
        ("has(attributes.skill) && attributes.skill == ''", true),
        ("has(attributes.queue)", false),
        // An attribute that is missing makes it fail, which is not true; nor is its opposite.
        ("attributes.queue == 'q1'", false),
        ("attributes.queue != 'q1'", false),
        ("!has(attributes.queue) || attributes.queue == 'q1'", true),
        ("sequence == 4711u && provider_sequence > 11u", true),
        ("sequence > 4711u", false),
        ("data_schema == '' && trace_parent == ''", true),
        (
            "provider_type == 'v2.topic' && data_content_type == 'application/json'",
            true,
        ),
        // Numbers are not compared with text.
        ("sequence == '4711'", false),
        ("int(id) == 1", false),
    ];
    for (expression, expected) in cases {
        let filter = compile(expression).unwrap_or_else(|e| panic!("{expression}: {e}"));
        assert_eq!(holds(&filter, event()), expected, "{expression}");
    }
}

#[test]
fn an_expression_is_asked_beside_the_typed_fields_and_not_of_session_facts() {
    let spec = FilterSpec {
        types: vec!["ccaas.*".to_owned()],
        expression: "attributes.media == 'voice'".to_owned(),
        ..FilterSpec::default()
    };
    let filter = Filter::compile(&spec).unwrap();
    let other_type = v1::Event {
        r#type: "x".to_owned(),
        ..event()
    };
    let fact = v1::Event {
        attributes: std::collections::HashMap::default(),
        data: Some(v1::event::Data::SessionEvent(v1::SessionEvent::default())),
        ..event()
    };
    assert!(holds(&filter, event()));
    assert!(!holds(&filter, other_type));
    assert!(holds(&filter, fact.clone()));
    let strict = FilterSpec {
        filter_sidecar_events: true,
        ..spec
    };
    assert!(!holds(&Filter::compile(&strict).unwrap(), fact));
    let selection = Selection {
        filter,
        shard: None,
    };
    assert!(!selection.is_everything());
}

#[test]
fn what_is_no_condition_or_might_cost_too_much_is_refused_with_what_is_wrong() {
    let many = format!("type in [{}]", vec!["''"; 260].join(","));
    let cases = [
        ("type ==", "line 1, column"),
        ("type", "gives a value of type string"),
        ("kind == 'a'", "there is no 'kind'; there are sequence, id"),
        ("type.matches('(a+)+')", "'matches' is not offered"),
        ("subject + subject == ''", "'+' is not offered"),
        ("attributes.all(k, k == '')", "all, exists, map and filter"),
        ("[1, 2].exists(n, n == 1)", "all, exists, map and filter"),
        ("{'a': 1}.a == 1", "maps and messages"),
        (many.as_str(), "more than 256"),
    ];
    for (expression, why) in cases {
        let refused = compile(expression).expect_err(expression);
        assert_eq!(refused.field, "expression");
        assert!(refused.problem.contains(why), "{expression}: {refused}");
    }
    let long = format!("type == '{}'", "a".repeat(1024));
    assert!(compile(&long).unwrap_err().problem.contains("1024 bytes"));
}

/// Each fills the longest expression that there may be.
#[test]
fn no_depth_of_an_expression_exhausts_a_stack() {
    let nested = |open: &str, middle: &str, close: &str| {
        let depth = (1024 - middle.len()) / (open.len() + close.len());
        format!("{}{middle}{}", open.repeat(depth), close.repeat(depth))
    };
    let deep = [
        nested("(", "true", ")"),
        nested("[", "1", "]"),
        nested("!", "true", ""),
        nested("-", "1", ""),
        nested("", "type", ".a"),
        nested("", "type", "[0]"),
        nested("size(", "type", ")"),
        nested("true?", "true", ":true"),
        nested("", "true", "?true:true"),
        nested("", "true", "&&true"),
        nested("", "true", "||true"),
        nested("", "1", "<1"),
        nested("{1:", "1", "}"),
        nested("has(", "type.a", ")"),
        nested("(", "", ""),
        nested("[", "", ""),
        nested("'", "", ""),
        nested("r\"", "", ""),
    ];
    for expression in deep {
        if let Ok(filter) = compile(&expression) {
            holds(&filter, event());
        }
    }
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn whatever_is_written_as_an_expression_does_no_harm(
        tokens in vec(select(vec![
            "type", "attributes", "sequence", "id", "x", "true", "null", "1", "1u", "-9223372036854775808",
            "18446744073709551615u", "1e308", "'a'", "\"ä\"", "b'\\xff'", "r'\\'", "'\\u00e4'", "(", ")",
            "[", "]", "{", "}", ".", "?", ".?", "[?", ":", ",", "==", "!=", "<", ">=", "in", "&&", "||", "!",
            "-", "has", "size", "int", "uint", "double", "contains", "all", "map", "optional.of", "//", "\n",
        ]), 0..24),
        wild in ".{0,40}",
    ) {
        for text in [tokens.join(" "), tokens.concat(), wild] {
            if let Ok(filter) = compile(&text) {
                holds(&filter, event());
            }
        }
    }
}
