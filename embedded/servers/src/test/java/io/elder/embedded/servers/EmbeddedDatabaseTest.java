package io.elder.embedded.servers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EmbeddedDatabaseTest {
    @TempDir
    Path directory;

    @Test
    void aRestartKeepsDataAndIsDurableAndLogical() throws Exception {
        try (EmbeddedDatabase database = EmbeddedDatabase.start(directory, 0)) {
            database.createDatabase("elder");
            database.createDatabase("elder");
            try (Connection connection = database.connect("elder");
                    Statement statement = connection.createStatement()) {
                statement.execute("CREATE TABLE kept (v int)");
                statement.execute("INSERT INTO kept VALUES (42)");
                assertThat(text(statement, "SHOW fsync")).isEqualTo("on");
                assertThat(text(statement, "SHOW synchronous_commit")).isEqualTo("on");
                assertThat(text(statement, "SHOW wal_level")).isEqualTo("logical");
            }
        }
        try (EmbeddedDatabase database = EmbeddedDatabase.start(directory, 0, EmbeddedDatabase.Durability.FAST);
                Connection connection = database.connect("elder");
                Statement statement = connection.createStatement()) {
            assertThat(text(statement, "SELECT v FROM kept")).isEqualTo("42");
            assertThat(text(statement, "SHOW fsync")).isEqualTo("off");
        }
    }

    @Test
    void closingEndsTheServerProcess() throws Exception {
        EmbeddedDatabase database = EmbeddedDatabase.start(directory, 0, EmbeddedDatabase.Durability.FAST);
        ProcessHandle postmaster = ProcessHandle.of(database.pid()).orElseThrow();
        database.close();
        assertThat(postmaster.isAlive()).isFalse();
    }

    @Test
    void aServerLeftBehindByAKilledProcessIsStoppedFirst() throws Exception {
        String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        Process owner = new ProcessBuilder(
                        java, "-cp", System.getProperty("java.class.path"), Owner.class.getName(), directory.toString())
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
        long orphan;
        try (var lines = owner.inputReader()) {
            String line = lines.readLine();
            while (line != null && !line.startsWith("PID ")) {
                line = lines.readLine();
            }
            assertThat(line).as("the child's postmaster").isNotNull();
            orphan = Long.parseLong(line.substring(4));
            assertThatThrownBy(() -> EmbeddedDatabase.start(directory, 0))
                    .isInstanceOf(ServerStartException.class)
                    .hasMessageContaining("is in use by another running process");
            owner.destroyForcibly().waitFor(10, TimeUnit.SECONDS);
        }
        assertThat(ProcessHandle.of(orphan)).isPresent();
        try (EmbeddedDatabase database = EmbeddedDatabase.start(directory, 0)) {
            assertThat(database.pid()).isPositive().isNotEqualTo(orphan);
            assertThat(ProcessHandle.of(orphan).map(ProcessHandle::isAlive).orElse(false))
                    .isFalse();
            try (Connection connection = database.connect("postgres");
                    Statement statement = connection.createStatement()) {
                assertThat(text(statement, "SHOW fsync")).isEqualTo("on");
            }
        }
    }

    @Test
    void aTakenPortIsOneClearLine() throws Exception {
        try (EmbeddedDatabase database =
                EmbeddedDatabase.start(directory.resolve("a"), 0, EmbeddedDatabase.Durability.FAST)) {
            assertThatThrownBy(() -> EmbeddedDatabase.start(directory.resolve("b"), database.port()))
                    .isInstanceOf(ServerStartException.class)
                    .hasMessageStartingWith("PostgreSQL: port " + database.port() + " is taken by another process");
        }
    }

    /** Runs in a JVM of its own, to be killed. */
    static final class Owner {
        private Owner() {}

        public static void main(String[] arguments) throws InterruptedException {
            EmbeddedDatabase database =
                    EmbeddedDatabase.start(Path.of(arguments[0]), 0, EmbeddedDatabase.Durability.FAST);
            System.out.println("PID " + database.pid());
            System.out.flush();
            Thread.sleep(60_000);
        }
    }

    private static String text(Statement statement, String query) throws SQLException {
        try (ResultSet rows = statement.executeQuery(query)) {
            rows.next();
            return rows.getString(1);
        }
    }
}
