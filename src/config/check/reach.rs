//! Checks of who may call from afar and how much: `listen.allowed_origins`, `grpc_hosts`,
//! `trusted_proxies`, `limits`.

use ipnet::IpNet;
use url::{Position, Url};

use super::Checks;
use crate::config::findings::Code;
use crate::config::key::KeyPath;
use crate::runtime::{ByteSize, HumanDuration};

/// A response stays below the 4 MiB that gRPC clients accept by default.
const LARGEST_MESSAGE: ByteSize = ByteSize(3584 << 10);
/// Less would put every event into a response of its own.
const SMALLEST_MESSAGE: ByteSize = ByteSize(4 << 10);
/// Less would have readers do little but come back.
const SHORTEST_AGE: HumanDuration = HumanDuration::from_secs(1);

impl Checks<'_> {
    pub(super) fn reach(&mut self, listen: &KeyPath) {
        let config = &self.config.listen;
        let at = listen.key("allowed_origins");
        for (index, text) in config.allowed_origins.iter().enumerate() {
            if !is_origin(text) {
                let message = format!("'{text}' is not the origin of a page");
                let hint = "write it as browsers do: https://wallboard.example.com, with a port \
                    where it is not the usual one, without a path; every origin by itself, no *";
                self.error(Code::WrongForm, &at.index(index), message, hint);
            }
        }
        let at = listen.key("grpc_hosts");
        for (index, text) in config.grpc_hosts.iter().enumerate() {
            let is_name = !text.is_empty() && !text.contains([':', '/', '*', ' ']);
            if !is_name {
                let message = format!("'{text}' is not a name");
                let hint = "write the name alone, such as tieline.example.com";
                self.error(Code::WrongForm, &at.index(index), message, hint);
            }
        }
        let at = listen.key("trusted_proxies");
        for (index, text) in config.trusted_proxies.iter().enumerate() {
            let at = at.index(index);
            match proxy(text) {
                Some(network) if network.prefix_len() > 0 => {}
                Some(_) => {
                    let message = "trusts every address";
                    let hint = "name the proxies' own network, such as 10.0.0.0/8: whoever is \
                        trusted may say it calls for anybody";
                    self.error(Code::Insecure, &at, message, hint);
                }
                None => {
                    let message = format!("'{text}' is neither an address nor a network");
                    let hint = "write 10.0.0.0/8, 192.0.2.7 or 2001:db8::/48";
                    self.error(Code::WrongForm, &at, message, hint);
                }
            }
        }
        self.limits(&listen.key("limits"));
    }

    fn limits(&mut self, at: &KeyPath) {
        let limits = &self.config.listen.limits;
        let of_one = &limits.per_peer;
        let peer = at.key("per_peer");
        let least_one = [
            (
                at.key("subscribers"),
                limits.subscribers,
                "how many streams may be open at once, such as 1000",
            ),
            (
                at.key("per_principal"),
                limits.per_principal,
                "how many streams a principal may have open at once, such as 100",
            ),
            (
                at.key("sends_per_minute"),
                limits.sends_per_minute,
                "how many messages a principal may send in a minute, such as 3000",
            ),
            (
                at.key("connections"),
                limits.connections,
                "how many connections there may be at once, such as 2048",
            ),
            (
                at.key("streams_per_connection"),
                limits.streams_per_connection,
                "how many streams one connection may have, such as 1024",
            ),
            (
                peer.key("connections"),
                of_one.connections,
                "how many connections one address may have, such as 1024",
            ),
            (
                peer.key("streams"),
                of_one.streams,
                "how many calls one address may have open, such as 2048",
            ),
            (
                peer.key("connections_per_second"),
                of_one.connections_per_second,
                "how fast one address may connect, such as 200",
            ),
        ];
        for (at, value, hint) in least_one {
            if value == 0 {
                let hint = format!("write {hint}");
                self.error(Code::OutOfRange, &at, "must be at least 1", hint);
            }
        }
        if limits.max_stream_age.is_some_and(|age| age < SHORTEST_AGE) {
            let message = format!("must be at least {SHORTEST_AGE}");
            let hint = "30m suits load balancers; leave it out where streams need not end";
            self.error(Code::OutOfRange, &at.key("max_stream_age"), message, hint);
        }
        if !(SMALLEST_MESSAGE..=LARGEST_MESSAGE).contains(&limits.message) {
            let message = format!("must be from {SMALLEST_MESSAGE} to {LARGEST_MESSAGE}");
            let hint = "1MiB suits most; gRPC clients refuse more than 4MiB";
            self.error(Code::OutOfRange, &at.key("message"), message, hint);
        }
    }
}

/// Whether a browser would write it so, whatever the case.
fn is_origin(text: &str) -> bool {
    let Ok(url) = Url::parse(text) else {
        return false;
    };
    let written = &url[..Position::AfterPort];
    matches!(url.scheme(), "http" | "https")
        && url.username().is_empty()
        && url.password().is_none()
        && !text.contains('*')
        && written.eq_ignore_ascii_case(text)
}

/// A network, or an address as a network of one.
#[must_use]
pub fn proxy(text: &str) -> Option<IpNet> {
    let network = text.parse().ok();
    network.or_else(|| {
        text.parse()
            .ok()
            .map(|address: std::net::IpAddr| address.into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_what_browsers_write() {
        for (text, is) in [
            ("https://wallboard.example.com", true),
            ("http://localhost:8080", true),
            ("http://127.0.0.1:8080", true),
            ("https://[2001:db8::1]:8443", true),
            ("https://Wallboard.example.com", true),
            ("https://wallboard.example.com/", false),
            ("https://wallboard.example.com/page", false),
            ("https://wallboard.example.com:443", false),
            ("https://user@wallboard.example.com", false),
            ("https://*.example.com", false),
            ("wallboard.example.com", false),
            ("file:///page.html", false),
            ("null", false),
            ("*", false),
            ("", false),
        ] {
            assert_eq!(is_origin(text), is, "{text}");
        }
    }
}
