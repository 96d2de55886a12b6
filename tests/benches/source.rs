//! A platform that speaks genesys-events as fast as TCP takes it: what the sandbox cannot be, since
//! it keeps an account of everything.

use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use parking_lot::Mutex;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Message, WebSocket};

use crate::fixtures;

/// A sidecar that has not subscribed by then never will.
const PATIENCE: Duration = Duration::from_secs(60);

/// Accepts for ever; its threads end with the process.
pub(crate) struct Source {
    pub(crate) address: SocketAddr,
    subscribed: Receiver<Wire>,
}

/// A WebSocket whose client has subscribed. Events go out one per frame.
pub(crate) struct Upstream {
    wire: Wire,
    /// The number of the next event.
    pub(crate) next: u64,
    frames: Vec<u8>,
}

/// The writing half; a thread answers pings meanwhile.
#[derive(Clone)]
struct Wire(Arc<Mutex<TcpStream>>);

/// What tungstenite reads from and answers on: an answer never gets into the middle of a frame.
struct Both {
    read: BufReader<TcpStream>,
    write: Wire,
}

impl Source {
    pub(crate) fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let (tell, subscribed) = channel();
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let tell = tell.clone();
                // A client that goes away in the middle is no error of ours.
                std::thread::spawn(move || serve(stream, &tell).ok());
            }
        });
        Ok(Self {
            address,
            subscribed,
        })
    }

    /// Waits for a client that subscribes.
    pub(crate) fn upstream(&self) -> Result<Upstream, RecvTimeoutError> {
        Ok(Upstream {
            wire: self.subscribed.recv_timeout(PATIENCE)?,
            next: 1,
            frames: Vec::new(),
        })
    }
}

impl Upstream {
    /// Sends that many events with one write.
    pub(crate) fn send(&mut self, count: u64) -> io::Result<()> {
        self.frames.clear();
        for number in (self.next..).take(usize::try_from(count).unwrap_or(usize::MAX)) {
            fixtures::frame(number, &mut self.frames);
        }
        self.next += count;
        self.wire.0.lock().write_all(&self.frames)
    }

    /// The same connection once more.
    pub(crate) fn again(&self) -> Self {
        Self {
            wire: self.wire.clone(),
            next: self.next,
            frames: Vec::new(),
        }
    }

    /// Sends that many events as fast as the client takes them.
    pub(crate) fn flood(&mut self, count: u64) -> io::Result<()> {
        const AT_ONCE: u64 = 256;
        let mut left = count;
        while left > 0 {
            let now = left.min(AT_ONCE);
            self.send(now)?;
            left -= now;
        }
        Ok(())
    }
}

/// One connection: tokens and health in ordinary answers, the subscription by WebSocket.
fn serve(stream: TcpStream, tell: &Sender<Wire>) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let mut read = BufReader::new(stream.try_clone()?);
    let write = Wire(Arc::new(Mutex::new(stream)));
    loop {
        let (mut key, mut length) = (None, 0);
        let mut line = String::new();
        if read.read_line(&mut line)? == 0 {
            return Ok(());
        }
        loop {
            line.clear();
            read.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(':') else {
                break;
            };
            match name.to_ascii_lowercase().as_str() {
                "sec-websocket-key" => key = Some(value.trim().to_owned()),
                "content-length" => length = value.trim().parse()?,
                _ => {}
            }
        }
        if let Some(key) = key {
            let head = format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Accept: {}\r\n\r\n",
                derive_accept_key(key.as_bytes())
            );
            write.0.lock().write_all(head.as_bytes())?;
            return converse(Both { read, write }, tell);
        }
        io::copy(&mut read.by_ref().take(length), &mut io::sink())?;
        let body = r#"{"access_token":"bench","token_type":"bearer","expires_in":86400}"#;
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        write.0.lock().write_all(answer.as_bytes())?;
    }
}

/// Confirms a subscription and hands the connection out; then only pings are answered.
fn converse(both: Both, tell: &Sender<Wire>) -> anyhow::Result<()> {
    let wire = both.write.clone();
    let mut socket = WebSocket::from_raw_socket(both, Role::Server, None);
    loop {
        if let Message::Text(_) = socket.read()? {
            socket.send(Message::text(r#"{"sequence":0,"events":[]}"#))?;
            tell.send(wire.clone())?;
        }
    }
}

impl Read for Both {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read.read(buffer)
    }
}

impl Write for Both {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write.0.lock().write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
