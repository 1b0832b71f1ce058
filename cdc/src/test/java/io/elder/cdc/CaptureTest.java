package io.elder.cdc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.elder.runtime.Component;
import io.elder.runtime.Metrics;
import io.elder.schemas.RunId;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CaptureTest {
    private static final Duration PATIENCE = Duration.ofSeconds(60);

    @TempDir
    Path directory;

    @Test
    void changesArriveOnceWithoutSecretsAndARestartContinues() throws Exception {
        try (Site site = new Site(directory).withPublication()) {
            site.job("before");
            try (Component cdc = started(site, Map.of())) {
                awaitReady(cdc);
                await().atMost(PATIENCE).until(() -> site.jobs().size() == 1);
                site.job("after");
                await().atMost(PATIENCE).until(() -> site.jobs().size() == 2);
                site.execute("UPDATE discovery_jobs SET next_run_at = '2026-05-06T07:08:09Z' WHERE name = 'after'");
                site.execute("INSERT INTO identities (tenant_id, identity_type, username, auth_provider, password_hash,"
                        + " mfa_secret, is_active) VALUES (1, 'EMPLOYEE', 'ldap:a', 'LDAP', 'canary-hash', 'canary-mfa',"
                        + " true)");
                site.execute("INSERT INTO identity_group_memberships (identity_id, group_id, provider_member_id)"
                        + " VALUES (1, 7, 'cn=a')");
                site.execute("DELETE FROM identity_group_memberships");
                await().atMost(PATIENCE)
                        .until(() ->
                                site.records("cdc.identity_group_memberships").size() == 3);
                await().atMost(PATIENCE).until(() -> site.jobs().size() == 3);
            }
            site.job("while away");
            try (Component cdc = started(site, Map.of())) {
                awaitReady(cdc);
                site.execute("DELETE FROM discovery_jobs WHERE name = 'before'");
                await().atMost(PATIENCE).until(() -> site.jobs().size() >= 6);
            }

            List<ConsumerRecord<byte[], byte[]>> jobs = site.jobs();
            List<String> operations = new ArrayList<>();
            for (ConsumerRecord<byte[], byte[]> record : jobs) {
                operations.add(Site.key(record)
                        + (record.value() == null
                                ? "-"
                                : Site.json(record).get("op").asText()));
                assertThat(record.partition()).isEqualTo(RunId.partition(Site.key(record), 3));
            }
            assertThat(operations).containsExactlyInAnyOrder("1r", "2c", "2u", "3c", "1d", "1-");
            JsonNode update = jobs.stream()
                    .filter(record -> Site.key(record).equals("2"))
                    .map(CaptureTest::parsed)
                    .filter(event -> event.get("op").asText().equals("u"))
                    .findFirst()
                    .orElseThrow()
                    .get("after");
            assertThat(update.get("next_run_at").asText()).isEqualTo("2026-05-06T07:08:09.000000Z");
            assertThat(update.get("last_run_at").asText()).isEqualTo("2026-01-02T01:04:05.678901Z");
            assertThat(update.get("id").asInt()).isEqualTo(2);
            assertThat(update.get("enabled").asBoolean()).isTrue();
            assertThat(update.fieldNames()).toIterable().doesNotContain("config_json", "credential_mapping");
            assertThat(parsed(site.records("cdc.identity_group_memberships").get(1))
                            .get("before")
                            .get("group_id")
                            .asInt())
                    .isEqualTo(7);

            List<ConsumerRecord<byte[], byte[]>> everything = site.records("");
            assertThat(everything).extracting(ConsumerRecord::topic).contains("elder.connect-configs");
            for (ConsumerRecord<byte[], byte[]> record : everything) {
                String text = (record.key() == null ? "" : new String(record.key(), StandardCharsets.UTF_8))
                        + (record.value() == null ? "" : new String(record.value(), StandardCharsets.UTF_8));
                assertThat(text).as(record.topic()).doesNotContain("canary");
            }
        }
    }

    @Test
    void writesToOtherTablesMoveTheSlotOn() throws Exception {
        try (Site site = new Site(directory).withPublication();
                Component cdc = started(site, Map.of())) {
            awaitReady(cdc);
            site.execute("INSERT INTO entities (name) SELECT repeat('x', 500) FROM generate_series(1, 2000)");
            String written = site.text("SELECT pg_current_wal_lsn()");
            await().atMost(PATIENCE).until(() -> "t"
                    .equals(site.text("SELECT confirmed_flush_lsn >= '" + written
                            + "'::pg_lsn FROM pg_replication_slots WHERE slot_name = 'elder_worker'")));
            assertThat(site.records("elder.cdc.")).isEmpty();
        }
    }

    @Test
    void aDatabaseThatIsAwayIsWaitedForAndShown() throws Exception {
        try (Site site = new Site(directory).withPublication();
                Component cdc = started(site, Map.of())) {
            awaitReady(cdc);
            site.restartDatabase(() -> await().atMost(PATIENCE)
                    .untilAsserted(() -> assertThat(cdc.health().reasons()).isNotEmpty()));
            site.job("afterwards");
            await().atMost(PATIENCE).until(() -> site.jobs().size() == 1);
            awaitReady(cdc);
        }
    }

    @Test
    void aChangeArrivesWithinMilliseconds() throws Exception {
        try (Site site = new Site(directory).withPublication();
                Component cdc = started(site, Map.of())) {
            awaitReady(cdc);
            site.job("first");
            await().atMost(PATIENCE).until(() -> site.jobs().size() == 1);
            for (int i = 0; i < 50; i++) {
                site.execute("UPDATE discovery_jobs SET updated_at = clock_timestamp()");
                Thread.sleep(20);
            }
            await().atMost(PATIENCE).until(() -> site.jobs().size() == 51);
            List<Long> millis = new ArrayList<>();
            for (ConsumerRecord<byte[], byte[]> record : site.jobs().subList(1, 51)) {
                Instant written = Instant.parse(
                        parsed(record).get("after").get("updated_at").asText());
                millis.add(record.timestamp() - written.toEpochMilli());
            }
            millis.sort(null);
            System.out.println("update to producer, ms: p50 " + millis.get(25) + ", p90 " + millis.get(45));
            // Tens of milliseconds on an idle machine; Debezium left as it is shipped would need more than this.
            assertThat(millis.get(25)).isLessThan(500);
        }
    }

    @Test
    void aLostSlotIsReportedAndNotPapered() throws Exception {
        try (Site site = new Site(directory).withPublication()) {
            site.job("one");
            try (Component cdc = started(site, Map.of())) {
                awaitReady(cdc);
                await().atMost(PATIENCE).until(() -> site.jobs().size() == 1);
            }
            await().atMost(PATIENCE).until(() -> "f".equals(site.text("SELECT active FROM pg_replication_slots")));
            site.execute("SELECT pg_drop_replication_slot('elder_worker')");
            site.job("unseen");
            try (Component cdc = started(site, Map.of())) {
                await().atMost(PATIENCE)
                        .untilAsserted(() -> assertThat(cdc.health().reasons().toString())
                                .contains("no longer has the changes", "CDC_SNAPSHOT_MODE=when_needed"));
            }
            try (Component cdc = started(site, Map.of("CDC_SNAPSHOT_MODE", "when_needed"))) {
                awaitReady(cdc);
                await().atMost(PATIENCE).until(() -> site.jobs().stream()
                        .anyMatch(record -> Site.key(record).equals("2")));
            }
        }
    }

    @Test
    void pollingPublishesTheSameRows() throws Exception {
        try (Site site = new Site(directory).withPublication()) {
            site.job("one");
            site.job("two");
            ObjectNode captured;
            try (Component cdc = started(site, Map.of())) {
                awaitReady(cdc);
                await().atMost(PATIENCE).until(() -> site.jobs().size() == 2);
                captured = (ObjectNode) parsed(site.jobs().stream()
                                .filter(record -> Site.key(record).equals("1"))
                                .findFirst()
                                .orElseThrow())
                        .get("after");
            }
            // The poller takes over: it finds the rows published and has nothing to say until they change.
            try (Component poll = started(site, Map.of("JOBS_SOURCE", "poll"))) {
                awaitReady(poll);
                assertThat(site.jobs()).hasSize(2);
                site.execute("UPDATE discovery_jobs SET name = 'renamed' WHERE id = 1");
                site.execute("DELETE FROM discovery_jobs WHERE id = 2");
                await().atMost(PATIENCE).until(() -> site.jobs().size() == 5);
            }
            List<ConsumerRecord<byte[], byte[]>> ones = site.jobs().stream()
                    .filter(record -> Site.key(record).equals("1"))
                    .toList();
            assertThat(parsed(ones.getLast()).get("op").asText()).isEqualTo("u");
            assertThat(parsed(ones.getLast()).get("after")).isEqualTo(captured.put("name", "renamed"));
            List<ConsumerRecord<byte[], byte[]>> twos = site.jobs().stream()
                    .filter(record -> Site.key(record).equals("2"))
                    .toList();
            assertThat(parsed(twos.get(1)).get("op").asText()).isEqualTo("d");
            assertThat(twos.getLast().value()).isNull();
            // A row deleted while nobody polled is noticed by the next one.
            site.execute("DELETE FROM discovery_jobs");
            try (Component poll = started(site, Map.of("JOBS_SOURCE", "poll"))) {
                awaitReady(poll);
                await().atMost(PATIENCE).until(() -> site.jobs().getLast().value() == null);
                assertThat(site.jobs()).hasSize(7);
            }
        }
    }

    private static Component started(Site site, Map<String, String> settings) {
        Component component = CdcMain.component(site.settings(settings), new Metrics());
        component.start();
        return component;
    }

    private static void awaitReady(Component component) {
        await().atMost(PATIENCE)
                .untilAsserted(() -> assertThat(component.health().reasons()).isEmpty());
    }

    private static JsonNode parsed(ConsumerRecord<byte[], byte[]> record) {
        try {
            return Site.json(record);
        } catch (java.io.IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }
}
