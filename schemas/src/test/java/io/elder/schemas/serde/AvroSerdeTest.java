package io.elder.schemas.serde;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.elder.schemas.avro.RawRecord;
import io.elder.schemas.avro.RawResource;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.common.errors.SerializationException;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serializer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class AvroSerdeTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final List<String> schemas = new ArrayList<>();
    private final List<String> requests = new ArrayList<>();
    private HttpServer server;

    @AfterEach
    void stop() {
        if (server != null) {
            server.stop(0);
        }
    }

    @Test
    void whatIsWrittenIsReadFromManyThreadsAtOnce() throws Exception {
        Map<String, Object> settings = Map.of("schema.registry.url", "inprocess://threads");
        try (AvroSerializer<RawRecord> serializer = new AvroSerializer<>();
                AvroDeserializer<RawRecord> deserializer = new AvroDeserializer<>();
                ExecutorService threads = Executors.newFixedThreadPool(8)) {
            serializer.configure(settings, false);
            deserializer.configure(settings, false);
            List<Callable<RawRecord>> work = new ArrayList<>();
            for (int i = 0; i < 2_000; i++) {
                RawRecord record = record("x".repeat(i));
                work.add(() -> deserializer.deserialize("t", serializer.serialize("t", record)));
            }
            int length = 0;
            for (Future<RawRecord> read : threads.invokeAll(work)) {
                assertThat(read.get()).isEqualTo(record("x".repeat(length++)));
            }
        }
    }

    @Test
    void aRestRegistryIsAskedOnceAndMayThenGoAway() throws Exception {
        Map<String, Object> settings = Map.of(
                "schema.registry.url",
                startRegistry() + ",http://127.0.0.1:1",
                "basic.auth.credentials.source",
                "USER_INFO",
                "basic.auth.user.info",
                "reader:hidden",
                "schema.registry.patience.ms",
                100);
        try (AvroSerializer<RawRecord> serializer = new AvroSerializer<>();
                AvroDeserializer<RawRecord> deserializer = new AvroDeserializer<>()) {
            serializer.configure(settings, false);
            deserializer.configure(settings, false);
            byte[] bytes = serializer.serialize("elder.raw.ldap", record("{}"));
            assertThat(bytes[0]).isZero();
            assertThat(deserializer.deserialize("elder.raw.ldap", bytes)).isEqualTo(record("{}"));
            server.stop(0);
            assertThat(deserializer.deserialize(
                            "elder.raw.ldap", serializer.serialize("elder.raw.ldap", record("{\"a\":1}"))))
                    .isEqualTo(record("{\"a\":1}"));
            assertThat(requests)
                    .containsExactly(
                            "POST /subjects/elder.raw.ldap-value/versions Basic cmVhZGVyOmhpZGRlbg==",
                            "GET /schemas/ids/1 Basic cmVhZGVyOmhpZGRlbg==");
            assertThatThrownBy(() -> serializer.serialize("another", record("{}")))
                    .as("nothing is wrong with the record")
                    .isInstanceOf(SchemaRegistryAwayException.class)
                    .isNotInstanceOf(SerializationException.class)
                    .hasMessageContaining("register io.elder.schemas.avro.RawRecord under another-value")
                    .hasMessageNotContaining("hidden");
        }
    }

    @Test
    void aRestRegistryThatIsAwayForAMomentIsWaitedFor() throws Exception {
        String url = startRegistry();
        int port = server.getAddress().getPort();
        server.stop(0);
        try (AvroSerializer<RawRecord> serializer = new AvroSerializer<>();
                ExecutorService threads = Executors.newSingleThreadExecutor()) {
            serializer.configure(Map.of("schema.registry.url", url), false);
            Future<byte[]> written = threads.submit(() -> serializer.serialize("later", record("{}")));
            Thread.sleep(1200);
            assertThat(written).isNotDone();
            assertThat(SchemaRegistry.troubles()).anySatisfy(said -> assertThat(said)
                    .contains(url, "register io.elder.schemas.avro.RawRecord under later-value")
                    .doesNotContain("null"));
            startRegistry(port);
            assertThat(written.get(10, TimeUnit.SECONDS)).startsWith((byte) 0);
            assertThat(SchemaRegistry.troubles()).noneMatch(said -> said.contains(url));
        }
    }

    @Test
    void bytesThatAreNotOursAreRefusedWithWhatWasExpected() {
        try (AvroDeserializer<RawRecord> deserializer = new AvroDeserializer<>()) {
            deserializer.configure(Map.of("schema.registry.url", "inprocess://refuse"), false);
            assertThatThrownBy(() -> deserializer.deserialize("t", "{\"json\":1}".getBytes(StandardCharsets.UTF_8)))
                    .isInstanceOf(SerializationException.class)
                    .hasMessageContaining("expected: Avro in Confluent's wire format");
            assertThatThrownBy(() -> deserializer.deserialize("t", new byte[] {0, 0, 0, 0, 9, 1, 2}))
                    .isInstanceOf(SerializationException.class)
                    .hasMessageContaining("schema id 9");
        }
    }

    @Test
    void aSitesOwnClassesDoTheWorkWhereTheyAreNamed() {
        Map<String, Object> settings = Map.of(
                "schema.registry.url",
                "inprocess://own",
                AvroSerializer.SITES_OWN,
                TheirSerializer.class.getName(),
                AvroDeserializer.SITES_OWN,
                TheirDeserializer.class.getName());
        try (AvroSerializer<RawRecord> serializer = new AvroSerializer<>();
                AvroDeserializer<RawRecord> deserializer = new AvroDeserializer<>()) {
            serializer.configure(settings, false);
            deserializer.configure(settings, false);
            byte[] bytes = serializer.serialize("t", record("{}"));
            assertThat(bytes).startsWith("theirs inprocess://own".getBytes(StandardCharsets.UTF_8));
            assertThat(deserializer.deserialize("t", bytes)).isEqualTo(record("{}"));
            assertThatThrownBy(() -> deserializer.deserialize("t", new byte[] {1}))
                    .isInstanceOf(SerializationException.class)
                    .hasMessageContaining("gave java.lang.String (expected: a record of io.elder.schemas.avro)");
            assertThat(serializer.serialize("t", null)).isNull();
        }
    }

    /** As Confluent's: untyped, configured with the registry's settings. */
    public static final class TheirSerializer implements Serializer<Object> {
        private String mark = "";

        @Override
        public void configure(Map<String, ?> configuration, boolean isKey) {
            mark = "theirs " + configuration.get("schema.registry.url");
        }

        @Override
        public byte[] serialize(String topic, Object record) {
            try {
                ByteBuffer body = ((RawRecord) record).toByteBuffer();
                return ByteBuffer.allocate(mark.length() + body.remaining())
                        .put(mark.getBytes(StandardCharsets.UTF_8))
                        .put(body)
                        .array();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    /** Reads what {@link TheirSerializer} wrote, and anything else as text. */
    public static final class TheirDeserializer implements Deserializer<Object> {
        private int skipped;

        @Override
        public void configure(Map<String, ?> configuration, boolean isKey) {
            assertThat(configuration.get("specific.avro.reader")).isEqualTo(true);
            skipped = ("theirs " + configuration.get("schema.registry.url")).length();
        }

        @Override
        public Object deserialize(String topic, byte[] bytes) {
            try {
                return bytes.length < skipped
                        ? "text"
                        : RawRecord.fromByteBuffer(ByteBuffer.wrap(bytes, skipped, bytes.length - skipped)
                                .slice());
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    private String startRegistry() throws IOException {
        return startRegistry(0);
    }

    private String startRegistry(int port) throws IOException {
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 0);
        server.createContext("/", this::answer);
        server.start();
        return "http://127.0.0.1:" + server.getAddress().getPort();
    }

    private void answer(HttpExchange exchange) throws IOException {
        requests.add(exchange.getRequestMethod() + " " + exchange.getRequestURI() + " "
                + exchange.getRequestHeaders().getFirst("Authorization"));
        String answer;
        if (exchange.getRequestMethod().equals("POST")) {
            JsonNode body = JSON.readTree(exchange.getRequestBody());
            schemas.add(body.get("schema").asText());
            answer = "{\"id\":" + schemas.size() + "}";
        } else {
            int id = Integer.parseInt(exchange.getRequestURI().getPath().replaceAll(".*/", ""));
            answer = JSON.createObjectNode().put("schema", schemas.get(id - 1)).toString();
        }
        byte[] bytes = answer.getBytes(StandardCharsets.UTF_8);
        exchange.sendResponseHeaders(200, bytes.length);
        exchange.getResponseBody().write(bytes);
        exchange.close();
    }

    private static RawRecord record(String payload) {
        return RawRecord.newBuilder()
                .setScope("ldap/host/-/ldap_user")
                .setProvider("ldap")
                .setKind("ldap_user")
                .setRunId("1.a")
                .setAttempt("b")
                .setObservedAt(Instant.ofEpochMilli(1_700_000_000_000L))
                .setDeadline(Instant.ofEpochMilli(1_700_000_100_000L))
                .setBody(new RawResource("ldap/host/ldap_user/1", payload))
                .build();
    }
}
