// What the board makes of facts: waits, service levels, agents, banners.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Board, type Conversation, type View } from "../src/board.js";
import { HEARTBEAT_MS, Listening } from "../src/link.js";

const NOW = 1_773_135_667_000;
const LIVE = { silentSince: undefined, lag: 0 };

function board(): Board {
  return new Board({ targetMs: 20_000, windowMs: 1_800_000, names: { queues: { q1: "Support" } } });
}

function conversation(id: string, phase: Conversation["phase"], more: Partial<Conversation> = {}) {
  const queuedAt = NOW - 60_000;
  const base = { id, queue: "q1", phase, queuedAt, leftQueueAt: undefined, at: NOW };
  return { kind: "conversation", conversation: { ...base, ...more } } as const;
}

function support(view: View) {
  const found = view.queues.find(({ name }) => name === "Support");
  assert.ok(found);
  return found;
}

test("who waits is counted, and who waits longest is named", () => {
  const it = board();
  it.take(conversation("a", "waiting", { queuedAt: NOW - 30_000 }));
  it.take(conversation("b", "waiting", { queuedAt: NOW - 90_000 }));
  it.take(conversation("c", "handled", { leftQueueAt: NOW - 50_000 }));
  const row = support(it.view(NOW, LIVE));
  assert.deepEqual([row.waiting, row.waitingSince, row.handled], [2, NOW - 90_000, 1]);
  it.take(conversation("b", "ended", { queuedAt: NOW - 90_000, leftQueueAt: NOW }));
  assert.equal(support(it.view(NOW, LIVE)).waitingSince, NOW - 30_000);
});

test("the service level counts who was answered in time against all who stopped waiting", () => {
  const it = board();
  it.take(conversation("fast", "handled", { leftQueueAt: NOW - 45_000 })); // 15 s
  it.take(conversation("slow", "handled", { leftQueueAt: NOW - 10_000 })); // 50 s
  it.take(conversation("gone", "ended", { leftQueueAt: NOW - 40_000 }));
  it.take(conversation("still", "waiting"));
  const row = support(it.view(NOW, LIVE));
  assert.deepEqual([row.answered, row.abandoned, row.serviceLevel], [2, 1, 1 / 3]);
});

test("a conversation counts once, however often it is told, and as answered also when it has ended", () => {
  const it = board();
  for (const phase of ["handled", "handled", "ended", "ended"] as const) {
    it.take(conversation("a", phase, { leftQueueAt: NOW - 50_000 }));
  }
  const row = support(it.view(NOW, LIVE));
  assert.deepEqual([row.answered, row.abandoned, row.handled], [1, 0, 0]);
});

test("what is older than the window is forgotten, and without outcomes there is no level", () => {
  const it = board();
  it.take(conversation("a", "handled", { leftQueueAt: NOW - 50_000 }));
  assert.equal(support(it.view(NOW, LIVE)).serviceLevel, 1);
  assert.equal(support(it.view(NOW + 1_800_000, LIVE)).serviceLevel, null);
});

test("a queue without a name is shown by the beginning of its id", () => {
  const it = board();
  it.take(conversation("a", "waiting", { queue: "0123456789" }));
  assert.deepEqual(it.view(NOW, LIVE).queues.map(({ name }) => name).sort(), ["01234567", "Support"]);
});

test("of what feeds say of an agent, work at hand counts most, then whether they are there", () => {
  const it = board();
  const tell = (feed: string, availability: "away" | "busy" | "available" | "offline") =>
    it.take({ kind: "agent", agent: "ada", feed, availability });
  tell("presence", "away");
  assert.equal(it.view(NOW, LIVE).agents.away, 1);
  tell("routingStatus", "busy");
  assert.deepEqual([it.view(NOW, LIVE).agents.away, it.view(NOW, LIVE).agents.busy], [0, 1]);
  tell("routingStatus", "available");
  assert.equal(it.view(NOW, LIVE).agents.away, 1);
});

test("a gap is told until it is filled, or has left the window", () => {
  const it = board();
  const kinds = (now: number) => it.view(now, LIVE).banners.map(({ kind }) => kind);
  it.take({ kind: "gap", id: "e/1", why: "x", at: NOW });
  it.take({ kind: "gap", id: "e/2", why: "x", at: NOW });
  it.take({ kind: "filled", id: "e/1" });
  assert.deepEqual(kinds(NOW), ["gap"]);
  it.take({ kind: "filled", id: "e/2" });
  assert.deepEqual(kinds(NOW), []);
  it.take({ kind: "gap", id: "e/3", why: "x", at: NOW });
  assert.deepEqual(kinds(NOW + 1_800_001), []);
});

test("while a session is away that is told, from the beginning of it", () => {
  const it = board();
  it.take({ kind: "session", session: "a", connected: false, why: "RESET", at: NOW });
  it.take({ kind: "session", session: "a", connected: false, why: "RESET", at: NOW + 5 });
  const [banner] = it.view(NOW + 9, LIVE).banners;
  assert.deepEqual([banner?.kind, banner?.since], ["away", NOW]);
  it.take({ kind: "session", session: "a", connected: true, why: "", at: NOW + 10 });
  assert.deepEqual(it.view(NOW + 11, LIVE).banners, []);
});

test("of another journal nothing holds", () => {
  const it = board();
  it.take(conversation("a", "waiting"));
  it.take({ kind: "agent", agent: "ada", feed: "presence", availability: "away" });
  it.take({ kind: "reset" });
  const view = it.view(NOW, LIVE);
  assert.deepEqual([support(view).waiting, view.agents.away], [0, 0]);
});

test("silence is told from the interruption on, until something comes", () => {
  const it = new Listening(NOW);
  assert.equal(it.link(NOW + 10).silentSince, NOW);
  it.heard(0);
  assert.equal(it.link(NOW + 20).silentSince, undefined);
  it.interrupted(NOW + 30, 100);
  it.interrupted(NOW + 200, 5000);
  assert.equal(it.link(NOW + 5200).silentSince, NOW + 30);
  it.heard(3);
  assert.deepEqual(it.link(NOW + 5300), { silentSince: undefined, lag: 3 });
});

test("a connection of which no end was told for longer than it may be silent has its heartbeats", () => {
  const it = new Listening(NOW);
  it.interrupted(NOW, 1000);
  assert.equal(it.link(NOW + 1000 + 2.5 * HEARTBEAT_MS).silentSince, NOW);
  assert.equal(it.link(NOW + 1000 + 4 * HEARTBEAT_MS).silentSince, undefined);
});
