//! Behaviours of the log as a whole: its levels, its streams, what repeats.

use std::io::Write;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;

use super::*;

#[derive(Debug, Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Kept {
    fn lines(&self) -> Vec<Value> {
        let text = String::from_utf8(self.0.lock().clone()).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    fn messages(&self) -> Vec<String> {
        let message = |line: &Value| line["message"].as_str().unwrap().to_owned();
        self.lines().iter().map(message).collect()
    }
}

/// Logs what `what` does; the log and the audit log.
fn logged(filter: &str, audit: AuditLog, what: impl FnOnce(&LogLevel)) -> (Kept, Kept) {
    let (log_kept, audit_kept) = (Kept::default(), Kept::default());
    let options = LogOptions {
        filter: filter.to_owned(),
        format: LogFormat::Json,
        audit,
    };
    let (writer, flush) = LineWriter::start(log_kept.clone(), 4096, true).unwrap();
    let own = matches!(options.audit, AuditLog::File(_) | AuditLog::Stderr);
    let (audit, audit_flush) = LineWriter::start(audit_kept.clone(), 4096, true).unwrap();
    let shape = Shape {
        json: true,
        colour: false,
    };
    let (log, level) = log(&options, shape, writer, own.then_some(audit)).unwrap();
    tracing::subscriber::with_default(log, || {
        tracing::callsite::rebuild_interest_cache();
        what(&level);
    });
    drop((flush, audit_flush));
    (log_kept, audit_kept)
}

fn say() {
    tracing::debug!("Detail");
    tracing::info!("News");
    tracing::debug!(target: AUDIT, "Sent");
}

#[test]
fn the_level_changes_while_the_process_runs_and_a_wrong_one_changes_nothing() {
    let (log, _) = logged("info", AuditLog::Nowhere, |level| {
        say();
        assert_eq!(level.set("tieline=debug").unwrap(), "info");
        say();
        level.set("tieline=loud").unwrap_err();
        assert_eq!(level.directives(), "tieline=debug");
        level.set("error").unwrap();
        say();
    });
    assert_eq!(log.messages(), ["News", "Detail", "News"]);
}

#[test]
fn what_holds_customers_words_is_never_let_through() {
    let (log, _) = logged("info", AuditLog::Nowhere, |level| {
        level.set("trace").unwrap();
        tracing::trace!(target: "tungstenite::protocol", "A frame");
        tracing::trace!("Ours");
    });
    assert_eq!(log.messages(), ["Ours"]);
}

#[test]
fn the_audit_log_is_a_stream_of_its_own_or_with_the_rest_or_nowhere() {
    let file = AuditLog::File("unused".into());
    let (log, audit) = logged("info", file, |_| say());
    assert_eq!(
        (log.messages(), audit.messages()),
        (vec!["News".to_owned()], vec!["Sent".to_owned()])
    );
    let wanted = "info,tieline::audit=debug";
    let (log, audit) = logged(wanted, AuditLog::WithTheRest, |_| say());
    assert_eq!(log.messages(), ["News", "Sent"]);
    assert!(audit.messages().is_empty());
    let (log, audit) = logged(wanted, AuditLog::Nowhere, |_| say());
    assert_eq!(log.messages(), ["News"]);
    assert!(audit.messages().is_empty());
}

#[test]
fn what_is_logged_within_a_span_says_which_trace_it_belongs_to() {
    use super::traces::{SpanKind, Tracer};
    let (tracer, _spans) = Tracer::recording(&Clock::system(), &[]);
    let span = tracer.start(SpanKind::Client, || "connect a").unwrap();
    let (log, _) = logged("info", AuditLog::Nowhere, |_| {
        let _within = span.in_log().entered();
        tracing::info!("News");
    });
    let line = &log.lines()[0]["span"];
    let context = span.context().unwrap().to_string();
    let parts: Vec<&str> = context.split('-').collect();
    assert_eq!(
        (line["trace_id"].as_str(), line["span_id"].as_str()),
        (Some(parts[1]), Some(parts[2]))
    );
}

#[test]
fn a_warning_that_repeats_is_written_a_few_times_and_then_counted() {
    let (log, _) = logged("info", AuditLog::Nowhere, |_| {
        for number in 0..1000 {
            tracing::warn!(number, "Again");
            tracing::info!("News");
        }
        tracing::warn!("Another");
    });
    let lines = log.lines();
    let count = |message: &str| lines.iter().filter(|l| l["message"] == message).count();
    assert_eq!(count("Again"), 20);
    assert_eq!(count("News"), 1000, "what is no warning has its own bounds");
    assert_eq!(count("Another"), 1);
    let held = lines.iter().filter_map(|line| line["held_back"].as_u64());
    assert_eq!(held.sum::<u64>(), 980);
}
