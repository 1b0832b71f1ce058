package io.elder.embedded;

import static org.assertj.core.api.Assertions.assertThat;

import io.elder.runtime.Metrics;
import io.elder.runtime.Settings;
import io.elder.runtime.WholeTopics;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.function.Consumer;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.awaitility.Awaitility;

/** A pipeline with one job that reads a directory, or something else, whenever it is told to. */
final class DirectoryJob implements AutoCloseable {
    static final List<String> TABLES = List.of(
            "identities",
            "identity_groups",
            "identity_group_memberships",
            "dependencies",
            "entities",
            "organizations",
            "networking_resources",
            "network_entity_mappings",
            "data_stores",
            "services",
            "software");

    private final Metrics metrics;
    private final Pipeline pipeline;
    private final String provider;
    private int job;
    private int runs;
    private long began;

    private DirectoryJob(Pipeline pipeline, Metrics metrics, String provider) {
        this.pipeline = pipeline;
        this.metrics = metrics;
        this.provider = provider;
    }

    static DirectoryJob start(Path folder, Map<String, String> settings, String config) throws SQLException {
        return start(folder, settings, "ldap", config);
    }

    static DirectoryJob start(Path folder, Map<String, String> settings, String provider, String config)
            throws SQLException {
        Map<String, String> all = new HashMap<>(settings);
        all.put("CONSOLE_PORT", "0");
        Metrics metrics = new Metrics();
        DirectoryJob started = new DirectoryJob(new Pipeline(folder, Settings.of(all), metrics), metrics, provider);
        try {
            started.pipeline.start();
            Awaitility.await()
                    .atMost(Duration.ofSeconds(90))
                    .until(() -> started.pipeline.health().ok());
            started.create(config);
        } catch (SQLException | RuntimeException e) {
            started.close();
            throw e;
        }
        return started;
    }

    /** Another job of the same pipeline, which is closed with the first. */
    DirectoryJob beside(String other, String config) throws SQLException {
        DirectoryJob second = new DirectoryJob(pipeline, metrics, other);
        second.create(config);
        return second;
    }

    private void create(String config) throws SQLException {
        job = (int)
                number("insert into discovery_jobs (name, provider, config_json, schedule_interval, enabled) values ('"
                        + provider + "', '" + provider + "', '" + config + "', 0, false) returning id");
    }

    /** Lays these keys over the job's configuration. */
    void configure(String json) throws SQLException {
        number("with done as (update discovery_jobs set config_json = (config_json::jsonb || '" + json
                + "')::json where id = " + job + " returning 1) select count(*) from done");
    }

    /** One more run, until all of it is in the tables; says on the console how long that took. */
    void sync(String what) throws SQLException {
        queue();
        await(what);
    }

    /** Asks for a run; others may be under way. */
    void queue() throws SQLException {
        began = System.nanoTime();
        number("with done as (update discovery_jobs set enabled = true, next_run_at = now() where id = " + job
                + " returning 1) select count(*) from done");
        runs++;
    }

    void await(String what) throws SQLException {
        Awaitility.await()
                .atMost(Duration.ofMinutes(4))
                .pollInterval(Duration.ofMillis(100))
                .until(() ->
                        number("select count(*) from pipeline.runs where visible_at is not null and job_id = " + job)
                                == runs);
        double seconds = (System.nanoTime() - began) / 1e9;
        System.out.printf(
                "MEASURED %s: %.1f s, %s records, %.0f records/s (%s)%n",
                what,
                seconds,
                lastRun("discovered"),
                Double.parseDouble(lastRun("coalesce(discovered, 0)")) / seconds,
                lastRun(
                        "concat_ws(', ', status, created || ' created', updated || ' updated', deleted || ' deleted')"));
    }

    String lastRun(String expression) throws SQLException {
        return text("select " + expression + " from pipeline.runs where job_id = " + job
                + " order by started_at desc limit 1");
    }

    String lastHistory() throws SQLException {
        return text("select status || ': ' || coalesce(error_message, '') from discovery_history where job_id = " + job
                + " order by id desc limit 1");
    }

    String lastError() throws SQLException {
        return text("select status || ': ' || coalesce(last_error, '') from discovery_jobs where id = " + job);
    }

    /** Kinds of which the last run sealed the scope, or failed to. */
    String kinds(String column) throws SQLException {
        return lastRun("(select coalesce(string_agg(regexp_replace(s, '.*/', ''), ',' order by s), '') from unnest("
                + column + ") s)");
    }

    /** Another version of any row changes this. */
    String versions() throws SQLException {
        StringBuilder versions = new StringBuilder();
        for (String table : TABLES) {
            versions.append(table)
                    .append('=')
                    .append(text("select count(*) || '/' || coalesce(sum(xmin::text::bigint), 0) from " + table))
                    .append(' ');
        }
        return versions.toString();
    }

    long deleted() throws SQLException {
        long deleted = 0;
        for (String table : TABLES) {
            deleted += number("select count(*) from " + table + " where deleted_at is not null");
        }
        return deleted;
    }

    long live(String table) throws SQLException {
        return number(
                "select count(*) from " + table + " where source_key like '" + provider + "/%' and deleted_at is null");
    }

    long number(String sql) throws SQLException {
        return Long.parseLong(text(sql));
    }

    /** Everything in every topic, as text. */
    void eachRecord(Consumer<String> record) throws Exception {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", pipeline.bootstrapServers());
        try (Admin admin = Admin.create(properties);
                KafkaConsumer<byte[], byte[]> consumer =
                        new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            WholeTopics.read(consumer, admin.listTopics().names().get(), each -> {
                record.accept(string(each.key()));
                record.accept(string(each.value()));
            });
        }
    }

    private static String string(byte[] bytes) {
        return bytes == null ? "" : new String(bytes, StandardCharsets.UTF_8);
    }

    String status() {
        return pipeline.status() + metrics.scrape();
    }

    String text(String sql) throws SQLException {
        try (Connection connection = pipeline.database().connect("elder");
                Statement statement = connection.createStatement();
                ResultSet row = statement.executeQuery(sql)) {
            assertThat(row.next()).as(sql).isTrue();
            return String.valueOf(row.getString(1));
        }
    }

    @Override
    public void close() {
        pipeline.close();
        metrics.close();
    }
}
