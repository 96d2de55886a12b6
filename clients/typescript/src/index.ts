// Reads Tieline's resumable stream of contact-centre events: see `subscribe`.

export { type Tls } from "./channel.js";
export { GapError, RefusedError, TielineError, ViolationError } from "./errors.js";
export { type Unavailable } from "./failure.js";
export { type GapChoice } from "./machine.js";
export { FileStore, type Position, type Store, formatPosition, parsePosition } from "./position.js";
export { type Batch, type Interruption, type Options, type Start, subscribe } from "./subscribe.js";
export * from "./gen/tieline/v1/event_pb.js";
export * from "./gen/tieline/v1/event_service_pb.js";
