//! [`Position`]: a place in one incarnation of a journal, and its text form `{epoch}/{sequence}`.

use std::fmt;
use std::str::FromStr;

use super::Sequence;

/// Names one incarnation of a journal. Compared for equality only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Epoch(u64);

impl Epoch {
    /// Wraps the random bits that name an incarnation.
    #[must_use]
    pub const fn new(bits: u64) -> Self {
        Self(bits)
    }

    /// The bits, for storage.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for Epoch {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let well_formed = text.len() == 16
            && text
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if !well_formed {
            return Err(InvalidPosition {
                text: text.to_owned(),
            });
        }
        u64::from_str_radix(text, 16)
            .map(Self)
            .map_err(|_| InvalidPosition {
                text: text.to_owned(),
            })
    }
}

/// A place in a journal: everything up to and including `sequence` lies behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Position {
    /// Which incarnation of the journal.
    pub epoch: Epoch,
    /// The last sequence that lies behind this place.
    pub sequence: Sequence,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.epoch, self.sequence)
    }
}

impl FromStr for Position {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidPosition {
            text: text.to_owned(),
        };
        let (epoch, sequence) = text.split_once('/').ok_or_else(invalid)?;
        let canonical = sequence == "0" || !sequence.starts_with(['0', '+']);
        if !canonical {
            return Err(invalid());
        }
        Ok(Self {
            epoch: epoch.parse().map_err(|_| invalid())?,
            sequence: Sequence::new(sequence.parse().map_err(|_| invalid())?),
        })
    }
}

/// A text that is not a position.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{text}' is not a position; the form is {{16 hex digits}}/{{sequence}}, e.g. 00c0ffee00c0ffee/4711"
)]
pub struct InvalidPosition {
    text: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn position_survives_its_text_form(epoch: u64, sequence: u64) {
            let position = Position { epoch: Epoch::new(epoch), sequence: Sequence::new(sequence) };
            prop_assert_eq!(position.to_string().parse::<Position>().unwrap(), position);
        }

        #[test]
        fn any_text_parses_to_itself_or_is_refused(text in "[0-9a-fA-F+/]{0,24}") {
            if let Ok(position) = text.parse::<Position>() {
                prop_assert_eq!(position.to_string(), text);
            }
        }
    }
}
