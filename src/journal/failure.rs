//! [`Failure`]: what a failed operation of the disk means for the writer. Pure.

use std::io;

use super::storage::is_no_space;

/// Why a step of the writer failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// No room: nothing is broken, and it may be tried again.
    Full(io::Error),
    /// Anything else: what is on disk is not known any more.
    Broken {
        action: &'static str,
        error: io::Error,
    },
}

impl Failure {
    /// Of an operation that may be repeated when there is room.
    pub(crate) fn of(action: &'static str) -> impl Fn(io::Error) -> Self {
        move |error| {
            if is_no_space(&error) {
                Self::Full(error)
            } else {
                Self::Broken { action, error }
            }
        }
    }

    /// Of an operation that is never repeated: a sync that failed has dropped the pages it was to
    /// write, and the next would report success without them.
    pub(crate) fn fatal(action: &'static str) -> impl Fn(io::Error) -> Self {
        move |error| Self::Broken { action, error }
    }
}
