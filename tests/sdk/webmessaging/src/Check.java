// The vendor's client opens a socket, configures a session, sends a message and sees its echo, hears
// the agent, asks after health, reads the history, uploads a file, sees the conversation end, resumes,
// is superseded, begins anew, expires, and disconnects.

import cloud.genesys.webmessaging.sdk.ApiClient;
import cloud.genesys.webmessaging.sdk.WebMessagingClient;
import cloud.genesys.webmessaging.sdk.api.WebMessagingApi;
import cloud.genesys.webmessaging.sdk.api.request.GetWebmessagingMessagesRequest;
import cloud.genesys.webmessaging.sdk.model.*;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;

public final class Check {
  private static final int PATIENCE_SECONDS = 20;
  private static final String ORIGIN = "https://www.example.org";
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final HttpClient HTTP = HttpClient.newHttpClient();

  private final JsonNode sandbox;
  private final String endpoint;
  private final String deployment;
  private final String token = UUID.randomUUID().toString();

  private Check(JsonNode sandbox) {
    this.sandbox = sandbox;
    this.endpoint = sandbox.get("endpoint").asText().replaceAll("/$", "");
    this.deployment = sandbox.get("deployment_id").asText();
  }

  /** What a client was told, each with the method that told it. */
  private static final class Heard implements WebMessagingClient.SessionListener {
    private final BlockingQueue<Map.Entry<String, Object>> queue = new LinkedBlockingQueue<>();

    private void put(String kind, Object what) {
      queue.add(Map.entry(kind, what));
    }

    /** The next of a kind that a test accepts; anything else that comes before is a failure. */
    @SuppressWarnings("unchecked")
    <T> T next(String kind, Predicate<T> accept) throws Exception {
      Map.Entry<String, Object> told = queue.poll(PATIENCE_SECONDS, TimeUnit.SECONDS);
      check(told != null, "nothing came instead of " + kind);
      check(told.getKey().equals(kind), told + " came instead of " + kind);
      check(accept.test((T) told.getValue()), "unexpected " + told);
      return (T) told.getValue();
    }

    @Override public void sessionResponse(SessionResponse response, String raw) { put("session", response); }
    @Override public void structuredMessage(StructuredMessage message, String raw) { put("message", message); }
    @Override public void presignedUrlResponse(PresignedUrlResponse response, String raw) { put("address", response); }
    @Override public void uploadSuccessEvent(UploadSuccessEvent event, String raw) { put("uploaded", event); }
    @Override public void uploadFailureEvent(UploadFailureEvent event, String raw) { put("not uploaded", event); }
    @Override public void connectionClosedEvent(ConnectionClosedEvent event, String raw) { put("superseded", event); }
    @Override public void sessionExpiredEvent(SessionExpiredEvent event, String raw) { put("expired", event); }
    @Override public void sessionClearedEvent(SessionClearedEvent event, String raw) { put("cleared", event); }
    @Override public void getConfigurationResponse(GetConfigurationResponse response, String raw) { put("configuration", response); }
    @Override public void jwtResponse(JwtResponse response, String raw) { put("jwt", response); }
    @Override public void unexpectedMessage(BaseMessage message, String raw) { put("unexpected", raw); }
    @Override public void webSocketConnected() { put("connected", ""); }
    @Override public void webSocketDisconnected(int status, String reason) { put("disconnected", status); }
    @Override public void webSocketError(String reason) { put("error", String.valueOf(reason)); }
  }

  private static void check(boolean good, String problem) {
    if (!good) {
      throw new AssertionError(problem);
    }
  }

  private static void passed(String step) {
    System.out.println("ok   " + step);
  }

  private JsonNode control(String method, String path, String body) throws Exception {
    HttpRequest request = HttpRequest.newBuilder(URI.create(sandbox.get("control").asText() + "/" + path))
        .method(method, HttpRequest.BodyPublishers.ofString(body)).build();
    HttpResponse<String> answer = HTTP.send(request, HttpResponse.BodyHandlers.ofString());
    check(answer.statusCode() == 200, path + ": " + answer.body());
    return JSON.readTree(answer.body());
  }

  private WebMessagingClient connect(Heard heard) throws Exception {
    WebMessagingClient client = new WebMessagingClient(endpoint.replaceFirst("^http", "ws") + "/v1");
    client.setApiClient(ApiClient.Builder.standard().withBasePath(endpoint).build());
    client.addSessionListener(heard);
    client.connect(deployment, ORIGIN);
    heard.next("connected", told -> true);
    return client;
  }

  private SessionResponse configure(WebMessagingClient client, Heard heard, boolean startNew) throws Exception {
    String tracing = UUID.randomUUID().toString();
    client.configureSession(deployment, token, ORIGIN, tracing, Optional.of(startNew));
    return heard.next("session", (SessionResponse told) -> tracing.equals(told.getTracingId()));
  }

  private void run() throws Exception {
    Heard heard = new Heard();
    WebMessagingClient client = connect(heard);
    SessionResponse session = configure(client, heard, false);
    check(session.getConnected() && session.getNewSession() && !session.getReadOnly(), session.toString());
    check(client.isMimeTypeAllowedInbound("image/png"), "images are allowed");
    passed("a session is configured");

    String tracing = UUID.randomUUID().toString();
    client.sendMessage("Where is my parcel?", Map.of("order", "17"), tracing);
    heard.next("message", (StructuredMessage told) -> tracing.equals(told.getTracingId())
        && told.getDirection().toString().equals("Inbound") && told.getText().equals("Where is my parcel?"));
    JsonNode taken = control("GET", "messages", "").get("messages").get(0);
    check(taken.get("request_id").asText().equals(tracing), taken.toString());
    check(taken.get("attributes").get("order").asText().equals("17"), taken.toString());
    passed("a message is echoed and recorded, with its attributes");

    heard.next("message", (StructuredMessage told) -> told.getDirection().toString().equals("Outbound")
        && told.getText().equals("Where is my parcel?"));
    passed("the agent answers");

    control("POST", "sessions/" + token + "/say", "{\"text\":\"Which?\",\"choices\":[\"a\",\"b\"]}");
    heard.next("message", (StructuredMessage told) -> told.getContent().size() == 2
        && told.getContent().get(1).getContentType().toString().equals("QuickReply"));
    passed("quick replies are understood");

    String echo = UUID.randomUUID().toString();
    client.ping(echo);
    heard.next("message", (StructuredMessage told) -> echo.equals(told.getTracingId()) && told.getText().equals("ping"));
    passed("health is answered");

    client.getJwt();
    JwtResponse jwt = heard.next("jwt", told -> true);
    history(jwt.getJwt());
    passed("the history has all of it, newest first");

    attach(client, heard);
    passed("a file is uploaded and announced");

    control("POST", "sessions/" + token + "/end", "");
    heard.next("message", (StructuredMessage told) ->
        told.getEvents().get(0).getPresence().getType().toString().equals("Disconnect"));
    passed("the agent ends the conversation");

    Heard second = new Heard();
    WebMessagingClient later = connect(second);
    SessionResponse resumed = configure(later, second, false);
    check(!resumed.getNewSession() && resumed.getReadOnly(), resumed.toString());
    SessionResponse anew = configure(later, second, true);
    check(anew.getNewSession() && !anew.getReadOnly(), anew.toString());
    passed("an ended conversation is read only until another begins");

    control("POST", "sessions/" + token + "/supersede", "");
    heard.next("superseded", told -> true);
    heard.next("disconnected", (Integer status) -> status == 1000);
    second.next("superseded", told -> true);
    second.next("disconnected", (Integer status) -> status == 1000);
    passed("superseded connections are told so and closed");

    Heard third = new Heard();
    WebMessagingClient last = connect(third);
    configure(last, third, false);
    control("POST", "sessions/" + token + "/expire", "");
    third.next("expired", told -> true);
    last.sendMessage("Hello?");
    third.next("unexpected", (String raw) -> raw.contains("4006"));
    passed("an expired session takes nothing");

    last.disconnect();
    third.next("disconnected", (Integer status) -> status == 1000);
    passed("it disconnects");
  }

  /** The client's request for the history names no authorization (18.1.0), so it is added here. */
  private void history(String jwt) throws Exception {
    WebMessagingMessageEntityList page = new WebMessagingApi().getWebmessagingMessages(
        GetWebmessagingMessagesRequest.builder().withPageSize(25).build()
            .withCustomHeader("Authorization", "bearer " + jwt));
    check(page.getTotal() == 3, "there are " + page.getTotal());
    check(page.getEntities().get(0).getText().equals("Which?"), page.toString());
    check(page.getEntities().get(2).getText().equals("Where is my parcel?"), page.toString());
  }

  private void attach(WebMessagingClient client, Heard heard) throws Exception {
    client.attachment("cat.png", 3, "image/png");
    PresignedUrlResponse address = heard.next("address", told -> true);
    HttpRequest.Builder put = HttpRequest.newBuilder(URI.create(address.getUrl()))
        .PUT(HttpRequest.BodyPublishers.ofString("cat"));
    address.getHeaders().forEach(put::header);
    check(HTTP.send(put.build(), HttpResponse.BodyHandlers.ofString()).statusCode() == 200, "the upload is refused");
    heard.next("uploaded", (UploadSuccessEvent told) -> told.getAttachmentId().equals(address.getAttachmentId()));
  }

  public static void main(String[] arguments) {
    try {
      new Check(JSON.readTree(arguments[0])).run();
      System.exit(0);
    } catch (Throwable failure) {
      System.err.println("FAIL " + failure);
      failure.printStackTrace();
      System.exit(1);
    }
  }
}
