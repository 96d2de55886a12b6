// A `process` span for each batch, linked to the spans that its events were created in. Nothing where
// OpenTelemetry's API is not installed.

import type * as otel from "@opentelemetry/api";
import type { Event } from "./gen/tieline/v1/event_pb.js";

/** What a span takes by default. */
const MOST_LINKS = 128;
const PARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

let api: Promise<typeof otel | undefined> | undefined;

/**
 * Begins the span of a batch, to be ended by the caller. One `Subscribe` spans thousands of traces, so they
 * are linked to rather than continued; a batch of which nothing is traced has no span.
 */
export async function processing(
  journal: string,
  events: readonly Event[],
): Promise<otel.Span | undefined> {
  const [first, last] = [events[0], events.at(-1)];
  const traced = events.filter((event) => event.traceParent !== "");
  if (traced.length === 0 || first === undefined || last === undefined) return undefined;
  api ??= import("@opentelemetry/api").catch(() => undefined);
  const loaded = await api;
  if (loaded === undefined) return undefined;
  return loaded.trace.getTracer("tieline").startSpan(`process ${journal}`, {
    kind: loaded.SpanKind.CONSUMER,
    links: traced.slice(0, MOST_LINKS).flatMap(link),
    attributes: {
      "messaging.system": "tieline",
      "messaging.operation.name": "process",
      "messaging.operation.type": "process",
      "messaging.destination.name": journal,
      "messaging.batch.message_count": events.length,
      "tieline.first_sequence": Number(first.sequence),
      "tieline.last_sequence": Number(last.sequence),
    },
  });
}

function link(event: Event): otel.Link[] {
  const [, traceId, spanId, flags] = PARENT.exec(event.traceParent) ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return [];
  const traceFlags = Number.parseInt(flags, 16);
  return [{ context: { traceId, spanId, traceFlags, isRemote: true } }];
}
