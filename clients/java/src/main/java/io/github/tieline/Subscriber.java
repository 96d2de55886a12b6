package io.github.tieline;

import io.github.tieline.v1.EventServiceGrpc;
import io.github.tieline.v1.Gap;
import io.github.tieline.v1.SubscribeRequest;
import io.github.tieline.v1.SubscribeResponse;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.StatusException;
import io.grpc.stub.BlockingClientCall;
import io.grpc.stub.MetadataUtils;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Function;

/**
 * Reads a journal of a Tieline sidecar: a subscription that survives restarts, drains and broken
 * networks by resuming after the last batch that was handled.
 *
 * <p>gRPC's own retry never resumes a stream that has delivered a message, so every reader needs
 * the loop that {@link #run} is. Each event is handled at least once; a handler that stores {@link
 * Batch#position} in the transaction of its own effect handles it exactly once.
 */
public final class Subscriber implements AutoCloseable {
  /** Where the sidecar of a pod listens. */
  public static final String DEFAULT_TARGET = "unix:/run/tieline/tieline.sock";

  /** The only journal where none is named in the sidecar's configuration. */
  public static final String DEFAULT_JOURNAL = "journals/default";

  /** How long {@link #close} waits for the handler. */
  private static final long CLOSE_SECONDS = 10;

  private static final Metadata.Key<String> AUTHORIZATION =
      Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);
  private static final System.Logger LOG = System.getLogger(Subscriber.class.getName());

  private final Target target;
  private final Tls tls;
  private final Path tokenFile;
  private final PositionStore store;
  private final Position after;
  private final Function<SubscriptionException.PositionLost, GapChoice> onGap;
  private final SubscribeRequest template;
  private final CountDownLatch closed = new CountDownLatch(1);
  private final CountDownLatch ended = new CountDownLatch(1);
  private Machine machine;
  /** The position that the handler knows. */
  private Position handed;
  /** Whether any attempt was answered: until then, an unusable file is a mistake of the options. */
  private boolean proven;

  private volatile Thread runner;
  private volatile BlockingClientCall<?, SubscribeResponse> call;

  Subscriber(SubscriberBuilder options, Target target) {
    this.target = target;
    this.tls = options.tls;
    this.tokenFile = options.tokenFile;
    this.store = options.store;
    this.after = options.after;
    this.onGap = options.onGap;
    this.template = options.template();
  }

  /** Whether an expired credential is another at the next attempt. */
  static boolean renewable(Tls tls, Path tokenFile) {
    return tokenFile != null || tls != null && tls.certFile() != null;
  }

  /** A start and a decision about gaps have no default; the rest has. */
  public static SubscriberBuilder builder() {
    return new SubscriberBuilder();
  }

  /**
   * Hands the events of the journal to the handler, one batch after the other, on this thread. Returns
   * once a requested end is reached or {@link #close} was called.
   *
   * @throws SubscriptionException if it cannot go on; so do what the handler throws, unchecked
   *     exceptions as they are, and what the store throws, as {@link UncheckedIOException}
   */
  public void run(Batch.Handler handler) throws InterruptedException {
    if (runner != null) {
      throw new IllegalStateException("a subscriber runs once; build another");
    }
    runner = Thread.currentThread();
    try {
      Optional<Position> stored =
          store == null ? Optional.ofNullable(after) : store.load();
      handed = stored.orElse(null);
      machine = new Machine(template, handed, renewable(tls, tokenFile));
      Optional<Duration> delay = Optional.of(Duration.ZERO);
      while (delay.isPresent() && !closed.await(delay.get().toNanos(), TimeUnit.NANOSECONDS)) {
        delay = follow(read(handler));
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } finally {
      ended.countDown();
    }
  }

  /** Says when the next attempt begins; empty where there is none, because the end was reached. */
  private Optional<Duration> follow(Failure cause) {
    if (closed.getCount() == 0) {
      return Optional.empty();
    }
    ThreadLocalRandom chance = ThreadLocalRandom.current();
    Machine.Decision next = machine.ended(cause, chance.nextDouble());
    if (next instanceof Machine.Decision.AskAboutGap ask) {
      GapChoice choice = onGap.apply(ask.gap());
      next = machine.resolveGap(ask.gap(), choice, chance.nextDouble());
    }
    if (next instanceof Machine.Decision.Stop stop) {
      throw stop.error();
    }
    if (next instanceof Machine.Decision.Retry retry) {
      // For people: nothing is lost. Planned ends are everyday.
      LOG.log(
          machine.isClosing() ? System.Logger.Level.INFO : System.Logger.Level.WARNING,
          "Subscription interrupted: target={0} journal={1} error={2} retry_after_ms={3} failures={4}",
          target, template.getJournal(), cause, Long.toString(retry.delay().toMillis()), machine.failures());
      return Optional.of(retry.delay());
    }
    return Optional.empty();
  }

  /**
   * Makes one attempt and says how it ended. A new connection for each: one that went silent may be
   * dead without knowing it.
   */
  private Failure read(Batch.Handler handler) throws IOException, InterruptedException {
    ManagedChannel channel = null;
    try {
      EventServiceGrpc.EventServiceBlockingV2Stub stub;
      try {
        Metadata headers = headers();
        channel = target.channel(tls);
        stub =
            EventServiceGrpc.newBlockingV2Stub(channel)
                .withInterceptors(MetadataUtils.newAttachHeadersInterceptor(headers));
      } catch (IOException e) {
        if (proven) {
          // A certificate or token that is just being replaced.
          return new Failure.Broken(e.toString());
        }
        throw e;
      }
      call = stub.subscribe(machine.request());
      while (closed.getCount() > 0) {
        // The time that the handler takes is not the server's silence.
        Duration limit = machine.silenceLimit();
        SubscribeResponse response;
        try {
          response = call.read(limit.toMillis(), TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
          return new Failure.Silent(limit);
        }
        if (response == null) {
          return new Failure.Ended();
        }
        proven = true;
        machine.accept(response);
        hand(response, handler);
      }
      return new Failure.Ended();
    } catch (StatusException e) {
      return Failure.of(e);
    } finally {
      if (call != null) {
        call.cancel("not read any further", null);
      }
      if (channel != null) {
        channel.shutdownNow();
      }
    }
  }

  private Metadata headers() throws IOException {
    Metadata headers = new Metadata();
    if (tokenFile != null) {
      String token = Files.readString(tokenFile).strip();
      if (token.isEmpty()) {
        throw new IOException(
            "tokenFile '" + tokenFile + "' is empty; write the bearer token into it");
      }
      headers.put(AUTHORIZATION, "Bearer " + token);
    }
    return headers;
  }

  /**
   * Gives the handler what a response tells, then stores the position behind it. A heartbeat tells
   * nothing; under a filter, it may tell that the position moved on.
   */
  private void hand(SubscribeResponse response, Batch.Handler handler)
      throws IOException, InterruptedException {
    Position position = machine.position();
    boolean moved = position != null && !position.equals(handed);
    if (response.getEventsCount() == 0
        && !response.hasGap()
        && !response.hasCaughtUp()
        && !moved) {
      return;
    }
    Optional<Gap> gap = response.hasGap() ? Optional.of(response.getGap()) : Optional.empty();
    Batch batch =
        new Batch(
            response.getEventsList(),
            position,
            response.getLatestSequence(),
            gap,
            response.hasCaughtUp());
    try {
      handler.handle(batch);
    } catch (RuntimeException | InterruptedException e) {
      throw e;
    } catch (Exception e) {
      throw new SubscriptionException("the handler of what is before " + position + ": " + e, e);
    }
    if (moved) {
      handed = position;
      if (store != null) {
        store.save(position);
      }
    }
  }

  /**
   * Ends {@link #run}, from any thread. The batch in hand is finished and its position stored: this
   * waits for that, up to ten seconds.
   */
  @Override
  public void close() {
    closed.countDown();
    BlockingClientCall<?, SubscribeResponse> reading = call;
    if (reading != null) {
      reading.cancel("closed", null);
    }
    if (runner == null || runner == Thread.currentThread()) {
      return;
    }
    try {
      if (!ended.await(CLOSE_SECONDS, TimeUnit.SECONDS)) {
        LOG.log(System.Logger.Level.WARNING, "The handler has not returned: its batch comes again");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
