package io.github.tieline;

import static io.github.tieline.FakeServer.closing;
import static io.github.tieline.FakeServer.events;
import static io.github.tieline.FakeServer.gap;
import static io.github.tieline.FakeServer.opened;
import static io.github.tieline.FakeServer.through;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.tieline.v1.Closing;
import io.github.tieline.v1.EventFilter;
import io.github.tieline.v1.SubscribeRequest;
import io.github.tieline.v1.SubscribeResponse;
import io.github.tieline.v1.UnavailablePolicy;
import io.grpc.Status;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;

class MachineTest {
  private static final Failure BROKEN = new Failure.Broken("reset");
  private static final SubscriptionException.PositionLost GONE =
      new SubscriptionException.PositionLost("EPOCH_CHANGED", "why", Map.of());

  private static Machine machine(Position position) {
    return new Machine(SubscribeRequest.getDefaultInstance(), position, false);
  }

  private static Machine reading(long after) {
    Machine machine = machine(null);
    machine.request();
    machine.accept(opened("e", after));
    return machine;
  }

  private static Failure unavailable(Duration retryAfter) {
    var error =
        new SubscriptionException.Refused(Status.Code.UNAVAILABLE, "", "why", Map.of());
    return new Failure.Refused(error, Optional.ofNullable(retryAfter));
  }

  private static long delay(Machine.Decision decision) {
    return assertInstanceOf(Machine.Decision.Retry.class, decision).delay().toMillis();
  }

  private static void refuses(String what, Machine machine, SubscribeResponse response) {
    var violation =
        assertThrows(SubscriptionException.Violation.class, () -> machine.accept(response));
    assertEquals("the server broke the contract: " + what, violation.getMessage());
  }

  @Test
  void brokenPromisesAreNamed() {
    Machine fresh = machine(null);
    fresh.request();
    refuses("the first response is not 'opened'", fresh, events(1, 1));
    refuses("'opened' came a second time", reading(10), opened("e", 10));
    refuses("event 10 came after 10", reading(10), events(10, 11));
    refuses("events 11 to 12 are missing without a gap", reading(10), events(13, 14));
    refuses("events 11 to 20 are missing without a gap", reading(10), through(20));
    refuses("the bookmark 9 is before 10", reading(10), through(9));
    Machine resumed = reading(10);
    resumed.request();
    refuses("asked to continue after e/10, it starts after e/12", resumed, opened("e", 12));
  }

  @Test
  void aGapOrAFilterExplainsAHole() {
    Machine machine = reading(0);
    machine.accept(gap(7));
    machine.accept(events(8, 9));
    var filter = EventFilter.getDefaultInstance();
    var template = SubscribeRequest.newBuilder().setFilter(filter).build();
    machine = new Machine(template, null, false);
    machine.request();
    for (var response : List.of(opened("e", 0), events(8, 9), through(40))) {
      machine.accept(response);
    }
    assertEquals(new Position("e", 40), machine.position());
  }

  @Test
  void delaysAreJitteredCappedAndAtLeastWhatWasAsked() {
    Machine machine = reading(0);
    for (long wanted : new long[] {50, 100, 200, 400, 800, 1600, 3200, 5000, 5000}) {
      assertEquals(wanted, delay(machine.ended(BROKEN, 0.5)));
    }
    machine.accept(events(1, 1));
    assertEquals(50, delay(machine.ended(BROKEN, 0.5)));
    machine = reading(0);
    assertEquals(1500, delay(machine.ended(unavailable(Duration.ofMillis(1500)), 0.5)));
    for (int i = 0; i < 9; i++) {
      machine.ended(unavailable(Duration.ZERO), 0.5);
    }
    assertEquals(5000, delay(machine.ended(unavailable(Duration.ZERO), 0.5)));
    assertEquals(120_000, delay(reading(0).ended(unavailable(Duration.ofDays(9999)), 0.5)));
    machine = reading(0);
    machine.accept(closing(Closing.Reason.REASON_DRAINING, 0, 700));
    assertEquals(700, delay(machine.ended(unavailable(null), 0.5)));
  }

  @Test
  void silenceIsMeasuredInTheServersHeartbeats() {
    assertEquals(Duration.ofSeconds(25), machine(null).silenceLimit());
    assertEquals(Duration.ofMillis(2500), reading(0).silenceLimit());
  }

  @Test
  void aGapIsToldAlsoWhereTheConnectionBreaksBeforeIt() {
    Machine machine = machine(new Position("old", 5));
    machine.request();
    assertEquals(
        new Machine.Decision.AskAboutGap(GONE), machine.ended(new Failure.Lost(GONE), 0.5));
    machine.resolveGap(GONE, GapChoice.EARLIEST, 0.5);
    var draining = closing(Closing.Reason.REASON_DRAINING, 4, 0);
    List<List<SubscribeResponse>> cuts =
        List.of(List.of(), List.of(opened("new", 4)), List.of(opened("new", 4), draining));
    for (var cut : cuts) {
      SubscribeRequest request = machine.request();
      assertEquals(
          UnavailablePolicy.UNAVAILABLE_POLICY_RESUME_AT_EARLIEST, request.getUnavailablePolicy());
      assertEquals("old", request.getAfter().getEpoch());
      cut.forEach(machine::accept);
      machine.ended(BROKEN, 0.5);
    }
    machine.request();
    machine.accept(opened("new", 4));
    machine.accept(gap(4));
    assertEquals(new Position("new", 4), machine.position());
    assertEquals(
        UnavailablePolicy.UNAVAILABLE_POLICY_FAIL, machine.request().getUnavailablePolicy());
  }

  @Test
  void aGapIsNotAskedAboutInCircles() {
    Machine machine = machine(new Position("old", 5));
    machine.request();
    machine.resolveGap(GONE, GapChoice.LATEST, 0.5);
    machine.request();
    assertEquals(new Machine.Decision.Stop(GONE), machine.ended(new Failure.Lost(GONE), 0.5));
  }

  @Test
  void aStatusIsReadByCodeAndDetails() {
    Map<String, Boolean> broken =
        Map.of(
            "RST_STREAM closed stream. HTTP/2 error code: NO_ERROR", true,
            "RST_STREAM closed stream. HTTP/2 error code: PROTOCOL_ERROR", false,
            "Received unexpected EOS on empty DATA frame from server", true,
            "a bug", false);
    broken.forEach(
        (message, expected) -> {
          var status = Status.INTERNAL.withDescription(message).asException();
          assertEquals(expected, Failure.of(status) instanceof Failure.Broken, message);
        });
    var cut = Status.UNKNOWN.withDescription("cut").asException();
    assertInstanceOf(Failure.Broken.class, Failure.of(cut));
  }

  /**
   * Against a server that keeps the contract and fails at will: no event of an epoch comes twice, none
   * is left out, and a lost epoch is asked about.
   */
  @Test
  void everyEventOnceWhateverBreaks() {
    for (long seed = 0; seed < 2_000; seed++) {
      Random chance = new Random(seed);
      Machine machine = machine(null);
      int epoch = 0;
      long delivered = 0;
      boolean skipped = false;
      for (int attempt = 0; attempt < 40; attempt++) {
        SubscribeRequest request = machine.request();
        boolean known = request.getAfter().getEpoch().equals("e" + epoch);
        boolean fails =
            request.getUnavailablePolicy() == UnavailablePolicy.UNAVAILABLE_POLICY_FAIL;
        if (request.hasAfter() && !known && fails) {
          machine.ended(new Failure.Lost(GONE), chance.nextDouble());
          machine.resolveGap(GONE, GapChoice.EARLIEST, chance.nextDouble());
          continue;
        }
        assertTrue(!known || request.getAfter().getSequence() == delivered, "seed " + seed);
        if (chance.nextInt(4) > 0) {
          machine.accept(opened("e" + epoch, delivered));
          if (skipped && chance.nextInt(4) > 0) {
            machine.accept(gap(delivered));
            skipped = false;
          }
          while (!skipped && chance.nextInt(3) > 0) {
            int count = chance.nextInt(20);
            machine.accept(events(delivered + 1, delivered + count));
            delivered += count;
          }
        }
        if (machine.position() != null && chance.nextInt(8) == 0) {
          epoch++;
          delivered = 0;
          skipped = true;
        }
        assertTrue(delay(machine.ended(BROKEN, chance.nextDouble())) <= 10_000, "seed " + seed);
      }
    }
  }
}
