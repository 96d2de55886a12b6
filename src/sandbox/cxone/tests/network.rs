//! The network: TLS, resets, freezes, refused connections.

use super::*;

#[tokio::test]
async fn it_serves_tls_under_an_authority_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    let config = CxoneConfig {
        tls_ca_out: Some(path.clone()),
        ..CxoneConfig::default()
    };
    let visit = Visit::new(config).await;
    assert_eq!(visit.tenant.endpoint().scheme(), "https");
    assert_eq!(
        Some(std::fs::read_to_string(path).unwrap().as_str()),
        visit.tenant.ca_pem()
    );
    let id = visit.live().await;
    assert_eq!(visit.poll(&id).await.status, 304);
    let openid = visit.get(".well-known/openid-configuration").await.json();
    assert!(
        openid["token_endpoint"]
            .as_str()
            .unwrap()
            .starts_with("https://")
    );
}

#[tokio::test]
async fn the_platform_goes_down_and_comes_back_on_the_same_port() {
    let visit = Visit::plain().await;
    let id = visit.live().await;
    let held = async { visit.hold(&id, 20).await };
    let down = async {
        visit.until_held(1).await;
        visit.set(CxoneFault::PlatformDown {});
    };
    let (broken, ()) = tokio::join!(held, down);
    assert!(broken.is_err());
    assert!(visit.hold(&id, 0).await.unwrap_err().is_connect());
    assert!(visit.tenant.faults().clear(CxoneFaultName::PlatformDown));
    let mut tries = 0;
    // The door is opened by a task of its own.
    while visit.hold(&id, 0).await.is_err() {
        tries += 1;
        assert!(tries < 1_000);
        tokio::task::yield_now().await;
    }
    assert_eq!(visit.poll(&id).await.status, 304);
}

#[tokio::test]
async fn a_frozen_poll_ends_only_when_it_is_thawed() {
    let visit = Visit::plain().await;
    let id = visit.live().await;
    visit.set(CxoneFault::Freeze {}.times(1));
    let held = async { visit.hold(&id, 60).await.unwrap() };
    let thaw = async {
        visit
            .until(|tenant| tenant.faults().struck(CxoneFaultName::Freeze) == 1)
            .await;
        visit.available();
        visit.tenant.faults().clear_all();
    };
    let (got, ()) = tokio::join!(held, thaw);
    assert_eq!(got.status, 200);
}

#[tokio::test]
async fn connections_beyond_the_limit_are_closed() {
    let visit = Visit::plain().await;
    visit.set(CxoneFault::ConnectionLimit { max: 0 });
    let another = client(None);
    let url = visit.url(&format!("{SERVICES}/server-time"));
    assert!(another.get(url).send().await.is_err());
    assert_eq!(visit.tenant.counters().connections_refused, 1);
}

#[tokio::test]
async fn a_client_that_goes_away_takes_nothing_with_it() {
    let visit = Visit::plain().await;
    let id = visit.live().await;
    let impatient = tokio::time::timeout(Duration::from_millis(50), visit.hold(&id, 60));
    assert!(impatient.await.is_err());
    visit.until_held(0).await;
    let fact = visit.available();
    assert_eq!(visit.poll(&id).await.outcome(), (200, Some("1")));
    assert!(matches!(visit.fate(fact), FactFate::Sent(_)));
    let kind = CxoneRequestKind::Poll;
    let abandoned = crate::sandbox::Outcome::Abandoned;
    assert_eq!(visit.tenant.counters().ended(kind, abandoned), 1);
}
