//! WebSockets: the handshake in all its failures, messages, control frames, ends.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http::header::RETRY_AFTER;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;

use super::server::{
    BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, Server, TEXT, accept_for, accept_websocket,
    answer, close, frame, header, read_frame, read_request, read_to_end, switching_protocols,
};
use super::{PATIENCE, client, get, websocket};
use crate::net::{Frame, HandshakeFailure, HttpClient, HttpFailure, Socket, WebSocket};
use crate::runtime::MonoTime;

fn text(text: &'static str) -> Frame {
    Frame::Text(Bytes::from_static(text.as_bytes()))
}

/// A socket to a server that, after a good handshake, sends `bytes` and waits for the client's end.
async fn socket_to(bytes: Vec<u8>) -> (Server, Socket) {
    let server = Server::start(move |mut stream| {
        let bytes = bytes.clone();
        async move {
            accept_websocket(&mut stream).await;
            stream.write_all(&bytes).await.unwrap();
            read_to_end(&mut stream).await;
        }
    })
    .await;
    let socket = client(&server.url).websocket(websocket(&server.url)).await;
    (server, socket.unwrap())
}

/// How the handshake fails with a server that answers so.
async fn refusal_by<F>(answer: F) -> HandshakeFailure
where
    F: Fn(&str) -> String + Clone + Send + Sync + 'static,
{
    let server = Server::answering(answer).await;
    let outcome = client(&server.url).websocket(websocket(&server.url)).await;
    outcome.unwrap_err()
}

/// What the server reads from a client whose peer just sent it `bytes`.
async fn frame_after(bytes: Vec<u8>) -> (Result<Option<Frame>, HttpFailure>, u8, Vec<u8>) {
    let (seen, mut frames) = mpsc::channel(1);
    let server = Server::start(move |mut stream: TcpStream| {
        let (bytes, seen) = (bytes.clone(), seen.clone());
        async move {
            accept_websocket(&mut stream).await;
            stream.write_all(&bytes).await.unwrap();
            seen.send(read_frame(&mut stream).await).await.unwrap();
            read_to_end(&mut stream).await;
        }
    })
    .await;
    let socket = client(&server.url).websocket(websocket(&server.url)).await;
    let mut socket = socket.unwrap();
    let received = socket.receive().await;
    // Received once and not polled again: what the client sends must be on its way already.
    let (opcode, payload) = timeout(PATIENCE, frames.recv()).await.unwrap().unwrap();
    (received, opcode, payload)
}

#[tokio::test]
async fn what_has_come_already_is_received_without_waiting() {
    let (ours, mut theirs) = tokio::io::duplex(1 << 10);
    let mut socket = Socket::new(ours, 1 << 10, 1 << 10).await;
    assert_eq!(socket.received(), None);
    let both = [frame(FIN | TEXT, b"one"), frame(FIN | TEXT, b"two")].concat();
    theirs.write_all(&both).await.unwrap();
    assert_eq!(socket.receive().await, Ok(Some(text("one"))));
    assert_eq!(socket.received(), Some(Ok(Some(text("two")))));
    assert_eq!(socket.received(), None);
    // Whoever waits is woken, although nobody was to be woken when it was looked for.
    let third = frame(FIN | TEXT, b"three");
    let (received, sent) = tokio::join!(socket.receive(), theirs.write_all(&third));
    assert_eq!(received, Ok(Some(text("three"))));
    sent.unwrap();
}

#[tokio::test]
async fn messages_go_both_ways_and_the_socket_closes_in_order() {
    let server = Server::start(|mut stream| async move {
        let head = accept_websocket(&mut stream).await;
        assert!(
            head.starts_with("GET /channels/1?access_token=t HTTP/1.1\r\n"),
            "{head}"
        );
        assert_eq!(header(&head, "sec-websocket-version"), Some("13"));
        assert_eq!(header(&head, "authorization"), Some("Bearer t"));
        assert_eq!(header(&head, "sec-websocket-extensions"), None);
        for expected in [TEXT, BINARY, PING] {
            let (opcode, payload) = read_frame(&mut stream).await;
            assert_eq!(opcode, expected);
            let answer = if opcode == PING { PONG } else { opcode };
            stream
                .write_all(&frame(FIN | answer, &payload))
                .await
                .unwrap();
        }
        let (opcode, payload) = read_frame(&mut stream).await;
        assert_eq!(
            (opcode, payload.as_slice()),
            (CLOSE, &[0x03, 0xe8, b'b', b'y', b'e'][..])
        );
        stream.write_all(&close(1000, "")).await.unwrap();
    })
    .await;
    let mut url = server.at("/channels/1?access_token=t");
    url.set_scheme("ws").unwrap();
    let mut request = websocket(&url);
    request
        .headers
        .insert("authorization", "Bearer t".parse().unwrap());
    assert!(!format!("{request:?}").contains("access_token"));
    let mut socket = client(&server.url).websocket(request).await.unwrap();
    let end = Frame::Close {
        code: Some(1000),
        reason: "bye".to_owned(),
    };
    let (binary, ping) = (Bytes::from(vec![7; 900]), Bytes::from_static(b"p"));
    for sent in [
        text("größer"),
        Frame::Binary(binary.clone()),
        Frame::Ping(ping.clone()),
        end,
    ] {
        socket.send(sent).await.unwrap();
    }
    let expected = [text("größer"), Frame::Binary(binary), Frame::Pong(ping)];
    for expected in expected {
        assert_eq!(socket.receive().await.unwrap(), Some(expected));
    }
    let closed = Frame::Close {
        code: Some(1000),
        reason: String::new(),
    };
    assert_eq!(socket.receive().await.unwrap(), Some(closed));
    assert_eq!(socket.receive().await.unwrap(), None);
    assert!(socket.send(text("too late")).await.is_err());
}

#[tokio::test]
async fn a_websocket_has_a_connection_of_its_own() {
    let server = Server::start(|mut stream| async move {
        while let Some((head, _)) = read_request(&mut stream).await {
            let answer = match header(&head, "upgrade") {
                Some(_) => switching_protocols(&accept_for(&head)),
                None => answer("200 OK", "", "x"),
            };
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    })
    .await;
    let client = client(&server.url);
    client.request(get(&server.url)).await.unwrap();
    let _first = client.websocket(websocket(&server.url)).await.unwrap();
    let _second = client.websocket(websocket(&server.url)).await.unwrap();
    client.request(get(&server.url)).await.unwrap();
    assert_eq!(server.accepts(), 3);
}

#[tokio::test]
async fn u1_a_probe_never_rides_on_the_connection_of_an_earlier_one() {
    let server = Server::answering(|_| answer("401 Unauthorized", "", "")).await;
    let client = client(&server.url);
    for attempt in 1..=3 {
        client.websocket(websocket(&server.url)).await.unwrap_err();
        assert_eq!(server.accepts(), attempt);
    }
}

#[tokio::test]
async fn frames_in_one_packet_with_the_101_are_not_lost() {
    let server = Server::start(|mut stream| async move {
        let (head, _) = read_request(&mut stream).await.unwrap();
        let mut bytes = switching_protocols(&accept_for(&head)).into_bytes();
        bytes.extend(frame(FIN | TEXT, b"early"));
        stream.write_all(&bytes).await.unwrap();
        read_to_end(&mut stream).await;
    })
    .await;
    let socket = client(&server.url).websocket(websocket(&server.url)).await;
    assert_eq!(
        socket.unwrap().receive().await.unwrap(),
        Some(text("early"))
    );
}

#[tokio::test]
async fn u1_an_answer_without_upgrade_shows_its_status_headers_and_body() {
    for (status, code) in [
        ("200 OK", 200),
        ("302 Found", 302),
        ("401 Unauthorized", 401),
        ("503 Service Unavailable", 503),
    ] {
        let refusal = refusal_by(move |_| answer(status, "Retry-After: 3\r\n", "why")).await;
        let HandshakeFailure::Status {
            status,
            headers,
            body,
        } = refusal
        else {
            panic!("{status}: {refusal:?}");
        };
        assert_eq!(status, StatusCode::from_u16(code).unwrap());
        assert_eq!(headers[RETRY_AFTER], "3");
        assert_eq!(body, "why");
    }
}

#[tokio::test]
async fn a_refusal_keeps_its_status_when_its_body_stalls_or_never_ends() {
    for chunk in ["", "5\r\nabcde\r\n"] {
        let server = Server::start(move |mut stream| async move {
            read_request(&mut stream).await;
            let head = "HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nwhy\r\n";
            stream.write_all(head.as_bytes()).await.unwrap();
            while !chunk.is_empty() && stream.write_all(chunk.as_bytes()).await.is_ok() {}
            read_to_end(&mut stream).await;
        })
        .await;
        let mut request = websocket(&server.url);
        request.timeout = Duration::from_millis(300);
        let refusal = client(&server.url).websocket(request).await.unwrap_err();
        let HandshakeFailure::Status { status, body, .. } = refusal else {
            panic!("{refusal:?}");
        };
        assert_eq!(status, StatusCode::FORBIDDEN);
        assert!(body.starts_with(b"why"));
        assert!(body.len() <= 16 * 1024);
    }
}

#[tokio::test]
async fn a_101_that_is_no_websocket_is_refused() {
    let refusal = refusal_by(|_| switching_protocols("AAAAAAAAAAAAAAAAAAAAAAAAAAA=")).await;
    assert!(
        matches!(refusal, HandshakeFailure::NotWebSocket(_)),
        "{refusal:?}"
    );
    let refusal = refusal_by(|_| "HTTP/1.1 101 Switching Protocols\r\n\r\n".to_owned()).await;
    assert!(
        matches!(refusal, HandshakeFailure::NotWebSocket(_)),
        "{refusal:?}"
    );
}

#[tokio::test]
async fn u2_a_handshake_that_hangs_meets_the_deadline_and_is_given_up() {
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
    let mut request = websocket(&server.url);
    request.timeout = Duration::from_millis(100);
    let outcome = client(&server.url).websocket(request).await;
    assert_eq!(
        outcome.unwrap_err(),
        HandshakeFailure::Timeout(Duration::from_millis(100))
    );
    timeout(PATIENCE, gone.notified()).await.unwrap();
}

#[tokio::test]
async fn a_handshake_that_breaks_is_a_reset() {
    let server = Server::start(|mut stream| async move {
        read_request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 101 Swit").await.unwrap();
    })
    .await;
    let outcome = client(&server.url).websocket(websocket(&server.url)).await;
    let failure = outcome.unwrap_err();
    assert!(
        matches!(failure, HandshakeFailure::Http(HttpFailure::Reset(_))),
        "{failure:?}"
    );
}

#[tokio::test]
async fn u42_a_connect_uri_elsewhere_is_not_dialled() {
    let server = Server::answering(|_| answer("200 OK", "", "x")).await;
    let client = client(&"https://api.test".parse().unwrap());
    let failure = client.websocket(websocket(&server.url)).await.unwrap_err();
    assert!(
        matches!(
            failure,
            HandshakeFailure::Http(HttpFailure::RedirectRefused(_))
        ),
        "{failure:?}"
    );
    assert_eq!(server.accepts(), 0);
}

#[tokio::test]
async fn a_fragmented_message_arrives_whole_with_the_control_frames_between() {
    let bytes = [
        frame(TEXT, b"{\"a\""),
        frame(FIN | PING, b"ping"),
        frame(CONTINUATION, b""),
        frame(CONTINUATION, b":"),
        frame(FIN | PONG, b"pong"),
        frame(FIN | CONTINUATION, b"1}"),
        frame(FIN | TEXT, b"next"),
    ];
    let (_server, mut socket) = socket_to(bytes.concat()).await;
    for expected in [
        Frame::Ping(Bytes::from_static(b"ping")),
        Frame::Pong(Bytes::from_static(b"pong")),
        text("{\"a\":1}"),
        text("next"),
    ] {
        assert_eq!(socket.receive().await.unwrap(), Some(expected));
    }
}

#[tokio::test]
async fn bytes_that_arrive_one_by_one_make_the_same_messages() {
    let server = Server::start(|mut stream| async move {
        accept_websocket(&mut stream).await;
        let bytes = [
            frame(FIN | TEXT, "grün".as_bytes()),
            frame(FIN | BINARY, &[9; 300]),
        ];
        for byte in bytes.concat() {
            stream.write_all(&[byte]).await.unwrap();
            tokio::task::yield_now().await;
        }
        read_to_end(&mut stream).await;
    })
    .await;
    let socket = client(&server.url).websocket(websocket(&server.url)).await;
    let mut socket = socket.unwrap();
    assert_eq!(socket.receive().await.unwrap(), Some(text("grün")));
    let expected = Frame::Binary(Bytes::from(vec![9; 300]));
    assert_eq!(socket.receive().await.unwrap(), Some(expected));
}

#[tokio::test]
async fn u25_a_ping_is_answered_at_once() {
    let (received, opcode, payload) = frame_after(frame(FIN | PING, b"alive?")).await;
    assert_eq!(
        received.unwrap(),
        Some(Frame::Ping(Bytes::from_static(b"alive?")))
    );
    assert_eq!((opcode, payload.as_slice()), (PONG, &b"alive?"[..]));
}

#[tokio::test]
async fn u41_a_message_over_the_limit_ends_the_connection_and_says_so() {
    let whole = frame(FIN | TEXT, &[b'x'; 1025]);
    let in_parts = [frame(TEXT, &[b'x'; 1000]), frame(CONTINUATION, &[b'x'; 25])].concat();
    for bytes in [whole, in_parts] {
        let (received, opcode, payload) = frame_after(bytes).await;
        assert_eq!(received.unwrap_err(), HttpFailure::TooLarge { limit: 1024 });
        assert_eq!(
            (opcode, payload.as_slice()),
            (CLOSE, &1009_u16.to_be_bytes()[..])
        );
    }
}

#[tokio::test]
async fn a_peer_that_breaks_the_protocol_is_told_and_left() {
    for (bytes, code) in [
        (frame(FIN | TEXT, b"\xff\xfe"), 1007_u16),
        (frame(FIN | CONTINUATION, b"x"), 1002),
        (frame(FIN | 0x40 | TEXT, b"x"), 1002),
        (frame(FIN | 0x3, b"x"), 1002),
        (frame(PING, b"x"), 1002),
        (vec![FIN | TEXT, 0x81, 1, 2, 3, 4, b'x'], 1002),
    ] {
        let (received, opcode, payload) = frame_after(bytes.clone()).await;
        assert!(
            matches!(received, Err(HttpFailure::Reset(_))),
            "{bytes:?}: {received:?}"
        );
        assert_eq!(
            (opcode, payload.as_slice()),
            (CLOSE, &code.to_be_bytes()[..])
        );
    }
}

#[tokio::test]
async fn u31_close_codes_and_reasons_are_delivered_and_answered() {
    for (code, reason) in [
        (1000, ""),
        (1001, "bye"),
        (1012, "restart"),
        (4401, "token"),
    ] {
        let (received, opcode, payload) = frame_after(close(code, reason)).await;
        let expected = Frame::Close {
            code: Some(code),
            reason: reason.to_owned(),
        };
        assert_eq!(received.unwrap(), Some(expected));
        assert_eq!(opcode, CLOSE);
        assert_eq!(payload[..2], code.to_be_bytes());
    }
    let (received, opcode, _) = frame_after(frame(FIN | CLOSE, b"")).await;
    let expected = Frame::Close {
        code: None,
        reason: String::new(),
    };
    assert_eq!((received.unwrap(), opcode), (Some(expected), CLOSE));
}

#[tokio::test]
async fn u31_an_end_without_a_close_frame_is_a_broken_connection() {
    for reset in [false, true] {
        let server = Server::start(move |mut stream| async move {
            accept_websocket(&mut stream).await;
            stream.write_all(&frame(FIN | TEXT, b"last")).await.unwrap();
            read_frame(&mut stream).await;
            if reset {
                stream.set_zero_linger().unwrap();
            }
        })
        .await;
        let socket = client(&server.url).websocket(websocket(&server.url)).await;
        let mut socket = socket.unwrap();
        assert_eq!(socket.receive().await.unwrap(), Some(text("last")));
        socket.send(text("go")).await.unwrap();
        let broken = socket.receive().await;
        assert!(matches!(broken, Err(HttpFailure::Reset(_))), "{broken:?}");
    }
}

#[tokio::test]
async fn receiving_may_be_cancelled_without_loss() {
    let go = Arc::new(Notify::new());
    let wait = Arc::clone(&go);
    let server = Server::start(move |mut stream| {
        let wait = Arc::clone(&wait);
        async move {
            accept_websocket(&mut stream).await;
            let bytes = frame(FIN | TEXT, b"in two halves");
            stream.write_all(&bytes[..7]).await.unwrap();
            wait.notified().await;
            stream.write_all(&bytes[7..]).await.unwrap();
            read_to_end(&mut stream).await;
        }
    })
    .await;
    let socket = client(&server.url).websocket(websocket(&server.url)).await;
    let mut socket = socket.unwrap();
    let cancelled = timeout(Duration::from_millis(50), socket.receive()).await;
    assert!(cancelled.is_err());
    go.notify_one();
    assert_eq!(socket.receive().await.unwrap(), Some(text("in two halves")));
}

#[tokio::test]
async fn frames_that_cannot_be_sent_are_refused_and_harm_nothing() {
    let (_server, mut socket) = socket_to(frame(FIN | TEXT, b"still here")).await;
    let not_text = Frame::Text(Bytes::from_static(b"\xff"));
    assert!(socket.send(not_text).await.is_err());
    let long_ping = Frame::Ping(Bytes::from(vec![0; 126]));
    assert_eq!(
        socket.send(long_ping).await,
        Err(HttpFailure::TooLarge { limit: 125 })
    );
    assert_eq!(socket.receive().await.unwrap(), Some(text("still here")));
}

#[tokio::test(start_paused = true)]
async fn u35_a_peer_that_never_ends_the_connection_is_not_waited_for() {
    let (ours, mut theirs) = tokio::io::duplex(1024);
    let mut socket = Socket::new(ours, 1024, 1024).await;
    theirs.write_all(&close(1001, "")).await.unwrap();
    assert!(matches!(
        socket.receive().await,
        Ok(Some(Frame::Close { .. }))
    ));
    let before = MonoTime::now();
    assert_eq!(socket.receive().await, Ok(None));
    assert_eq!(before.elapsed(), Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn u41_a_peer_that_does_not_read_ends_a_send_within_bounds() {
    let (ours, mut theirs) = tokio::io::duplex(64);
    let mut socket = Socket::new(ours, 1024, 1024).await;
    let before = MonoTime::now();
    let stalled = socket.send(Frame::Binary(Bytes::from(vec![0; 200]))).await;
    assert!(matches!(stalled, Err(HttpFailure::Reset(_))), "{stalled:?}");
    assert_eq!(before.elapsed(), Duration::from_secs(10));
    // What the peer had sent can still be read.
    theirs.write_all(&frame(FIN | TEXT, b"late")).await.unwrap();
    assert_eq!(socket.receive().await.unwrap(), Some(text("late")));
    let mut first = [0; 1];
    theirs.read_exact(&mut first).await.unwrap();
    assert_eq!(first[0], FIN | BINARY);
}
