package io.github.tieline;

import com.google.protobuf.Timestamp;
import io.github.tieline.v1.StartPreset;
import io.github.tieline.v1.SubscribeRequest;
import java.time.Instant;

/** Where to begin while there is no position. */
public final class Start {
  /** With the oldest event that is kept. */
  public static final Start EARLIEST = new Start(StartPreset.START_PRESET_EARLIEST, null);

  /** With the next event that is recorded. */
  public static final Start LATEST = new Start(StartPreset.START_PRESET_LATEST, null);

  private final StartPreset preset;
  private final Instant time;

  private Start(StartPreset preset, Instant time) {
    this.preset = preset;
    this.time = time;
  }

  /** With the first event that was recorded at or after a time. */
  public static Start fromTime(Instant time) {
    return new Start(null, time);
  }

  void putInto(SubscribeRequest.Builder request) {
    if (time == null) {
      request.setPreset(preset);
    } else {
      request.setFromTime(
          Timestamp.newBuilder().setSeconds(time.getEpochSecond()).setNanos(time.getNano()));
    }
  }
}
