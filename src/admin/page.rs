//! The console's page with its first state in it, so that it can be read without JavaScript. Pure.
//! Whatever comes from a platform or a caller is escaped.

use std::fmt::Write as _;

use super::status::{JournalStatus, SessionStatus, Status, SubscriberStatus};

const TEMPLATE: &str = include_str!("console/index.html");

/// The whole page.
pub(super) fn render(status: &Status) -> String {
    let process = &status.process;
    let reload = match &process.reload {
        None => "none since the start".to_owned(),
        Some(last) if last.applied => format!("applied at {}", last.time),
        Some(last) => format!("refused at {}: {}", last.time, last.message),
    };
    let attention: String = status.attention.iter().fold(String::new(), |list, one| {
        let (what, why) = (escaped(&one.what), escaped(&one.why));
        list + &format!("<li><b>{what}</b> {why}</li>")
    });
    let places = [
        ("{{ready}}", escaped(&process.readiness())),
        ("{{version}}", escaped(&process.version)),
        ("{{started}}", escaped(&process.start_time)),
        ("{{config}}", escaped(&process.config_hash)),
        ("{{reload}}", escaped(&reload)),
        (
            "{{telemetry}}",
            escaped(process.telemetry.as_deref().unwrap_or("off")),
        ),
        ("{{time}}", escaped(&status.time)),
        ("{{attention}}", attention),
        ("{{sessions}}", all(&status.sessions, session)),
        ("{{journals}}", all(&status.journals, journal)),
        ("{{subscribers}}", all(&status.subscribers, subscriber)),
        ("{{losses}}", all(&status.sessions, losses)),
        ("{{timeline}}", all(&status.sessions, timeline)),
    ];
    let mut page = String::with_capacity(TEMPLATE.len() + 4096);
    let mut rest = TEMPLATE;
    // One pass: what is put in is never looked at for further places.
    while let Some((before, after)) = rest.split_once("{{") {
        page.push_str(before);
        let Some((name, behind)) = after.split_once("}}") else {
            break;
        };
        let place = format!("{{{{{name}}}}}");
        if let Some((_, text)) = places.iter().find(|(own, _)| *own == place) {
            page.push_str(text);
        }
        rest = behind;
    }
    page.push_str(rest);
    page
}

fn all<T>(items: &[T], row: fn(&T) -> String) -> String {
    items.iter().map(row).collect()
}

fn cells(cells: &[&str]) -> String {
    let mut row = String::from("<tr>");
    for (index, cell) in cells.iter().enumerate() {
        let (open, close) = match index {
            0 => ("<th scope=\"row\">", "</th>"),
            _ => ("<td>", "</td>"),
        };
        // Writing to a string cannot fail.
        let _always = write!(row, "{open}{}{close}", escaped(cell)).is_ok();
    }
    row + "</tr>"
}

fn session(session: &SessionStatus) -> String {
    let topics = match session.rejected_topics {
        0 => session.topics.to_string(),
        rejected => format!(
            "{} of {}",
            session.topics.saturating_sub(rejected),
            session.topics
        ),
    };
    let next = session.next_attempt_time.as_deref().unwrap_or_default();
    let attempt = match session.failed_attempts {
        0 => next.to_owned(),
        failed => format!("{failed} failed, next {next}"),
    };
    cells(&[
        &session.name,
        &session.state,
        &session.since,
        &session.reason,
        &session.transport,
        &attempt,
        session.token_expire_time.as_deref().unwrap_or_default(),
        &topics,
        session.last_receive_time.as_deref().unwrap_or_default(),
        &session.events_per_second.to_string(),
        &format!(
            "{} open, {} lost",
            session
                .gaps_suspected
                .saturating_sub(session.gaps_closed + session.gaps_confirmed),
            session.gaps_confirmed
        ),
    ])
}

fn timeline(session: &SessionStatus) -> String {
    let row = |t: &super::status::TransitionStatus| {
        let change = format!("{} to {}", t.from, t.to);
        cells(&[&t.time, &session.name, &change, &t.transport, &t.cause])
    };
    session.transitions.iter().map(row).collect()
}

fn losses(session: &SessionStatus) -> String {
    let row = |loss: &super::status::LossStatus| {
        let numbers = match (loss.first_number, loss.last_number) {
            (Some(first), Some(last)) => format!("{first} to {last}"),
            _ => String::new(),
        };
        let times = format!("{} to {}", loss.start_time, loss.end_time);
        cells(&[&session.name, &loss.outcome, &loss.reason, &numbers, &times])
    };
    session.losses.iter().map(row).collect()
}

fn journal(journal: &JournalStatus) -> String {
    cells(&[
        &journal.name,
        &journal.epoch,
        &journal.earliest_sequence.to_string(),
        &journal.latest_sequence.to_string(),
        &journal.size_bytes.to_string(),
        journal.earliest_time.as_deref().unwrap_or_default(),
        &journal.events_per_second.to_string(),
        &journal.trouble,
    ])
}

fn subscriber(subscriber: &SubscriberStatus) -> String {
    cells(&[
        &subscriber.id.to_string(),
        &subscriber.client_id,
        &subscriber.peer,
        &subscriber.journal,
        &subscriber.state,
        &subscriber.lag.to_string(),
        &subscriber.through_sequence.to_string(),
        &subscriber.last_progress_time,
        &subscriber.sent_events.to_string(),
        &subscriber.filter,
    ])
}

/// Safe as text and as the value of an attribute.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            _ => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::status::{ProcessStatus, SCHEMA};

    #[test]
    fn what_a_platform_says_stays_text() {
        let hostile = "</td><script>alert('{{version}}')</script>";
        let status = Status {
            schema: SCHEMA.to_owned(),
            time: String::new(),
            process: ProcessStatus::default(),
            attention: Vec::new(),
            sessions: vec![SessionStatus {
                reason: hostile.to_owned(),
                ..SessionStatus::default()
            }],
            journals: Vec::new(),
            subscribers: vec![SubscriberStatus {
                client_id: hostile.to_owned(),
                ..SubscriberStatus::default()
            }],
        };
        let page = render(&status);
        assert!(!page.contains("<script>alert"), "{page}");
        let told = "&lt;/td&gt;&lt;script&gt;alert(&#39;{{version}}&#39;)&lt;/script&gt;";
        assert_eq!(page.matches(told).count(), 2, "{page}");
        let left = page.replace(told, "");
        assert!(!left.contains("{{"), "a place was left empty: {left}");
    }

    #[test]
    fn the_page_and_what_it_loads_stay_small() {
        let bytes = TEMPLATE.len()
            + include_str!("console/style.css").len()
            + include_str!("console/app.js").len();
        assert!(bytes <= 150 * 1024, "{bytes} bytes");
    }
}
