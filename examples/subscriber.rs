//! A reader that goes on where it left off: all that an application needs.
//!
//! ```text
//! cargo run --no-default-features --features client --example subscriber
//! ```

#![expect(clippy::print_stdout, reason = "it prints what it reads")]

use tieline::client::{FileStore, GapChoice, Start, Subscriber};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sidecar = "unix:/run/tieline/tieline.sock".parse()?;
    Subscriber::new(sidecar, Start::Earliest, |_gone| GapChoice::Earliest)
        .store(FileStore::new("position"))
        .run(async |batch| {
            for event in batch.events {
                println!("{} {}", event.sequence, event.r#type);
            }
            Ok::<_, std::io::Error>(())
        })
        .await?;
    Ok(())
}
