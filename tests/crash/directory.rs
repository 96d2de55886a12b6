//! A journal directory that cannot be used: exit code 74, a plain reason, and nothing touched.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt};
use std::path::{Path, PathBuf};

use tieline::runtime::Rng;
use tieline::sandbox::{Emission, SandboxConfig};
use tokio::process::Command;
use xxhash_rust::xxh3::xxh3_64;

use crate::child::{BOUND, Finished, finished, tieline, without_settings};
use crate::place::{Place, Settings, patient_platform};
use crate::readers::{Readers, Temper};

/// What a start that cannot have its journal ends with.
const EX_IOERR: i32 = 74;
/// A user that owns nothing.
const NOBODY: &str = "65534";

/// Everything that can be seen of a file: mode, length, last change, contents or names.
type Listing = BTreeMap<PathBuf, (u32, u64, (i64, i64), u64)>;

#[tokio::test]
async fn a_directory_in_use_names_its_holder_and_the_holder_goes_on() {
    let place = Place::new(
        patient_platform(),
        Settings::default(),
        &Rng::from_entropy(),
    )
    .await;
    let mut holder = place.sidecar();
    place.serves("sessions/centre").await;
    let second = beside(&place).await;
    let before = listing(place.journal());
    let refused = start(&second).await;
    assert_refused(&refused, &format!("in use by process {}", holder.pid()));
    assert_eq!(listing(place.journal()), before);
    place.sandbox.emit(&Emission::story(10)).unwrap();
    let mut readers = Readers::start(&place.address(), &[Temper::Plain], &Rng::from_entropy());
    readers
        .until(&mut holder, "the holder serves", |now| now.number == 10)
        .await;
    holder.kill().await;
}

#[tokio::test]
async fn another_format_version_is_refused_whichever_file_says_so() {
    let place = with_a_journal().await;
    let names = listing(place.journal());
    let segment = names
        .keys()
        .rfind(|path| path.extension().is_some_and(|of| of == "seg"));
    for file in [&place.journal().join("meta"), segment.unwrap()] {
        let original = std::fs::read(file).unwrap();
        std::fs::write(file, of_version(&original, 77)).unwrap();
        let name = file.file_name().unwrap().to_string_lossy();
        assert_untouched(
            &place,
            &format!("'{name}' is of format 77, this program reads"),
        )
        .await;
        std::fs::write(file, original).unwrap();
    }
    // What was refused is what it was: it can be used.
    let sidecar = place.sidecar();
    place.serves("journals/default").await;
    sidecar.kill().await;
}

#[tokio::test]
async fn somebody_elses_files_are_left_alone() {
    let place = empty_place().await;
    std::fs::create_dir_all(place.journal().join("photos/summer")).unwrap();
    std::fs::write(place.journal().join("photos/summer/1.jpg"), "x").unwrap();
    assert_untouched(&place, "not a journal, it holds 'photos'").await;
}

#[tokio::test]
async fn a_file_in_the_place_of_the_directory_is_left_alone() {
    let place = empty_place().await;
    std::fs::write(place.journal(), "a letter").unwrap();
    assert_untouched(&place, "cannot create the directory: not a directory").await;
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_is_named() {
    let settings = Settings {
        journal: Some("/proc/self/tieline/journal".into()),
        ..Settings::default()
    };
    let place = Place::new(SandboxConfig::default(), settings, &Rng::from_entropy()).await;
    let refused = start(&place.config()).await;
    assert_refused(
        &refused,
        "/proc/self/tieline/journal: cannot create the directory",
    );
}

#[tokio::test]
async fn without_permission_to_write_nothing_is_written() {
    let place = with_a_journal().await;
    let parent = place.journal().parent().unwrap();
    for (path, _) in listing(place.journal()) {
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o444)).unwrap();
    }
    for directory in [place.journal(), parent] {
        std::fs::set_permissions(directory, PermissionsExt::from_mode(0o555)).unwrap();
    }
    let is_root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    let mut command = tieline();
    if is_root {
        // Nobody can reach a binary in a home directory that is closed.
        let binary = place.path("tieline");
        std::fs::copy(env!("CARGO_BIN_EXE_tieline"), &binary).unwrap();
        std::fs::set_permissions(&binary, PermissionsExt::from_mode(0o555)).unwrap();
        let mut as_nobody = Command::new("setpriv");
        as_nobody.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"]);
        as_nobody.arg(binary);
        command = without_settings(as_nobody);
    }
    let before = listing(place.journal());
    let refused = finished(command.arg("run").arg("--config").arg(place.config())).await;
    assert_refused(&refused, "no permission to take the lock");
    assert_eq!(listing(place.journal()), before);
    std::fs::set_permissions(parent, PermissionsExt::from_mode(0o700)).unwrap();
}

async fn empty_place() -> Place {
    Place::new(
        SandboxConfig::default(),
        Settings::default(),
        &Rng::from_entropy(),
    )
    .await
}

/// A place whose journal holds events, and nobody has it open.
async fn with_a_journal() -> Place {
    let place = empty_place().await;
    let mut sidecar = place.sidecar();
    place.serves("sessions/centre").await;
    sidecar.terminate().await;
    assert!(sidecar.gone(BOUND).await.success());
    place
}

/// The same configuration for a second process, which has a socket of its own.
async fn beside(place: &Place) -> PathBuf {
    let config = std::fs::read_to_string(place.config()).unwrap();
    let (socket, other) = (place.address().to_string(), place.path("other"));
    let config = config.replace(&socket, &format!("unix:{}", other.display()));
    let path = place.path("second.yaml");
    std::fs::write(&path, config).unwrap();
    path
}

async fn start(config: &Path) -> Finished {
    finished(tieline().arg("run").arg("--config").arg(config)).await
}

async fn assert_untouched(place: &Place, reason: &str) {
    let before = listing(place.journal());
    let refused = start(&place.config()).await;
    assert_refused(&refused, reason);
    assert_eq!(listing(place.journal()), before);
}

fn assert_refused(refused: &Finished, reason: &str) {
    assert_eq!(refused.code, Some(EX_IOERR), "{refused:?}");
    let told = refused.stderr.lines().last().unwrap_or_default();
    assert!(
        told.starts_with("error: open journals/default: journal directory /"),
        "{refused:?}"
    );
    assert!(told.contains(reason), "{told}");
}

/// Everything at and below a path.
fn listing(path: &Path) -> Listing {
    let metadata = std::fs::symlink_metadata(path).unwrap();
    let mut listing = Listing::new();
    let mut contents = 0;
    if metadata.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            listing.append(&mut self::listing(&entry.unwrap().path()));
        }
    } else {
        contents = xxh3_64(&std::fs::read(path).unwrap());
    }
    let changed = (metadata.mtime(), metadata.mtime_nsec());
    let seen = (metadata.mode(), metadata.len(), changed, contents);
    listing.insert(path.to_owned(), seen);
    listing
}

/// A file whose header says that another release wrote it, undamaged.
fn of_version(file: &[u8], version: u32) -> Vec<u8> {
    let mut file = file.to_vec();
    file[8..12].copy_from_slice(&version.to_le_bytes());
    let length = u32::from_le_bytes(file[12..16].try_into().unwrap());
    let crc_at = usize::try_from(length).unwrap() - 4;
    let crc = crc32c::crc32c(&file[..crc_at]);
    file[crc_at..crc_at + 4].copy_from_slice(&crc.to_le_bytes());
    file
}
