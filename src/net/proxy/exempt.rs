//! [`Exemption`]: one entry of `NO_PROXY`, an address that is reached without the proxy. Pure.

use std::net::IpAddr;

use ipnet::IpNet;
use url::{Host, Url};

/// A place that is reached directly: all places, a name with those below it, an address or a
/// network, each on every port or on one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Exemption {
    place: Place,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Everywhere,
    Name(String),
    Network(IpNet),
}

impl Exemption {
    /// Reads `*`, `example.com`, `.example.com`, `*.example.com`, `192.0.2.7`, `10.0.0.0/8` or
    /// `[2001:db8::1]`, all but `*` and networks also with `:port`. `None`: it is none of these.
    pub(super) fn parse(entry: &str) -> Option<Self> {
        let anywhere = |place| Some(Self { place, port: None });
        if entry == "*" {
            return anywhere(Place::Everywhere);
        }
        if let Ok(network) = entry.parse::<IpNet>() {
            return anywhere(Place::Network(network.trunc()));
        }
        if let Ok(address) = entry.parse::<IpAddr>() {
            return anywhere(Place::Network(address.to_canonical().into()));
        }
        let (host, port) = match entry.rsplit_once(':') {
            _ if entry.ends_with(']') => (entry, None),
            Some((host, port)) => (host, Some(port.parse().ok().filter(|port| *port > 0)?)),
            None => (entry, None),
        };
        let name = host.strip_prefix('*').unwrap_or(host);
        if name.len() < host.len() && !name.starts_with('.') {
            return None;
        }
        let name = name.strip_prefix('.').unwrap_or(name);
        let place = match Host::parse(name.strip_suffix('.').unwrap_or(name)).ok()? {
            Host::Domain(name) if is_name(&name) => Place::Name(name),
            Host::Domain(_) => return None,
            Host::Ipv4(address) => Place::Network(IpAddr::V4(address).into()),
            Host::Ipv6(address) => Place::Network(IpAddr::V6(address).to_canonical().into()),
        };
        Some(Self { place, port })
    }

    /// Whether an address is such a place. Names are not looked up: a network covers the addresses
    /// that are written as such.
    pub(super) fn covers(&self, url: &Url) -> bool {
        if self.port.is_some() && self.port != url.port_or_known_default() {
            return false;
        }
        match (&self.place, url.host()) {
            (Place::Everywhere, Some(_)) => true,
            (Place::Name(name), Some(Host::Domain(host))) => host
                .strip_suffix('.')
                .unwrap_or(host)
                .strip_suffix(name.as_str())
                .is_some_and(|below| below.is_empty() || below.ends_with('.')),
            (Place::Network(network), Some(Host::Ipv4(address))) => {
                network.contains(&IpAddr::V4(address))
            }
            (Place::Network(network), Some(Host::Ipv6(address))) => {
                network.contains(&IpAddr::V6(address).to_canonical())
            }
            (Place::Name(_) | Place::Network(_), Some(_)) | (_, None) => false,
        }
    }
}

/// A wildcard in the middle would cover less than whoever wrote it meant.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.split('.').all(|label| !label.is_empty()) && !text.contains('*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(entry: &str, url: &str) -> bool {
        let entry = Exemption::parse(entry).unwrap_or_else(|| panic!("{entry}"));
        entry.covers(&Url::parse(url).unwrap())
    }

    #[test]
    fn u7_names_cover_themselves_and_what_is_below_them() {
        for entry in ["corp.test", ".corp.test", "*.corp.test", "CORP.test."] {
            for url in [
                "https://corp.test/",
                "wss://a.b.corp.test:8443/x",
                "https://Corp.Test./",
            ] {
                assert!(covers(entry, url), "{entry} {url}");
            }
            for url in [
                "https://notcorp.test/",
                "https://corp.test.evil/",
                "https://10.0.0.1/",
            ] {
                assert!(!covers(entry, url), "{entry} {url}");
            }
        }
        assert!(covers("*", "https://anything/") && covers("*", "http://10.0.0.1/"));
    }

    #[test]
    fn u7_networks_and_addresses_cover_addresses_as_written() {
        for (entry, inside, outside) in [
            ("10.0.0.0/8", "https://10.255.0.1/", "https://11.0.0.1/"),
            ("10.1.2.3/8", "https://10.9.9.9/", "https://example.test/"),
            ("192.0.2.7", "https://192.0.2.7:8443/", "https://192.0.2.8/"),
            (
                "192.0.2.7",
                "https://[::ffff:192.0.2.7]/",
                "https://[2001:db8::1]/",
            ),
            (
                "2001:db8::/32",
                "https://[2001:db8:1::1]/",
                "https://[2001:db9::1]/",
            ),
            (
                "[2001:db8::1]",
                "https://[2001:db8::1]/",
                "https://[2001:db8::2]/",
            ),
            (
                "2001:db8::1",
                "https://[2001:db8::1]/",
                "https://[2001:db8::2]/",
            ),
            (
                "[2001:db8::1]:8443",
                "https://[2001:db8::1]:8443/",
                "https://[2001:db8::1]/",
            ),
        ] {
            assert!(covers(entry, inside), "{entry} {inside}");
            assert!(!covers(entry, outside), "{entry} {outside}");
        }
    }

    #[test]
    fn u7_a_port_narrows_to_that_port() {
        assert!(covers("corp.test:8443", "wss://api.corp.test:8443/"));
        assert!(covers("corp.test:443", "wss://corp.test/"));
        assert!(!covers("corp.test:443", "ws://corp.test/"));
        assert!(!covers("corp.test:8443", "https://corp.test/"));
        assert!(!covers("10.0.0.1:80", "https://10.0.0.1/"));
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for entry in [
            "",
            ".",
            "*.",
            "a*b.test",
            "*corp.test",
            "10.0.0.0/33",
            "corp.test:",
            "corp.test:0",
            "corp.test:99999",
            "http://corp.test",
            "a..b",
            "corp.test/8",
            "two words",
        ] {
            assert_eq!(Exemption::parse(entry), None, "{entry}");
        }
    }
}
