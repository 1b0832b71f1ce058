package io.elder.schemas.db;

import io.zonky.test.db.postgres.embedded.EmbeddedPostgres;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import javax.sql.DataSource;

/** A database of its own on a server that all tests share. */
record TestDatabase(String name) {
    private static final AtomicInteger COUNT = new AtomicInteger();
    private static final List<String> SAMPLED = List.of(
            "tenants",
            "organizations",
            "identities",
            "identity_groups",
            "identity_group_memberships",
            "entities",
            "builtin_secrets",
            "discovery_jobs",
            "discovery_history");

    /** Started by the first test that needs it; the JVM's end stops it. */
    private static final class Server {
        static final EmbeddedPostgres INSTANCE = start();

        private static EmbeddedPostgres start() {
            try {
                return EmbeddedPostgres.builder()
                        .setServerConfig("wal_level", "logical")
                        .start();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    static TestDatabase empty() throws SQLException {
        TestDatabase database = new TestDatabase("elder_" + COUNT.incrementAndGet());
        try (Connection connection = Server.INSTANCE.getPostgresDatabase().getConnection();
                Statement statement = connection.createStatement()) {
            statement.execute("CREATE DATABASE " + database.name);
        }
        return database;
    }

    /** A database as Elder leaves it, without rows. */
    static TestDatabase of(DatabaseShape shape) throws SQLException {
        TestDatabase database = empty();
        switch (shape) {
            case A -> database.run(script("shape-a.sql"));
            case B -> {
                database.run(script("shape-a.sql"));
                database.run(script("shape-b.sql"));
            }
            case C -> {
                database.run(script("shape-c.sql"));
                database.run("CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)");
            }
        }
        return database;
    }

    DataSource dataSource() {
        return Server.INSTANCE.getDatabase("postgres", name);
    }

    String url() {
        return Server.INSTANCE.getJdbcUrl("postgres", name);
    }

    Connection connect() throws SQLException {
        return dataSource().getConnection();
    }

    Connection connect(String user, String password) throws SQLException {
        return DriverManager.getConnection(
                "jdbc:postgresql://localhost:" + Server.INSTANCE.getPort() + "/" + name, user, password);
    }

    void run(String sql) throws SQLException {
        try (Connection connection = connect();
                Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }

    /** The first column of what a query returns. */
    List<String> column(String sql) throws SQLException {
        try (Connection connection = connect();
                Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery(sql)) {
            List<String> values = new ArrayList<>();
            while (rows.next()) {
                values.add(rows.getString(1));
            }
            return values;
        }
    }

    List<String> columnsOf(String table) throws SQLException {
        return column(
                "SELECT attname || ' ' || format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'public."
                        + table + "'::regclass AND attnum > 0 AND NOT attisdropped");
    }

    /** Every column, constraint, index and enum type of schema public, one a line. */
    List<String> structure() throws SQLException {
        return column("""
                SELECT 'column ' || c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
                    || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END || coalesce(' ' || pg_get_expr(d.adbin, d.adrelid), '')
                FROM pg_class c
                JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
                WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
                UNION ALL
                SELECT 'constraint ' || conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid)
                FROM pg_constraint WHERE connamespace = 'public'::regnamespace
                UNION ALL
                SELECT 'index ' || indexdef FROM pg_indexes WHERE schemaname = 'public'
                UNION ALL
                SELECT 'enum ' || enumtypid::regtype || ' ' || enumlabel FROM pg_enum
                ORDER BY 1""");
    }

    /** What others than the owner may do, one right a line. */
    List<String> grants() throws SQLException {
        return column("""
                SELECT c.oid::regclass || ' ' || coalesce(acls.attname, '') || ' ' || g.grantee::regrole || ' ' || g.privilege_type
                FROM pg_class c
                CROSS JOIN LATERAL (
                    SELECT NULL, c.relacl
                    UNION ALL
                    SELECT a.attname, a.attacl FROM pg_attribute a WHERE a.attrelid = c.oid) AS acls (attname, acl)
                CROSS JOIN LATERAL aclexplode(acls.acl) g
                WHERE c.relnamespace IN ('public'::regnamespace, 'pipeline'::regnamespace) AND g.grantee <> c.relowner
                ORDER BY 1""");
    }

    /** A few rows that people made, in the columns of the shape. */
    void insertSample(DatabaseShape shape) throws SQLException {
        run(script("sample-" + (shape == DatabaseShape.C ? "c" : shape == DatabaseShape.B ? "b" : "a") + ".sql"));
    }

    /** The rows of the sampled tables as JSON, without the columns that the migrations add. */
    List<String> sample() throws SQLException {
        List<String> rows = new ArrayList<>();
        for (String table : SAMPLED) {
            rows.addAll(column("SELECT '" + table + " '::text || jsonb_strip_nulls(to_jsonb(t))::text FROM " + table
                    + " t ORDER BY id"));
        }
        return rows;
    }

    private static String script(String name) {
        try (InputStream in = TestDatabase.class.getResourceAsStream("/db/" + name)) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
