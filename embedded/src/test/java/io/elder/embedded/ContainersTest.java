package io.elder.embedded;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.elder.runtime.KafkaClients;
import io.elder.runtime.Settings;
import io.elder.runtime.TopicCreation;
import io.elder.schemas.db.DatabaseShape;
import io.elder.schemas.db.Migrations;
import java.sql.Connection;
import java.sql.DriverManager;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.testcontainers.DockerClientFactory;
import org.testcontainers.kafka.KafkaContainer;
import org.testcontainers.postgresql.PostgreSQLContainer;

/** What {@code docker-compose.yml} prepares, on the images that it names: for whoever has a Docker engine. */
class ContainersTest {
    @BeforeAll
    static void needsDocker() {
        boolean available = DockerClientFactory.instance().isDockerAvailable();
        if (!available) {
            System.err.println("SKIPPED: ContainersTest needs a Docker engine, and there is none");
        }
        assumeTrue(available, "a Docker engine");
    }

    @Test
    void theDatabaseIsMigratedAndTheTopicsAreCreated() throws Exception {
        try (PostgreSQLContainer postgres =
                        new PostgreSQLContainer("postgres:17").withCommand("postgres", "-c", "wal_level=logical");
                KafkaContainer broker = new KafkaContainer("apache/kafka:4.1.0")) {
            postgres.start();
            broker.start();
            Migrations.migrate(postgres.getJdbcUrl(), postgres.getUsername(), postgres.getPassword());
            try (Connection connection = DriverManager.getConnection(
                    postgres.getJdbcUrl(), postgres.getUsername(), postgres.getPassword())) {
                assertThat(DatabaseShape.detect(connection)).isEqualTo(DatabaseShape.A);
            }
            KafkaClients kafka =
                    new KafkaClients(Settings.of(Map.of("KAFKA_BOOTSTRAP_SERVERS", broker.getBootstrapServers())));
            assertThat(TopicCreation.createMissing(kafka))
                    .hasSameSizeAs(kafka.topics().all());
            assertThat(TopicCreation.createMissing(kafka)).isEmpty();
        }
    }
}
