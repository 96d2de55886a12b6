//! Tells the demo: scenes, what the reader saw, the figures at the end.

use std::io;

use serde_json::json;
use tokio::time::Instant;

use super::stage::Stage;
use super::summary::Summary;
use crate::cli::Output;
use crate::proto::v1;
use v1::event::{Data, Origin};
use v1::session_event::Kind;

/// Events are told by the run: one line for this many at most.
const RUN: u64 = 100;

/// Prints what happens.
#[derive(Debug)]
pub(super) struct Narrator {
    out: Output,
    json: bool,
    began: Instant,
    run: Option<Run>,
}

/// Events of the platform that followed each other.
#[derive(Debug)]
struct Run {
    first: u64,
    last: u64,
    backfilled: bool,
    sample: String,
}

impl Narrator {
    pub(super) fn new(json: bool) -> Self {
        Self {
            out: Output::stdout(),
            json,
            began: Instant::now(),
            run: None,
        }
    }

    pub(super) fn opens(&mut self, stage: &Stage, seed: u64) -> io::Result<()> {
        let platform = stage.sandbox.endpoint();
        if self.json {
            let line = json!({
                "event": "open", "grpc": stage.address, "platform": platform,
                "control": stage.sandbox.control_url(), "journal": stage.journal, "seed": seed,
            });
            return self.print(&line.to_string());
        }
        let dim = |text: String| self.out.paint.dim(text);
        let lines = [
            dim(format!(
                "platform  {platform} (simulated), control {}",
                stage.sandbox.control_url()
            )),
            dim(format!(
                "sidecar   gRPC on {}, journal in {}",
                stage.address,
                stage.journal.display()
            )),
            dim(format!("seed      {seed}")),
        ];
        lines.iter().try_for_each(|line| self.print(line))
    }

    pub(super) fn scene(&mut self, told: &str) -> io::Result<()> {
        self.end_run()?;
        if self.json {
            return self.object(json!({ "event": "scene", "text": told }));
        }
        let line = format!("\n{} {}", self.time(), self.out.paint.bold(told));
        self.print(&line)
    }

    pub(super) fn reader_killed(&mut self, position: &str) -> io::Result<()> {
        if self.json {
            return self.object(json!({ "event": "reader_killed", "position": position }));
        }
        let line = format!("         what it stored: {position}");
        self.print(&line)
    }

    pub(super) fn interrupted(&mut self, cause: &str) -> io::Result<()> {
        self.end_run()?;
        if self.json {
            return self.object(json!({ "event": "interrupted", "cause": cause }));
        }
        let line = format!(
            "{} the reader's stream broke ({cause}), it resumes",
            self.time()
        );
        self.print(&line)
    }

    pub(super) fn events(&mut self, events: &[v1::Event]) -> io::Result<()> {
        for event in events {
            match &event.data {
                Some(Data::SessionEvent(fact)) => {
                    self.end_run()?;
                    self.fact(event.sequence, fact)?;
                }
                _ => self.platform_event(event)?,
            }
        }
        Ok(())
    }

    fn fact(&mut self, sequence: u64, fact: &v1::SessionEvent) -> io::Result<()> {
        if self.json {
            return self.object(json!({
                "event": "fact", "sequence": sequence, "kind": fact.kind().as_str_name(),
                "transport": fact.transport().as_str_name(), "reason": fact.reason,
                "first_missing": fact.first_missing_provider_sequence,
                "last_missing": fact.last_missing_provider_sequence,
            }));
        }
        let (paint, told) = (self.out.paint, sentence(fact));
        let told = match fact.kind() {
            Kind::Connected | Kind::TransportChanged | Kind::GapClosed | Kind::Recovered => {
                paint.green(told)
            }
            Kind::GapConfirmed | Kind::Suspended | Kind::Expired => paint.red(told),
            _ => paint.yellow(told),
        };
        let line = format!("{} {:>7}  {told}", self.time(), format!("#{sequence}"));
        self.print(&line)
    }

    fn platform_event(&mut self, event: &v1::Event) -> io::Result<()> {
        let backfilled = event.origin() == Origin::Backfill;
        match &mut self.run {
            Some(run) if run.backfilled == backfilled && run.last - run.first + 1 < RUN => {
                run.last = event.sequence;
            }
            _ => {
                self.end_run()?;
                self.run = Some(Run {
                    first: event.sequence,
                    last: event.sequence,
                    backfilled,
                    sample: format!("{} {}", event.r#type, event.subject),
                });
            }
        }
        Ok(())
    }

    /// Tells the events that have gathered.
    fn end_run(&mut self) -> io::Result<()> {
        let Some(run) = self.run.take() else {
            return Ok(());
        };
        let count = run.last - run.first + 1;
        if self.json {
            return self.object(json!({
                "event": "events", "first": run.first, "last": run.last, "count": count,
                "backfilled": run.backfilled,
            }));
        }
        let what = match (run.backfilled, count) {
            (true, _) => format!("{count} fetched from the platform's history"),
            (false, 1) => run.sample,
            (false, _) => format!("{count} events, from {}", run.sample),
        };
        let numbers = if count == 1 {
            format!("#{}", run.first)
        } else {
            format!("#{}–{}", run.first, run.last)
        };
        let line = format!("{} {numbers:>7}  {}", self.time(), self.out.paint.dim(what));
        self.print(&line)
    }

    pub(super) fn summary(&mut self, summary: &Summary) -> io::Result<()> {
        self.end_run()?;
        if self.json {
            let mut line = serde_json::to_value(summary).unwrap_or_default();
            if let Some(object) = line.as_object_mut() {
                object.insert("event".to_owned(), "summary".into());
            }
            return self.print(&line.to_string());
        }
        self.print("")?;
        for (name, figure) in summary.rows() {
            self.out.line(format_args!("{figure:>9}  {name}"))?;
        }
        let paint = self.out.paint;
        let verdict = match &summary.verdict.first_violation {
            None => paint.green("Nothing lost, nothing doubled, nothing out of order."),
            Some(violation) => paint.red(format!("The promise was broken: {violation}.")),
        };
        self.print(&format!("\n{verdict}"))
    }

    fn time(&self) -> String {
        let seconds = self.began.elapsed().as_secs_f64();
        self.out.paint.dim(format!("{seconds:6.1} s"))
    }

    fn object(&mut self, mut object: serde_json::Value) -> io::Result<()> {
        if let Some(object) = object.as_object_mut() {
            let millis = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
            object.insert("elapsed_ms".to_owned(), millis.into());
        }
        self.print(&object.to_string())
    }

    fn print(&mut self, line: &str) -> io::Result<()> {
        self.out.line(line)?;
        self.out.flush()
    }
}

fn sentence(fact: &v1::SessionEvent) -> String {
    let transport = match fact.transport() {
        v1::Transport::Websocket => "WebSocket",
        v1::Transport::LongPoll => "long polling",
        v1::Transport::Unspecified => "no transport",
    };
    let missing = || {
        let (first, last) = (
            fact.first_missing_provider_sequence,
            fact.last_missing_provider_sequence,
        );
        if first == last {
            format!("{first}")
        } else {
            format!("{first} to {last}")
        }
    };
    match fact.kind() {
        Kind::Connected => format!("connected over {transport}"),
        Kind::Disconnected => format!("disconnected: {}", fact.reason),
        Kind::TransportChanged => format!("transport is now {transport}"),
        Kind::GapSuspected => format!(
            "gap suspected: the platform's numbers {} are missing",
            missing()
        ),
        Kind::GapClosed => "gap closed: every missing event was fetched".to_owned(),
        Kind::GapConfirmed => format!("gap confirmed: {} ({})", missing(), fact.reason),
        kind => format!("{} {}", kind.as_str_name(), fact.reason),
    }
}
