//! [`Lines`]: a connection of a protocol of lines and counted bytes, as NATS and Redis speak.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use super::PATIENCE;

/// Bytes that are read at once.
const BUFFER: usize = 256 << 10;

pub(super) struct Lines {
    read: BufReader<TcpStream>,
    write: TcpStream,
    line: Vec<u8>,
}

impl Lines {
    pub(super) fn connect(address: SocketAddr) -> std::io::Result<Self> {
        let write = TcpStream::connect(address)?;
        write.set_nodelay(true)?;
        write.set_read_timeout(Some(PATIENCE))?;
        Ok(Self {
            read: BufReader::with_capacity(BUFFER, write.try_clone()?),
            write,
            line: Vec::new(),
        })
    }

    pub(super) fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.write.write_all(bytes)
    }

    /// The next line without its end.
    pub(super) fn line(&mut self) -> anyhow::Result<&str> {
        self.line.clear();
        let read = self.read.read_until(b'\n', &mut self.line)?;
        anyhow::ensure!(read > 0, "it closed the connection");
        Ok(std::str::from_utf8(&self.line)?.trim_end())
    }

    /// Fills `into` with that many bytes, and passes over the end of line behind them.
    pub(super) fn bytes(&mut self, count: usize, into: &mut Vec<u8>) -> std::io::Result<()> {
        into.clear();
        into.resize(count + 2, 0);
        self.read.read_exact(into)?;
        into.truncate(count);
        Ok(())
    }

    /// Whether something was read that nobody has taken yet.
    pub(super) fn holds_more(&self) -> bool {
        !self.read.buffer().is_empty()
    }
}
