//! Checks a journal to the last bit.

use std::io;

use super::report::{Finding, GapReport};
use crate::domain::Sequence;
use crate::journal::erasure::Ranges;
use crate::journal::fold::Fold;
use crate::journal::format::{Footer, SEGMENT_HEADER_LEN};
use crate::journal::found::{Contents, Found};
use crate::journal::scan::Scan;
use crate::journal::survey::{META, Survey};

/// Everything that is wrong, and what was erased. A live journal is being written: its end proves
/// nothing.
pub(super) fn findings(found: &Survey, is_live: bool) -> io::Result<(Vec<Finding>, Ranges)> {
    let mut findings = Vec::new();
    let mut erased = Ranges::default();
    if found.meta.is_none() {
        findings.push(finding(
            Some(META),
            None,
            "its checksum or length is wrong, or it is missing",
        ));
    } else if found.is_copy {
        findings.push(finding(
            Some(META),
            None,
            "it is a copy, or in a copy of its directory",
        ));
    }
    for (at, segment) in found.segments.iter().enumerate() {
        let next = found.segments.get(at + 1);
        if segment.header.is_none() {
            findings.push(finding(
                Some(&segment.name),
                Some(0),
                "the segment's header is damaged",
            ));
        }
        let scan = segment.scan(segment.own_proof(next), &mut Fold::default())?;
        findings.extend(damage(segment, &scan));
        erased = erased.with(&scan.erased, Sequence::ZERO);
        match &segment.contents {
            Contents::Sealed(footer, at) => {
                findings.extend(footer_findings(segment, footer, *at, &scan))
            }
            Contents::Scanned(_) if next.is_some() && segment.looks_sealed() => {
                findings.push(finding(
                    Some(&segment.name),
                    None,
                    "the segment's footer is damaged",
                ));
            }
            Contents::Scanned(_) => {}
        }
        if let Some(lost) =
            next.and_then(|n| GapReport::new(segment.last().next(), n.first.previous()))
        {
            findings.push(Finding {
                lost: Some(lost),
                ..finding(None, None, "events between two segments are missing")
            });
        }
        if next.is_none() && !is_live && segment.has_lost_its_end() {
            let problem = "events that may have been visible are gone from the journal's end";
            findings.push(finding(Some(&segment.name), Some(scan.data_end), problem));
        }
    }
    Ok((findings, erased))
}

fn finding(file: Option<&str>, offset: Option<u64>, problem: &'static str) -> Finding {
    Finding {
        file: file.map(str::to_owned),
        offset,
        problem,
        lost: None,
    }
}

fn damage(segment: &Found, scan: &Scan) -> Vec<Finding> {
    let of = |place: &crate::journal::scan::Damage| Finding {
        lost: GapReport::new(place.first, place.last),
        ..finding(
            Some(&segment.name),
            Some(place.offset),
            "a frame's checksum is wrong",
        )
    };
    let mut damage: Vec<_> = scan.damage.iter().map(of).collect();
    if !scan.has_snapshot
        && !damage
            .iter()
            .any(|f| f.offset == Some(SEGMENT_HEADER_LEN as u64))
    {
        let offset = Some(SEGMENT_HEADER_LEN as u64);
        damage.push(finding(
            Some(&segment.name),
            offset,
            "the segment's snapshot is missing",
        ));
    }
    damage
}

/// What the footer says must be what is there.
fn footer_findings(segment: &Found, footer: &Footer, at: u64, scan: &Scan) -> Vec<Finding> {
    let same_times = scan.events == 0
        || !scan.damage.is_empty()
        || (scan.first_time == Some(footer.first_time) && scan.last_time == footer.last_time);
    let same_index = !scan.damage.is_empty() || footer.index == scan.index;
    let same_end = footer.last == scan.last;
    if same_times && same_index && same_end {
        return Vec::new();
    }
    vec![finding(
        Some(&segment.name),
        Some(at),
        "the footer does not match the segment",
    )]
}
