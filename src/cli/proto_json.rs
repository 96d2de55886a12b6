//! [`ProtoJson`]: prints any message of the contract in the JSON form of proto3, from the descriptors
//! that are built in, so that it follows the contract by itself.

use std::collections::HashMap;

use prost::Message;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorSet};
use serde_json::{Map, Value, json};

use crate::domain::WallTime;
use crate::proto;

/// Messages are at most this deep; what is deeper is not one of ours.
const MAX_DEPTH: usize = 16;

/// Prints messages as JSON. 64-bit numbers are numbers, not text: sequences stay far below 2⁵³.
#[derive(Debug)]
pub(super) struct ProtoJson {
    messages: HashMap<String, DescriptorProto>,
    enums: HashMap<String, EnumDescriptorProto>,
}

/// A message that does not fit its descriptor.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unprintable {
    #[error("the built-in descriptors are damaged")]
    Descriptors(#[from] prost::DecodeError),
    #[error("no message '{0}' in the contract")]
    Unknown(String),
    #[error("the encoding of '{0}' is damaged")]
    Damaged(String),
}

/// One field as it stands on the wire.
enum Wire<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl ProtoJson {
    pub(super) fn new() -> Result<Self, Unprintable> {
        let set = FileDescriptorSet::decode(proto::DESCRIPTOR_SET)?;
        let mut this = Self {
            messages: HashMap::new(),
            enums: HashMap::new(),
        };
        for file in set.file {
            let scope = format!(".{}", file.package());
            file.enum_type
                .into_iter()
                .for_each(|of| this.add_enum(&scope, of));
            file.message_type
                .into_iter()
                .for_each(|of| this.add_message(&scope, of));
        }
        Ok(this)
    }

    fn add_message(&mut self, scope: &str, message: DescriptorProto) {
        let name = format!("{scope}.{}", message.name());
        for inner in &message.nested_type {
            self.add_message(&name, inner.clone());
        }
        for inner in &message.enum_type {
            self.add_enum(&name, inner.clone());
        }
        self.messages.insert(name, message);
    }

    fn add_enum(&mut self, scope: &str, of: EnumDescriptorProto) {
        self.enums.insert(format!("{scope}.{}", of.name()), of);
    }

    /// Prints `message`, which is a `tieline.v1.{name}`.
    pub(super) fn print(&self, name: &str, message: &impl Message) -> Result<Value, Unprintable> {
        self.object(&format!(".tieline.v1.{name}"), &message.encode_to_vec(), 0)
            .map(Value::Object)
    }

    fn object(
        &self,
        of: &str,
        bytes: &[u8],
        depth: usize,
    ) -> Result<Map<String, Value>, Unprintable> {
        let damaged = || Unprintable::Damaged(of.to_owned());
        let message = self
            .messages
            .get(of)
            .ok_or_else(|| Unprintable::Unknown(of.to_owned()))?;
        if depth > MAX_DEPTH {
            return Err(damaged());
        }
        let mut object = Map::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let (number, wire) = take_field(&mut rest).ok_or_else(damaged)?;
            let of_number = |field: &&FieldDescriptorProto| i64::from(field.number()) == number;
            // A newer server may send what we do not know.
            let Some(field) = message.field.iter().find(of_number) else {
                continue;
            };
            let name = camel_case(field.name());
            if self.is_map(field) {
                let entry = self.entry(field, wire, depth).ok_or_else(damaged)?;
                if let Some(map) = slot(&mut object, name, json!({})).as_object_mut() {
                    map.extend([entry]);
                }
            } else if field.label() == Label::Repeated {
                let values = self.items(field, wire, depth)?;
                if let Some(list) = slot(&mut object, name, json!([])).as_array_mut() {
                    list.extend(values);
                }
            } else {
                let value = self.value(field, wire, depth)?;
                object.insert(name, value);
            }
        }
        Ok(object)
    }

    fn is_map(&self, field: &FieldDescriptorProto) -> bool {
        let entry = self.messages.get(field.type_name());
        entry
            .and_then(|entry| entry.options.as_ref())
            .is_some_and(|options| options.map_entry())
    }

    fn entry(
        &self,
        field: &FieldDescriptorProto,
        wire: Wire<'_>,
        depth: usize,
    ) -> Option<(String, Value)> {
        let Wire::Bytes(bytes) = wire else {
            return None;
        };
        let mut entry = self.object(field.type_name(), bytes, depth + 1).ok()?;
        let key = match entry.remove("key") {
            Some(Value::String(key)) => key,
            Some(other) => other.to_string(),
            None => String::new(),
        };
        Some((key, entry.remove("value").unwrap_or_else(|| json!(""))))
    }

    /// One item, or several packed numbers.
    fn items(
        &self,
        field: &FieldDescriptorProto,
        wire: Wire<'_>,
        depth: usize,
    ) -> Result<Vec<Value>, Unprintable> {
        let is_number = !matches!(
            field.r#type(),
            Type::String | Type::Bytes | Type::Message | Type::Group
        );
        let Wire::Bytes(mut packed) = wire else {
            return Ok(vec![self.value(field, wire, depth)?]);
        };
        if !is_number {
            return Ok(vec![self.value(field, Wire::Bytes(packed), depth)?]);
        }
        let mut values = Vec::new();
        while !packed.is_empty() {
            let number = match field.r#type() {
                Type::Double | Type::Fixed64 | Type::Sfixed64 => take_fixed(&mut packed, 8),
                Type::Float | Type::Fixed32 | Type::Sfixed32 => take_fixed(&mut packed, 4),
                _ => take_varint(&mut packed),
            };
            let number = number.ok_or_else(|| Unprintable::Damaged(field.name().to_owned()))?;
            values.push(self.value(field, Wire::Number(number), depth)?);
        }
        Ok(values)
    }

    fn value(
        &self,
        field: &FieldDescriptorProto,
        wire: Wire<'_>,
        depth: usize,
    ) -> Result<Value, Unprintable> {
        let damaged = || Unprintable::Damaged(field.name().to_owned());
        Ok(match (field.r#type(), wire) {
            (Type::Bool, Wire::Number(number)) => json!(number != 0),
            (Type::Double, Wire::Number(bits)) => json!(f64::from_bits(bits)),
            (Type::Enum, Wire::Number(number)) => self.enum_value(field.type_name(), number),
            #[expect(
                clippy::cast_possible_wrap,
                reason = "the wire form of a negative number"
            )]
            (Type::Int32 | Type::Int64, Wire::Number(number)) => json!(number as i64),
            (_, Wire::Number(number)) => json!(number),
            (Type::String, Wire::Bytes(bytes)) => json!(String::from_utf8_lossy(bytes)),
            (Type::Bytes, Wire::Bytes(bytes)) => bytes_value(bytes),
            (Type::Message, Wire::Bytes(bytes)) => match field.type_name() {
                ".google.protobuf.Timestamp" => {
                    let time = prost_types::Timestamp::decode(bytes)?;
                    json!(WallTime::from_proto(&time).ok_or_else(damaged)?.to_string())
                }
                ".google.protobuf.Duration" => {
                    json!(prost_types::Duration::decode(bytes)?.to_string())
                }
                of => Value::Object(self.object(of, bytes, depth + 1)?),
            },
            (_, Wire::Bytes(_)) => return Err(damaged()),
        })
    }

    fn enum_value(&self, of: &str, number: u64) -> Value {
        let known = self.enums.get(of).into_iter().flat_map(|of| &of.value);
        known
            .filter(|value| i64::from(value.number()) == i64::try_from(number).unwrap_or(-1))
            .map(|value| json!(value.name()))
            .next()
            .unwrap_or_else(|| json!(number))
    }
}

/// What a platform sent: the JSON value it is, else its text, else base64.
fn bytes_value(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
        Err(_) => json!({ "base64": base64(bytes) }),
    }
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4_usize {
            let index = (bits >> (18 - 6 * at)) & 63;
            let letter = ALPHABET.get(index as usize).copied().unwrap_or(b'=');
            text.push(char::from(if at > chunk.len() { b'=' } else { letter }));
        }
    }
    text
}

fn slot(object: &mut Map<String, Value>, name: String, empty: Value) -> &mut Value {
    object.entry(name).or_insert(empty)
}

fn take_field<'a>(rest: &mut &'a [u8]) -> Option<(i64, Wire<'a>)> {
    let tag = take_varint(rest)?;
    let wire = match tag & 7 {
        0 => Wire::Number(take_varint(rest)?),
        1 => Wire::Number(take_fixed(rest, 8)?),
        2 => {
            let length = usize::try_from(take_varint(rest)?).ok()?;
            let (bytes, tail) = rest.split_at_checked(length)?;
            *rest = tail;
            Wire::Bytes(bytes)
        }
        5 => Wire::Number(take_fixed(rest, 4)?),
        _ => return None,
    };
    Some((i64::try_from(tag >> 3).ok()?, wire))
}

fn take_varint(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, tail) = rest.split_first()?;
        *rest = tail;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn take_fixed(rest: &mut &[u8], size: usize) -> Option<u64> {
    let (bytes, tail) = rest.split_at_checked(size)?;
    *rest = tail;
    Some(
        bytes
            .iter()
            .rev()
            .fold(0, |number, byte| number << 8 | u64::from(*byte)),
    )
}

fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |mut text, word| {
        let mut letters = word.chars();
        text.extend(letters.next().map(|c| c.to_ascii_uppercase()));
        text.push_str(letters.as_str());
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::v1;
    use proptest::prelude::*;

    #[test]
    fn an_event_prints_as_the_contract_names_it() {
        let event = v1::Event {
            sequence: 4711,
            r#type: "ccaas.queue.statistics.updated.v1".into(),
            time: Some(WallTime::from_millis(1_500).to_proto()),
            origin: v1::event::Origin::Backfill.into(),
            raw_data: br#"{"n": [1, 2]}"#.to_vec().into(),
            attributes: [("a".to_owned(), "b".to_owned())].into(),
            data: Some(v1::event::Data::QueueStatisticsEvent(
                v1::QueueStatisticsEvent {
                    queue_id: "q".into(),
                    metrics: vec![v1::queue_statistics_event::Metric {
                        name: "oWaiting".into(),
                        value: 2.5,
                        ..Default::default()
                    }],
                    ..Default::default()
                },
            )),
            ..Default::default()
        };
        assert_eq!(
            ProtoJson::new().unwrap().print("Event", &event).unwrap(),
            json!({
                "sequence": 4711,
                "type": "ccaas.queue.statistics.updated.v1",
                "time": "1970-01-01T00:00:01.5Z",
                "origin": "ORIGIN_BACKFILL",
                "rawData": {"n": [1, 2]},
                "attributes": {"a": "b"},
                "queueStatisticsEvent": {
                    "queueId": "q",
                    "metrics": [{"name": "oWaiting", "value": 2.5}],
                },
            })
        );
    }

    #[test]
    fn bytes_that_are_no_text_are_base64() {
        for (bytes, text) in [
            (&b"\xff"[..], "/w=="),
            (b"\xff\xfe", "//4="),
            (b"\xff\xfe\xfd", "//79"),
            (b"\xff\x00\x00\x01", "/wAAAQ=="),
        ] {
            assert_eq!(bytes_value(bytes), json!({ "base64": text }));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_printer(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let printer = ProtoJson::new().unwrap();
            let _any = printer.object(".tieline.v1.SubscribeResponse", &bytes, 0).is_ok();
        }
    }
}
