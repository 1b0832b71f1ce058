package io.elder.schemas.db;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.elder.schemas.ElderTable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What the roles may do and may not do, tried with connections of their own. */
final class AccessTest {
    private static final String PASSWORD = "o'ne \"two\" \\ $1 ünicode";
    private static final String REFUSED = "42501";

    /** A line per role and object; columns where not all of a table are meant. */
    private static final String RIGHTS = """
            WITH roles AS (
                SELECT rolname::text AS role FROM pg_roles WHERE rolname IN ('elder_worker', 'elder_cdc', 'elder_console')),
            relations AS (
                SELECT c.oid, c.relkind, format('%I.%I', n.nspname, c.relname) AS name
                FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                WHERE n.nspname IN ('public', 'pipeline') AND c.relkind IN ('r', 'p', 'v', 'm', 'S')),
            columns AS (
                SELECT attrelid, attname, count(*) OVER (PARTITION BY attrelid) AS of_all
                FROM pg_attribute WHERE attnum > 0 AND NOT attisdropped),
            rights AS (
                SELECT role, name, CASE WHEN count(*) = max(of_all) THEN privilege
                    ELSE privilege || ' (' || string_agg(attname, ', ' ORDER BY attname) || ')' END AS granted
                FROM roles, relations JOIN columns ON attrelid = oid,
                    unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'REFERENCES']) privilege
                WHERE relkind <> 'S' AND has_column_privilege(role, oid, attname, privilege)
                GROUP BY role, name, privilege
                UNION ALL
                SELECT role, name, privilege FROM roles, relations, unnest(ARRAY['DELETE', 'TRUNCATE', 'TRIGGER']) privilege
                WHERE relkind <> 'S' AND has_table_privilege(role, oid, privilege)
                UNION ALL
                SELECT role, name, privilege FROM roles, relations, unnest(ARRAY['USAGE', 'SELECT', 'UPDATE']) privilege
                WHERE relkind = 'S' AND has_sequence_privilege(role, oid, privilege)
                UNION ALL
                SELECT role, 'function ' || p.oid::regprocedure, 'EXECUTE' FROM roles, pg_proc p
                WHERE pronamespace IN ('public'::regnamespace, 'pipeline'::regnamespace)
                    AND has_function_privilege(role, p.oid, 'EXECUTE')
                UNION ALL
                SELECT role, 'schema ' || nspname, privilege FROM roles, pg_namespace, unnest(ARRAY['USAGE', 'CREATE']) privilege
                WHERE nspname IN ('public', 'pipeline') AND has_schema_privilege(role, oid, privilege)
                UNION ALL
                SELECT role, 'database', privilege FROM roles, unnest(ARRAY['CONNECT', 'CREATE', 'TEMPORARY']) privilege
                WHERE has_database_privilege(role, current_database(), privilege)
                UNION ALL
                SELECT rolname, 'server', concat_ws(', ', CASE WHEN rolsuper THEN 'SUPERUSER' END,
                    CASE WHEN rolcreaterole THEN 'CREATEROLE' END, CASE WHEN rolcreatedb THEN 'CREATEDB' END,
                    CASE WHEN rolreplication THEN 'REPLICATION' END, CASE WHEN rolbypassrls THEN 'BYPASSRLS' END)
                FROM roles JOIN pg_roles ON rolname = role
                WHERE rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls
                UNION ALL
                SELECT role, 'server', 'member of ' || string_agg(g.rolname, ', ' ORDER BY g.rolname)
                FROM roles JOIN pg_roles r ON r.rolname = role JOIN pg_auth_members m ON m.member = r.oid
                    JOIN pg_roles g ON g.oid = m.roleid GROUP BY role)
            SELECT role || ', ' || name || ': ' || string_agg(granted, ', ' ORDER BY granted COLLATE "C")
            FROM rights GROUP BY role, name ORDER BY role COLLATE "C", name COLLATE "C"
            """;

    /** To be read before it is agreed to: whatever is new here, somebody was given. */
    @ParameterizedTest
    @EnumSource
    void whatEveryRoleMayDoIsWrittenDown(DatabaseShape shape) throws SQLException, IOException {
        Path golden = Path.of("src/test/resources/golden/access-" + shape.name().toLowerCase(Locale.ROOT) + ".txt");
        String found;
        try (Connection owner = migrated(shape).connect()) {
            found = String.join("\n", column(owner, RIGHTS)) + "\n";
        }
        if (Boolean.getBoolean("golden.rewrite") && System.getenv("CI") == null) {
            Files.writeString(golden, found);
        }
        assertThat(found).isEqualTo(Files.readString(golden));
    }

    @ParameterizedTest
    @EnumSource
    void theWorkerMayFillTheInventory(DatabaseShape shape) throws SQLException {
        TestDatabase database = migrated(shape);

        try (Connection worker = worker(database)) {
            for (ElderTable table : ElderTable.values()) {
                String name = table.sqlName();
                run(worker, "SELECT id, source_key, deleted_at FROM " + name);
                run(worker, "UPDATE " + name + " SET source_key = source_key, content_hash = 1, last_seen_at = now()");
                assertThat(inserts(worker, name)).as("INSERT on " + name).isTrue();
            }
            run(worker, "SELECT id, slug, name FROM tenants");
            run(worker, "SELECT * FROM discovery_jobs");
            run(
                    worker,
                    "UPDATE discovery_jobs SET status = 'running', last_run_at = now(), next_run_at = NULL, last_error = 'x'");
            run(worker, "SELECT * FROM discovery_history");
            run(worker, "UPDATE discovery_history SET status = 'failed'");
            String jobColumn = shape == DatabaseShape.C ? "discovery_job_id" : "job_id";
            run(
                    worker,
                    shape == DatabaseShape.C
                            ? "INSERT INTO discovery_history (discovery_job_id, status) VALUES (1, 'running')"
                            : "INSERT INTO discovery_history (" + jobColumn
                                    + ", started_at, status, entities_discovered, entities_created, entities_updated)"
                                    + " VALUES (1, now(), 'running', 0, 0, 0)");
            run(
                    worker,
                    shape == DatabaseShape.C
                            ? "INSERT INTO discovery_jobs (name, type, config) VALUES ('n', 'aws', '{}')"
                            : "INSERT INTO discovery_jobs (name, provider, config_json, schedule_interval, enabled, created_at, updated_at)"
                                    + " VALUES ('n', 'aws', '{}', 0, true, now(), now())");
            run(
                    worker,
                    "INSERT INTO organizations (tenant_id, name, source_key, "
                            + (shape == DatabaseShape.B
                                    ? "organization_type, created_at, updated_at) VALUES (1, 'o', 'k', 'x', now(), now())"
                                    : "type) VALUES (1, 'o', 'k', 'x')")
                            + " ON CONFLICT (source_key) DO UPDATE SET name = excluded.name WHERE organizations.content_hash IS NULL");
            if (shape == DatabaseShape.A) {
                run(
                        worker,
                        "INSERT INTO identities (tenant_id, username, identity_type, auth_provider, is_active, is_superuser,"
                                + " mfa_enabled, must_change_password, portal_role, source_key)"
                                + " VALUES (1, 'ldap:bob', 'EMPLOYEE', 'LDAP', true, false, false, false, 'observer', 'k')"
                                + " ON CONFLICT (source_key) DO UPDATE SET email = excluded.email, is_active = excluded.is_active");
            }
            for (String table : List.of(
                    "offsets",
                    "scope_progress",
                    "runs",
                    "pending_links",
                    "pending_rows",
                    "pending_purges",
                    "name_claims",
                    "heartbeat")) {
                run(worker, "SELECT * FROM pipeline." + table);
                run(worker, "DELETE FROM pipeline." + table);
            }
            run(
                    worker,
                    "INSERT INTO pipeline.offsets VALUES ('inventory', 0, 1)"
                            + " ON CONFLICT (topic, partition) DO UPDATE SET next_offset = excluded.next_offset");
        }
    }

    @ParameterizedTest
    @EnumSource
    void theWorkerIsRefusedTheRest(DatabaseShape shape) throws SQLException {
        TestDatabase database = migrated(shape);
        List<String> forbidden = new ArrayList<>(List.of(
                "SELECT id FROM portal_users",
                "SELECT * FROM portal_users",
                "UPDATE portal_users SET is_active = false",
                "SELECT * FROM tenants",
                "UPDATE tenants SET name = 'x'",
                "SELECT * FROM builtin_secrets",
                "SELECT id FROM key_providers",
                "SELECT id FROM crypto_keys",
                "SELECT * FROM cloud_accounts",
                "SELECT * FROM google_workspace_providers",
                "SELECT * FROM iam_providers",
                "UPDATE iam_providers SET name = 'x'",
                "DELETE FROM discovery_jobs",
                "DELETE FROM discovery_history",
                "UPDATE pipeline.flyway_schema_history SET success = false",
                "DELETE FROM pipeline.flyway_schema_history",
                "SELECT pipeline.empty_inventory()",
                "SELECT pipeline.delete_unreferenced('entities', '{1}')",
                "SELECT pipeline.grant_access()",
                "CREATE TABLE pipeline.mine (id integer)",
                "CREATE ROLE mine",
                "ALTER TABLE entities ADD COLUMN mine text",
                "CREATE PUBLICATION mine FOR TABLE identities"));
        for (ElderTable table : ElderTable.values()) {
            forbidden.add("DELETE FROM " + table.sqlName());
            forbidden.add("TRUNCATE " + table.sqlName() + " CASCADE");
        }
        if (shape == DatabaseShape.C) {
            forbidden.add("SELECT value FROM builtin_secrets");
            forbidden.add("UPDATE builtin_secrets SET value = 'x'");
            forbidden.add("SELECT credentials FROM cloud_accounts");
            forbidden.add("SELECT config FROM iam_providers");
        } else {
            forbidden.add("SELECT * FROM identities");
            forbidden.add("SELECT password_hash FROM identities");
            forbidden.add("SELECT mfa_secret FROM identities");
            forbidden.add("UPDATE identities SET password_hash = 'x'");
            forbidden.add("UPDATE identities SET mfa_secret = 'x'");
            forbidden.add("UPDATE identities SET is_superuser = true");
            forbidden.add("UPDATE identities SET portal_role = 'admin'");
            forbidden.add("SELECT license_key FROM tenants");
            forbidden.add("SELECT secret_value FROM builtin_secrets");
            forbidden.add("SELECT secret_json FROM builtin_secrets");
            forbidden.add("UPDATE builtin_secrets SET secret_value = 'x'");
            forbidden.add("UPDATE discovery_jobs SET credential_id = 2");
            forbidden.add("UPDATE discovery_jobs SET credential_type = 'builtin_secret'");
            forbidden.add("SELECT credentials_json FROM cloud_accounts");
            forbidden.add("SELECT credentials_json FROM google_workspace_providers");
            forbidden.add("SELECT config_json FROM iam_providers");
        }

        try (Connection worker = worker(database)) {
            assertRefused(worker, forbidden);
        }
    }

    @Test
    void whatAnOlderReleaseGrantedTooMuchIsTakenBack() throws SQLException {
        TestDatabase database = migrated(DatabaseShape.C);
        database.run("GRANT ALL ON ALL TABLES IN SCHEMA public TO elder_worker");
        database.run("GRANT SELECT (password) ON portal_users TO elder_worker");

        Migrations.migrate(database.dataSource());

        try (Connection worker = worker(database)) {
            assertRefused(
                    worker,
                    List.of(
                            "SELECT password FROM portal_users",
                            "DELETE FROM entities",
                            "SELECT value FROM builtin_secrets"));
            run(worker, "SELECT id FROM entities");
        }
    }

    @Test
    void columnsThatElderAddsLaterAreGrantedByTheNextMigration() throws SQLException {
        TestDatabase database = migrated(DatabaseShape.A);
        database.run("ALTER TABLE identities ADD COLUMN nickname text");

        Migrations.migrate(database.dataSource());

        try (Connection worker = worker(database)) {
            run(worker, "UPDATE identities SET nickname = 'x'");
        }
    }

    @ParameterizedTest
    @EnumSource
    void changeCaptureReadsTheCapturedColumnsOnly(DatabaseShape shape) throws SQLException {
        TestDatabase database = migrated(shape);
        try (Connection owner = database.connect()) {
            Migrations.setCdcPassword(owner, PASSWORD);
        }
        assertThat(database.column("SELECT rolreplication::text FROM pg_roles WHERE rolname = 'elder_cdc'"))
                .containsExactly("true");

        try (Connection cdc = database.connect("elder_cdc", PASSWORD)) {
            run(cdc, "SELECT id, name, next_run_at, status, organization_id FROM discovery_jobs");
            run(cdc, "SELECT id, username, email, deleted_at FROM identities");
            run(cdc, "SELECT * FROM identity_groups");
            run(cdc, "SELECT * FROM identity_group_memberships");
            List<String> forbidden = new ArrayList<>(List.of(
                    "SELECT * FROM discovery_jobs",
                    "UPDATE discovery_jobs SET name = 'x'",
                    "SELECT id FROM entities",
                    "SELECT id FROM builtin_secrets",
                    "SELECT id FROM portal_users",
                    "SELECT pipeline.job_secret(1)",
                    "SELECT pipeline.purge('entities', '{}')",
                    "SELECT * FROM pipeline.runs",
                    "UPDATE pipeline.heartbeat SET at = now()"));
            if (shape == DatabaseShape.C) {
                forbidden.add("SELECT config FROM discovery_jobs");
            } else {
                forbidden.add("SELECT config_json FROM discovery_jobs");
                forbidden.add("SELECT credential_mapping FROM discovery_jobs");
                forbidden.add("SELECT password_hash FROM identities");
                forbidden.add("SELECT mfa_secret FROM identities");
            }
            assertRefused(cdc, forbidden);
        }
    }

    @ParameterizedTest
    @EnumSource
    void theConsoleManagesJobsAndLooksAtTheInventory(DatabaseShape shape) throws SQLException {
        TestDatabase database = migrated(shape);
        try (Connection owner = database.connect()) {
            Migrations.setConsolePassword(owner, PASSWORD);
        }
        List<String> forbidden = new ArrayList<>(List.of(
                "UPDATE discovery_history SET status = 'x'",
                "INSERT INTO discovery_history (id) VALUES (1)",
                "TRUNCATE discovery_jobs CASCADE",
                "SELECT id FROM portal_users",
                "SELECT id FROM tenants",
                "SELECT id FROM key_providers",
                "SELECT id FROM cloud_accounts",
                "SELECT * FROM builtin_secrets",
                "SELECT * FROM pipeline.runs",
                "SELECT pipeline.job_secret(1)",
                "SELECT pipeline.purge('entities', '{}')",
                "SELECT pipeline.empty_inventory()",
                "SELECT pipeline.grant_console_access()",
                "CREATE TABLE pipeline.mine (id integer)"));
        if (shape == DatabaseShape.C) {
            forbidden.add("SELECT value FROM builtin_secrets");
        } else {
            forbidden.add("SELECT secret_value FROM builtin_secrets");
            forbidden.add("SELECT password_hash FROM identities");
            forbidden.add("SELECT mfa_secret FROM identities");
        }

        try (Connection console = database.connect("elder_console", PASSWORD)) {
            run(console, "SELECT * FROM discovery_jobs FOR UPDATE");
            run(console, "UPDATE discovery_jobs SET name = name");
            if (shape != DatabaseShape.C) {
                run(console, "UPDATE discovery_jobs SET credential_type = 'builtin_secret', credential_id = 1");
            }
            run(console, "SELECT * FROM discovery_history");
            for (ElderTable table : ElderTable.values()) {
                run(console, "SELECT id, deleted_at FROM " + table.sqlName());
                run(console, "SELECT count(*) FROM " + table.sqlName());
                forbidden.add("INSERT INTO " + table.sqlName() + " (source_key) VALUES ('x')");
                forbidden.add("UPDATE " + table.sqlName() + " SET source_key = 'x'");
                forbidden.add("DELETE FROM " + table.sqlName());
            }
            assertRefused(console, forbidden);
            run(console, "DELETE FROM discovery_history");
            run(console, "DELETE FROM discovery_jobs");
        }
    }

    @Test
    void aJobsSecretIsTheOneThatItPointsTo() throws SQLException {
        TestDatabase database = migrated(DatabaseShape.A);

        try (Connection worker = worker(database)) {
            assertThat(secretOf(worker, 1)).isEqualTo("{\"key\": \"canary-json-1\"}");
            database.run("UPDATE builtin_secrets SET secret_json = NULL");
            assertThat(secretOf(worker, 1)).isEqualTo("canary-secret-1");
            assertThat(secretOf(worker, 2))
                    .as("credential_type is not builtin_secret")
                    .isNull();
            assertThat(secretOf(worker, 3)).as("no such job").isNull();
            database.run("UPDATE builtin_secrets SET is_active = false");
            assertThat(secretOf(worker, 1)).as("inactive").isNull();
        }
        TestDatabase withoutReferences = migrated(DatabaseShape.C);
        try (Connection worker = worker(withoutReferences)) {
            assertThat(secretOf(worker, 1)).isNull();
        }
    }

    @Test
    void purgeDeletesOnlySoftlyDeletedRowsThatNothingRefersTo() throws SQLException {
        TestDatabase database = migrated(DatabaseShape.A);
        database.run("""
                INSERT INTO organizations (id, tenant_id, parent_id, name, source_key, deleted_at) VALUES
                    (10, 1, NULL, 'parent', 'parent', now()), (11, 1, 10, 'child', 'child', now()),
                    (12, 1, NULL, 'live', 'live', NULL), (13, 1, NULL, 'used', 'used', now()), (14, 1, NULL, 'linked', 'linked', now()),
                    (15, 1, NULL, 'home', 'home', now());
                UPDATE identities SET organization_id = 15;
                INSERT INTO entities (organization_id, name, type) VALUES (13, 'made by a person', 'compute');
                INSERT INTO dependencies (source_type, source_id, target_type, target_id) VALUES ('entity', 1, 'organization', 14);
                UPDATE organizations SET deleted_at = now() WHERE id = 1""");

        try (Connection worker = worker(database)) {
            assertThat(
                            column(
                                    worker,
                                    "SELECT pipeline.purge('organizations', '{parent, child, live, used, linked, home, absent}')"))
                    .containsExactly("2");
            assertThat(column(worker, "SELECT pipeline.purge('organizations', '{}')"))
                    .containsExactly("0");
            assertThatThrownBy(() -> run(worker, "SELECT pipeline.purge('portal_users', '{x}')"))
                    .hasMessageContaining("table: portal_users (expected: one of organizations, identities,");
        }

        assertThat(database.column("SELECT name FROM organizations ORDER BY id"))
                .containsExactly("Head office", "live", "used", "linked", "home");
        assertThat(database.column("SELECT name FROM entities ORDER BY id"))
                .containsExactly("printer", "made by a person");
    }

    @ParameterizedTest
    @EnumSource
    void everyInventoryTableCanBePurged(DatabaseShape shape) throws SQLException {
        TestDatabase database = migrated(shape);

        try (Connection worker = worker(database)) {
            for (ElderTable table : ElderTable.values()) {
                assertThat(column(worker, "SELECT pipeline.purge('" + table.sqlName() + "', '{nothing}')"))
                        .containsExactly("0");
            }
        }
        database.run("SELECT pipeline.empty_inventory()");
    }

    @Test
    void emptyingTheInventoryKeepsWhatPeopleMadeAndWhatTheyReferTo() throws SQLException {
        TestDatabase database = migrated(DatabaseShape.A);
        List<String> sample = database.sample();
        database.run("""
                INSERT INTO organizations (id, tenant_id, name, source_key, content_hash) VALUES (10, 1, 'mine', 'mine', 7), (11, 1, 'used', 'used', 7);
                INSERT INTO entities (id, organization_id, name, type, source_key) VALUES (10, 10, 'mine', 'compute', 'mine');
                INSERT INTO entities (id, organization_id, name, type) VALUES (11, 11, 'made by a person', 'compute');
                INSERT INTO dependencies (source_type, source_id, target_type, target_id, source_key) VALUES ('entity', 10, 'organization', 11, 'mine');
                INSERT INTO pipeline.pending_links VALUES ('entities', 'a', 'parent', 'b')""");

        List<String> report = database.column(
                "SELECT table_name || ' ' || deleted || ' ' || kept FROM pipeline.empty_inventory() WHERE deleted + kept > 0");

        assertThat(report).containsExactly("dependencies 1 0", "entities 1 0", "organizations 1 1");
        assertThat(database.column("SELECT name FROM organizations WHERE content_hash IS NULL ORDER BY id"))
                .containsExactly("Head office", "used");
        assertThat(database.column("SELECT name FROM entities ORDER BY id"))
                .containsExactly("printer", "made by a person");
        assertThat(database.column("SELECT reference FROM pipeline.pending_links"))
                .isEmpty();
        assertThat(database.sample()).containsAll(sample);
    }

    @Test
    void ownersFunctionsArePinnedAndClosedToThePublic() throws SQLException {
        TestDatabase database = migrated(DatabaseShape.A);

        assertThat(database.column("SELECT proname FROM pg_proc WHERE pronamespace = 'pipeline'::regnamespace"
                        + " AND (proconfig IS NULL OR NOT 'search_path=pg_catalog, pg_temp' = ANY (proconfig))"))
                .isEmpty();
        assertThat(
                        database.column(
                                "SELECT proname FROM pg_proc, aclexplode(proacl) g"
                                        + " WHERE pronamespace = 'pipeline'::regnamespace AND g.grantee = 0"
                                        + " UNION SELECT proname FROM pg_proc WHERE pronamespace = 'pipeline'::regnamespace AND proacl IS NULL"))
                .isEmpty();
        assertThat(
                        database.column(
                                "SELECT proname FROM pg_proc WHERE pronamespace = 'pipeline'::regnamespace AND prosecdef ORDER BY 1"))
                .containsExactly("empty_inventory", "job_secret", "purge");
    }

    @Test
    void aPasswordIsNotSentInClear() throws SQLException {
        TestDatabase database = migrated(DatabaseShape.A);

        try (Connection owner = database.connect()) {
            Migrations.setWorkerPassword(owner, PASSWORD);
            assertThat(column(owner, "SELECT rolpassword FROM pg_authid WHERE rolname = 'elder_worker'"))
                    .singleElement()
                    .asString()
                    .startsWith("SCRAM-SHA-256$");
            assertThatThrownBy(() -> Migrations.setWorkerPassword(owner, " "))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage("password of elder_worker is blank (expected: some text)");
        }
        database.connect("elder_worker", PASSWORD).close();
    }

    private static TestDatabase migrated(DatabaseShape shape) throws SQLException {
        TestDatabase database = TestDatabase.of(shape);
        database.insertSample(shape);
        Migrations.migrate(database.dataSource());
        return database;
    }

    private static Connection worker(TestDatabase database) throws SQLException {
        try (Connection owner = database.connect()) {
            Migrations.setWorkerPassword(owner, PASSWORD);
        }
        return database.connect("elder_worker", PASSWORD);
    }

    private static String secretOf(Connection connection, int job) throws SQLException {
        return column(connection, "SELECT pipeline.job_secret(" + job + ")").getFirst();
    }

    // Lacking privileges are reported before mandatory columns are.
    private static boolean inserts(Connection connection, String table) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute("INSERT INTO " + table + " (source_key) VALUES ('x')");
            return true;
        } catch (SQLException e) {
            return !e.getSQLState().equals(REFUSED);
        }
    }

    private static void assertRefused(Connection connection, List<String> forbidden) {
        Set<String> allowed = new TreeSet<>();
        for (String sql : forbidden) {
            try {
                run(connection, sql);
                allowed.add(sql);
            } catch (SQLException e) {
                assertThat(e.getSQLState()).as(sql + ": " + e.getMessage()).isEqualTo(REFUSED);
            }
        }
        assertThat(allowed).as("allowed, but should be refused").isEmpty();
    }

    private static void run(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }

    private static List<String> column(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery(sql)) {
            List<String> values = new ArrayList<>();
            while (rows.next()) {
                values.add(rows.getString(1));
            }
            return values;
        }
    }
}
