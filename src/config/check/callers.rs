//! Checks of `listen.tls`, `listen.auth` and `listen.insecure`: doors beyond loopback are shut unless
//! the configuration says in words that they are not.

use super::Checks;
use crate::config::address::ListenAddress;
use crate::config::findings::Code;
use crate::config::key::KeyPath;
use crate::grpc::{ListenAuthConfig, PermissionConfig};
use crate::runtime::HumanDuration;

/// Clocks that differ by more are wrong.
const LARGEST_LEEWAY: HumanDuration = HumanDuration::from_secs(300);

impl Checks<'_> {
    /// An address that others can reach needs TLS, and callers that are known.
    pub(super) fn keep_shut(&mut self, address: &ListenAddress, at: &KeyPath) {
        let insecure = KeyPath::root().key("listen").key("insecure");
        if address.is_local() || !self.is_sound(&insecure) {
            return;
        }
        let listen = &self.config.listen;
        let root = KeyPath::root().key("listen");
        let tls = root.key("tls");
        let auth = root.key("auth");
        let insecure = listen.insecure;
        let plaintext = insecure.is_some_and(|insecure| insecure.plaintext());
        let anyone = insecure.is_some_and(|insecure| insecure.anyone());
        // What is there but wrong was reported, as itself.
        let no_tls = listen.tls.is_none() && !plaintext && self.is_sound(&tls);
        let no_auth = listen.auth.is_none() && !anyone && self.is_sound(&auth);
        let (missing, mend) = match (no_tls, no_auth) {
            (false, false) => return,
            (true, true) => (
                "listen.tls and listen.auth are",
                "insecure-plaintext-and-anyone",
            ),
            (true, false) => ("listen.tls is", "insecure-plaintext"),
            (false, true) => ("listen.auth is", "insecure-anyone"),
        };
        let message = format!("can be reached from other machines, and {missing} not given");
        let hint = format!(
            "give listen.tls (cert_file, key_file) and listen.auth (tokens_file, jwks_file or \
             permissions for client certificates), or listen on 127.0.0.1 or a unix: socket; \
             `listen.insecure: {mend}` leaves it open all the same"
        );
        self.error(Code::Insecure, at, message, hint);
    }

    pub(super) fn callers(&mut self, at: &KeyPath) {
        let listen = &self.config.listen;
        if let Some(tls) = &listen.tls {
            let own = at.key("tls");
            self.expect_file(&own.key("cert_file"), &tls.cert_file);
            self.expect_file(&own.key("key_file"), &tls.key_file);
            if let Some(file) = &tls.client_ca_file {
                self.expect_file(&own.key("client_ca_file"), file);
            }
        }
        if let Some(auth) = &listen.auth {
            self.credentials(&at.key("auth"), auth);
        }
        if let Some(insecure) = listen.insecure {
            let hint = "remove it once listen.tls and listen.auth are given";
            let message = insecure.meaning().trim_start_matches("listen.insecure: ");
            self.warning(Code::Insecure, &at.key("insecure"), message, hint);
        }
    }

    fn credentials(&mut self, at: &KeyPath, auth: &ListenAuthConfig) {
        if let Some(file) = &auth.tokens_file {
            self.expect_file(&at.key("tokens_file"), file);
        }
        if let Some(file) = &auth.jwks_file {
            self.expect_file(&at.key("jwks_file"), file);
        }
        let terms = [("issuer", &auth.issuer), ("audience", &auth.audience)];
        for (name, term) in terms {
            let given = term.as_deref().is_some_and(|text| !text.is_empty());
            if auth.jwks_file.is_some() && !given {
                let message = "is missing: tokens of jwks_file would be taken from or for anybody";
                let hint = format!("give {name}, as it stands in the tokens");
                self.error(Code::MissingKey, &at.key(name), message, hint);
            } else if auth.jwks_file.is_none() && term.is_some() {
                let hint = "give jwks_file, or remove it";
                self.error(
                    Code::Conflict,
                    &at.key(name),
                    "is of no use without jwks_file",
                    hint,
                );
            }
        }
        if auth.leeway > LARGEST_LEEWAY {
            let message = format!("must be at most {LARGEST_LEEWAY}");
            let hint = "set the clocks; 10s suits most";
            self.error(Code::OutOfRange, &at.key("leeway"), message, hint);
        }
        let permissions = at.key("permissions");
        if auth.permissions.is_empty() && self.is_sound(&permissions) {
            let hint = "give entries such as { principal: dashboards, journals: [default], allow: \
                        [read] }";
            let message = "allows nothing, so everybody is refused";
            self.warning(Code::Insecure, &permissions, message, hint);
        }
        for (index, entry) in auth.permissions.iter().enumerate() {
            self.permission(&permissions.index(index), entry);
        }
    }

    fn permission(&mut self, at: &KeyPath, entry: &PermissionConfig) {
        let wrong = |c: char| c.is_control() || c.is_whitespace();
        if entry.principal.is_empty() || entry.principal.contains(wrong) {
            let hint = "write a name of tokens_file, a token's sub, a certificate's name, or \
                        uid:1000 or gid:1000";
            let message = "must be a name without spaces";
            self.error(Code::WrongForm, &at.key("principal"), message, hint);
        }
        let account = ["uid:", "gid:"];
        let number = account
            .iter()
            .find_map(|kind| entry.principal.strip_prefix(kind));
        if number.is_some_and(|number| number.parse::<u32>().is_err()) {
            let hint = "write the number of the account, such as uid:1000";
            let message = "must be the number of an account";
            self.error(Code::WrongForm, &at.key("principal"), message, hint);
        }
        for (name, empty) in [
            ("journals", entry.journals.is_empty()),
            ("allow", entry.allow.is_empty()),
        ] {
            if empty {
                let hint = "name at least one, or remove the entry";
                self.error(Code::OutOfRange, &at.key(name), "must not be empty", hint);
            }
        }
        let known: Vec<&str> = self
            .config
            .journals
            .iter()
            .map(|j| j.name.as_str())
            .collect();
        let hint = format!("name one of: {}", known.join(", "));
        for (index, journal) in entry.journals.iter().enumerate() {
            if !known.contains(&journal.as_str()) {
                let at = at.key("journals").index(index);
                let message = "names a journal that is not configured";
                self.error(Code::NotFound, &at, message, hint.clone());
            }
        }
    }
}
