// What a wallboard shows, folded from facts. Pure: times come in as milliseconds of Unix time.

/** How an agent stands, in the words of the events. */
export type Availability =
  | "offline"
  | "away"
  | "available"
  | "busy"
  | "after_contact_work"
  | "not_responding"
  | "unknown";

/** One thing that an event or the subscription tells. */
export type Fact =
  | { kind: "agent"; agent: string; feed: string; availability: Availability }
  | { kind: "conversation"; conversation: Conversation }
  /** Events may be missing: of the platform, or of the journal. */
  | { kind: "gap"; id: string; why: string; at: number }
  | { kind: "filled"; id: string }
  | { kind: "session"; session: string; connected: boolean; why: string; at: number }
  /** Nothing that was known holds any more. */
  | { kind: "reset" };

/** A conversation as it stands. */
export interface Conversation {
  readonly id: string;
  readonly queue: string;
  readonly phase: "waiting" | "handled" | "ended" | "other";
  /** When it came to the queue, as far as that is told. */
  readonly queuedAt: number | undefined;
  /** When it left the queue, to an agent or for good. */
  readonly leftQueueAt: number | undefined;
  readonly at: number;
}

export interface QueueRow {
  readonly id: string;
  readonly name: string;
  readonly waiting: number;
  /** Since when the one that waits longest waits. */
  readonly waitingSince: number | null;
  readonly handled: number;
  readonly answered: number;
  readonly abandoned: number;
  /** Share answered within the target of those that were answered or gave up; null before the first. */
  readonly serviceLevel: number | null;
}

export interface Banner {
  readonly kind: "silent" | "away" | "gap" | "behind";
  readonly text: string;
  readonly since: number;
}

export interface View {
  readonly now: number;
  readonly targetSeconds: number;
  readonly windowMinutes: number;
  readonly queues: readonly QueueRow[];
  readonly agents: Readonly<Record<Availability, number>>;
  readonly banners: readonly Banner[];
}

/** How the tie to the sidecar is. */
export interface Link {
  readonly silentSince: number | undefined;
  readonly lag: number;
}

const WEIGHT: readonly Availability[] = [
  "busy",
  "not_responding",
  "after_contact_work",
  "offline",
  "away",
  "available",
  "unknown",
];
/** So many events behind is worth a word. */
const BEHIND = 1000;
/** Most that is kept of outcomes and of conversations: what would grow, forgets its oldest. */
const MOST = 100_000;

interface Outcome {
  readonly queue: string;
  readonly at: number;
  readonly waitedMs: number;
  readonly answered: boolean;
}

export interface BoardOptions {
  /** Answered within so long is within the service level. */
  readonly targetMs: number;
  /** The service level is that of the last so long. */
  readonly windowMs: number;
  readonly names: { readonly queues: Readonly<Record<string, string>> };
}

export class Board {
  readonly #options: BoardOptions;
  #agents = new Map<string, Map<string, Availability>>();
  #open = new Map<string, Conversation>();
  /** Conversations whose wait has its outcome. */
  #settled = new Set<string>();
  #outcomes: Outcome[] = [];
  #queues = new Set<string>();
  #gaps = new Map<string, { why: string; at: number }>();
  #away = new Map<string, { why: string; at: number }>();

  constructor(options: BoardOptions) {
    this.#options = options;
    for (const queue of Object.keys(options.names.queues)) this.#queues.add(queue);
  }

  take(fact: Fact): void {
    switch (fact.kind) {
      case "agent":
        this.#agent(fact.agent, fact.feed, fact.availability);
        break;
      case "conversation":
        this.#conversation(fact.conversation);
        break;
      case "gap":
        this.#gaps.set(fact.id, { why: fact.why, at: fact.at });
        break;
      case "filled":
        this.#gaps.delete(fact.id);
        break;
      case "session":
        if (fact.connected) this.#away.delete(fact.session);
        else if (!this.#away.has(fact.session)) this.#away.set(fact.session, { why: fact.why, at: fact.at });
        break;
      case "reset":
        this.#agents.clear();
        this.#open.clear();
        this.#settled.clear();
        this.#outcomes = [];
        this.#away.clear();
        break;
    }
  }

  view(now: number, link: Link): View {
    const { targetMs, windowMs, names } = this.#options;
    this.#forget(now - windowMs);
    const name = (id: string) => names.queues[id] ?? id.slice(0, 8);
    const queues = [...this.#queues]
      .map((id) => this.#queue(id, name(id)))
      .sort((a, b) => a.name.localeCompare(b.name));
    return {
      now,
      targetSeconds: targetMs / 1000,
      windowMinutes: windowMs / 60_000,
      queues,
      agents: this.#byAvailability(),
      banners: this.#banners(link),
    };
  }

  #agent(agent: string, feed: string, availability: Availability): void {
    const feeds = this.#agents.get(agent) ?? new Map<string, Availability>();
    this.#agents.set(agent, feeds.set(feed, availability));
  }

  #conversation(conversation: Conversation): void {
    const { id, queue, phase } = conversation;
    if (queue !== "") this.#queues.add(queue);
    if (phase === "handled" || phase === "ended") this.#settle(conversation, phase === "handled");
    if (phase === "ended") this.#open.delete(id);
    else this.#open.set(id, conversation);
    bound(this.#open);
  }

  /** The wait is over: once for each conversation, whatever is told of it later. */
  #settle({ id, queue, queuedAt, leftQueueAt, at }: Conversation, answered: boolean): void {
    if (this.#settled.has(id) || queuedAt === undefined || queue === "") return;
    this.#settled.add(id);
    bound(this.#settled);
    const left = leftQueueAt ?? at;
    this.#outcomes.push({ queue, at: left, waitedMs: Math.max(0, left - queuedAt), answered });
    if (this.#outcomes.length > MOST) this.#outcomes.shift();
  }

  #forget(before: number): void {
    this.#outcomes = this.#outcomes.filter((outcome) => outcome.at >= before);
    // A gap is told as long as it may lie in what is shown.
    for (const [id, gap] of this.#gaps) if (gap.at < before) this.#gaps.delete(id);
  }

  #queue(id: string, name: string): QueueRow {
    const here = [...this.#open.values()].filter((conversation) => conversation.queue === id);
    const waiting = here.filter(({ phase }) => phase === "waiting");
    const outcomes = this.#outcomes.filter(({ queue }) => queue === id);
    const answered = outcomes.filter((outcome) => outcome.answered);
    const within = answered.filter(({ waitedMs }) => waitedMs <= this.#options.targetMs);
    return {
      id,
      name,
      waiting: waiting.length,
      waitingSince: waiting.length ? Math.min(...waiting.map(({ queuedAt, at }) => queuedAt ?? at)) : null,
      handled: here.filter(({ phase }) => phase === "handled").length,
      answered: answered.length,
      abandoned: outcomes.length - answered.length,
      serviceLevel: outcomes.length ? within.length / outcomes.length : null,
    };
  }

  #byAvailability(): Record<Availability, number> {
    const counts = Object.fromEntries(WEIGHT.map((word) => [word, 0])) as Record<Availability, number>;
    for (const feeds of this.#agents.values()) {
      // Work at hand counts most, then whether they are there at all.
      const said = [...feeds.values()].sort((a, b) => WEIGHT.indexOf(a) - WEIGHT.indexOf(b));
      counts[said[0] ?? "unknown"] += 1;
    }
    return counts;
  }

  #banners(link: Link): Banner[] {
    const banners: Banner[] = [];
    if (link.silentSince !== undefined) {
      const text = "Nothing is heard from Tieline: what stands here is old";
      banners.push({ kind: "silent", text, since: link.silentSince });
    }
    for (const [session, { why, at }] of this.#away) {
      const text = `The contact centre is away (${session}${why && `, ${why}`}): what stands here is old`;
      banners.push({ kind: "away", text, since: at });
    }
    if (this.#gaps.size > 0) {
      const all = [...this.#gaps.values()];
      const whys = [...new Set(all.map(({ why }) => why))].join("; ");
      const since = Math.min(...all.map(({ at }) => at));
      banners.push({ kind: "gap", text: `Events may be missing from these figures: ${whys}`, since });
    }
    if (link.lag > BEHIND) {
      banners.push({ kind: "behind", text: `Catching up: ${link.lag} events behind`, since: 0 });
    }
    return banners;
  }
}

/** Forgets the oldest of what has grown too large. */
function bound(kept: Map<string, unknown> | Set<string>): void {
  if (kept.size <= MOST) return;
  const [oldest] = kept.keys();
  if (oldest !== undefined) kept.delete(oldest);
}
