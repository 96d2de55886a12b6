//! Who calls, and what they may do.
//!
//! A connection shows a certificate or, over a Unix socket, an account; a call may bring a token.
//! [`Identify`] makes an [`Identity`](principal::Identity) of it, or refuses the call; the [`Gate`] that it
//! gives to the call says which journals it may be about, by the right that [`table`] asks for. What the
//! files hold may change at any time: new connections and calls see it, and streams that lost their
//! credential or permission end.

mod audit;
mod callers;
mod certificate;
mod config;
mod files;
mod gate;
mod jwt;
mod layer;
mod operator;
mod permissions;
mod principal;
mod quota;
mod signatures;
mod table;
mod tls;
mod tokens;
mod trust;

pub(super) use self::audit::Opened;
pub use self::callers::Callers;
pub(super) use self::callers::CredentialError;
pub use self::config::{Insecure, ListenAuthConfig, ListenTlsConfig, PermissionConfig, Right};
pub use self::files::FileError;
pub use self::gate::Gate;
pub(super) use self::gate::Lease;
pub(super) use self::layer::{Identified, Identify};
pub use self::operator::OperatorRefused;
pub use self::principal::Shown;
pub use self::tls::{Handshakes, Spoken, TlsKeys};
