//! Addresses and socket files.

use std::os::unix::fs::PermissionsExt;

use super::*;

async fn bind(address: &str) -> Result<Listener, BindError> {
    Listener::bind(address, SocketMode::Owner).await
}

#[tokio::test]
async fn addresses_that_are_none_are_refused() {
    for address in [
        "",
        "7443",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:x",
        "127.0.0.1:70000",
        "unix:",
        "unix:relative",
    ] {
        let refused = bind(address).await.unwrap_err();
        assert!(
            matches!(refused, BindError::Address { .. }),
            "{address}: {refused}"
        );
    }
}

#[tokio::test]
async fn an_address_in_use_is_said_to_be() {
    let first = bind("127.0.0.1:0").await.unwrap();
    let again = bind(&first.address()).await.unwrap_err();
    assert!(matches!(again, BindError::InUse { .. }), "{again}");
    assert!(
        first
            .tcp_address()
            .is_some_and(|address| address.port() > 0)
    );
}

#[tokio::test]
async fn a_socket_file_has_its_mode_and_goes_with_the_listener() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.sock");
    let address = format!("unix:{}", path.display());
    for (mode, bits) in [(SocketMode::Owner, 0o600), (SocketMode::Group, 0o660)] {
        let listener = Listener::bind(&address, mode).await.unwrap();
        assert_eq!(listener.address(), address);
        let found = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(found & 0o777, bits);
        let in_use = bind(&address).await.unwrap_err();
        assert!(matches!(in_use, BindError::InUse { .. }), "{in_use}");
        drop(listener);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

#[tokio::test]
async fn a_stale_socket_is_replaced_and_any_other_file_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.sock");
    let address = format!("unix:{}", path.display());
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "left over");
    drop(bind(&address).await.unwrap());
    std::fs::write(&path, "precious").unwrap();
    let refused = bind(&address).await.unwrap_err();
    assert!(matches!(refused, BindError::NotASocket { .. }), "{refused}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    let nowhere = bind("unix:/nonexistent/a.sock").await.unwrap_err();
    assert!(matches!(nowhere, BindError::Io { .. }), "{nowhere}");
}

#[tokio::test]
async fn a_listener_does_not_remove_the_socket_of_its_successor() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.sock");
    let address = format!("unix:{}", path.display());
    let first = bind(&address).await.unwrap();
    std::fs::remove_file(&path).unwrap();
    let second = bind(&address).await.unwrap();
    drop(first);
    assert!(path.exists());
    drop(second);
    assert!(!path.exists());
}
