//! SIGHUP: the configuration is read again, and a bad one changes nothing.

use std::time::Duration;

use tieline::runtime::Rng;
use tieline::sandbox::{RequestKind, Sandbox, SandboxConfig};
use tokio::time::{interval, timeout};

use crate::child::{BOUND, run};
use crate::collectors::with_console;
use crate::place::{Place, Settings, patient_platform};
use crate::readers::{Readers, Temper};
use crate::record::Progress;

fn handshakes(sandbox: &Sandbox) -> u64 {
    sandbox.counters().arrived(RequestKind::Websocket)
}

/// By which operators tell configurations apart.
async fn shown_hash(admin: &str) -> String {
    let shown = run(["top", "--once", "--address", admin]).await.stdout;
    let (_, behind) = shown.split_once("configuration ").expect(&shown);
    behind.chars().take_while(char::is_ascii_hexdigit).collect()
}

#[tokio::test]
async fn sighup_applies_a_good_file_and_refuses_a_bad_one_while_events_flow() {
    let rng = Rng::from_entropy();
    let busy = SandboxConfig {
        rate: 200.0,
        ..patient_platform()
    };
    let place = Place::new(busy, Settings::default(), &rng).await;
    let admin = with_console(&place);
    let tempers = [Temper::Plain, Temper::Selective];
    let mut readers = Readers::start(&place.address(), &tempers, &rng);
    let mut sidecar = place.sidecar();
    let since = readers.record.progress();
    readers.advance(&mut sidecar, since, 200).await;
    let first = handshakes(&place.sandbox);
    let began_with = shown_hash(&admin).await;

    let good = std::fs::read_to_string(place.config()).unwrap();
    std::fs::write(place.config(), "sessions: [").unwrap();
    sidecar.hang_up().await;
    let since = readers.record.progress();
    let on = |now: &Progress| now.taken >= since.taken + 400;
    readers.until(&mut sidecar, "events flow on", on).await;
    assert_eq!(handshakes(&place.sandbox), first);

    let changed = good.replace(r#""base":"50ms""#, r#""base":"60ms""#);
    assert_ne!(good, changed);
    std::fs::write(place.config(), changed).unwrap();
    sidecar.hang_up().await;
    let anew = |sandbox: &Sandbox| handshakes(sandbox) > first;
    assert!(
        place.sandbox.wait_until(BOUND, anew).await,
        "{}",
        sidecar.last_words()
    );
    let since = readers.record.progress();
    let on = |now: &Progress| now.taken >= since.taken + 200;
    readers.until(&mut sidecar, "events flow again", on).await;
    assert_ne!(shown_hash(&admin).await, began_with);

    // The same in another form is the same, whether it was there at the start or read again.
    std::fs::write(place.config(), format!("# As it was.\n{good}")).unwrap();
    sidecar.hang_up().await;
    let mut looks = interval(Duration::from_millis(50));
    let as_before = async {
        while shown_hash(&admin).await != began_with {
            looks.tick().await;
        }
    };
    timeout(BOUND, as_before)
        .await
        .expect("the hash of the start");
    place.sandbox.set_rate(0.0);
    let head = place.sandbox.ledger().head();
    let finish = readers.finish(&mut sidecar, head).await;
    finish.assert_complete(&place.sandbox.ledger().entries());
    sidecar.terminate().await;
    let status = sidecar.gone(BOUND).await;
    assert!(status.success(), "{status}\n{}", sidecar.last_words());
}
