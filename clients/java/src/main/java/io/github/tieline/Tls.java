package io.github.tieline;

import io.grpc.ChannelCredentials;
import io.grpc.TlsChannelCredentials;
import java.io.IOException;
import java.nio.file.Path;

/**
 * The files of a secured connection; they are read again at each connection.
 *
 * @param caFile authorities to trust, in PEM; null is those of the JDK
 * @param certFile the client's certificate in PEM, for mTLS; null for none
 * @param keyFile its key; null where there is no certificate
 * @param serverName the name in the server's certificate; null is the host of the target
 */
public record Tls(Path caFile, Path certFile, Path keyFile, String serverName) {
  /** Checks that certificate and key go together. */
  public Tls {
    if ((certFile == null) != (keyFile == null)) {
      throw new IllegalArgumentException(
          "certFile '" + certFile + "' and keyFile '" + keyFile + "' go together; set both or neither");
    }
  }

  /** Trusts the authorities of a file, or those of the JDK where it is null. */
  public static Tls trusting(Path caFile) {
    return new Tls(caFile, null, null, null);
  }

  ChannelCredentials credentials() throws IOException {
    TlsChannelCredentials.Builder credentials = TlsChannelCredentials.newBuilder();
    if (caFile != null) {
      credentials.trustManager(caFile.toFile());
    }
    if (certFile != null) {
      credentials.keyManager(certFile.toFile(), keyFile.toFile());
    }
    return credentials.build();
  }
}
