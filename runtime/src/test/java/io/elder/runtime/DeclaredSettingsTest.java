package io.elder.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.InstanceOfAssertFactories.type;

import java.util.Map;
import org.junit.jupiter.api.Test;

class DeclaredSettingsTest {
    private static final DeclaredSettings DECLARED = DeclaredSettings.of("""
            # Everywhere
            own SINK_ ELDER_
            foreign ELDER_TEST_* SINK_OF_OTHERS
            SINK_BATCH_SIZE | `1000` | records of one transaction
            DATABASE_URL || where
            KAFKA_BOOTSTRAP_SERVERS | `localhost:9092` | the cluster

            @providers

            # Names of the former worker
            ignored
            SINK_OLD || nothing
            """, """
            # Zeta
            ZETA_ENABLED | `false` | run it
            """, """
            # LDAP
            > More elsewhere.
            LDAP_SERVER || host
            LDAP_PORT | 389 |
            """);

    @Test
    void unknownNamesOfOurOwnPrefixesAreReportedTogetherWithWrongValues() {
        Settings settings = Settings.of(Map.of(
                "SINK_BATCH_SIZ", "5", "SINK_FROBNICATE", "s3cret", "LDAP_SREVER", "s3cret", "LDAP_PORT", "many"));
        DECLARED.noteUnknown(settings);
        settings.whole("LDAP_PORT", 389, 1, 65535);
        assertThatThrownBy(settings::check)
                .asInstanceOf(type(SettingsException.class))
                .satisfies(e -> assertThat(e.problems())
                        .containsExactly(
                                "LDAP_SREVER: no such setting (did you mean LDAP_SERVER?)",
                                "SINK_BATCH_SIZ: no such setting (did you mean SINK_BATCH_SIZE?)",
                                "SINK_FROBNICATE: no such setting (expected: one of docs/configuration.md)",
                                "LDAP_PORT: many (expected: 1 to 65535)"));
    }

    @Test
    void variablesOfOtherSoftwareDoNotBreakTheStart() {
        Settings settings = Settings.of(Map.ofEntries(
                Map.entry("KAFKA_SASL_MECHANISM", "PLAIN"),
                Map.entry("KAFKA_HEAP_OPTS", "-Xmx1g"),
                Map.entry("LDAP_ADMIN_PASSWORD", "x"),
                Map.entry("LDAP_HOST", "x"),
                Map.entry("LDAPURI", "x"),
                Map.entry("LDAP_SERVER", "ours"),
                Map.entry("LDAP_SERVERS", "theirs, as ours is set"),
                Map.entry("AWS_REGION", "eu-west-1"),
                Map.entry("KUBERNETES_SERVICE_HOST", "10.0.0.1"),
                Map.entry("SINK_SERVICE_HOST", "10.0.0.2"),
                Map.entry("SINK_PORT", "tcp://10.0.0.2:8000"),
                Map.entry("SINK_PORT_8000_TCP_ADDR", "10.0.0.2"),
                Map.entry("ELDER_WORKER_SERVICE_PORT_HTTP", "8000"),
                Map.entry("ELDER_TEST_SERVER", "x"),
                Map.entry("SINK_OF_OTHERS", "x"),
                Map.entry("SINK_OLD", "x"),
                Map.entry("PATH", "/bin"),
                Map.entry("_", "x")));
        DECLARED.noteUnknown(settings);
        assertThatCode(settings::check).doesNotThrowAnyException();
    }

    @Test
    void thePageHasProvidersInTheirPlaceByName() {
        assertThat(DECLARED.page())
                .containsSubsequence("## Everywhere", "## LDAP", "More elsewhere.", "## Zeta", "## Names of the former")
                .contains("| `LDAP_SERVER` | | host |", "| `LDAP_PORT` | 389 | |");
        assertThat(DECLARED.namesRead()).contains("ZETA_ENABLED").doesNotContain("SINK_OLD");
    }

    @Test
    void aClassThatIsNoSerializerIsAWrongSetting() {
        Settings settings = Settings.of(Map.of(
                "KAFKA_VALUE_SERIALIZER", "com.example.Missing", "KAFKA_VALUE_DESERIALIZER", "java.lang.String"));
        new KafkaClients(settings);
        assertThatThrownBy(settings::check)
                .hasMessageContaining(
                        "KAFKA_VALUE_SERIALIZER: com.example.Missing (expected: a class of the class path")
                .hasMessageContaining("KAFKA_VALUE_DESERIALIZER: java.lang.String (expected: ");
    }
}
