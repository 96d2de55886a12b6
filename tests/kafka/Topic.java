// What a topic holds to a reader of committed records, by Kafka's own client: a line of JSON for each
// record, then one with how many offsets there are in all.
//
//   java -cp 'lib/*' Topic.java BOOTSTRAP TOPIC

import java.io.BufferedOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

public class Topic {
  private static final Duration PATIENCE = Duration.ofSeconds(30);

  public static void main(String[] arguments) {
    Properties settings = new Properties();
    settings.put("bootstrap.servers", arguments[0]);
    settings.put("isolation.level", "read_committed");
    settings.put("auto.offset.reset", "earliest");
    settings.put("enable.auto.commit", "false");
    try (var consumer =
        new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
      List<TopicPartition> partitions =
          consumer.partitionsFor(arguments[1], PATIENCE).stream()
              .map(info -> new TopicPartition(info.topic(), info.partition()))
              .toList();
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      // To a reader of committed records this is where the first open transaction begins.
      Map<TopicPartition, Long> ends = consumer.endOffsets(partitions, PATIENCE);
      PrintStream out = new PrintStream(new BufferedOutputStream(System.out, 1 << 16));
      long heard = System.nanoTime();
      while (partitions.stream().anyMatch(p -> consumer.position(p) < ends.get(p))) {
        for (var record : consumer.poll(Duration.ofMillis(200))) {
          out.println(line(record));
          heard = System.nanoTime();
        }
        if (System.nanoTime() - heard > PATIENCE.toNanos()) {
          throw new IllegalStateException("the end of the topic is not reached");
        }
      }
      long offsets = ends.values().stream().mapToLong(Long::longValue).sum();
      out.println("{\"offsets\":" + offsets + "}");
      out.flush();
    }
  }

  private static String line(ConsumerRecord<byte[], byte[]> record) {
    StringBuilder headers = new StringBuilder();
    for (Header header : record.headers()) {
      headers.append(headers.length() == 0 ? "" : ",");
      headers.append('"').append(header.key()).append("\":\"").append(base64(header.value())).append('"');
    }
    return "{\"partition\":%d,\"offset\":%d,\"key\":\"%s\",\"value\":\"%s\",\"headers\":{%s}}"
        .formatted(record.partition(), record.offset(), base64(record.key()), base64(record.value()), headers);
  }

  private static String base64(byte[] bytes) {
    return Base64.getEncoder().encodeToString(bytes == null ? "".getBytes(StandardCharsets.UTF_8) : bytes);
  }
}
