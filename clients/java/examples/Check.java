import io.github.tieline.Batch;
import io.github.tieline.FilePositionStore;
import io.github.tieline.GapChoice;
import io.github.tieline.Start;
import io.github.tieline.Subscriber;
import io.github.tieline.Tls;
import io.github.tieline.v1.Event;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.Map;

/**
 * Appends a line "epoch sequence id" to a file for each event, for the oracle of
 * tests/clients/kills: Check --target T [--ca F] [--token-file F] --journal J --store FILE --out
 * FILE.
 */
class Check {
  public static void main(String[] arguments) throws Exception {
    Map<String, String> asked = new HashMap<>();
    for (int i = 0; i + 1 < arguments.length; i += 2) {
      asked.put(arguments[i], arguments[i + 1]);
    }
    String ca = asked.get("--ca");
    String tokenFile = asked.get("--token-file");
    Subscriber subscriber =
        Subscriber.builder()
            .target(asked.getOrDefault("--target", Subscriber.DEFAULT_TARGET))
            .tls(ca == null ? null : Tls.trusting(Path.of(ca)))
            .tokenFile(tokenFile == null ? null : Path.of(tokenFile))
            .journal(asked.getOrDefault("--journal", Subscriber.DEFAULT_JOURNAL))
            .clientId("check-java")
            .start(Start.EARLIEST)
            .store(new FilePositionStore(Path.of(asked.get("--store"))))
            // Nothing that the oracle does costs an event.
            .onGap(lost -> GapChoice.STOP)
            .build();
    Thread ender =
        new Thread(
            () -> {
              subscriber.close();
              // Else the JVM answers SIGTERM with 143.
              Runtime.getRuntime().halt(0);
            });
    try (OutputStream out =
        Files.newOutputStream(
            Path.of(asked.get("--out")), StandardOpenOption.CREATE, StandardOpenOption.APPEND)) {
      Runtime.getRuntime().addShutdownHook(ender);
      subscriber.run(batch -> write(batch, out));
    } catch (RuntimeException e) {
      Runtime.getRuntime().removeShutdownHook(ender);
      throw e;
    }
  }

  private static void write(Batch batch, OutputStream out) throws IOException {
    if (batch.gap().isPresent()) {
      throw new IllegalStateException("a gap: " + batch.gap().get());
    }
    StringBuilder lines = new StringBuilder();
    for (Event event : batch.events()) {
      lines.append(batch.position().epoch()).append(' ');
      lines.append(event.getSequence()).append(' ').append(event.getId()).append('\n');
    }
    out.write(lines.toString().getBytes(StandardCharsets.UTF_8));
  }
}
