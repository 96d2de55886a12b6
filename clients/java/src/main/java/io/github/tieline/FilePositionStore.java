package io.github.tieline;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Optional;

/** Keeps the position in a file, as text. It is replaced by an atomic rename. */
public final class FilePositionStore implements PositionStore {
  private final Path path;
  // The same name each time: what a crash leaves behind is overwritten by the next save.
  private final Path next;

  public FilePositionStore(Path path) {
    this.path = path;
    this.next = path.resolveSibling(path.getFileName() + ".next");
  }

  @Override
  public Optional<Position> load() throws IOException {
    String text;
    try {
      text = Files.readString(path).strip();
    } catch (NoSuchFileException e) {
      return Optional.empty();
    }
    try {
      return Optional.of(Position.parse(text));
    } catch (IllegalArgumentException e) {
      throw new IOException(
          "position file " + path + ": " + e.getMessage() + "; remove it to start again", e);
    }
  }

  @Override
  public void save(Position position) throws IOException {
    try (FileChannel file =
        FileChannel.open(
            next,
            StandardOpenOption.WRITE,
            StandardOpenOption.CREATE,
            StandardOpenOption.TRUNCATE_EXISTING)) {
      ByteBuffer text = ByteBuffer.wrap((position + "\n").getBytes(StandardCharsets.UTF_8));
      while (text.hasRemaining()) {
        file.write(text);
      }
      // Renamed without this, a power cut could leave an empty file. Should the rename itself be
      // lost, the position before it is there, and its events come again.
      file.force(true);
    }
    Files.move(next, path, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
  }
}
