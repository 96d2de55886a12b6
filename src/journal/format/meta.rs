//! [`Meta`]: the file that says which journal a directory holds, and which incarnation.

use super::{BadHeader, ERASING_VERSION, Fields, VERSION};
use crate::domain::{Epoch, WallTime};
use crate::journal::storage::Identity;

/// Length of the file.
pub(crate) const META_LEN: usize = 96;
const MAGIC: [u8; 8] = *b"TIELJRN\0";

/// The contents of the file `meta`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Meta {
    /// Of the format: more than [`VERSION`] once anything was erased.
    pub(crate) version: u32,
    /// Random, never told to clients.
    pub(crate) journal: u128,
    /// The incarnation.
    pub(crate) epoch: Epoch,
    /// When it began.
    pub(crate) created: WallTime,
    /// The directory that was written.
    pub(crate) directory_inode: u64,
    /// The very file that was written.
    pub(crate) file: Identity,
}

impl Meta {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(META_LEN);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&self.version.to_le_bytes());
        out.extend_from_slice(&96_u32.to_le_bytes());
        out.extend_from_slice(&self.journal.to_le_bytes());
        out.extend_from_slice(&self.epoch.get().to_le_bytes());
        out.extend_from_slice(&self.created.as_nanos().to_le_bytes());
        out.extend_from_slice(&self.directory_inode.to_le_bytes());
        out.extend_from_slice(&self.file.inode.to_le_bytes());
        out.extend_from_slice(&self.file.born.unwrap_or(0).to_le_bytes());
        out.resize(META_LEN - 4, 0);
        let crc = crc32c::crc32c(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, BadHeader> {
        check(bytes, MAGIC, META_LEN, ERASING_VERSION)?;
        Self::fields(bytes).ok_or(BadHeader::Damaged)
    }

    fn fields(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        fields.take(8)?;
        let version = fields.u32()?;
        fields.take(4)?;
        Some(Self {
            version,
            journal: fields.u128()?,
            epoch: Epoch::new(fields.u64()?),
            created: WallTime::from_nanos(fields.u64()?),
            directory_inode: fields.u64()?,
            file: Identity {
                inode: fields.u64()?,
                born: Some(fields.u64()?).filter(|born| *born != 0),
            },
        })
    }

    /// Whether the directory and the file are the ones that were written, and no copies. Birth times
    /// count only where the file system tells them both times.
    pub(crate) fn is_original(&self, directory: Identity, file: Identity) -> bool {
        let born_alike = match (self.file.born, file.born) {
            (Some(then), Some(now)) => then == now,
            _ => true,
        };
        self.directory_inode == directory.inode && self.file.inode == file.inode && born_alike
    }
}

/// Every header begins with a magic, a version and its own length, and ends with the CRC-32C of all
/// that: in any version, so that another version is told from damage.
pub(super) fn check(
    bytes: &[u8],
    magic: [u8; 8],
    expected: usize,
    latest: u32,
) -> Result<(), BadHeader> {
    let mut fields = Fields(bytes);
    let head = (|| Some((fields.take(8)?, fields.u32()?, fields.u32()?)))();
    let (found, version, len) = head.ok_or(BadHeader::Damaged)?;
    let len = usize::try_from(len).map_err(|_| BadHeader::Damaged)?;
    let (body, crc) = bytes
        .get(..len)
        .and_then(|all| all.split_last_chunk::<4>())
        .ok_or(BadHeader::Damaged)?;
    if found != magic || crc32c::crc32c(body) != u32::from_le_bytes(*crc) {
        return Err(BadHeader::Damaged);
    }
    if !(VERSION..=latest).contains(&version) {
        return Err(BadHeader::Version(version));
    }
    if len == expected {
        Ok(())
    } else {
        Err(BadHeader::Damaged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta() -> Meta {
        Meta {
            version: ERASING_VERSION,
            journal: 1,
            epoch: Epoch::new(2),
            created: WallTime::from_nanos(3),
            directory_inode: 4,
            file: Identity {
                inode: 5,
                born: Some(6),
            },
        }
    }

    #[test]
    fn another_version_is_told_from_damage() {
        let mut bytes = meta().encode();
        assert_eq!(Meta::decode(&bytes), Ok(meta()));
        bytes[8] = 9;
        assert_eq!(Meta::decode(&bytes), Err(BadHeader::Damaged));
        let crc = crc32c::crc32c(&bytes[..META_LEN - 4]);
        bytes[META_LEN - 4..].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(Meta::decode(&bytes), Err(BadHeader::Version(9)));
    }

    #[test]
    fn a_copy_is_not_the_original() {
        let file = meta().file;
        let here = Identity {
            inode: 4,
            born: Some(1),
        };
        assert!(meta().is_original(here, file));
        assert!(meta().is_original(here, Identity { born: None, ..file }));
        assert!(!meta().is_original(here, Identity { inode: 9, ..file }));
        assert!(!meta().is_original(
            here,
            Identity {
                born: Some(9),
                ..file
            }
        ));
        assert!(!meta().is_original(Identity { inode: 9, ..here }, file));
    }
}
