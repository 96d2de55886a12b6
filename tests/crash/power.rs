//! The power fails under a process that appends: a real file system drops what was not synced, and
//! replays its own journal when it is mounted again.
//!
//! ext4 on a loop device, shut down without flushing its log. That wants root, a loop device and
//! `mkfs.ext4`; where they are not to be had, it says so.

use std::path::Path;
use std::process::Stdio;

use tieline::journal::offline;
use tieline::runtime::Rng;
use tieline::testing::scale;
use tokio::time::timeout;

use crate::child::BOUND;
use crate::journal::{append_in, check, durable_lines, told};
use crate::namespace::Namespace;

const CUTS: u32 = 5;
const SCRIPT: &str = r#"
set -e
truncate -s 96M "$1.img"
mkfs.ext4 -q -F "$1.img" >/dev/null
mkdir -p "$1"
mount -o loop "$1.img" "$1"
echo mounted
while read -r word; do
  case $word in
    cut) python3 -c "$2" "$1" ;;
    again) umount "$1"; mount -o loop "$1.img" "$1" ;;
  esac
  echo "$word"
done
"#;
/// `EXT4_IOC_SHUTDOWN`, which drops its log, too.
const SHUTDOWN: &str = "
import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587D, struct.pack('I', 2))
";

#[tokio::test]
async fn power_cuts_lose_nothing_that_was_told_to_be_durable() {
    let root = tempfile::tempdir().unwrap();
    let mount = root.path().join("volume");
    let arguments = [mount.as_os_str(), SHUTDOWN.as_ref()];
    let mut volume = match Namespace::hold(SCRIPT, &arguments).await {
        Ok(volume) => volume,
        Err(why) => return println!("not run: no volume whose power can be cut: {why}"),
    };
    let directory = mount.join("journal");
    let seen = volume.seen(&directory);
    let rng = Rng::from_entropy();
    println!("seed {}", rng.seed());
    let (mut epoch, mut events) = (None, 0);
    for _ in 0..CUTS * scale() {
        let until = usize::try_from(rng.below(200)).unwrap();
        let last = one_cut(&mut volume, &directory, until).await;
        events = check(&seen, last).await;
        let verification = offline::verify(&seen).unwrap();
        assert!(verification.is_sound(), "{verification}");
        let found = verification.report.epoch;
        assert_eq!(*epoch.get_or_insert(found.clone()), found);
    }
    println!("{} power cuts, {events} events", CUTS * scale());
}

/// Lets a process append until it has told of `until` commits, and cuts the power. The last event that
/// it told of, and the first that it still had.
async fn one_cut(volume: &mut Namespace, directory: &Path, until: usize) -> (u64, u64) {
    let program = std::env::current_exe().unwrap();
    let mut program = volume.command(program).into_std();
    // How it complains about its disk is of no interest.
    program.stderr(Stdio::null());
    let mut child = append_in(program, directory);
    let mut lines = durable_lines(&mut child);
    let first = tokio::task::spawn_blocking(move || {
        let last = lines.by_ref().take(until).last();
        (last, lines)
    });
    let (mut last, lines) = timeout(BOUND, first).await.expect("it appends").unwrap();
    volume.tell("cut").await;
    // What it told until nothing could be written any more counts as well, but for the last: its sync was
    // under way, and ext4 may let one end well that it shuts down beneath. Without power nobody would
    // have told of it.
    let rest = tokio::task::spawn_blocking(move || lines.collect::<Vec<_>>());
    let mut rest = timeout(BOUND, rest).await.expect("it ends").unwrap();
    rest.pop();
    last = rest.pop().or(last);
    child.kill().ok();
    child.wait().unwrap();
    volume.tell("again").await;
    told(last)
}
