//! [`Bell`]: tells whoever waits on one socket, or for the time, that there is something to do. One
//! for each, so that ten thousand sockets do not wake for a message to one.

use tokio::sync::watch;

#[derive(Debug)]
pub(super) struct Bell(watch::Sender<u64>);

impl Default for Bell {
    fn default() -> Self {
        Self(watch::Sender::new(0))
    }
}

impl Bell {
    pub(super) fn ring(&self) {
        self.0.send_modify(|count| *count = count.wrapping_add(1));
    }

    pub(super) fn listen(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }
}
