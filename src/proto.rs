//! The generated contract of `proto/tieline/v1` and its descriptor set.
//!
//! A stored event *is* a sent event, so these types are also the words in which connectors describe
//! what they received: a second set beside them would be a copy that can drift.

/// Package `tieline.v1`: messages, clients and servers.
#[expect(
    missing_docs,
    clippy::all,
    clippy::allow_attributes_without_reason,
    reason = "generated code"
)]
pub mod v1 {
    tonic::include_proto!("tieline.v1");
}

impl v1::session::State {
    /// Every state that a session may be in.
    pub const ALL: [Self; 6] = [
        Self::Connecting,
        Self::Active,
        Self::Degraded,
        Self::Reconnecting,
        Self::Suspended,
        Self::Closed,
    ];

    /// How it is written, for people and as a label.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unspecified => "unknown",
            Self::Connecting => "connecting",
            Self::Active => "active",
            Self::Degraded => "degraded",
            Self::Reconnecting => "reconnecting",
            Self::Suspended => "suspended",
            Self::Closed => "closed",
        }
    }
}

impl v1::Transport {
    /// How it is written, for people and as a label; empty where there is none.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unspecified => "",
            Self::Websocket => "websocket",
            Self::LongPoll => "long_poll",
        }
    }
}

/// The serialized `FileDescriptorSet`, for reflection and for tools.
pub const DESCRIPTOR_SET: &[u8] = tonic::include_file_descriptor_set!("tieline_descriptor");
