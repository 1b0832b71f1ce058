package io.elder.embedded;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.unboundid.ldap.sdk.LDAPConnection;
import com.unboundid.ldap.sdk.Modification;
import com.unboundid.ldap.sdk.ModificationType;
import java.nio.file.Path;
import java.sql.SQLException;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.io.TempDir;

/** A domain through the whole pipeline. */
@Tag("installed")
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class SambaInstalledTest {
    private static final String DAVE = "CN=Dave Example,OU=Sales,OU=Staff,";

    @TempDir
    static Path folder;

    private static String server;
    private static String base;
    private static DirectoryJob job;

    @BeforeAll
    static void start() throws SQLException {
        server = System.getenv("ELDER_TEST_AD_SERVER");
        assumeTrue(server != null, "no Samba: see what .ci/ldap-servers.sh said");
        base = System.getenv("ELDER_TEST_AD_BASE_DN");
        // Samba gives all members at once unless asked for ranges: four of the big group.
        job = DirectoryJob.start(folder, Map.of("LDAP_MEMBER_RANGE", "400", "SYNC_MAX_RETRIES", "1"), """
                {"server": "%s", "base_dn": "%s", "bind_dn": "alice@corp.example.test", "bind_password": "%s"}""".formatted(
                        server, base, System.getenv("ELDER_TEST_AD_PASSWORD")));
    }

    @AfterAll
    static void stop() {
        if (job != null) {
            job.close();
        }
    }

    @Test
    @Order(1)
    void aDomainArrivesWhole() throws SQLException {
        job.sync("Samba, first sync, bound by user principal name");
        assertThat(job.lastError()).isEqualTo("completed: ");
        // Ours, and Administrator, Guest and krbtgt; but no computer.
        assertThat(job.live("identities")).isEqualTo(1605 + 3);
        assertThat(membersOf("big")).isEqualTo(1600);
        assertThat(membersOf("sales")).isEqualTo(2);
        assertThat(nested("sales", "emea")).isTrue();
        assertThat(nested("emea", "loop")).isTrue();
        assertThat(nested("loop", "emea")).isFalse();
        assertThat(isActive("dave")).isEqualTo("false");
        assertThat(isActive("alice")).isEqualTo("true");
        assertThat(job.text("select o.name || ' in ' || p.name from identities i"
                        + " join organizations o on o.id = i.organization_id join organizations p on p.id = o.parent_id"
                        + " where i.username = 'ldap:dave'"))
                .isEqualTo("Sales in Staff");
    }

    @Test
    @Order(2)
    void aDomainsNameBeforeTheUsersReadsTheSame() throws SQLException {
        String before = job.versions();
        job.configure("{\"bind_dn\": \"CORP\\\\alice\"}");
        job.sync("Samba, second sync, bound by DOMAIN\\user");
        assertThat(job.lastError()).isEqualTo("completed: ");
        assertThat(job.versions()).isEqualTo(before);
        assertThat(job.lastRun("concat_ws(',', created, updated, deleted)")).isEqualTo("0,0,0");
    }

    @Test
    @Order(3)
    void whoIsEnabledAgainIsActiveInTheSameRow() throws Exception {
        long dave = job.number("select id from identities where username = 'ldap:dave'");
        try (LDAPConnection ldap = new LDAPConnection(
                server,
                389,
                "Administrator@" + System.getenv("ELDER_TEST_AD_DOMAIN"),
                System.getenv("ELDER_TEST_AD_ADMIN_PASSWORD"))) {
            try {
                control(ldap, "512");
                job.sync("Samba, one enabled");
                assertThat(job.text("select id || ' ' || is_active from identities where username = 'ldap:dave'"))
                        .isEqualTo(dave + " true");
            } finally {
                control(ldap, "514");
            }
            job.sync("Samba, one disabled");
            assertThat(isActive("dave")).isEqualTo("false");
        }
    }

    @Test
    @Order(4)
    void aDisabledAccountThatBindsIsSaidToBeDisabled() throws SQLException {
        String before = job.versions();
        job.configure("{\"bind_dn\": \"CORP\\\\dave\"}");
        job.sync("Samba, bound by a disabled account");
        assertThat(job.lastError()).startsWith("failed: ").contains("disabled");
        assertThat(job.versions()).isEqualTo(before);
    }

    private static void control(LDAPConnection ldap, String value) throws Exception {
        ldap.modify(DAVE + base, new Modification(ModificationType.REPLACE, "userAccountControl", value));
    }

    private static long membersOf(String group) throws SQLException {
        return job.number(
                "select count(*) from identity_group_memberships m join identity_groups g on g.id = m.group_id"
                        + " where m.deleted_at is null and g.name = 'ldap:" + group + "'");
    }

    private static boolean nested(String member, String group) throws SQLException {
        return job.number("select count(*) from dependencies d join identity_groups s on s.id = d.source_id"
                        + " join identity_groups t on t.id = d.target_id where d.source_type = 'identity_group'"
                        + " and d.target_type = 'identity_group' and d.dependency_type = 'member_of'"
                        + " and d.deleted_at is null and s.name = 'ldap:" + member + "' and t.name = 'ldap:" + group
                        + "'")
                == 1;
    }

    private static String isActive(String user) throws SQLException {
        return job.text(
                "select is_active::text from identities where deleted_at is null and username = 'ldap:" + user + "'");
    }
}
