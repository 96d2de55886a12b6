//! Inputs made by chance from fixtures and examples, through every door that `tests/fuzz` opens.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

use tieline::runtime::Rng;
use tieline::testing::scale;

use crate::targets::{TARGETS, Target};

/// Executions for each step of the scale: four million at a scale of 8, ten at 20.
const EXECUTIONS: u64 = 500_000;
const WORKERS: u64 = 2;
/// No input grows beyond this.
const MOST: usize = 8 << 10;

/// What formats are made of, and what their readers stumble over.
const WORDS: [&[u8]; 24] = [
    b"\"",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b"null",
    b"true",
    b"-1",
    b"1e999",
    b"0.1",
    b"18446744073709551616",
    b"\\u0000",
    b"\\ud800",
    b"\xff",
    b"\0",
    b"\r\n",
    b"- ",
    b"  ",
    b"&a *a",
    b"${X}",
    b"id",
    b"2026-11-20T10:00:00Z",
];

#[test]
fn millions_of_inputs_made_by_chance_break_nothing() {
    let shares: u32 = TARGETS.iter().map(|target| target.share).sum();
    assert_eq!(shares, 1_000);
    thread::scope(|scope| {
        for worker in 0..WORKERS {
            scope.spawn(move || {
                for target in &TARGETS {
                    let all = EXECUTIONS * u64::from(scale()) * u64::from(target.share) / 1_000;
                    try_many(target, worker, all / WORKERS);
                }
            });
        }
    });
}

fn try_many(target: &Target, worker: u64, executions: u64) {
    let seeds = (target.seeds)();
    assert!(!seeds.is_empty(), "{} has no seeds", target.name);
    let rng = Rng::from_seed(worker).fork(target.name);
    for _ in 0..executions {
        let input = mutated(&seeds, &rng);
        let outcome = catch_unwind(AssertUnwindSafe(|| (target.enter)(&input)));
        if let Err(panic) = outcome {
            let text = input.escape_ascii();
            println!("{} of worker {worker}, input: \"{text}\"", target.name);
            resume_unwind(panic);
        }
    }
}

fn mutated(seeds: &[Vec<u8>], rng: &Rng) -> Vec<u8> {
    let mut bytes = pick(seeds, rng).clone();
    for _ in 0..=rng.below(4) {
        let at = place(bytes.len(), rng);
        let end = (at + place(32, rng)).min(bytes.len());
        match rng.below(8) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..end)),
            2 => bytes.extend_from_within(at..end),
            3 => {
                let other = pick(seeds, rng);
                bytes.truncate(at);
                bytes.extend_from_slice(&other[place(other.len(), rng)..]);
            }
            4 | 5 => {
                let word = WORDS[place(WORDS.len(), rng)];
                bytes.splice(at..end, word.iter().copied());
            }
            _ if at < bytes.len() => bytes[at] ^= 1 << rng.below(8),
            _ => bytes.push(u8::try_from(rng.below(256)).unwrap()),
        }
        bytes.truncate(MOST);
    }
    bytes
}

fn pick<'a>(seeds: &'a [Vec<u8>], rng: &Rng) -> &'a Vec<u8> {
    &seeds[place(seeds.len(), rng)]
}

fn place(length: usize, rng: &Rng) -> usize {
    usize::try_from(rng.below(length.max(1) as u64)).unwrap()
}
