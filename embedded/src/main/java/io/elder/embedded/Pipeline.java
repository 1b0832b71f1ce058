package io.elder.embedded;

import com.zaxxer.hikari.HikariDataSource;
import io.elder.cdc.CdcMain;
import io.elder.cdc.CdcSettings;
import io.elder.console.ConsoleMain;
import io.elder.console.ConsoleSettings;
import io.elder.console.JobTester;
import io.elder.console.Rebuild;
import io.elder.console.Terminal;
import io.elder.embedded.servers.EmbeddedBroker;
import io.elder.embedded.servers.EmbeddedDatabase;
import io.elder.fetch.ConnectivityCheck;
import io.elder.fetch.FetcherMain;
import io.elder.normalizer.Normalizer;
import io.elder.normalizer.NormalizerSettings;
import io.elder.runtime.Component;
import io.elder.runtime.Database;
import io.elder.runtime.DeclaredSettings;
import io.elder.runtime.Health;
import io.elder.runtime.KafkaClients;
import io.elder.runtime.Metrics;
import io.elder.runtime.Settings;
import io.elder.runtime.TopicCreation;
import io.elder.scheduler.SchedulerMain;
import io.elder.scheduler.SchedulerSettings;
import io.elder.schemas.db.Migrations;
import io.elder.sink.SinkMain;
import io.elder.sink.SinkSettings;
import io.elder.writeback.Writeback;
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
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Every role in this process, on a broker and a database that live below one folder. */
public final class Pipeline implements Component {
    private static final String DATABASE = "elder";
    private static final String OWNER = "postgres";
    private static final String WORKER_PASSWORD = "worker-password";
    private static final String CONSOLE_PASSWORD = "console-password";
    private static final FileAttribute<Set<PosixFilePermission>> PRIVATE =
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"));
    private static final Logger LOG = LoggerFactory.getLogger(Pipeline.class);

    private final Path folder;
    private final Settings given;
    private final Metrics metrics;
    private final int brokerPort;
    private final int databasePort;
    private final Map<String, Component> roles = new ConcurrentSkipListMap<>();
    private EmbeddedBroker broker;
    private EmbeddedDatabase database;
    private boolean toldWhereItIs;
    private volatile boolean everythingRuns;

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
        readAll(settings);
    }

    /** Reads what the roles will read, so that all that is wrong is told at once, and before anything is started. */
    private static void readAll(Settings settings) {
        Settings all = settings.with(Map.of("DATABASE_URL", "postgresql://localhost/" + DATABASE));
        DeclaredSettings.onClassPath().noteUnknown(all);
        for (String port : List.of("EMBEDDED_KAFKA_PORT", "EMBEDDED_POSTGRES_PORT", "HEALTH_CHECK_PORT")) {
            all.whole(port, 0, 0, 65535);
        }
        ConsoleSettings.from(all);
        CdcSettings.from(all);
        SchedulerSettings.from(all);
        FetcherMain.readSettings(all);
        NormalizerSettings.from(all);
        SinkSettings.from(all);
        Writeback.readSettings(all);
        all.check();
    }

    @Override
    public void start() {
        startServers();
        Map<String, Supplier<Component>> all = new LinkedHashMap<>();
        all.put("console", () -> ConsoleMain.component(consoleSettings(), Optional.of(tester(workerSettings()))));
        all.put("cdc", () -> CdcMain.component(ownerSettings(), metrics));
        all.put("scheduler", () -> SchedulerMain.component(workerSettings(), metrics));
        all.put("fetcher", () -> FetcherMain.component(workerSettings(), metrics));
        all.put("normalizer", () -> new Normalizer(workerSettings(), metrics));
        all.put("sink", () -> SinkMain.component(workerSettings(), metrics));
        if (Writeback.isWanted(given)) {
            all.put("writeback", () -> new Writeback(workerSettings(), metrics));
        }
        startRoles(all);
        everythingRuns = true;
    }

    /**
     * Derives the inventory anew from the raw topics before anything else is started; call it before {@link #start}.
     *
     * @param empty whether the rows are deleted first
     * @param isWanted asked again and again; whoever waits may have given up
     * @return whether it is rebuilt
     */
    public boolean rebuild(boolean empty, Terminal terminal, BooleanSupplier isWanted)
            throws SQLException, IOException {
        startServers();
        Settings owner = ownerSettings();
        try (HikariDataSource pool = Database.from(owner).pool("rebuild", 2)) {
            Rebuild rebuild = new Rebuild(new KafkaClients(owner), pool, folder.resolve("state"));
            rebuild.reset(empty, terminal::line);
            Map<String, Supplier<Component>> needed = new LinkedHashMap<>();
            needed.put("normalizer", () -> new Normalizer(workerSettings(), metrics));
            needed.put("sink", () -> SinkMain.component(workerSettings(), metrics));
            startRoles(needed);
            return rebuild.watch(terminal, isWanted);
        }
    }

    private void startServers() {
        if (broker != null) {
            return;
        }
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
        migrate();
        TopicCreation.createMissing(new KafkaClients(ownerSettings()));
        tellWhereItIs();
    }

    /** Those that do not run yet. Each waits for its own threads; together they are up as soon as the slowest. */
    private void startRoles(Map<String, Supplier<Component>> wanted) {
        List<Component> started = new ArrayList<>();
        wanted.forEach((name, role) -> {
            if (!roles.containsKey(name)) {
                started.add(role.get());
                roles.put(name, started.getLast());
            }
        });
        List<CompletableFuture<Void>> starts = started.stream()
                .map(role -> CompletableFuture.runAsync(role::start))
                .toList();
        try {
            CompletableFuture.allOf(starts.toArray(CompletableFuture[]::new)).join();
        } catch (CompletionException e) {
            throw e.getCause() instanceof RuntimeException cause ? cause : e;
        }
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
        return settings(database.url(OWNER, DATABASE));
    }

    private Settings workerSettings() {
        return settings(database.url(Migrations.WORKER_ROLE, password(WORKER_PASSWORD), DATABASE));
    }

    private Settings consoleSettings() {
        return settings(database.url(Migrations.CONSOLE_ROLE, password(CONSOLE_PASSWORD), DATABASE));
    }

    @Override
    public Health health() {
        if (!everythingRuns) {
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
        for (String name : List.of("console", "scheduler", "fetcher", "cdc", "normalizer", "writeback", "sink")) {
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

    private void migrate() {
        Migrations.migrate(database.jdbcUrl(OWNER, DATABASE), OWNER, "");
        try (Connection connection = database.connect(DATABASE)) {
            Migrations.setWorkerPassword(connection, password(WORKER_PASSWORD));
            Migrations.setConsolePassword(connection, password(CONSOLE_PASSWORD));
        } catch (SQLException e) {
            throw new IllegalStateException("the passwords of the roles could not be set: " + e.getMessage(), e);
        }
    }

    private Settings settings(String databaseUrl) {
        Map<String, String> values = new LinkedHashMap<>();
        values.put("KAFKA_BOOTSTRAP_SERVERS", broker.bootstrapServers());
        values.put("SCHEMA_REGISTRY_URL", "inprocess://up");
        values.put("TOPIC_PARTITIONS", given.text("TOPIC_PARTITIONS", "2"));
        values.put("TOPIC_REPLICATION_FACTOR", "1");
        values.put("DATABASE_URL", databaseUrl);
        values.put("CDC_DATABASE_URL", database.url(OWNER, DATABASE));
        // The broker inside allows what a stock broker does not: to notice within seconds that its one worker was
        // killed.
        values.put("CDC_SESSION_TIMEOUT", "2s");
        values.put("CDC_TRANSACTION_TIMEOUT", "3s");
        values.put("STATE_DIR", folder.resolve("state").toString());
        return given.with(values);
    }

    /** For operators' commands beside this process, which read it where nothing else says where the site is. */
    private void tellWhereItIs() {
        Settings console = consoleSettings();
        StringBuilder lines = new StringBuilder("# written by ./elder up, deleted when it stops\n");
        lines.append("ELDER_UP_PID=").append(ProcessHandle.current().pid()).append('\n');
        lines.append("DATABASE_OWNER_URL=")
                .append(ownerSettings().text("DATABASE_URL"))
                .append('\n');
        for (String name : List.of(
                "KAFKA_BOOTSTRAP_SERVERS",
                "DATABASE_URL",
                "SCHEMA_REGISTRY_URL",
                "TOPIC_PARTITIONS",
                "TOPIC_REPLICATION_FACTOR",
                "STATE_DIR")) {
            lines.append(name).append('=').append(console.text(name)).append('\n');
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
    private String password(String name) {
        Path file = folder.resolve(name);
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
