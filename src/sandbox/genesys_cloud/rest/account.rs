//! Tokens and the organization. Pure.

use std::time::Duration;

use serde_json::json;

use super::answer::{Answer, Delayed, Refusal, code};
use super::{Ask, Operation};
use crate::sandbox::genesys_cloud::fault::{GenesysFault, GenesysFaultName};
use crate::sandbox::genesys_cloud::state::State;
use crate::sandbox::genesys_cloud::tokens::{self, Access};
use crate::sandbox::genesys_cloud::world::World;

const NAME: &str = "Sandbox";

impl State {
    /// `POST /oauth/token`.
    pub(super) fn answer_token(&mut self, ask: &Ask<'_>) -> Delayed {
        let delay = match self.strike(GenesysFaultName::TokenSlow) {
            Some(GenesysFault::TokenSlow { delay }) => delay.0,
            _ => Duration::ZERO,
        };
        if let Some(GenesysFault::TokenDown { status }) = self.strike(GenesysFaultName::TokenDown) {
            let refusal = Refusal::new(status, code(status), "The token service is down.");
            let answer = refusal.into_answer(ask.correlation);
            return Delayed { answer, delay };
        }
        let granted = match self.strike(GenesysFaultName::TokenError) {
            Some(GenesysFault::TokenError { error }) => Err(tokens::Refusal::injected(error)),
            _ => self.tokens.grant(ask.authorization, ask.body, ask.now),
        };
        let answer = match granted {
            Ok(token) => Answer::ok(&json!({
                "access_token": token,
                "token_type": "bearer",
                "expires_in": self.tokens.lifetime().as_secs(),
            })),
            Err(refusal) => Answer::json(
                refusal.status,
                &json!({
                    "error": refusal.error,
                    "description": refusal.description,
                    "error_description": refusal.description,
                }),
            ),
        };
        Delayed { answer, delay }
    }

    /// `GET`, `HEAD` and `DELETE /api/v2/tokens/me`.
    pub(super) fn own_token(&mut self, ask: &Ask<'_>, access: Access) -> Answer {
        match ask.operation {
            Operation::TokenRevocation => {
                self.tokens.revoke(access.token);
                Answer::empty(200)
            }
            Operation::TokenCheck => Answer::empty(200),
            _ => {
                let organization = json!({ "id": &*self.world.organization, "name": NAME });
                Answer::ok(&json!({
                    "organization": organization,
                    "homeOrganization": organization,
                    "authorizedScope": [],
                    "OAuthClient": {
                        "id": &*self.tokens.client_id(access.client),
                        "name": "Tieline",
                        "authorizedGrantType": "CLIENT-CREDENTIALS",
                        "organization": organization,
                    },
                }))
            }
        }
    }
}

/// `GET /api/v2/organizations/me`.
pub(super) fn organization(world: &World) -> Answer {
    Answer::ok(&json!({
        "id": &*world.organization,
        "name": NAME,
        "thirdPartyOrgName": "sandbox",
        "defaultLanguage": "en-us",
        "defaultCountryCode": "US",
        "domain": "sandbox",
        "state": "active",
        "version": 1,
        "productPlatform": "GenesysCloud",
        "features": { "realtimeCIC": true },
        "selfUri": format!("/api/v2/organizations/{}", world.organization),
    }))
}

/// `GET /api/v2/users/me` with a token that has no user.
pub(super) fn nobody() -> Refusal {
    Refusal::bad(
        "This request requires a user context. Client credentials cannot be used for requests to this resource.",
    )
}
