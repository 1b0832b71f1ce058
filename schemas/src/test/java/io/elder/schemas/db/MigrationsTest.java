package io.elder.schemas.db;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.elder.schemas.ElderTable;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The migrations on a real server, on an empty database and on each shape that Elder's have. */
final class MigrationsTest {
    private static final List<String> ALL = List.of(
            "V1 elder tables",
            "V2 inventory columns",
            "V3 pipeline",
            "V4 functions",
            "V5 roles",
            "V6 change capture",
            "V20 pending rows",
            "V21 replayed marks",
            "V22 refused links",
            "V30 console role",
            "V40 waiting rows index",
            "V50 writeback",
            "V51 people memberships index",
            "V60 pending purges",
            "V61 old runs",
            "V62 room for updates");

    @Test
    void anEmptyDatabaseBecomesShapeA() throws SQLException {
        TestDatabase empty = TestDatabase.empty();
        TestDatabase elders = TestDatabase.of(DatabaseShape.A);

        Migrations.Report report = Migrations.migrate(empty.dataSource());

        assertThat(report.found()).isEmpty();
        assertThat(report.shape()).isEqualTo(DatabaseShape.A);
        assertThat(report.applied()).isEqualTo(ALL);
        assertThat(report.created()).hasSize(22);
        assertThat(report.warnings()).isEmpty();
        assertThat(report.toString()).contains("was empty").contains("V1 elder tables");
        Migrations.migrate(elders.dataSource());
        assertThat(empty.structure()).isEqualTo(elders.structure());
        assertThat(empty.column("SELECT slug FROM tenants")).containsExactly("default");
    }

    @ParameterizedTest
    @EnumSource
    void aDatabaseOfEldersKeepsItsShapeAndItsRows(DatabaseShape shape) throws SQLException {
        TestDatabase database = TestDatabase.of(shape);
        database.insertSample(shape);
        List<String> rows = database.sample();
        List<String> structure = database.structure();

        Migrations.Report report = Migrations.migrate(database.dataSource());

        assertThat(report.found()).contains(shape);
        assertThat(report.shape()).isEqualTo(shape);
        assertThat(report.created()).isEmpty();
        assertThat(report.applied()).isEqualTo(ALL);
        assertThat(report.toString()).contains("shape " + shape);
        assertThat(database.sample()).as("rows, without the added columns").isEqualTo(rows);
        assertThat(database.structure())
                .as("nothing of Elder's was taken away or altered")
                .containsAll(structure);
        assertThat(database.column("SELECT slug FROM tenants")).containsExactly("system");
    }

    @ParameterizedTest
    @EnumSource
    void migratingAgainChangesNothing(DatabaseShape shape) throws SQLException {
        TestDatabase database = TestDatabase.of(shape);
        database.insertSample(shape);
        Migrations.migrate(database.dataSource());
        List<String> structure = database.structure();
        List<String> grants = database.grants();
        List<String> rows = database.sample();

        Migrations.Report again = Migrations.migrate(database.dataSource());

        assertThat(again.applied()).isEmpty();
        assertThat(again.created()).isEmpty();
        assertThat(again.toString()).contains("nothing to migrate");
        assertThat(database.structure()).isEqualTo(structure);
        assertThat(database.grants()).isEqualTo(grants).isNotEmpty();
        assertThat(database.sample()).isEqualTo(rows);
    }

    @ParameterizedTest
    @EnumSource
    void pagesHaveRoomForUpdatesUnlessSomebodyHasDecided(DatabaseShape shape) throws SQLException {
        TestDatabase database = TestDatabase.of(shape);
        database.run("ALTER TABLE services SET (fillfactor = 95, autovacuum_enabled = true)");

        Migrations.migrate(database.dataSource());

        assertThat(database.column("SELECT reloptions::text FROM pg_class WHERE oid = 'public.services'::regclass"))
                .containsExactly("{fillfactor=95,autovacuum_enabled=true}");
        assertThat(
                        database.column(
                                "SELECT DISTINCT c.reloptions::text FROM pipeline.inventory() i"
                                        + " JOIN pg_class c ON c.oid = to_regclass('public.' || i.table_name) WHERE i.table_name <> 'services'"))
                .containsExactly("{fillfactor=80}");
    }

    @ParameterizedTest
    @EnumSource
    void tablesThatAreMissingAreCreatedBesideTheOthers(DatabaseShape shape) throws SQLException {
        TestDatabase database = TestDatabase.of(shape);
        database.run("DROP TABLE certificates, software, network_entity_mappings, identity_group_memberships CASCADE");

        Migrations.Report report = Migrations.migrate(database.dataSource());

        assertThat(report.shape()).isEqualTo(shape);
        assertThat(report.created())
                .containsExactly("certificates", "identity_group_memberships", "network_entity_mappings", "software");
        assertThat(report.toString()).contains("created missing tables in shape A: certificates");
    }

    @ParameterizedTest
    @EnumSource
    void everyInventoryTableHasTheColumnsOfThePipeline(DatabaseShape shape) throws SQLException {
        TestDatabase database = TestDatabase.of(shape);

        Migrations.migrate(database.dataSource());

        assertThat(database.column("SELECT table_name FROM pipeline.inventory() ORDER BY place"))
                .isEqualTo(Arrays.stream(ElderTable.values())
                        .map(ElderTable::sqlName)
                        .toList());
        assertThat(database.column("SELECT noun FROM pipeline.inventory() ORDER BY place"))
                .isEqualTo(
                        Arrays.stream(ElderTable.values()).map(ElderTable::noun).toList());
        for (ElderTable table : ElderTable.values()) {
            assertThat(database.columnsOf(table.sqlName()))
                    .as(table.sqlName())
                    .contains(
                            "source_key text",
                            "run_id text",
                            "observed_at timestamp with time zone",
                            "last_seen_at timestamp with time zone",
                            "deleted_at timestamp with time zone",
                            "content_hash bigint");
            assertThat(database.column("SELECT indexdef FROM pg_indexes WHERE tablename = '" + table.sqlName() + "'"))
                    .anyMatch(index -> index.startsWith("CREATE UNIQUE INDEX") && index.endsWith("btree (source_key)"));
        }
        assertThat(database.columnsOf("discovery_jobs"))
                .contains("status character varying(64)", "last_error text", "organization_id integer");
    }

    @Test
    void processesMayMigrateAtTheSameTime() throws Exception {
        TestDatabase database = TestDatabase.empty();
        Callable<Migrations.Report> migration = () -> Migrations.migrate(database.dataSource());

        try (ExecutorService threads = Executors.newFixedThreadPool(4)) {
            for (Future<Migrations.Report> report :
                    threads.invokeAll(List.of(migration, migration, migration, migration))) {
                assertThat(report.get().shape()).isEqualTo(DatabaseShape.A);
            }
        }
    }

    @Test
    void anUnknownDatabaseIsRefusedUntouched() throws SQLException {
        TestDatabase database = TestDatabase.empty();
        database.run("CREATE TABLE entities (id serial PRIMARY KEY, colour text)");
        List<String> structure = database.structure();

        assertThatThrownBy(() -> Migrations.migrate(database.dataSource()))
                .isInstanceOf(UnknownShapeException.class)
                .hasMessageContaining("entities has the columns colour, id")
                .hasMessageContaining("expected: discovery_jobs.provider with entities.type (shape A)");

        assertThat(database.structure()).isEqualTo(structure);
        assertThat(database.column("SELECT nspname FROM pg_namespace WHERE nspname = 'pipeline'"))
                .isEmpty();
    }

    @Test
    void aDatabaseWithoutEldersTablesHasNoShape() throws SQLException {
        try (Connection connection = TestDatabase.empty().connect()) {
            assertThat(DatabaseShape.find(connection)).isEqualTo(Optional.empty());
            assertThatThrownBy(() -> DatabaseShape.detect(connection))
                    .isInstanceOf(UnknownShapeException.class)
                    .hasMessageContaining("./elder migrate");
        }
    }

    @ParameterizedTest
    @EnumSource
    void thePublicationLeavesCredentialsOut(DatabaseShape shape) throws SQLException {
        TestDatabase database = TestDatabase.of(shape);

        Migrations.migrate(database.dataSource());

        assertThat(database.column(
                        "SELECT tablename FROM pg_publication_tables WHERE pubname = 'elder_worker' ORDER BY 1"))
                .containsExactly("discovery_jobs", "identities", "identity_group_memberships", "identity_groups");
        assertThat(database.column("SELECT tablename || '.' || unnest(attnames) FROM pg_publication_tables"
                        + " WHERE pubname = 'elder_worker'"))
                .contains("discovery_jobs.id", "discovery_jobs.next_run_at", "identities.username")
                .doesNotContain(
                        "discovery_jobs.config_json",
                        "discovery_jobs.config",
                        "discovery_jobs.credential_mapping",
                        "identities.password_hash",
                        "identities.mfa_secret");
        assertThat(database.column("SELECT relname FROM pg_class WHERE relreplident = 'f'"))
                .containsExactly("identity_group_memberships");
        // A published table whose column list lacks its replica identity would refuse these.
        database.run("UPDATE discovery_jobs SET last_error = 'x'");
        database.run("UPDATE identities SET email = 'x'");
        database.run("UPDATE identity_groups SET description = 'x'");
        database.run("DELETE FROM identity_group_memberships");
    }

    @Test
    void theOwnerNeedNotBeSuperuser() throws SQLException {
        TestDatabase database = TestDatabase.empty();
        String owner = "owner_" + database.name();
        database.run("CREATE ROLE " + owner + " LOGIN PASSWORD 'x' CREATEROLE");
        database.run("GRANT USAGE, CREATE ON SCHEMA public TO " + owner);
        database.run("GRANT CREATE ON DATABASE " + database.name() + " TO " + owner);

        Migrations.Report report = Migrations.migrate(database.url(), owner, "x");

        assertThat(report.applied()).isEqualTo(ALL);
        assertThat(database.column("SELECT has_table_privilege('elder_worker', 'public.entities', 'INSERT')::text"))
                .containsExactly("true");
    }
}
