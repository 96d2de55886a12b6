package io.github.tieline;

import io.grpc.ChannelCredentials;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.netty.channel.ChannelOption;
import java.io.IOException;
import java.util.concurrent.TimeUnit;

/** Where a sidecar listens, and how a channel to it is made. */
record Target(String socket, String host, int port) {
  private static final int CONNECT_MILLIS = 5_000;
  private static final int KEEP_ALIVE_SECONDS = 30;
  private static final int KEEP_ALIVE_TIMEOUT_SECONDS = 60;

  /** Responses stay below the 4 MiB that grpc-java accepts; this leaves room for growth. */
  private static final int LARGEST_MESSAGE = 16 << 20;

  static Target parse(String text) {
    if (text.startsWith("unix:")) {
      String path = text.substring("unix:".length()).replaceFirst("^//", "");
      if (path.startsWith("/")) {
        return new Target(path, null, 0);
      }
      throw invalid(text, "names a socket by a relative path");
    }
    int colon = text.lastIndexOf(':');
    if (text.contains("/")) {
      throw invalid(text, "is neither of the forms there are");
    }
    try {
      if (colon > 0) {
        String host = text.substring(0, colon).replaceFirst("^\\[(.*)]$", "$1");
        return new Target(null, host, Integer.parseInt(text.substring(colon + 1)));
      }
    } catch (NumberFormatException e) {
      // Said below.
    }
    throw invalid(text, "lacks its port");
  }

  @Override
  public String toString() {
    return socket == null ? host + ":" + port : "unix:" + socket;
  }

  private static IllegalArgumentException invalid(String text, String why) {
    return new IllegalArgumentException(
        "target '" + text + "' " + why + "; write it as unix:/path or host:port");
  }

  /** Whether nobody else can listen on the way. */
  boolean isLocal() {
    return socket != null
        || host.equals("localhost")
        || host.equals("::1")
        || host.matches("127(\\.\\d{1,3}){3}");
  }

  /** A channel that connects when it is first used; its flow-control windows are 1 MiB and grow. */
  ManagedChannel channel(Tls tls) throws IOException {
    ChannelCredentials credentials =
        tls == null ? InsecureChannelCredentials.create() : tls.credentials();
    // `unix:` is served by epoll, which grpc-netty-shaded brings for Linux on x86-64 and arm64.
    ManagedChannelBuilder<?> builder =
        socket == null
            ? Grpc.newChannelBuilderForAddress(host, port, credentials)
            : Grpc.newChannelBuilder("unix:" + socket, credentials);
    if (tls != null && tls.serverName() != null) {
      builder.overrideAuthority(tls.serverName());
    } else if (socket != null) {
      // Servers refuse the path of a socket as `:authority`, with PROTOCOL_ERROR.
      builder.overrideAuthority("localhost");
    }
    if (builder instanceof NettyChannelBuilder netty) {
      netty.withOption(ChannelOption.CONNECT_TIMEOUT_MILLIS, CONNECT_MILLIS);
      if (socket != null) {
        // Netty warns at each connection of this option of TCP, which grpc-java always sets.
        netty.withOption(ChannelOption.SO_KEEPALIVE, null);
      }
    }
    return builder
        // Else the proxy of the JVM's properties is asked.
        .proxyDetector(address -> null)
        // Else a name costs a TXT look-up for a service config that nobody serves.
        .disableServiceConfigLookUp()
        // gRPC's own retry never resumes a stream.
        .disableRetry()
        // The server's heartbeats are the real sign of life.
        .keepAliveTime(KEEP_ALIVE_SECONDS, TimeUnit.SECONDS)
        .keepAliveTimeout(KEEP_ALIVE_TIMEOUT_SECONDS, TimeUnit.SECONDS)
        .maxInboundMessageSize(LARGEST_MESSAGE)
        .build();
  }
}
