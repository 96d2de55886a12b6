//! A full volume, for real: appends wait, readers are served, nothing is lost once there is room.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use tieline::client::Address;
use tieline::runtime::Rng;
use tieline::sandbox::Emission;
use tokio::time::timeout;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::child::{BOUND, Child, finished};
use crate::namespace::Namespace;
use crate::place::{Place, Settings, patient_platform};
use crate::readers::{Readers, Temper, read_again};

/// Where the volume stands, in the files of the test and in a mount namespace of its own.
const VOLUME: &str = "volume";
/// Room for a few segments of 16 MiB, until the ballast takes it.
const VOLUME_SIZE: &str = "96m";
const RETENTION: &str = r#"{ "max_bytes": "128MiB", "min_free_bytes": "4KiB" }"#;
/// A file system in memory.
const SCRIPT: &str =
    r#"mount -t tmpfs -o "size=$2" tieline "$1" && echo mounted && exec cat >/dev/null"#;
/// More than a segment holds.
const EVENTS: u64 = 20_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_volume_loses_nothing() {
    let rng = Rng::from_entropy();
    let files = tempfile::tempdir().unwrap();
    let mount = files.path().join(VOLUME);
    std::fs::create_dir(&mount).unwrap();
    let arguments = [mount.as_os_str(), VOLUME_SIZE.as_ref()];
    let volume = match Namespace::hold(SCRIPT, &arguments).await {
        Ok(volume) => volume,
        Err(why) => return println!("not run: no volume of its own can be mounted: {why}"),
    };
    let settings = Settings {
        retention: serde_json::from_str(RETENTION).unwrap(),
        journal: Some(mount.join("journal")),
        ..Settings::default()
    };
    let place = Place::new(patient_platform(), settings, &rng).await;
    let ballast = fill_up(&volume.seen(&mount), 20 << 20);
    let mut command = volume.command(env!("CARGO_BIN_EXE_tieline"));
    command.arg("run").arg("--config").arg(place.config());
    let mut sidecar = Child::start(&mut command, &place.path("log"));
    let tempers = [Temper::Plain, Temper::Dying, Temper::Selective];
    let mut readers = Readers::start(&place.address(), &tempers, &rng);

    place.sandbox.emit(&Emission::story(100)).unwrap();
    let arrived = |now: &crate::record::Progress| now.number >= 100;
    readers
        .until(&mut sidecar, "there is room at first", arrived)
        .await;
    place.sandbox.emit(&Emission::story(EVENTS)).unwrap();
    let address = place.address();
    let journal_serves = tokio::select! {
        told = status_becomes(&address, ServingStatus::NotServing) => told,
        complaint = readers.watch_for_complaints(&mut sidecar) => panic!("{complaint}"),
    };
    journal_serves.unwrap();
    // Readers are served, and the platform's session waits.
    let (first, latest) = read_again(&place.address(), &readers.record).await;
    println!("full at sequence {latest}");
    assert_eq!(first, 1);
    assert!(latest > 100 && latest < EVENTS, "{latest}");
    place.serves("").await;

    std::fs::remove_file(ballast).unwrap();
    status_becomes(&place.address(), ServingStatus::Serving)
        .await
        .unwrap();
    let head = place.sandbox.ledger().head();
    let finish = readers.finish(&mut sidecar, head).await;
    finish.assert_complete(&place.sandbox.ledger().entries());
    sidecar.kill().await;
    let mut verify = volume.command(env!("CARGO_BIN_EXE_tieline"));
    let verified = finished(verify.args(["journal", "verify"]).arg(place.journal())).await;
    assert_eq!(verified.code, Some(0), "{verified:?}");
}

/// Waits until the health of the journal is this.
async fn status_becomes(address: &Address, wanted: ServingStatus) -> Result<(), tonic::Status> {
    let request = HealthCheckRequest {
        service: "journals/default".to_owned(),
    };
    let watch = async {
        let mut client = HealthClient::new(address.channel().unwrap());
        let mut statuses = client.watch(request).await?.into_inner();
        while let Some(told) = statuses.message().await? {
            if told.status() == wanted {
                return Ok(());
            }
        }
        Err(tonic::Status::aborted("the watch ended"))
    };
    timeout(BOUND, watch).await.expect("its health changes")
}

/// Leaves so many bytes of the volume free; the file that takes the rest.
fn fill_up(volume: &Path, free: u64) -> PathBuf {
    let path = volume.join("ballast");
    let mut ballast = std::fs::File::create(&path).unwrap();
    let megabyte = vec![7; 1 << 20];
    while ballast.write_all(&megabyte).is_ok() {}
    let length = ballast.metadata().unwrap().len();
    ballast.set_len(length - free).unwrap();
    path
}
