//! The forms of text that the schema names: durations, sizes, names, URLs.

use crate::domain::SessionName;
use crate::runtime::{ByteSize, HumanDuration};

use super::schema::NAME_PATTERN;

/// A form of text.
#[derive(Debug)]
pub(super) struct Form {
    /// The pattern or format of the schema.
    keyword: &'static str,
    pub(super) what: &'static str,
    pub(super) hint: &'static str,
    /// A text of that form.
    pub(super) sample: &'static str,
    pub(super) holds: fn(&str) -> bool,
}

static PATTERNS: [Form; 3] = [
    Form {
        keyword: "^([0-9]+(ms|s|m|h|d))+$",
        what: "a duration",
        hint: "write a number with its unit: 500ms, 30s, 72h",
        sample: "1s",
        holds: |text| text.parse::<HumanDuration>().is_ok(),
    },
    Form {
        keyword: "^[0-9]+(B|KiB|MiB|GiB|TiB)$",
        what: "a size",
        hint: "write a number with its unit: 64MiB, 2GiB",
        sample: "1MiB",
        holds: |text| text.parse::<ByteSize>().is_ok(),
    },
    Form {
        keyword: NAME_PATTERN,
        what: "a name",
        hint: "1 to 63 of a-z, 0-9 and '-', with '-' neither first nor last",
        sample: "x",
        holds: |text| SessionName::new(text).is_ok(),
    },
];

static FORMATS: [Form; 1] = [Form {
    keyword: "uri",
    what: "a URL",
    hint: "write it in full: https://api.example.com",
    sample: "https://localhost",
    holds: |text| url::Url::parse(text).is_ok(),
}];

/// The form that a pattern of the schema stands for.
pub(super) fn of_pattern(pattern: &str) -> Option<&'static Form> {
    PATTERNS.iter().find(|form| form.keyword == pattern)
}

/// The form that a format of the schema stands for.
pub(super) fn of_format(format: &str) -> Option<&'static Form> {
    FORMATS.iter().find(|form| form.keyword == format)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn every<'a>(keyword: &str, schema: &'a Value, found: &mut Vec<&'a str>) {
        match schema {
            Value::Object(fields) => {
                found.extend(fields.get(keyword).and_then(Value::as_str));
                fields
                    .values()
                    .for_each(|field| every(keyword, field, found));
            }
            Value::Array(items) => items.iter().for_each(|item| every(keyword, item, found)),
            _ => {}
        }
    }

    #[test]
    fn every_pattern_and_format_of_the_schema_is_checked() {
        let schema = super::super::schema();
        let (mut patterns, mut formats) = (Vec::new(), Vec::new());
        every("pattern", &schema, &mut patterns);
        every("format", &schema, &mut formats);
        assert!(patterns.len() >= 4 && formats.contains(&"uri"));
        for pattern in patterns {
            let form = of_pattern(pattern).unwrap_or_else(|| panic!("unchecked: {pattern}"));
            assert!((form.holds)(form.sample));
        }
        for format in formats
            .into_iter()
            .filter(|format| !format.starts_with("uint"))
        {
            let form = of_format(format).unwrap_or_else(|| panic!("unchecked: {format}"));
            assert!((form.holds)(form.sample));
        }
    }
}
