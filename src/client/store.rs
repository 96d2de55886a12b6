//! [`Store`]: where a subscriber keeps its position, and [`FileStore`], which keeps it in a file.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use async_trait::async_trait;

use crate::proto::v1;
use crate::runtime::offload;

/// No position is longer.
const LONGEST: u64 = 4096;

/// Keeps the position of one subscriber. One that stores it with the effect of its events, in one
/// transaction, has each effect once; any other may see the events since the last save again.
#[async_trait]
pub trait Store: Send {
    /// What was saved last; `None` where nothing was yet.
    ///
    /// # Errors
    /// When it cannot be read: that is not the same as nothing.
    async fn load(&mut self) -> io::Result<Option<v1::Position>>;

    /// Saves a position in place of the last.
    ///
    /// # Errors
    /// When it cannot be written. The last one must then still be there.
    async fn save(&mut self, position: v1::Position) -> io::Result<()>;
}

/// A file with one line, `epoch/sequence`, that is replaced as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileStore {
    path: PathBuf,
}

impl FileStore {
    /// Keeps the position in the file at `path`, whose directory exists. Each subscriber has its own.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }
}

#[async_trait]
impl Store for FileStore {
    async fn load(&mut self) -> io::Result<Option<v1::Position>> {
        let path = self.path.clone();
        offload(move || load(&path)).await?
    }

    async fn save(&mut self, position: v1::Position) -> io::Result<()> {
        let path = self.path.clone();
        offload(move || save(&path, &position)).await?
    }
}

fn load(path: &Path) -> io::Result<Option<v1::Position>> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(LONGEST).read_to_string(&mut text));
    match read {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(named(path, "read", &error)),
    }
    position(text.trim_end()).map(Some).ok_or_else(|| {
        let why = format!(
            "{} holds '{}', which is no position; remove it to begin at the start again",
            path.display(),
            text.trim_end().escape_debug()
        );
        io::Error::new(io::ErrorKind::InvalidData, why)
    })
}

/// A crash at any moment leaves the former position or this one.
fn save(path: &Path, position: &v1::Position) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let written = File::create(&beside).and_then(|mut file| {
        file.write_all(format!("{}/{}\n", position.epoch, position.sequence).as_bytes())?;
        file.sync_data()
    });
    written.map_err(|error| named(&beside, "write", &error))?;
    fs::rename(&beside, path).map_err(|error| named(path, "replace", &error))
}

fn position(text: &str) -> Option<v1::Position> {
    let (epoch, sequence) = text.split_once('/')?;
    let plain = !epoch.is_empty() && epoch.bytes().all(|byte| byte.is_ascii_alphanumeric());
    plain.then_some(())?;
    Some(v1::Position {
        epoch: epoch.to_owned(),
        sequence: sequence.parse().ok()?,
    })
}

fn named(path: &Path, what: &str, error: &io::Error) -> io::Error {
    io::Error::new(
        error.kind(),
        format!("{what} the position in {}: {error}", path.display()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(sequence: u64) -> v1::Position {
        v1::Position {
            epoch: "00000000000000e1".to_owned(),
            sequence,
        }
    }

    #[tokio::test]
    async fn what_was_saved_last_is_loaded_and_nothing_lies_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = FileStore::new(folder.path().join("position"));
        assert_eq!(store.load().await.unwrap(), None);
        for sequence in [0, 7, u64::MAX] {
            store.save(at(sequence)).await.unwrap();
            assert_eq!(store.load().await.unwrap(), Some(at(sequence)));
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn a_half_written_position_beside_it_is_not_the_position() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("position");
        let mut store = FileStore::new(&path);
        store.save(at(7)).await.unwrap();
        fs::write(folder.path().join("position.new"), "00000000").unwrap();
        assert_eq!(store.load().await.unwrap(), Some(at(7)));
        store.save(at(8)).await.unwrap();
        assert_eq!(store.load().await.unwrap(), Some(at(8)));
    }

    #[tokio::test]
    async fn what_is_no_position_is_refused_and_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("position");
        for text in ["", "7", "/7", "e/", "e/-1", "e/7/8", "a b/7", "e\n/7"] {
            fs::write(&path, text).unwrap();
            let error = FileStore::new(&path).load().await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{text}");
            assert!(error.to_string().contains("is no position"), "{error}");
        }
        let missing = folder.path().join("no/position");
        let error = FileStore::new(missing).save(at(1)).await.unwrap_err();
        assert!(
            error.to_string().starts_with("write the position"),
            "{error}"
        );
    }
}
