//! Who asks at the console, which is no gRPC: the same credentials and permissions.

use http::HeaderMap;

use super::callers::Callers;
use super::config::Right;
use super::gate::{Gate, Origin};
use super::principal::Shown;
use crate::grpc::peer::Peer;

/// Why an operator is not let in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OperatorRefused {
    /// It is not known who asks.
    #[error("{0}")]
    Unknown(String),
    /// It is, and they may not.
    #[error("principal '{0}' has no permission to do this in every journal")]
    Forbidden(String),
}

impl Callers {
    /// What a request over a connection of this peer may do, where it needs this right: with which
    /// journal is asked at the gate.
    ///
    /// # Errors
    /// [`OperatorRefused::Unknown`].
    pub fn operator(
        &self,
        headers: &HeaderMap,
        peer: Option<&Peer>,
        right: Right,
    ) -> Result<Gate, OperatorRefused> {
        let shown = peer.map_or(&Shown::Nothing, |peer| &peer.shown);
        let name = peer.map_or("", |peer| peer.name.as_str());
        let who = self.identify(headers, shown).map_err(|error| {
            self.denials()
                .refused("console", name, "", (error.word(), ""));
            OperatorRefused::Unknown(error.to_string())
        })?;
        let origin = Origin {
            shown: shown.clone(),
            peer: name.into(),
            method: "console",
        };
        Ok(Gate::for_right(self, who, right, origin))
    }

    /// Likewise, for what concerns every journal.
    ///
    /// # Errors
    /// [`OperatorRefused`].
    pub fn operator_of_all(
        &self,
        headers: &HeaderMap,
        peer: Option<&Peer>,
    ) -> Result<Gate, OperatorRefused> {
        let gate = self.operator(headers, peer, Right::Admin)?;
        if gate.lets_all() {
            return Ok(gate);
        }
        let (who, name) = (gate.principal(), peer.map_or("", |peer| peer.name.as_str()));
        self.denials()
            .refused("console", name, who, ("JOURNAL_FORBIDDEN", ""));
        Err(OperatorRefused::Forbidden(who.to_owned()))
    }
}
