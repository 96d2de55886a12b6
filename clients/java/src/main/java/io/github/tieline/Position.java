package io.github.tieline;

/**
 * A place in one incarnation of a journal. It means nothing in another epoch.
 *
 * @param epoch names the incarnation
 * @param sequence the last event that lies behind the reader; unsigned
 */
public record Position(String epoch, long sequence) {
  /** Reads the text form, {@code epoch/sequence}. */
  public static Position parse(String text) {
    int slash = text.indexOf('/');
    try {
      if (slash > 0) {
        return new Position(
            text.substring(0, slash), Long.parseUnsignedLong(text.substring(slash + 1)));
      }
    } catch (NumberFormatException e) {
      // Said below.
    }
    throw new IllegalArgumentException(
        "'" + text + "' is no position; it is written epoch/sequence");
  }

  /** The text form, {@code epoch/sequence}. */
  @Override
  public String toString() {
    return epoch + "/" + Long.toUnsignedString(sequence);
  }
}
