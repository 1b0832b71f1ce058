package io.elder.runtime;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
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

    private record Idle() implements Component {
        @Override
        public void start() {}

        @Override
        public Health health() {
            return Health.notReady("idle");
        }

        @Override
        public Map<String, Object> status() {
            return Map.of();
        }

        @Override
        public void close() {}
    }
}
