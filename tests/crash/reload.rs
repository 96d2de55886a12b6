//! SIGHUP: the configuration is read again, and a bad one changes nothing.

use tieline::runtime::Rng;
use tieline::sandbox::{RequestKind, Sandbox, SandboxConfig};

use crate::child::BOUND;
use crate::place::{Place, Settings, patient_platform};
use crate::readers::{Readers, Temper};
use crate::record::Progress;

fn handshakes(sandbox: &Sandbox) -> u64 {
    sandbox.counters().arrived(RequestKind::Websocket)
}

#[tokio::test]
async fn sighup_applies_a_good_file_and_refuses_a_bad_one_while_events_flow() {
    let rng = Rng::from_entropy();
    let busy = SandboxConfig {
        rate: 200.0,
        ..patient_platform()
    };
    let place = Place::new(busy, Settings::default(), &rng).await;
    let tempers = [Temper::Plain, Temper::Selective];
    let mut readers = Readers::start(&place.address(), &tempers, &rng);
    let mut sidecar = place.sidecar();
    let since = readers.record.progress();
    readers.advance(&mut sidecar, since, 200).await;
    let first = handshakes(&place.sandbox);

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
    place.sandbox.set_rate(0.0);
    let head = place.sandbox.ledger().head();
    let finish = readers.finish(&mut sidecar, head).await;
    finish.assert_complete(&place.sandbox.ledger().entries());
    sidecar.terminate().await;
    let status = sidecar.gone(BOUND).await;
    assert!(status.success(), "{status}\n{}", sidecar.last_words());
}
