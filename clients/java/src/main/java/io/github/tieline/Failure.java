package io.github.tieline;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import io.grpc.Status;
import io.grpc.StatusException;
import io.grpc.protobuf.StatusProto;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** How an attempt ended, as values: read once from a status, by its code and details. */
sealed interface Failure {
  /** The domain of every error that is Tieline's own. */
  String DOMAIN = "tieline";

  /** Reasons that mean the position cannot be served. */
  Set<String> GAP_REASONS = Set.of("POSITION_TRIMMED", "EPOCH_CHANGED", "JOURNAL_CORRUPTED");

  /** The server ended the stream with OK. */
  record Ended() implements Failure {
    @Override
    public String toString() {
      return "the stream ended before its end was reached";
    }
  }

  /** There is or was no connection: refused, reset, cut off before a status. */
  record Broken(String what) implements Failure {
    @Override
    public String toString() {
      return "no connection: " + what;
    }
  }

  /** Nothing came for longer than heartbeats allow. */
  record Silent(Duration limit) implements Failure {
    @Override
    public String toString() {
      return "silent for " + limit.toMillis() + " ms";
    }
  }

  /** The server refused or ended the stream with a status. */
  record Refused(SubscriptionException.Refused error, Optional<Duration> retryAfter)
      implements Failure {
    @Override
    public String toString() {
      return error.getMessage();
    }
  }

  /** The position cannot be served in full. */
  record Lost(SubscriptionException.PositionLost error) implements Failure {
    @Override
    public String toString() {
      return error.getMessage();
    }
  }

  /** Tells whose word the end of a stream is, and what it says. */
  static Failure of(StatusException end) {
    Status status = end.getStatus();
    Throwable cause = status.getCause();
    // grpc-java says "io exception", and why in the cause.
    String message = status.getDescription() + (cause == null ? "" : " (" + cause + ")");
    String reason = "";
    Map<String, String> metadata = Map.of();
    Optional<Duration> retryAfter = Optional.empty();
    com.google.rpc.Status details = StatusProto.fromThrowable(end);
    for (Any detail : details == null ? java.util.List.<Any>of() : details.getDetailsList()) {
      try {
        if (detail.is(ErrorInfo.class)) {
          ErrorInfo info = detail.unpack(ErrorInfo.class);
          if (info.getDomain().equals(DOMAIN)) {
            reason = info.getReason();
            metadata = info.getMetadataMap();
          }
        } else if (detail.is(RetryInfo.class)) {
          retryAfter = duration(detail.unpack(RetryInfo.class).getRetryDelay());
        }
      } catch (InvalidProtocolBufferException e) {
        // A detail that cannot be read says nothing.
      }
    }
    if (reason.isEmpty() && isBroken(status)) {
      return new Broken(message);
    }
    if (GAP_REASONS.contains(reason)) {
      return new Lost(new SubscriptionException.PositionLost(reason, message, metadata));
    }
    var error = new SubscriptionException.Refused(status.getCode(), reason, message, metadata);
    return new Refused(error, retryAfter);
  }

  /**
   * Tells a stream that was cut off from one that was answered. A server of ours always says why,
   * so a status without that is grpc-java's own word, or a proxy's. INTERNAL is a bug and no sign of
   * a broken connection, except that grpc-java calls a stream so that ended without a status; a reset
   * for a broken protocol would come again and again.
   */
  private static boolean isBroken(Status status) {
    return switch (status.getCode()) {
      case UNKNOWN, CANCELLED -> true;
      case INTERNAL -> {
        String text = String.valueOf(status.getDescription());
        boolean cut =
            text.contains("RST_STREAM")
                || text.contains("unexpected EOS")
                || text.contains("end-of-stream mid-frame");
        yield cut && !text.contains("PROTOCOL_ERROR");
      }
      default -> false;
    };
  }

  /** Empty for a negative duration. */
  static Optional<Duration> duration(com.google.protobuf.Duration sent) {
    Duration read = Duration.ofSeconds(sent.getSeconds(), sent.getNanos());
    return read.isNegative() ? Optional.empty() : Optional.of(read);
  }
}
