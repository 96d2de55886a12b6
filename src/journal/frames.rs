//! Finding frames in a file, one after the other or behind damage.

use std::io;

use super::format::{
    FRAME_ALIGN, FRAME_HEADER_LEN, FrameHeader, Parsed, Seed, announced_len, parse,
};
use super::window::Window;

/// Zeros are gone over in steps: a frame whose first bytes are in the first part of the probe would
/// have its kind, which is not zero, in the probe.
const PROBE: usize = 64;
const STEP: u64 = 24;

/// The next place after `from` with a frame that `wanted` accepts.
pub(crate) fn find_frame(
    window: &mut Window<'_>,
    seed: Seed,
    from: u64,
    mut wanted: impl FnMut(&FrameHeader, u64) -> bool,
) -> io::Result<Option<u64>> {
    let mut at = from;
    while at < window.end() {
        let bytes = window.at(at, PROBE)?;
        // No frame begins where the byte of its kind is zero; most of a segment may be zeros.
        if bytes
            .get(..PROBE)
            .is_some_and(|probe| probe.iter().all(|b| *b == 0))
        {
            at += STEP;
            continue;
        }
        match frame_at(window, seed, at)? {
            Some((header, ..)) if wanted(&header, at) => return Ok(Some(at)),
            Some((_, _, _, len)) => at += len,
            None => at += FRAME_ALIGN as u64,
        }
    }
    Ok(None)
}

/// Header, payload, checksum and length.
type Framed<'a> = (FrameHeader, &'a [u8], u32, u64);

/// The frame at a place, if there is one.
pub(crate) fn frame_at<'w>(
    window: &'w mut Window<'_>,
    seed: Seed,
    at: u64,
) -> io::Result<Option<Framed<'w>>> {
    let Some(len) = announced_len(seed, window.at(at, FRAME_HEADER_LEN)?) else {
        return Ok(None);
    };
    if at + len as u64 > window.end() {
        return Ok(None);
    }
    Ok(match parse(seed, window.at(at, len)?) {
        Parsed::Frame {
            header,
            payload,
            crc,
            len,
        } => Some((header, payload, crc, len as u64)),
        Parsed::Short(_) | Parsed::Bad => None,
    })
}
