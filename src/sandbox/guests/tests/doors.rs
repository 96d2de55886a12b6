//! Who may open a socket, how many may in a second, and what a restart of the platform does.

use super::*;

#[tokio::test]
async fn a_deployment_lets_in_whoever_comes_from_an_origin_that_it_allows() {
    let visit = Visit::new(GuestConfig {
        allowed_origins: vec!["https://www.example.org".to_owned()],
        ..messaging()
    })
    .await;
    let path = visit.socket_path();
    let from = |origin: &'static str| [("origin", origin)];
    for good in ["https://www.example.org", "www.example.org"] {
        visit.dial(&path, &from(good)).await.unwrap();
    }
    for bad in [
        "https://evil.example.net",
        "http://www.example.org",
        "https://www.example.org.evil.net",
    ] {
        assert_eq!(refused(visit.dial(&path, &from(bad)).await).0, 403, "{bad}");
    }
    assert_eq!(refused(visit.dial(&path, &[]).await).0, 403);
    let elsewhere = "v1?deploymentId=another";
    let good = from("https://www.example.org");
    assert_eq!(refused(visit.dial(elsewhere, &good).await).0, 403);
    assert_eq!(refused(visit.dial("v1", &good).await).0, 403);
}

#[tokio::test]
async fn the_deployments_configuration_is_public() {
    let visit = Visit::new(messaging()).await;
    let id = visit.sandbox.config().deployment_id;
    let config = |id: &str| visit.url(&format!("webdeployments/v1/deployments/{id}/config.json"));
    let got = read(visit.http.get(config(&id))).await;
    assert_eq!((got.status, &got.json()["id"]), (200, &json!(id)));
    assert_eq!(read(visit.http.get(config("another"))).await.status, 404);
    assert_eq!(read(visit.http.get(visit.url("v1"))).await.status, 426);
    assert_eq!(
        read(visit.http.get(visit.url("elsewhere"))).await.status,
        404
    );
}

#[tokio::test]
async fn a_restart_cuts_every_socket_at_once_and_keeps_sessions() {
    let visit = Visit::new(messaging()).await;
    let (mut one, _) = visit.join(TOKEN).await;
    let (mut two, _) = visit.join(OTHER).await;
    visit.sandbox.restart(Duration::ZERO);
    breaks(&mut one).await;
    breaks(&mut two).await;
    visit.until(|sandbox| sandbox.sockets() == 0).await;
    let (_, body) = visit.join(TOKEN).await;
    assert_eq!(body["newSession"], false);
}

#[tokio::test]
async fn a_restart_may_take_a_while() {
    let visit = Visit::new(messaging()).await;
    visit.sandbox.restart(Duration::from_secs(3600));
    assert!(visit.dial(&visit.socket_path(), &[]).await.is_err());
    visit.clear(GuestFaultName::PlatformDown);
    visit.sandbox.restart(Duration::from_millis(1));
    visit
        .until(|sandbox| {
            let status = sandbox.faults().status();
            status.iter().all(|fault| fault.rule.is_none())
        })
        .await;
}

#[tokio::test]
async fn sessions_without_a_socket_are_forgotten_where_there_are_too_many() {
    let visit = Visit::new(GuestConfig {
        max_sessions: 1,
        ..messaging()
    })
    .await;
    let (mut socket, _) = visit.join(TOKEN).await;
    socket.close(None).await.unwrap();
    visit.until(|sandbox| sandbox.sockets() == 0).await;
    visit.join(OTHER).await;
    let known: Vec<_> = visit
        .sandbox
        .sessions()
        .into_iter()
        .map(|s| s.session)
        .collect();
    assert_eq!(known, [OTHER]);
}
