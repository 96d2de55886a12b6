//! [`Fields`]: walks the protobuf fields of a message without decoding it. Pure.

use prost::encoding::decode_varint;

/// The fields of one encoded message; ends where there are no more, or at the first that cannot be
/// read.
#[derive(Debug, Clone)]
pub(super) struct Fields<'a> {
    total: usize,
    rest: &'a [u8],
}

/// One field as it stands on the wire.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field<'a> {
    pub(super) number: u64,
    /// Where the content begins, in bytes from the beginning of the message.
    pub(super) at: usize,
    /// Empty for a number.
    pub(super) content: &'a [u8],
    /// Zero for what is no varint.
    pub(super) varint: u64,
}

impl<'a> Fields<'a> {
    pub(super) fn new(message: &'a [u8]) -> Self {
        Self {
            total: message.len(),
            rest: message,
        }
    }

    /// Of an event in its element, which begins with a key and a length; those before `data_at`.
    pub(super) fn of_element(element: &'a [u8], data_at: u32) -> Self {
        let attributes = element.get(..data_at as usize).unwrap_or(element);
        let mut rest = attributes.get(1..).unwrap_or_default();
        if decode_varint(&mut rest).is_err() {
            rest = &[];
        }
        Self {
            total: attributes.len(),
            rest,
        }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let key = decode_varint(&mut self.rest).ok()?;
        let mut varint = 0;
        let len = match key & 7 {
            0 => {
                varint = decode_varint(&mut self.rest).ok()?;
                0
            }
            1 => 8,
            2 => usize::try_from(decode_varint(&mut self.rest).ok()?).ok()?,
            5 => 4,
            _ => return None,
        };
        let at = self.total - self.rest.len();
        let (content, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(Field {
            number: key >> 3,
            at,
            content,
            varint,
        })
    }
}
