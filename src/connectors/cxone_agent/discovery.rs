//! Where the agent sessions of a tenant live, from the tenant's configuration.

use serde::Deserialize;
use url::Url;

use super::below;
use crate::connectors::Unreadable;
use crate::net::UrlPolicy;

/// The part of a tenant's configuration that names hosts.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Configuration {
    area: Option<String>,
    cluster: Option<String>,
    domain: Option<String>,
    #[serde(rename = "acdDomain")]
    acd_domain: Option<String>,
    api_endpoint: Option<String>,
}

/// The request for the configuration. It is public, so it carries no token.
pub(super) fn address(endpoint: &Url, tenant: Option<&str>) -> Url {
    let mut url = below(endpoint, [".well-known", "cxone-configuration"]);
    if let Some(tenant) = tenant {
        url.query_pairs_mut().append_pair("tenantId", tenant);
    }
    url
}

/// Chooses the base of the agent session calls.
///
/// The vendor's agent SDK sends them to the tenant's ACD cluster, and everything else to the API
/// facade, which answers the same paths: so the cluster comes first, then the facade by address and
/// by name. A sandbox names its own facade beside a real tenant's cluster; hence the first of them
/// that may be used at all counts. Where none may, the best is returned for the engine to refuse.
pub(super) fn base(body: &[u8], addresses: &UrlPolicy) -> Result<Url, Unreadable> {
    let unreadable = |reason: &str| Unreadable {
        what: "tenant configuration",
        reason: reason.to_owned(),
    };
    let found: Configuration = serde_json::from_slice(body)
        .map_err(|_| unreadable("it is not what the platform sends"))?;
    let facade = found.api_endpoint.as_deref();
    let candidates = [
        host(found.cluster.as_deref(), found.acd_domain.as_deref()),
        facade.and_then(|text| text.parse().ok()),
        host(found.area.as_deref(), found.domain.as_deref()),
    ];
    let mut known = candidates.into_iter().flatten();
    let Some(best) = known.next() else {
        return Err(unreadable("it names no host"));
    };
    let mut all = std::iter::once(best.clone()).chain(known);
    Ok(all.find(|url| addresses.check(url).is_ok()).unwrap_or(best))
}

/// `https://api-{place}.{domain}`, where both are what names of hosts are made of.
fn host(place: Option<&str>, domain: Option<&str>) -> Option<Url> {
    let is_name = |text: &str, dots: bool| {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || dots && b == b'.';
        !text.is_empty() && text.bytes().all(allowed)
    };
    let place = place.filter(|place| is_name(place, false))?;
    let domain = domain.filter(|domain| is_name(domain, true))?;
    Url::parse(&format!("https://api-{place}.{domain}/")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(body: &str, endpoint: &str, allowed: &[&str]) -> Result<String, Unreadable> {
        let endpoint: Url = endpoint.parse().unwrap();
        let allowed: Vec<String> = allowed.iter().map(|d| (*d).to_owned()).collect();
        let policy = UrlPolicy::new(&endpoint, &allowed, false).unwrap();
        base(body.as_bytes(), &policy).map(String::from)
    }

    const REAL: &str = "https://cxone.niceincontact.com";
    const OWN: [&str; 2] = ["niceincontact.com", "nice-incontact.com"];

    #[test]
    fn the_cluster_comes_before_the_facade() {
        let all = r#"{"private":false,"area":"na1","cluster":"B32","domain":"niceincontact.com",
            "acdDomain":"nice-incontact.com","api_endpoint":"https://api-na1.niceincontact.com"}"#;
        let cluster = "https://api-b32.nice-incontact.com/";
        assert_eq!(chosen(all, REAL, &OWN).unwrap(), cluster);
        let facade = r#"{"area":"eu1","api_endpoint":"https://api-na1.niceincontact.com"}"#;
        let expected = "https://api-na1.niceincontact.com/";
        assert_eq!(chosen(facade, REAL, &OWN).unwrap(), expected);
        let named = r#"{"area":"na1","domain":"niceincontact.com"}"#;
        assert_eq!(chosen(named, REAL, &OWN).unwrap(), expected);
    }

    #[test]
    fn u42_a_sandbox_is_not_left_for_the_cluster_that_it_names() {
        let body = r#"{"cluster":"B32","acdDomain":"nice-incontact.com",
            "api_endpoint":"http://127.0.0.1:4443"}"#;
        let own = chosen(body, "http://127.0.0.1:4443", &[]).unwrap();
        assert_eq!(own, "http://127.0.0.1:4443/");
    }

    #[test]
    fn u42_hosts_that_are_all_foreign_are_left_for_the_engine_to_refuse() {
        let body =
            r#"{"cluster":"B32","acdDomain":"evil.test","api_endpoint":"https://x.evil.test"}"#;
        assert_eq!(
            chosen(body, REAL, &OWN).unwrap(),
            "https://api-b32.evil.test/"
        );
    }

    #[test]
    fn names_that_are_no_names_make_no_address() {
        for body in [
            r#"{"cluster":"a.evil.test/","acdDomain":"niceincontact.com"}"#,
            r#"{"cluster":"u:p@x","acdDomain":"niceincontact.com"}"#,
            r#"{"cluster":"","acdDomain":"niceincontact.com","api_endpoint":"nowhere"}"#,
            "{}",
            "[]",
            "<html>",
            r#"{"cluster":7}"#,
        ] {
            let refused = chosen(body, REAL, &OWN).unwrap_err().to_string();
            assert!(!refused.contains("evil"), "{refused}");
        }
    }

    #[test]
    fn the_tenant_is_asked_for_where_the_token_names_one() {
        let endpoint: Url = "https://cxone.niceincontact.com/".parse().unwrap();
        let plain = "https://cxone.niceincontact.com/.well-known/cxone-configuration";
        assert_eq!(address(&endpoint, None).as_str(), plain);
        let with = address(&endpoint, Some("11ee&x=1"));
        assert_eq!(with.as_str(), format!("{plain}?tenantId=11ee%26x%3D1"));
    }
}
