package io.github.tieline;

/** What to do when a position cannot be served any more. */
public enum GapChoice {
  /** End with {@link SubscriptionException.PositionLost}. */
  STOP,
  /** Go on with the earliest event there is, after a batch with the gap. */
  EARLIEST,
  /** Go on with events recorded from now on, after a batch with the gap. */
  LATEST
}
