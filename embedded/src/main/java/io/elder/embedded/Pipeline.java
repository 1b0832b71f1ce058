package io.elder.embedded;

import com.zaxxer.hikari.HikariDataSource;
import io.elder.cdc.CdcMain;
import io.elder.console.ConsoleMain;
import io.elder.console.JobTester;
import io.elder.embedded.servers.EmbeddedBroker;
import io.elder.embedded.servers.EmbeddedDatabase;
import io.elder.fetch.ConnectivityCheck;
import io.elder.fetch.FetcherMain;
import io.elder.normalizer.Normalizer;
import io.elder.runtime.Component;
import io.elder.runtime.Database;
import io.elder.runtime.Health;
import io.elder.runtime.KafkaClients;
import io.elder.runtime.Metrics;
import io.elder.runtime.Settings;
import io.elder.runtime.TopicCreation;
import io.elder.scheduler.SchedulerMain;
import io.elder.schemas.db.Migrations;
import io.elder.sink.SinkMain;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.SecureRandom;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Every role in this process, on a broker and a database that live below one folder. */
public final class Pipeline implements Component {
    private static final String DATABASE = "elder";
    private static final String OWNER = "postgres";
    private static final FileAttribute<Set<PosixFilePermission>> PRIVATE =
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"));
    private static final Logger LOG = LoggerFactory.getLogger(Pipeline.class);

    private final Path folder;
    private final Settings given;
    private final Metrics metrics;
    private final int brokerPort;
    private final int databasePort;
    private final Map<String, Component> roles = new LinkedHashMap<>();
    private EmbeddedBroker broker;
    private EmbeddedDatabase database;
    private boolean toldWhereItIs;

    /**
     * @param folder where everything is kept across restarts
     * @param settings of the connectors and of all roles; where the broker and the database are is decided here
     */
    public Pipeline(Path folder, Settings settings, Metrics metrics) {
        this.folder = folder;
        this.given = settings;
        this.metrics = metrics;
        this.brokerPort = settings.whole("EMBEDDED_KAFKA_PORT", 0, 0, 65535);
        this.databasePort = settings.whole("EMBEDDED_POSTGRES_PORT", 0, 0, 65535);
        settings.check();
    }

    @Override
    public void start() {
        CompletableFuture<EmbeddedDatabase> startingDatabase = CompletableFuture.supplyAsync(this::startDatabase);
        CompletableFuture<EmbeddedBroker> startingBroker =
                CompletableFuture.supplyAsync(() -> EmbeddedBroker.start(folder.resolve("kafka"), brokerPort));
        try {
            // Both are kept before either failure is passed on, so that close() finds what did start.
            database = startingDatabase.handle((started, failure) -> started).join();
            broker = startingBroker.handle((started, failure) -> started).join();
            startingDatabase.join();
            startingBroker.join();
        } catch (CompletionException e) {
            throw e.getCause() instanceof RuntimeException cause ? cause : e;
        }
        String workerPassword = workerPassword();
        Settings owner = settings(OWNER, null);
        Settings worker = settings("elder_worker", workerPassword);
        migrate(workerPassword);
        TopicCreation.createMissing(new KafkaClients(owner));
        tellWhereItIs(owner);
        roles.put("console", ConsoleMain.component(owner, Optional.of(tester(worker))));
        roles.put("cdc", CdcMain.component(owner, metrics));
        roles.put("scheduler", SchedulerMain.component(worker, metrics));
        roles.put("fetcher", FetcherMain.component(worker, metrics));
        roles.put("normalizer", new Normalizer(worker, metrics));
        roles.put("sink", SinkMain.component(worker, metrics));
        // Each waits for its own threads; together they are up as soon as the slowest.
        roles.values().stream()
                .map(role -> CompletableFuture.runAsync(role::start))
                .toList()
                .forEach(CompletableFuture::join);
    }

    /** The database, for looking at what arrived. */
    public EmbeddedDatabase database() {
        return database;
    }

    public String bootstrapServers() {
        return broker.bootstrapServers();
    }

    /** Settings as an operator's command beside this pipeline would have them. */
    public Settings ownerSettings() {
        return settings(OWNER, null);
    }

    @Override
    public Health health() {
        if (database == null || broker == null) {
            return Health.notReady("starting");
        }
        List<Health> parts = new ArrayList<>();
        roles.forEach((name, role) -> parts.add(new Health(role.health().reasons().stream()
                .map(reason -> name + ": " + reason)
                .toList())));
        return Health.all(parts);
    }

    @Override
    public Map<String, Object> status() {
        Map<String, Object> status = new LinkedHashMap<>();
        roles.forEach((name, role) -> status.put(name, role.status()));
        return status;
    }

    @Override
    public void close() {
        // What takes in work stops first, so that what was taken in is finished.
        for (String name : List.of("console", "scheduler", "fetcher", "cdc", "normalizer", "sink")) {
            Component role = roles.remove(name);
            if (role != null) {
                role.close();
            }
        }
        try {
            // Only one's own: where another process holds the folder, the file is of that one.
            if (toldWhereItIs) {
                Files.deleteIfExists(site());
            }
        } catch (IOException e) {
            LOG.warn("{} could not be deleted: {}", site(), e.getMessage());
        }
        if (broker != null) {
            broker.close();
        }
        if (database != null) {
            database.close();
        }
    }

    private EmbeddedDatabase startDatabase() {
        EmbeddedDatabase started = EmbeddedDatabase.start(folder.resolve("postgres"), databasePort);
        try {
            started.createDatabase(DATABASE);
        } catch (SQLException e) {
            started.close();
            throw new IllegalStateException("the database could not be created: " + e.getMessage(), e);
        }
        return started;
    }

    /** Tries a job's connection as a fetcher would, with the rights that a fetcher has. */
    private static JobTester tester(Settings worker) {
        Database elder = Database.from(worker);
        return (jobId, provider, configuration) -> {
            try (HikariDataSource pool = elder.pool("job-test", 1)) {
                ConnectivityCheck.Outcome outcome = ConnectivityCheck.job(jobId, provider, worker, pool);
                if (!outcome.ok()) {
                    throw new IOException(outcome.message());
                }
                return new JobTester.Connection(provider, outcome.message());
            }
        };
    }

    private void migrate(String workerPassword) {
        Migrations.migrate(database.jdbcUrl(OWNER, DATABASE), OWNER, "");
        try (Connection connection = database.connect(DATABASE)) {
            Migrations.setWorkerPassword(connection, workerPassword);
        } catch (SQLException e) {
            throw new IllegalStateException("the password of elder_worker could not be set: " + e.getMessage(), e);
        }
    }

    private Settings settings(String user, String password) {
        Map<String, String> values = new LinkedHashMap<>();
        values.put("KAFKA_BOOTSTRAP_SERVERS", broker.bootstrapServers());
        values.put("SCHEMA_REGISTRY_URL", "inprocess://up");
        values.put("TOPIC_PARTITIONS", given.text("TOPIC_PARTITIONS", "2"));
        values.put("TOPIC_REPLICATION_FACTOR", "1");
        values.put(
                "DATABASE_URL",
                password == null ? database.url(user, DATABASE) : database.url(user, password, DATABASE));
        values.put("CDC_DATABASE_URL", database.url(OWNER, DATABASE));
        // The broker inside allows what a stock broker does not: to notice within seconds that its one worker was
        // killed.
        values.put("CDC_SESSION_TIMEOUT", "2s");
        values.put("CDC_TRANSACTION_TIMEOUT", "3s");
        values.put("STATE_DIR", folder.resolve("state").toString());
        return given.with(values);
    }

    /** For operators' commands beside this process, which read it where nothing else says where the site is. */
    private void tellWhereItIs(Settings owner) {
        StringBuilder lines = new StringBuilder("# written by ./elder up, deleted when it stops\n");
        for (String name : List.of(
                "KAFKA_BOOTSTRAP_SERVERS",
                "DATABASE_URL",
                "SCHEMA_REGISTRY_URL",
                "TOPIC_PARTITIONS",
                "TOPIC_REPLICATION_FACTOR",
                "STATE_DIR")) {
            lines.append(name).append('=').append(owner.text(name)).append('\n');
        }
        try {
            // One that a killed process left may be open to others.
            Files.deleteIfExists(site());
            Files.createFile(site(), PRIVATE);
            toldWhereItIs = true;
            Files.writeString(site(), lines);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private Path site() {
        return folder.resolve("site.env");
    }

    /** Made up once per folder, readable by its owner only. */
    private String workerPassword() {
        Path file = folder.resolve("worker-password");
        try {
            if (Files.exists(file)) {
                return Files.readString(file, StandardCharsets.UTF_8).strip();
            }
            byte[] random = new byte[16];
            new SecureRandom().nextBytes(random);
            String password = HexFormat.of().formatHex(random);
            Files.createFile(file, PRIVATE);
            Files.writeString(file, password);
            return password;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
