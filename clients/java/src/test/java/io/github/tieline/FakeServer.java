package io.github.tieline;

import com.google.protobuf.Any;
import com.google.protobuf.Duration;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import io.github.tieline.v1.CaughtUp;
import io.github.tieline.v1.Closing;
import io.github.tieline.v1.Event;
import io.github.tieline.v1.EventServiceGrpc;
import io.github.tieline.v1.Gap;
import io.github.tieline.v1.Opened;
import io.github.tieline.v1.SubscribeRequest;
import io.github.tieline.v1.SubscribeResponse;
import io.grpc.Context;
import io.grpc.Contexts;
import io.grpc.Metadata;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** A real grpc-java server on loopback that does as a test says, attempt by attempt. */
final class FakeServer extends EventServiceGrpc.EventServiceImplBase
    implements ServerInterceptor, AutoCloseable {
  /** Answers one attempt. */
  interface Answer {
    void to(SubscribeRequest request, StreamObserver<SubscribeResponse> stream);
  }

  private static final Context.Key<Metadata> HEADERS = Context.key("headers");

  final List<SubscribeRequest> asked = Collections.synchronizedList(new ArrayList<>());
  final List<Long> nanos = Collections.synchronizedList(new ArrayList<>());
  final List<String> tokens = Collections.synchronizedList(new ArrayList<>());
  private final List<Answer> answers;
  private final Server server;

  /** The answers are given in turn, the last one to all that follow. */
  FakeServer(int port, Answer... answers) throws IOException {
    this.answers = List.of(answers);
    server =
        NettyServerBuilder.forAddress(
                new InetSocketAddress(InetAddress.getLoopbackAddress(), port))
            .addService(this)
            .intercept(this)
            .build()
            .start();
  }

  FakeServer(Answer... answers) throws IOException {
    this(0, answers);
  }

  int port() {
    return server.getPort();
  }

  @Override
  public void close() {
    server.shutdownNow();
    try {
      server.awaitTermination();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public void subscribe(SubscribeRequest request, StreamObserver<SubscribeResponse> stream) {
    nanos.add(System.nanoTime());
    tokens.add(
        String.valueOf(
            HEADERS.get().get(Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER))));
    asked.add(request);
    answers.get(Math.min(asked.size(), answers.size()) - 1).to(request, stream);
  }

  @Override
  public <Q, S> ServerCall.Listener<Q> interceptCall(
      ServerCall<Q, S> call, Metadata headers, ServerCallHandler<Q, S> next) {
    return Contexts.interceptCall(
        Context.current().withValue(HEADERS, headers), call, headers, next);
  }

  /** Answers with these responses, and then so; null is OK. */
  static Answer says(RuntimeException end, SubscribeResponse... responses) {
    return (request, stream) -> {
      List.of(responses).forEach(stream::onNext);
      if (end == null) {
        stream.onCompleted();
      } else {
        stream.onError(end);
      }
    };
  }

  /** Answers with these responses and then falls silent. */
  static Answer stays(SubscribeResponse... responses) {
    return (request, stream) -> List.of(responses).forEach(stream::onNext);
  }

  static SubscribeResponse opened(String epoch, long after) {
    return SubscribeResponse.newBuilder()
        .setThroughSequence(after)
        .setOpened(
            Opened.newBuilder()
                .setEpoch(epoch)
                .setStart(
                    io.github.tieline.v1.Position.newBuilder().setEpoch(epoch).setSequence(after))
                .setHeartbeatInterval(Duration.newBuilder().setSeconds(1)))
        .build();
  }

  static SubscribeResponse events(long first, long last) {
    SubscribeResponse.Builder response =
        SubscribeResponse.newBuilder().setThroughSequence(last).setLatestSequence(last);
    for (long sequence = first; sequence <= last; sequence++) {
      response.addEvents(Event.newBuilder().setSequence(sequence));
    }
    return response.build();
  }

  static SubscribeResponse through(long sequence) {
    return SubscribeResponse.newBuilder().setThroughSequence(sequence).build();
  }

  static SubscribeResponse gap(long through) {
    Gap gap = Gap.newBuilder().setCause(Gap.Cause.CAUSE_EPOCH_CHANGED).build();
    return through(through).toBuilder().setGap(gap).build();
  }

  static SubscribeResponse caughtUp(long through) {
    return through(through).toBuilder().setCaughtUp(CaughtUp.getDefaultInstance()).build();
  }

  static SubscribeResponse closing(Closing.Reason reason, long through, int delayMillis) {
    Duration delay = Duration.newBuilder().setNanos(delayMillis * 1_000_000).build();
    Closing closing = Closing.newBuilder().setReason(reason).setRetryDelay(delay).build();
    return through(through).toBuilder().setClosing(closing).build();
  }

  /** An error as the sidecar sends it. */
  static RuntimeException failure(Status.Code code, String reason) {
    return failure(code, reason, -1);
  }

  static RuntimeException failure(Status.Code code, String reason, int retryMillis) {
    ErrorInfo info =
        ErrorInfo.newBuilder()
            .setDomain("tieline")
            .setReason(reason)
            .putMetadata("earliest_sequence", "7")
            .build();
    com.google.rpc.Status.Builder status =
        com.google.rpc.Status.newBuilder()
            .setCode(code.value())
            .setMessage("why")
            .addDetails(Any.pack(info));
    if (retryMillis >= 0) {
      Duration delay = Duration.newBuilder().setNanos(retryMillis * 1_000_000).build();
      status.addDetails(Any.pack(RetryInfo.newBuilder().setRetryDelay(delay).build()));
    }
    return StatusProto.toStatusRuntimeException(status.build());
  }
}
