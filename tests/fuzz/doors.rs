//! One door for libFuzzer, which `TIELINE_FUZZ_TARGET` names.
#![no_main]

#[expect(dead_code, reason = "the conformance tests use the rest")]
#[path = "../conformance/kit.rs"]
mod kit;
mod targets;

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use crate::targets::{TARGETS, Target};

fuzz_target!(|bytes: &[u8]| {
    static CHOSEN: OnceLock<&'static Target> = OnceLock::new();
    (CHOSEN.get_or_init(chosen).enter)(bytes);
});

/// The door that is asked for. Its seeds go to the folder that `TIELINE_FUZZ_SEEDS` names, if it does.
fn chosen() -> &'static Target {
    let name = std::env::var("TIELINE_FUZZ_TARGET").unwrap_or_default();
    let found = TARGETS.iter().find(|target| target.name == name);
    let target = found.unwrap_or_else(|| {
        let names = TARGETS.map(|target| target.name).join(", ");
        panic!("TIELINE_FUZZ_TARGET is '{name}'; it is one of {names}")
    });
    if let Ok(folder) = std::env::var("TIELINE_FUZZ_SEEDS") {
        for (number, seed) in (target.seeds)().iter().enumerate() {
            let path = format!("{folder}/seed-{number}");
            std::fs::write(&path, seed).unwrap_or_else(|e| panic!("{path}: {e}"));
        }
    }
    target
}
