// An EventService in this process that does as each test says.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { anyPack, durationFromMs } from "@bufbuild/protobuf/wkt";
import * as grpc from "@grpc/grpc-js";
import { ErrorInfoSchema, RetryInfoSchema } from "../src/gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "../src/gen/google/rpc/status_pb.js";
import {
  type Batch,
  ClosingSchema,
  Closing_Reason,
  EventSchema,
  FileStore,
  OpenedSchema,
  type Options,
  PositionSchema,
  type SubscribeRequest,
  SubscribeRequestSchema,
  type SubscribeResponse,
  SubscribeResponseSchema,
  subscribe,
} from "../src/index.js";

type Call = grpc.ServerWritableStream<SubscribeRequest, SubscribeResponse>;
export type Act = (call: Call) => void;

export function opened(epoch: string, after: bigint, heartbeatMs = 10_000): SubscribeResponse {
  const start = create(PositionSchema, { epoch, sequence: after });
  const heartbeatInterval = durationFromMs(heartbeatMs);
  const value = create(OpenedSchema, { epoch, start, heartbeatInterval });
  return create(SubscribeResponseSchema, {
    throughSequence: after,
    notice: { case: "opened", value },
  });
}

export function events(first: number, last: number): SubscribeResponse {
  const sequences = Array.from({ length: last - first + 1 }, (_, index) => BigInt(first + index));
  return create(SubscribeResponseSchema, {
    events: sequences.map((sequence) => create(EventSchema, { sequence, id: `id-${sequence}` })),
    throughSequence: BigInt(last),
    latestSequence: BigInt(last + 5),
  });
}

export function closing(through: bigint, reason = Closing_Reason.END_REACHED): SubscribeResponse {
  return create(SubscribeResponseSchema, {
    throughSequence: through,
    notice: { case: "closing", value: create(ClosingSchema, { reason }) },
  });
}

interface Why {
  readonly reason?: string;
  readonly retryMs?: number;
  readonly domain?: string;
  readonly metadata?: Record<string, string>;
}

/** The trailers of an error. */
export function trailers({ reason, retryMs, domain = "tieline", metadata = {} }: Why): grpc.Metadata {
  const details = [];
  if (reason !== undefined) {
    const info = create(ErrorInfoSchema, { reason, domain, metadata });
    details.push(anyPack(ErrorInfoSchema, info));
  }
  if (retryMs !== undefined) {
    const retry = create(RetryInfoSchema, { retryDelay: durationFromMs(retryMs) });
    details.push(anyPack(RetryInfoSchema, retry));
  }
  const found = new grpc.Metadata();
  const encoded = toBinary(StatusSchema, create(StatusSchema, { details }));
  found.set("grpc-status-details-bin", Buffer.from(encoded));
  return found;
}

/** An act that ends the call with an error. */
export function refuse(code: grpc.status, why: Why = {}): Act {
  return (call) => call.emit("error", { code, details: "why", metadata: trailers(why) });
}

/** An act that sends these, and ends with OK or as `then` does. */
export function play(responses: readonly SubscribeResponse[], then?: Act): Act {
  return (call) => {
    for (const response of responses) call.write(response);
    if (then) then(call);
    else call.end();
  };
}

/** Says nothing until the call is gone. */
export const hang: Act = () => undefined;

/** Plays one act for each Subscribe, in order. */
export class Server implements AsyncDisposable {
  readonly requests: SubscribeRequest[] = [];
  readonly tokens: unknown[] = [];
  readonly acts: Act[];
  readonly #server = new grpc.Server();
  private constructor(
    acts: readonly Act[],
    readonly folder: string,
  ) {
    this.acts = [...acts];
  }

  target = "";

  static async start(
    acts: readonly Act[],
    unix = false,
    credentials = grpc.ServerCredentials.createInsecure(),
  ): Promise<Server> {
    const server = new Server(acts, await mkdtemp(join(tmpdir(), "tieline-")));
    const method = {
      path: "/tieline.v1.EventService/Subscribe",
      requestStream: false as const,
      responseStream: true as const,
      requestDeserialize: (bytes: Buffer) => fromBinary(SubscribeRequestSchema, bytes),
      requestSerialize: (value: SubscribeRequest) =>
        Buffer.from(toBinary(SubscribeRequestSchema, value)),
      responseSerialize: (value: SubscribeResponse) =>
        Buffer.from(toBinary(SubscribeResponseSchema, value)),
      responseDeserialize: (bytes: Buffer) => fromBinary(SubscribeResponseSchema, bytes),
    };
    const subscribe = (call: Call) => server.#subscribe(call);
    server.#server.addService({ subscribe: method }, { subscribe });
    const address = unix ? `unix:${server.folder}/s` : "127.0.0.1:0";
    const port = await new Promise<number>((resolve, reject) => {
      server.#server.bindAsync(address, credentials, (error, bound) =>
        error ? reject(error) : resolve(bound),
      );
    });
    server.target = unix ? address : `127.0.0.1:${port}`;
    return server;
  }

  #subscribe(call: Call): void {
    this.requests.push(call.request);
    this.tokens.push(call.metadata.get("authorization")[0]);
    const act = this.acts.shift() ?? refuse(grpc.status.ABORTED, { reason: "NO_MORE_ACTS" });
    act(call);
  }

  get store(): FileStore {
    return new FileStore(join(this.folder, "position"));
  }

  /** What a test does not say is that of a stop. */
  subscribe(options: Partial<Options> = {}): AsyncGenerator<Batch, void, undefined> {
    const { target, store } = this;
    return subscribe({ start: "earliest", onGap: () => "stop", target, store, ...options });
  }

  /** The batches until the requested end. */
  async run(options: Partial<Options> = {}): Promise<Batch[]> {
    const batches: Batch[] = [];
    for await (const batch of this.subscribe(options)) batches.push(batch);
    return batches;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.forceShutdown();
    await rm(this.folder, { recursive: true });
  }
}

export function sequences(batches: readonly Batch[]): number[] {
  return batches.flatMap((batch) => batch.events.map((event) => Number(event.sequence)));
}
