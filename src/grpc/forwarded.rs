//! Whom a proxy speaks for: `X-Forwarded-For`, or `Forwarded` where there is none, of trusted proxies
//! alone. Pure.
//!
//! Each proxy adds the address that it saw at the end. So the list is read from there: as long as the
//! one who added an entry is trusted, the entry counts; the first that is not a trusted proxy is the
//! caller, and what it wrote itself before is not looked at.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, header};
use ipnet::IpNet;

const X_FORWARDED_FOR: &str = "x-forwarded-for";
/// No chain of proxies is longer.
const MOST_HOPS: usize = 32;

/// Whether an address is a trusted proxy's.
pub(super) fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    let address = address.to_canonical();
    trusted.iter().any(|network| network.contains(&address))
}

/// Who calls, of a connection from `peer`.
pub(super) fn caller(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let mut caller = peer.to_canonical();
    let hops = match headers.contains_key(X_FORWARDED_FOR) {
        true => hops(headers, X_FORWARDED_FOR, address),
        false => hops(headers, header::FORWARDED.as_str(), forwarded),
    };
    for hop in hops {
        if !is_trusted(caller, trusted) {
            return caller;
        }
        match hop {
            Some(address) => caller = address.to_canonical(),
            // The proxy does not tell, or it is no address: what came before cannot be had.
            None => return caller,
        }
    }
    caller
}

/// The entries of a header, the last one first; `None` for one that cannot be read.
fn hops(headers: &HeaderMap, name: &str, read: fn(&str) -> Option<IpAddr>) -> Vec<Option<IpAddr>> {
    let lines: Vec<_> = headers.get_all(name).iter().collect();
    let newest_first = lines.into_iter().rev().flat_map(|line| {
        let entries: Vec<_> = match line.to_str() {
            Ok(line) => line.rsplit(',').map(read).collect(),
            Err(_) => vec![None],
        };
        entries
    });
    newest_first.take(MOST_HOPS).collect()
}

/// `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:4711`.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let address = bare.unwrap_or(text).parse().ok();
    address.or_else(|| text.parse().ok().map(|socket: SocketAddr| socket.ip()))
}

/// `for="[2001:db8::1]:4711";proto=https`.
fn forwarded(text: &str) -> Option<IpAddr> {
    let pair = text.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then_some(value)
    });
    address(pair?.trim().trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    fn found(peer: &str, lines: &[(&str, &str)]) -> String {
        let trusted = ["10.0.0.0/8", "192.0.2.7/32", "2001:db8:ff::/48"];
        let trusted = trusted.map(|network| network.parse().unwrap());
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        caller(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn the_rightmost_that_is_no_trusted_proxy_calls() {
        const XFF: &str = "x-forwarded-for";
        for (peer, lines, expected) in [
            ("10.1.1.1", vec![], "10.1.1.1"),
            ("10.1.1.1", vec![(XFF, "198.51.100.9")], "198.51.100.9"),
            (
                "::ffff:10.1.1.1",
                vec![(XFF, "198.51.100.9")],
                "198.51.100.9",
            ),
            // What the caller wrote itself stands further left.
            (
                "10.1.1.1",
                vec![(XFF, "127.0.0.1, 198.51.100.9")],
                "198.51.100.9",
            ),
            (
                "10.1.1.1",
                vec![(XFF, "1.1.1.1, 198.51.100.9, 10.2.2.2, 192.0.2.7")],
                "198.51.100.9",
            ),
            (
                "10.1.1.1",
                vec![(XFF, "1.1.1.1"), (XFF, "198.51.100.9"), (XFF, "10.2.2.2")],
                "198.51.100.9",
            ),
            ("10.1.1.1", vec![(XFF, "10.3.3.3, 10.2.2.2")], "10.3.3.3"),
            // Nobody else is believed.
            ("203.0.113.5", vec![(XFF, "10.1.1.1")], "203.0.113.5"),
            ("192.0.2.8", vec![(XFF, "198.51.100.9")], "192.0.2.8"),
            // As some proxies write it.
            ("10.1.1.1", vec![(XFF, "198.51.100.9:4711")], "198.51.100.9"),
            ("10.1.1.1", vec![(XFF, "[2001:db8::9]:4711")], "2001:db8::9"),
            ("10.1.1.1", vec![(XFF, " 2001:db8::9 ")], "2001:db8::9"),
            ("10.1.1.1", vec![(XFF, "[2001:db8::9]")], "2001:db8::9"),
            (
                "2001:db8:ff::1",
                vec![(XFF, "::ffff:198.51.100.9")],
                "198.51.100.9",
            ),
            // What cannot be read ends the search at the last that could.
            ("10.1.1.1", vec![(XFF, "198.51.100.9, unknown")], "10.1.1.1"),
            (
                "10.1.1.1",
                vec![(XFF, "198.51.100.9, , 10.2.2.2")],
                "10.2.2.2",
            ),
            ("10.1.1.1", vec![(XFF, "\u{e9}")], "10.1.1.1"),
            ("10.1.1.1", vec![(XFF, "")], "10.1.1.1"),
            // The standard's own header, where the customary one is missing.
            (
                "10.1.1.1",
                vec![("forwarded", "for=198.51.100.9")],
                "198.51.100.9",
            ),
            (
                "10.1.1.1",
                vec![(
                    "forwarded",
                    "for=1.1.1.1, proto=https;For=\"[2001:db8::9]:47\";by=10.1.1.1",
                )],
                "2001:db8::9",
            ),
            (
                "10.1.1.1",
                vec![("forwarded", "for=198.51.100.9, for=_hidden")],
                "10.1.1.1",
            ),
            (
                "10.1.1.1",
                vec![("forwarded", "by=198.51.100.9")],
                "10.1.1.1",
            ),
            (
                "10.1.1.1",
                vec![("forwarded", "for=1.1.1.1"), (XFF, "198.51.100.9")],
                "198.51.100.9",
            ),
            (
                "203.0.113.5",
                vec![("forwarded", "for=1.1.1.1")],
                "203.0.113.5",
            ),
        ] {
            assert_eq!(found(peer, &lines), expected, "{peer} {lines:?}");
        }
    }

    #[test]
    fn a_list_of_trusted_proxies_without_an_end_has_one() {
        let long = vec!["10.2.2.2"; 10_000].join(",");
        assert_eq!(found("10.1.1.1", &[("x-forwarded-for", &long)]), "10.2.2.2");
    }
}
