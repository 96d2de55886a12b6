// The span around a batch.

import assert from "node:assert/strict";
import { test } from "node:test";
import { SpanKind, trace } from "@opentelemetry/api";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { Server, closing, events, opened, play } from "./server.js";

test("a batch is one span, linked to those that its events were created in", async () => {
  const exporter = new InMemorySpanExporter();
  const spanProcessors = [new SimpleSpanProcessor(exporter)];
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors }));
  const traced = events(1, 200);
  for (const event of traced.events.slice(10)) {
    const id = event.sequence.toString(16);
    event.traceParent = `00-${id.padStart(32, "0")}-${id.padStart(16, "0")}-01`;
  }
  await using server = await Server.start([
    play([opened("e", 0n), traced, events(201, 202), closing(202n)]),
  ]);
  await server.run();
  const [span, ...others] = exporter.getFinishedSpans();
  assert.equal(others.length, 0);
  assert.equal(span?.name, "process journals/default");
  assert.equal(span.kind, SpanKind.CONSUMER);
  assert.equal(span.attributes["messaging.batch.message_count"], 200);
  const wanted = Array.from({ length: 128 }, (_, place) => place + 11);
  assert.deepEqual(
    span.links.map((link) => Number.parseInt(link.context.traceId, 16)),
    wanted,
  );
});
