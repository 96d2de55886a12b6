//! What stands on the disk: files of a journal that somebody changed, and the state within them.

use tieline::journal::{decode_commit, open_tampered};

/// At most sixteen changes to the files of a journal, which is then opened and read.
pub(super) fn segments(bytes: &[u8]) {
    open_tampered(&bytes[..bytes.len().min(96)]);
}

pub(super) fn segment_seeds() -> Vec<Vec<u8>> {
    let cut = vec![1, 0, 4, 0, 0, 0];
    let flip = vec![2, 0, 0, 200, 5, 1];
    let erase = vec![3, 0, 0, 96, 2, 255];
    vec![
        [cut.clone(), flip.clone()].concat(),
        [flip, erase].concat(),
        cut,
    ]
}

/// The payload of a commit.
pub(super) fn commits(bytes: &[u8]) {
    decode_commit(bytes);
}

pub(super) fn commit_seeds() -> Vec<Vec<u8>> {
    let mut one = vec![1, 0, 0, 0, 1];
    one.extend(7_u64.to_le_bytes());
    for part in [&b"sessions/a"[..], b"cursor"] {
        one.extend(u32::try_from(part.len()).unwrap().to_le_bytes());
        one.extend(part);
    }
    let mut runs = one.clone();
    runs.extend(1_u32.to_le_bytes());
    runs.extend(1_800_000_000_000_000_000_u64.to_le_bytes());
    runs.extend(2_u32.to_le_bytes());
    runs.extend([7; 16]);
    one.extend(0_u32.to_le_bytes());
    vec![one, runs]
}
