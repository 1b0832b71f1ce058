package io.elder.cdc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.elder.runtime.Settings;
import io.elder.runtime.SettingsException;
import io.elder.schemas.Topics;
import java.util.Map;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ConnectorConfigTest {
    private static JsonNode posted(Map<String, String> settings) throws Exception {
        return new ObjectMapper().readTree(CdcMain.connectorJson(Settings.of(settings)));
    }

    @Test
    void theJsonForAnotherClusterHoldsPlaceholdersOnly() throws Exception {
        JsonNode body = posted(Map.of(
                "CDC_DATABASE_URL", "postgres://capture:s3cret@db.example:6543/elder?sslmode=verify-full",
                "TOPIC_PREFIX", "prod.elder.",
                "CDC_HEARTBEAT_INTERVAL", "7s"));
        assertThat(body.get("name").asText()).isEqualTo("elder-worker");
        JsonNode config = body.get("config");
        assertThat(body.toString()).doesNotContain("s3cret");
        assertThat(config.get("database.password").asText()).isEqualTo("${env:CDC_DATABASE_PASSWORD}");
        assertThat(config.get("database.hostname").asText()).isEqualTo("db.example");
        assertThat(config.get("database.port").asText()).isEqualTo("6543");
        assertThat(config.get("database.dbname").asText()).isEqualTo("elder");
        assertThat(config.get("database.sslmode").asText()).isEqualTo("verify-full");
        assertThat(config.get("heartbeat.interval.ms").asText()).isEqualTo("7000");
        assertThat("prod.elder.cdc.public.identities"
                        .replaceAll(
                                config.get("transforms.topic.regex").asText(),
                                config.get("transforms.topic.replacement").asText()))
                .isEqualTo(new Topics("prod.elder.").cdc("identities").name());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "discovery_jobs.config_json",
                "discovery_jobs.config",
                "discovery_jobs.credential_mapping",
                "identities.password_hash",
                "identities.mfa_secret",
                "identities.metadata",
                "identity_groups.settings"
            })
    void columnsWithSecretsStayInTheDatabase(String column) throws Exception {
        JsonNode config = posted(Map.of("DATABASE_URL", "postgresql://a:b@c/d")).get("config");
        for (String pattern : config.get("column.include.list").asText().split(",")) {
            assertThat(Pattern.matches(pattern, "public." + column)).as(pattern).isFalse();
        }
    }

    @Test
    void everyWrongSettingIsNamed() {
        Settings settings = Settings.of(Map.of(
                "DATABASE_URL", "mysql://user:s3cret@host/db",
                "JOBS_SOURCE", "guess",
                "CDC_SLOT", "Elder-Slot",
                "CDC_SNAPSHOT_MODE", "always"));
        CdcSettings.from(settings);
        assertThatThrownBy(settings::check)
                .isInstanceOf(SettingsException.class)
                .hasMessageContainingAll(
                        "DATABASE_URL", "JOBS_SOURCE: guess", "CDC_SLOT: Elder-Slot", "CDC_SNAPSHOT_MODE")
                .message()
                .doesNotContain("s3cret");
    }
}
