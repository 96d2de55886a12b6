//! A reader that writes down what it got, for a comparison with what the journal holds.
//!
//! ```text
//! check --target 127.0.0.1:7443 --journal journals/default --store position --out events [--ca F] [--token-file F]
//! ```
//!
//! Appends a line `epoch sequence id` for each event to `--out` before its position is stored. Begins
//! with the earliest event where none is stored, ends with status 0 at SIGTERM.

use std::collections::HashMap;
use std::error::Error;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;

use tieline::client::{Batch, Credentials, FileStore, GapChoice, Start, Subscriber};
use tokio::signal::unix::{SignalKind, signal};

type Failure = Box<dyn Error + Send + Sync>;

const KNOWN: [&str; 6] = ["target", "ca", "token-file", "journal", "store", "out"];

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut args = args()?;
    let credentials = Credentials {
        ca_file: args.remove("ca").map(Into::into),
        token_file: args.remove("token-file").map(Into::into),
        ..Credentials::default()
    };
    let mut take = |key: &str| args.remove(key).ok_or(format!("--{key} is missing"));
    let mut out = File::options()
        .create(true)
        .append(true)
        .open(take("out")?)?;
    let mut ends = signal(SignalKind::terminate())?;
    let stop = async move {
        ends.recv().await;
    };
    Subscriber::new(take("target")?.parse()?, Start::Earliest, |_gone| {
        GapChoice::Stop
    })
    .credentials(credentials)
    .journal(take("journal")?)
    .store(FileStore::new(take("store")?))
    .on_interruption(|interruption| complain(&interruption.cause))
    .run_until(stop, async |batch| write(&mut out, &batch))
    .await?;
    Ok(())
}

fn write(out: &mut File, batch: &Batch) -> Result<(), Failure> {
    let mut lines = String::new();
    for event in &batch.events {
        let epoch = &batch.position.epoch;
        writeln!(lines, "{epoch} {} {}", event.sequence, event.id)?;
    }
    Ok(out.write_all(lines.as_bytes())?)
}

#[expect(clippy::print_stderr, reason = "it is a program for a terminal")]
fn complain(cause: &dyn std::fmt::Display) {
    eprintln!("{cause}");
}

/// `--key value`, each at most once.
fn args() -> Result<HashMap<String, String>, Failure> {
    let mut args = HashMap::new();
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let key = word.strip_prefix("--").filter(|key| KNOWN.contains(key));
        let key = key.ok_or(format!("'{word}' is not one of --{}", KNOWN.join(", --")))?;
        let value = words.next().ok_or(format!("{word} has no value"))?;
        args.insert(key.to_owned(), value);
    }
    Ok(args)
}
