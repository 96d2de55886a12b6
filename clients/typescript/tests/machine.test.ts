// The decisions of the loop, without a network.

import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Metadata, status } from "@grpc/grpc-js";
import { type Failure, type Refused, fromStatus } from "../src/failure.js";
import {
  Closing_Reason,
  GapSchema,
  StartPreset,
  SubscribeRequestSchema,
  SubscribeResponseSchema,
  UnavailablePolicy,
} from "../src/index.js";
import { Machine } from "../src/machine.js";
import { closing, events, opened, trailers } from "./server.js";

function machine(renewable = false): Machine {
  const start = { case: "preset", value: StartPreset.EARLIEST } as const;
  return new Machine(create(SubscribeRequestSchema, { start }), undefined, renewable);
}

function refused(code: status, reason?: string, retryAfterMs?: number): Refused {
  return { kind: "refused", code, message: "why", reason, retryAfterMs, metadata: {} };
}

const broken: Failure = { kind: "broken", what: "reset" };
const retry = (delayMs: number) => ({ kind: "retry", delayMs });

test("exactly UNAVAILABLE and our own exhaustion are retried", () => {
  for (const code of Array.from({ length: 16 }, (_, place): status => place + 1)) {
    for (const reason of [undefined, "SUBSCRIBER_QUOTA"]) {
      const retried = machine().ended(refused(code, reason), 0.5).kind === "retry";
      const ours = code === status.RESOURCE_EXHAUSTED && reason !== undefined;
      assert.equal(retried, code === status.UNAVAILABLE || ours, `${status[code]} ${reason}`);
    }
  }
  const expired = refused(status.UNAUTHENTICATED, "CREDENTIALS_EXPIRED");
  assert.equal(machine(true).ended(expired, 0.5).kind, "retry");
  assert.equal(machine(false).ended(expired, 0.5).kind, "stop");
});

test("delays double up to the cap and begin anew after progress", () => {
  const reader = machine();
  const delays = Array.from({ length: 9 }, () => reader.ended(broken, 1));
  const wanted = [100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000];
  assert.deepEqual(delays, wanted.map(retry));
  reader.request();
  reader.accept(opened("e", 0n));
  assert.deepEqual(reader.ended(broken, 1), retry(10_000));
  reader.request();
  reader.accept(opened("e", 0n));
  reader.accept(events(1, 1));
  assert.deepEqual(reader.ended(broken, 1), retry(100));
});

test("the server sets a delay within bounds", () => {
  const asked = (ms: number) => refused(status.UNAVAILABLE, "X", ms);
  let reader = machine();
  assert.deepEqual(reader.ended(asked(1_500), 0.5), retry(1_500));
  for (let times = 0; times < 8; times++) reader.ended(asked(0), 0.5);
  assert.deepEqual(reader.ended(asked(0), 0.5), retry(5_000));
  assert.deepEqual(machine().ended(asked(1e12), 0.5), retry(120_000));
  reader = machine();
  reader.request();
  reader.accept(opened("e", 0n));
  const drain = closing(0n, Closing_Reason.DRAINING);
  assert.ok(drain.notice.case === "closing");
  drain.notice.value.retryDelay = durationFromMs(700);
  reader.accept(drain);
  assert.deepEqual(reader.ended(refused(status.UNAVAILABLE, "X"), 0.5), retry(700));
});

test("silence is two and a half heartbeats of what the server named", () => {
  const reader = machine();
  assert.equal(reader.silenceLimitMs, 25_000);
  for (const [named, limit] of [
    [4_000, 10_000],
    [0, 2_500],
    [1e9, 150_000],
  ] as const) {
    reader.request();
    reader.accept(opened("e", 0n, named));
    assert.equal(reader.silenceLimitMs, limit);
  }
});

test("OK is the end only when it was announced", () => {
  const reader = machine();
  reader.request();
  reader.accept(opened("e", 0n));
  assert.equal(reader.ended({ kind: "ended" }, 0.5).kind, "retry");
  reader.request();
  reader.accept(opened("e", 0n));
  reader.accept(closing(0n));
  assert.equal(reader.ended({ kind: "ended" }, 0.5).kind, "finished");
});

test("a start at latest is pinned by the first response", () => {
  const start = { case: "preset", value: StartPreset.LATEST } as const;
  const reader = new Machine(create(SubscribeRequestSchema, { start }), undefined, false);
  assert.equal(reader.request().start.case, "preset");
  assert.equal(reader.accept(opened("e", 41n)), true);
  const asked = reader.request().start;
  assert.ok(asked.case === "after" && asked.value.sequence === 41n && asked.value.epoch === "e");
});

test("a choice holds until the gap was told", () => {
  const reader = machine();
  const asked = () => {
    const { start, unavailablePolicy } = reader.request();
    const { epoch, sequence } = start.case === "after" ? start.value : { epoch: "", sequence: 0n };
    return { epoch, sequence, unavailablePolicy };
  };
  reader.request();
  reader.accept(opened("old", 0n));
  reader.accept(events(1, 9));
  const gap = { kind: "unavailable", reason: "EPOCH_CHANGED", message: "", metadata: {} } as const;
  reader.resolveGap(gap, "earliest", 0.5);
  reader.request();
  // Neither the start nor a goodbye says what was lost: both may be all that comes.
  assert.equal(reader.accept(opened("new", 4n)), false);
  assert.equal(reader.accept(closing(4n, Closing_Reason.DRAINING)), false);
  reader.ended(broken, 0.5);
  const again = UnavailablePolicy.RESUME_AT_EARLIEST;
  assert.deepEqual(asked(), { epoch: "old", sequence: 9n, unavailablePolicy: again });
  reader.accept(opened("new", 4n));
  const told = { case: "gap", value: create(GapSchema) } as const;
  assert.equal(reader.accept(create(SubscribeResponseSchema, { throughSequence: 4n, notice: told })), true);
  const strict = UnavailablePolicy.FAIL;
  assert.deepEqual(asked(), { epoch: "new", sequence: 4n, unavailablePolicy: strict });
});

test("a status is read by code and details", () => {
  const read = (code: status, metadata = new Metadata(), details = "why") =>
    fromStatus({ code, details, metadata });
  const gone = trailers({ reason: "EPOCH_CHANGED" });
  assert.equal(read(status.FAILED_PRECONDITION, gone).kind, "unavailable");
  const foreign = read(
    status.FAILED_PRECONDITION,
    trailers({ reason: "EPOCH_CHANGED", domain: "example" }),
  );
  assert.deepEqual(foreign, refused(status.FAILED_PRECONDITION));
  const reset = "Received RST_STREAM with code 2 (Internal server error)";
  assert.equal(read(status.INTERNAL, undefined, reset).kind, "broken");
  assert.equal(read(status.UNKNOWN).kind, "broken");
  assert.equal(read(status.UNKNOWN, trailers({ reason: "A_BUG" })).kind, "refused");
  const damaged = new Metadata();
  damaged.set("grpc-status-details-bin", Buffer.from([0xff, 0xff]));
  assert.equal(read(status.INTERNAL, damaged).kind, "refused");
});

/** A small generator of numbers, so that a seed repeats a run. */
function chances(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

test("every event comes once whatever breaks", () => {
  for (let seed = 0; seed < 500; seed++) survive(chances(seed), `seed ${seed}`);
});

/** A server that keeps the contract and fails at will. */
function survive(chance: () => number, seed: string): void {
  const reader = machine();
  let [epoch, delivered, live] = [0, 0, false];
  // A server that was told what to do about a gap does not ask, and its next response moves the reader.
  let chosen = false;
  for (let steps = 1 + chance() * 60; steps > 0; steps--) {
    if (!live) {
      const { start } = reader.request();
      const here = start.case === "after" && start.value.epoch === `${epoch}`;
      assert.equal(here ? Number(start.value.sequence) : 0, delivered, seed);
      reader.accept(opened(`${epoch}`, BigInt(delivered)));
      live = true;
    }
    const act = Math.floor(chance() * 9);
    if (act < 4) {
      const last = delivered + 1 + Math.floor(chance() * 20);
      reader.accept(events(delivered + 1, last));
      delivered = last;
      chosen = false;
      continue;
    }
    if (act === 4) {
      const throughSequence = BigInt(delivered);
      assert.equal(reader.accept(create(SubscribeResponseSchema, { throughSequence })), chosen, seed);
      chosen = false;
      continue;
    }
    let decision;
    if (act === 5 && chosen) {
      [epoch, delivered] = [epoch + 1, 0];
      decision = reader.ended(broken, chance());
    } else if (act === 5) {
      chosen = true;
      const gap = { kind: "unavailable", reason: "EPOCH_CHANGED", message: "", metadata: {} } as const;
      assert.deepEqual(reader.ended(gap, 0.5), { kind: "ask", gap });
      [epoch, delivered] = [epoch + 1, 0];
      decision = reader.resolveGap(gap, chance() < 0.5 ? "earliest" : "latest", chance());
    } else {
      const failures: Failure[] = [broken, { kind: "ended" }, refused(status.UNAVAILABLE, "X")];
      decision = reader.ended(failures[act - 6] ?? broken, chance());
    }
    assert.ok(decision.kind === "retry" && decision.delayMs <= 10_000, seed);
    live = false;
  }
}
