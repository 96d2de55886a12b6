package io.github.tieline;

import io.github.tieline.v1.EventFilter;
import io.github.tieline.v1.SubscribeRequest;
import java.nio.file.Path;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.function.Function;

/** Where to subscribe, to what, and from where. Start (or after) and onGap have no default. */
public final class SubscriberBuilder {
  String target = Subscriber.DEFAULT_TARGET;
  Tls tls;
  Path tokenFile;
  String journal = Subscriber.DEFAULT_JOURNAL;
  private EventFilter filter;
  private String clientId = "";
  private Consumer<SubscribeRequest.Builder> customize = request -> {};
  private Start start;
  Position after;
  PositionStore store;
  Function<SubscriptionException.PositionLost, GapChoice> onGap;

  SubscriberBuilder() {}

  /** {@code unix:/path} or {@code host:port}. */
  public SubscriberBuilder target(String target) {
    this.target = Objects.requireNonNull(target);
    return this;
  }

  /** Without, the connection is plain: the sidecar offers that on loopback and its socket. */
  public SubscriberBuilder tls(Tls tls) {
    this.tls = tls;
    return this;
  }

  /** Holds the bearer token. It is read again at each call, so a rotated one takes effect. */
  public SubscriberBuilder tokenFile(Path tokenFile) {
    this.tokenFile = tokenFile;
    return this;
  }

  /** {@code journals/NAME}, or the name alone. */
  public SubscriberBuilder journal(String journal) {
    this.journal = journal.startsWith("journals/") ? journal : "journals/" + journal;
    return this;
  }

  /** Without, every event. */
  public SubscriberBuilder filter(EventFilter filter) {
    this.filter = filter;
    return this;
  }

  /** Names this reader in the sidecar's logs, metrics and console. */
  public SubscriberBuilder clientId(String clientId) {
    this.clientId = Objects.requireNonNull(clientId);
    return this;
  }

  /** Sets what else a request may hold: view, shard, batching, heartbeat, an end. */
  public SubscriberBuilder customize(Consumer<SubscribeRequest.Builder> customize) {
    this.customize = Objects.requireNonNull(customize);
    return this;
  }

  /** Where to begin while nothing is stored. */
  public SubscriberBuilder start(Start start) {
    this.start = start;
    return this;
  }

  /** The position that the handler stored with its own effect; null the first time. */
  public SubscriberBuilder after(Position after) {
    this.after = after;
    return this;
  }

  /** Keeps the position of the last batch that was handled. Without, that is the handler's. */
  public SubscriberBuilder store(PositionStore store) {
    this.store = store;
    return this;
  }

  /**
   * Decides what follows when the position cannot be served any more. A pod that moves with an
   * empty volume meets that on an ordinary day, so somebody must have decided what it means.
   */
  public SubscriberBuilder onGap(Function<SubscriptionException.PositionLost, GapChoice> onGap) {
    this.onGap = onGap;
    return this;
  }

  /** Connects nowhere yet. */
  public Subscriber build() {
    Target parsed = Target.parse(target);
    if (start == null && after == null) {
      throw new IllegalArgumentException(
          "start is not set; choose Start.EARLIEST, LATEST or fromTime for when nothing is stored");
    }
    if (after != null && store != null) {
      throw new IllegalArgumentException(
          "after '" + after + "' and a store are both set; leave after out where the store keeps it");
    }
    if (onGap == null) {
      throw new IllegalArgumentException(
          "onGap is not set; decide what follows when the position is gone");
    }
    if (tokenFile != null && tls == null && !parsed.isLocal()) {
      throw new IllegalArgumentException(
          "tokenFile '" + tokenFile + "': no token is sent to '" + target + "' in the clear; set tls");
    }
    return new Subscriber(this, parsed);
  }

  SubscribeRequest template() {
    SubscribeRequest.Builder request = SubscribeRequest.newBuilder();
    if (filter != null) {
      request.setFilter(filter);
    }
    customize.accept(request);
    if (start != null) {
      start.putInto(request);
    }
    return request.setClientId(clientId).setJournal(journal).build();
  }
}
