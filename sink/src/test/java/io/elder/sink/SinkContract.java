package io.elder.sink;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.elder.embedded.servers.EmbeddedDatabase;
import io.elder.schemas.avro.InventoryRecord;
import io.elder.schemas.avro.Row;
import io.elder.schemas.avro.ScopeMark;
import io.elder.schemas.db.Migrations;
import io.elder.schemas.serde.AvroSchemas;
import io.elder.sink.InventoryWriter.Incoming;
import io.elder.sink.InventoryWriter.Refusal;
import io.elder.sink.InventoryWriter.Rules;
import io.elder.sink.InventoryWriter.Tally;
import io.elder.sink.InventoryWriter.Written;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;

/** What the sink owes to every shape of Elder's database, on a real PostgreSQL. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class SinkContract {
    private static final Instant T0 = Instant.parse("2026-01-01T00:00:00Z");
    private static final String USER = "ldap/dir/ldap_user/";
    private static final String GROUP = "ldap/dir/ldap_group/";
    private static final String MEMBER = "ldap/dir/ldap_group_member/";
    private static final String OU = "ldap/dir/ldap_ou/";

    private final ElderShape shape;

    @TempDir
    static Path directory;

    private EmbeddedDatabase server;
    private String database;
    private int databases;
    private InventoryWriter writer;

    SinkContract(ElderShape shape) {
        this.shape = shape;
    }

    static {
        // As the serdes do in a process.
        AvroSchemas.trustOurs();
    }

    @BeforeAll
    void startServer() throws SQLException, IOException {
        server = EmbeddedDatabase.start(directory.resolve(shape.name()), 0, EmbeddedDatabase.Durability.FAST);
        server.createDatabase("template");
        try (Connection connection = server.connect("template");
                Statement statement = connection.createStatement()) {
            // Shape B is what differs from shape A.
            for (ElderShape part : shape == ElderShape.B ? List.of(ElderShape.A, ElderShape.B) : List.of(shape)) {
                Path tables = Path.of(
                        "../schemas/src/test/resources/db/shape-" + part.name().toLowerCase(Locale.ROOT) + ".sql");
                statement.execute(Files.readString(tables));
            }
        }
        Migrations.migrate(server.jdbcUrl("postgres", "template"), "postgres", "");
    }

    @AfterAll
    void stopServer() {
        server.close();
    }

    @BeforeEach
    void freshDatabase() throws SQLException {
        database = "d" + ++databases;
        try (Connection connection = server.connect("postgres");
                Statement statement = connection.createStatement()) {
            statement.execute("CREATE DATABASE " + database + " TEMPLATE template");
        }
        try (Connection connection = server.connect(database);
                Statement statement = connection.createStatement()) {
            statement.execute(
                    shape == ElderShape.C
                            ? "INSERT INTO tenants (name, slug) SELECT 'Default', 'default' WHERE NOT EXISTS (SELECT FROM tenants WHERE slug = 'default')"
                            : "INSERT INTO tenants (name, slug, is_active, created_at, updated_at) SELECT 'Default', 'default', true, now(), now() WHERE NOT EXISTS (SELECT FROM tenants WHERE slug = 'default')");
            assertThat(ElderShape.detect(connection)).isEqualTo(shape);
        }
        writer = new InventoryWriter(shape, Rules.DEFAULT);
    }

    @Test
    void theSameRecordTwiceLeavesOneRow() throws SQLException {
        apply(company(1));
        List<String> once = tables();
        apply(company(1));
        assertThat(tables()).isEqualTo(once);
        assertThat(count("identities WHERE source_key IS NOT NULL")).isEqualTo(6);
        assertThat(count("identity_group_memberships WHERE identity_id IS NOT NULL AND group_id IS NOT NULL"))
                .isEqualTo(6);
        assertThat(count("pipeline.pending_rows")).isZero();
        assertThat(count("pipeline.pending_links")).isZero();
    }

    @Test
    void replayFromTheStartLeavesTheTablesUnchanged() throws SQLException {
        List<Incoming> log = new ArrayList<>(company(1));
        log.addAll(company(2));
        log.add(deleted(user(3, "user3", 3)));
        apply(log);
        List<String> once = tables();
        for (Incoming one : log) {
            apply(List.of(one));
        }
        assertThat(tables()).isEqualTo(once);
    }

    @Test
    void olderAfterNewerIsIgnored() throws SQLException {
        apply(List.of(user(1, "new", 5)));
        apply(List.of(user(1, "old", 4)));
        assertThat(names()).containsExactly("ldap:new");
    }

    @Test
    void changesUseUpNoIds() throws SQLException {
        apply(List.of(user(1, "first", 1)));
        for (int version = 2; version <= 40; version++) {
            apply(List.of(user(1, "v" + version, version)));
        }
        apply(List.of(user(2, "second", 1)));
        assertThat(names()).containsExactly("ldap:second", "ldap:v40");
        assertThat(count("identities a JOIN identities b ON b.id = a.id + 1 WHERE a.source_key = '" + USER
                        + "1' AND b.source_key = '" + USER + "2'"))
                .isEqualTo(1);
    }

    @Test
    void theLastOfManyVersionsInOneBatchWins() throws SQLException {
        List<Incoming> versions = new ArrayList<>();
        for (int version = 1; version <= 20; version++) {
            versions.add(user(1, "v" + version, version));
        }
        Collections.shuffle(versions, new Random(7));
        apply(versions);
        assertThat(names()).containsExactly("ldap:v20");
    }

    @Test
    void childrenBeforeTheirParentsAreLinkedWhenTheParentsCome() throws SQLException {
        apply(company(1));
        List<String> inOrder = tables();
        freshDatabase();
        for (Incoming one : company(1).reversed()) {
            apply(List.of(one));
        }
        assertThat(tables()).isEqualTo(inOrder);
        assertThat(count("pipeline.pending_rows")).isZero();
        assertThat(count("pipeline.pending_links")).isZero();
    }

    @Test
    void anyOrderAndAnyBatchingGivesTheSameTables() throws SQLException {
        List<Incoming> log = new ArrayList<>(company(1));
        log.addAll(company(2));
        log.add(deleted(user(2, "user2", 3)));
        log.add(deleted(member(1, 2, 3)));
        apply(log);
        List<String> inOrder = tables();
        for (int seed = 0; seed < 5; seed++) {
            freshDatabase();
            Random random = new Random(seed);
            List<Incoming> shuffled = new ArrayList<>(log);
            Collections.shuffle(shuffled, random);
            for (int from = 0; from < shuffled.size(); ) {
                int to = Math.min(shuffled.size(), from + 1 + random.nextInt(7));
                apply(shuffled.subList(from, to));
                from = to;
            }
            assertThat(tables()).as("seed %d", seed).isEqualTo(inOrder);
        }
    }

    @Test
    void aDeletedRowComesBackAsTheSameRow() throws SQLException {
        apply(company(1));
        String id = one("SELECT id FROM identities WHERE source_key = '" + USER + "1'");
        String member = one("SELECT id FROM identity_group_memberships WHERE source_key = '" + MEMBER + "1'");
        apply(List.of(deleted(user(1, "user1", 2)), deleted(member(2, 1, 2))));
        assertThat(one("SELECT is_active::text FROM identities WHERE id = " + id))
                .isEqualTo("false");
        assertThat(one("SELECT deleted_at::text FROM identities WHERE id = " + id))
                .isNotNull();
        assertThat(one("SELECT expires_at::text FROM identity_group_memberships WHERE id = " + member))
                .isNotNull();
        apply(List.of(user(1, "user1", 3), member(2, 1, 3)));
        assertThat(one("SELECT deleted_at::text FROM identities WHERE source_key = '" + USER + "1' AND id = " + id))
                .isNull();
        assertThat(one("SELECT is_active::text FROM identities WHERE id = " + id))
                .isEqualTo("true");
        assertThat(one("SELECT expires_at::text FROM identity_group_memberships WHERE id = " + member))
                .isNull();
    }

    @Test
    void aMembershipGrantedAgainInElderTakesThePlaceOfTheOneThatEnded() throws SQLException {
        apply(company(1));
        apply(List.of(deleted(member(2, 1, 2))));
        execute("INSERT INTO identity_group_memberships (identity_id, group_id, created_at, updated_at)"
                + " SELECT identity_id, group_id, now(), now() FROM identity_group_memberships WHERE source_key = '"
                + MEMBER + "1'");
        String granted = one("SELECT id FROM identity_group_memberships WHERE source_key IS NULL");
        // What is older than the end says nothing about what was granted since.
        apply(List.of(member(2, 1, 1)));
        assertThat(one("SELECT source_key FROM identity_group_memberships WHERE id = " + granted))
                .isNull();
        apply(List.of(member(2, 1, 3)));
        assertThat(one("SELECT id FROM identity_group_memberships WHERE source_key = '" + MEMBER + "1'"))
                .isEqualTo(granted);
        assertThat(count("identity_group_memberships m WHERE deleted_at IS NULL AND EXISTS (SELECT FROM"
                        + " identity_group_memberships o WHERE o.source_key = '" + MEMBER + "1'"
                        + " AND o.identity_id = m.identity_id AND o.group_id = m.group_id)"))
                .isOne();
    }

    @Test
    void aMembershipGrantedInElderWhileTheSinkWritesItIsOneInTheEnd() throws SQLException {
        apply(company(1));
        String sinks = one("SELECT id FROM identity_group_memberships WHERE source_key = '" + MEMBER + "1'");
        String same =
                "INSERT INTO identity_group_memberships (identity_id, group_id, expires_at, created_at, updated_at)"
                        + " SELECT identity_id, group_id, %s, now(), now() FROM identity_group_memberships WHERE source_key = '"
                        + MEMBER + "%d'";
        execute(same.formatted("NULL", 1));
        execute(same.formatted("'2999-01-01T00:00:00Z'", 2));
        String granted =
                one("SELECT id FROM identity_group_memberships WHERE source_key IS NULL AND expires_at IS NULL");
        settle();
        assertThat(one("SELECT id FROM identity_group_memberships WHERE source_key = '" + MEMBER + "1'"))
                .isEqualTo(granted);
        assertThat(one("SELECT (source_key IS NULL AND deleted_at IS NOT NULL AND expires_at IS NOT NULL)::text"
                        + " FROM identity_group_memberships WHERE id = " + sinks))
                .isEqualTo("true");
        assertThat(count("identity_group_memberships WHERE source_key IS NULL AND deleted_at IS NULL"))
                .as("what is granted for a time stays beside what the provider has of its own")
                .isOne();
        List<String> joined = tables();
        settle();
        apply(company(1));
        assertThat(tables()).isEqualTo(joined);
        apply(List.of(deleted(member(1, 1, 2))));
        assertThat(one("SELECT deleted_at IS NOT NULL FROM identity_group_memberships WHERE id = " + granted))
                .as("the person's row is the record's")
                .isEqualTo("t");
    }

    @Test
    void aPurgedRowIsGoneAndMayComeBackAsANewOne() throws SQLException {
        apply(List.of(user(9, "gone", 1), deleted(user(9, "gone", 2)), tombstone(USER + "9")));
        assertThat(names()).isEmpty();
        apply(List.of(user(9, "gone", 3)));
        assertThat(names()).containsExactly("ldap:gone");
    }

    @Test
    void aCrashBetweenAnyTwoStatementsLeavesNothingHalfDone() throws SQLException {
        List<Incoming> first = company(1);
        List<Incoming> second = new ArrayList<>(company(2));
        second.add(deleted(user(2, "user2", 3)));
        apply(first);
        apply(second);
        List<String> oracle = tables();
        freshDatabase();
        apply(first);
        List<String> before = tables();
        int crashes = 0;
        for (int statements = 1; ; statements++) {
            try (Connection connection = server.connect(database)) {
                connection.setAutoCommit(false);
                AtomicInteger left = new AtomicInteger(statements);
                try {
                    writer.write(crashingAfter(connection, left), second, false);
                    connection.commit();
                    break;
                } catch (SQLException e) {
                    assertThat(e.getMessage()).isEqualTo("crash");
                    crashes++;
                }
            }
            assertThat(tables()).isEqualTo(before);
        }
        assertThat(crashes).isGreaterThan(10);
        assertThat(tables()).isEqualTo(oracle);
    }

    @Test
    void onlyTheRefusedRowIsLeftOut() throws SQLException {
        List<Incoming> batch = new ArrayList<>(company(1));
        batch.add(row(
                "data_stores",
                "aws/1/s3/bad",
                1,
                Map.of("name", "bad", "storage_type", "s3", "storage_provider", "aws", "size_bytes", "many"),
                Map.of("organization", OU + "1"),
                null));
        try (Connection connection = server.connect(database)) {
            connection.setAutoCommit(false);
            assertThatThrownBy(() -> writer.write(connection, batch, false))
                    .isInstanceOfSatisfying(SQLException.class, e -> assertThat(DatabaseTrouble.isTheRow(e))
                            .isTrue());
            connection.rollback();
            Written written = writer.write(connection, batch, true);
            connection.commit();
            assertThat(written.refusals())
                    .singleElement()
                    .satisfies(refusal -> assertThat(refusal.record().getKey()).isEqualTo("aws/1/s3/bad"));
        }
        assertThat(names()).hasSize(6);
    }

    @Test
    void longTextIsCutBetweenCharacters() throws SQLException {
        apply(List.of(user(1, "x".repeat(200) + "😀".repeat(200), 1)));
        String name = names().getFirst();
        assertThat(name.codePointCount(0, name.length())).isEqualTo(255);
        assertThat(name).endsWith("😀…");
    }

    @Test
    void aTakenNameGetsASuffixAndIsPromotedWhenTheHolderGoes() throws SQLException {
        if (shape == ElderShape.C) {
            return; // Names are not unique there.
        }
        apply(List.of(user(1, "same", 1)));
        apply(List.of(user(2, "same", 1)));
        assertThat(names()).containsExactly("ldap:same", "ldap:same" + UniqueNames.suffix(USER + "2"));
        apply(List.of(deleted(user(1, "same", 2))));
        assertThat(one("SELECT source_key FROM identities WHERE username = 'ldap:same'"))
                .isEqualTo(USER + "2");
        apply(List.of(user(1, "same", 3)));
        assertThat(names()).containsExactly("ldap:same", "ldap:same" + UniqueNames.suffix(USER + "2"));
    }

    @Test
    void aNameThatAnotherSinkIsJustGivingUpIsAwardedWhenThingsAreSettled() throws SQLException {
        if (shape == ElderShape.C) {
            return; // Names are not unique there.
        }
        apply(List.of(user(1, "same", 1)));
        try (Connection other = server.connect(database)) {
            other.setAutoCommit(false);
            new InventoryWriter(shape, Rules.DEFAULT).write(other, List.of(deleted(user(1, "same", 2))), false);
            apply(List.of(user(2, "same", 2)));
            other.commit();
        }
        assertThat(names()).containsExactly("ldap:same", "ldap:same" + UniqueNames.suffix(USER + "2"));
        settle();
        assertThat(one("SELECT source_key FROM identities WHERE username = 'ldap:same'"))
                .isEqualTo(USER + "2");
        assertThat(one("SELECT username FROM identities WHERE source_key = '" + USER + "1'"))
                .isEqualTo("ldap:same" + UniqueNames.suffix(USER + "1"));
        List<String> settled = tables();
        settle();
        assertThat(tables()).isEqualTo(settled);
    }

    /** Two sinks write namesakes that come, go and are renamed, in any order: the names follow from the rows alone. */
    @Test
    void anyInterleavingOfTwoSinksGivesTheSameNames() throws Exception {
        if (shape == ElderShape.C) {
            return; // Names are not unique there.
        }
        for (int seed = 0; seed < 2; seed++) {
            freshDatabase();
            Map<String, Incoming> last = new TreeMap<>();
            List<Thread> sinks = new ArrayList<>();
            List<Throwable> failures = Collections.synchronizedList(new ArrayList<>());
            for (int sink = 0; sink < 2; sink++) {
                List<List<Incoming>> log = namesakes(new Random(seed * 2L + sink), sink);
                log.forEach(batch -> batch.forEach(one -> last.put(one.key(), one)));
                sinks.add(Thread.ofPlatform()
                        .uncaughtExceptionHandler((thread, failure) -> failures.add(failure))
                        .start(() -> deliver(log)));
            }
            for (Thread sink : sinks) {
                sink.join();
            }
            assertThat(failures).isEmpty();
            settle();
            Map<String, String> expected = new TreeMap<>();
            Set<String> taken = new HashSet<>();
            last.values().stream()
                    .sorted(Comparator.comparing((Incoming one) -> row(one).getDeleted())
                            .thenComparing(Incoming::key))
                    .forEach(one -> {
                        String name = (String) row(one).getValues().get("username");
                        expected.put(one.key(), taken.add(name) ? name : name + UniqueNames.suffix(one.key()));
                    });
            assertThat(namesByKey()).as("seed %d", seed).isEqualTo(expected);
        }
    }

    /** Batches of one partition: ten people with four names between them, who are also called like those of the other one. */
    private List<List<Incoming>> namesakes(Random random, int partition) {
        List<List<Incoming>> batches = new ArrayList<>();
        for (int time = 1; time <= 25; time++) {
            Map<Integer, Incoming> batch = new TreeMap<>();
            for (int i = 0; i <= random.nextInt(6); i++) {
                int number = 2 * random.nextInt(10) + partition;
                Incoming user = user(number, "name" + random.nextInt(4), time);
                batch.put(number, random.nextInt(3) == 0 ? deleted(user) : user);
            }
            batches.add(new ArrayList<>(batch.values()));
        }
        return batches;
    }

    /** As the loop of a sink does it: what is refused is looked for carefully, anything else is tried again. */
    private void deliver(List<List<Incoming>> batches) {
        InventoryWriter own = new InventoryWriter(shape, Rules.DEFAULT);
        try (Connection connection = server.connect(database)) {
            connection.setAutoCommit(false);
            for (List<Incoming> batch : batches) {
                boolean careful = false;
                for (boolean done = false; !done; ) {
                    try {
                        assertThat(own.write(connection, batch, careful).refusals())
                                .isEmpty();
                        connection.commit();
                        done = true;
                    } catch (SQLException e) {
                        connection.rollback();
                        careful = !careful && DatabaseTrouble.isTheRow(e);
                    }
                }
            }
        } catch (SQLException e) {
            throw new IllegalStateException(e);
        }
    }

    @Test
    void whatIsBeingWrittenMayBeReferredToByAnotherSink() throws SQLException {
        apply(company(1));
        try (Connection other = server.connect(database);
                Connection connection = server.connect(database)) {
            other.setAutoCommit(false);
            new InventoryWriter(shape, Rules.DEFAULT)
                    .write(other, List.of(ou(1, null, 2), ou(3, 2, 2), user(1, "user1", 2), group(1, 2)), false);
            connection.setAutoCommit(false);
            try (Statement statement = connection.createStatement()) {
                statement.execute("SET lock_timeout TO '2s'");
            }
            // User 1 is not of group 1 yet.
            Incoming more = row(
                    "identity_group_memberships",
                    MEMBER + "more",
                    1,
                    Map.of("provider_member_id", "uid=1"),
                    Map.of("identity", USER + 1, "group", GROUP + 1),
                    null);
            assertThat(writer.write(connection, List.of(more, ou(4, 1, 1), user(7, "user7", 1)), false)
                            .refusals())
                    .isEmpty();
            connection.commit();
            other.commit();
        }
        assertThat(count("identity_group_memberships WHERE source_key IS NOT NULL"))
                .isEqualTo(7);
    }

    /** What waits is put back by one sink, as it lacks another row still, which the other sink just brings. */
    @Test
    void whatAnotherSinkPutsBackIsWrittenBeforeARunIsClosed() throws Exception {
        try (Connection other = open()) {
            other.setAutoCommit(false);
            new InventoryWriter(shape, Rules.DEFAULT).write(other, List.of(ou(3, null, 1), user(1, "user1", 1)), false);
            apply(List.of(member(1, 1, 1)));
            other.commit();
            new InventoryWriter(shape, Rules.DEFAULT).settle(other, false);
            Thread us = begin(connection -> {
                writer.write(connection, List.of(group(1, 1)), false);
                writer.settle(connection, false);
            });
            awaitWaiting(1, us);
            other.commit();
            us.join();
        }
        assertThat(count("identity_group_memberships")).isOne();
        assertThat(count("pipeline.pending_rows")).isZero();
    }

    /** So PostgreSQL has it in its statistics once everything that waited is written. */
    @Test
    void whatWaitsIsFoundBesideThousandsThoughNothingIsSaidToWait() throws SQLException {
        execute("UPDATE pg_class SET reltuples = 0, relpages = 1000"
                + " WHERE oid IN ('pipeline.pending_rows'::regclass, 'pipeline.pending_links'::regclass)");
        int many = 3000;
        List<Incoming> users = new ArrayList<>();
        List<Incoming> members = new ArrayList<>();
        for (int n = 0; n < many; n++) {
            users.add(user(n, "user" + n, 1));
            members.add(member(1, n, 1));
        }
        try (Connection connection = open()) {
            connection.setAutoCommit(false);
            try (Statement statement = connection.createStatement()) {
                // With each compared with each it would take minutes.
                statement.execute("SET statement_timeout TO '10s'");
            }
            writer.write(connection, members, false);
            writer.write(connection, users, false);
            connection.commit();
            assertThat(count("pipeline.pending_rows")).isEqualTo(many);
            writer.write(connection, List.of(group(1, 1)), true);
            connection.commit();
        }
        assertThat(count("pipeline.pending_rows")).isZero();
        assertThat(count("identity_group_memberships")).isEqualTo(many);
    }

    @Test
    void whatWaitedIsNotWrittenOverWhatAnotherSinkBroughtMeanwhile() throws Exception {
        apply(List.of(ou(3, null, 1), user(1, "user1", 1), group(4, 1), member(4, 1, 1)));
        List<Incoming> groups = new ArrayList<>();
        for (int n = 1; n <= 3; n++) {
            groups.add(group(n, 1));
            // Shape B's dependencies are of entities.
            groups.add(groupAsEntity(n, 1));
        }
        try (Connection missed = open();
                Connection somebody = open()) {
            missed.setAutoCommit(false);
            new InventoryWriter(shape, Rules.DEFAULT).write(missed, groups, false);
            apply(List.of(member(1, 1, 2), nested(2, 2)));
            missed.commit();
            assertThat(count("pipeline.pending_rows")).isEqualTo(2);

            // The membership is written before the dependency, once somebody lets it.
            somebody.setAutoCommit(false);
            try (Statement statement = somebody.createStatement()) {
                statement.execute(
                        "SELECT 1 FROM identity_group_memberships WHERE source_key = '" + MEMBER + "1' FOR UPDATE");
            }
            Thread settling = begin(connection -> new InventoryWriter(shape, Rules.DEFAULT).settle(connection, false));
            awaitWaiting(1, settling);
            // Of the same time: the later one counts.
            Thread us = begin(connection -> writer.write(connection, List.of(nested(3, 2)), false));
            awaitWaiting(2, us);
            somebody.commit();
            settling.join();
            us.join();
        }
        assertThat(one("SELECT g.source_key FROM dependencies d JOIN identity_groups g ON g.id = d.target_id"))
                .isEqualTo(GROUP + 3);
    }

    @Test
    void anOrganizationOfTheSameNameIsAdoptedOnce() throws Exception {
        organization("ou1", Integer.parseInt(one("SELECT id FROM tenants WHERE slug = 'default'")));
        try (Connection other = open()) {
            other.setAutoCommit(false);
            new InventoryWriter(shape, Rules.DEFAULT).write(other, List.of(ou(1, null, 2)), false);
            Thread us = begin(connection -> writer.write(connection, List.of(ou(2, null, 1, "ou1")), false));
            awaitWaiting(1, us);
            other.commit();
            us.join();
        }
        assertThat(one("SELECT string_agg(source_key, ' ' ORDER BY source_key) FROM organizations"))
                .isEqualTo(OU + "1 " + OU + "2");
    }

    /** Neither of two sinks sees what the other purges. */
    @Test
    void whatIsPurgedBesideWhatReferredToItIsGoneInTheEnd() throws SQLException {
        apply(List.of(ou(3, null, 1), user(1, "user1", 1), group(1, 1), member(1, 1, 1)));
        apply(List.of(deleted(member(1, 1, 2)), deleted(group(1, 2))));
        try (Connection other = open()) {
            other.setAutoCommit(false);
            new InventoryWriter(shape, Rules.DEFAULT).write(other, List.of(tombstone(MEMBER + 1)), false);
            apply(List.of(tombstone(GROUP + 1)));
            other.commit();
        }
        settle();
        assertThat(count("identity_groups")).as("it is not tried all the time").isOne();
        letAMinutePass();
        settle();
        assertThat(count("identity_groups")).isZero();
        assertThat(count("pipeline.pending_purges")).isZero();
    }

    @Test
    void whatComesBackInsteadOfBeingPurgedHasItsWholeTimeAgain() throws SQLException {
        apply(List.of(ou(3, null, 1), user(1, "user1", 1), group(1, 1), member(1, 1, 1)));
        apply(List.of(deleted(group(1, 2)), tombstone(GROUP + 1)));
        assertThat(count("pipeline.pending_purges")).isOne();
        apply(List.of(group(1, 3)));
        apply(List.of(deleted(member(1, 1, 4)), deleted(group(1, 4)), tombstone(MEMBER + 1)));
        letAMinutePass();
        settle();
        assertThat(count("identity_groups WHERE deleted_at IS NOT NULL")).isOne();
        assertThat(count("pipeline.pending_purges")).isZero();
    }

    @Test
    void whatComesBackAndGoesWithinABatchHasItsWholeTimeAgainToo() throws SQLException {
        apply(List.of(ou(3, null, 1), user(1, "user1", 1), group(1, 1), member(1, 1, 1)));
        apply(List.of(deleted(group(1, 2)), tombstone(GROUP + 1)));
        apply(List.of(group(1, 3), deleted(group(1, 4)), deleted(member(1, 1, 4)), tombstone(MEMBER + 1)));
        letAMinutePass();
        settle();
        assertThat(count("identity_groups WHERE deleted_at IS NOT NULL")).isOne();
        assertThat(count("pipeline.pending_purges")).isZero();
    }

    @Test
    void aRowThatASiteKeepsHoldsUpNoOther() throws SQLException {
        apply(List.of(ou(3, null, 1), user(1, "user1", 1), user(2, "user2", 1), group(1, 1), group(2, 1)));
        apply(List.of(member(1, 1, 1), member(2, 2, 1), deleted(group(1, 2)), deleted(group(2, 2))));
        apply(List.of(tombstone(GROUP + 1), tombstone(GROUP + 2)));
        apply(List.of(
                deleted(member(1, 1, 3)), deleted(member(2, 2, 3)), tombstone(MEMBER + 1), tombstone(MEMBER + 2)));
        execute("CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                + " IF OLD.name = 'ldap:g1' THEN RAISE 'kept'; END IF; RETURN OLD; END $$");
        execute("CREATE TRIGGER ours BEFORE DELETE ON identity_groups FOR EACH ROW EXECUTE FUNCTION keep()");
        letAMinutePass();
        try (Connection connection = open()) {
            connection.setAutoCommit(false);
            assertThatThrownBy(() -> writer.settle(connection, false))
                    .isInstanceOfSatisfying(SQLException.class, e -> assertThat(DatabaseTrouble.isTheRow(e))
                            .isTrue());
            connection.rollback();
            assertThat(writer.settle(connection, true).refusals()).isEmpty();
            connection.commit();
        }
        assertThat(one("SELECT string_agg(source_key, ' ') FROM identity_groups"))
                .isEqualTo(GROUP + 1);
        assertThat(count("pipeline.pending_purges WHERE due_at > now()")).isOne();
        settle();
    }

    @Test
    void whatSomebodyHasInHandIsPurgedLater() throws SQLException {
        apply(List.of(ou(3, null, 1), user(1, "user1", 1), group(1, 1), member(1, 1, 1)));
        apply(List.of(deleted(group(1, 2)), tombstone(GROUP + 1)));
        apply(List.of(deleted(member(1, 1, 3)), tombstone(MEMBER + 1)));
        letAMinutePass();
        try (Connection somebody = open();
                Statement statement = somebody.createStatement()) {
            somebody.setAutoCommit(false);
            statement.execute("SELECT 1 FROM identity_groups FOR KEY SHARE");
            settle();
        }
        assertThat(count("identity_groups")).isOne();
        letAMinutePass();
        settle();
        assertThat(count("identity_groups")).isZero();
    }

    @Test
    void aNameThatAPurgedRowWantedIsNobodysClaim() throws SQLException {
        apply(List.of(ou(3, null, 1), user(1, "x", 1), group(1, 1), member(1, 1, 1)));
        apply(List.of(deleted(user(1, "x", 2)), tombstone(USER + 1)));
        apply(List.of(user(2, "x", 3)));
        // Names are not unique in shape C.
        assertThat(count("pipeline.name_claims")).isEqualTo(shape == ElderShape.C ? 0 : 1);
        apply(List.of(deleted(member(1, 1, 3)), tombstone(MEMBER + 1)));
        letAMinutePass();
        settle();
        assertThat(names()).containsExactly("ldap:x");
        assertThat(count("pipeline.name_claims")).isZero();
    }

    @Test
    void aDeletionDoesNotWaitForWhatTheRowWouldReferTo() throws SQLException {
        apply(List.of(ou(3, null, 1), user(1, "user1", 1), group(1, 1), member(1, 1, 1)));
        apply(List.of(member(2, 1, 2)));
        apply(List.of(deleted(member(2, 1, 3))));
        assertThat(count("identity_group_memberships WHERE deleted_at IS NOT NULL"))
                .isOne();
        assertThat(count("pipeline.pending_rows")).isZero();
    }

    @Test
    void aDependencyRefersToWhatArrivesAfterIt() throws SQLException {
        apply(List.of(ou(3, null, 1), groupAsEntity(1, 1), groupAsEntity(2, 1), nested(2, 1)));
        apply(List.of(group(1, 1), group(2, 1)));
        settle();
        assertThat(count("dependencies WHERE source_id IS NOT NULL AND target_id IS NOT NULL"))
                .isOne();
        assertThat(count("pipeline.pending_links")).isZero();
        assertThat(count("pipeline.pending_rows")).isZero();
    }

    private void letAMinutePass() throws SQLException {
        execute("UPDATE pipeline.pending_purges SET due_at = due_at - interval '61 seconds'");
    }

    /** Dependencies have no foreign keys that would say so. */
    @Test
    void whatAnotherSinkIsJustPurgingIsNotReferredTo() throws Exception {
        apply(List.of(ou(3, null, 1), group(1, 1), groupAsEntity(1, 1), group(2, 1), groupAsEntity(2, 1)));
        apply(List.of(deleted(group(2, 2)), deleted(groupAsEntity(2, 2))));
        try (Connection other = open()) {
            other.setAutoCommit(false);
            new InventoryWriter(shape, Rules.DEFAULT)
                    .write(other, List.of(tombstone(GROUP + 2), tombstone(GROUP + "2#entity")), false);
            Thread us = begin(connection -> writer.write(connection, List.of(nested(2, 3)), false));
            awaitWaiting(1, us);
            other.commit();
            us.join();
        }
        assertThat(count("dependencies")).isZero();
        assertThat(count("pipeline.pending_rows")).isOne();
    }

    @Test
    void whatIsRefusedBecauseOfWhatSomebodyElseJustDidIsTriedAgain() throws SQLException {
        execute("CREATE SEQUENCE refused");
        execute("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                + " IF nextval('refused') <= 2 THEN RAISE unique_violation; END IF; RETURN NEW; END $$");
        execute("CREATE TRIGGER ours BEFORE INSERT ON data_stores FOR EACH ROW EXECUTE FUNCTION refuse()");
        assertThat(refusals(List.of(ou(1, null, 1), bucket(1, 1)), true)).isEmpty();
        assertThat(count("data_stores")).isOne();
        execute("ALTER SEQUENCE refused INCREMENT BY -1 RESTART WITH 1 MINVALUE -1000");
        assertThat(refusals(List.of(bucket(2, 1)), true)).hasSize(1);
    }

    @FunctionalInterface
    private interface Sinking {
        void run(Connection connection) throws SQLException;
    }

    private Connection open() throws SQLException {
        return server.connect(database);
    }

    /** Another sink's transaction, beside this one's. */
    private Thread begin(Sinking sinking) {
        return Thread.ofPlatform().start(() -> {
            try (Connection connection = open()) {
                connection.setAutoCommit(false);
                sinking.run(connection);
                connection.commit();
            } catch (SQLException e) {
                throw new IllegalStateException(e);
            }
        });
    }

    /** Until so many transactions wait for others, or the thread has ended. */
    private void awaitWaiting(int transactions, Thread thread) throws SQLException, InterruptedException {
        while (thread.isAlive()
                && count("pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
                        < transactions) {
            Thread.sleep(10);
        }
    }

    @Test
    void sinksThatNoteMarksOfManyScopesDoNotWaitForEachOtherInACircle() throws Exception {
        List<Throwable> failures = Collections.synchronizedList(new ArrayList<>());
        List<Thread> sinks = new ArrayList<>();
        for (int sink = 0; sink < 2; sink++) {
            int partition = sink;
            sinks.add(Thread.ofPlatform()
                    .uncaughtExceptionHandler((thread, failure) -> failures.add(failure))
                    .start(() -> mark(partition)));
        }
        for (Thread sink : sinks) {
            sink.join();
        }
        assertThat(failures).isEmpty();
        assertThat(one("SELECT min(marks) || ' ' || max(marks) || ' ' || count(*) FROM pipeline.scope_progress"))
                .isEqualTo("40 40 15");
    }

    /** Forty marks for each of three runs' five scopes, in any order. */
    private void mark(int partition) {
        RunLedger ledger = new RunLedger(shape);
        Random random = new Random(partition);
        try (Connection connection = server.connect(database)) {
            connection.setAutoCommit(false);
            for (int raw = 0; raw < 20; raw++) {
                List<RunLedger.Mark> marks = new ArrayList<>();
                Map<String, Tally> runs = new TreeMap<>();
                for (int i = 0; i < 15; i++) {
                    ScopeMark mark = new ScopeMark(raw, 20, "sealed", null, 0L, 0L, 0L);
                    String run = (i % 3 + 1) + ".a1";
                    runs.put(run, Tally.NONE);
                    marks.add(new RunLedger.Mark(
                            new InventoryRecord("mark", "ldap/dir/-/" + i / 3, run, T0, mark),
                            mark,
                            new ConsumerRecord<>("inventory", partition, raw, new byte[0], new byte[0])));
                }
                Collections.shuffle(marks, random);
                ledger.count(connection, runs);
                ledger.mark(connection, marks, 2);
                assertThat(ledger.closable(connection, runs.keySet())).isEmpty();
                connection.commit();
            }
        } catch (SQLException e) {
            throw new IllegalStateException(e);
        }
    }

    @Test
    void namesCanBeSwappedInOneBatch() throws SQLException {
        apply(List.of(user(1, "a", 1), user(2, "b", 1)));
        apply(List.of(user(1, "b", 2), user(2, "a", 2)));
        assertThat(one("SELECT username FROM identities WHERE source_key = '" + USER + "1'"))
                .isEqualTo("ldap:b");
        assertThat(one("SELECT username FROM identities WHERE source_key = '" + USER + "2'"))
                .isEqualTo("ldap:a");
    }

    @Test
    void anOrganizationOfTheSameNameIsAdopted() throws SQLException {
        try (Connection connection = server.connect(database);
                Statement statement = connection.createStatement()) {
            statement.execute(
                    shape == ElderShape.B
                            ? "INSERT INTO organizations (tenant_id, name, organization_type, created_at, updated_at) SELECT id, 'ou1', 'x', now(), now() FROM tenants LIMIT 1"
                            : "INSERT INTO organizations (name) VALUES ('ou1')");
        }
        String id = one("SELECT id FROM organizations WHERE name = 'ou1'");
        apply(List.of(ou(1, null, 1)));
        assertThat(one("SELECT id FROM organizations WHERE source_key = '" + OU + "1'"))
                .isEqualTo(id);
    }

    @Test
    void countsOfARunAreTrue() throws SQLException {
        apply(company(1));
        apply(company(1));
        assertThat(one("SELECT created || ' ' || updated || ' ' || deleted FROM pipeline.runs WHERE run_id = '1.a1'"))
                .isEqualTo(company(1).size() + " 0 0");
        apply(List.of(user(1, "other", 2), deleted(user(2, "user2", 2))));
        assertThat(one("SELECT created || ' ' || updated || ' ' || deleted FROM pipeline.runs WHERE run_id = '1.a2'"))
                .isEqualTo("0 1 1");
    }

    @Test
    void aSizeThatTheColumnCannotHoldIsKeptAnyway() throws SQLException {
        apply(List.of(
                ou(1, null, 1),
                row(
                        "data_stores",
                        "aws/1/s3/big",
                        1,
                        Map.of(
                                "name",
                                "big",
                                "storage_type",
                                "s3",
                                "storage_provider",
                                "aws",
                                "size_bytes",
                                5_000_000_000L),
                        Map.of("organization", OU + "1"),
                        "{\"a\":1}")));
        assertThat(one("SELECT coalesce(size_bytes::text, metadata ->> 'size_bytes') FROM data_stores"))
                .isEqualTo("5000000000");
    }

    @Test
    void rowsWithoutAnOrganizationGoToTheirJobsOrganizationAndItsTenant() throws SQLException {
        int tenant = tenant("acme");
        int acme = organization("Acme", tenant);
        job(acme, null);
        apply(List.of(bucket(1, null), bucket(2, 1), ou(1, null, 1), user(1, "alice", 1)));
        assertThat(placeOfBucket(1)).isEqualTo("Acme acme");
        assertThat(placeOfBucket(2)).isEqualTo("ou1 acme");
        assertThat(one("SELECT parent_id FROM organizations WHERE name = 'ou1'"))
                .isEqualTo(Integer.toString(acme));
        assertThat(one("SELECT t.slug FROM identities i JOIN tenants t ON t.id = i.tenant_id"))
                .isEqualTo("acme");
    }

    @Test
    void aJobMayNameItsOrganizationInItsConfiguration() throws SQLException {
        int acme = organization("Acme", tenant("acme"));
        job(null, acme);
        apply(List.of(bucket(1, null)));
        assertThat(placeOfBucket(1)).isEqualTo("Acme acme");
    }

    @Test
    void aJobWhoseOrganizationIsAFindOfItsOwnMakesNoCircle() throws SQLException {
        apply(List.of(ou(1, null, 1), ou(2, 1, 1)));
        job(Integer.parseInt(one("SELECT id FROM organizations WHERE name = 'ou2'")), null);
        apply(List.of(ou(1, null, 2, "renamed")));
        assertThat(one("SELECT count(*) FROM organizations WHERE name = 'renamed' AND parent_id IS NULL"))
                .isEqualTo("1");
    }

    @Test
    void withoutAnOrganizationOfTheJobTheTenantIsTheDefaultOne() throws SQLException {
        tenant("acme");
        job(null, null);
        apply(List.of(bucket(2, 1), ou(1, null, 1)));
        assertThat(placeOfBucket(2)).isEqualTo("ou1 default");
    }

    @Test
    void aRowThatBelongsNowhereIsADeadLetterUnlessThereIsADefaultOrganization() throws SQLException {
        job(null, null);
        Incoming homeless = row(
                "networking_resources",
                "aws/1/vpc/9",
                1,
                Map.of("name", "net9", "network_type", "vpc"),
                Map.of(),
                null);
        List<Refusal> refusals = refusals(List.of(homeless));
        if (shape == ElderShape.C) {
            // Its networks may do without.
            assertThat(refusals).isEmpty();
            assertThat(count("networking_resources WHERE organization_id IS NULL"))
                    .isEqualTo(1);
        } else {
            assertThat(refusals).singleElement().satisfies(refusal -> assertThat(refusal.message())
                    .contains("DEFAULT_ORGANIZATION_ID"));
        }
        int rest = organization("Rest", tenant("rest"));
        writer = new InventoryWriter(shape, new Rules(true, Optional.of(rest), false));
        apply(List.of(bucket(1, null), ou(1, null, 1)));
        assertThat(placeOfBucket(1)).isEqualTo("Rest rest");
        assertThat(one("SELECT count(*) FROM organizations WHERE name = 'ou1' AND parent_id IS NULL"))
                .isEqualTo("1");
    }

    @Test
    void organizationsThatMayNotBeMadeWaitWithTheirRowsUntilTheyMay() throws SQLException {
        apply(company(1));
        List<String> made = tables();
        freshDatabase();
        writer = new InventoryWriter(shape, new Rules(false, Optional.empty(), false));
        apply(company(1));
        settle();
        assertThat(count("organizations WHERE source_key IS NOT NULL")).isZero();
        assertThat(count("entities WHERE organization_id IS NOT NULL")).isZero();
        assertThat(one("SELECT reason FROM pipeline.pending_rows WHERE source_key = '" + OU + "3'"))
                .isEqualTo("organisation ou3 does not exist (expected: CREATE_MISSING_ORGANIZATIONS=true, or"
                        + " DEFAULT_ORGANIZATION_ID)");
        writer = new InventoryWriter(shape, Rules.DEFAULT);
        settle();
        assertThat(tables()).isEqualTo(made);
        assertThat(count("pipeline.pending_rows")).isZero();
        assertThat(count("pipeline.pending_links")).isZero();
    }

    @Test
    void theRowsOfOrganizationsThatMayNotBeMadeGoToTheDefaultOneOnceItIsNamed() throws SQLException {
        int rest = organization("Rest", tenant("rest"));
        writer = new InventoryWriter(shape, new Rules(false, Optional.of(rest + 1000), false));
        apply(company(1));
        assertThat(one("SELECT reason FROM pipeline.pending_rows WHERE source_key = '" + OU + "3'"))
                .contains("not " + (rest + 1000));
        writer = new InventoryWriter(shape, new Rules(false, Optional.of(rest), false));
        settle();
        assertThat(count("entities WHERE organization_id = " + rest)).isEqualTo(2);
        if (shape != ElderShape.C) {
            assertThat(count("identities WHERE organization_id = " + rest)).isEqualTo(6);
        }
        assertThat(count("organizations WHERE source_key IS NOT NULL")).isZero();
        assertThat(count("pipeline.pending_rows WHERE reason IS NOT NULL")).isZero();
        assertThat(count("pipeline.pending_links")).isZero();
        // The organisations themselves are kept, for the day when they may be made.
        assertThat(count("pipeline.pending_rows")).isEqualTo(3);
        apply(List.of(bucket(2, 1)));
        assertThat(placeOfBucket(2)).startsWith("Rest ");
    }

    @Test
    void anOrganizationThatAPersonMakesEndsTheWaiting() throws SQLException {
        writer = new InventoryWriter(shape, new Rules(false, Optional.empty(), false));
        apply(List.of(bucket(1, 1), ou(1, null, 1)));
        assertThat(count("pipeline.pending_rows WHERE reason IS NOT NULL")).isEqualTo(1);
        organization("ou1", tenant("acme"));
        settle();
        assertThat(placeOfBucket(1)).startsWith("ou1 ");
        assertThat(count("pipeline.pending_rows")).isZero();
    }

    @Test
    void plainNamesHaveNoPrefixAndATakenOneIsRefused() throws SQLException {
        writer = new InventoryWriter(shape, new Rules(true, Optional.empty(), true));
        apply(List.of(user(1, "same", 1), group(1, 1)));
        assertThat(names()).containsExactly("same");
        assertThat(one("SELECT name FROM identity_groups WHERE source_key IS NOT NULL"))
                .isEqualTo("g1");
        assertThat(UniqueNames.plain("aws:123456789012:ci", "aws/123456789012/iam_user/ci"))
                .isEqualTo("ci");
        if (shape == ElderShape.C) {
            return; // Names are not unique there.
        }
        assertThat(refusals(List.of(user(2, "same", 1), user(3, "other", 1))))
                .singleElement()
                .satisfies(refusal -> {
                    assertThat(refusal.record().getKey()).isEqualTo(USER + "2");
                    assertThat(refusal.message()).startsWith("identities.username: same is taken (expected: ");
                });
        assertThat(names()).containsExactly("other", "same");
        apply(List.of(deleted(user(1, "same", 2))));
        apply(List.of(user(2, "same", 1)));
        assertThat(one("SELECT source_key FROM identities WHERE username = 'same'"))
                .isEqualTo(USER + "2");
    }

    @Test
    void aReferenceThatASiteRefusesIsGivenUpAloneAndSetWhenItIsSentAgain() throws SQLException {
        // Networks have a parent of their own kind in every shape.
        apply(List.of(ou(1, null, 1), network(1, 5), network(2, 5), network(3, 5), network(4, 5)));
        execute("ALTER TABLE networking_resources ADD CONSTRAINT ours CHECK (name <> 'net2' OR parent_id IS NULL)");
        Incoming parent = network(5, null);
        try (Connection connection = server.connect(database)) {
            connection.setAutoCommit(false);
            assertThatThrownBy(() -> writer.write(connection, List.of(parent), false))
                    .isInstanceOf(SQLException.class);
            connection.rollback();
            Written written = writer.write(connection, List.of(parent), true);
            connection.commit();
            assertThat(written.refusals()).singleElement().satisfies(refusal -> {
                assertThat(refusal.record()).isEqualTo(network(2, 5).record());
                assertThat(refusal.message())
                        .contains("parent_id can't refer to aws/1/vpc/5")
                        .contains("ours");
            });
        }
        assertThat(count("networking_resources WHERE parent_id IS NOT NULL")).isEqualTo(3);
        assertThat(count("pipeline.pending_links")).isZero();
        execute("ALTER TABLE networking_resources DROP CONSTRAINT ours");
        apply(List.of(network(2, 5)));
        assertThat(count("networking_resources WHERE parent_id IS NOT NULL")).isEqualTo(4);
    }

    @Test
    void aWaitingRowThatASiteRefusesIsGivenUpAloneWhenItsTurnComes() throws SQLException {
        apply(List.of(user(2, "b", 1), user(4, "d", 1), user(6, "f", 1)));
        apply(List.of(member(1, 2, 1), member(1, 4, 1), member(1, 6, 1)));
        execute("ALTER TABLE identity_group_memberships ADD CONSTRAINT ours CHECK (source_key <> '" + MEMBER + "4')");
        try (Connection connection = server.connect(database)) {
            connection.setAutoCommit(false);
            Written written = writer.write(connection, List.of(group(1, 1)), true);
            connection.commit();
            assertThat(written.refusals()).singleElement().satisfies(refusal -> assertThat(refusal.record())
                    .isEqualTo(member(1, 4, 1).record()));
        }
        assertThat(count("identity_group_memberships WHERE source_key IS NOT NULL"))
                .isEqualTo(2);
        assertThat(count("identity_groups WHERE source_key IS NOT NULL")).isEqualTo(1);
        assertThat(count("pipeline.pending_rows")).isZero();
    }

    private List<Incoming> company(int time) {
        List<Incoming> all = new ArrayList<>();
        all.add(ou(1, null, time));
        all.add(ou(2, 1, time));
        all.add(ou(3, 2, time));
        for (int n = 1; n <= 6; n++) {
            all.add(user(n, "user" + n, time));
        }
        all.add(group(1, time));
        all.add(group(2, time));
        for (int n = 1; n <= 6; n++) {
            all.add(member(n % 2 + 1, n, time));
        }
        for (int n = 1; n <= 2; n++) {
            all.add(groupAsEntity(n, time));
        }
        all.add(nested(2, time));
        return all;
    }

    private Incoming ou(int n, Integer parent, int time) {
        return ou(n, parent, time, "ou" + n);
    }

    private Incoming ou(int n, Integer parent, int time, String name) {
        return row(
                "organizations",
                OU + n,
                time,
                Map.of("name", name, "type", "organizational_unit"),
                parent == null ? Map.of() : Map.of("parent", OU + parent),
                "{\"ldap_dn\":\"ou=" + n + "\"}");
    }

    private Incoming user(int n, String name, int time) {
        return row(
                "identities",
                USER + n,
                time,
                Map.of(
                        "username",
                        "ldap:" + name,
                        "identity_type",
                        "employee",
                        "auth_provider",
                        "ldap",
                        "is_active",
                        true,
                        "full_name",
                        "Person " + n + " " + time),
                Map.of("organization", OU + "3"),
                null);
    }

    private Incoming group(int n, int time) {
        return row(
                "identity_groups",
                GROUP + n,
                time,
                Map.of("name", "ldap:g" + n, "provider", "ldap", "provider_group_id", "g" + n, "is_active", true),
                Map.of(),
                null);
    }

    /** Group 1 has the users of even number, group 2 the others. */
    private Incoming member(int group, int user, int time) {
        return row(
                "identity_group_memberships",
                MEMBER + user,
                time,
                Map.of("provider_member_id", "uid=" + user),
                Map.of("identity", USER + user, "group", GROUP + group),
                null);
    }

    private Incoming groupAsEntity(int n, int time) {
        return row(
                "entities",
                GROUP + n + "#entity",
                time,
                Map.of(
                        "name",
                        "Group: g" + n,
                        "type",
                        "user",
                        "sub_type",
                        "ldap_group",
                        "status",
                        "active",
                        "external_id",
                        "x" + n),
                Map.of("organization", OU + "3"),
                "{\"cn\":\"g" + n + "\"}");
    }

    /** Group 1 is of another group. */
    private Incoming nested(int group, int time) {
        return row(
                "dependencies",
                MEMBER + "nested",
                time,
                Map.of(
                        "source_type",
                        "identity_group",
                        "target_type",
                        "identity_group",
                        "dependency_type",
                        "member_of"),
                Map.of("source", GROUP + 1, "target", GROUP + group),
                null);
    }

    private Incoming bucket(int n, Integer ou) {
        return row(
                "data_stores",
                "aws/1/s3/bucket" + n,
                1,
                Map.of("name", "bucket" + n, "storage_type", "s3", "storage_provider", "aws"),
                ou == null ? Map.of() : Map.of("organization", OU + ou),
                null);
    }

    private Incoming network(int n, Integer parent) {
        return row(
                "networking_resources",
                "aws/1/vpc/" + n,
                1,
                Map.of("name", "net" + n, "network_type", "vpc"),
                parent == null
                        ? Map.of("organization", OU + "1")
                        : Map.of("organization", OU + "1", "parent", "aws/1/vpc/" + parent),
                null);
    }

    /** Name of the organisation, slug of the tenant. */
    private String placeOfBucket(int n) throws SQLException {
        return one("SELECT o.name || ' ' || t.slug FROM data_stores d JOIN organizations o ON o.id = d.organization_id"
                + " JOIN tenants t ON t.id = d.tenant_id WHERE d.name = 'bucket" + n + "'");
    }

    private int tenant(String slug) throws SQLException {
        execute(
                shape == ElderShape.C
                        ? "INSERT INTO tenants (name, slug) VALUES ('" + slug + "', '" + slug + "')"
                        : "INSERT INTO tenants (name, slug, is_active, created_at, updated_at) VALUES ('" + slug
                                + "', '" + slug + "', true, now(), now())");
        return Integer.parseInt(one("SELECT id FROM tenants WHERE slug = '" + slug + "'"));
    }

    private int organization(String name, int tenant) throws SQLException {
        execute(
                shape == ElderShape.B
                        ? "INSERT INTO organizations (tenant_id, name, organization_type, created_at, updated_at) VALUES ("
                                + tenant + ", '" + name + "', 'x', now(), now())"
                        : "INSERT INTO organizations (tenant_id, name) VALUES (" + tenant + ", '" + name + "')");
        return Integer.parseInt(one("SELECT id FROM organizations WHERE name = '" + name + "'"));
    }

    /** Job 1, which the runs of these tests are of. */
    private void job(Integer organization, Integer organizationInConfig) throws SQLException {
        String config = organizationInConfig == null ? "{}" : "{\"_organization_id\": " + organizationInConfig + "}";
        execute((shape == ElderShape.C
                        ? "INSERT INTO discovery_jobs (id, name, type, config, organization_id) VALUES (1, 'dir',"
                                + " 'ldap', '" + config + "', "
                        : "INSERT INTO discovery_jobs (id, name, provider, config_json, schedule_interval, enabled,"
                                + " created_at, updated_at, organization_id) VALUES (1, 'dir', 'ldap', '" + config
                                + "', 3600, true, now(), now(), ")
                + organization + ")");
    }

    private void execute(String sql) throws SQLException {
        try (Connection connection = server.connect(database);
                Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }

    private void settle() throws SQLException {
        try (Connection connection = server.connect(database)) {
            connection.setAutoCommit(false);
            assertThat(writer.settle(connection, false).refusals()).isEmpty();
            connection.commit();
        }
    }

    private List<Refusal> refusals(List<Incoming> batch) throws SQLException {
        return refusals(batch, false);
    }

    private List<Refusal> refusals(List<Incoming> batch, boolean careful) throws SQLException {
        try (Connection connection = server.connect(database)) {
            connection.setAutoCommit(false);
            Written written = writer.write(connection, batch, careful);
            connection.commit();
            return written.refusals();
        }
    }

    private static Incoming tombstone(String key) {
        return new Incoming(key, null, 0, 0);
    }

    private static Incoming deleted(Incoming live) {
        Row row = (Row) live.record().getBody();
        InventoryRecord record = InventoryRecord.newBuilder(live.record())
                .setBody(Row.newBuilder(row).setDeleted(true).build())
                .build();
        return new Incoming(live.key(), record, 0, 0);
    }

    private static Incoming row(
            String table,
            String key,
            int time,
            Map<String, Object> values,
            Map<String, String> references,
            String attributes) {
        Row row = Row.newBuilder()
                .setTable(table)
                .setDeleted(false)
                .setContentHash((new TreeMap<>(values) + " " + new TreeMap<>(references)).hashCode())
                .setValues(new HashMap<>(values))
                .setReferences(references)
                .setAttributes(attributes)
                .setTags(List.of("ldap"))
                .build();
        InventoryRecord record = InventoryRecord.newBuilder()
                .setKey(key)
                .setScope("ldap/dir/-/x")
                .setRunId("1.a" + time)
                .setObservedAt(T0.plusSeconds(time))
                .setBody(row)
                .build();
        return new Incoming(key, record, 0, 0);
    }

    private void apply(List<Incoming> batch) throws SQLException {
        try (Connection connection = server.connect(database)) {
            connection.setAutoCommit(false);
            Written written = writer.write(connection, batch, false);
            assertThat(written.refusals()).isEmpty();
            new RunLedger(shape).count(connection, written.runs());
            connection.commit();
        }
    }

    /** The content of the tables without what depends on the order of arrival: ids are replaced by keys, clocks left out. */
    private List<String> tables() throws SQLException {
        List<String> all = new ArrayList<>();
        for (String table : List.of(
                "organizations",
                "identities",
                "identity_groups",
                "identity_group_memberships",
                "entities",
                "dependencies")) {
            String links =
                    switch (table) {
                        case "organizations" -> "(SELECT source_key FROM organizations p WHERE p.id = t.parent_id)";
                        case "identity_group_memberships" ->
                            "(SELECT source_key FROM identities p WHERE p.id = t.identity_id) || (SELECT source_key FROM identity_groups p WHERE p.id = t.group_id)";
                        case "entities" -> "(SELECT source_key FROM organizations p WHERE p.id = t.organization_id)";
                        case "dependencies" ->
                            "(SELECT source_key FROM identity_groups p WHERE p.id = t.source_id) || (SELECT source_key FROM identity_groups p WHERE p.id = t.target_id)";
                        default -> "NULL";
                    };
            try (Connection connection = server.connect(database);
                    Statement statement = connection.createStatement();
                    ResultSet row = statement.executeQuery(
                            "SELECT (to_jsonb(t) - '{id,parent_id,identity_id,group_id,organization_id,source_id,target_id,source_entity_id,target_entity_id,created_at,updated_at}'::text[])::text, "
                                    + links + " FROM " + table
                                    + " t WHERE source_key IS NOT NULL ORDER BY t.source_key")) {
                while (row.next()) {
                    all.add(table + " " + row.getString(1) + " " + row.getString(2));
                }
            }
        }
        return all;
    }

    private static Row row(Incoming one) {
        return (Row) one.record().getBody();
    }

    private Map<String, String> namesByKey() throws SQLException {
        Map<String, String> names = new TreeMap<>();
        try (Connection connection = server.connect(database);
                Statement statement = connection.createStatement();
                ResultSet row = statement.executeQuery(
                        "SELECT source_key, username FROM identities WHERE source_key IS NOT NULL")) {
            while (row.next()) {
                names.put(row.getString(1), row.getString(2));
            }
        }
        return names;
    }

    private List<String> names() throws SQLException {
        List<String> names = new ArrayList<>();
        try (Connection connection = server.connect(database);
                Statement statement = connection.createStatement();
                ResultSet row = statement.executeQuery(
                        "SELECT username FROM identities WHERE source_key IS NOT NULL ORDER BY username COLLATE \"C\"")) {
            while (row.next()) {
                names.add(row.getString(1));
            }
        }
        return names;
    }

    private int count(String from) throws SQLException {
        return Integer.parseInt(one("SELECT count(*) FROM " + from));
    }

    private String one(String sql) throws SQLException {
        try (Connection connection = server.connect(database);
                Statement statement = connection.createStatement();
                ResultSet row = statement.executeQuery(sql)) {
            return row.next() ? row.getString(1) : null;
        }
    }

    /** A connection whose statements fail once so many were prepared. */
    private static Connection crashingAfter(Connection real, AtomicInteger left) {
        return (Connection) Proxy.newProxyInstance(
                SinkContract.class.getClassLoader(), new Class<?>[] {Connection.class}, (proxy, method, arguments) -> {
                    if (method.getName().equals("prepareStatement") && left.getAndDecrement() <= 0) {
                        throw new SQLException("crash");
                    }
                    try {
                        return method.invoke(real, arguments);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
    }
}
