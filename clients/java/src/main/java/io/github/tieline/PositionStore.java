package io.github.tieline;

import java.io.IOException;
import java.util.Optional;

/** Keeps a position between two lives of a reader. One store belongs to one reader. */
public interface PositionStore {
  /** What was saved last; empty where nothing was yet. */
  Optional<Position> load() throws IOException;

  /** Replaces what was stored: afterwards {@link #load} returns the one or the other, whole. */
  void save(Position position) throws IOException;
}
