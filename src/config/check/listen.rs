//! Checks of `listen`: addresses that parse and differ, and limits.

use std::collections::BTreeMap;

use super::Checks;
use crate::config::address::ListenAddress;
use crate::config::findings::Code;
use crate::config::key::KeyPath;

impl Checks<'_> {
    pub(super) fn listen(&mut self) {
        let config = self.config;
        let at = KeyPath::root().key("listen");
        let grpc = at.key("grpc");
        if config.listen.grpc.is_empty() {
            let hint = "give at least one, such as 127.0.0.1:7443";
            self.error(Code::OutOfRange, &grpc, "must hold an address", hint);
        }
        let mut taken = BTreeMap::new();
        for (index, text) in config.listen.grpc.iter().enumerate() {
            let at = grpc.index(index);
            let Some(address) = self.address(&at, text) else {
                continue;
            };
            self.keep_shut(&address, &at);
            self.claim(&mut taken, address, &at);
        }
        let health = at.key("health");
        if !config.listen.health.is_empty()
            && let Some(address) = self.address(&health, &config.listen.health)
        {
            if matches!(address, ListenAddress::Unix(_)) {
                let hint = "write it as 0.0.0.0:7444; probes do not speak to sockets";
                self.error(
                    Code::WrongForm,
                    &health,
                    "must be an IP address and port",
                    hint,
                );
            }
            self.claim(&mut taken, address, &health);
        }
        let admin = at.key("admin");
        for (index, text) in config.listen.admin.iter().enumerate() {
            let at = admin.index(index);
            let Some(address) = self.address(&at, text) else {
                continue;
            };
            self.keep_shut(&address, &at);
            self.claim(&mut taken, address, &at);
        }
        self.callers(&at);
        self.reach(&at);
    }

    fn address(&mut self, at: &KeyPath, text: &str) -> Option<ListenAddress> {
        match text.parse() {
            Ok(address) => Some(address),
            Err(invalid) => {
                let invalid: crate::config::address::InvalidListenAddress = invalid;
                let hint = "write it as 127.0.0.1:7443 or unix:/run/tieline/tieline.sock";
                self.error(Code::WrongForm, at, invalid.to_string(), hint);
                None
            }
        }
    }

    fn claim(
        &mut self,
        taken: &mut BTreeMap<ListenAddress, KeyPath>,
        address: ListenAddress,
        at: &KeyPath,
    ) {
        // Port 0 is another port each time.
        if matches!(address, ListenAddress::Tcp(tcp) if tcp.port() == 0) {
            return;
        }
        if let Some(first) = taken.get(&address) {
            let message = format!("is taken by {first}");
            self.error(
                Code::NotUnique,
                at,
                message,
                "give each listener an address of its own",
            );
        } else {
            taken.insert(address, at.clone());
        }
    }
}
