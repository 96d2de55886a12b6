//! [`Connection`]: a stream of bytes in both directions, of whatever kind.

use std::fmt;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// A connection whose end may be a reset.
pub trait Connection: AsyncRead + AsyncWrite + Unpin + Send + fmt::Debug + 'static {
    /// Dropped from now on, it ends with a reset, whatever is still under way.
    fn reset_on_drop(&mut self);
}

impl Connection for TcpStream {
    fn reset_on_drop(&mut self) {
        if let Err(error) = self.set_zero_linger() {
            tracing::debug!(error = &error as &dyn std::error::Error, "Reset failed");
        }
    }
}

impl Connection for Box<dyn Connection> {
    fn reset_on_drop(&mut self) {
        self.as_mut().reset_on_drop();
    }
}
