// From events of the journal to the facts of the board. Pure.

import {
  AgentStateEvent_Availability as State,
  type Batch,
  type ConversationEvent,
  type Event,
  Gap_Cause as Cause,
  Participant_Role as Role,
  Phase,
  type SessionEvent,
  SessionEvent_Kind as Kind,
} from "tieline";
import type { Availability, Conversation, Fact } from "./board.js";

const AVAILABILITIES: Readonly<Record<number, Availability>> = {
  [State.OFFLINE]: "offline",
  [State.AWAY]: "away",
  [State.AVAILABLE]: "available",
  [State.BUSY]: "busy",
  [State.AFTER_CONTACT_WORK]: "after_contact_work",
  [State.NOT_RESPONDING]: "not_responding",
};
const PHASES: Readonly<Record<number, Conversation["phase"]>> = {
  [Phase.QUEUED]: "waiting",
  [Phase.ALERTING]: "waiting",
  [Phase.CONNECTED]: "handled",
  [Phase.HELD]: "handled",
  [Phase.WRAP_UP]: "handled",
  [Phase.ENDED]: "ended",
};

/** What a batch tells, in its order. */
export function* factsOf(batch: Pick<Batch, "events" | "gap" | "position">, now: number): Generator<Fact> {
  const { gap, position } = batch;
  if (gap) {
    // Of another journal nothing holds; of the same one, what stood before the gap does.
    if (gap.cause === Cause.EPOCH_CHANGED) yield { kind: "reset" };
    const why = gap.cause === Cause.EPOCH_CHANGED ? "the journal is another one" : "a part of the journal is gone";
    yield { kind: "gap", id: `${position.epoch}/${position.sequence}`, why, at: now };
  }
  for (const event of batch.events) yield* factsOfEvent(position.epoch, event);
}

function* factsOfEvent(epoch: string, event: Event): Generator<Fact> {
  const at = millis(event.recordTime) ?? 0;
  const { data } = event;
  if (data.case === "agentStateEvent") {
    const { agentId, availability } = data.value;
    yield {
      kind: "agent",
      agent: agentId,
      // Platforms tell presence and routing status apart.
      feed: event.providerType.slice(event.providerType.lastIndexOf(".") + 1),
      availability: AVAILABILITIES[availability] ?? "unknown",
    };
  } else if (data.case === "conversationEvent") {
    yield { kind: "conversation", conversation: conversation(data.value, at) };
  } else if (data.case === "sessionEvent") {
    yield* session(epoch, event, data.value, at);
  }
}

function conversation(told: ConversationEvent, at: number): Conversation {
  const queues = told.participants.filter(({ role }) => role === Role.QUEUE);
  const queue = queues[queues.length - 1];
  return {
    id: told.conversationId,
    queue: told.queueId,
    phase: PHASES[told.phase] ?? "other",
    queuedAt: millis(queue?.startTime),
    leftQueueAt: millis(queue?.endTime),
    at,
  };
}

function* session(epoch: string, event: Event, told: SessionEvent, at: number): Generator<Fact> {
  const name = told.session.replace(/^sessions\//, "");
  switch (told.kind) {
    case Kind.CONNECTED:
      yield { kind: "session", session: name, connected: true, why: "", at };
      break;
    case Kind.DISCONNECTED:
    case Kind.SUSPENDED:
      yield { kind: "session", session: name, connected: false, why: told.reason, at };
      break;
    case Kind.GAP_SUSPECTED: {
      const why = `${name} may have missed some`;
      yield { kind: "gap", id: `${epoch}/${event.sequence}`, why, at: millis(told.startTime) ?? at };
      break;
    }
    case Kind.GAP_CLOSED:
      yield { kind: "filled", id: `${epoch}/${told.gapSequence}` };
      break;
    default:
  }
}

function millis(time: { seconds: bigint; nanos: number } | undefined): number | undefined {
  return time && Number(time.seconds) * 1000 + Math.floor(time.nanos / 1e6);
}
