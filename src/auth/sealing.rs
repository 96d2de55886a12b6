//! [`Sealer`]: seals what must not be readable on disk.

use std::fmt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use super::error::{SealError, SealingKeyError};

const KEY_LENGTH: usize = 32;

/// Seals bytes with ChaCha20-Poly1305 under one key. What is sealed for one name opens for no
/// other.
pub struct Sealer {
    key: LessSafeKey,
    random: SystemRandom,
}

impl Sealer {
    /// Seals with this key.
    #[must_use]
    pub fn new(key: &[u8; KEY_LENGTH]) -> Self {
        #[expect(clippy::expect_used, reason = "the length is fixed by the type")]
        let key = UnboundKey::new(&CHACHA20_POLY1305, key).expect("a key of 32 bytes");
        Self {
            key: LessSafeKey::new(key),
            random: SystemRandom::new(),
        }
    }

    /// Seals with the key in a file: 32 bytes raw, in hex or in base64.
    ///
    /// # Errors
    /// [`SealingKeyError`].
    pub fn from_file(path: &Path) -> Result<Self, SealingKeyError> {
        let content = std::fs::read(path).map_err(|source| SealingKeyError::Read {
            path: path.to_owned(),
            source,
        })?;
        let content = Zeroizing::new(content);
        let key = decode_key(&content).ok_or_else(|| SealingKeyError::Malformed {
            path: path.to_owned(),
        })?;
        Ok(Self::new(&key))
    }

    /// Seals `plain` for `name`.
    ///
    /// # Errors
    /// [`SealError::NoEntropy`].
    pub fn seal(&self, name: &str, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        // Not from `runtime::Rng`: a nonce that repeats with a seed would break the cipher.
        let mut nonce = [0; NONCE_LEN];
        self.random
            .fill(&mut nonce)
            .map_err(|_| SealError::NoEntropy)?;
        let mut sealed = Vec::with_capacity(plain.len() + CHACHA20_POLY1305.tag_len());
        sealed.extend_from_slice(plain);
        self.key
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(name.as_bytes()),
                &mut sealed,
            )
            .map_err(|_| SealError::NoEntropy)?;
        Ok([&nonce[..], &sealed].concat())
    }

    /// Opens what [`Sealer::seal`] sealed for `name`.
    ///
    /// # Errors
    /// [`SealError::NotOurs`].
    pub fn open(&self, name: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (nonce, sealed) = sealed
            .split_first_chunk::<NONCE_LEN>()
            .ok_or(SealError::NotOurs)?;
        let mut buffer = Zeroizing::new(sealed.to_vec());
        let length = self
            .key
            .open_in_place(
                Nonce::assume_unique_for_key(*nonce),
                Aad::from(name.as_bytes()),
                &mut buffer,
            )
            .map_err(|_| SealError::NotOurs)?
            .len();
        buffer.truncate(length);
        Ok(buffer)
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer")
    }
}

fn decode_key(content: &[u8]) -> Option<Zeroizing<[u8; KEY_LENGTH]>> {
    if let Ok(raw) = <[u8; KEY_LENGTH]>::try_from(content) {
        return Some(Zeroizing::new(raw));
    }
    let text = std::str::from_utf8(content).ok()?.trim();
    let bytes = Zeroizing::new(match text.len() {
        64 => decode_hex(text)?,
        _ => STANDARD
            .decode(text)
            .or_else(|_| URL_SAFE.decode(text))
            .ok()?,
    });
    <[u8; KEY_LENGTH]>::try_from(bytes.as_slice())
        .ok()
        .map(Zeroizing::new)
}

fn decode_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| {
        char::from(*byte)
            .to_digit(16)
            .and_then(|d| u8::try_from(d).ok())
    };
    text.as_bytes()
        .chunks_exact(2)
        .map(|pair| match pair {
            [high, low] => Some(digit(high)? << 4 | digit(low)?),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEY: [u8; 32] = *b"0123456789abcdef0123456789ABCDEF";

    #[test]
    fn what_is_sealed_opens_for_its_name_and_key_alone() {
        let sealer = Sealer::new(&KEY);
        let sealed = sealer.seal("credentials/a", b"token").unwrap();
        assert!(!sealed.windows(5).any(|window| window == b"token"));
        assert_eq!(*sealer.open("credentials/a", &sealed).unwrap(), b"token");
        assert_eq!(
            sealer.open("credentials/b", &sealed),
            Err(SealError::NotOurs)
        );
        let other = Sealer::new(&[7; 32]);
        assert_eq!(
            other.open("credentials/a", &sealed),
            Err(SealError::NotOurs)
        );
        let again = sealer.seal("credentials/a", b"token").unwrap();
        assert_ne!(sealed, again, "every nonce is new");
    }

    #[test]
    fn no_changed_bit_and_no_missing_byte_goes_unnoticed() {
        let sealer = Sealer::new(&KEY);
        let sealed = sealer.seal("n", b"token").unwrap();
        for bit in 0..sealed.len() * 8 {
            let mut changed = sealed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(sealer.open("n", &changed), Err(SealError::NotOurs));
        }
        for length in 0..sealed.len() {
            assert_eq!(sealer.open("n", &sealed[..length]), Err(SealError::NotOurs));
        }
    }

    #[test]
    fn a_key_file_may_be_raw_hex_or_base64() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        let sealed = Sealer::new(&KEY).seal("n", b"x").unwrap();
        let hex: String = KEY.iter().map(|byte| format!("{byte:02x}")).collect();
        for content in [
            KEY.to_vec(),
            hex.clone().into_bytes(),
            format!("{}\n", hex.to_uppercase()).into_bytes(),
            format!("{}\n", STANDARD.encode(KEY)).into_bytes(),
        ] {
            std::fs::write(&path, content).unwrap();
            let sealer = Sealer::from_file(&path).unwrap();
            assert_eq!(*sealer.open("n", &sealed).unwrap(), b"x");
        }
        for content in [&b""[..], b"short", &[b'z'; 64], &KEY[..31], &[0xff; 33]] {
            std::fs::write(&path, content).unwrap();
            let error = Sealer::from_file(&path).unwrap_err().to_string();
            assert!(error.contains(path.to_str().unwrap()), "{error}");
        }
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(
            Sealer::from_file(&path),
            Err(SealingKeyError::Read { .. })
        ));
    }

    proptest! {
        #[test]
        fn everything_round_trips(name: String, plain: Vec<u8>) {
            let sealer = Sealer::new(&KEY);
            let sealed = sealer.seal(&name, &plain).unwrap();
            prop_assert_eq!(&*sealer.open(&name, &sealed).unwrap(), &plain);
        }
    }
}
