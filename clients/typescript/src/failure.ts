// How an attempt ended, as values: read once from a status.

import { type Message, fromBinary } from "@bufbuild/protobuf";
import { type GenMessage } from "@bufbuild/protobuf/codegenv2";
import { type Any, anyUnpack, durationMs } from "@bufbuild/protobuf/wkt";
import { type StatusObject, status } from "@grpc/grpc-js";
import { ErrorInfoSchema, RetryInfoSchema } from "./gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "./gen/google/rpc/status_pb.js";

/** The domain of every error that is ours. */
const DOMAIN = "tieline";
/** Reasons that mean the position cannot be served: what follows is for `onGap` to decide. */
const GAP_REASONS = new Set(["POSITION_TRIMMED", "EPOCH_CHANGED", "JOURNAL_CORRUPTED"]);

/** A status that the server sent. */
export interface Refused {
  readonly kind: "refused";
  readonly code: status;
  readonly message: string;
  readonly reason: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Why a position cannot be served: POSITION_TRIMMED, EPOCH_CHANGED or JOURNAL_CORRUPTED, with the
 * numbers: `requested_sequence`, `earliest_sequence`, `latest_sequence` and the like.
 */
export interface Unavailable {
  readonly kind: "unavailable";
  readonly reason: string;
  readonly message: string;
  readonly metadata: Readonly<Record<string, string>>;
}

export type Failure =
  /** The server ended the stream with OK. */
  | { readonly kind: "ended" }
  /** There is or was no connection: refused, reset, cut off before a status. */
  | { readonly kind: "broken"; readonly what: string }
  /** Nothing came for longer than heartbeats allow. */
  | { readonly kind: "silent"; readonly ms: number }
  | Refused
  | Unavailable;

/** Reads a status: whose word it is, and what it says. */
export function fromStatus(of: Pick<StatusObject, "code" | "details" | "metadata">): Failure {
  const { code, details: message } = of;
  const { info, retryAfterMs } = read(of.metadata.get("grpc-status-details-bin")[0]);
  if (info === undefined && isBroken(code, message)) return { kind: "broken", what: message };
  const metadata = info?.metadata ?? {};
  const reason = info?.reason;
  if (reason !== undefined && GAP_REASONS.has(reason)) {
    return { kind: "unavailable", reason, message, metadata };
  }
  return { kind: "refused", code, message, reason, retryAfterMs, metadata };
}

/** For people. */
export function describe(failure: Failure): string {
  switch (failure.kind) {
    case "ended":
      return "the stream ended before its end was reached";
    case "broken":
      return `no connection: ${failure.what}`;
    case "silent":
      return `silent for ${(failure.ms / 1000).toFixed(1)} s`;
    default:
      return `${failure.reason ?? status[(failure as Refused).code]}: ${failure.message}`;
  }
}

/**
 * A server of ours always says why. What has no reason and is UNKNOWN or CANCELLED was cut off on the way;
 * so was a stream that was reset, which grpc reports as INTERNAL in words of its own.
 */
function isBroken(code: status, message: string): boolean {
  return code === status.UNKNOWN || code === status.CANCELLED || message.includes("RST_STREAM");
}

function read(encoded: string | Buffer | undefined) {
  const details = encoded instanceof Uint8Array ? decoded(encoded) : [];
  const info = details
    .map((any) => unpacked(any, ErrorInfoSchema))
    .find((found) => found?.domain === DOMAIN);
  const retry = details.map((any) => unpacked(any, RetryInfoSchema)?.retryDelay).find((d) => d);
  return { info, retryAfterMs: retry && Math.max(0, durationMs(retry)) };
}

function decoded(encoded: Uint8Array): Any[] {
  try {
    return fromBinary(StatusSchema, encoded).details;
  } catch {
    return []; // not google.rpc.Status
  }
}

function unpacked<T extends Message>(any: Any, schema: GenMessage<T>): T | undefined {
  try {
    return anyUnpack(any, schema) as T | undefined;
  } catch {
    return undefined; // not what its name says
  }
}
