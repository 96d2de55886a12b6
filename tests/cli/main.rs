//! The commands, through the real binary, and the client loop, over real sockets.

#[cfg(test)]
mod commands;
#[cfg(test)]
mod fake;
#[cfg(test)]
mod process;
#[cfg(test)]
mod resuming;
#[cfg(test)]
mod subscriber;
#[cfg(test)]
mod tail;
