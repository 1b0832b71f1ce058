package io.elder.embedded;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.unboundid.ldap.listener.InMemoryDirectoryServer;
import com.unboundid.ldap.listener.InMemoryDirectoryServerConfig;
import com.unboundid.ldap.listener.InMemoryListenerConfig;
import com.unboundid.ldap.sdk.Attribute;
import com.unboundid.ldap.sdk.Entry;
import com.unboundid.ldap.sdk.LDAPException;
import com.unboundid.ldap.sdk.Modification;
import com.unboundid.ldap.sdk.ModificationType;
import io.elder.runtime.Metrics;
import io.elder.runtime.Settings;
import io.elder.runtime.WholeTopics;
import io.elder.schemas.avro.InventoryRecord;
import io.elder.schemas.avro.RawRecord;
import io.elder.schemas.avro.RunEvent;
import io.elder.schemas.avro.Task;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.io.TempDir;

/** Every role in one JVM, a broker, a database, and a directory that speaks LDAP: what goes in at one end, comes out at the other. */
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class PipelineEndToEndTest {
    private static final String BASE = "dc=corp,dc=test";
    private static final String READER = "cn=reader," + BASE;
    private static final String PASSWORD = "canary-4711-bind-password";
    private static final int PEOPLE = 300;

    @TempDir
    static Path folder;

    private static InMemoryDirectoryServer directory;
    private static Metrics metrics;
    private static Pipeline pipeline;
    private static int job;

    @BeforeAll
    static void start() throws Exception {
        InMemoryDirectoryServerConfig config = new InMemoryDirectoryServerConfig(BASE);
        config.setListenerConfigs(
                InMemoryListenerConfig.createLDAPConfig("test", InetAddress.getLoopbackAddress(), 0, null));
        config.addAdditionalBindCredentials(READER, PASSWORD);
        config.setSchema(null);
        directory = new InMemoryDirectoryServer(config);
        directory.add(new Entry(BASE, new Attribute("objectClass", "top", "domain"), new Attribute("dc", "corp")));
        for (String unit : List.of("people", "groups")) {
            directory.add(new Entry(
                    "ou=" + unit + "," + BASE,
                    new Attribute("objectClass", "top", "organizationalUnit"),
                    new Attribute("ou", unit)));
        }
        List<String> members = new ArrayList<>();
        for (int i = 0; i < PEOPLE; i++) {
            members.add(person("p" + i));
        }
        group("engineers", members.subList(0, 200));
        group("managers", members.subList(200, PEOPLE));
        group("everybody", List.of("cn=engineers,ou=groups," + BASE, "cn=managers,ou=groups," + BASE));
        directory.startListening();

        metrics = new Metrics();
        pipeline = new Pipeline(
                folder,
                Settings.of(Map.of(
                        "CONSOLE_PORT",
                        "0",
                        "DISCOVERY_MAX_CONCURRENT",
                        "4",
                        "KAFKA_VALUE_SERIALIZER",
                        SitesSerdes.Writer.class.getName(),
                        "KAFKA_VALUE_DESERIALIZER",
                        SitesSerdes.Reader.class.getName())),
                metrics);
        pipeline.start();
        await().atMost(Duration.ofSeconds(90)).until(() -> pipeline.health().ok());
    }

    @AfterAll
    static void stop() {
        if (pipeline != null) {
            pipeline.close();
            metrics.close();
        }
        directory.shutDown(true);
    }

    @Test
    @Order(1)
    void aRowInDiscoveryJobsBringsADirectoryIntoTheTables() throws SQLException {
        String config = """
                {"server": "localhost", "port": %d, "base_dn": "%s", "bind_dn": "%s", "bind_password": "%s"}""".formatted(directory.getListenPort(), BASE, READER, PASSWORD);
        job = (int) number(
                "insert into discovery_jobs (name, provider, config_json, schedule_interval, enabled) values ('directory', 'ldap', '"
                        + config + "', 0, true) returning id");
        awaitRuns(1);
        assertThat(number("select count(*) from identities where source_key like 'ldap/%' and deleted_at is null"))
                .isEqualTo(PEOPLE);
        assertThat(number("select count(*) from identity_groups where deleted_at is null"))
                .isEqualTo(3);
        assertThat(number("select count(*) from identity_group_memberships where deleted_at is null"))
                .isEqualTo(PEOPLE);
        assertThat(number(
                        "select count(*) from dependencies where dependency_type = 'member_of' and deleted_at is null"))
                .isEqualTo(2);
        assertThat(number("select count(*) from organizations where source_key is not null"))
                .isEqualTo(3);
        assertThat(number("select count(*) from entities where type = 'user' and deleted_at is null"))
                .isEqualTo(PEOPLE + 3);
        assertThat(text("select status from discovery_history order by id desc limit 1"))
                .isEqualTo("completed");
        assertThat(text("select status from discovery_jobs where id = " + job)).isEqualTo("completed");
    }

    @Test
    @Order(2)
    void aSecondSyncOfTheSameChangesNoRow() throws SQLException {
        long before = number("select sum(xmin::text::bigint) from identities");
        queue(2);
        assertThat(number("select sum(xmin::text::bigint) from identities")).isEqualTo(before);
        assertThat(
                        text(
                                "select concat_ws(',', created, updated, deleted) from pipeline.runs order by started_at desc limit 1"))
                .isEqualTo("0,0,0");
    }

    @Test
    @Order(3)
    void changesArriveInTheSameRows() throws Exception {
        long id = number("select id from identities where username = 'ldap:p1'");
        directory.modify(
                "uid=p1,ou=people," + BASE, new Modification(ModificationType.REPLACE, "mail", "new@corp.test"));
        directory.modify(
                "cn=engineers,ou=groups," + BASE,
                new Modification(ModificationType.DELETE, "member", "uid=p2,ou=people," + BASE));
        directory.delete("uid=p3,ou=people," + BASE);
        directory.modify(
                "cn=engineers,ou=groups," + BASE,
                new Modification(ModificationType.DELETE, "member", "uid=p3,ou=people," + BASE));
        directory.modifyDN("uid=p4,ou=people," + BASE, "uid=p4", false, "ou=groups," + BASE);
        queue(3);
        assertThat(text("select email from identities where id = " + id)).isEqualTo("new@corp.test");
        assertThat(
                        number(
                                "select count(*) from identities where username like 'ldap:p3%' and deleted_at is not null and not is_active"))
                .isEqualTo(1);
        assertThat(number("select count(*) from identities where deleted_at is null"))
                .isEqualTo(PEOPLE - 1);
        // p2 and p3 went, and p4's entry is known to the group by its old name.
        assertThat(number("select count(*) from identity_group_memberships where deleted_at is null"))
                .isEqualTo(PEOPLE - 3);
        assertThat(
                        number(
                                "select count(*) from identity_group_memberships where deleted_at is not null and expires_at is null"))
                .isZero();
    }

    @Test
    @Order(4)
    void aMassDeletionIsHeldAndAWrongPasswordDeletesNothing() throws Exception {
        for (int i = 100; i < 200; i++) {
            directory.delete("uid=p" + i + ",ou=people," + BASE);
        }
        queue(4);
        assertThat(number("select count(*) from identities where deleted_at is null"))
                .isEqualTo(PEOPLE - 1);
        assertThat(text("select status from pipeline.runs order by started_at desc limit 1"))
                .isEqualTo("partial");

        execute(
                "update discovery_jobs set config_json = (config_json::jsonb || '{\"bind_password\": \"wrong\"}')::json where id = "
                        + job);
        queue(5);
        assertThat(number("select count(*) from identities where deleted_at is null"))
                .isEqualTo(PEOPLE - 1);
        assertThat(text("select status || ': ' || last_error from discovery_jobs where id = " + job))
                .startsWith("failed: ")
                .containsIgnoringCase("password")
                .doesNotContain("wrong\"");
    }

    @Test
    @Order(5)
    void theBindPasswordIsInNoTopicAndNoTableButTheJobsOwn() throws Exception {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", pipeline.bootstrapServers());
        AtomicLong records = new AtomicLong();
        try (Admin admin = Admin.create(properties);
                KafkaConsumer<byte[], byte[]> consumer =
                        new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            WholeTopics.read(consumer, admin.listTopics().names().get(), record -> {
                records.incrementAndGet();
                assertThat(string(record.key()) + string(record.value())).doesNotContain(PASSWORD);
            });
        }
        assertThat(records.get()).isGreaterThan(PEOPLE);
        for (String table : List.of(
                "discovery_history",
                "entities",
                "identities",
                "identity_groups",
                "organizations",
                "pipeline.runs",
                "pipeline.scope_progress")) {
            assertThat(number("select count(*) from " + table + " t where t::text like '%" + PASSWORD + "%'"))
                    .as(table)
                    .isZero();
        }
        assertThat(pipeline.status().toString()).doesNotContain(PASSWORD);
        assertThat(metrics.scrape()).doesNotContain(PASSWORD);
    }

    @Test
    @Order(100)
    void everyRecordOfTheseRunsWentThroughTheSitesOwnSerializers() {
        assertThat(SitesSerdes.WRITTEN).contains(Task.class, RawRecord.class, RunEvent.class, InventoryRecord.class);
        assertThat(SitesSerdes.READ).contains(Task.class, RawRecord.class, RunEvent.class, InventoryRecord.class);
    }

    private static String person(String uid) throws LDAPException {
        String dn = "uid=" + uid + ",ou=people," + BASE;
        directory.add(new Entry(
                dn,
                new Attribute("objectClass", "top", "person", "inetOrgPerson"),
                new Attribute("uid", uid),
                new Attribute("cn", "Person " + uid),
                new Attribute("sn", uid),
                new Attribute("mail", uid + "@corp.test"),
                new Attribute("userPassword", "never-read-" + PASSWORD)));
        return dn;
    }

    private static void group(String cn, List<String> members) throws LDAPException {
        directory.add(new Entry(
                "cn=" + cn + ",ou=groups," + BASE,
                new Attribute("objectClass", "top", "groupOfNames"),
                new Attribute("cn", cn),
                new Attribute("member", members)));
    }

    private static void queue(int runs) throws SQLException {
        execute("update discovery_jobs set next_run_at = now() where id = " + job);
        awaitRuns(runs);
    }

    private static void awaitRuns(int runs) {
        await().atMost(Duration.ofSeconds(60))
                .pollInterval(Duration.ofMillis(100))
                .until(() ->
                        number("select count(*) from pipeline.runs where visible_at is not null and job_id = " + job)
                                == runs);
    }

    private static void execute(String sql) throws SQLException {
        try (Connection connection = pipeline.database().connect("elder");
                Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }

    private static long number(String sql) throws SQLException {
        return Long.parseLong(text(sql));
    }

    private static String text(String sql) throws SQLException {
        try (Connection connection = pipeline.database().connect("elder");
                PreparedStatement statement = connection.prepareStatement(sql)) {
            statement.execute();
            try (ResultSet row = statement.getResultSet()) {
                assertThat(row.next()).as(sql).isTrue();
                return String.valueOf(row.getString(1));
            }
        }
    }

    private static String string(byte[] bytes) {
        return bytes == null ? "" : new String(bytes, StandardCharsets.ISO_8859_1);
    }
}
