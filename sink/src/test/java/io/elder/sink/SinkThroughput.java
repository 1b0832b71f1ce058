package io.elder.sink;

import io.elder.embedded.servers.EmbeddedDatabase;
import io.elder.schemas.avro.InventoryRecord;
import io.elder.schemas.avro.Row;
import io.elder.schemas.db.Migrations;
import io.elder.schemas.serde.AvroSchemas;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.Statement;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Times {@link InventoryWriter} alone: users, groups and memberships of one directory into a durable PostgreSQL, by one
 * connection. Run by hand: {@code java -cp ... io.elder.sink.SinkThroughput <new directory> [rounds] [batch size]}.
 */
public final class SinkThroughput {
    private static final Instant T0 = Instant.parse("2026-01-01T00:00:00Z");
    private static final int USERS = 20_000;
    private static final int GROUPS = 1_000;
    private static final int MEMBERSHIPS = 79_000;

    private SinkThroughput() {}

    /** The phases of one round, in order. */
    private enum Phase {
        /** Every row is new. */
        FIRST,
        /** Every row is seen again as it is. */
        SEEN,
        /** Every row has changed. */
        CHANGED,
        /** Every record is read again, as after a restart with old offsets. */
        REPLAYED
    }

    public static void main(String[] args) throws Exception {
        AvroSchemas.trustOurs();
        int rounds = args.length > 1 ? Integer.parseInt(args[1]) : 5;
        int batchSize = args.length > 2 ? Integer.parseInt(args[2]) : 1000;
        Map<Phase, long[]> rates = new EnumMap<>(Phase.class);
        for (Phase phase : Phase.values()) {
            rates.put(phase, new long[rounds]);
        }
        try (EmbeddedDatabase server =
                EmbeddedDatabase.start(Path.of(args[0]), 0, EmbeddedDatabase.Durability.DURABLE)) {
            for (int round = 0; round < rounds; round++) {
                String database = "round" + round;
                server.createDatabase(database);
                Migrations.migrate(server.jdbcUrl("postgres", database), "postgres", "");
                try (Connection connection = server.connect(database);
                        Statement statement = connection.createStatement()) {
                    statement.execute("INSERT INTO tenants (name, slug, is_active) SELECT 'Default', 'default', true"
                            + " WHERE NOT EXISTS (SELECT FROM tenants)");
                    statement.execute("INSERT INTO pipeline.offsets VALUES ('inventory', 0, 0)");
                }
                for (Phase phase : Phase.values()) {
                    List<InventoryWriter.Incoming> records = records(phase);
                    long started = System.nanoTime();
                    write(server, database, records, batchSize);
                    long millis = (System.nanoTime() - started) / 1_000_000;
                    rates.get(phase)[round] = records.size() * 1000L / millis;
                }
                check(server, database);
                int done = round;
                System.out.println(Arrays.stream(Phase.values())
                        .map(phase -> phase + " " + rates.get(phase)[done])
                        .toList());
                try (Connection connection = server.connect("postgres");
                        Statement statement = connection.createStatement()) {
                    statement.execute("DROP DATABASE " + database);
                }
            }
        }
        for (Phase phase : Phase.values()) {
            long[] sorted = rates.get(phase).clone();
            Arrays.sort(sorted);
            System.out.printf(
                    "%-9s median %6d records/s, lowest %6d, highest %6d%n",
                    phase, sorted[sorted.length / 2], sorted[0], sorted[sorted.length - 1]);
        }
    }

    private static void write(
            EmbeddedDatabase server, String database, List<InventoryWriter.Incoming> records, int batchSize)
            throws Exception {
        InventoryWriter writer = new InventoryWriter(ElderShape.A, InventoryWriter.Rules.DEFAULT);
        try (Connection connection = server.connect(database)) {
            connection.setAutoCommit(false);
            for (int from = 0; from < records.size(); from += batchSize) {
                try (PreparedStatement fence =
                        connection.prepareStatement("UPDATE pipeline.offsets SET next_offset = next_offset + 1")) {
                    fence.executeUpdate();
                }
                InventoryWriter.prepare(connection);
                writer.write(connection, records.subList(from, Math.min(records.size(), from + batchSize)), false);
                connection.commit();
            }
        }
    }

    private static void check(EmbeddedDatabase server, String database) throws Exception {
        try (Connection connection = server.connect(database);
                Statement statement = connection.createStatement();
                ResultSet row = statement.executeQuery(
                        "SELECT (SELECT count(*) FROM identities WHERE source_key IS NOT NULL)"
                                + " + (SELECT count(*) FROM identity_groups WHERE source_key IS NOT NULL)"
                                + " + (SELECT count(*) FROM identity_group_memberships WHERE source_key IS NOT NULL)")) {
            row.next();
            int rows = row.getInt(1);
            if (rows != USERS + GROUPS + MEMBERSHIPS) {
                throw new IllegalStateException(
                        "rows: " + rows + " (expected: " + (USERS + GROUPS + MEMBERSHIPS) + ")");
            }
        }
    }

    private static List<InventoryWriter.Incoming> records(Phase phase) {
        int time = phase == Phase.REPLAYED ? Phase.CHANGED.ordinal() : phase.ordinal();
        int version = phase.ordinal() < Phase.CHANGED.ordinal() ? 1 : 2;
        List<InventoryWriter.Incoming> records = new ArrayList<>();
        for (int user = 0; user < USERS; user++) {
            records.add(row(
                    "identities",
                    "ldap/dir/ldap_user/" + user,
                    time,
                    version,
                    Map.of(
                            "username", "ldap:user" + user,
                            "identity_type", "employee",
                            "auth_provider", "ldap",
                            "auth_provider_id", "ldap:dir:" + user,
                            "is_active", true,
                            "email", "user" + user + "@example.org",
                            "full_name", "User " + user + " v" + version),
                    Map.of()));
        }
        for (int group = 0; group < GROUPS; group++) {
            records.add(row(
                    "identity_groups",
                    "ldap/dir/ldap_group/" + group,
                    time,
                    version,
                    Map.of(
                            "name", "ldap:group" + group,
                            "description", "version " + version,
                            "provider", "ldap",
                            "provider_group_id", "g" + group,
                            "is_active", true),
                    Map.of()));
        }
        for (int member = 0; member < MEMBERSHIPS; member++) {
            int user = member % USERS;
            int group = (int) ((member * 7919L) % GROUPS);
            records.add(row(
                    "identity_group_memberships",
                    "ldap/dir/ldap_group_member/" + member,
                    time,
                    version,
                    Map.of("provider_member_id", "uid=user" + user + ",v=" + version),
                    Map.of(
                            "identity", "ldap/dir/ldap_user/" + user,
                            "group", "ldap/dir/ldap_group/" + group)));
        }
        return records;
    }

    private static InventoryWriter.Incoming row(
            String table,
            String key,
            int time,
            int version,
            Map<String, Object> values,
            Map<String, String> references) {
        Row row = new Row(
                table, false, key.hashCode() * 31L + version, new HashMap<>(values), references, null, List.of("ldap"));
        InventoryRecord record =
                new InventoryRecord(key, "ldap/dir/-/x", "connector:ldap.a" + time, T0.plusSeconds(time), row);
        return new InventoryWriter.Incoming(key, record, 0, 0);
    }
}
