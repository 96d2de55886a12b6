//! The platform's decisions: who is who, what happens, what is answered. No socket, no task: the
//! files here are driven by the shells in `server`.

mod agent;
mod answer;
mod change;
mod claims;
mod contact;
mod discovery;
mod flat;
mod hold;
mod jwt;
mod ledger;
mod lifecycle;
mod record;
mod rest;
mod session;
mod state;
mod story;
mod tokens;

pub use agent::{AgentPresent, CxoneAgentState};
pub(crate) use answer::{Answer, Reply};
pub use change::{Change, Changed, InvalidChange};
pub use contact::{ContactKind, ContactPresent};
pub(crate) use hold::{Hold, HoldTurn, PollRequest};
pub use ledger::{AnswerCause, Fact, FactFate, PollAnswer};
pub use record::{Cursor, CxoneCounters, CxoneRequest, CxoneRequestKind, SessionStatus};
pub(crate) use state::State;
pub use tokens::CxoneCredentials;
