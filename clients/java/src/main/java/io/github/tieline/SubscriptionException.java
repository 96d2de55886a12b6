package io.github.tieline;

import io.grpc.Status;
import java.util.Map;

/** Why a subscription cannot go on. */
public class SubscriptionException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  SubscriptionException(String message, Throwable cause) {
    super(message, cause);
  }

  /** A position cannot be served in full, and the choice was to stop: events are gone. */
  public static final class PositionLost extends SubscriptionException {
    private static final long serialVersionUID = 1L;
    private final String reason;
    private final Map<String, String> metadata;

    PositionLost(String reason, String message, Map<String, String> metadata) {
      super(reason + ": " + message, null);
      this.reason = reason;
      this.metadata = Map.copyOf(metadata);
    }

    /** {@code POSITION_TRIMMED}, {@code EPOCH_CHANGED} or {@code JOURNAL_CORRUPTED}. */
    public String reason() {
      return reason;
    }

    /** The numbers: {@code requested_sequence}, {@code earliest_sequence} and the like. */
    public Map<String, String> metadata() {
      return metadata;
    }
  }

  /** A status that repeating the request will not change. */
  public static final class Refused extends SubscriptionException {
    private static final long serialVersionUID = 1L;
    private final Status.Code code;
    private final String reason;
    private final Map<String, String> metadata;

    Refused(Status.Code code, String reason, String message, Map<String, String> metadata) {
      super((reason.isEmpty() ? code : reason) + ": " + message, null);
      this.code = code;
      this.reason = reason;
      this.metadata = Map.copyOf(metadata);
    }

    /** The status code. */
    public Status.Code code() {
      return code;
    }

    /** That of Tieline's ErrorInfo; empty where the error is another's. */
    public String reason() {
      return reason;
    }

    /** Every variable of the message. */
    public Map<String, String> metadata() {
      return metadata;
    }
  }

  /** The server broke the contract: a bug, or something else that answers there. */
  public static final class Violation extends SubscriptionException {
    private static final long serialVersionUID = 1L;

    Violation(String what) {
      super("the server broke the contract: " + what, null);
    }
  }
}
