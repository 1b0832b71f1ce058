package io.elder.bench;

import io.elder.embedded.servers.EmbeddedDatabase;
import io.elder.runtime.KafkaClients;
import io.elder.runtime.Settings;
import io.elder.runtime.TopicCreation;
import io.elder.schemas.db.Migrations;
import java.io.IOException;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.apache.kafka.clients.admin.Admin;

/** A broker and a database that crash, and the networks to them and to a directory, which fail. */
final class FaultySite implements AutoCloseable {
    /** The campaign's own clients, beside those of the roles. */
    private static final String OURS = "campaign";

    /** Kafka's. */
    static final BrokerUsers USERS = BrokerUsers.of("broker", clients(), user -> Canaries.of(kafkaPassword(user)));

    private static final long START_SECONDS = 60;

    private final Path folder;
    private final Canaries canaries;
    private final SmallDisk disk;
    private final int brokerPort;
    private Process broker;
    private EmbeddedDatabase database;
    private final Link toBroker;
    private final Link toDatabase;
    private final RegistryServer registry;
    private final Link toRegistry;

    /** By role: those whose talk with the database is watched. */
    private final Map<String, Link> ownToDatabase = new LinkedHashMap<>();

    private final Link toDirectory;

    /** Else a campaign that is ended by a signal would leave them behind. */
    private final Thread endWithUs = new Thread(this::endServers, "servers-end");

    /**
     * @param isSmall whether the database gets a disk that can be filled; needs the right to mount one
     * @param canaries gets the passwords by which each role logs in to the broker, the database and the registry
     */
    FaultySite(Path folder, int directoryPort, boolean isSmall, Canaries canaries)
            throws IOException, SQLException, InterruptedException {
        this.folder = folder;
        this.canaries = canaries;
        USERS.passwords().keySet().forEach(user -> canaries.secret(kafkaPassword(user)));
        this.disk = isSmall ? SmallDisk.mount(folder.resolve("postgres")) : null;
        brokerPort = RoleProcesses.freePort();
        toBroker = Link.to(brokerPort);
        toDirectory = Link.to(directoryPort);
        registry = new RegistryServer(
                "", clients().stream().map(this::registryUser).toList());
        toRegistry = Link.to(registry.port());
        database = EmbeddedDatabase.start(folder.resolve("postgres"), 0, EmbeddedDatabase.Durability.FAST);
        toDatabase = Link.to(database.port());
        for (String role : List.of("sink", "writeback")) {
            ownToDatabase.put(role, Link.to(database.port()));
        }
        database.createDatabase(Servers.DATABASE);
        Servers.migrate(database);
        makeLogins();
        broker = startBroker();
        Runtime.getRuntime().addShutdownHook(endWithUs);
        awaitBroker();
        TopicCreation.createMissing(kafka());
    }

    private void endServers() {
        broker.destroyForcibly();
        database.crash();
    }

    private static List<String> clients() {
        return Stream.concat(Stream.of(OURS), RoleProcesses.ROLES.stream()).toList();
    }

    private static String kafkaPassword(String user) {
        return user + "'s Kafka password";
    }

    private String registryUser(String client) {
        String user = client + ":" + canaries.secret(client + "'s registry password");
        canaries.form(client + "'s registry password as it is sent", RegistryServer.basic(user));
        return user;
    }

    private String databasePassword(String client) {
        return canaries.secret(client + "'s database password");
    }

    private void makeLogins() throws SQLException {
        try (Connection connection = connect();
                Statement statement = connection.createStatement()) {
            Migrations.setCdcPassword(connection, databasePassword("cdc"));
            for (String client : clients()) {
                statement.execute("create role " + databaseUser(client) + " login password '" + databasePassword(client)
                        + "' in role " + Servers.WORKER);
            }
        }
    }

    private static String databaseUser(String client) {
        return "of_" + client;
    }

    /** What a role is told, or our own clients: each logs in as itself everywhere. */
    Map<String, String> environment(String client) {
        Link link = ownToDatabase.getOrDefault(client, toDatabase);
        Map<String, String> environment = Servers.environment(
                "127.0.0.1:" + toBroker.port(),
                url(databaseUser(client), databasePassword(client), link),
                url("elder_cdc", databasePassword("cdc"), link));
        if (!client.equals("cdc")) {
            environment.remove("CDC_DATABASE_URL");
        }
        environment.putAll(USERS.login(client));
        environment.put("SCHEMA_REGISTRY_URL", "http://127.0.0.1:" + toRegistry.port());
        environment.put("SCHEMA_REGISTRY_BASIC_AUTH_USER_INFO", registryUser(client));
        return environment;
    }

    private String url(String user, String password, Link link) {
        return database.url(user, password, Servers.DATABASE)
                .replace(":" + database.port() + "/", ":" + link.port() + "/");
    }

    KafkaClients kafka() {
        return new KafkaClients(Settings.of(environment(OURS)));
    }

    /** Past the network that fails. */
    Connection connect() throws SQLException {
        return database.connect(Servers.DATABASE);
    }

    Link toBroker() {
        return toBroker;
    }

    void networkToDatabase(Link.State state) throws IOException {
        toDatabase.be(state);
        for (Link link : ownToDatabase.values()) {
            link.be(state);
        }
    }

    /** Of the sink or of write-back. */
    Link toDatabase(String role) {
        return ownToDatabase.get(role);
    }

    Link toRegistry() {
        return toRegistry;
    }

    RegistryServer registry() {
        return registry;
    }

    Link toDirectory() {
        return toDirectory;
    }

    void killBroker() throws InterruptedException {
        broker.destroyForcibly();
        broker.waitFor(10, TimeUnit.SECONDS);
    }

    void restartBroker() throws IOException, InterruptedException {
        broker = startBroker();
        awaitBroker();
    }

    /** As the loss of its process: nothing is finished, and the log is replayed at the start. */
    void crashDatabase() {
        database.crash();
    }

    void restartDatabase() {
        int port = database.port();
        database.close();
        database = EmbeddedDatabase.start(folder.resolve("postgres"), port, EmbeddedDatabase.Durability.FAST);
    }

    /** Empty if the database has none that could be filled. */
    Optional<SmallDisk> disk() {
        return Optional.ofNullable(disk);
    }

    /** There is room again; PostgreSQL ends by itself if its log found none. */
    void freeDisk() throws IOException, InterruptedException {
        disk.free();
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(5);
        while (System.nanoTime() < end) {
            try (Connection connection = connect();
                    Statement statement = connection.createStatement()) {
                statement.execute("select pg_switch_wal()");
                return;
            } catch (SQLException e) {
                Thread.sleep(200);
            }
        }
        restartDatabase();
    }

    /** As an operator would by mistake: whoever reads it is thrown out. */
    void dropSlot() throws SQLException, InterruptedException {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(START_SECONDS);
        // What was changed before is read; what is changed while there is none is known from the tables alone.
        String position = text("select pg_current_wal_lsn()");
        while (!holds("select coalesce((select confirmed_flush_lsn >= '" + position
                + "' from pg_replication_slots where slot_name = 'elder_worker' and active), false)")) {
            if (System.nanoTime() > end) {
                throw new IllegalStateException(
                        "the replication slot does not catch up within " + START_SECONDS + " s");
            }
            Thread.sleep(100);
        }
        while (!holds("select not exists (select from pg_replication_slots where slot_name = 'elder_worker')")) {
            try (Connection connection = connect();
                    Statement statement = connection.createStatement()) {
                statement.execute("select pg_terminate_backend(active_pid) from pg_replication_slots"
                        + " where slot_name = 'elder_worker' and active");
                statement.execute("select pg_drop_replication_slot('elder_worker')");
            } catch (SQLException e) {
                if (System.nanoTime() > end) {
                    throw e;
                }
                // Somebody reads it again.
                Thread.sleep(20);
            }
        }
    }

    /** Waits until change capture has made a new one. */
    void awaitSlot() throws SQLException, InterruptedException {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(START_SECONDS);
        while (!holds("select exists (select from pg_replication_slots where slot_name = 'elder_worker' and active)")) {
            if (System.nanoTime() > end) {
                throw new IllegalStateException("no new replication slot within " + START_SECONDS + " s");
            }
            Thread.sleep(100);
        }
    }

    /** How much of the database's log is kept for the slot. */
    long retainedBytes() throws SQLException {
        try (Connection connection = connect();
                Statement statement = connection.createStatement();
                ResultSet row = statement.executeQuery(
                        "select coalesce(max(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)), 0)"
                                + " from pg_replication_slots where slot_name = 'elder_worker'")) {
            row.next();
            return row.getLong(1);
        }
    }

    private boolean holds(String sql) throws SQLException {
        return text(sql).equals("t");
    }

    private String text(String sql) throws SQLException {
        try (Connection connection = connect();
                Statement statement = connection.createStatement();
                ResultSet row = statement.executeQuery(sql)) {
            row.next();
            return row.getString(1);
        }
    }

    @Override
    public void close() throws IOException {
        Runtime.getRuntime().removeShutdownHook(endWithUs);
        toBroker.close();
        toDatabase.close();
        for (Link link : ownToDatabase.values()) {
            link.close();
        }
        toDirectory.close();
        toRegistry.close();
        registry.close();
        broker.destroyForcibly();
        database.close();
        if (disk != null) {
            disk.close();
        }
    }

    private Process startBroker() throws IOException {
        // Its own port is that of the link; what clients are told is the link.
        List<String> command = List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-Xmx512m",
                "-cp",
                System.getProperty("java.class.path"),
                BrokerMain.class.getName(),
                folder.resolve("kafka").toString(),
                Integer.toString(brokerPort),
                Integer.toString(toBroker.port()));
        return new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.appendTo(
                        folder.resolve("broker.log").toFile()))
                .start();
    }

    private void awaitBroker() throws InterruptedException {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(START_SECONDS);
        while (true) {
            Map<String, Object> settings = kafka().common();
            settings.put("bootstrap.servers", "127.0.0.1:" + brokerPort);
            settings.put("default.api.timeout.ms", "3000");
            settings.put("request.timeout.ms", "2000");
            try (Admin admin = Admin.create(settings)) {
                if (!admin.describeCluster().nodes().get().isEmpty()) {
                    return;
                }
            } catch (ExecutionException e) {
                if (!broker.isAlive() || System.nanoTime() > end) {
                    throw new IllegalStateException(
                            "the broker did not start; see " + folder.resolve("broker.log"), e.getCause());
                }
            }
        }
    }
}
