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

/// The serialized `FileDescriptorSet`, for reflection and for tools.
pub const DESCRIPTOR_SET: &[u8] = tonic::include_file_descriptor_set!("tieline_descriptor");
