//! [`LineWriter`]: hands log lines to a thread and never waits for it.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tracing_subscriber::fmt::MakeWriter;

/// How long the end of the process waits for its last lines.
const FLUSH_DEADLINE: Duration = Duration::from_secs(1);

/// Takes lines without ever waiting: a line that finds the queue full is dropped and counted.
#[derive(Debug, Clone)]
pub struct LineWriter {
    lines: SyncSender<Vec<u8>>,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    /// Lines that found the queue full since this was last reported.
    dropped: AtomicU64,
    /// Lines taken into the queue.
    taken: AtomicU64,
    /// Lines that left it.
    written: Mutex<u64>,
    progress: Condvar,
}

/// Waits, for a bounded time, until what was logged is written: when dropped.
#[derive(Debug)]
#[must_use = "the last lines are lost when this is dropped early"]
pub struct Flush(Arc<Counts>);

impl LineWriter {
    /// Starts the thread that writes to `out`; at most `bound` lines wait for it.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(
        out: impl Write + Send + 'static,
        bound: usize,
        json: bool,
    ) -> io::Result<(Self, Flush)> {
        let (lines, waiting) = sync_channel(bound);
        let counts = Arc::new(Counts::default());
        let theirs = Arc::clone(&counts);
        let _detached = std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write_lines(out, &waiting, &theirs, json))?;
        let flush = Flush(Arc::clone(&counts));
        Ok((Self { lines, counts }, flush))
    }

    /// Takes one line, or drops and counts it.
    fn take(&self, line: &[u8]) {
        // Counted before it is sent, so that a flush never misses a line that is on its way.
        self.counts.taken.fetch_add(1, Ordering::SeqCst);
        match self.lines.try_send(line.to_vec()) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.counts.dropped.fetch_add(1, Ordering::SeqCst);
                super::stats().lines_dropped.one();
                *self.counts.written.lock() += 1;
            }
        }
    }
}

fn write_lines(mut out: impl Write, waiting: &Receiver<Vec<u8>>, counts: &Counts, json: bool) {
    while let Ok(line) = waiting.recv() {
        // Nobody is left to tell when standard error is closed; the queue must still drain.
        let _nobody_to_tell = out.write_all(&line).is_ok();
        let dropped = counts.dropped.swap(0, Ordering::SeqCst);
        if dropped > 0 {
            let _nobody_to_tell = out
                .write_all(dropped_line(dropped, json).as_bytes())
                .is_ok();
        }
        *counts.written.lock() += 1;
        counts.progress.notify_all();
    }
}

fn dropped_line(count: u64, json: bool) -> String {
    if json {
        format!("{{\"level\":\"WARN\",\"message\":\"Log lines dropped\",\"dropped\":{count}}}\n")
    } else {
        format!(" WARN Log lines dropped dropped={count}\n")
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        let taken = self.0.taken.load(Ordering::SeqCst);
        let mut written = self.0.written.lock();
        let _timed_out = self
            .0
            .progress
            .wait_while_for(&mut written, |written| *written < taken, FLUSH_DEADLINE)
            .timed_out();
    }
}

/// One line on its way; the formatter writes a whole line at once.
#[derive(Debug)]
pub struct Line<'a>(&'a LineWriter);

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.take(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LineWriter {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        Line(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sink that holds its first write until told to go on.
    struct Gate {
        open: Receiver<()>,
        opened: bool,
        into: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if !self.opened {
                self.open.recv().unwrap();
                self.opened = true;
            }
            self.into.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_stalled_reader_costs_counted_lines_and_no_time() {
        let (open, gate) = sync_channel(1);
        let into = Arc::new(Mutex::new(Vec::new()));
        let sink = Gate {
            open: gate,
            opened: false,
            into: Arc::clone(&into),
        };
        let (writer, flush) = LineWriter::start(sink, 2, false).unwrap();
        // At most one line is held by the sink and two wait: the rest cannot be kept.
        for number in 0..10 {
            writer
                .make_writer()
                .write_all(format!("line {number}\n").as_bytes())
                .unwrap();
        }
        open.send(()).unwrap();
        drop(flush);
        let text = String::from_utf8(into.lock().clone()).unwrap();
        let kept = text.matches("line ").count();
        assert!((2..=3).contains(&kept), "{text}");
        let dropped = format!("dropped={}", 10 - kept);
        assert!(text.contains(&dropped), "{text}");
    }

    #[test]
    fn everything_logged_is_written_before_the_process_ends() {
        let into = Arc::new(Mutex::new(Vec::new()));
        let (open, gate) = sync_channel(1);
        open.send(()).unwrap();
        let sink = Gate {
            open: gate,
            opened: false,
            into: Arc::clone(&into),
        };
        let (writer, flush) = LineWriter::start(sink, 1000, true).unwrap();
        for _ in 0..1000 {
            writer.make_writer().write_all(b"x\n").unwrap();
        }
        drop(flush);
        assert_eq!(into.lock().len(), 2000);
    }
}
