//! What the suite is asked for.

use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  cargo bench --locked --bench ceilings
      every row; some twenty minutes
  cargo bench --locked --bench ceilings -- --quick
      every row in little more than a minute: shows that they run, nothing to quote
  cargo bench --locked --bench ceilings -- --only latency --only 'ingest to'
      the rows whose titles contain one of these
  cargo bench --locked --bench ceilings -- --peers --plot target/figures.svg
      with what other programs do with the same events, and a plot of the ratios
";

/// Measures Tieline beside bare programs that move the same bytes, and beside other programs.
///
/// Prints a table as it goes. Figures are read by people: a target that is missed fails nothing, a
/// row that cannot be measured does.
#[derive(Debug, clap::Parser)]
#[command(
    name = "ceilings",
    bin_name = "cargo bench --locked --bench ceilings --",
    after_help = EXAMPLES
)]
pub(crate) struct Options {
    /// Takes short samples, and few of them.
    #[arg(long)]
    pub(crate) quick: bool,

    /// Measures only rows whose title contains this; may be given several times.
    #[arg(long, value_name = "ROW")]
    only: Vec<String>,

    /// Prints the titles of the rows and measures nothing.
    #[arg(long)]
    pub(crate) list: bool,

    /// Runs NATS JetStream, Redis Streams, S2-lite, a consumer in Node.js, fjall and redb on the same
    /// work.
    ///
    /// tests/benches/peers/install brings what is missing, which may take many minutes once. What
    /// cannot be had stands in the table as not run.
    #[arg(long)]
    pub(crate) peers: bool,

    /// Writes a bar plot of every ratio that has a target.
    #[arg(long, value_name = "FILE.svg")]
    pub(crate) plot: Option<PathBuf>,

    /// What cargo says to a bench; without it, as in `cargo test --benches`, the suite is quick.
    #[arg(long, hide = true)]
    pub(crate) bench: bool,
}

impl Options {
    /// Whether a row of this title is asked for.
    pub(crate) fn wants(&self, title: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|part| title.contains(part))
    }
}
