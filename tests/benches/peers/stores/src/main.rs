//! Appends events to fjall or redb, so many in each synced commit: `stores fjall|redb FOLDER`, then a
//! line `GROUP BYTES MILLISECONDS` for each sample on standard input, answered by `EVENTS NANOSECONDS`.

use std::error::Error;
use std::io::{BufRead as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use redb::{Durability, TableDefinition};

const EVENTS: TableDefinition<u64, &[u8]> = TableDefinition::new("events");

type Result<T> = std::result::Result<T, Box<dyn Error>>;

enum Store {
    Fjall(Database, Keyspace),
    Redb(redb::Database),
}

impl Store {
    fn open(name: &str, folder: &Path) -> Result<Self> {
        match name {
            "fjall" => {
                let database = Database::builder(folder.join(name)).open()?;
                let events = database.keyspace("events", KeyspaceCreateOptions::default)?;
                Ok(Self::Fjall(database, events))
            }
            "redb" => Ok(Self::Redb(redb::Database::create(folder.join(name))?)),
            _ => Err(format!("no store is called '{name}'").into()),
        }
    }

    /// Stores and syncs events numbered from `first`.
    fn append(&self, first: u64, count: u64, event: &[u8]) -> Result<()> {
        match self {
            Self::Fjall(database, events) => {
                let mut batch = database.batch();
                for number in first..first + count {
                    batch.insert(events, number.to_be_bytes(), event);
                }
                batch.commit()?;
                database.persist(PersistMode::SyncData)?;
            }
            Self::Redb(database) => {
                let mut write = database.begin_write()?;
                write.set_durability(Durability::Immediate)?;
                let mut table = write.open_table(EVENTS)?;
                for number in first..first + count {
                    table.insert(number, event)?;
                }
                drop(table);
                write.commit()?;
            }
        }
        Ok(())
    }
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, name, folder] = arguments.as_slice() else {
        return Err("usage: stores fjall|redb FOLDER".into());
    };
    let store = Store::open(name, Path::new(folder))?;
    let mut next = 0;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let numbers: Vec<u64> = line
            .split(' ')
            .map(str::parse)
            .collect::<std::result::Result<_, _>>()?;
        let [group, bytes, milliseconds] = numbers.as_slice() else {
            return Err(format!("'{line}' is not GROUP BYTES MILLISECONDS").into());
        };
        let event = vec![b'x'; usize::try_from(*bytes)?];
        let (first, started) = (next, Instant::now());
        while started.elapsed() < Duration::from_millis(*milliseconds) {
            store.append(next, *group, &event)?;
            next += group;
        }
        let elapsed = started.elapsed().as_nanos();
        writeln!(std::io::stdout(), "{} {elapsed}", next - first)?;
    }
    Ok(())
}
