//! Browsers over TLS, some of which speak HTTP/1.1 alone.

use std::io;
use std::sync::Arc;

use prost::Message as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tieline::client::Credentials;
use tieline::proto::v1;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::certificates::tls;
use super::house::{House, READER, goes_on};
use crate::kit::PATIENCE;

const PAGE: &str = "https://wallboard.example.test";

async fn house(origins: &[&str]) -> House {
    House::with(|config, files, authority| {
        tls(config, files, authority, None);
        let origins = origins.iter().map(|&origin| origin.to_owned());
        config.listen.allowed_origins = origins.collect();
    })
    .await
}

fn server(house: &House) -> String {
    let address = house.address().to_string();
    address.trim_start_matches("http://").to_owned()
}

/// TLS with a client that offers these protocols.
async fn agreed(house: &House, offered: &[&str]) -> io::Result<TlsStream<TcpStream>> {
    let pem = std::fs::read(house.files().join("ca.pem")).unwrap();
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_slice(&pem).unwrap();
    roots.add(authority).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = offered
        .iter()
        .map(|name| name.as_bytes().to_vec())
        .collect();
    let stream = TcpStream::connect(server(house)).await?;
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let agreeing = TlsConnector::from(Arc::new(config)).connect(name, stream);
    timeout(PATIENCE, agreeing).await.expect("an answer")
}

/// Asks for all there is as a page does, and reads until its trailers are there.
async fn read(house: &House, mut stream: TlsStream<TcpStream>) -> String {
    let asked = v1::SubscribeRequest {
        journal: "journals/default".to_owned(),
        start: Some(v1::subscribe_request::Start::Preset(
            v1::StartPreset::Earliest.into(),
        )),
        end: Some(v1::subscribe_request::End::UntilCaughtUp(true)),
        ..Default::default()
    };
    let message = asked.encode_to_vec();
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    let body = [&[0], &length[..], &message].concat();
    let head = format!(
        "POST /tieline.v1.EventService/Subscribe HTTP/1.1\r\nhost: {}\r\norigin: {PAGE}\r\n\
         authorization: Bearer {READER}\r\ncontent-type: application/grpc-web+proto\r\n\
         content-length: {}\r\n\r\n",
        server(house),
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&body).await.unwrap();
    let mut answer = Vec::new();
    let reading = async {
        loop {
            let told = String::from_utf8_lossy(&answer).into_owned();
            if told.contains("grpc-status:") {
                return told;
            }
            let read = stream.read_buf(&mut answer).await.unwrap();
            assert!(read > 0, "it ends early: {told}");
        }
    };
    timeout(PATIENCE, reading).await.expect("trailers")
}

#[tokio::test]
async fn a_browser_that_knows_http_1_1_alone_reads_over_tls_beside_clients_of_http_2() {
    let house = house(&[PAGE]).await;
    let old = agreed(&house, &["http/1.1"]).await.unwrap();
    assert_eq!(old.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    let told = read(&house, old).await;
    assert!(told.starts_with("HTTP/1.1 200 "), "{told}");
    assert!(
        told.contains(PAGE) && told.contains("grpc-status:0"),
        "{told}"
    );

    let new = agreed(&house, &["h2", "http/1.1"]).await.unwrap();
    assert_eq!(new.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let credentials = Credentials {
        ca_file: Some(house.files().join("ca.pem")),
        ..house.token(READER)
    };
    let mut stream = house.stream(credentials, "journals/default").await.unwrap();
    goes_on(&mut stream).await;
}

#[tokio::test]
async fn where_no_page_may_call_http_1_1_is_not_agreed_on() {
    let house = house(&[]).await;
    assert!(agreed(&house, &["http/1.1"]).await.is_err());
    let both = agreed(&house, &["http/1.1", "h2"]).await.unwrap();
    assert_eq!(both.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
}
