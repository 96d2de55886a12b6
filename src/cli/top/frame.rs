//! One frame of `tieline top`. Pure: a status and a size into lines.

use std::time::Duration;

use crate::admin::{SessionStatus, Status};
use crate::cli::table::table;
use crate::cli::{Paint, printable, shortened};
use crate::domain::WallTime;

/// What somebody chose to see.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct View {
    /// Which of the sessions, in the order that is shown.
    pub(super) chosen: usize,
    /// In which order.
    pub(super) order: Order,
    /// Why what is shown is old.
    pub(super) trouble: Option<String>,
}

/// The order of sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Order {
    /// What is worst first.
    #[default]
    State,
    /// By name.
    Name,
    /// What brings most first.
    Rate,
}

impl Order {
    pub(super) fn next(self) -> Self {
        match self {
            Self::State => Self::Name,
            Self::Name => Self::Rate,
            Self::Rate => Self::State,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Name => "name",
            Self::Rate => "rate",
        }
    }
}

/// Everything there is, for whoever reads it later.
pub(super) fn whole(status: &Status, paint: Paint) -> Vec<String> {
    lines(status, &View::default(), paint, usize::MAX)
}

/// What fits into so many columns and rows.
pub(super) fn fitting(
    status: Option<&Status>,
    view: &View,
    (columns, rows): (usize, usize),
    paint: Paint,
) -> Vec<String> {
    let mut all = match status {
        Some(status) => lines(status, view, paint, columns),
        None => vec!["tieline top: waiting for the first answer".to_owned()],
    };
    let keys = format!("q ends   ↑↓ choose   s order: {}", view.order.word());
    let last = match &view.trouble {
        Some(problem) => paint.red(shortened(&printable(problem), columns.saturating_sub(1))),
        None => paint.dim(shortened(&keys, columns.saturating_sub(1))),
    };
    all.truncate(rows.saturating_sub(1));
    all.push(last);
    all
}

fn lines(status: &Status, view: &View, paint: Paint, columns: usize) -> Vec<String> {
    let now = WallTime::parse_rfc3339(&status.time).unwrap_or_default();
    let mut out = Lines {
        paint,
        columns,
        lines: vec![],
    };
    header(status, &mut out);
    let sessions = ordered(&status.sessions, view.order);
    session_table(&sessions, view, now, &mut out);
    if let Some(chosen) = sessions.get(view.chosen) {
        timeline(chosen, &mut out);
    }
    journal_table(status, &mut out);
    subscriber_table(status, now, &mut out);
    out.lines
}

/// Lines in the making: each is cut to the width before it is coloured.
struct Lines {
    paint: Paint,
    columns: usize,
    lines: Vec<String>,
}

impl Lines {
    fn line(&mut self, text: &str, state: &str) {
        let text = match self.columns {
            usize::MAX => text.to_owned(),
            columns => shortened(text, columns.saturating_sub(1)),
        };
        self.lines.push(match state {
            "suspended" | "reconnecting" | "blocked" | "confirmed" => self.paint.red(text),
            "degraded" | "connecting" | "replaying" | "suspected" => self.paint.yellow(text),
            "title" => self.paint.bold(text),
            "dim" => self.paint.dim(text),
            _ => text,
        });
    }

    /// A table whose rows are coloured by their states.
    fn table(&mut self, headings: &[&str], rows: &[Vec<String>], states: &[&str]) {
        self.line("", "");
        let text = table(Paint::PLAIN, headings, rows);
        let states = std::iter::once(&"dim").chain(states);
        for (line, state) in text.lines().zip(states) {
            self.line(line, state);
        }
    }
}

fn header(status: &Status, out: &mut Lines) {
    let process = &status.process;
    let ready = process.readiness();
    let reload = match &process.reload {
        None => String::new(),
        Some(last) if last.applied => format!(", reloaded {}", last.time),
        Some(last) => format!(", reload refused: {}", last.message),
    };
    let up = span(Duration::from_secs(process.uptime_seconds));
    let title = format!(
        "tieline {}  {ready}  up {up}  configuration {}{reload}",
        process.version, process.config_hash
    );
    out.line(&printable(&title), "title");
    let telemetry = process.telemetry.as_deref().unwrap_or("off");
    out.line(&printable(&format!("telemetry {telemetry}")), "dim");
}

fn ordered(sessions: &[SessionStatus], order: Order) -> Vec<&SessionStatus> {
    let mut sessions: Vec<_> = sessions.iter().collect();
    match order {
        Order::Name => {}
        Order::State => sessions.sort_by_key(|session| rank(&session.state)),
        Order::Rate => {
            sessions.sort_by(|a, b| b.events_per_second.total_cmp(&a.events_per_second));
        }
    }
    sessions
}

fn rank(state: &str) -> usize {
    let worst_first = [
        "suspended",
        "reconnecting",
        "connecting",
        "degraded",
        "active",
    ];
    let place = worst_first.iter().position(|known| *known == state);
    place.unwrap_or(worst_first.len())
}

fn session_table(sessions: &[&SessionStatus], view: &View, now: WallTime, out: &mut Lines) {
    let headings = [
        "  SESSION",
        "STATE",
        "SINCE",
        "TRANSPORT",
        "HEARD",
        "EV/S",
        "GAPS",
        "NEXT",
        "WHY",
    ];
    let rows: Vec<_> = sessions
        .iter()
        .enumerate()
        .map(|(index, session)| {
            let mark = if index == view.chosen { ">" } else { " " };
            let open = session.gaps_suspected.saturating_sub(session.gaps_closed);
            let open = open.saturating_sub(session.gaps_confirmed);
            vec![
                format!("{mark} {}", printable(&session.name)),
                session.state.clone(),
                ago(Some(&session.since), now),
                session.transport.replace('_', " "),
                ago(session.last_receive_time.as_deref(), now),
                format!("{:.1}", session.events_per_second),
                format!("{open} open {} lost", session.gaps_confirmed),
                next(session, now),
                printable(&session.reason),
            ]
        })
        .collect();
    let states: Vec<_> = sessions.iter().map(|s| s.state.as_str()).collect();
    out.table(&headings, &rows, &states);
}

fn next(session: &SessionStatus, now: WallTime) -> String {
    let time = session.next_attempt_time.as_deref();
    let due = time.and_then(WallTime::parse_rfc3339);
    match (due, session.failed_attempts) {
        (Some(due), failed) => format!("in {} ({failed} failed)", span(due.since(now))),
        (None, 0) => String::new(),
        (None, failed) => format!("{failed} failed"),
    }
}

fn timeline(session: &SessionStatus, out: &mut Lines) {
    out.line("", "");
    out.line(
        &format!("{}: last changes", printable(&session.name)),
        "dim",
    );
    for change in session.transitions.iter().rev() {
        let time = change.time.get(11..19).unwrap_or(&change.time);
        let line = format!(
            "  {time}  {} → {}  {}  {}",
            change.from,
            change.to,
            change.transport.replace('_', " "),
            printable(&change.cause)
        );
        out.line(line.trim_end(), &change.to);
    }
    for loss in session.losses.iter().rev().take(5) {
        let numbers = match (loss.first_number, loss.last_number) {
            (Some(first), Some(last)) => format!(" {first} to {last}"),
            _ => format!(" {} to {}", loss.start_time, loss.end_time),
        };
        let line = format!("  {}:{numbers}, {}", loss.outcome, printable(&loss.reason));
        out.line(&line, &loss.outcome);
    }
}

fn journal_table(status: &Status, out: &mut Lines) {
    let headings = [
        "  JOURNAL",
        "EARLIEST",
        "LATEST",
        "SIZE",
        "EV/S",
        "EPOCH",
        "TROUBLE",
    ];
    let rows: Vec<_> = status
        .journals
        .iter()
        .map(|journal| {
            vec![
                format!("  {}", printable(&journal.name)),
                journal.earliest_sequence.to_string(),
                journal.latest_sequence.to_string(),
                crate::cli::status::size(journal.size_bytes),
                format!("{:.1}", journal.events_per_second),
                journal.epoch.clone(),
                printable(&journal.trouble),
            ]
        })
        .collect();
    let state = |trouble: &String| if trouble.is_empty() { "" } else { "blocked" };
    let states: Vec<_> = status.journals.iter().map(|j| state(&j.trouble)).collect();
    out.table(&headings, &rows, &states);
}

fn subscriber_table(status: &Status, now: WallTime, out: &mut Lines) {
    let headings = [
        "  READER", "CLIENT", "STATE", "BEHIND", "THROUGH", "PROGRESS", "SENT", "PEER",
    ];
    let mut readers: Vec<_> = status.subscribers.iter().collect();
    readers.sort_by_key(|reader| std::cmp::Reverse(reader.lag));
    let rows: Vec<_> = readers
        .iter()
        .map(|reader| {
            vec![
                format!("  {}", reader.id),
                printable(&reader.client_id),
                reader.state.clone(),
                reader.lag.to_string(),
                reader.through_sequence.to_string(),
                ago(Some(&reader.last_progress_time), now),
                reader.sent_events.to_string(),
                printable(&reader.peer),
            ]
        })
        .collect();
    let states: Vec<_> = readers.iter().map(|r| r.state.as_str()).collect();
    out.table(&headings, &rows, &states);
}

fn ago(time: Option<&str>, now: WallTime) -> String {
    let time = time.and_then(WallTime::parse_rfc3339);
    time.map_or_else(|| "-".to_owned(), |time| span(now.since(time)))
}

fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn status() -> Status {
        let session = |name: &str, state: &str, rate: f64| {
            let session = SessionStatus {
                name: name.to_owned(),
                state: state.to_owned(),
                since: "2026-03-10T09:00:00Z".to_owned(),
                events_per_second: rate,
                reason: "RESET\u{1b}[2J".to_owned(),
                ..SessionStatus::default()
            };
            serde_json::to_value(session).unwrap()
        };
        serde_json::from_value(json!({
            "schema": "tieline.status/v1",
            "time": "2026-03-10T09:02:05Z",
            "process": crate::admin::ProcessStatus::default(),
            "attention": [],
            "sessions": [
                session("a", "active", 1.0),
                session("b", "reconnecting", 0.0),
                session("c", "active", 9.0),
            ],
            "journals": [],
            "subscribers": [],
        }))
        .unwrap()
    }

    fn names(view: &View) -> Vec<String> {
        let lines = lines(&status(), view, Paint::PLAIN, 120);
        let at = lines.iter().position(|l| l.contains("SESSION")).unwrap();
        lines[at + 1..at + 4]
            .iter()
            .map(|l| l.chars().take(3).collect())
            .collect()
    }

    #[test]
    fn sessions_stand_in_the_chosen_order_with_the_chosen_one_marked() {
        let mut view = View::default();
        assert_eq!(names(&view), ["> b", "  a", "  c"]);
        view.order = view.order.next();
        view.chosen = 1;
        assert_eq!(names(&view), ["  a", "> b", "  c"]);
        view.order = view.order.next();
        assert_eq!(names(&view), ["  c", "> a", "  b"]);
    }

    #[test]
    fn a_frame_fits_and_nothing_in_it_moves_the_cursor() {
        let lines = fitting(Some(&status()), &View::default(), (40, 6), Paint::PLAIN);
        assert_eq!(lines.len(), 6);
        for line in &lines {
            assert!(line.chars().count() <= 40, "{line}");
            assert!(!line.contains('\u{1b}'), "{line:?}");
        }
        let whole = whole(&status(), Paint::PLAIN).join("\n");
        assert!(whole.contains("2m05s"), "{whole}");
    }
}
