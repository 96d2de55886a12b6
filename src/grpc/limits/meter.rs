//! [`Meter`]: what a peer sends besides calls, and whether it is too much. Pure.
//!
//! A frame that carries no part of a call costs one; so much is given back by time, and by what was
//! sent to the peer, because a reader opens its windows as often as it is sent something. A peer that
//! opens them by single bytes, or that pings, resets, settles and prioritizes faster than any client
//! library does, runs out.

use super::bucket::Bucket;
use crate::runtime::MonoTime;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEAD: usize = 9;
/// Frames that carry nothing, in a second and at once. A client of a thousand streams may cancel all of
/// them at once, and begin anew.
const PER_SECOND: u32 = 1_000;
const BURST: u32 = 10_000;
/// Bytes sent to the peer that pay for one. A client library opens a window by some KiB, once for the
/// stream and once for the connection.
const PAYS: usize = 512;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const END_STREAM: u8 = 1;

/// Looks at the frames of one connection.
#[derive(Debug)]
pub(super) struct Meter {
    at: At,
    head: [u8; HEAD],
    bucket: Bucket,
    /// Bytes sent that have not paid yet.
    sent: usize,
}

#[derive(Debug)]
enum At {
    /// So much of the preface was seen.
    Preface(usize),
    /// So much of a frame's head.
    Head(usize),
    /// So much of a frame is yet to come.
    Payload(usize),
    /// It does not speak HTTP/2.
    Foreign,
}

/// More than anybody needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many frames that carry nothing")]
pub(super) struct Excess;

impl Meter {
    pub(super) fn new(now: MonoTime) -> Self {
        Self {
            at: At::Preface(0),
            head: [0; HEAD],
            bucket: Bucket::new(PER_SECOND, BURST, now),
            sent: 0,
        }
    }

    /// Whether the first words are complete.
    pub(super) fn has_heard(&self) -> bool {
        !matches!(self.at, At::Preface(_))
    }

    /// These bytes came.
    pub(super) fn heard(&mut self, mut bytes: &[u8], now: MonoTime) -> Result<(), Excess> {
        while let Some((first, rest)) = bytes.split_first() {
            match &mut self.at {
                At::Foreign => return Ok(()),
                At::Preface(seen) => {
                    let expected = PREFACE.get(*seen) == Some(first);
                    *seen += 1;
                    self.at = match *seen {
                        _ if !expected => At::Foreign,
                        seen if seen == PREFACE.len() => At::Head(0),
                        seen => At::Preface(seen),
                    };
                    bytes = rest;
                }
                At::Head(seen) => {
                    if let Some(place) = self.head.get_mut(*seen) {
                        *place = *first;
                    }
                    *seen += 1;
                    if *seen == HEAD {
                        self.charge(now)?;
                        self.at = self.payload();
                    }
                    bytes = rest;
                }
                At::Payload(left) => {
                    let skipped = bytes.len().min(*left);
                    *left -= skipped;
                    if *left == 0 {
                        self.at = At::Head(0);
                    }
                    bytes = bytes.get(skipped..).unwrap_or_default();
                }
            }
        }
        Ok(())
    }

    /// So many bytes were sent to the peer.
    pub(super) fn sent(&mut self, bytes: usize) {
        self.sent += bytes;
        let pays = self.sent / PAYS;
        self.sent %= PAYS;
        if pays > 0 {
            self.bucket.give(u32::try_from(pays).unwrap_or(u32::MAX));
        }
    }

    fn len(&self) -> usize {
        let [a, b, c, ..] = self.head;
        usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c)
    }

    fn payload(&self) -> At {
        match self.len() {
            0 => At::Head(0),
            len => At::Payload(len),
        }
    }

    fn charge(&mut self, now: MonoTime) -> Result<(), Excess> {
        let [_, _, _, kind, flags, ..] = self.head;
        let carries = match kind {
            DATA => self.len() > 0 || flags & END_STREAM != 0,
            HEADERS => true,
            _ => false,
        };
        match carries || self.bucket.take(now) {
            true => Ok(()),
            false => Err(Excess),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const PING: u8 = 6;
    const WINDOW_UPDATE: u8 = 8;

    fn frame(kind: u8, flags: u8, len: u8) -> Vec<u8> {
        let mut frame = vec![0, 0, len, kind, flags, 0, 0, 0, 1];
        frame.resize(HEAD + usize::from(len), 7);
        frame
    }

    fn meter() -> (Meter, MonoTime) {
        let now = MonoTime::now();
        let mut meter = Meter::new(now);
        assert!(!meter.has_heard());
        meter.heard(PREFACE, now).unwrap();
        assert!(meter.has_heard());
        (meter, now)
    }

    /// How many of these are taken at once.
    fn taken(meter: &mut Meter, frame: &[u8], now: MonoTime) -> usize {
        let frames = 0..20_000;
        frames
            .take_while(|_| meter.heard(frame, now).is_ok())
            .count()
    }

    #[tokio::test(start_paused = true)]
    async fn what_carries_nothing_costs_and_what_does_is_free() {
        for (kind, flags, len, free) in [
            (PING, 0, 8, false),
            (4, 0, 0, false),
            (2, 0, 5, false),
            (3, 0, 4, false),
            (WINDOW_UPDATE, 0, 4, false),
            (0x7f, 0, 3, false),
            (DATA, 0, 0, false),
            (DATA, END_STREAM, 0, true),
            (DATA, 0, 200, true),
            (HEADERS, 4, 9, true),
        ] {
            let (mut meter, now) = meter();
            let count = taken(&mut meter, &frame(kind, flags, len), now);
            assert_eq!(count == 20_000, free, "{kind} {flags} {len}: {count}");
            assert!(count >= BURST as usize);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_ping_every_second_and_a_thousand_in_one_are_borne_for_ever() {
        let (mut meter, start) = meter();
        for second in 0..1_000 {
            let now = start + Duration::from_secs(second);
            (0..1_000).for_each(|_| meter.heard(&frame(PING, 0, 8), now).unwrap());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_pays_for_its_windows_by_what_it_reads() {
        let (mut honest, now) = meter();
        for _ in 0..1_000_000 {
            honest.sent(1 << 10);
            // The stream's window and the connection's.
            honest.heard(&frame(WINDOW_UPDATE, 0, 4), now).unwrap();
            honest.heard(&frame(WINDOW_UPDATE, 0, 4), now).unwrap();
        }
        let (mut dribbles, now) = meter();
        let window = frame(WINDOW_UPDATE, 0, 4);
        let borne = (0..20_000).take_while(|_| {
            dribbles.sent(10);
            dribbles.heard(&window, now).is_ok()
        });
        assert!(borne.count() < 11_000);
    }

    #[tokio::test(start_paused = true)]
    async fn frames_are_found_however_they_are_cut() {
        let (_, now) = meter();
        let mut bytes = PREFACE.to_vec();
        bytes.extend((0..BURST).flat_map(|n| frame(PING, 0, u8::try_from(n % 32).unwrap())));
        for piece in [1, 7, 9, 4_096] {
            let mut meter = Meter::new(now);
            for piece in bytes.chunks(piece) {
                meter.heard(piece, now).unwrap();
            }
            assert_eq!(meter.heard(&frame(PING, 0, 8), now), Err(Excess));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn another_protocol_is_none_of_its_business() {
        let now = MonoTime::now();
        let mut meter = Meter::new(now);
        meter.heard(b"POST /x HTTP/1.1\r\n", now).unwrap();
        assert!(meter.has_heard());
        assert_eq!(taken(&mut meter, &frame(PING, 0, 8), now), 20_000);
    }
}
