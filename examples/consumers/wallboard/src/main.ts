// A wallboard: reads the last hours of a journal, follows it, and serves what it makes of that.
//
// It stores no position: what it shows is folded anew from the journal at each start, which is as quick
// as reading it.

import { readFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { parseArgs } from "node:util";
import { create } from "@bufbuild/protobuf";
import { EventFilterSchema, SubscribeRequestSchema, subscribe } from "tieline";
import { Board } from "./board.js";
import { factsOf } from "./facts.js";
import { HEARTBEAT_MS, Listening } from "./link.js";
import { serve } from "./server.js";

const TYPES = ["ccaas.agent.state_changed.v1", "ccaas.conversation.updated.v1"];
/** How far back it reads at its start: longer than any shift. */
const HOURS = 12;
const WINDOW_MS = 30 * 60_000;

const { values: asked } = parseArgs({
  options: {
    target: { type: "string", default: "unix:/run/tieline/tieline.sock" },
    ca: { type: "string" },
    "token-file": { type: "string" },
    journal: { type: "string", default: "journals/default" },
    listen: { type: "string", default: "127.0.0.1:8090" },
    names: { type: "string" },
    "target-seconds": { type: "string", default: "20" },
  },
});

const [, host, port] = /^(.+):(\d{1,5})$/.exec(asked.listen) ?? fail(`--listen ${asked.listen}: write it as host:port`);
const seconds = Number(asked["target-seconds"]);
if (!(seconds > 0)) fail(`--target-seconds ${asked["target-seconds"]}: a number above 0, such as 20`);

const board = new Board({ targetMs: seconds * 1000, windowMs: WINDOW_MS, names: await names(asked.names) });
const listening = new Listening(Date.now());
const ending = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => ending.abort());

const view = () => board.view(Date.now(), listening.link(Date.now()));
const server = await serve(host as string, Number(port), view, ending.signal);
if (server.listening) console.log(`wallboard  http://${host}:${(server.address() as AddressInfo).port}/`);

const batches = subscribe({
  target: asked.target,
  tls: asked.ca === undefined ? undefined : { caFile: asked.ca },
  tokenFile: asked["token-file"],
  journal: asked.journal,
  filter: create(EventFilterSchema, { types: TYPES }),
  request: create(SubscribeRequestSchema, {
    clientId: "wallboard",
    heartbeatInterval: { seconds: BigInt(HEARTBEAT_MS / 1000), nanos: 0 },
  }),
  start: new Date(Date.now() - HOURS * 3_600_000),
  // It shows that something is missing, and goes on with what there is.
  onGap: () => "earliest",
  onInterrupted: ({ cause, retryAfterMs }) => {
    console.error(`interrupted: ${cause}; trying again in ${(retryAfterMs / 1000).toFixed(1)} s`);
    listening.interrupted(Date.now(), retryAfterMs);
  },
  signal: ending.signal,
});
try {
  for await (const batch of batches) {
    for (const fact of factsOf(batch, Date.now())) board.take(fact);
    listening.heard(batch.lag);
  }
} finally {
  ending.abort();
}

/** Names of queues by id, which events do not carry: `{"queues": {"id": "Support"}}`. */
async function names(file: string | undefined): Promise<{ queues: Record<string, string> }> {
  if (file === undefined) return { queues: {} };
  const read: unknown = JSON.parse(await readFile(file, "utf8"));
  const queues = (read as { queues?: unknown } | null)?.queues;
  const good = typeof queues === "object" && queues !== null && Object.values(queues).every((name) => typeof name === "string");
  return good ? { queues: queues as Record<string, string> } : fail(`--names ${file}: write {"queues": {"id": "name"}}`);
}

function fail(problem: string): never {
  console.error(problem);
  process.exit(2);
}
