//! Folders of the suite.

use std::io::{ErrorKind, Result};
use std::path::Path;

/// Makes a folder, or what is left of an earlier run, empty.
pub(crate) fn emptied(folder: &Path) -> Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => std::fs::create_dir_all(folder),
    }
}
