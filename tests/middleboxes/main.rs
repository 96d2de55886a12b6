//! Sessions of the real binary behind real middleboxes and a fault proxy of our own, each judged by its
//! platform's oracle. `tests/middleboxes/run` installs what this needs and asks for it; without being
//! asked it does nothing, because it takes minutes.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a table for people"
)]

mod boxes;
mod meddler;
mod platform;
mod process;
mod row;
mod rows;
mod sidecar;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tieline::proto::v1::Transport;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use row::{Came, Row};

/// Rows at once: they wait more than they work.
const AT_ONCE: usize = 6;
const LONGEST: Duration = Duration::from_secs(120);
/// As the scripts beside this one use it: something could not be run.
const NOT_RUN: u8 = 77;

enum Outcome {
    Held(Came),
    Failed(String),
    NotRun(&'static str),
}

fn main() -> Result<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() != Some("--run") {
        println!("not asked: tests/middleboxes/run does");
        return Ok(ExitCode::SUCCESS);
    }
    let wanted: Vec<String> = arguments.collect();
    let mut rows = rows::all();
    rows.retain(|row| wanted.is_empty() || wanted.iter().any(|part| title(row).contains(part)));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    // Whoever is first sets it; the others find it set.
    drop(rustls::crypto::ring::default_provider().install_default());
    let outcomes = runtime.block_on(run(rows))?;
    for (row, outcome) in &outcomes {
        print_row(row, outcome);
    }
    let count = |test: fn(&Outcome) -> bool| outcomes.iter().filter(|(_, o)| test(o)).count();
    let failed = count(|outcome| matches!(outcome, Outcome::Failed(_)));
    let not_run = count(|outcome| matches!(outcome, Outcome::NotRun(_)));
    let held = outcomes.len() - failed - not_run;
    println!("\n{held} rows held, {failed} failed, {not_run} not run");
    Ok(match (failed, not_run, held) {
        (1.., ..) | (0, 0, 0) => ExitCode::FAILURE,
        (0, 1.., _) => ExitCode::from(NOT_RUN),
        (0, 0, _) => ExitCode::SUCCESS,
    })
}

/// Every row in its order, with what came of it.
async fn run(rows: Vec<Row>) -> Result<Vec<(Row, Outcome)>> {
    let scratch = tempfile::tempdir()?;
    let permits = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = JoinSet::new();
    for (index, row) in rows.into_iter().enumerate() {
        let permits = Arc::clone(&permits);
        let folder = scratch.path().join(index.to_string());
        running.spawn(async move {
            let _permit = permits.acquire().await;
            let outcome = outcome(&row, &folder).await;
            (index, row, outcome)
        });
    }
    let mut outcomes = Vec::new();
    while let Some(ended) = running.join_next().await {
        let (index, row, outcome) = ended?;
        if let Outcome::Failed(why) = &outcome {
            eprintln!("{}: {why}", title(&row));
            print_end(&scratch.path().join(index.to_string()));
        }
        outcomes.push((index, row, outcome));
    }
    outcomes.sort_by_key(|(index, ..)| *index);
    Ok(outcomes.into_iter().map(|(_, row, o)| (row, o)).collect())
}

async fn outcome(row: &Row, folder: &std::path::Path) -> Outcome {
    if let Some(program) = row.program()
        && !is_installed(program)
    {
        return Outcome::NotRun(program);
    }
    if let Err(error) = open_folder(folder) {
        return Outcome::Failed(format!("{error:#}"));
    }
    match timeout(LONGEST, row.run(folder)).await {
        Ok(Ok(came)) => Outcome::Held(came),
        Ok(Err(error)) => Outcome::Failed(format!("{error:#}")),
        Err(_) => Outcome::Failed(format!("not over within {LONGEST:?}")),
    }
}

/// The last lines that a sidecar said.
fn print_end(folder: &std::path::Path) {
    let log = std::fs::read_to_string(folder.join("tieline.log")).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    for line in lines.iter().skip(lines.len().saturating_sub(15)) {
        eprintln!("    {line}");
    }
}

/// squid, started by root, goes on as another user and has to get here.
fn open_folder(folder: &std::path::Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::create_dir_all(folder)?;
    for folder in [Some(folder), folder.parent()].into_iter().flatten() {
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn title(row: &Row) -> String {
    format!("{} | {} | {}", row.name, row.platform.name(), row.transport)
}

fn print_row(row: &Row, outcome: &Outcome) {
    let title = title(row);
    match outcome {
        Outcome::Held(came) => {
            let transport = match (row.results, came.transport) {
                (None, _) => "none, then WebSocket",
                (_, Transport::Websocket) => "WebSocket",
                (_, Transport::LongPoll) => "long poll",
                _ => "none",
            };
            let (silence, ends) = (came.silence.as_secs_f64(), came.disconnected);
            let judged = &came.judgement;
            println!(
                "| {title} | {transport} | {silence:.1} s | {ends} | {} | {} | {} in {} windows | {} |",
                judged.issued, judged.delivered, judged.on_record, came.windows, judged.lost
            );
        }
        Outcome::Failed(why) => println!("| {title} | FAILED: {why} |"),
        Outcome::NotRun(program) => println!("| {title} | not run: {program} is not installed |"),
    }
}
