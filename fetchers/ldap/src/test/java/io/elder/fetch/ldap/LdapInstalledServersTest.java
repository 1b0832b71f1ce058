package io.elder.fetch.ldap;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.elder.fetch.StopReason;
import io.elder.fetch.Verdict;
import java.net.InetAddress;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Against slapd and Samba as {@code .ci/ldap-servers.sh} starts them. */
@Tag("installed")
class LdapInstalledServersTest {
    private static Map<String, String> slapd(String who) {
        assumeTrue(System.getenv("ELDER_TEST_SLAPD_SERVER") != null, "no slapd: run .ci/ldap-servers.sh start DIR");
        return new HashMap<>(Map.of(
                "LDAP_SERVER", System.getenv("ELDER_TEST_SLAPD_SERVER"),
                "LDAP_PORT", System.getenv("ELDER_TEST_SLAPD_PORT"),
                "LDAP_BASE_DN", System.getenv("ELDER_TEST_SLAPD_BASE_DN"),
                "LDAP_BIND_DN", "cn=" + who + ",dc=example,dc=com",
                "LDAP_BIND_PASSWORD", who + "-secret"));
    }

    private static Map<String, String> ad(String who, String password) {
        assumeTrue(System.getenv("ELDER_TEST_AD_SERVER") != null, "no Samba: see what .ci/ldap-servers.sh said");
        return new HashMap<>(Map.of(
                "LDAP_SERVER",
                System.getenv("ELDER_TEST_AD_SERVER"),
                "LDAP_BASE_DN",
                System.getenv("ELDER_TEST_AD_BASE_DN"),
                "LDAP_BIND_DN",
                who,
                "LDAP_BIND_PASSWORD",
                password));
    }

    private static Map<String, String> ad() {
        return ad("alice@corp.example.test", System.getenv().getOrDefault("ELDER_TEST_AD_PASSWORD", "-"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"reader", "careful"})
    void slapdIsReadWholeUnderItsSizeLimitWhateverPagesItAllows(String who) throws Exception {
        Fetched fetched = Fetched.from(slapd(who));
        assertThat(fetched.of("ldap_directory")).hasSize(1);
        assertThat(fetched.of("ldap_ou")).hasSize(60);
        assertThat(fetched.of("ldap_user")).hasSize(10_000);
        assertThat(fetched.of("ldap_group")).hasSize(800);
        assertThat(fetched.of("ldap_group_member")).hasSize(120_000);
        assertThat(fetched.of("ldap_group_member"))
                .noneMatch(edge -> edge.get("member_id").isNull());
        assertThat(fetched.of("ldap_group_member").stream()
                        .filter(edge -> edge.get("member_kind").asText().equals("ldap_group")))
                .hasSize(6_000);
        assertThat(fetched.of("ldap_user")).noneMatch(user -> user.get("ou_id").isNull());
    }

    @Test
    void slapdThatCutsAllPagesTogetherStops() {
        assertStop(Fetched.failure(slapd("limited")), StopReason.SIZE_LIMIT, "after 500 entries");
    }

    @Test
    void slapdRefusesAWrongPasswordAndAWrongBase() {
        Map<String, String> wrongPassword = slapd("reader");
        wrongPassword.put("LDAP_BIND_PASSWORD", "not-this-one");
        assertStop(Fetched.failure(wrongPassword), StopReason.BAD_CREDENTIALS, "wrong name or password");
        Map<String, String> wrongBase = slapd("reader");
        wrongBase.put("LDAP_BASE_DN", "ou=Nowhere,dc=example,dc=com");
        assertStop(Fetched.failure(wrongBase), StopReason.NOT_FOUND, "ou=Nowhere,dc=example,dc=com");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "alice@corp.example.test",
                "CORP\\alice",
                "CN=Alice Example,OU=Sales,OU=Staff,DC=corp,DC=example,DC=test"
            })
    void activeDirectoryIsReadWholeByWhateverNameOneBinds(String who) throws Exception {
        Map<String, String> settings = ad();
        settings.put("LDAP_BIND_DN", who);
        // Samba gives all members at once if asked so; five ranges of the big group.
        settings.put("LDAP_MEMBER_RANGE", "400");
        Fetched fetched = Fetched.from(settings);

        // Ours, and Administrator, Guest and krbtgt; but no computer.
        assertThat(fetched.of("ldap_user")).hasSize(1605 + 3);
        assertThat(fetched.of("ldap_ou"))
                .extracting(ou -> ou.get("name").textValue())
                .contains("Staff", "Sales");
        JsonNode dave = fetched.one("ldap_user", "username", "dave");
        assertThat(dave.get("enabled").booleanValue()).isFalse();
        assertThat(dave.get("ou_id"))
                .isEqualTo(fetched.one("ldap_ou", "name", "Sales").get("id"));
        assertThat(fetched.one("ldap_user", "username", "alice").get("enabled").booleanValue())
                .isTrue();
        JsonNode big = fetched.one("ldap_group", "name", "big");
        assertThat(big.get("member_count").intValue()).isEqualTo(1600);
        assertThat(fetched.of("ldap_group_member").stream()
                        .filter(edge -> edge.get("group_id").equals(big.get("id")))
                        .filter(edge -> edge.get("member_kind").asText().equals("ldap_user"))
                        .map(edge -> edge.get("member_id").textValue())
                        .distinct())
                .hasSize(1600);
        JsonNode emea = fetched.one("ldap_group", "name", "emea");
        assertThat(fetched.of("ldap_group_member")).anySatisfy(edge -> {
            assertThat(edge.get("group_id")).isEqualTo(emea.get("id"));
            assertThat(edge.get("member_id"))
                    .isEqualTo(fetched.one("ldap_group", "name", "sales").get("id"));
            assertThat(edge.get("member_kind").textValue()).isEqualTo("ldap_group");
        });
    }

    @ParameterizedTest
    @CsvSource({
        "dave, ACCOUNT_DISABLED, disabled",
        "expired, ACCOUNT_DISABLED, account has expired",
        "mustchange, PASSWORD_EXPIRED, must be changed",
        "nobody, BAD_CREDENTIALS, refused"
    })
    void activeDirectorySaysWhyItRefuses(String user, StopReason reason, String said) {
        Map<String, String> settings = ad();
        settings.put("LDAP_BIND_DN", user + "@corp.example.test");
        assertStop(Fetched.failure(settings), reason, said);
    }

    @Test
    void activeDirectoryLocksAfterThreeWrongPasswords() {
        Map<String, String> wrong = ad("CORP\\lock", "Wr0ng-Passw0rd");
        for (int i = 0; i < 3; i++) {
            Fetched.failure(wrong);
        }
        assertStop(Fetched.failure(ad("CORP\\lock", "Wr0ng-Passw0rd")), StopReason.ACCOUNT_LOCKED, "locked");
    }

    @Test
    void activeDirectoryOverTlsIsVerified() throws Exception {
        Map<String, String> settings = ad();
        settings.put("LDAP_USE_SSL", "true");
        assertStop(Fetched.failure(settings), StopReason.TLS, "PKIX");
        assumeFalse(
                InetAddress.getByName(System.getenv("ELDER_TEST_AD_SERVER")).isLoopbackAddress(),
                "SKIPPED: the name in Active Directory's certificate (expected: an address that is not this machine's own,"
                        + " of which UnboundID's SDK takes any name)");
        settings.put("LDAP_CA_FILE", System.getenv("ELDER_TEST_AD_CA_FILE"));
        // The certificate is for DC1.corp.example.test, and this is an address.
        assertStop(Fetched.failure(settings), StopReason.TLS, System.getenv("ELDER_TEST_AD_SERVER"));
        settings.put("LDAP_VERIFY_CERT", "false");
        assertThat(Fetched.from(settings).of("ldap_directory")).hasSize(1);
    }

    private static void assertStop(Verdict verdict, StopReason reason, String said) {
        assertThat(verdict).isInstanceOfSatisfying(Verdict.Stop.class, stop -> {
            assertThat(stop.reason()).as(stop.message()).isEqualTo(reason);
            assertThat(stop.message()).contains(said);
        });
    }
}
