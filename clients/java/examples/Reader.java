import io.github.tieline.FilePositionStore;
import io.github.tieline.GapChoice;
import io.github.tieline.Start;
import io.github.tieline.Subscriber;
import java.nio.file.Path;

/** Prints every event of a sidecar on this machine, and goes on where it ended the last time. */
class Reader {
  public static void main(String[] arguments) throws Exception {
    try (Subscriber subscriber = Subscriber.builder()
        .target("127.0.0.1:7443")
        .start(Start.EARLIEST) // where nothing is stored yet
        .store(new FilePositionStore(Path.of("position")))
        .onGap(lost -> GapChoice.EARLIEST)
        .build()) {
      subscriber.run(batch -> batch.events().forEach(event ->
          System.out.println(event.getSequence() + " " + event.getType() + " " + event.getSubject())));
    }
  }
}
