package io.github.tieline;

import io.github.tieline.v1.Event;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.SpanContext;
import io.opentelemetry.api.trace.SpanKind;
import io.opentelemetry.api.trace.Tracer;
import io.opentelemetry.api.trace.propagation.W3CTraceContextPropagator;
import io.opentelemetry.context.Context;
import io.opentelemetry.context.propagation.TextMapGetter;

/**
 * Joins what a consumer does with an event to the trace in which it was created. Needs
 * opentelemetry-api, which this library names as optional.
 */
public final class Traces {
  private Traces() {}

  /**
   * Begins a span {@code process journals/NAME} for an event. It links to the event's trace and does
   * not continue it, because one subscription spans thousands of traces. End the span when the event
   * is done with.
   */
  public static Span process(Tracer tracer, String journal, Event event) {
    var span =
        tracer
            .spanBuilder("process " + journal)
            .setSpanKind(SpanKind.CONSUMER)
            .setAttribute("messaging.system", "tieline")
            .setAttribute("messaging.operation.name", "process")
            .setAttribute("messaging.operation.type", "process")
            .setAttribute("messaging.destination.name", journal)
            .setAttribute("messaging.message.id", event.getId())
            .setAttribute("cloudevents.event_type", event.getType())
            .setAttribute("tieline.sequence", event.getSequence());
    TextMapGetter<Event> carrier =
        (from, key) -> key.equals("traceparent") ? from.getTraceParent() : from.getTraceState();
    Context remote =
        W3CTraceContextPropagator.getInstance().extract(Context.root(), event, carrier);
    SpanContext created = Span.fromContext(remote).getSpanContext();
    return (created.isValid() ? span.addLink(created) : span).startSpan();
  }
}
