package io.github.tieline;

import static io.github.tieline.FakeServer.caughtUp;
import static io.github.tieline.FakeServer.closing;
import static io.github.tieline.FakeServer.events;
import static io.github.tieline.FakeServer.failure;
import static io.github.tieline.FakeServer.gap;
import static io.github.tieline.FakeServer.opened;
import static io.github.tieline.FakeServer.says;
import static io.github.tieline.FakeServer.stays;
import static io.github.tieline.FakeServer.through;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.tieline.v1.Closing;
import io.github.tieline.v1.Event;
import io.github.tieline.v1.EventFilter;
import io.github.tieline.v1.StartPreset;
import io.github.tieline.v1.SubscribeRequest;
import io.github.tieline.v1.UnavailablePolicy;
import io.grpc.Status;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(30)
class SubscriberTest {
  private static final RuntimeException DRAINING =
      failure(Status.Code.UNAVAILABLE, "SERVER_DRAINING");

  @TempDir Path folder;
  private final List<Batch> batches = new ArrayList<>();
  private final List<SubscriptionException.PositionLost> lost = new ArrayList<>();

  /** Reads until a batch is the last that is wanted. */
  private void read(
      FakeServer server, Predicate<Batch> enough, Consumer<SubscriberBuilder> options)
      throws InterruptedException {
    SubscriberBuilder builder =
        Subscriber.builder().target("127.0.0.1:" + server.port()).onGap(choose(GapChoice.STOP));
    builder.start(Start.EARLIEST);
    options.accept(builder);
    try (Subscriber subscriber = builder.build()) {
      subscriber.run(
          batch -> {
            batches.add(batch);
            if (enough.test(batch)) {
              subscriber.close();
            }
          });
    }
  }

  private void read(FakeServer server, long last) throws InterruptedException {
    read(server, upTo(last), options -> {});
  }

  private static Predicate<Batch> upTo(long last) {
    return batch -> batch.position().sequence() >= last;
  }

  private java.util.function.Function<SubscriptionException.PositionLost, GapChoice> choose(
      GapChoice choice) {
    return gap -> {
      lost.add(gap);
      return choice;
    };
  }

  private List<Long> sequences() {
    return batches.stream().flatMap(b -> b.events().stream()).map(Event::getSequence).toList();
  }

  private static List<Long> run(long first, long last) {
    return LongStream.rangeClosed(first, last).boxed().toList();
  }

  private static String after(SubscribeRequest request) {
    return request.getAfter().getEpoch() + "/" + request.getAfter().getSequence();
  }

  @Test
  void resumesAfterTheLastBatch() throws Exception {
    try (var server =
        new FakeServer(
            says(DRAINING, opened("e", 0), events(1, 3)),
            says(null, opened("e", 3), events(4, 4)), // OK without its announcement is a cut
            stays(opened("e", 4), events(5, 6)))) {
      read(server, 6);
      assertEquals(run(1, 6), sequences());
      SubscribeRequest first = server.asked.get(0);
      assertEquals(StartPreset.START_PRESET_EARLIEST, first.getPreset());
      assertEquals("journals/default", first.getJournal());
      assertEquals(UnavailablePolicy.UNAVAILABLE_POLICY_FAIL, first.getUnavailablePolicy());
      assertEquals("e/3", after(server.asked.get(1)));
      assertEquals("e/4", after(server.asked.get(2)));
    }
  }

  @Test
  void survivesAServerThatDiesAndComesBack() throws Exception {
    var first = new FakeServer(stays(opened("e", 0), events(1, 2)));
    int port = first.port();
    List<FakeServer> second = new ArrayList<>();
    read(
        first,
        batch -> {
          if (batch.position().sequence() == 2 && second.isEmpty()) {
            first.close();
            try {
              second.add(new FakeServer(port, stays(opened("e", 2), events(3, 4))));
            } catch (IOException e) {
              throw new IllegalStateException(e);
            }
          }
          return batch.position().sequence() == 4;
        },
        options -> {});
    assertEquals(run(1, 4), sequences());
    assertEquals("e/2", after(second.get(0).asked.get(0)));
    second.get(0).close();
  }

  @Test
  void goesOnWithTheStoredPosition() throws Exception {
    var store = new FilePositionStore(folder.resolve("position"));
    store.save(new Position("e", 41));
    try (var server = new FakeServer(stays(opened("e", 41), events(42, 43)))) {
      read(server, upTo(43), options -> options.store(store));
      assertEquals("e/41", after(server.asked.get(0)));
      assertEquals(new Position("e", 43), store.load().orElseThrow());
    }
  }

  @Test
  void aPositionOfTheHandlersOwnIsTheStart() throws Exception {
    try (var server = new FakeServer(stays(opened("e", 41), events(42, 42)))) {
      read(server, upTo(42), options -> options.start(null).after(new Position("e", 41)));
      assertEquals("e/41", after(server.asked.get(0)));
      assertEquals(1, batches.size());
      assertEquals(new Position("e", 42), batches.get(0).position());
    }
  }

  @Test
  void aStartAtLatestIsPinnedBeforeAnyEvent() throws Exception {
    var store = new FilePositionStore(folder.resolve("position"));
    try (var server = new FakeServer(stays(opened("e", 41)))) {
      read(server, upTo(41), options -> options.start(Start.LATEST).store(store));
      assertEquals(new Position("e", 41), store.load().orElseThrow());
    }
  }

  @Test
  void silenceOfTwoAndAHalfHeartbeatsIsADeadConnection() throws Exception {
    try (var server =
        new FakeServer(
            stays(opened("e", 0), events(1, 1)), stays(opened("e", 1), events(2, 2)))) {
      read(server, 2);
      assertEquals(run(1, 2), sequences());
      long waited = TimeUnit.NANOSECONDS.toMillis(server.nanos.get(1) - server.nanos.get(0));
      assertTrue(waited >= 2_500 && waited < 10_000, waited + " ms");
    }
  }

  @Test
  void retryInfoIsHonoured() throws Exception {
    try (var server =
        new FakeServer(
            says(failure(Status.Code.RESOURCE_EXHAUSTED, "SUBSCRIBER_QUOTA", 700)),
            stays(opened("e", 0), events(1, 1)))) {
      read(server, 1);
      long waited = TimeUnit.NANOSECONDS.toMillis(server.nanos.get(1) - server.nanos.get(0));
      assertTrue(waited >= 700, waited + " ms");
    }
  }

  @Test
  void aLostPositionIsTheReadersDecision() throws Exception {
    var reasons =
        Map.of(
            "EPOCH_CHANGED", Status.Code.FAILED_PRECONDITION,
            "POSITION_TRIMMED", Status.Code.OUT_OF_RANGE,
            "JOURNAL_CORRUPTED", Status.Code.DATA_LOSS);
    for (var reason : reasons.entrySet()) {
      for (GapChoice choice : GapChoice.values()) {
        batches.clear();
        lost.clear();
        try (var server =
            new FakeServer(
                says(failure(reason.getValue(), reason.getKey())),
                stays(opened("new", 8), gap(8), events(9, 9)))) {
          Consumer<SubscriberBuilder> options =
              o -> o.start(null).after(new Position("old", 5)).onGap(choose(choice));
          if (choice == GapChoice.STOP) {
            var stopped =
                assertThrows(
                    SubscriptionException.PositionLost.class,
                    () -> read(server, upTo(9), options));
            assertEquals(reason.getKey(), stopped.reason());
            assertEquals(1, server.asked.size());
          } else {
            read(server, upTo(9), options);
            SubscribeRequest second = server.asked.get(1);
            assertEquals(
                "UNAVAILABLE_POLICY_RESUME_AT_" + choice, second.getUnavailablePolicy().name());
            assertEquals("old/5", after(second));
            // The gap of the stream is the first thing that the handler is told.
            assertTrue(batches.get(0).gap().isPresent());
            assertEquals(new Position("new", 8), batches.get(0).position());
            assertEquals(run(9, 9), sequences());
          }
          assertEquals("7", lost.get(0).metadata().get("earliest_sequence"));
          assertEquals(1, lost.size());
        }
      }
    }
  }

  @Test
  void anExpiredTokenIsReadAgain() throws Exception {
    Path file = Files.writeString(folder.resolve("token"), "stale\n");
    FakeServer.Answer expired =
        (request, stream) -> {
          try {
            Files.writeString(file, "fresh\n");
          } catch (IOException e) {
            throw new IllegalStateException(e);
          }
          stream.onError(failure(Status.Code.UNAUTHENTICATED, "CREDENTIALS_EXPIRED"));
        };
    try (var server = new FakeServer(expired, stays(opened("e", 0), events(1, 1)))) {
      read(server, upTo(1), options -> options.tokenFile(file));
      assertEquals(List.of("Bearer stale", "Bearer fresh"), server.tokens);
    }
  }

  @Test
  void whatRepeatingDoesNotChangeSurfaces() throws Exception {
    List<RuntimeException> ends =
        List.of(
            failure(Status.Code.OUT_OF_RANGE, "POSITION_NOT_WRITTEN"),
            failure(Status.Code.INVALID_ARGUMENT, "FILTER_INVALID"),
            failure(Status.Code.NOT_FOUND, "JOURNAL_NOT_FOUND"),
            failure(Status.Code.PERMISSION_DENIED, "JOURNAL_FORBIDDEN"),
            // And there is no file to read again.
            failure(Status.Code.UNAUTHENTICATED, "CREDENTIALS_EXPIRED"),
            failure(Status.Code.ABORTED, "SUBSCRIPTION_TAKEN_OVER"),
            Status.RESOURCE_EXHAUSTED.withDescription("over the limit").asRuntimeException(),
            Status.INTERNAL.withDescription("a bug").asRuntimeException());
    for (RuntimeException end : ends) {
      try (var server = new FakeServer(says(end))) {
        var refused =
            assertThrows(SubscriptionException.Refused.class, () -> read(server, 1));
        assertEquals(Status.fromThrowable(end).getCode(), refused.code());
        assertEquals(1, server.asked.size());
      }
    }
  }

  @Test
  void aRequestedEndReturns() throws Exception {
    var end = closing(Closing.Reason.REASON_END_REACHED, 2, 0);
    try (var server = new FakeServer(says(null, opened("e", 0), events(1, 2), end))) {
      read(
          server,
          batch -> false,
          options -> options.customize(request -> request.setUntilCaughtUp(true)));
      assertEquals(run(1, 2), sequences());
      assertTrue(server.asked.get(0).getUntilCaughtUp());
    }
  }

  @Test
  void whatTheHandlerRefusesIsNotStored() throws Exception {
    var store = new FilePositionStore(folder.resolve("position"));
    var broken = new IllegalStateException("no room");
    try (var server = new FakeServer(stays(opened("e", 0), events(1, 1), events(2, 2)))) {
      Predicate<Batch> handler =
          batch -> {
            if (batch.position().sequence() == 2) {
              throw broken;
            }
            return false;
          };
      assertEquals(
          broken,
          assertThrows(
              IllegalStateException.class,
              () -> read(server, handler, options -> options.store(store))));
      assertEquals(new Position("e", 1), store.load().orElseThrow());
    }
  }

  @Test
  void aFilterMovesThePositionWithoutEvents() throws Exception {
    var filter = EventFilter.newBuilder().addTypes("ccaas.agent.*").build();
    try (var server = new FakeServer(stays(opened("e", 0), through(900), caughtUp(900)))) {
      read(server, Batch::caughtUp, options -> options.filter(filter));
      assertEquals(filter, server.asked.get(0).getFilter());
      assertEquals(900, batches.get(1).position().sequence());
    }
  }

  @Test
  void closingFromOutsideEndsAQuietReader() throws Exception {
    try (var server = new FakeServer(stays(opened("e", 0)))) {
      Subscriber subscriber =
          Subscriber.builder()
              .target("127.0.0.1:" + server.port())
              .start(Start.EARLIEST)
              .onGap(choose(GapChoice.STOP))
              .build();
      Thread closer = new Thread(subscriber::close);
      subscriber.run(batch -> closer.start());
      closer.join();
    }
  }
}
