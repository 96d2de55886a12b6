//! Which module may use which: the layers of the crate as a table.

/// A module of the crate and what it may use of the others.
pub(crate) struct Module {
    pub(crate) name: &'static str,
    pub(crate) layer: u8,
    pub(crate) may_use: Uses,
}

pub(crate) enum Uses {
    /// Every module: it wires, or it serves tests.
    All,
    /// These alone.
    Only(&'static [&'static str]),
}

use Uses::{All, Only};

/// An import goes down. The few that stay on a layer stand here by name, and so form no circle.
pub(crate) const MODULES: [Module; 20] = [
    module("domain", 0, Only(&[])),
    module("runtime", 0, Only(&["domain"])),
    module("proto", 0, Only(&[])),
    module("telemetry", 0, Only(&["domain", "runtime"])),
    module("journal", 1, Only(&["domain", "runtime", "proto"])),
    module("net", 1, Only(&["runtime", "telemetry"])),
    module("auth", 1, Only(&["domain", "runtime", "net"])),
    module(
        "connectors",
        2,
        Only(&["domain", "runtime", "proto", "auth", "net"]),
    ),
    module(
        "session",
        3,
        Only(&[
            "domain",
            "runtime",
            "proto",
            "telemetry",
            "journal",
            "net",
            "auth",
            "connectors",
        ]),
    ),
    module("feed", 3, Only(&["domain", "runtime", "proto", "journal"])),
    module(
        "sandbox",
        3,
        Only(&["domain", "runtime", "proto", "net", "auth", "connectors"]),
    ),
    module(
        "grpc",
        4,
        Only(&[
            "domain",
            "runtime",
            "proto",
            "telemetry",
            "journal",
            "feed",
            "session",
        ]),
    ),
    module(
        "admin",
        4,
        Only(&[
            "domain",
            "runtime",
            "proto",
            "telemetry",
            "journal",
            "feed",
            "session",
            "grpc",
        ]),
    ),
    module("client", 4, Only(&["domain", "runtime", "proto"])),
    module(
        "config",
        5,
        Only(&[
            "domain",
            "runtime",
            "telemetry",
            "journal",
            "net",
            "auth",
            "connectors",
            "session",
            "feed",
            "sandbox",
            "grpc",
            "admin",
            "client",
        ]),
    ),
    module("app", 6, All),
    module("cli", 6, All),
    module("main", 6, All),
    module("lib", 6, All),
    module("testing", 6, All),
];

/// The parts of a profile.
const PROFILE: &[&str] = &[
    "Availability",
    "CredentialPlace",
    "FormRule",
    "FrameMeaning",
    "NumberedTime",
    "Phase",
    "Profile",
];

/// Of some modules only a part may be used: user, used, names, why.
pub(crate) const NARROW: [(&str, &str, &[&str], &str); 4] = [
    (
        "sandbox",
        "connectors",
        PROFILE,
        "a simulated platform shares no reading of the wire with the client; only a profile describes both",
    ),
    (
        "connectors",
        "runtime",
        &["MonoTime", "HumanDuration", "ByteSize", "Secret", "Mistake"],
        "a connector is handed time and chance and owns no task",
    ),
    (
        "grpc",
        "session",
        &[
            "SessionBoard",
            "Post",
            "Guests",
            "CreateProblem",
            "CloseProblem",
            "outbound",
            "is_record_of",
        ],
        "the edge reads what sessions post, and asks guests' sessions; it drives none",
    ),
    (
        "admin",
        "grpc",
        &[
            "Accepted",
            "Listener",
            "Peer",
            "Callers",
            "Gate",
            "Right",
            "OperatorRefused",
        ],
        "operators' doors are bound and guarded like the others, and know no service behind them",
    ),
];

const fn module(name: &'static str, layer: u8, may_use: Uses) -> Module {
    Module {
        name,
        layer,
        may_use,
    }
}

pub(crate) fn find(name: &str) -> Option<&'static Module> {
    MODULES.iter().find(|module| module.name == name)
}

/// What stands against `user` mentioning `path` (the segments after `crate::`), if anything.
pub(crate) fn objection(user: &Module, path: &[String], in_test: bool) -> Option<String> {
    let name = user.name;
    let used_name = path.first().map_or("", String::as_str);
    let item = path.get(1).map_or("", String::as_str);
    let Only(allowed) = user.may_use else {
        return None;
    };
    if used_name == name {
        return None;
    }
    let Some(used) = find(used_name) else {
        return Some(format!(
            "`{used_name}` has no layer: name it in tests/architecture/layers.rs"
        ));
    };
    // Tests of a module may bring any module of its layer or below, and the fakes.
    if in_test && (used.layer <= user.layer || used.name == "testing") {
        return None;
    }
    if !allowed.contains(&used_name) {
        let list = if allowed.is_empty() {
            "nothing".to_owned()
        } else {
            allowed.join(", ")
        };
        return Some(format!(
            "`{name}` may not use `{used_name}`; it may use {list}"
        ));
    }
    let (_, _, names, why) = NARROW
        .iter()
        .find(|(by, of, ..)| *by == name && *of == used_name)?;
    (!names.contains(&item)).then(|| {
        let list = names.join(", ");
        format!("`{name}` may use {list} of `{used_name}`, not `{item}`: {why}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_module_may_use_one_above_it_and_none_forms_a_circle() {
        for module in &MODULES {
            let Only(allowed) = module.may_use else {
                continue;
            };
            for name in allowed {
                let used = find(name).unwrap_or_else(|| panic!("{name} is not a module"));
                assert!(used.layer <= module.layer, "{} uses {name}", module.name);
                let back = match used.may_use {
                    All => true,
                    Only(list) => list.contains(&module.name),
                };
                assert!(!back, "{} and {name} use each other", module.name);
            }
        }
    }
}
