package io.elder.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.elder.embedded.servers.EmbeddedDatabase;
import io.elder.runtime.KafkaClients;
import io.elder.runtime.WholeTopics;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A thousand records that nobody can read among a million that are right, and a normalizer that is killed over them. */
class PoisonTest {
    private static final int RECORDS = 1_000_000;
    private static final int KILLS = 5;
    private static final Duration PATIENCE = Duration.ofMinutes(10);

    @TempDir
    Path folder;

    @Test
    @Tag("faults")
    void eachIsInTheDeadLettersOnceAndAllOthersInTheInventoryOnce() throws Exception {
        try (Servers servers = Servers.prepared(folder, EmbeddedDatabase.Durability.FAST);
                RoleProcesses roles = new RoleProcesses(folder, servers.environment())) {
            KafkaClients kafka = servers.kafka();
            roles.start("normalizer");
            roles.awaitHealthy(Duration.ofMinutes(1));
            FaultPoison poison = new FaultPoison(kafka, "aws", 100, 20);
            CompletableFuture<Void> right =
                    CompletableFuture.runAsync(() -> RawFeed.send(kafka, RawFeed.all(RECORDS, 0, 0)));
            CompletableFuture<Void> wrong = CompletableFuture.runAsync(() -> send(poison));
            for (int kills = 0; kills < KILLS; kills++) {
                Thread.sleep(5000);
                roles.killAndRestart("normalizer");
                roles.awaitHealthy(Duration.ofMinutes(1));
            }
            CompletableFuture.allOf(right, wrong).get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
            assertThat(poison.sent()).isEqualTo(1000);

            try (Admin admin = Admin.create(kafka.common())) {
                String topic = kafka.topics().raw("aws").name();
                await().atMost(PATIENCE)
                        .pollInterval(Duration.ofSeconds(1))
                        .until(() ->
                                RawFeed.committed(admin, kafka.group("normalizer"), topic) == RECORDS + poison.sent());
            }
            Rows rows = rows(kafka);
            assertThat(rows.keys()).hasSize(RECORDS);
            assertThat(rows.records()).as("exactly once").isEqualTo(RECORDS);
            assertThat(poison.differences()).isEmpty();
        }
    }

    private static void send(FaultPoison poison) {
        try {
            poison.send();
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    /** @param keys their hashes, which differ */
    private record Rows(Set<Integer> keys, long records) {}

    private static Rows rows(KafkaClients kafka) {
        Set<Integer> keys = new HashSet<>();
        AtomicLong records = new AtomicLong();
        try (KafkaConsumer<String, byte[]> consumer = new KafkaConsumer<>(
                kafka.consumer("poison-rows"), new StringDeserializer(), new ByteArrayDeserializer())) {
            WholeTopics.read(consumer, List.of(kafka.topics().inventory().name()), row -> {
                records.incrementAndGet();
                keys.add(Integer.parseUnsignedInt(row.key().substring(row.key().length() - 8), 16));
            });
        }
        return new Rows(keys, records.get());
    }
}
