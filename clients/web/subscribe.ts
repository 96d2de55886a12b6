// A subscription for pages that goes on where it was: over gRPC-Web, after restarts of the sidecar, drains
// and broken networks. Copy this file; `buf generate` makes what it imports from gen/.

import { create } from "@bufbuild/protobuf";
import { BinaryReader } from "@bufbuild/protobuf/wire";
import { type Duration, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type Interceptor, createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import type { Event } from "./gen/tieline/v1/event_pb.ts";
import {
  type EventFilter,
  EventService,
  type Gap,
  StartPreset,
  type SubscribeRequest,
  SubscribeRequestSchema,
  type SubscribeResponse,
  UnavailablePolicy,
} from "./gen/tieline/v1/event_service_pb.ts";

/** What lies behind the reader. Sequences are bigints: they outgrow numbers. */
export interface Position {
  epoch: string;
  sequence: bigint;
}

/** Where the position is kept between lives of the page. */
export interface Store {
  load(): Promise<Position | undefined> | Position | undefined;
  save(position: Position): Promise<void> | void;
}

export type GapChoice = "earliest" | "latest" | "stop";

/** Why a position cannot be served: POSITION_TRIMMED, EPOCH_CHANGED or JOURNAL_CORRUPTED. */
export interface Unavailable {
  reason: string;
  message: string;
  metadata: Map<string, string>;
}

export interface Options {
  /** Of the sidecar: `https://tieline.example.com`. Its `listen.allowed_origins` names this page's origin. */
  baseUrl: string;
  journal?: string;
  filter?: EventFilter;
  /** Where nothing is stored. */
  start: "earliest" | "latest" | Date;
  /** Without one the handler keeps the position with its own effect. */
  store?: Store;
  /** What to do when the position is gone has to be decided. */
  onGap(unavailable: Unavailable): GapChoice | Promise<GapChoice>;
  /** Asked for at every attempt. */
  token?(): string | Promise<string>;
  /** Told of every attempt that ended, and how long it waits. */
  onInterruption?(error: unknown, waitMillis: number): void;
  signal?: AbortSignal;
}

/** Events, and the position to store with them. A gap names events that will not come. */
export interface Batch {
  events: Event[];
  position: Position;
  latest: bigint;
  gap?: Gap;
  caughtUp: boolean;
}

const DOMAIN = "tieline";
const GAPS = ["POSITION_TRIMMED", "EPOCH_CHANGED", "JOURNAL_CORRUPTED"];
const BASE_MILLIS = 100;
const CAP_MILLIS = 10_000;
const LONGEST_WAIT_MILLIS = 120_000;
const HEARTBEAT_MILLIS = 10_000;
const SILENT_HEARTBEATS = 2.5;

/** Hands batch after batch to `handle`, one at a time, and stores the position behind each when it returns.
 * Ends when `signal` says so; rejects with what cannot be mended by coming back. */
export async function subscribe(options: Options, handle: (batch: Batch) => Promise<void> | void): Promise<void> {
  const { signal } = options;
  let position = await options.store?.load();
  let start: Options["start"] = options.start;
  let failures = 0;
  let own: { error: unknown } | undefined;
  const take = async (batch: Batch) => {
    try {
      await handle(batch);
      const moved = batch.position.sequence !== position?.sequence || batch.position.epoch !== position.epoch;
      if (moved) await options.store?.save(batch.position);
    } catch (error) {
      own = { error };
      throw error;
    }
  };
  while (!signal?.aborted) {
    try {
      for await (const batch of attempt(options, position, start)) {
        await take(batch);
        position = batch.position;
        failures = 0;
      }
    } catch (error) {
      if (own) throw own.error;
      if (signal?.aborted) return;
      const refusal = refusalOf(error);
      if (refusal.gap) {
        const choice = await options.onGap(refusal.gap);
        if (choice === "stop") throw error;
        position = undefined;
        start = choice;
        continue;
      }
      if (!refusal.passes) throw error;
      failures += 1;
      const backoff = Math.random() * Math.min(CAP_MILLIS, BASE_MILLIS * 2 ** Math.min(failures, 20));
      const wait = Math.min(refusal.retryMillis ?? backoff, LONGEST_WAIT_MILLIS);
      options.onInterruption?.(error, wait);
      await pause(wait, signal);
    }
  }
}

async function* attempt(options: Options, position: Position | undefined, start: Options["start"]): AsyncGenerator<Batch> {
  const request = create(SubscribeRequestSchema, {
    journal: options.journal ?? "journals/default",
    start: startOf(position, start),
    unavailablePolicy: UnavailablePolicy.FAIL,
    clientId: "page",
  });
  if (options.filter) request.filter = options.filter;
  const authorize: Interceptor = (next) => async (call) => {
    if (options.token) call.header.set("authorization", `Bearer ${await options.token()}`);
    return next(call);
  };
  const transport = createGrpcWebTransport({ baseUrl: options.baseUrl, interceptors: [authorize] });
  const ended = new AbortController();
  const stop = () => ended.abort(new DOMException("it was asked to end", "AbortError"));
  options.signal?.addEventListener("abort", stop);
  let limit = SILENT_HEARTBEATS * HEARTBEAT_MILLIS;
  let watch: ReturnType<typeof setTimeout> | undefined;
  const heard = () => {
    clearTimeout(watch);
    watch = setTimeout(() => ended.abort(new DOMException("nothing came for too long", "TimeoutError")), limit);
  };
  try {
    heard();
    let epoch = "";
    const client = createClient(EventService, transport);
    for await (const response of client.subscribe(request, { signal: ended.signal })) {
      if (response.notice.case === "opened") {
        const opened = response.notice.value;
        epoch = opened.epoch;
        if (opened.heartbeatInterval) limit = SILENT_HEARTBEATS * millis(opened.heartbeatInterval);
      }
      // However long the handler takes, the connection is not silent meanwhile.
      clearTimeout(watch);
      yield batchOf(response, epoch);
      heard();
    }
    // OK means that an end was reached, and none was asked for.
    throw new ConnectError("the stream ended", Code.Unavailable);
  } finally {
    clearTimeout(watch);
    options.signal?.removeEventListener("abort", stop);
    ended.abort();
  }
}

function startOf(position: Position | undefined, start: Options["start"]): SubscribeRequest["start"] {
  if (position) return { case: "after", value: { $typeName: "tieline.v1.Position", ...position } };
  if (start instanceof Date) return { case: "fromTime", value: timestampFromDate(start) };
  return { case: "preset", value: start === "earliest" ? StartPreset.EARLIEST : StartPreset.LATEST };
}

function batchOf(response: SubscribeResponse, epoch: string): Batch {
  const batch: Batch = {
    events: response.events,
    position: { epoch, sequence: response.throughSequence },
    latest: response.latestSequence,
    caughtUp: response.notice.case === "caughtUp",
  };
  if (response.notice.case === "gap") batch.gap = response.notice.value;
  return batch;
}

interface Refusal {
  /** Coming back may help. */
  passes: boolean;
  gap?: Unavailable;
  retryMillis?: number;
}

/** Whose word an error is, and what it says. */
function refusalOf(error: unknown): Refusal {
  const failure = ConnectError.from(error);
  let info: Unavailable | undefined;
  const refusal: Refusal = { passes: false };
  for (const detail of failure.details) {
    if (!("type" in detail) || !(detail.value instanceof Uint8Array)) continue;
    if (detail.type === "google.rpc.ErrorInfo") info = errorInfo(detail.value, failure.rawMessage);
    if (detail.type === "google.rpc.RetryInfo") refusal.retryMillis = retryInfo(detail.value);
  }
  if (info && GAPS.includes(info.reason)) refusal.gap = info;
  // Without our word it is the network's, or a proxy's: a page learns no more of it.
  const ours = info !== undefined;
  const broken = !ours && [Code.Unknown, Code.Unavailable, Code.Canceled, Code.Aborted, Code.DeadlineExceeded, Code.Internal].includes(failure.code);
  const asked = ours && [Code.Unavailable, Code.ResourceExhausted].includes(failure.code);
  refusal.passes = broken || asked || info?.reason === "CREDENTIALS_EXPIRED";
  return refusal;
}

/** google.rpc.ErrorInfo: 1 reason, 2 domain, 3 metadata. */
function errorInfo(bytes: Uint8Array, message: string): Unavailable | undefined {
  const found = { reason: "", message, metadata: new Map<string, string>() };
  let domain = "";
  fields(bytes, (field, reader) => {
    if (field === 1) found.reason = reader.string();
    else if (field === 2) domain = reader.string();
    else if (field === 3) {
      const entry = ["", ""];
      fields(reader.bytes(), (part, of) => { entry[part - 1] = of.string(); });
      found.metadata.set(entry[0] ?? "", entry[1] ?? "");
    } else return false;
    return true;
  });
  return domain === DOMAIN ? found : undefined;
}

/** google.rpc.RetryInfo: 1 a duration, of 1 seconds and 2 nanoseconds. */
function retryInfo(bytes: Uint8Array): number {
  let found = 0;
  fields(bytes, (field, reader) => {
    if (field !== 1) return false;
    fields(reader.bytes(), (part, of) => {
      if (part === 1) found += Number(of.int64()) * 1_000;
      else found += of.int32() / 1_000_000;
    });
    return true;
  });
  return found;
}

/** Calls `take` for each field; one that it does not take is passed over. */
function fields(bytes: Uint8Array, take: (field: number, reader: BinaryReader) => boolean | void): void {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag();
    if (take(field, reader) === false) reader.skip(wire);
  }
}

function millis(duration: Duration): number {
  return Number(duration.seconds) * 1_000 + duration.nanos / 1_000_000;
}

function pause(wait: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const over = () => { clearTimeout(timer); signal?.removeEventListener("abort", over); resolve(); };
    const timer = setTimeout(over, wait);
    signal?.addEventListener("abort", over);
  });
}

/** Keeps the position in the browser, under a name of its own for each reader. */
export function localStore(name: string): Store {
  return {
    load() {
      const text = localStorage.getItem(name);
      const [epoch, sequence] = text?.split(" ") ?? [];
      return epoch && sequence ? { epoch, sequence: BigInt(sequence) } : undefined;
    },
    save({ epoch, sequence }) {
      localStorage.setItem(name, `${epoch} ${sequence}`);
    },
  };
}
