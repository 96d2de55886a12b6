//! Reads YAML into a [`Node`], and reports what is not YAML or more of YAML than is wanted.

use std::borrow::Cow;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, Tag};

use super::findings::{Code, Finding, Place, Severity};
use super::tree::{Entry, Node, Style, Value};

/// Far beyond what the model needs; a deeper file is a mistake or an attack.
const MAX_DEPTH: usize = 32;

/// Reads one document. `None` when there is nothing that could be checked further.
pub(super) fn parse(text: &str, findings: &mut Vec<Finding>) -> Option<Node> {
    let mut builder = Builder {
        text,
        stack: Vec::new(),
        root: None,
        findings,
    };
    let mut documents = 0;
    for event in std::iter::from_fn({
        let mut parser = Parser::new_from_str(text);
        let mut failed = false;
        move || {
            // After an error the parser may repeat it for ever.
            let event = if failed { None } else { parser.next_event() };
            failed = matches!(event, Some(Err(_)));
            event
        }
    }) {
        match event {
            Ok((Event::DocumentStart(_), span)) => {
                documents += 1;
                if documents > 1 {
                    builder.report(
                        span,
                        "only one document is read",
                        "remove what follows '---'",
                    );
                    break;
                }
            }
            Ok((event, span)) => {
                if !builder.take(event, span) {
                    return None;
                }
            }
            Err(error) => {
                builder.report_syntax(&error);
                return None;
            }
        }
    }
    builder.root
}

struct Builder<'a> {
    text: &'a str,
    stack: Vec<Frame>,
    root: Option<Node>,
    findings: &'a mut Vec<Finding>,
}

enum Frame {
    List {
        items: Vec<Node>,
        place: Place,
    },
    Map {
        entries: Vec<Entry>,
        key: Option<Key>,
        place: Place,
    },
}

/// A key that waits for its value.
enum Key {
    Wanted(String, Place),
    /// Its value is read and dropped: the key was reported.
    Unwanted,
}

impl Builder<'_> {
    /// Takes one event in; false when there is no point in going on.
    fn take(&mut self, event: Event<'_>, span: Span) -> bool {
        let place = place(span);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_extras(anchor, tag.as_deref(), span);
                self.finish(Node::new(scalar(text, style), place));
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_extras(anchor, tag.as_deref(), span);
                self.stack.push(Frame::List {
                    items: Vec::new(),
                    place,
                });
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_extras(anchor, tag.as_deref(), span);
                self.stack.push(Frame::Map {
                    entries: Vec::new(),
                    key: None,
                    place,
                });
            }
            Event::SequenceEnd | Event::MappingEnd => match self.stack.pop() {
                Some(Frame::List { items, place }) => {
                    self.finish(Node::new(Value::List(items), place));
                }
                Some(Frame::Map { entries, place, .. }) => {
                    self.finish(Node::new(Value::Map(entries), place));
                }
                None => {}
            },
            Event::Alias(_) => {
                self.report(span, "aliases are not supported", "write the value out");
                self.finish(Node::new(Value::Reported, place));
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => {}
        }
        if self.stack.len() > MAX_DEPTH {
            self.report(
                span,
                "it is nested too deeply",
                "the configuration has five levels",
            );
            return false;
        }
        true
    }

    /// Puts a finished node where it belongs: the root, a list, a key or the value of a key.
    fn finish(&mut self, node: Node) {
        match self.stack.last_mut() {
            None => self.root = Some(node),
            Some(Frame::List { items, .. }) => items.push(node),
            Some(Frame::Map { entries, key, .. }) => match key.take() {
                Some(Key::Wanted(name, key_place)) => {
                    entries.push(Entry {
                        key: name,
                        key_place,
                        value: node,
                    });
                }
                Some(Key::Unwanted) => {}
                None => {
                    let known = node.text().and_then(|name| {
                        entries
                            .iter()
                            .find(|entry| entry.key == name)
                            .map(|e| e.key_place.clone())
                    });
                    match (node.value, known) {
                        (Value::Scalar { text, .. }, None) => {
                            *key = Some(Key::Wanted(text, node.place));
                        }
                        (Value::Scalar { text, .. }, Some(first)) => {
                            *key = Some(Key::Unwanted);
                            self.findings.push(duplicate(text, node.place, &first));
                        }
                        _ => {
                            *key = Some(Key::Unwanted);
                            self.findings
                                .push(syntax(node.place, "a key is not text", None));
                        }
                    }
                }
            },
        }
    }

    fn refuse_extras(&mut self, anchor: usize, tag: Option<&Tag>, span: Span) {
        if anchor > 0 {
            self.report(
                span,
                "anchors are not supported",
                "write the value out where it is used",
            );
        }
        if tag.is_some() {
            self.report(
                span,
                "tags are not supported",
                "remove the tag; quote what must be text",
            );
        }
    }

    fn report(&mut self, span: Span, message: &str, hint: &str) {
        self.findings.push(syntax(place(span), message, Some(hint)));
    }

    fn report_syntax(&mut self, error: &ScanError) {
        let (line, column) = (error.marker().line().max(1), error.marker().col() + 1);
        let indent = |line: &str| {
            line.bytes()
                .take_while(u8::is_ascii_whitespace)
                .any(|b| b == b'\t')
        };
        // The scanner may stop a line after the tab that confused it.
        let tab = self
            .text
            .lines()
            .enumerate()
            .take(line)
            .find(|(_, text)| indent(text))
            .map(|(index, text)| (index + 1, text.find('\t').map_or(1, |at| at + 1)));
        let finding = match tab {
            Some((line, column)) => syntax(
                Place::File { line, column },
                "a tab is used to indent",
                Some("indent with spaces"),
            ),
            None => syntax(
                Place::File { line, column },
                &format!("this is not YAML: {}", error.info()),
                Some("look at the indentation, colons and quotes of this line and the one before"),
            ),
        };
        self.findings.push(finding);
    }
}

fn scalar(text: Cow<'_, str>, style: ScalarStyle) -> Value {
    let plain = style == ScalarStyle::Plain;
    match text.as_ref() {
        "" | "~" | "null" | "Null" | "NULL" if plain => Value::Null,
        _ => Value::Scalar {
            text: text.into_owned(),
            style: if plain { Style::Plain } else { Style::Quoted },
        },
    }
}

fn place(span: Span) -> Place {
    Place::File {
        line: span.start.line().max(1),
        column: span.start.col() + 1,
    }
}

fn syntax(place: Place, message: &str, hint: Option<&str>) -> Finding {
    Finding {
        severity: Severity::Error,
        code: Code::Syntax,
        key: String::new(),
        place,
        value: None,
        message: message.to_owned(),
        hint: hint.map(str::to_owned),
    }
}

fn duplicate(key: String, place: Place, first: &Place) -> Finding {
    let hint = match first {
        Place::File { line, .. } => format!("keep one; the other is in line {line}"),
        _ => "keep one".to_owned(),
    };
    Finding {
        severity: Severity::Error,
        code: Code::DuplicateKey,
        key,
        place,
        value: None,
        message: "is given twice".to_owned(),
        hint: Some(hint),
    }
}
