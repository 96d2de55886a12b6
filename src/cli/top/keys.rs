//! [`Keys`]: bytes of a terminal into what they mean.

use std::collections::VecDeque;
use std::io::Read;

use tokio::sync::mpsc;

/// What somebody wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Quit,
    Up,
    Down,
    Sort,
    /// Whatever means nothing here.
    Other,
}

/// The keys that are pressed.
#[derive(Debug)]
pub(super) struct Keys {
    reads: mpsc::Receiver<Vec<u8>>,
    pressed: VecDeque<Key>,
}

impl Keys {
    /// Reads on a thread of its own, which waits for the next key as long as the process lives.
    pub(super) fn read(mut input: impl Read + Send + 'static) -> std::io::Result<Self> {
        let (told, reads) = mpsc::channel(1);
        let reading = move || {
            let mut bytes = [0; 64];
            while let Ok(count @ 1..) = input.read(&mut bytes) {
                let read = bytes.get(..count).unwrap_or_default();
                if told.blocking_send(read.to_vec()).is_err() {
                    return;
                }
            }
        };
        std::thread::Builder::new()
            .name("keys".to_owned())
            .spawn(reading)?;
        Ok(Self {
            reads,
            pressed: VecDeque::new(),
        })
    }

    /// The next key; `None` when there will be none any more. Cancel-safe.
    pub(super) async fn next(&mut self) -> Option<Key> {
        while self.pressed.is_empty() {
            let read = self.reads.recv().await?;
            self.pressed.extend(meant(&read));
        }
        self.pressed.pop_front()
    }
}

/// What one read brought. A terminal sends a key's sequence at once.
fn meant(mut bytes: &[u8]) -> Vec<Key> {
    let mut keys = Vec::new();
    while let Some((first, rest)) = bytes.split_first() {
        (bytes, keys) = match (first, rest) {
            (0x1b, [b'[' | b'O', code, rest @ ..]) => {
                keys.push(match code {
                    b'A' => Key::Up,
                    b'B' => Key::Down,
                    _ => Key::Other,
                });
                (rest, keys)
            }
            (byte, rest) => {
                keys.push(match byte {
                    b'q' | b'Q' | 0x03 | 0x04 => Key::Quit,
                    b'k' => Key::Up,
                    b'j' => Key::Down,
                    b's' => Key::Sort,
                    _ => Key::Other,
                });
                (rest, keys)
            }
        };
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn keys_are_read_one_by_one_until_the_terminal_is_gone() {
        let mut keys = Keys::read(&b"j\x1b[A\x1bOBs\x03"[..]).unwrap();
        let mut seen = Vec::new();
        while let Some(key) = keys.next().await {
            seen.push(key);
        }
        let expected = [Key::Down, Key::Up, Key::Down, Key::Sort, Key::Quit];
        assert_eq!(seen, expected);
    }
}
