package io.elder.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.elder.schemas.avro.Verdict;
import io.elder.schemas.serde.AvroSerializer;
import io.elder.schemas.serde.SchemaRegistryAwayException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Instant;
import java.util.Map;
import org.junit.jupiter.api.Test;

class OpsServerTest {
    @Test
    void aTakenPortIsOneLineThatNamesTheSetting() throws IOException {
        try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
                Metrics metrics = new Metrics()) {
            assertThatThrownBy(() -> new OpsServer("127.0.0.1", taken.getLocalPort(), "test", new Idle(), metrics))
                    .isInstanceOf(PortTakenException.class)
                    .hasMessageStartingWith("HEALTH_CHECK_PORT: can't listen on 127.0.0.1:" + taken.getLocalPort());
        }
    }

    @Test
    void aRegistryThatIsWaitedForIsAReason() throws Exception {
        try (Metrics metrics = new Metrics();
                OpsServer ops = new OpsServer("127.0.0.1", 0, "test", new Idle(), metrics);
                AvroSerializer<Verdict> serializer = new AvroSerializer<>()) {
            assertThat(healthz(ops).statusCode()).isEqualTo(200);
            serializer.configure(
                    Map.of("schema.registry.url", "http://127.0.0.1:1", "schema.registry.patience.ms", 1), false);
            Verdict verdict =
                    new Verdict("scope", "run", "attempt", Instant.now(), "delete", null, null, 1, null, null, 0L);
            assertThatThrownBy(() -> serializer.serialize("verdicts", verdict))
                    .isInstanceOf(SchemaRegistryAwayException.class);
            assertThat(healthz(ops).statusCode()).isEqualTo(503);
            assertThat(healthz(ops).body())
                    .contains("schema registry http://127.0.0.1:1 could not be asked to register");
        }
    }

    private static HttpResponse<String> healthz(OpsServer ops) throws IOException, InterruptedException {
        try (HttpClient http = HttpClient.newHttpClient()) {
            return http.send(
                    HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + ops.port() + "/healthz"))
                            .build(),
                    HttpResponse.BodyHandlers.ofString());
        }
    }

    private record Idle() implements Component {
        @Override
        public void start() {}

        @Override
        public Health health() {
            return Health.OK;
        }

        @Override
        public Map<String, Object> status() {
            return Map.of();
        }

        @Override
        public void close() {}
    }
}
