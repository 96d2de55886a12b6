//! Checks of a session's `proxy` and `tls`: who stands between us and the platform, and who we are to
//! them.

use super::Checks;
use crate::config::findings::Code;
use crate::config::key::KeyPath;
use crate::net::{InvalidProxy, ProxyRoutes};
use crate::session::SessionConfig;

impl Checks<'_> {
    pub(super) fn tls(&mut self, at: &KeyPath, session: &SessionConfig) {
        let tls = &session.tls;
        let files = [
            ("ca_file", &tls.ca_file),
            ("client_cert_file", &tls.client_cert_file),
            ("client_key_file", &tls.client_key_file),
        ];
        for (name, file) in files {
            if let Some(file) = file {
                self.expect_file(&at.key(name), file);
            }
        }
        let [_, certificate, key] = files;
        for ((name, file), (other, its)) in [(certificate, key), (key, certificate)] {
            if file.is_some() && its.is_none() && self.is_sound(&at.key(other)) {
                let message = format!("is of no use without {other}");
                let hint = format!("give {other} too, the PEM file that belongs to it");
                self.error(Code::MissingKey, &at.key(name), message, hint);
            }
        }
    }

    pub(super) fn proxy(&mut self, at: &KeyPath, session: &SessionConfig) {
        if !self.is_sound(at) {
            return;
        }
        let Some(proxy) = &session.proxy else {
            return self.proxy_of_environment(at, session);
        };
        for problem in proxy.problems() {
            self.proxy_problem(at, &problem);
        }
        if let Ok(routes) = ProxyRoutes::of(Some(proxy)) {
            self.no_address_behind(at, session, &routes);
        }
        if let Some(file) = &proxy.password_file {
            self.expect_file(&at.key("password_file"), file);
        }
        if let Some(variable) = &proxy.password_env {
            self.variable(&at.key("password_env"), variable);
        }
    }

    fn proxy_problem(&mut self, at: &KeyPath, problem: &InvalidProxy) {
        let (code, at, message, hint) = match problem {
            InvalidProxy::Userinfo => (
                Code::InlineSecret,
                at.key("url"),
                "must not hold credentials",
                "take them out of the address; give username, and password_file or password_env",
            ),
            InvalidProxy::Username => (
                Code::WrongForm,
                at.key("username"),
                "must not be empty or hold ':' or control characters",
                "Basic authentication cannot carry it; ask for another account",
            ),
            InvalidProxy::NoUsername => (
                Code::MissingKey,
                at.key("username"),
                "is missing: a password is given",
                "give username, or remove the password",
            ),
            InvalidProxy::PasswordTwice => (
                Code::Conflict,
                at.key("password_env"),
                "must not be given beside password_file",
                "keep one of the two",
            ),
            InvalidProxy::Exemption { index } => (
                Code::WrongForm,
                at.key("no_proxy").index(*index),
                "must be a name, an address, a network or '*'",
                "write corp.example, 192.0.2.7, 10.0.0.0/8 or [2001:db8::1], with :port if need be",
            ),
            _ => (
                Code::WrongForm,
                at.key("url"),
                "must be the address of a proxy",
                "write http://host:port or https://host:port, without a path",
            ),
        };
        self.error(code, &at, message, hint);
    }

    fn no_address_behind(&mut self, at: &KeyPath, session: &SessionConfig, routes: &ProxyRoutes) {
        if routes.cannot_name(&session.endpoint) {
            let message = "cannot reach an https endpoint at an IPv6 address";
            let hint = "write the endpoint with its name, or put its address into proxy.no_proxy";
            self.error(Code::Conflict, at, message, hint);
        }
    }

    /// A session without a proxy of its own uses the environment's; silence would mean going direct
    /// where that is forbidden.
    fn proxy_of_environment(&mut self, at: &KeyPath, session: &SessionConfig) {
        let variables = &self.sources.variables;
        let routes = ProxyRoutes::from_environment(|name| variables.get(name).cloned());
        if let Ok(routes) = &routes {
            self.no_address_behind(at, session, routes);
        }
        if let Err(InvalidProxy::Address { key }) = routes
            && !super::sessions::is_loopback(&session.endpoint)
        {
            let message = format!("is not given, and {key} is not the address of a proxy");
            let hint = format!("set {key} to http://host:port, unset it, or give proxy.url");
            self.error(Code::WrongForm, at, message, hint);
        }
    }
}
