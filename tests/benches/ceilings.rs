//! The bench suite: what Tieline does beside what a bare program does with the same bytes.
//!
//! `cargo bench --bench ceilings` prints every row, `-- --quick` in a minute or two and less surely,
//! `-- append` the rows whose title contains the word. A row is a list of contenders, the first of
//! which is the ceiling. They run in turn, round after round, and the median of the ratios counts:
//! machines are shared, and what disturbs one contender disturbs its neighbour. No figure fails.

mod fixtures;
mod harness;
mod machine;
mod process;
mod rows;
mod sidecar;
mod source;

use harness::Effort;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let asked_by_bench = arguments.iter().any(|a| a == "--bench");
    let quick = !asked_by_bench || arguments.iter().any(|a| a == "--quick");
    let effort = Effort { quick };
    let words: Vec<&String> = arguments.iter().filter(|a| !a.starts_with("--")).collect();
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("benches");
    std::fs::create_dir_all(&folder)?;
    print(&machine::describe(&folder));
    print(&fixtures::describe());
    print(&effort.describe());
    print(harness::HEAD);
    for mut row in rows::all(&folder) {
        if words.is_empty() || words.iter().any(|word| row.title.contains(*word)) {
            print(&row.measure(&effort)?);
        }
    }
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

#[expect(clippy::print_stdout, reason = "figures are read by people")]
fn print(text: &str) {
    println!("{text}");
}
