//! The bench suite: what Tieline does beside what bare programs, and other programs, do with the same
//! events. `cargo bench --locked --bench ceilings -- --help` says what it can be asked.
//!
//! A row is a list of contenders, the first of which is the ceiling. They run in turn, round after
//! round, and the median of the ratios counts: machines are shared, and what disturbs one contender
//! disturbs its neighbour. A target that is missed fails nothing.

mod effort;
mod figure;
mod fixtures;
mod folder;
mod harness;
mod machine;
mod options;
mod pace;
mod peers;
mod plot;
mod process;
mod rows;
mod sidecar;
mod source;
mod table;

use std::process::ExitCode;

use clap::Parser as _;
use tieline::runtime::MonoTime;
use tikv_jemallocator::Jemalloc;

use effort::Effort;
use options::Options;
use plot::Plot;

/// As the program that is measured has it.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> anyhow::Result<ExitCode> {
    let options = Options::parse();
    let effort = Effort {
        quick: options.quick || !options.bench,
    };
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("benches");
    let rows = rows::all(&folder, options.peers);
    let rows = rows.into_iter().filter(|row| options.wants(&row.title));
    if options.list {
        rows.for_each(|row| print(&row.title));
        return Ok(ExitCode::SUCCESS);
    }
    folder::emptied(&folder)?;
    // Whoever is first sets it; the others find it set.
    drop(rustls::crypto::ring::default_provider().install_default());
    let machine = machine::describe(&folder);
    print(&machine);
    print(&fixtures::describe());
    print(&effort.describe());
    print(table::HEAD);
    let started = MonoTime::now();
    let mut plot = Plot::default();
    let mut failures = 0;
    for mut row in rows {
        match row.measure(&effort) {
            Ok(()) => {
                print(&table::lines(&row));
                plot.add(&row);
            }
            Err(error) => {
                print(&table::failure(&row, &error));
                failures += 1;
            }
        }
    }
    print(&format!("\nMeasured in {} s", started.elapsed().as_secs()));
    std::fs::remove_dir_all(&folder)?;
    if let Some(file) = &options.plot {
        let about = format!("{machine}. {}", effort.describe());
        std::fs::write(file, plot.draw(&about))?;
    }
    Ok(if failures == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

#[expect(clippy::print_stdout, reason = "figures are read by people")]
fn print(text: &str) {
    println!("{text}");
}
