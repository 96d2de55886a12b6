//! Who a caller's certificate is for: its first URI, else its first DNS name, else its subject's common
//! name. Whether to trust it was decided before.

use std::sync::Arc;
use std::time::Duration;

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;

use super::principal::{Shown, principal};
use super::trust::Trusted;
use crate::domain::WallTime;

/// What a certificate shows; nothing where it cannot be read.
pub(super) fn shown(der: &[u8], trusted: Trusted) -> Shown {
    let Ok((_, certificate)) = X509Certificate::from_der(der) else {
        return Shown::Nothing;
    };
    let end = certificate.validity().not_after.timestamp();
    let end = Duration::from_secs(u64::try_from(end).unwrap_or_default());
    Shown::Certificate {
        name: name(&certificate),
        expires: WallTime::default().plus(end),
        trusted,
    }
}

fn name(certificate: &X509Certificate<'_>) -> Option<Arc<str>> {
    let alternatives = certificate.subject_alternative_name().ok().flatten();
    let alternatives = alternatives.map(|extension| extension.value.general_names.as_slice());
    let alternatives = alternatives.unwrap_or_default();
    let uri = alternatives.iter().find_map(|name| match name {
        GeneralName::URI(uri) => Some(*uri),
        _ => None,
    });
    let dns = alternatives.iter().find_map(|name| match name {
        GeneralName::DNSName(dns) => Some(*dns),
        _ => None,
    });
    let subject = certificate.subject();
    let common = subject.iter_common_name().next();
    let common = common.and_then(|name| name.as_str().ok());
    uri.or(dns).or(common).and_then(principal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    fn name_in(alternatives: Vec<SanType>, common: Option<&str>) -> Option<String> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        if let Some(common) = common {
            params.distinguished_name.push(DnType::CommonName, common);
        }
        params.subject_alt_names = alternatives;
        params.not_after = rcgen::date_time_ymd(2100, 1, 2);
        let signed = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let shown = shown(signed.der(), Trusted::default());
        let Shown::Certificate { name, expires, .. } = shown else {
            panic!("a certificate shows something");
        };
        assert_eq!(
            expires,
            WallTime::parse_rfc3339("2100-01-02T00:00:00Z").unwrap()
        );
        name.map(|name| name.to_string())
    }

    #[test]
    fn a_uri_comes_before_a_dns_name_and_that_before_the_subject() {
        let uri = || SanType::URI("spiffe://pod/kafka".try_into().unwrap());
        let dns = || SanType::DnsName("kafka.test".try_into().unwrap());
        let named = |names, common| name_in(names, common);
        let both = named(vec![dns(), uri()], Some("kafka"));
        assert_eq!(both.as_deref(), Some("spiffe://pod/kafka"));
        assert_eq!(
            named(vec![dns()], Some("kafka")).as_deref(),
            Some("kafka.test")
        );
        assert_eq!(named(vec![], Some("kafka")).as_deref(), Some("kafka"));
        assert_eq!(named(vec![], None), None);
        assert_eq!(named(vec![], Some("uid:0")), None, "an account's name");
        let nothing = shown(b"no certificate", Trusted::default());
        assert_eq!(nothing, Shown::Nothing);
    }
}
