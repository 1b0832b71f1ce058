package io.elder.embedded;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.InstanceOfAssertFactories.type;

import io.elder.runtime.Metrics;
import io.elder.runtime.Settings;
import io.elder.runtime.SettingsException;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PipelineSettingsTest {
    @TempDir
    Path folder;

    @Test
    void everythingThatIsWrongIsToldAtOnceAndNothingIsStarted() {
        Map<String, String> wrong = Map.ofEntries(
                Map.entry("LDAP_ENABLED", "true"),
                Map.entry("LDAP_SERVER", "localhost"),
                Map.entry("LDAP_PORT", "many"),
                Map.entry("LDAP_BASE_DM", "dc=x"),
                Map.entry("SINK_BATCH_SIZE", "0"),
                Map.entry("DELETE_BUDGET_PERCENT", "200"),
                Map.entry("DISCOVERY_MAX_CONCURENT", "3"),
                Map.entry("CONSOLE_HOST", "0.0.0.0"),
                Map.entry("JOBS_SOURCE", "guess"),
                Map.entry("HEALTH_CHECK_PORT", "x"),
                Map.entry("EMBEDDED_KAFKA_PORT", "-1"));
        try (Metrics metrics = new Metrics()) {
            assertThatThrownBy(() -> new Pipeline(folder, Settings.of(wrong), metrics))
                    .asInstanceOf(type(SettingsException.class))
                    .satisfies(e -> assertThat(e.problems())
                            .containsExactlyInAnyOrder(
                                    "LDAP_PORT: many (expected: 1 to 65535)",
                                    "LDAP_BASE_DM: no such setting (did you mean LDAP_BASE_DN?)",
                                    "SINK_BATCH_SIZE: 0 (expected: 1 to 10000)",
                                    "DELETE_BUDGET_PERCENT: 200 (expected: 0 to 100)",
                                    "DISCOVERY_MAX_CONCURENT: no such setting (did you mean DISCOVERY_MAX_CONCURRENT?)",
                                    "CONSOLE_TOKEN: not set (expected: a secret, since CONSOLE_HOST=0.0.0.0 is not loopback)",
                                    "JOBS_SOURCE: guess (expected: cdc, poll)",
                                    "HEALTH_CHECK_PORT: x (expected: 0 to 65535)",
                                    "EMBEDDED_KAFKA_PORT: -1 (expected: 0 to 65535)"));
        }
        assertThat(folder).isEmptyDirectory();
    }
}
