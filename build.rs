//! Generates messages, clients, servers and the descriptor set from `proto/`, and the list of the
//! profiles that are built in. Nothing else.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

const PROTOS: [&str; 6] = [
    "tieline/v1/event.proto",
    "tieline/v1/event_service.proto",
    "tieline/v1/session_service.proto",
    "tieline/v1/subscription_service.proto",
    "tieline/v1/messaging_service.proto",
    "tieline/v1/admin_service.proto",
];

/// Each file in it is a profile, called as its platform is.
const PROFILES: &str = "src/connectors/profile/built_in";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler
        .include_imports(true)
        .include_source_info(true)
        .open_files(PROTOS)?;
    std::fs::write(
        out.join("tieline_descriptor.bin"),
        compiler.encode_file_descriptor_set(),
    )?;
    // Applications that read have no need of servers, profiles and a small program.
    let sidecar = std::env::var_os("CARGO_FEATURE_SIDECAR").is_some();
    tonic_prost_build::configure()
        .build_server(sidecar)
        .bytes(".tieline.v1.Event.raw_data")
        .compile_fds(compiler.file_descriptor_set())?;
    if sidecar {
        event_service_without_subscribe()?;
        link_small();
        built_in_profiles(&out)?;
    }
    Ok(())
}

/// Relative relocations in their short form, and functions of equal code once: a tenth of the
/// program. Only where rustc links with lld of itself, and loaders know the form (glibc 2.36).
fn link_small() {
    let is = |key: &str, value: &str| std::env::var(key).is_ok_and(|found| found == value);
    if is("PROFILE", "release")
        && is("CARGO_CFG_TARGET_ARCH", "x86_64")
        && is("CARGO_CFG_TARGET_OS", "linux")
        && is("CARGO_CFG_TARGET_ENV", "gnu")
    {
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
        println!("cargo:rustc-link-arg-bins=-Wl,--icf=all");
    }
}

/// `BUILT_IN`: name and text of each profile, in the order of their names.
fn built_in_profiles(out: &Path) -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed={PROFILES}");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(PROFILES)? {
        let path = entry?.path();
        let name = path.file_stem().and_then(|name| name.to_str());
        match (name, path.extension().is_some_and(|end| end == "json")) {
            (Some(name), true) => names.push(name.to_owned()),
            _ => return Err(format!("{} is no profile", path.display()).into()),
        }
    }
    names.sort();
    let mut list = String::from("const BUILT_IN: &[(&str, &str)] = &[\n");
    for name in names {
        let path = format!("/{PROFILES}/{name}.json");
        let text = format!("include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), {path:?}))");
        writeln!(list, "    ({name:?}, {text}),")?;
    }
    list.push_str("];\n");
    Ok(std::fs::write(out.join("profiles.rs"), list)?)
}

/// `EventService` once more, without its `Subscribe`: that is written by hand, see `grpc::subscribe`.
fn event_service_without_subscribe() -> Result<(), Box<dyn std::error::Error>> {
    use tonic_build::manual::{Builder, Method, Service};
    let unary = |name: &str, route: &str| {
        Method::builder()
            .name(name)
            .route_name(route)
            .input_type(format!("crate::proto::v1::{route}Request"))
            .output_type(format!("crate::proto::v1::{route}Response"))
            .codec_path("tonic_prost::ProstCodec")
            .build()
    };
    let service = Service::builder()
        .name("EventService")
        .package("tieline.v1")
        .method(unary("read_events", "ReadEvents"))
        .method(unary("get_event", "GetEvent"))
        .method(unary("get_journal", "GetJournal"))
        .method(unary("list_journals", "ListJournals"))
        .build();
    Builder::new().build_client(false).compile(&[service]);
    Ok(())
}
