//! The table: a line for each figure of each contender.

use std::fmt::Write as _;

use crate::figure::Unit;
use crate::harness::{Contender, Row, Verdict, difference, median, ratio};

/// The head of the table; every row follows as it is measured.
pub(crate) const HEAD: &str = "\
| figure | measured | median [least to most] | beside the ceiling | target |\n\
|---|---|---|---|---|";

/// A measured row.
pub(crate) fn lines(row: &Row) -> String {
    let mut text = String::new();
    let mut title = row.title.as_str();
    for contender in &row.contenders {
        if let Some(why) = &contender.not_run {
            let name = &contender.name;
            let why = why.replace(['\n', '|'], " ");
            writeln!(text, "| {title} | {name} | not run: {why} | | |").ok();
            title = "";
            continue;
        }
        let verdicts: Vec<Verdict> = row.verdicts(contender).collect();
        for (figure, unit) in contender.figures() {
            let own = contender.column(figure);
            let anchor = row.anchor_of(contender);
            let anchor = anchor.map(|anchor| anchor.column(figure));
            let judged = verdicts.iter().filter(|verdict| verdict.figure == figure);
            let target: Vec<String> = judged.map(|verdict| words(contender, verdict)).collect();
            let name = [contender.name.as_str(), figure].map(str::trim).join(", ");
            writeln!(
                text,
                "| {title} | {} | {} [{} to {}] | {} | {} |",
                name.trim_end_matches(", "),
                unit.show(median(own.clone())),
                unit.show(own.iter().copied().fold(f64::INFINITY, f64::min)),
                unit.show(own.iter().copied().fold(f64::NEG_INFINITY, f64::max)),
                beside(&own, &anchor.unwrap_or_default(), unit),
                target.join("; "),
            )
            .ok();
            title = "";
        }
    }
    text.truncate(text.trim_end().len());
    text
}

/// A row that could not be measured.
pub(crate) fn failure(row: &Row, error: &anyhow::Error) -> String {
    let why = format!("{error:#}").replace(['\n', '|'], " ");
    format!("| {} | **failed**: {why} | | | |", row.title)
}

fn words(contender: &Contender, verdict: &Verdict) -> String {
    let outcome = if verdict.met { "met" } else { "**missed**" };
    let Verdict { goal, reached, .. } = verdict;
    if contender.is_peer() {
        format!("Tieline is {reached} of it, {goal}: {outcome}")
    } else {
        format!("{goal}: {outcome}")
    }
}

/// A contender's figure beside the ceiling's.
fn beside(own: &[f64], ceiling: &[f64], unit: Unit) -> String {
    if own.is_empty() || ceiling.is_empty() {
        return String::new();
    }
    let mut words = format!("{:.2} ×", ratio(own, ceiling));
    if matches!(unit, Unit::Micros | Unit::Cores | Unit::Bytes) {
        write!(words, ", {}", unit.show_more(difference(own, ceiling))).ok();
    }
    words
}
