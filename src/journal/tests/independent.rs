//! A second reader, written from the module's doc and from nothing else: the doc is the format.

use std::collections::BTreeMap;

use super::kit::{KEEP_ALL, Rig, Shape, events, limits};

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap())
}

fn u32_at(bytes: &[u8], at: usize) -> usize {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize
}

fn u64_at(bytes: &[u8], at: usize) -> usize {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize
}

#[derive(Default)]
struct Read {
    events: Vec<(usize, usize, Vec<u8>)>,
    state: BTreeMap<String, (Vec<u8>, usize)>,
    sealed: usize,
}

/// One segment; `identity` as `meta` has it.
fn read_segment(bytes: &[u8], identity: &[u8], out: &mut Read) {
    assert_eq!(&bytes[..8], b"TIELSEG\0");
    assert_eq!((u32_at(bytes, 8), u32_at(bytes, 12)), (1, 96));
    assert_eq!(&bytes[16..32], identity);
    assert_eq!(crc32c::crc32c(&bytes[..92]) as usize, u32_at(bytes, 92));
    let seed = crc32c::crc32c(&bytes[16..48]);
    let mut next = u64_at(bytes, 48);
    let (mut at, mut count, mut folded) = (96, 0, 0_u32);
    while bytes.len() > at && bytes[at..].iter().any(|byte| *byte != 0) {
        let len = u32_at(bytes, at + 4);
        let end = at + (44 + len).next_multiple_of(4);
        let crc = crc32c::crc32c_append(seed, &bytes[at + 4..end]);
        assert_eq!(crc as usize, u32_at(bytes, at));
        let check = crc32c::crc32c_append(seed, &bytes[at + 4..at + 42]);
        assert_eq!(u16_at(bytes, at + 42), (check ^ (check >> 16)) as u16);
        let payload = &bytes[at + 44..at + 44 + len];
        match bytes[at + 40] {
            1 => {
                assert_eq!(u64_at(bytes, at + 8), next);
                let (data_at, raw_at) = (u32_at(bytes, at + 32), u32_at(bytes, at + 36));
                assert!(data_at <= raw_at && raw_at <= len);
                out.events
                    .push((next, u64_at(bytes, at + 16), payload.to_vec()));
                folded = crc32c::crc32c_append(folded ^ seed, &bytes[at..at + 4]);
                next += 1;
                count += 1;
            }
            2 => {
                assert_eq!(u64_at(bytes, at + 8) + 1, next);
                assert!(u64_at(bytes, at + 24) <= at);
                assert_eq!(u32_at(bytes, at + 32), count);
                assert_eq!(u32_at(bytes, at + 36), folded as usize);
                if bytes[at + 41] & 1 == 1 {
                    assert_eq!((at, count), (96, 0));
                    out.state.clear();
                }
                read_state(payload, out);
                (count, folded) = (0, 0);
            }
            3 => {
                assert_eq!(end + 16, bytes.len());
                assert_eq!(u64_at(bytes, end), at);
                assert_eq!(&bytes[end + 8..end + 12], b"SEAL");
                read_index(bytes, payload);
                out.sealed += 1;
                return;
            }
            kind => panic!("kind {kind}"),
        }
        at = end;
    }
}

fn read_state(payload: &[u8], out: &mut Read) {
    if payload.is_empty() {
        return;
    }
    let mut at = 4;
    for _ in 0..u32_at(payload, 0) {
        let (set, sequence, len) = (
            payload[at],
            u64_at(payload, at + 1),
            u32_at(payload, at + 9),
        );
        let key = String::from_utf8(payload[at + 13..at + 13 + len].to_vec()).unwrap();
        at += 13 + len;
        let len = u32_at(payload, at);
        let value = payload[at + 4..at + 4 + len].to_vec();
        at += 4 + len;
        if set == 1 {
            out.state.insert(key, (value, sequence));
        } else {
            out.state.remove(&key);
        }
    }
    let runs = u32_at(payload, at);
    at += 4;
    for _ in 0..runs {
        at += 12 + 8 * u32_at(payload, at + 8);
    }
    assert_eq!(at, payload.len());
}

fn read_index(bytes: &[u8], payload: &[u8]) {
    for entry in 0..u32_at(payload, 8) {
        let at = 12 + 24 * entry;
        let frame = u64_at(payload, at + 16);
        assert_eq!(bytes[frame + 40], 1);
        assert_eq!(u64_at(bytes, frame + 8), u64_at(payload, at));
        assert_eq!(u64_at(bytes, frame + 16), u64_at(payload, at + 8));
    }
}

#[test]
fn a_reader_written_from_the_doc_agrees() {
    let mut rig = Rig::new(1, limits(200_000), KEEP_ALL);
    rig.check_reopened();
    for n in 0..200_u8 {
        let state = vec![(n % 5, n % 3 > 0)];
        rig.append(&[
            events(&[usize::from(n) * 9, 3]),
            Shape {
                events: vec![usize::from(n) * 20],
                state,
            },
        ])
        .unwrap();
    }
    rig.close();
    let meta = rig.disk.contents("meta");
    assert_eq!((&meta[..8], meta.len()), (b"TIELJRN\0".as_slice(), 96));
    assert_eq!(crc32c::crc32c(&meta[..92]) as usize, u32_at(&meta, 92));
    let mut segments: Vec<_> = rig
        .disk
        .names()
        .into_iter()
        .filter(|name| name.ends_with(".seg"))
        .collect();
    segments.sort_by_key(|name| name.split_at(21).1.to_owned());
    let mut read = Read::default();
    for name in &segments {
        read_segment(&rig.disk.contents(name), &meta[16..32], &mut read);
    }
    assert_eq!(read.sealed + 1, segments.len());
    assert!(read.sealed > 1);
    assert_eq!(read.events.len(), rig.seen().len());
    for ((sequence, time, element), seen) in read.events.iter().zip(rig.seen()) {
        assert_eq!(*sequence as u64, seen.sequence.get());
        assert_eq!(*time as u64, seen.record_time.as_nanos());
        assert_eq!(*element, seen.element);
    }
    rig.open().unwrap();
    let state: BTreeMap<_, _> = rig
        .shared()
        .state("")
        .into_iter()
        .map(|e| {
            (
                e.key,
                (e.value.to_vec(), usize::try_from(e.sequence.get()).unwrap()),
            )
        })
        .collect();
    assert_eq!(read.state, state);
}
