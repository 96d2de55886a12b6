//! Requests: answers, deadlines, breaks, bounds, reuse and redirects.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderValue, RETRY_AFTER};
use http::{Method, StatusCode};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;

use super::server::{Server, answer, header, read_request, read_to_end};
use super::{PATIENCE, client, client_with, get};
use crate::net::{CallClass, HttpClient, HttpFailure, TlsConfig};

/// What a server that sends `bytes` and closes the connection looks like to the client.
async fn outcome_of(bytes: &'static str) -> Result<Bytes, HttpFailure> {
    let server = Server::start(move |mut stream| async move {
        read_request(&mut stream).await;
        stream.write_all(bytes.as_bytes()).await.unwrap();
    })
    .await;
    let response = client(&server.url).request(get(&server.url)).await;
    response.map(|response| response.body)
}

/// The same, with a reset in place of an orderly end.
async fn outcome_of_reset_after(bytes: &'static str) -> Result<Bytes, HttpFailure> {
    let server = Server::start(move |mut stream| async move {
        read_request(&mut stream).await;
        stream.write_all(bytes.as_bytes()).await.unwrap();
        stream.set_zero_linger().unwrap();
    })
    .await;
    let response = client(&server.url).request(get(&server.url)).await;
    response.map(|response| response.body)
}

#[tokio::test]
async fn a_post_arrives_whole_and_its_answer_returns_whole() {
    let (seen, mut requests) = mpsc::channel(1);
    let server = Server::start(move |mut stream| {
        let seen = seen.clone();
        async move {
            let request = read_request(&mut stream).await.unwrap();
            seen.send(request).await.unwrap();
            let answer = answer("200 OK", "X-One: 1\r\n", "{\"sequence\":42}");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    })
    .await;
    let mut request = get(&server.at("/subscribe?a=b"));
    request.method = Method::POST;
    request.body = Bytes::from_static(b"{\"sequence\":41}");
    request
        .headers
        .insert("content-type", HeaderValue::from_static("application/json"));
    let response = client(&server.url).request(request).await.unwrap();
    assert_eq!(response.status, StatusCode::OK);
    assert_eq!(response.headers["x-one"], "1");
    assert_eq!(response.body, "{\"sequence\":42}");
    let (head, body) = requests.recv().await.unwrap();
    assert!(
        head.starts_with("POST /subscribe?a=b HTTP/1.1\r\n"),
        "{head}"
    );
    assert_eq!(header(&head, "content-type"), Some("application/json"));
    assert!(header(&head, "user-agent").unwrap().starts_with("tieline/"));
    assert_eq!(header(&head, "accept-encoding"), None);
    assert_eq!(body, b"{\"sequence\":41}");
}

#[tokio::test]
async fn an_error_status_is_an_answer_with_headers_and_body() {
    let server =
        Server::answering(|_| answer("429 Too Many Requests", "Retry-After: 7\r\n", "slow down"))
            .await;
    let response = client(&server.url).request(get(&server.url)).await.unwrap();
    assert_eq!(response.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(response.headers[RETRY_AFTER], "7");
    assert_eq!(response.body, "slow down");
}

#[tokio::test]
async fn u9_polls_share_one_kept_alive_connection() {
    let server = Server::answering(|_| answer("200 OK", "", "x")).await;
    let client = client(&server.url);
    for _ in 0..5 {
        client.request(get(&server.url)).await.unwrap();
    }
    assert_eq!(server.accepts(), 1);
}

#[tokio::test]
async fn u21_a_token_leaves_no_connection_open() {
    let (closed, mut closes) = mpsc::channel(1);
    let server = Server::start(move |mut stream| {
        let closed = closed.clone();
        async move {
            read_request(&mut stream).await;
            let answer = answer("200 OK", "", "x");
            stream.write_all(answer.as_bytes()).await.unwrap();
            read_to_end(&mut stream).await;
            closed.send(()).await.unwrap();
        }
    })
    .await;
    let client = client(&server.url);
    let mut request = get(&server.url);
    request.class = CallClass::Token;
    client.request(request).await.unwrap();
    timeout(PATIENCE, closes.recv()).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_connection_that_the_server_closed_meanwhile_costs_nothing() {
    let server = Server::start(|mut stream| async move {
        read_request(&mut stream).await;
        let answer = answer("200 OK", "Connection: close\r\n", "x");
        stream.write_all(answer.as_bytes()).await.unwrap();
    })
    .await;
    let client = client(&server.url);
    for _ in 0..3 {
        client.request(get(&server.url)).await.unwrap();
    }
    assert_eq!(server.accepts(), 3);
}

#[tokio::test]
async fn u2_a_server_that_accepts_and_says_nothing_meets_the_deadline() {
    let gone = Arc::new(Notify::new());
    let noticed = Arc::clone(&gone);
    let server = Server::start(move |mut stream| {
        let noticed = Arc::clone(&noticed);
        async move {
            read_to_end(&mut stream).await;
            noticed.notify_one();
        }
    })
    .await;
    let mut request = get(&server.url);
    request.timeout = Duration::from_millis(100);
    let outcome = client(&server.url).request(request).await;
    assert_eq!(
        outcome.unwrap_err(),
        HttpFailure::Timeout(Duration::from_millis(100))
    );
    // The connection is given up, not kept waiting in the background.
    timeout(PATIENCE, gone.notified()).await.unwrap();
}

#[tokio::test]
async fn the_deadline_covers_a_body_that_trickles() {
    let server = Server::start(|mut stream| async move {
        read_request(&mut stream).await;
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut pace = tokio::time::interval(Duration::from_millis(10));
        while stream.write_all(b"x").await.is_ok() {
            pace.tick().await;
        }
    })
    .await;
    let mut request = get(&server.url);
    request.timeout = Duration::from_millis(200);
    let outcome = client(&server.url).request(request).await;
    assert_eq!(
        outcome.unwrap_err(),
        HttpFailure::Timeout(Duration::from_millis(200))
    );
}

#[tokio::test]
async fn a_break_before_the_head_is_complete_is_a_reset() {
    for bytes in ["", "HTTP/1.1 200 OK\r\nContent-Le"] {
        for outcome in [outcome_of(bytes).await, outcome_of_reset_after(bytes).await] {
            assert!(
                matches!(outcome, Err(HttpFailure::Reset(_))),
                "{bytes:?}: {outcome:?}"
            );
        }
    }
    let outcome = outcome_of("SSH-2.0-OpenSSH_9.2\r\n\r\n").await;
    assert!(matches!(outcome, Err(HttpFailure::Reset(_))), "{outcome:?}");
}

#[tokio::test]
async fn u13_a_body_that_ends_early_is_cut_short() {
    for (bytes, received) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{\"a\":", 5),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", 0),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"a\":\r\n",
            5,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"a\":\r\n0\r\n",
            5,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"a\":\r\nxyz\r\n",
            5,
        ),
    ] {
        assert_eq!(
            outcome_of(bytes).await,
            Err(HttpFailure::Truncated { received }),
            "{bytes:?}"
        );
    }
    let outcome =
        outcome_of_reset_after("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{\"a\":").await;
    assert!(
        matches!(outcome, Err(HttpFailure::Truncated { .. })),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn bodies_of_every_framing_are_read_whole() {
    for bytes in [
        "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabcdef",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n5;x=y\r\nbcdef\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\nabcdef",
        "HTTP/1.0 200 OK\r\n\r\nabcdef",
    ] {
        assert_eq!(outcome_of(bytes).await.unwrap(), "abcdef", "{bytes:?}");
    }
    assert_eq!(
        outcome_of("HTTP/1.1 204 No Content\r\n\r\n").await.unwrap(),
        ""
    );
}

#[tokio::test]
async fn u13_a_body_over_the_limit_is_refused_announced_or_not() {
    let too_large = Err(HttpFailure::TooLarge { limit: 1024 });
    // Announced: refused by the announcement, before any of it arrives.
    assert_eq!(
        outcome_of("HTTP/1.1 200 OK\r\nContent-Length: 1025\r\n\r\n").await,
        too_large
    );
    let endless = Server::start(|mut stream| async move {
        read_request(&mut stream).await;
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        while stream.write_all(b"4\r\nabcd\r\n").await.is_ok() {}
    })
    .await;
    let outcome = client(&endless.url).request(get(&endless.url)).await;
    assert_eq!(outcome.map(|response| response.body), too_large);
}

#[tokio::test]
async fn a_port_that_nobody_listens_on_is_a_failure_to_connect() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let url = format!("http://127.0.0.1:{port}/?access_token=hunter2")
        .parse()
        .unwrap();
    let outcome = client(&url).request(get(&url)).await.unwrap_err();
    assert!(matches!(&outcome, HttpFailure::Connect(_)), "{outcome:?}");
    assert!(outcome.to_string().contains("refused"), "{outcome}");
    assert!(!format!("{outcome} {outcome:?}").contains("hunter2"));
}

#[tokio::test]
async fn u42_redirects_are_followed_where_they_are_allowed() {
    let other = Server::answering(|head| {
        let credential = header(head, "authorization").unwrap_or("none");
        answer("200 OK", "", &format!("other: {credential}"))
    })
    .await;
    let elsewhere = other.url.clone();
    let server = Server::answering(move |head| {
        let credential = header(head, "authorization").unwrap_or("none");
        let found = |location: &str| answer("302 Found", &format!("Location: {location}\r\n"), "");
        match head.split(' ').nth(1).unwrap() {
            "/near" => found("/here"),
            "/far" => found(elsewhere.as_str()),
            "/loop" => found("/loop"),
            "/evil" => found("http://169.254.169.254/"),
            path => answer("200 OK", "", &format!("{path}: {credential}")),
        }
    })
    .await;
    let named = format!("127.0.0.1:{}", other.url.port().unwrap());
    let mut outcomes = Vec::new();
    for (path, allowed) in [
        ("/near", vec![]),
        ("/far", vec![named]),
        ("/far", vec![]),
        ("/evil", vec![]),
        ("/loop", vec![]),
    ] {
        let client = client_with(&server.url, &allowed, &TlsConfig::default());
        let mut request = get(&server.at(path));
        let bearer = HeaderValue::from_static("Bearer t");
        request.headers.insert(AUTHORIZATION, bearer);
        outcomes.push(client.request(request).await.map(|response| response.body));
    }
    assert_eq!(outcomes[0].as_ref().unwrap(), "/here: Bearer t");
    assert_eq!(outcomes[1].as_ref().unwrap(), "other: none");
    for refused in &outcomes[2..] {
        let refused = refused.as_ref().unwrap_err();
        assert!(
            matches!(refused, HttpFailure::RedirectRefused(_)),
            "{refused:?}"
        );
    }
    assert_eq!(other.accepts(), 1);
}

#[tokio::test]
async fn u42_an_address_that_is_not_allowed_is_not_even_dialled() {
    let server = Server::answering(|_| answer("200 OK", "", "x")).await;
    let client = client(&"https://api.test".parse().unwrap());
    let outcome = client.request(get(&server.url)).await.unwrap_err();
    assert!(
        matches!(outcome, HttpFailure::RedirectRefused(_)),
        "{outcome:?}"
    );
    assert_eq!(server.accepts(), 0);
}
