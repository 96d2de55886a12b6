//! Names of spans and of their attributes, in one place: the conventions of OpenTelemetry for messaging
//! and RPC (1.44) still move, and for WebSockets there are none.

/// What the conventions call a messaging system.
pub const SYSTEM: &str = "tieline";

/// An event is taken in: from when its turn has come until it is durable.
pub const CREATE: &str = "create";
/// Events are handed to a subscriber that is live.
pub const SEND: &str = "send";
/// A WebSocket is opened.
pub const CONNECT: &str = "connect";
/// A token is asked for.
pub const REFRESH: &str = "refresh";
/// What was missed is fetched.
pub const BACKFILL: &str = "backfill";

/// `messaging.system`.
pub const MESSAGING_SYSTEM: &str = "messaging.system";
/// `create` or `send`.
pub const OPERATION_NAME: &str = "messaging.operation.name";
/// Likewise.
pub const OPERATION_TYPE: &str = "messaging.operation.type";
/// The journal.
pub const DESTINATION: &str = "messaging.destination.name";
/// The event's id.
pub const MESSAGE_ID: &str = "messaging.message.id";
/// Bytes of the provider's event.
pub const BODY_SIZE: &str = "messaging.message.body.size";
/// Events in a response.
pub const BATCH_COUNT: &str = "messaging.batch.message_count";
/// The event's type.
pub const EVENT_TYPE: &str = "cloudevents.event_type";
/// The event's source.
pub const EVENT_SOURCE: &str = "cloudevents.event_source";

/// Why it failed; a word, or a status.
pub const ERROR_TYPE: &str = "error.type";
/// Host that is connected to.
pub const SERVER_ADDRESS: &str = "server.address";
/// Its port.
pub const SERVER_PORT: &str = "server.port";
/// `websocket`.
pub const PROTOCOL: &str = "network.protocol.name";
/// What a handshake was answered with.
pub const HTTP_STATUS: &str = "http.response.status_code";

/// `grpc`.
pub const RPC_SYSTEM: &str = "rpc.system.name";
/// Service and method.
pub const RPC_METHOD: &str = "rpc.method";
/// Name of the status.
pub const RPC_STATUS: &str = "rpc.response.status_code";

/// The session.
pub const SESSION: &str = "tieline.session";
/// An event's number in its journal.
pub const SEQUENCE: &str = "tieline.sequence";
/// Whether an event was fetched rather than received.
pub const BACKFILLED: &str = "tieline.backfilled";
/// The subscriber's number.
pub const SUBSCRIBER: &str = "tieline.subscriber";
