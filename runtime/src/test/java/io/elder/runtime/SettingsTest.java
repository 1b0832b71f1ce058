package io.elder.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SettingsTest {
    @Test
    void everyWrongValueIsReportedAtOnceWithWhatWasExpected() {
        Settings settings = Settings.of(Map.of(
                "SYNC_BATCH_SIZE", "0", "LDAP_USE_SSL", "perhaps", "LDAP_SYNC_INTERVAL", "soon", "LDAP_SERVER", " "));
        settings.whole("SYNC_BATCH_SIZE", 100, 1, 10_000);
        settings.yes("LDAP_USE_SSL", false);
        settings.duration("LDAP_SYNC_INTERVAL", Duration.ofHours(1));
        settings.text("LDAP_SERVER");
        assertThatThrownBy(settings::check)
                .isInstanceOf(SettingsException.class)
                .hasMessageContaining("SYNC_BATCH_SIZE: 0 (expected: 1 to 10000)")
                .hasMessageContaining("LDAP_USE_SSL: perhaps (expected: true or false)")
                .hasMessageContaining("LDAP_SYNC_INTERVAL: soon (expected: seconds, or a number with ms, s, m, h or d)")
                .hasMessageContaining("LDAP_SERVER: not set (expected: a value)");
    }

    @Test
    void durationsAreSecondsUnlessTheySayTheirUnit() {
        Settings settings = Settings.of(Map.of("A", "3600", "B", "500ms", "C", "30d"));
        assertThat(settings.duration("A", Duration.ZERO)).isEqualTo(Duration.ofHours(1));
        assertThat(settings.duration("B", Duration.ZERO)).isEqualTo(Duration.ofMillis(500));
        assertThat(settings.duration("C", Duration.ZERO)).isEqualTo(Duration.ofDays(30));
        assertThat(settings.duration("D", Duration.ofSeconds(7))).isEqualTo(Duration.ofSeconds(7));
        settings.check();
    }

    @Test
    void durationsHaveBounds() {
        Settings settings = Settings.of(Map.of("A", "0", "B", "90", "C", "99999999999d", "D", "0s"));
        settings.duration("A", Duration.ofSeconds(7));
        settings.duration("B", Duration.ofDays(90), Duration.ofHours(1));
        settings.duration("C", Duration.ofSeconds(7));
        assertThat(settings.duration("D", Duration.ofSeconds(7), Duration.ZERO)).isZero();
        assertThatThrownBy(settings::check)
                .hasMessageContaining("A: 0 (expected: 1ms to 3650d)")
                .hasMessageContaining("B: 90 (expected: 3600s to 3650d)")
                .hasMessageContaining("C: 99999999999d (expected: 1ms to 3650d)")
                .hasMessageNotContaining("D:");
    }

    @Test
    void aSecretPrintsAsAsterisksAndKeepsItsBlanks() {
        Secret secret = Settings.of(Map.of("LDAP_BIND_PASSWORD", " pass word ")).secret("LDAP_BIND_PASSWORD");
        assertThat(secret).hasToString("***");
        assertThat(secret.value()).isEqualTo(" pass word ");
    }

    @Test
    void databaseUrlsOfEverySpellingAreUnderstood() {
        assertThat(Database.parse("postgres://elder:p%40ss@db:5433/elder?sslmode=require"))
                .hasValueSatisfying(database -> {
                    assertThat(database.jdbcUrl()).isEqualTo("jdbc:postgresql://db:5433/elder?sslmode=require");
                    assertThat(database.user()).isEqualTo("elder");
                    assertThat(database.password().value()).isEqualTo("p@ss");
                });
        assertThat(Database.parse("jdbc:postgresql://db/elder?user=u&password=p"))
                .hasValueSatisfying(database -> {
                    assertThat(database.jdbcUrl()).isEqualTo("jdbc:postgresql://db:5432/elder");
                    assertThat(database.user()).isEqualTo("u");
                });
        assertThat(Database.parse("mysql://db/elder")).isEmpty();
        Settings settings = Settings.of(Map.of("DB_URL", "nonsense with p4ss"));
        Database.from(settings);
        assertThatThrownBy(settings::check)
                .hasMessageContaining("not a PostgreSQL URL")
                .hasMessageNotContaining("p4ss");
    }

    @Test
    void aDotEnvFileIsReadAsComposeReadsIt(@TempDir Path folder) throws IOException {
        Path file = folder.resolve(".env");
        Files.writeString(file, "# comment\nA=1\nexport B=\"two words\" \nC='x=y'\nD=3600  # every hour\nE=\n");
        assertThat(Launcher.dotEnv(file))
                .containsOnly(
                        Map.entry("A", "1"),
                        Map.entry("B", "two words"),
                        Map.entry("C", "x=y"),
                        Map.entry("D", "3600"),
                        Map.entry("E", ""));
    }

    @Test
    void kafkaSettingsOfTheEnvironmentReachEveryClient() {
        KafkaClients kafka = new KafkaClients(Settings.of(Map.of(
                "KAFKA_BOOTSTRAP_SERVERS", "k:9", "KAFKA_SECURITY_PROTOCOL", "SASL_SSL", "TOPIC_PREFIX", "team.")));
        assertThat(kafka.consumer("sink"))
                .containsEntry("bootstrap.servers", "k:9")
                .containsEntry("security.protocol", "SASL_SSL")
                .containsEntry("group.id", "team-sink");
        assertThat(kafka.common()).doesNotContainKey("elder.value.serializer");
        String named = "org.apache.kafka.common.serialization.StringSerializer";
        assertThat(new KafkaClients(Settings.of(Map.of("KAFKA_VALUE_SERIALIZER", named))).producer("x"))
                .containsEntry("elder.value.serializer", named)
                .doesNotContainKey("value.serializer");
        assertThat(kafka.topics().raw("ldap").name()).isEqualTo("team.raw.ldap");
    }
}
