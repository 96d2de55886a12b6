// A subscription that survives restarts, drains and broken networks by resuming after the last batch that
// was handled.

import { setTimeout as sleep } from "node:timers/promises";
import { clone, create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ClientReadableStream, ServiceError } from "@grpc/grpc-js";
import { Door, type Tls } from "./channel.js";
import { type Failure, type Unavailable, describe, fromStatus } from "./failure.js";
import { type GapChoice, Machine } from "./machine.js";
import type { Position, Store } from "./position.js";
import { processing } from "./traces.js";
import type { Event } from "./gen/tieline/v1/event_pb.js";
import {
  type EventFilter,
  type Gap,
  StartPreset,
  type SubscribeRequest,
  SubscribeRequestSchema,
  type SubscribeResponse,
  SubscribeResponseSchema,
} from "./gen/tieline/v1/event_service_pb.js";

const METHOD = "/tieline.v1.EventService/Subscribe";
const DEFAULT_TARGET = "unix:/run/tieline/tieline.sock";
const DEFAULT_JOURNAL = "journals/default";

/** Where to begin while no position is stored. */
export type Start = "earliest" | "latest" | Date | Position;

export interface Options {
  /** `unix:/path` or `host:port`; `unix:/run/tieline/tieline.sock` unless it is given. */
  readonly target?: string;
  /** TLS, which a Unix socket has none of. */
  readonly tls?: Tls | undefined;
  /** A file with a bearer token, read again at every call. */
  readonly tokenFile?: string | undefined;
  /** `journals/default` unless it is given. */
  readonly journal?: string;
  readonly filter?: EventFilter;
  readonly start: Start;
  /** Loads the position to go on at and saves that of each batch once it was handled. Without, the position
   * is yours to keep, in the transaction of its effect, and `start` is the one that you kept last. */
  readonly store?: Store;
  /** What follows when the position is gone: retention was faster than the reader, or the pod moved with an
   * empty volume. */
  readonly onGap: (gap: Unavailable) => GapChoice | Promise<GapChoice>;
  /** For people, nothing is lost: the connection ended and is tried again. */
  readonly onInterrupted?: (interruption: Interruption) => void;
  /** Ends the loop once the batch in hand was handled and saved. */
  readonly signal?: AbortSignal;
  /** What else a Subscribe may ask for: view, shard, batching, heartbeats, an end. */
  readonly request?: SubscribeRequest;
}

/** An attempt that ended and will be followed by another. */
export interface Interruption {
  readonly cause: string;
  readonly retryAfterMs: number;
  /** Attempts that failed in a row. */
  readonly failures: number;
}

/**
 * What came at once. It may be without events: then the position has moved over a gap, or over events that
 * the filter kept away.
 */
export interface Batch {
  readonly events: readonly Event[];
  /** What to store together with the effect of this batch. */
  readonly position: Position;
  /** A run of events that will not come, if this is where it lies. */
  readonly gap: Gap | undefined;
  /** Events in the journal behind this batch. */
  readonly lag: number;
  /** Saves the position now, as for a `break`; else the next turn of the loop does. */
  store(): Promise<void>;
}

/**
 * Reads a journal, from the stored position on or, where none is stored, from `start`. A turn of the loop
 * handles a batch; its position is saved when the next is asked for. Ends with the requested end or
 * `signal`; throws RefusedError, GapError or ViolationError where it cannot go on.
 */
export function subscribe(options: Options): AsyncGenerator<Batch, void, undefined> {
  const door = new Door(options.target ?? DEFAULT_TARGET, options.tls, options.tokenFile);
  return batches(options, door, template(options));
}

async function* batches(options: Options, door: Door, asked: SubscribeRequest) {
  const { signal, start, store } = options;
  const named = typeof start === "object" && "epoch" in start ? start : undefined;
  const machine = new Machine(asked, (await store?.load()) ?? named, door.renewable);
  while (!signal?.aborted) {
    const failure = yield* attempt(options, door, machine);
    if (failure === undefined) return;
    let decision = machine.ended(failure, Math.random());
    if (decision.kind === "ask") {
      const choice = await options.onGap(decision.gap);
      decision = machine.resolveGap(decision.gap, choice, Math.random());
    }
    if (decision.kind === "stop") throw decision.error;
    if (decision.kind !== "retry") return;
    const retryAfterMs = decision.delayMs;
    options.onInterrupted?.({ cause: describe(failure), retryAfterMs, failures: machine.failures });
    await sleep(retryAfterMs, undefined, signal && { signal }).catch(ignored);
  }
}

/** One connection; how it ended, or undefined where it was asked to. */
async function* attempt(options: Options, door: Door, machine: Machine) {
  const { signal, store } = options;
  const metadata = await door.metadata();
  const client = await door.open();
  const request = machine.request();
  const call = client.makeServerStreamRequest(METHOD, encode, decode, request, metadata);
  const responses = call[Symbol.asyncIterator]() as AsyncIterator<SubscribeResponse>;
  const cancel = () => call.cancel();
  signal?.addEventListener("abort", cancel);
  try {
    for (;;) {
      const response = await next(call, responses, machine.silenceLimitMs);
      if (signal?.aborted) return undefined;
      if ("kind" in response) return response;
      const moved = machine.accept(response);
      const { events, notice } = response;
      const gap = notice.case === "gap" ? notice.value : undefined;
      const { position } = machine;
      if (position === undefined || (!moved && gap === undefined)) continue;
      let saved = false;
      const save = async () => {
        if (!saved) await store?.save(position);
        saved = true;
      };
      const lag = Math.max(0, Number(response.latestSequence - position.sequence));
      const span = await processing(request.journal, events);
      try {
        yield { events, position, gap, lag, store: save };
      } finally {
        span?.end();
      }
      await save();
      if (signal?.aborted) return undefined;
    }
  } finally {
    signal?.removeEventListener("abort", cancel);
    call.on("error", ignored);
    call.cancel();
    client.close();
  }
}

/** The next response, or how the stream ended; nothing for too long is an end too. */
async function next(
  call: ClientReadableStream<SubscribeResponse>,
  responses: AsyncIterator<SubscribeResponse>,
  limitMs: number,
): Promise<SubscribeResponse | Failure> {
  let silent = false;
  const watch = setTimeout(() => {
    silent = true;
    call.cancel();
  }, limitMs);
  try {
    const result = await responses.next();
    return result.done ? { kind: "ended" } : result.value;
  } catch (error) {
    if (silent) return { kind: "silent", ms: limitMs };
    if (!isStatus(error)) throw error;
    return fromStatus(error);
  } finally {
    clearTimeout(watch);
  }
}

function isStatus(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error && "details" in error && "metadata" in error;
}

function ignored(): void {
  // What ends an attempt that was given up is of no interest.
}

function encode(request: SubscribeRequest): Buffer {
  return Buffer.from(toBinary(SubscribeRequestSchema, request));
}

function decode(bytes: Buffer): SubscribeResponse {
  return fromBinary(SubscribeResponseSchema, bytes);
}

function template({ start, journal, filter, request }: Options): SubscribeRequest {
  const template = request ? clone(SubscribeRequestSchema, request) : create(SubscribeRequestSchema);
  if (template.start.case !== undefined) {
    throw new TypeError("request: its start is for `start` to say; leave it out");
  }
  if (start === "earliest") template.start = { case: "preset", value: StartPreset.EARLIEST };
  else if (start === "latest") template.start = { case: "preset", value: StartPreset.LATEST };
  else if (start instanceof Date && !Number.isNaN(start.getTime())) {
    template.start = { case: "fromTime", value: timestampFromDate(start) };
  } else if (typeof (start as Position | undefined)?.epoch !== "string") {
    throw new TypeError(`start: '${start}' is none of 'earliest', 'latest', a Date, a Position`);
  }
  template.journal = journal ?? DEFAULT_JOURNAL;
  if (filter) template.filter = filter;
  return template;
}
