//! Reads a YAML list into JSON values, each with its line. Anchors, aliases and tags are refused:
//! a script has no use for them, and they are how small files grow large.

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span};
use serde_json::{Map, Value};

const LARGEST: usize = 1 << 20;
const DEEPEST: usize = 16;

/// The entries of a list, with their lines.
pub(super) fn entries(text: &str) -> Result<Vec<(usize, Value)>, String> {
    if text.len() > LARGEST {
        return Err(format!("{} bytes; at most {LARGEST}", text.len()));
    }
    let mut parser = Parser::new_from_str(text);
    let mut entries = Vec::new();
    while let Some(next) = parser.next_event() {
        let (event, span) = next.map_err(scan)?;
        match event {
            Event::SequenceStart(0, None) => {
                while let Some((event, span)) = item(&mut parser, &Event::SequenceEnd)? {
                    entries.push((span.start.line(), value(event, span, &mut parser, 0)?));
                }
            }
            Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd => {}
            Event::StreamEnd | Event::Nothing => {}
            // An empty document is an empty list.
            Event::Scalar(text, ScalarStyle::Plain, 0, None) if text.is_empty() => {}
            _ => return Err(at(span, "a script is a list")),
        }
    }
    Ok(entries)
}

type Source<'input> = Parser<'input, saphyr_parser::StrInput<'input>>;

fn scan(error: ScanError) -> String {
    format!("line {}: {}", error.marker().line(), error.info())
}

fn at(span: Span, problem: &str) -> String {
    format!("line {}: {problem}", span.start.line())
}

/// The next event inside a collection; `None` at its end.
fn item<'input>(
    parser: &mut Source<'input>,
    end: &Event<'_>,
) -> Result<Option<(Event<'input>, Span)>, String> {
    match parser.next_event() {
        Some(Ok((event, _))) if event == *end => Ok(None),
        Some(Ok(next)) => Ok(Some(next)),
        Some(Err(error)) => Err(scan(error)),
        None => Err("the file ends early".to_owned()),
    }
}

fn value<'input>(
    event: Event<'input>,
    span: Span,
    parser: &mut Source<'input>,
    depth: usize,
) -> Result<Value, String> {
    if depth > DEEPEST {
        return Err(at(span, "too deep"));
    }
    match event {
        Event::Scalar(text, style, 0, None) => Ok(scalar(&text, style)),
        Event::SequenceStart(0, None) => {
            let mut list = Vec::new();
            while let Some((event, span)) = item(parser, &Event::SequenceEnd)? {
                list.push(value(event, span, parser, depth + 1)?);
            }
            Ok(Value::Array(list))
        }
        Event::MappingStart(0, None) => {
            let mut map = Map::new();
            while let Some((event, span)) = item(parser, &Event::MappingEnd)? {
                let Event::Scalar(key, _, 0, None) = event else {
                    return Err(at(span, "a key is a plain word"));
                };
                let Some((event, inner)) = item(parser, &Event::MappingEnd)? else {
                    return Err(at(span, "a key without a value"));
                };
                let value = value(event, inner, parser, depth + 1)?;
                if map.insert(key.to_string(), value).is_some() {
                    return Err(at(span, &format!("`{key}` is given twice")));
                }
            }
            Ok(Value::Object(map))
        }
        _ => Err(at(span, "anchors, aliases and tags have no meaning here")),
    }
}

/// A plain scalar is what JSON would take it for; everything else is text.
fn scalar(text: &str, style: ScalarStyle) -> Value {
    if style != ScalarStyle::Plain {
        return text.into();
    }
    match text {
        "" | "~" => Value::Null,
        _ => match serde_json::from_str(text) {
            Ok(value @ (Value::Null | Value::Bool(_) | Value::Number(_))) => value,
            _ => text.into(),
        },
    }
}
