//! A soak: the real binary between three simulated platforms whose tokens and channels live for
//! seconds, with a fault every five seconds, for as long as it is told. Without being told it does
//! nothing, because it takes minutes.

#![expect(
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a table for people; three platforms, by their numbers"
)]

mod figures;
mod place;
#[expect(dead_code, reason = "also of those that soak nothing")]
#[path = "../middleboxes/platform.rs"]
mod platform;
#[expect(dead_code, reason = "also of those that soak nothing")]
#[path = "../middleboxes/process.rs"]
mod process;
mod readers;
mod report;
mod run;
mod trouble;

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use tieline::runtime::{HumanDuration, Rng};

/// What was asked for.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) length: std::time::Duration,
    /// Events of the platform that has the most, in a second.
    pub(crate) rate: f64,
    pub(crate) rng: Rng,
    /// Only what has this in its name goes wrong.
    pub(crate) only: String,
}

fn main() -> Result<ExitCode> {
    let Some(asked) = asked(std::env::args().skip(1))? else {
        println!(
            "not asked: cargo test --release --test soak -- --for 60m [--rate 500] [--seed 1] [--only freeze]"
        );
        return Ok(ExitCode::SUCCESS);
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    // Whoever is first sets it; the others find it set.
    drop(rustls::crypto::ring::default_provider().install_default());
    let complaints = runtime.block_on(run::soak(&asked))?;
    for complaint in &complaints {
        println!("FAILED: {complaint}");
    }
    Ok(if complaints.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn asked(mut arguments: impl Iterator<Item = String>) -> Result<Option<Asked>> {
    let (mut length, mut rate, mut rng) = (None, 500.0, Rng::from_entropy());
    let mut only = String::new();
    while let Some(name) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .with_context(|| format!("{name} wants a value"))
        };
        match name.as_str() {
            "--for" => length = Some(value()?.parse::<HumanDuration>()?.0),
            "--rate" => rate = value()?.parse()?,
            "--seed" => rng = Rng::from_seed(value()?.parse()?),
            "--only" => only = value()?,
            // Of cargo's own for all tests.
            "--quiet" | "--nocapture" => {}
            _ if length.is_none() => return Ok(None),
            _ => bail!("there is no {name}"),
        }
    }
    Ok(length.map(|length| Asked {
        length,
        rate,
        rng,
        only,
    }))
}
