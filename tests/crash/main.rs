//! The real binary, killed, stopped, starved of disk and left unread: nothing is lost, and it says so.

#[cfg(test)]
mod attacks;
#[cfg(test)]
mod child;
#[cfg(test)]
mod collectors;
#[cfg(test)]
mod cursors;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod directory;
#[cfg(test)]
mod ending;
#[cfg(test)]
mod erasing;
#[cfg(test)]
mod full_disk;
#[cfg(test)]
mod guests;
#[cfg(test)]
mod journal;
#[cfg(test)]
mod namespace;
#[cfg(test)]
mod place;
#[cfg(test)]
mod power;
#[cfg(test)]
mod readers;
#[cfg(test)]
mod record;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod sigkill;
#[cfg(test)]
mod stalled;
#[cfg(test)]
mod tail;
