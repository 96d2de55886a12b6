package io.github.tieline;

import io.github.tieline.v1.Closing;
import io.github.tieline.v1.Event;
import io.github.tieline.v1.Opened;
import io.github.tieline.v1.SubscribeRequest;
import io.github.tieline.v1.SubscribeResponse;
import io.github.tieline.v1.UnavailablePolicy;
import java.time.Duration;
import java.util.Optional;

/**
 * The decisions of the client loop: what to ask for, what to accept, what follows the end of an
 * attempt. Time passes elsewhere, and chance comes in as a number.
 */
final class Machine {
  /** The server's default, until Opened names the real one. */
  private static final Duration DEFAULT_HEARTBEAT = Duration.ofSeconds(10);

  /** Heartbeats are between these, so a wrong value neither kills nor hangs the stream. */
  private static final Duration SHORTEST_HEARTBEAT = Duration.ofSeconds(1);

  private static final Duration LONGEST_HEARTBEAT = Duration.ofSeconds(60);
  private static final long BACKOFF_BASE_MILLIS = 100;
  private static final long BACKOFF_CAP_MILLIS = 10_000;

  /** No server makes a reader wait for longer than this. */
  private static final Duration LONGEST_WAIT = Duration.ofMinutes(2);

  /** What follows the end of an attempt. */
  sealed interface Decision {
    /** Another, after a delay. */
    record Retry(Duration delay) implements Decision {}

    /** Ask the reader, then call {@link #resolveGap}. */
    record AskAboutGap(SubscriptionException.PositionLost gap) implements Decision {}

    /** The requested end was reached. */
    record Finished() implements Decision {}

    /** It cannot go on. */
    record Stop(SubscriptionException error) implements Decision {}
  }

  private final SubscribeRequest template;
  /** Whether an expired credential can be replaced: it is in files that are read again. */
  private final boolean renews;
  /** What lies behind the reader; null before the first response. */
  private Position position;
  /** Set by a gap choice, until a response between Opened and Closing came under it. */
  private UnavailablePolicy policy = UnavailablePolicy.UNAVAILABLE_POLICY_FAIL;

  private Duration heartbeat;
  private int failures;

  // Of the present attempt. The position follows what its responses reached, except that a chosen
  // skip counts only once the gap was told: were it lost on the way, it would never be.
  private Position reached;
  private Closing closing;

  Machine(SubscribeRequest template, Position position, boolean renews) {
    this.template = template;
    this.position = position;
    this.renews = renews;
    this.heartbeat =
        template.hasHeartbeatInterval()
            ? clamp(template.getHeartbeatInterval())
            : DEFAULT_HEARTBEAT;
  }

  /** What lies behind the reader; null before the first response. */
  Position position() {
    return position;
  }

  /** Attempts that failed since a response last made progress. */
  int failures() {
    return failures;
  }

  /** Whether the server announced the end of the present attempt. */
  boolean isClosing() {
    return closing != null;
  }

  /** How long silence may last before the connection counts as dead. */
  Duration silenceLimit() {
    return heartbeat.multipliedBy(5).dividedBy(2);
  }

  /** Begins an attempt. */
  SubscribeRequest request() {
    reached = null;
    closing = null;
    SubscribeRequest.Builder request = template.toBuilder().setUnavailablePolicy(policy);
    if (position != null) {
      request.setAfter(
          io.github.tieline.v1.Position.newBuilder()
              .setEpoch(position.epoch())
              .setSequence(position.sequence()));
    }
    return request.build();
  }

  /** Takes a response in, before it is handed to the reader; what breaks the contract is not. */
  void accept(SubscribeResponse response) {
    if (response.hasOpened()) {
      open(response.getOpened());
    } else if (reached == null) {
      throw violation("the first response is not 'opened'");
    } else if (response.hasClosing()) {
      closing = response.getClosing();
    }
    advance(response);
    boolean frame = response.hasOpened() || response.hasClosing();
    if (isSkipping() && frame && response.getEventsCount() == 0) {
      return;
    }
    position = reached;
    policy = UnavailablePolicy.UNAVAILABLE_POLICY_FAIL;
    if (!frame) {
      failures = 0;
    }
  }

  private void open(Opened opened) {
    if (reached != null) {
      throw violation("'opened' came a second time");
    }
    Position start = new Position(opened.getEpoch(), opened.getStart().getSequence());
    if (position != null) {
      boolean moved = !isSkipping() && !start.equals(position);
      // A resume that skips may still not go back.
      boolean back =
          start.epoch().equals(position.epoch())
              && Long.compareUnsigned(start.sequence(), position.sequence()) < 0;
      if (moved || back) {
        throw violation("asked to continue after " + position + ", it starts after " + start);
      }
    }
    if (opened.hasHeartbeatInterval()) {
      heartbeat = clamp(opened.getHeartbeatInterval());
    }
    reached = start;
  }

  /** Checks order, contiguity and bookmark. */
  private void advance(SubscribeResponse response) {
    boolean whole = !template.hasFilter() && !template.hasShard();
    long behind = reached.sequence();
    for (Event event : response.getEventsList()) {
      long sequence = event.getSequence();
      if (Long.compareUnsigned(sequence, behind) <= 0) {
        throw violation("event " + sequence + " came after " + behind);
      }
      if (whole && sequence != behind + 1) {
        throw hole(behind + 1, sequence - 1);
      }
      behind = sequence;
    }
    long through = response.getThroughSequence();
    // A bookmark before the start is true of the first response, and moves nothing back.
    if (response.hasOpened() && Long.compareUnsigned(through, behind) < 0) {
      through = behind;
    }
    if (Long.compareUnsigned(through, behind) < 0) {
      throw violation("the bookmark " + through + " is before " + behind);
    }
    if (whole && through != behind && !response.hasOpened() && !response.hasGap()) {
      throw hole(behind + 1, through);
    }
    reached = new Position(reached.epoch(), through);
  }

  /** Decides what follows the end of an attempt; chance is a random number in [0, 1). */
  Decision ended(Failure cause, double chance) {
    if (cause instanceof Failure.Lost lost) {
      // Where the server refuses what was chosen, asking again would go round in circles.
      return isSkipping() ? new Decision.Stop(lost.error()) : new Decision.AskAboutGap(lost.error());
    }
    Optional<Duration> asked = Optional.empty();
    if (closing != null && closing.hasRetryDelay()) {
      asked = Failure.duration(closing.getRetryDelay());
    }
    if (cause instanceof Failure.Refused refused) {
      if (!isRetried(refused.error())) {
        return new Decision.Stop(refused.error());
      }
      asked = refused.retryAfter().isPresent() ? refused.retryAfter() : asked;
    }
    // OK without its announcement is a stream that something between cut off cleanly.
    if (cause instanceof Failure.Ended
        && closing != null
        && closing.getReason() == Closing.Reason.REASON_END_REACHED) {
      return new Decision.Finished();
    }
    return new Decision.Retry(delay(asked, chance));
  }

  /** Continues as the reader chose. */
  Decision resolveGap(SubscriptionException.PositionLost gap, GapChoice choice, double chance) {
    switch (choice) {
      case EARLIEST -> policy = UnavailablePolicy.UNAVAILABLE_POLICY_RESUME_AT_EARLIEST;
      case LATEST -> policy = UnavailablePolicy.UNAVAILABLE_POLICY_RESUME_AT_LATEST;
      default -> {
        return new Decision.Stop(gap);
      }
    }
    // Jittered like any retry: after a restore every reader finds its epoch gone at once.
    return new Decision.Retry(delay(Optional.empty(), chance));
  }

  private boolean isSkipping() {
    return policy != UnavailablePolicy.UNAVAILABLE_POLICY_FAIL;
  }

  /**
   * UNAVAILABLE always; RESOURCE_EXHAUSTED only when it is Tieline's, because a message above the
   * client's own limit is the same tomorrow; an expired credential where it can be read again.
   */
  private boolean isRetried(SubscriptionException.Refused refused) {
    return switch (refused.code()) {
      case UNAVAILABLE -> true;
      case RESOURCE_EXHAUSTED -> !refused.reason().isEmpty();
      case UNAUTHENTICATED -> renews && refused.reason().equals("CREDENTIALS_EXPIRED");
      default -> false;
    };
  }

  /** At least what the server asked for; asked for again and again, that is not enough alone. */
  private Duration delay(Optional<Duration> asked, double chance) {
    long ceiling = Math.min(BACKOFF_BASE_MILLIS << Math.min(failures, 10), BACKOFF_CAP_MILLIS);
    Duration backoff = Duration.ofNanos((long) (chance * ceiling * 1_000_000));
    boolean first = failures++ == 0;
    Duration least = asked.map(delay -> min(delay, LONGEST_WAIT)).orElse(Duration.ZERO);
    return asked.isPresent() && first || least.compareTo(backoff) > 0 ? least : backoff;
  }

  private static Duration clamp(com.google.protobuf.Duration sent) {
    Duration named = Duration.ofSeconds(sent.getSeconds(), sent.getNanos());
    return named.compareTo(SHORTEST_HEARTBEAT) < 0
        ? SHORTEST_HEARTBEAT
        : min(named, LONGEST_HEARTBEAT);
  }

  private static Duration min(Duration a, Duration b) {
    return a.compareTo(b) < 0 ? a : b;
  }

  private static SubscriptionException.Violation hole(long first, long last) {
    return violation("events " + first + " to " + last + " are missing without a gap");
  }

  private static SubscriptionException.Violation violation(String what) {
    return new SubscriptionException.Violation(what);
  }
}
