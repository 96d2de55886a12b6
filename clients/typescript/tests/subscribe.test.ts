// The subscriber against a server in this process.

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import {
  EventFilterSchema,
  GapError,
  GapSchema,
  Gap_Cause,
  type Options,
  RefusedError,
  StartPreset,
  SubscribeRequestSchema,
  SubscribeResponseSchema,
  type Unavailable,
  UnavailablePolicy,
  ViolationError,
  subscribe,
} from "../src/index.js";
import { type Act, Server, closing, events, hang, opened, play, refuse, sequences } from "./server.js";

const draining = refuse(status.UNAVAILABLE, { reason: "SERVER_DRAINING", retryMs: 50 });
const rest = play([opened("e", 3n), events(4, 5), closing(5n)]);
const gaps = {
  EPOCH_CHANGED: status.FAILED_PRECONDITION,
  POSITION_TRIMMED: status.OUT_OF_RANGE,
  JOURNAL_CORRUPTED: status.DATA_LOSS,
};

test("resumes after the last batch that was handled", async () => {
  for (const unix of [false, true]) {
    const first = play([opened("e", 0n), events(1, 3)], draining);
    await using server = await Server.start([first, rest], unix);
    const batches = await server.run();
    assert.deepEqual(sequences(batches), [1, 2, 3, 4, 5]);
    assert.equal(batches[1]?.lag, 5);
    const [one, two] = server.requests.map(({ start }) => start);
    assert.equal(one?.value, StartPreset.EARLIEST);
    assert.ok(two?.case === "after");
    assert.deepEqual([two.value.epoch, two.value.sequence], ["e", 3n]);
    const policies = server.requests.map((request) => request.unavailablePolicy);
    assert.deepEqual(policies, [UnavailablePolicy.FAIL, UnavailablePolicy.FAIL]);
    assert.deepEqual(await server.store.load(), { epoch: "e", sequence: 5n });
  }
});

test("a new process goes on at the stored position", async () => {
  await using server = await Server.start([rest]);
  await server.store.save({ epoch: "e", sequence: 3n });
  assert.deepEqual(sequences(await server.run({ start: "latest" })), [4, 5]);
});

test("a handler that stores by itself names the position to start at", async () => {
  await using server = await Server.start([rest]);
  const start = { epoch: "e", sequence: 3n };
  const { target } = server;
  const read = [];
  for await (const batch of subscribe({ target, start, onGap: () => "stop" })) read.push(batch);
  assert.deepEqual(read.at(-1)?.position, { epoch: "e", sequence: 5n });
});

test("a stream that was cut off, or ended without its end, is resumed", async () => {
  for (const cut of [refuse(status.UNKNOWN), refuse(status.CANCELLED), undefined]) {
    await using server = await Server.start([play([opened("e", 0n), events(1, 3)], cut), rest]);
    assert.deepEqual(sequences(await server.run()), [1, 2, 3, 4, 5]);
  }
});

test("a server that is not there is tried again", async () => {
  let target = "";
  {
    await using gone = await Server.start([]);
    ({ target } = gone);
  }
  const causes: string[] = [];
  const stopping = new AbortController();
  const options: Options = {
    target,
    start: "earliest",
    onGap: () => "stop",
    onInterrupted: ({ cause, failures }) => {
      causes.push(cause);
      if (failures === 3) stopping.abort();
    },
    signal: stopping.signal,
  };
  for await (const batch of subscribe(options)) assert.fail(`nothing was sent but ${batch}`);
  assert.equal(causes.length, 3);
});

test("silence ends an attempt", async () => {
  const silent = play([opened("e", 0n, 1_000), events(1, 3)], hang);
  await using server = await Server.start([silent, rest]);
  const began = performance.now();
  assert.deepEqual(sequences(await server.run()), [1, 2, 3, 4, 5]);
  const took = performance.now() - began;
  assert.ok(took > 2_490 && took < 10_000, `${took} ms`);
});

test("what the server asks to wait is waited", async () => {
  for (const [code, reason] of [
    [status.RESOURCE_EXHAUSTED, "SUBSCRIBER_QUOTA"],
    [status.UNAVAILABLE, "SERVER_DRAINING"],
  ] as const) {
    const acts = [refuse(code, { reason, retryMs: 700 }), play([opened("e", 0n), closing(0n)])];
    await using server = await Server.start(acts);
    const began = performance.now();
    await server.run();
    assert.ok(performance.now() - began > 690);
  }
});

test("what the loop throws or breaks off at is not stored, unless it is asked for", async () => {
  const endless = () => play([opened("e", 0n), events(1, 3), events(4, 5)], hang);
  await using server = await Server.start([endless(), endless(), endless()]);
  const failing = async () => {
    for await (const batch of server.subscribe()) {
      if (batch.events[0]?.sequence === 4n) throw new RangeError("mine");
    }
  };
  await assert.rejects(failing, RangeError);
  assert.deepEqual(await server.store.load(), { epoch: "e", sequence: 3n });
  for (const stored of [0n, 3n]) {
    await server.store.save({ epoch: "e", sequence: 0n });
    for await (const batch of server.subscribe()) {
      if (batch.events.length === 0) continue;
      if (stored > 0n) await batch.store();
      break;
    }
    assert.deepEqual(await server.store.load(), { epoch: "e", sequence: stored });
  }
});

test("an abort ends it after the batch in hand is stored", async () => {
  const endless = play([opened("e", 0n), events(1, 3), events(4, 5)], hang);
  await using server = await Server.start([endless, play([opened("e", 3n)], hang)]);
  const stopping = new AbortController();
  for await (const batch of server.subscribe({ signal: stopping.signal })) {
    if (batch.events.length > 0) stopping.abort();
    await sleep(20);
  }
  assert.deepEqual(await server.store.load(), { epoch: "e", sequence: 3n });
  await server.run({ signal: AbortSignal.timeout(300) });
});

test("the proxy of the environment is not asked", async () => {
  const before = { ...process.env };
  process.env["http_proxy"] = process.env["grpc_proxy"] = "http://proxy.invalid:1";
  try {
    await using server = await Server.start([rest]);
    assert.deepEqual(sequences(await server.run({ start: { epoch: "e", sequence: 3n } })), [4, 5]);
  } finally {
    process.env = before;
  }
});

test("what follows a lost position is asked", async () => {
  const policies = {
    earliest: UnavailablePolicy.RESUME_AT_EARLIEST,
    latest: UnavailablePolicy.RESUME_AT_LATEST,
  };
  for (const [reason, code] of Object.entries(gaps)) {
    for (const choice of ["earliest", "latest"] as const) {
      const lost = refuse(code, { reason, metadata: { earliest_sequence: "8" } });
      const found = play([opened("new", 7n), events(8, 9), closing(9n)]);
      await using server = await Server.start([lost, found]);
      await server.store.save({ epoch: "old", sequence: 3n });
      const asked: Unavailable[] = [];
      const onGap = async (gap: Unavailable) => {
        asked.push(gap);
        return choice;
      };
      assert.deepEqual(sequences(await server.run({ onGap })), [8, 9]);
      assert.deepEqual(asked.map((gap) => [gap.reason, gap.metadata["earliest_sequence"]]), [
        [reason, "8"],
      ]);
      assert.equal(server.requests[1]?.unavailablePolicy, policies[choice]);
      assert.deepEqual(await server.store.load(), { epoch: "new", sequence: 9n });
    }
  }
});

test("stop, or a refusal of what was chosen, surfaces the gap", async () => {
  for (const [reason, code] of Object.entries(gaps)) {
    for (const choice of ["stop", "earliest"] as const) {
      await using server = await Server.start([refuse(code, { reason }), refuse(code, { reason })]);
      const reading = server.run({ start: { epoch: "old", sequence: 3n }, onGap: () => choice });
      await assert.rejects(
        reading,
        (error) => error instanceof GapError && error.gap.reason === reason,
      );
    }
  }
});

test("a gap in the stream is handed on", async () => {
  const value = create(GapSchema, { cause: Gap_Cause.ERASED, firstSequence: 1n, lastSequence: 7n });
  const told = create(SubscribeResponseSchema, {
    throughSequence: 7n,
    notice: { case: "gap", value },
  });
  await using server = await Server.start([
    play([opened("e", 0n), told, events(8, 9), closing(9n)]),
  ]);
  const batches = await server.run();
  assert.deepEqual(
    batches.flatMap(({ gap }) => gap ?? []).map((gap) => [gap.cause, gap.lastSequence]),
    [[Gap_Cause.ERASED, 7n]],
  );
  assert.deepEqual(sequences(batches), [8, 9]);
});

test("progress over filtered events is stored", async () => {
  const far = create(SubscribeResponseSchema, { throughSequence: 40n });
  await using server = await Server.start([play([opened("e", 0n), far, closing(40n)])]);
  await server.run({ filter: create(EventFilterSchema, { types: ["a"] }) });
  assert.deepEqual(await server.store.load(), { epoch: "e", sequence: 40n });
});

test("what repeating does not change surfaces", async () => {
  for (const [code, reason] of [
    [status.PERMISSION_DENIED, "JOURNAL_FORBIDDEN"],
    [status.UNAUTHENTICATED, "CREDENTIALS_MISSING"],
    [status.UNAUTHENTICATED, "CREDENTIALS_EXPIRED"], // without a credential to renew
    [status.OUT_OF_RANGE, "POSITION_NOT_WRITTEN"],
    [status.INVALID_ARGUMENT, "FILTER_INVALID"],
    [status.ABORTED, "DISCONNECTED_BY_OPERATOR"],
    [status.RESOURCE_EXHAUSTED, undefined],
    [status.INTERNAL, undefined],
    [status.UNIMPLEMENTED, undefined],
  ] as const) {
    await using server = await Server.start([refuse(code, reason ? { reason } : {})]);
    await assert.rejects(
      server.run(),
      (error) => error instanceof RefusedError && error.code === code && error.reason === reason,
      `${status[code]} ${reason}`,
    );
  }
});

test("an expired credential is read again", async () => {
  await using server = await Server.start([]);
  const tokenFile = join(server.folder, "token");
  await writeFile(tokenFile, "first\n");
  const expire: Act = (call) => {
    const expired = refuse(status.UNAUTHENTICATED, { reason: "CREDENTIALS_EXPIRED" });
    void writeFile(tokenFile, "second\n").then(() => expired(call));
  };
  server.acts.push(play([opened("e", 0n), events(1, 3)], expire), rest);
  assert.deepEqual(sequences(await server.run({ tokenFile })), [1, 2, 3, 4, 5]);
  assert.deepEqual(server.tokens, ["Bearer first", "Bearer second"]);
});

test("a broken promise surfaces", async () => {
  const back = create(SubscribeResponseSchema, { throughSequence: 2n });
  for (const responses of [
    [events(1, 3)],
    [opened("e", 0n), events(2, 3)],
    [opened("e", 0n), events(1, 3), events(3, 4)],
    [opened("e", 0n), opened("e", 0n)],
    [opened("e", 0n), events(1, 3), back],
  ]) {
    await using server = await Server.start([play(responses, hang)]);
    await assert.rejects(server.run(), ViolationError);
  }
});

test("a mistake in the options is named", () => {
  const made = (options: object) =>
    subscribe({ start: "earliest", onGap: () => "stop", ...options } as Options);
  const request = create(SubscribeRequestSchema, { start: { case: "lastEvents", value: 3n } });
  for (const [options, words] of [
    [{ start: "newest" }, /newest/],
    [{ start: new Date("never") }, /none of/],
    [{ target: "localhost" }, /host:port/],
    [{ target: "unix:run/s" }, /absolute/],
    [{ target: "unix:/s", tls: {} }, /leave it out/],
    [{ target: "10.0.0.1:1", tokenFile: "t" }, /set tls/],
    [{ target: "10.0.0.1:1", tls: { certFile: "c" } }, /belong together/],
    [{ request }, /leave it out/],
  ] as const) {
    assert.throws(() => made(options), words);
  }
  made({ start: new Date(), target: "[::1]:1", tokenFile: "t" });
});
