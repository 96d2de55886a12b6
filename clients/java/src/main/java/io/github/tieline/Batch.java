package io.github.tieline;

import io.github.tieline.v1.Event;
import io.github.tieline.v1.Gap;
import java.util.List;
import java.util.Optional;

/**
 * What a handler gets.
 *
 * @param events in sequence order. Maybe none: then only the position moved on, or one of the facts
 *     below is told.
 * @param position what to store with the effect of these events
 * @param latestSequence the end of the journal; less the position's sequence, it is the lag
 * @param gap a run of events that will not come, and why. There are no events beside it.
 * @param caughtUp from here on events are delivered as they happen
 */
public record Batch(
    List<Event> events,
    Position position,
    long latestSequence,
    Optional<Gap> gap,
    boolean caughtUp) {
  /** Does the work. */
  @FunctionalInterface
  public interface Handler {
    /**
     * The position of the batch counts as done once this returns. An exception ends the
     * subscription, and the batch comes again with the next.
     */
    void handle(Batch batch) throws Exception;
  }
}
