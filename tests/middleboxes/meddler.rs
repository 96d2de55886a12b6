//! [`Meddler`]: a fault proxy of our own. It knows enough of HTTP/1 to tell a hold from an answer and a
//! WebSocket from both, and changes its ways at any time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::process::local;

/// What it does to what passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meddling {
    Nothing,
    StripsUpgrade,
    Swallows101,
    /// Resets what was idle for so long.
    KillsIdle(Duration),
    /// Lets go of what was idle for so long, and tells nobody.
    ForgetsIdle(Duration),
    /// Answers in the hold; a handshake at once.
    AnswersInHold(u16),
    Truncates,
    /// Bytes a second towards us.
    Throttles(u32),
    Resets,
}

/// An answer that takes longer is a hold.
const HOLD: Duration = Duration::from_millis(400);
/// A body that is cut: single events and tokens are shorter, batches are not.
const LONG: usize = 1_200;
/// So much of a WebSocket passes before it is cut.
const PASSES: usize = 20_000;

impl Meddling {
    /// A WebSocket that stands would never meet it.
    fn is_met_at_the_handshake(self) -> bool {
        matches!(
            self,
            Self::StripsUpgrade | Self::Swallows101 | Self::AnswersInHold(_)
        )
    }

    /// Nothing else meets it.
    pub(crate) fn is_about_upgrade(self) -> bool {
        matches!(self, Self::StripsUpgrade | Self::Swallows101)
    }

    pub(crate) fn idle(self) -> Option<Duration> {
        match self {
            Self::KillsIdle(after) | Self::ForgetsIdle(after) => Some(after),
            _ => None,
        }
    }
}

/// Runs until dropped.
pub(crate) struct Meddler {
    pub(crate) address: SocketAddr,
    meddling: watch::Sender<Meddling>,
    struck: Arc<AtomicU64>,
    _tasks: JoinSet<()>,
}

impl Meddler {
    pub(crate) async fn before(platform: u16) -> Result<Self> {
        let listener = TcpListener::bind(local(0)).await?;
        let address = listener.local_addr()?;
        let meddling = watch::Sender::new(Meddling::Nothing);
        let watched = meddling.subscribe();
        let struck = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&struck);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let relay = Relay {
                    client: stream,
                    platform: None,
                    port: platform,
                    meddling: watched.clone(),
                    struck: Arc::clone(&counted),
                };
                connections.spawn(relay.run());
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Self {
            address,
            meddling,
            struck,
            _tasks: tasks,
        })
    }

    /// How often it did something to what passed.
    pub(crate) fn struck(&self) -> u64 {
        self.struck.load(Ordering::SeqCst)
    }

    pub(crate) fn set(&self, meddling: Meddling) {
        self.meddling.send_replace(meddling);
    }
}

/// One connection of a client, with ours to the platform.
struct Relay {
    client: TcpStream,
    platform: Option<TcpStream>,
    port: u16,
    meddling: watch::Receiver<Meddling>,
    struck: Arc<AtomicU64>,
}

/// How a connection ends.
enum End {
    Orderly,
    Reset,
    /// Both sides believe that it stands.
    Silence,
}

impl Relay {
    async fn run(mut self) {
        let end = self.serve().await.unwrap_or(End::Orderly);
        match end {
            End::Orderly => {}
            End::Reset => drop(self.client.set_zero_linger()),
            End::Silence => drop(self.meddling.changed().await),
        }
    }

    async fn serve(&mut self) -> Result<End> {
        loop {
            let (head, body) = read_message(&mut self.client).await?;
            let meddling = *self.meddling.borrow_and_update();
            let upgrade = header(&head, "upgrade").is_some();
            let head = match meddling {
                Meddling::StripsUpgrade if upgrade => {
                    self.strike();
                    without_upgrade(&head)
                }
                Meddling::AnswersInHold(status) if upgrade => return self.refuse(status).await,
                _ => head,
            };
            let port = self.port;
            let platform = match &mut self.platform {
                Some(platform) => platform,
                none => none.insert(TcpStream::connect(local(port)).await?),
            };
            platform.write_all(head.as_bytes()).await?;
            platform.write_all(&body).await?;
            let answer = match (meddling, meddling.idle()) {
                (Meddling::AnswersInHold(_), _) => timeout(HOLD, read_message(platform)).await,
                (_, Some(after)) => timeout(after, read_message(platform)).await,
                _ => Ok(read_message(platform).await),
            };
            let Ok(answer) = answer else {
                self.strike();
                return match meddling {
                    Meddling::AnswersInHold(status) => self.refuse(status).await,
                    Meddling::ForgetsIdle(_) => Ok(End::Silence),
                    _ => Ok(End::Reset),
                };
            };
            let (head, body) = answer?;
            if head.starts_with("HTTP/1.1 101") {
                if meddling == Meddling::Swallows101 {
                    return Ok(self.swallow().await);
                }
                self.client.write_all(head.as_bytes()).await?;
                return self.pipe().await;
            }
            if let Some(end) = self.answer(meddling, &head, &body).await? {
                return Ok(end);
            }
        }
    }

    /// An answer on its way to the client.
    async fn answer(&mut self, how: Meddling, head: &str, body: &[u8]) -> Result<Option<End>> {
        let cuts = matches!(how, Meddling::Truncates | Meddling::Resets) && body.len() > LONG;
        // One of five passes, so that asking again helps in the end.
        let cut = match cuts && !self.strike().is_multiple_of(5) {
            true => body.get(..body.len() / 2),
            false => None,
        };
        match (how, cut) {
            (Meddling::Truncates | Meddling::Resets, Some(cut)) => {
                self.client.write_all(head.as_bytes()).await?;
                self.client.write_all(cut).await?;
                Ok(Some(match how {
                    Meddling::Truncates => End::Orderly,
                    _ => End::Reset,
                }))
            }
            (Meddling::Throttles(rate), _) => {
                self.strike();
                self.slowly(head.as_bytes(), rate).await?;
                self.slowly(body, rate).await?;
                Ok(None)
            }
            _ => {
                self.client.write_all(head.as_bytes()).await?;
                self.client.write_all(body).await?;
                Ok(None)
            }
        }
    }

    /// Counts; returns how often it has struck.
    fn strike(&self) -> u64 {
        self.struck.fetch_add(1, Ordering::SeqCst) + 1
    }

    async fn refuse(&mut self, status: u16) -> Result<End> {
        self.strike();
        let answer = format!(
            "HTTP/1.1 {status} Middlebox\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        self.client.write_all(answer.as_bytes()).await?;
        Ok(End::Orderly)
    }

    /// The 101 came and goes nowhere, until the client has had enough.
    async fn swallow(&mut self) -> End {
        self.strike();
        let mut rest = [0; 512];
        while matches!(self.client.read(&mut rest).await, Ok(1..)) {}
        End::Orderly
    }

    async fn slowly(&mut self, bytes: &[u8], rate: u32) -> Result<()> {
        // Ten pieces a second.
        let piece = usize::try_from(rate / 10)?.max(1);
        for piece in bytes.chunks(piece) {
            self.client.write_all(piece).await?;
            sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    /// A WebSocket: bytes both ways.
    async fn pipe(&mut self) -> Result<End> {
        let mut platform = self.platform.take().context("a platform")?;
        let (mut up, mut down) = (vec![0; 4096], vec![0; 4096]);
        let mut passed = 0;
        loop {
            let meddling = *self.meddling.borrow_and_update();
            if meddling.is_met_at_the_handshake() {
                return Ok(End::Reset);
            }
            let idle = async {
                match meddling.idle() {
                    Some(after) => sleep(after).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                changed = self.meddling.changed() => changed?,
                () = idle => {
                    self.strike();
                    return Ok(match meddling {
                        Meddling::ForgetsIdle(_) => End::Silence,
                        _ => End::Reset,
                    });
                }
                read = self.client.read(&mut up) => match read? {
                    0 => return Ok(End::Orderly),
                    length => platform.write_all(up.get(..length).unwrap_or(&[])).await?,
                },
                read = platform.read(&mut down) => {
                    let bytes = match read? {
                        0 => return Ok(End::Orderly),
                        length => down.get(..length).unwrap_or(&[]),
                    };
                    passed += bytes.len();
                    let half = bytes.get(..bytes.len() / 2).unwrap_or(&[]);
                    match meddling {
                        Meddling::Truncates if passed > PASSES => {
                            self.strike();
                            self.client.write_all(half).await?;
                            return Ok(End::Orderly);
                        }
                        Meddling::Resets if passed > PASSES => {
                            self.strike();
                            self.client.write_all(half).await?;
                            return Ok(End::Reset);
                        }
                        Meddling::Throttles(rate) => self.slowly(bytes, rate).await?,
                        _ => self.client.write_all(bytes).await?,
                    }
                }
            }
        }
    }
}

/// Head and body of a request or an answer.
async fn read_message(stream: &mut TcpStream) -> Result<(String, Vec<u8>)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8(head)?;
    let length = match header(&head, "content-length") {
        Some(length) => length.parse()?,
        None => 0,
    };
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok((head, body))
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then_some(value.trim())
    })
}

fn without_upgrade(head: &str) -> String {
    let kept = head.split_inclusive("\r\n").filter(|line| {
        let line = line.to_ascii_lowercase();
        !line.starts_with("upgrade:") && !line.starts_with("connection:")
    });
    kept.collect()
}
