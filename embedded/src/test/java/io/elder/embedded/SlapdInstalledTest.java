package io.elder.embedded;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.unboundid.ldap.sdk.Attribute;
import com.unboundid.ldap.sdk.DeleteRequest;
import com.unboundid.ldap.sdk.Entry;
import com.unboundid.ldap.sdk.Filter;
import com.unboundid.ldap.sdk.LDAPConnection;
import com.unboundid.ldap.sdk.LDAPException;
import com.unboundid.ldap.sdk.Modification;
import com.unboundid.ldap.sdk.ModificationType;
import com.unboundid.ldap.sdk.SearchResultEntry;
import com.unboundid.ldap.sdk.SearchScope;
import java.nio.file.Path;
import java.sql.SQLException;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.io.TempDir;

/** A large directory through the whole pipeline: its size, its changes and its failures. */
@Tag("installed")
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class SlapdInstalledTest {
    private static final String BASE = SlapdCopy.BASE;
    /** Only the search for users asks for this. */
    private static final String USERS = "employeeNumber";
    /** Only searches for groups do. */
    private static final String GROUPS = "groupOfUniqueNames";

    @TempDir
    static Path folder;

    private static SlapdCopy slapd;
    private static BreakingProxy proxy;
    private static DirectoryJob job;

    @BeforeAll
    static void start() throws Exception {
        assumeTrue(System.getenv("ELDER_TEST_SLAPD_DATA") != null, "no slapd: run .ci/ldap-servers.sh start DIR");
        slapd = SlapdCopy.start(Path.of(System.getenv("ELDER_TEST_SLAPD_DATA")), folder.resolve("slapd"));
        proxy = BreakingProxy.to(slapd.port());
        job = DirectoryJob.start(
                folder.resolve("elder"),
                Map.of("DISCOVERY_MAX_CONCURRENT", "2", "SYNC_MAX_RETRIES", "1"),
                """
                {"server": "127.0.0.1", "port": %d, "base_dn": "%s", "bind_dn": "cn=reader,%s", "bind_password": "reader-secret"}""".formatted(proxy.port(), BASE, BASE));
    }

    @AfterAll
    static void stop() throws Exception {
        if (job != null) {
            job.close();
        }
        if (proxy != null) {
            proxy.close();
        }
        if (slapd != null) {
            slapd.close();
        }
    }

    @Test
    @Order(1)
    void theTablesHoldExactlyWhatTheDirectoryDoes() throws SQLException {
        job.sync("slapd, first sync");
        assertThat(job.lastError()).isEqualTo("completed: ");
        assertCounts(10_000, 114_000, 6_000);
        assertThat(job.deleted()).isZero();
        // Every user is in the unit that its DN says.
        assertThat(job.number("select count(*) from identities i join organizations o on o.id = i.organization_id"
                        + " where i.source_key like 'ldap/%' and o.name ="
                        + " 'Unit ' || lpad((right(i.username, 5)::int % 60)::text, 2, '0')"))
                .isEqualTo(10_000);
    }

    @Test
    @Order(2)
    void aSecondSyncChangesNoRow() throws SQLException {
        String before = job.versions();
        job.sync("slapd, second sync");
        assertThat(job.versions()).isEqualTo(before);
        assertThat(job.lastRun("concat_ws(',', created, updated, deleted)")).isEqualTo("0,0,0");
    }

    @Test
    @Order(3)
    void whatChangesInTheDirectoryIsRightAfterTheNextSync() throws Exception {
        long renamed = id("user00105");
        long moved = id("user00110");
        long disabled = id("user00115");
        long deleted = id("user00120");
        long recreated = id("user00130");
        long mailed = id("user00140");
        String membershipsOfRenamed = memberships(renamed);
        long lost;
        try (LDAPConnection ldap = slapd.administrator()) {
            String old = dn(ldap, "user00105");
            ldap.modifyDN(old, "uid=renamed00105", true);
            refer(ldap, old, "user00105", dn(ldap, "renamed00105"), "renamed00105");

            old = dn(ldap, "user00110");
            String unit = find(ldap, "(ou=Unit 20)").getDN();
            ldap.modifyDN(old, "uid=user00110", false, unit);
            refer(ldap, old, "user00110", dn(ldap, "user00110"), "user00110");

            ldap.modify(
                    dn(ldap, "user00115"),
                    new Modification(ModificationType.REPLACE, "pwdAccountLockedTime", "000001010000Z"));

            old = dn(ldap, "user00120");
            lost = refer(ldap, old, "user00120", null, null);
            ldap.delete(new DeleteRequest(old));

            Entry entry = ldap.getEntry(dn(ldap, "user00130"), "*").duplicate();
            ldap.delete(entry.getDN());
            ldap.add(entry);

            String group = find(ldap, "(cn=group001)").getDN();
            ldap.modify(
                    group,
                    new Modification(ModificationType.DELETE, "member", memberOf(ldap, group)),
                    new Modification(ModificationType.ADD, "member", stranger(ldap, group)));

            ldap.modify(dn(ldap, "user00140"), new Modification(ModificationType.REPLACE, "mail", "new@example.com"));
        }
        job.sync("slapd, sync of seven changes");
        assertThat(job.lastError()).isEqualTo("completed: ");
        assertCounts(9_999, 114_000 - lost, 6_000);

        assertThat(job.text("select username from identities where id = " + renamed))
                .isEqualTo("ldap:renamed00105");
        assertThat(memberships(renamed)).isEqualTo(membershipsOfRenamed);
        assertThat(job.text("select o.name from identities i join organizations o on o.id = i.organization_id"
                        + " where i.id = " + moved))
                .isEqualTo("Unit 20");
        assertThat(id("user00110")).isEqualTo(moved);
        assertThat(job.text("select is_active || ' ' || (deleted_at is null) from identities where id = " + disabled))
                .isEqualTo("false true");
        assertThat(job.text("select is_active || ' ' || (deleted_at is null) from identities where id = " + deleted))
                .isEqualTo("false false");
        assertThat(id("user00130")).isNotEqualTo(recreated);
        assertThat(job.text(
                        "select (username like 'ldap:user00130~%') || ' ' || (deleted_at is null) from identities where id = "
                                + recreated))
                .isEqualTo("true false");
        assertThat(job.text("select email from identities where id = " + mailed))
                .isEqualTo("new@example.com");
        assertThat(job.text("select count(*) from identity_group_memberships where deleted_at is not null"
                        + " and expires_at is null"))
                .isEqualTo("0");

        String before = job.versions();
        job.sync("slapd, sync after the changes");
        assertThat(job.versions()).isEqualTo(before);
    }

    @Test
    @Order(4)
    void aServerThatDiesInTheMiddleOfASearchDeletesNothing() throws Exception {
        String before = job.versions();
        AtomicBoolean isDead = new AtomicBoolean();
        proxy.breakAt(USERS, 500_000, () -> {
            isDead.set(true);
            slapd.kill();
        });
        job.sync("slapd killed among the users");
        assertThat(isDead).isTrue();
        assertThat(job.versions()).isEqualTo(before);
        assertFailed("partial", "ldap_user", "127.0.0.1");
        assertThat(job.kinds("failed")).contains("ldap_user").contains("ldap_group");

        proxy.mend();
        slapd.start();
        job.sync("slapd, back again");
        assertThat(job.lastError()).isEqualTo("completed: ");
        assertThat(job.versions()).isEqualTo(before);
    }

    @Test
    @Order(5)
    void aServerThatIsBackAtOnceIsReadAgainWithinTheRun() throws Exception {
        String before = job.versions();
        proxy.breakAt(USERS, 500_000, () -> {
            proxy.mend();
            slapd.kill();
            try {
                slapd.start();
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
        });
        job.sync("slapd killed among the users and started again");
        assertThat(job.versions()).isEqualTo(before);
        // Whether the one retry comes before the server is back is chance.
        assertThat(job.lastRun("status")).isIn("completed", "partial");
        proxy.mend();
    }

    @Test
    @Order(6)
    void aConnectionLostBetweenUsersAndGroupsDeletesNothing() throws Exception {
        String before = job.versions();
        try (LDAPConnection ldap = slapd.administrator()) {
            ldap.modify(dn(ldap, "user00141"), new Modification(ModificationType.REPLACE, "mail", "seen@example.com"));
        }
        proxy.breakAt(GROUPS, 0, () -> {});
        job.sync("connection lost before the groups");
        assertFailed("partial", "ldap_group", "127.0.0.1");
        assertThat(job.kinds("sealed")).isEqualTo("ldap_directory,ldap_ou,ldap_user");
        assertThat(job.kinds("failed")).isEqualTo("ldap_group,ldap_group_member");
        // What is healthy goes on.
        assertThat(job.text("select email from identities where username = 'ldap:user00141'"))
                .isEqualTo("seen@example.com");
        assertThat(job.lastRun("concat_ws(',', created, deleted)")).isEqualTo("0,0");
        assertThat(job.versions()).isNotEqualTo(before);
        proxy.mend();
    }

    @Test
    @Order(7)
    void aSearchCutByTheSizeLimitDeletesNothing() throws Exception {
        String before = job.versions();
        job.configure("{\"bind_dn\": \"cn=limited," + BASE + "\", \"bind_password\": \"limited-secret\"}");
        job.sync("size limit");
        assertThat(job.versions()).isEqualTo(before);
        assertFailed("partial", "ldap_user", "500");
        assertThat(job.kinds("sealed")).isEqualTo("ldap_directory,ldap_ou");
    }

    @Test
    @Order(8)
    void aWrongPasswordOrAWrongBaseDeletesNothing() throws Exception {
        String before = job.versions();
        job.configure("{\"bind_dn\": \"cn=reader," + BASE + "\", \"bind_password\": \"canary-not-this\"}");
        job.sync("wrong password");
        assertFailed("failed", "password", "cn=reader," + BASE);
        assertThat(job.lastError()).doesNotContain("canary-not-this");

        job.configure("{\"bind_password\": \"reader-secret\", \"base_dn\": \"ou=Nowhere," + BASE + "\"}");
        job.sync("wrong base");
        assertFailed("failed", "ou=Nowhere," + BASE, "");
        assertThat(job.versions()).isEqualTo(before);

        job.configure("{\"base_dn\": \"" + BASE + "\"}");
        job.sync("slapd, healthy at last");
        assertThat(job.lastError()).isEqualTo("completed: ");
        assertThat(job.versions()).isEqualTo(before);
    }

    private static void assertFailed(String status, String said, String alsoSaid) throws SQLException {
        System.out.println("MEASURED " + job.lastError());
        assertThat(job.lastError()).startsWith(status + ": ").contains(said).contains(alsoSaid);
        assertThat(job.lastHistory()).startsWith(status + ": ").contains(said).contains(alsoSaid);
    }

    private static void assertCounts(long users, long memberships, long nested) throws SQLException {
        assertThat(job.live("identities")).isEqualTo(users);
        assertThat(job.live("identity_groups")).isEqualTo(800);
        assertThat(job.live("identity_group_memberships")).isEqualTo(memberships);
        assertThat(job.live("dependencies")).isEqualTo(nested);
        assertThat(job.live("organizations")).isEqualTo(61);
        assertThat(job.live("entities")).isEqualTo(users + 800);
        assertThat(job.number("select count(*) from pipeline.pending_links")).isZero();
    }

    private static long id(String uid) throws SQLException {
        return job.number("select id from identities where username = 'ldap:" + uid + "'");
    }

    private static String memberships(long identity) throws SQLException {
        return job.text(
                "select string_agg(id || '>' || group_id, ',' order by id) from identity_group_memberships where deleted_at is null and identity_id = "
                        + identity);
    }

    private static SearchResultEntry find(LDAPConnection ldap, String filter) throws LDAPException {
        return ldap.search(BASE, SearchScope.SUB, filter).getSearchEntries().getFirst();
    }

    private static String dn(LDAPConnection ldap, String uid) throws LDAPException {
        return find(ldap, "(uid=" + uid + ")").getDN();
    }

    private static String memberOf(LDAPConnection ldap, String group) throws LDAPException {
        for (String member : ldap.getEntry(group, "member").getAttributeValues("member")) {
            if (member.startsWith("uid=")) {
                return member;
            }
        }
        throw new AssertionError(group + " has no user");
    }

    private static String stranger(LDAPConnection ldap, String group) throws LDAPException {
        for (int i = 9_000; ; i++) {
            String dn = dn(ldap, "user%05d".formatted(i));
            if (!ldap.getEntry(group, "member").hasAttributeValue("member", dn)) {
                return dn;
            }
        }
    }

    /** What a referential integrity overlay does: groups name the entry by its new name, or no longer. */
    private static long refer(LDAPConnection ldap, String old, String oldUid, String dn, String uid)
            throws LDAPException {
        long groups = 0;
        for (Map.Entry<Attribute, String> reference : Map.of(
                        new Attribute("member", old), dn == null ? "" : dn,
                        new Attribute("uniqueMember", old), dn == null ? "" : dn,
                        new Attribute("memberUid", oldUid), uid == null ? "" : uid)
                .entrySet()) {
            String name = reference.getKey().getName();
            String value = reference.getKey().getValue();
            for (SearchResultEntry group : ldap.search(
                            BASE, SearchScope.SUB, Filter.createEqualityFilter(name, value), "1.1")
                    .getSearchEntries()) {
                groups++;
                if (value.equals(reference.getValue())) {
                    continue;
                }
                ldap.modify(group.getDN(), new Modification(ModificationType.DELETE, name, value));
                if (!reference.getValue().isEmpty()) {
                    ldap.modify(group.getDN(), new Modification(ModificationType.ADD, name, reference.getValue()));
                }
            }
        }
        return groups;
    }
}
