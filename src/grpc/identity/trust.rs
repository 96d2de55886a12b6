//! [`Trust`]: whose certificates are trusted, and which connections stand on that. When it changes, they
//! are judged again.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use tokio_util::sync::CancellationToken;

/// Connections that are gone are forgotten once there are so many entries, or twice as many as were left
/// the last time.
const AT_LEAST: usize = 64;

/// Whether the authority of a certificate is still one. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Trusted(Arc<Shows>);

/// What a connection showed, its own certificate first.
#[derive(Debug, Default)]
struct Shows {
    chain: Vec<CertificateDer<'static>>,
    over: CancellationToken,
}

/// What connections stand on.
#[derive(Debug)]
pub(super) struct Trust(Mutex<Standing>);

#[derive(Debug)]
struct Standing {
    /// None where no certificate is asked for.
    verifier: Option<Arc<dyn ClientCertVerifier>>,
    connections: Vec<Weak<Shows>>,
    forget_at: usize,
}

impl Trusted {
    /// Whether it is not any more.
    pub(super) fn is_over(&self) -> bool {
        self.0.over.is_cancelled()
    }

    /// Completes once it is not any more.
    pub(super) async fn over(&self) {
        self.0.over.cancelled().await;
    }
}

/// Who a certificate is for does not depend on it.
impl PartialEq for Trusted {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Trusted {}

impl Trust {
    pub(super) fn new(verifier: Option<Arc<dyn ClientCertVerifier>>) -> Self {
        Self(Mutex::new(Standing {
            verifier,
            connections: Vec::new(),
            forget_at: AT_LEAST,
        }))
    }

    /// A connection showed these, its own certificate first. What was believed while it agreed on TLS may
    /// not be so any more.
    pub(super) fn stands(&self, chain: &[CertificateDer<'_>]) -> Trusted {
        let chain = chain.iter().map(|der| der.clone().into_owned()).collect();
        let shows = Arc::new(Shows {
            chain,
            over: CancellationToken::new(),
        });
        let mut standing = self.0.lock();
        standing.connections.push(Arc::downgrade(&shows));
        if standing.connections.len() >= standing.forget_at {
            standing.connections.retain(|one| one.strong_count() > 0);
            standing.forget_at = AT_LEAST.max(2 * standing.connections.len());
        }
        let verifier = standing.verifier.clone();
        drop(standing);
        judge(verifier.as_deref(), &shows);
        Trusted(shows)
    }

    /// From now on this counts, for the connections that stand as well.
    pub(super) fn change(&self, verifier: Option<Arc<dyn ClientCertVerifier>>) {
        let mut standing = self.0.lock();
        standing.verifier.clone_from(&verifier);
        standing.connections.retain(|one| one.strong_count() > 0);
        let all: Vec<_> = standing
            .connections
            .iter()
            .filter_map(Weak::upgrade)
            .collect();
        drop(standing);
        for shows in all {
            judge(verifier.as_deref(), &shows);
        }
    }
}

/// Ends what would not be let in now.
fn judge(verifier: Option<&dyn ClientCertVerifier>, shows: &Shows) {
    let Some((own, between)) = shows.chain.split_first() else {
        return;
    };
    let Some(verifier) = verifier else {
        return;
    };
    if verifier
        .verify_client_cert(own, between, UnixTime::now())
        .is_err()
    {
        shows.over.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
    use rustls::RootCertStore;
    use rustls::server::WebPkiClientVerifier;

    type Authority = CertifiedIssuer<'static, KeyPair>;

    fn authority() -> Authority {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    }

    fn trusting(authorities: &[&Authority]) -> Option<Arc<dyn ClientCertVerifier>> {
        let mut roots = RootCertStore::empty();
        for authority in authorities {
            roots.add(authority.der().clone()).unwrap();
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
        Some(verifier.build().unwrap())
    }

    fn caller(authority: &Authority) -> Vec<CertificateDer<'static>> {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["caller.test".to_owned()]).unwrap();
        vec![params.signed_by(&key, authority).unwrap().der().clone()]
    }

    #[test]
    fn who_stands_on_an_authority_that_is_taken_out_falls_and_nobody_else() {
        let (old, new) = (authority(), authority());
        let trust = Trust::new(trusting(&[&old]));
        let of_old = trust.stands(&caller(&old));
        assert!(!of_old.is_over());
        trust.change(trusting(&[&old, &new]));
        let of_new = trust.stands(&caller(&new));
        assert!(!of_old.is_over() && !of_new.is_over());
        trust.change(trusting(&[&new]));
        assert!(of_old.is_over() && !of_new.is_over());
    }

    #[test]
    fn who_was_believed_while_that_changed_is_judged_by_what_counts_now() {
        let (old, new) = (authority(), authority());
        let trust = Trust::new(trusting(&[&new]));
        assert!(trust.stands(&caller(&old)).is_over());
    }

    #[test]
    fn connections_that_are_gone_are_forgotten() {
        let authority = authority();
        let trust = Trust::new(trusting(&[&authority]));
        let chain = caller(&authority);
        let stays = trust.stands(&chain);
        (0..10 * AT_LEAST).for_each(|_| drop(trust.stands(&chain)));
        assert!(trust.0.lock().connections.len() <= AT_LEAST);
        assert!(!stays.is_over());
    }
}
