//! [`Trust`]: whom clients trust, read once for all that trust the same. The system's authorities
//! alone take some 200 KB.

use std::fmt;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use rustls::pki_types::CertificateDer;
use rustls_platform_verifier::Verifier;

/// What verifies the certificates of platforms, for as many clients as use it. Clones share it.
#[derive(Clone, Default)]
pub struct Trust {
    known: Arc<Mutex<Vec<Known>>>,
}

/// The authorities besides the system's, and what trusts them while a client does.
struct Known {
    extra: Vec<CertificateDer<'static>>,
    verifier: Weak<Verifier>,
}

impl Trust {
    /// What trusts the system's authorities and these: the same for all who ask while it is used.
    pub(super) fn verifier(
        &self,
        extra: Vec<CertificateDer<'static>>,
    ) -> Result<Arc<Verifier>, rustls::Error> {
        let mut known = self.known.lock();
        known.retain(|known| known.verifier.strong_count() > 0);
        let same = known.iter().find(|known| known.extra == extra);
        if let Some(verifier) = same.and_then(|known| known.verifier.upgrade()) {
            return Ok(verifier);
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = Verifier::new_with_extra_roots(extra.iter().cloned(), provider)?;
        let verifier = Arc::new(verifier);
        known.push(Known {
            extra,
            verifier: Arc::downgrade(&verifier),
        });
        Ok(verifier)
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authority() -> CertificateDer<'static> {
        let signed = rcgen::generate_simple_self_signed(["authority.test".to_owned()]);
        signed.unwrap().cert.der().clone()
    }

    #[test]
    fn clients_that_trust_the_same_share_it_while_one_is_there() {
        let (trust, ours, other) = (Trust::default(), authority(), authority());
        let first = trust.verifier(vec![ours.clone()]).unwrap();
        let second = trust.verifier(vec![ours.clone()]).unwrap();
        assert!(Arc::ptr_eq(&first, &second));
        let third = trust.verifier(vec![ours, other]).unwrap();
        assert!(!Arc::ptr_eq(&first, &third), "who trusts more is another");
        drop((first, second, third));
        let again = trust.verifier(vec![authority()]).unwrap();
        assert_eq!(trust.known.lock().len(), 1, "what nobody uses is forgotten");
        drop(again);
    }
}
