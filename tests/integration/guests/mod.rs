//! Guests' sessions over gRPC, on both platforms that have guests: opened, spoken in, kept, closed.

mod crowd;
mod lives;
mod messages;
mod stage;
