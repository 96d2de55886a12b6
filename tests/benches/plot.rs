//! The plot: a bar for every figure that has a target, on a scale of ratios.

use std::fmt::Write as _;

use crate::harness::{Row, Verdict};

const WIDTH: f64 = 1_270.0;
/// Where bars begin, and how far they may reach.
const LEFT: f64 = 660.0;
const SPAN: f64 = 380.0;
const LINE: f64 = 22.0;
/// The ends of the scale; what lies beyond is drawn to its end.
const LEAST: f64 = 0.01;
const MOST: f64 = 100.0;
const MET: &str = "#2a7f62";
const MISSED: &str = "#c0492f";

/// Bars as they come, drawn at the end.
#[derive(Debug, Default)]
pub(crate) struct Plot {
    bars: Vec<Bar>,
}

#[derive(Debug)]
struct Bar {
    name: String,
    verdict: Verdict,
}

impl Plot {
    /// Takes what is judged of a measured row.
    pub(crate) fn add(&mut self, row: &Row) {
        for contender in &row.contenders {
            for verdict in row.verdicts(contender) {
                let figure = Some(verdict.figure).filter(|figure| !figure.is_empty());
                let peer = contender
                    .is_peer()
                    .then(|| format!("beside {}", contender.name));
                let own = (!contender.is_peer()).then(|| contender.name.clone());
                let parts = [
                    Some(row.title.clone()),
                    peer,
                    own,
                    figure.map(str::to_owned),
                ];
                let parts: Vec<String> = parts.into_iter().flatten().collect();
                let name = parts.join(", ");
                self.bars.push(Bar { name, verdict });
            }
        }
    }

    /// The whole plot; `about` says on what it was measured, and how.
    pub(crate) fn draw(&self, about: &str) -> String {
        let (more, less): (Vec<&Bar>, Vec<&Bar>) = self.bars.iter().partition(|b| b.verdict.more);
        let groups = [
            ("More is better: times what it is compared with", more),
            (
                "Less is better: times what it is compared with, or share of what is allowed",
                less,
            ),
        ];
        let mut body = String::new();
        let mut y = 30.0;
        for (index, line) in wrapped(about).iter().enumerate() {
            let weight = if index == 0 { "bold" } else { "normal" };
            text(&mut body, 16.0, y, "start", weight, line);
            y += LINE;
        }
        for (title, bars) in groups.into_iter().filter(|(_, bars)| !bars.is_empty()) {
            y += LINE / 2.0;
            text(&mut body, 16.0, y, "start", "bold", title);
            let top = y + LINE / 2.0;
            let height = bars.iter().map(|_| LINE).sum::<f64>();
            let bottom = scale(&mut body, top, top + height);
            y = top + LINE * 0.75;
            for bar in &bars {
                draw_bar(&mut body, y, bar);
                y += LINE;
            }
            y = bottom + LINE;
        }
        let key = "black line: target; green: met; red: missed";
        text(&mut body, 16.0, y, "start", "normal", key);
        let height = y + LINE;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" \
             font-family=\"sans-serif\" font-size=\"11\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{body}</svg>\n"
        )
    }
}

fn draw_bar(body: &mut String, y: f64, bar: &Bar) {
    let verdict = &bar.verdict;
    let (end, mark) = (place(verdict.ratio), place(verdict.mark));
    let colour = if verdict.met { MET } else { MISSED };
    text(body, LEFT - 8.0, y, "end", "normal", &bar.name);
    writeln!(
        body,
        "<rect x=\"{LEFT}\" y=\"{:.1}\" width=\"{:.1}\" height=\"12\" fill=\"{colour}\"/>\n\
         <line x1=\"{mark:.1}\" x2=\"{mark:.1}\" y1=\"{:.1}\" y2=\"{:.1}\" stroke=\"black\" \
         stroke-width=\"2\"/>",
        y - 10.0,
        end - LEFT,
        y - 13.0,
        y + 5.0,
    )
    .ok();
    let label = format!("{} ({})", verdict.reached, verdict.goal);
    text(body, LEFT + SPAN + 10.0, y, "start", "normal", &label);
}

/// Lines and labels of the scale behind and below the bars; returns where it ends.
fn scale(body: &mut String, top: f64, bottom: f64) -> f64 {
    for tick in [LEAST, 0.1, 1.0, 10.0, MOST] {
        let x = place(tick);
        writeln!(
            body,
            "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{top:.1}\" y2=\"{bottom:.1}\" \
             stroke=\"#bbbbbb\" stroke-dasharray=\"2 3\"/>"
        )
        .ok();
        text(
            body,
            x,
            bottom + 14.0,
            "middle",
            "normal",
            &format!("{tick} ×"),
        );
    }
    bottom + LINE
}

/// Where a ratio stands, on a scale of powers of ten.
fn place(ratio: f64) -> f64 {
    let ratio = if ratio.is_nan() { LEAST } else { ratio };
    let decades = (MOST / LEAST).log10();
    LEFT + SPAN * (ratio.clamp(LEAST, MOST) / LEAST).log10() / decades
}

fn text(body: &mut String, x: f64, y: f64, anchor: &str, weight: &str, words: &str) {
    let words = words.replace('&', "&amp;").replace('<', "&lt;");
    writeln!(
        body,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" font-weight=\"{weight}\">\
         {words}</text>"
    )
    .ok();
}

/// Lines of what fits beside each other.
fn wrapped(words: &str) -> Vec<String> {
    const COLUMNS: usize = 150;
    let mut lines = vec![String::new()];
    for word in words.split_whitespace() {
        if let Some(last) = lines.last_mut() {
            if last.len() + word.len() < COLUMNS {
                last.push_str(word);
                last.push(' ');
            } else {
                lines.push(format!("{word} "));
            }
        }
    }
    lines
}
