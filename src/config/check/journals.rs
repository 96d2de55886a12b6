//! Checks of `journals`: names and directories that differ, retention that can work.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use super::Checks;
use crate::config::findings::Code;
use crate::config::key::KeyPath;
use crate::journal::RetentionConfig;
use crate::runtime::ByteSize;

/// Whole segments of 64 MiB are deleted, never the one that is written: two are the least.
const LEAST_MAX_BYTES: ByteSize = ByteSize::from_mib(128);

impl Checks<'_> {
    pub(super) fn journals(&mut self) {
        let config = self.config;
        let all = KeyPath::root().key("journals");
        if config.journals.is_empty() {
            let hint = "remove the key to have one named 'default', or give one";
            self.error(Code::OutOfRange, &all, "must hold a journal", hint);
        }
        let mut names = BTreeMap::new();
        let mut paths: Vec<(PathBuf, KeyPath)> = Vec::new();
        for (index, journal) in config.journals.iter().enumerate() {
            let at = all.index(index);
            let name = at.key("name");
            match names.get(&journal.name) {
                Some(first) => {
                    let message = format!("is the name of {first} too");
                    self.error(
                        Code::NotUnique,
                        &name,
                        message,
                        "give each journal its own name",
                    );
                }
                None if self.is_sound(&name) => {
                    names.insert(&journal.name, at.clone());
                }
                None => {}
            }
            let path = at.key("path");
            if !self.is_sound(&path) {
                continue;
            }
            let directory = lexical(&journal.path);
            if let Some((_, first)) = paths.iter().find(|(other, _)| overlap(other, &directory)) {
                let message = format!("must not be, hold or lie in the directory of {first}");
                self.error(
                    Code::NotUnique,
                    &path,
                    message,
                    "give each journal its own directory",
                );
            }
            if journal.path.as_os_str().is_empty() {
                let hint = "name a directory on a volume that lasts";
                self.error(Code::WrongForm, &path, "must not be empty", hint);
            }
            paths.push((directory, at.clone()));
            self.retention(&at.key("retention"), &journal.retention);
        }
    }

    fn retention(&mut self, at: &KeyPath, retention: &RetentionConfig) {
        let (most, hard) = (at.key("max_bytes"), at.key("hard_max_bytes"));
        if retention.max_bytes < LEAST_MAX_BYTES {
            let message = format!("must be at least {LEAST_MAX_BYTES}");
            let hint = "whole segments of 64MiB are deleted, and the newest never";
            self.error(Code::OutOfRange, &most, message, hint);
        }
        if retention.max_bytes > retention.hard_max_bytes && self.is_sound(&hard) {
            let message = format!(
                "must be at most hard_max_bytes, {}",
                retention.hard_max_bytes
            );
            // Whichever of the two was written is the one to look at.
            let at = if self.tree.find(&most).is_some() {
                most
            } else {
                hard
            };
            self.error(
                Code::Conflict,
                &at,
                message,
                "lower max_bytes or raise hard_max_bytes",
            );
        }
        if retention.max_age.0.is_zero() {
            let hint = "write how long events are kept, such as 72h";
            self.error(
                Code::OutOfRange,
                &at.key("max_age"),
                "must be longer than nothing",
                hint,
            );
        }
    }
}

/// The path without `.` and `..`, as far as that can be said without looking at the disk.
fn lexical(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if plain.file_name().is_some() => {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain
}

fn overlap(a: &Path, b: &Path) -> bool {
    a.starts_with(b) || b.starts_with(a)
}
