package io.github.tieline;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.tieline.v1.Event;
import io.opentelemetry.api.trace.SpanKind;
import io.opentelemetry.sdk.testing.exporter.InMemorySpanExporter;
import io.opentelemetry.sdk.trace.SdkTracerProvider;
import io.opentelemetry.sdk.trace.export.SimpleSpanProcessor;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class OptionsTest {
  @TempDir Path folder;

  private static SubscriberBuilder complete() {
    return Subscriber.builder().start(Start.LATEST).onGap(lost -> GapChoice.STOP);
  }

  private static void refused(String says, SubscriberBuilder options) {
    String message =
        assertThrows(IllegalArgumentException.class, options::build).getMessage();
    assertTrue(message.contains(says), message);
  }

  @Test
  void mistakesNameKeyValueAndMend() {
    refused("target 'tieline' lacks its port; write it as", complete().target("tieline"));
    refused("names a socket by a relative path", complete().target("unix:run/s"));
    refused("start is not set; choose", Subscriber.builder().onGap(lost -> GapChoice.STOP));
    refused("onGap is not set; decide", Subscriber.builder().start(Start.LATEST));
    refused("after 'e/1' and a store are both set",
        complete().after(new Position("e", 1)).store(new FilePositionStore(folder.resolve("p"))));
    complete().target("[::1]:7443").build();
  }

  @Test
  void aTokenDoesNotTravelInTheClear() {
    Path token = folder.resolve("token");
    refused("in the clear; set tls", complete().target("tieline.example:7443").tokenFile(token));
    complete().target("127.0.0.1:7443").tokenFile(token).build();
  }

  @Test
  void aMissingTokenFileSurfaces() {
    var subscriber = complete().tokenFile(folder.resolve("token")).build();
    assertThrows(UncheckedIOException.class, () -> subscriber.run(batch -> {}));
  }

  @Test
  void aPositionIsReplacedAsAWhole() throws IOException {
    Path path = folder.resolve("position");
    var store = new FilePositionStore(path);
    assertTrue(store.load().isEmpty());
    // What a crash in the middle of a save leaves behind.
    Files.writeString(folder.resolve("position.next"), "half of a very long position");
    Object before = null;
    for (long sequence = 9; sequence < 12; sequence++) {
      store.save(new Position("e", sequence));
      assertEquals(new Position("e", sequence), store.load().orElseThrow());
      Object now = Files.getAttribute(path, "unix:ino");
      assertNotEquals(before, now, "written in place");
      before = now;
    }
    assertFalse(Files.exists(folder.resolve("position.next")));
    for (String text : List.of("", "e", "e/", "/1", "e/-1", "e/1/2")) {
      Files.writeString(path, text);
      assertThrows(IOException.class, store::load, text);
    }
  }

  @Test
  void whatIsReadFromFilesAgainIsWorthAnotherAttempt() {
    Path file = folder.resolve("file");
    assertFalse(Subscriber.renewable(null, null));
    assertFalse(Subscriber.renewable(Tls.trusting(file), null));
    assertTrue(Subscriber.renewable(null, file));
    assertTrue(Subscriber.renewable(new Tls(file, file, file, null), null));
  }

  @Test
  void aSpanLinksToTheEventsTraceAndIsNoPartOfIt() {
    InMemorySpanExporter spans = InMemorySpanExporter.create();
    var provider =
        SdkTracerProvider.builder().addSpanProcessor(SimpleSpanProcessor.create(spans)).build();
    String created = "4bf92f3577b34da6a3ce929d0e0e4736";
    for (String parent : List.of("00-" + created + "-00f067aa0ba902b7-01", "")) {
      Event event = Event.newBuilder().setSequence(7).setTraceParent(parent).build();
      Traces.process(provider.get("consumer"), "journals/default", event).end();
    }
    var linked = spans.getFinishedSpanItems().get(0);
    assertEquals(created, linked.getLinks().get(0).getSpanContext().getTraceId());
    assertEquals(SpanKind.CONSUMER, linked.getKind());
    assertEquals("process journals/default", linked.getName());
    assertNotEquals(created, linked.getTraceId());
    assertTrue(spans.getFinishedSpanItems().get(1).getLinks().isEmpty());
    provider.close();
  }
}
