// What a subscription asks for, accepts and does next. Pure: time passes elsewhere, and chance comes in as
// a number.

import { clone, create } from "@bufbuild/protobuf";
import { type Duration, durationMs } from "@bufbuild/protobuf/wkt";
import { status } from "@grpc/grpc-js";
import { GapError, RefusedError, type TielineError, ViolationError } from "./errors.js";
import type { Failure, Refused, Unavailable } from "./failure.js";
import { type Position, formatPosition } from "./position.js";
import {
  type Closing,
  Closing_Reason,
  type Opened,
  PositionSchema,
  type SubscribeRequest,
  SubscribeRequestSchema,
  type SubscribeResponse,
  UnavailablePolicy,
} from "./gen/tieline/v1/event_service_pb.js";

/** The server's default, until `opened` names the real one. */
const DEFAULT_HEARTBEAT_MS = 10_000;
/** Heartbeats are between these, so that a wrong value neither kills nor hangs the stream. */
const [SHORTEST_HEARTBEAT_MS, LONGEST_HEARTBEAT_MS] = [1_000, 60_000];
/** Silence of this many heartbeats means that the connection is dead. */
const SILENT_HEARTBEATS = 2.5;
const BACKOFF_BASE_MS = 100;
const BACKOFF_CAP_MS = 10_000;
/** No server makes a reader wait for longer than this. */
const LONGEST_WAIT_MS = 120_000;

/** What to do when the position cannot be served any more. */
export type GapChoice = "earliest" | "latest" | "stop";

const POLICIES = {
  earliest: UnavailablePolicy.RESUME_AT_EARLIEST,
  latest: UnavailablePolicy.RESUME_AT_LATEST,
} as const;

/** What follows the end of an attempt. */
export type Decision =
  /** Wait this long, then send `request()` on a new connection. */
  | { readonly kind: "retry"; readonly delayMs: number }
  /** Ask the caller, then call `resolveGap`. */
  | { readonly kind: "ask"; readonly gap: Unavailable }
  /** The requested end was reached. */
  | { readonly kind: "finished" }
  /** It cannot go on. */
  | { readonly kind: "stop"; readonly error: TielineError };

/** The decisions of the client loop. */
export class Machine {
  readonly #template: SubscribeRequest;
  readonly #renewable: boolean;
  readonly #whole: boolean;
  #heartbeatMs: number;
  #opened = false;
  #closing: Closing | undefined;
  /** Set by a gap choice, until something came that explains the gap or lies behind it. */
  #policy = UnavailablePolicy.FAIL;
  #failures = 0;
  #position: Position | undefined;
  /** Through where this stream has come; the position follows it. */
  #reached: Position = { epoch: "", sequence: 0n };

  /**
   * `template` is what to subscribe to; its start serves until there is a position. `renewable` says that
   * credentials are read again at each attempt.
   */
  constructor(template: SubscribeRequest, position: Position | undefined, renewable: boolean) {
    this.#template = template;
    this.#position = position;
    this.#renewable = renewable;
    this.#whole = template.filter === undefined && template.shard === undefined;
    this.#heartbeatMs = clampHeartbeat(template.heartbeatInterval, DEFAULT_HEARTBEAT_MS);
  }

  /** What lies behind the reader: store it once the last response has been handled. */
  get position(): Position | undefined {
    return this.#position;
  }

  /** Attempts that failed since a response last made progress. */
  get failures(): number {
    return this.#failures;
  }

  /** How long silence may last before the connection counts as dead. */
  get silenceLimitMs(): number {
    return this.#heartbeatMs * SILENT_HEARTBEATS;
  }

  /** Begins an attempt: the request to send. */
  request(): SubscribeRequest {
    this.#opened = false;
    this.#closing = undefined;
    const request = clone(SubscribeRequestSchema, this.#template);
    if (this.#position !== undefined) {
      request.start = { case: "after", value: create(PositionSchema, this.#position) };
    }
    request.unavailablePolicy = this.#policy;
    return request;
  }

  /**
   * Takes a response in before it is handed on; whether the position moved. Throws ViolationError where it
   * breaks the contract; then it must not be handed on.
   */
  accept(response: SubscribeResponse): boolean {
    const before = this.#position;
    const { notice } = response;
    if (notice.case === "opened") this.#acceptOpened(notice.value);
    else if (!this.#opened) throw new ViolationError("the first response is not 'opened'");
    else if (notice.case === "closing") this.#closing = notice.value;
    this.#acceptProgress(response);
    const frame = notice.case === "opened" || notice.case === "closing";
    if (!frame) this.#failures = 0;
    // Behind a gap choice the start lies beyond what is lost: a stream that breaks before it said so is asked
    // for again from where the reader is.
    const chosen = this.#policy !== UnavailablePolicy.FAIL;
    if (chosen && frame && response.events.length === 0) return false;
    const after = this.#reached;
    this.#position = after;
    this.#policy = UnavailablePolicy.FAIL;
    return before?.epoch !== after.epoch || before.sequence !== after.sequence;
  }

  #acceptOpened(opened: Opened): void {
    if (this.#opened) throw new ViolationError("'opened' came a second time");
    const start = { epoch: opened.epoch, sequence: opened.start?.sequence ?? 0n };
    const asked = this.#position;
    if (asked !== undefined) {
      const same = asked.epoch === start.epoch;
      const moved = !same || asked.sequence !== start.sequence;
      // A resume that skips may still not go back.
      const back = same && start.sequence < asked.sequence;
      if (back || (moved && this.#policy === UnavailablePolicy.FAIL)) {
        const [wanted, given] = [formatPosition(asked), formatPosition(start)];
        throw new ViolationError(`asked to continue after ${wanted}, it starts after ${given}`);
      }
    }
    this.#heartbeatMs = clampHeartbeat(opened.heartbeatInterval, this.#heartbeatMs);
    this.#reached = start;
    this.#opened = true;
  }

  #acceptProgress(response: SubscribeResponse): void {
    const notice = response.notice.case;
    const { epoch, sequence } = this.#reached;
    let behind = sequence;
    for (const event of response.events) {
      if (event.sequence <= behind) {
        throw new ViolationError(`event ${event.sequence} came after ${behind}`);
      }
      if (this.#whole && event.sequence !== behind + 1n) throw hole(behind + 1n, event.sequence - 1n);
      behind = event.sequence;
    }
    let through = response.throughSequence;
    // A bookmark before the start is true of the first response, and moves nothing back.
    if (notice === "opened" && through < behind) through = behind;
    if (through < behind) throw new ViolationError(`the bookmark ${through} is before ${behind}`);
    const explained = notice === "gap" || notice === "opened";
    if (this.#whole && through > behind && !explained) throw hole(behind + 1n, through);
    this.#reached = { epoch, sequence: through };
  }

  /** Decides what follows the end of an attempt; `unit` is a random number in [0, 1). */
  ended(failure: Failure, unit: number): Decision {
    switch (failure.kind) {
      case "unavailable":
        // What was chosen and is refused again would go round in circles.
        return this.#policy === UnavailablePolicy.FAIL
          ? { kind: "ask", gap: failure }
          : { kind: "stop", error: new GapError(failure) };
      case "refused":
        return this.#isRetried(failure)
          ? this.#retry(failure.retryAfterMs ?? this.#closingDelayMs(), unit)
          : { kind: "stop", error: new RefusedError(failure) };
      case "ended":
        // OK without the announcement is a stream that something between cut off cleanly.
        if (this.#closing?.reason === Closing_Reason.END_REACHED) return { kind: "finished" };
        return this.#retry(this.#closingDelayMs(), unit);
      default:
        return this.#retry(this.#closingDelayMs(), unit);
    }
  }

  /** Continues as the caller chose. */
  resolveGap(gap: Unavailable, choice: GapChoice, unit: number): Decision {
    if (choice === "stop") return { kind: "stop", error: new GapError(gap) };
    const policy = POLICIES[choice] as UnavailablePolicy | undefined;
    if (policy === undefined) {
      throw new TypeError(`onGap answered '${choice}'; it is 'earliest', 'latest' or 'stop'`);
    }
    this.#policy = policy;
    // Jittered like any retry: after a restore every reader finds its epoch gone at once.
    return this.#retry(undefined, unit);
  }

  /**
   * UNAVAILABLE always; RESOURCE_EXHAUSTED only where it is ours, because a message above the client's own
   * limit is the same tomorrow.
   */
  #isRetried(refused: Refused): boolean {
    if (refused.reason === "CREDENTIALS_EXPIRED") return this.#renewable;
    if (refused.code === status.RESOURCE_EXHAUSTED) return refused.reason !== undefined;
    return refused.code === status.UNAVAILABLE;
  }

  #closingDelayMs(): number | undefined {
    const delay = this.#closing?.retryDelay;
    return delay && Math.max(0, durationMs(delay));
  }

  /** At least what the server asked for; what it asked for again and again is not enough alone. */
  #retry(askedMs: number | undefined, unit: number): Decision {
    const first = this.#failures === 0;
    const longest = BACKOFF_BASE_MS * 2 ** Math.min(this.#failures, 31);
    this.#failures += 1;
    const backoffMs = Math.min(BACKOFF_CAP_MS, longest) * unit;
    if (askedMs === undefined) return { kind: "retry", delayMs: backoffMs };
    const asked = Math.min(askedMs, LONGEST_WAIT_MS);
    return { kind: "retry", delayMs: first ? asked : Math.max(asked, backoffMs) };
  }
}

function hole(first: bigint, last: bigint): ViolationError {
  return new ViolationError(`events ${first} to ${last} are missing without a gap`);
}

function clampHeartbeat(named: Duration | undefined, otherwiseMs: number): number {
  const ms = named === undefined ? otherwiseMs : durationMs(named);
  return Math.min(Math.max(ms, SHORTEST_HEARTBEAT_MS), LONGEST_HEARTBEAT_MS);
}
