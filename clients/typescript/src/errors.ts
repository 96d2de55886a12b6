// Why a subscription ended without its end being reached.

import type { Refused, Unavailable } from "./failure.js";

/** Every error of a subscription. */
export class TielineError extends Error {
  override name = "TielineError";
}

/** The position is gone, and the choice was to stop. */
export class GapError extends TielineError {
  override name = "GapError";
  readonly gap: Unavailable;

  constructor(gap: Unavailable) {
    super(`${gap.reason}: ${gap.message}`);
    this.gap = gap;
  }
}

/** The server said something that repeating the request will not change. */
export class RefusedError extends TielineError {
  override name = "RefusedError";
  /** The status code of gRPC. */
  readonly code: number;
  /** `ErrorInfo.reason`, where the error is ours. */
  readonly reason: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;

  constructor(refused: Refused) {
    super(`${refused.reason ?? `status ${refused.code}`}: ${refused.message}`);
    this.code = refused.code;
    this.reason = refused.reason;
    this.metadata = refused.metadata;
  }
}

/** The server broke the guarantees of the contract. */
export class ViolationError extends TielineError {
  override name = "ViolationError";
}
