package io.elder.fetch.ldap;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.unboundid.ldap.sdk.Entry;
import com.unboundid.ldap.sdk.ResultCode;
import io.elder.fetch.StopReason;
import io.elder.fetch.Verdict;
import io.elder.runtime.Settings;
import io.elder.runtime.SettingsException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.assertj.core.api.Assertions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a directory does to its readers, against one in this process. Real servers: {@link LdapInstalledServersTest}. */
class LdapDirectoryTest {
    private static final String BASE = TestDirectory.BASE;

    @TempDir
    Path folder;

    private static TestDirectory company(int sizeLimit) throws Exception {
        TestDirectory directory = TestDirectory.start(false, sizeLimit, null);
        directory.add("dn: ou=Staff," + BASE, "objectClass: organizationalUnit", "ou: Staff");
        directory.add("dn: cn=box,ou=Staff," + BASE, "objectClass: applicationProcess", "cn: box");
        directory.add("dn: ou=Sales,cn=box,ou=Staff," + BASE, "objectClass: organizationalUnit", "ou: Sales");
        for (int i = 0; i < 7; i++) {
            directory.user("user" + i, i == 0 ? BASE : "ou=Sales,cn=box,ou=Staff," + BASE);
        }
        String user1 = "UID=USER1, OU=sales,cn=box,ou=Staff," + BASE;
        directory.add(
                "dn: cn=a," + BASE,
                "objectClass: groupOfNames",
                "cn: a",
                "member: cn=b," + BASE,
                "member: " + user1,
                "member: cn=ghost," + BASE);
        directory.add(
                "dn: cn=b," + BASE,
                "objectClass: groupOfUniqueNames",
                "cn: b",
                "uniqueMember: cn=a," + BASE,
                "uniqueMember: " + user1 + "#'0101'B");
        directory.add(
                "dn: cn=c," + BASE,
                "objectClass: posixGroup",
                "cn: c",
                "gidNumber: 7",
                "memberUid: user1",
                "memberUid: nobody");
        return directory;
    }

    @Test
    void pagesAreFollowedToTheEndAndEverythingKnowsWhereItIs() throws Exception {
        try (TestDirectory directory = company(0)) {
            Fetched fetched = Fetched.from(directory.settings("LDAP_PAGE_SIZE", "2"));

            assertThat(fetched.of("ldap_user")).hasSize(7);
            assertThat(fetched.of("ldap_group")).hasSize(3);
            JsonNode staff = fetched.one("ldap_ou", "name", "Staff");
            JsonNode sales = fetched.one("ldap_ou", "name", "Sales");
            assertThat(staff.get("parent_ou_id").isNull()).isTrue();
            assertThat(sales.get("parent_ou_id")).isEqualTo(staff.get("id"));
            JsonNode user1 = fetched.one("ldap_user", "username", "user1");
            assertThat(user1.get("ou_id")).isEqualTo(sales.get("id"));
            assertThat(user1.get("email").textValue()).isEqualTo("user1@example.com");
            assertThat(user1.get("enabled").booleanValue()).isTrue();
            assertThat(fetched.one("ldap_user", "username", "user0")
                            .get("ou_id")
                            .isNull())
                    .isTrue();
            assertThat(fetched.one("ldap_directory", "id", BASE).get("schema").textValue())
                    .isEqualTo("ldap");
        }
    }

    @Test
    void membersOfEveryClassOfGroupAreFoundWhateverTheirSpellingAndCyclesAreEdges() throws Exception {
        try (TestDirectory directory = company(0)) {
            Fetched fetched = Fetched.from(directory.settings());

            assertThat(fetched.of("ldap_group_member").stream()
                            .map(edge -> edge.get("group_dn").textValue().substring(3, 4) + " "
                                    + edge.get("member_kind").asText() + " "
                                    + edge.get("member_dn").textValue().split(",")[0]))
                    .containsExactlyInAnyOrder(
                            "a ldap_group cn=b",
                            "a ldap_user uid=user1",
                            "a null cn=ghost",
                            "b ldap_group cn=a",
                            "b ldap_user uid=user1",
                            "c ldap_user uid=user1",
                            "c null uid=nobody");
            assertThat(fetched.one("ldap_group", "name", "a")
                            .get("member_count")
                            .intValue())
                    .isEqualTo(3);
        }
    }

    @Test
    void passwordsAreNeitherAskedForNorConfigurable() throws Exception {
        try (TestDirectory directory = company(0)) {
            Fetched fetched = Fetched.from(directory.settings("LDAP_EXTRA_ATTRIBUTES", "sn"));
            assertThat(fetched.of("ldap_user").toString())
                    .doesNotContain("top-secret")
                    .doesNotContain("userpassword");
            Assertions.assertThatThrownBy(() -> new LdapProvider()
                            .connect(Settings.of(
                                    directory.settings("LDAP_EXTRA_ATTRIBUTES", "userPassword, unicodePwd"))))
                    .isInstanceOf(SettingsException.class)
                    .hasMessageContaining("LDAP_EXTRA_ATTRIBUTES: userPassword (expected")
                    .hasMessageContaining("unicodePwd");
        }
    }

    @Test
    void pagesThatTheServerRefusesAreMadeSmaller() throws Exception {
        try (TestDirectory directory = company(0)) {
            directory.largestPage = 100;
            assertThat(Fetched.from(directory.settings()).of("ldap_user")).hasSize(7);
        }
    }

    @Test
    void aSizeLimitStops() throws Exception {
        try (TestDirectory directory = company(4)) {
            directory.searchFailure = ResultCode.SIZE_LIMIT_EXCEEDED;
            assertStop(
                    Fetched.failure(directory.settings("LDAP_PAGE_SIZE", "2")),
                    StopReason.SIZE_LIMIT,
                    "after 2 entries");
        }
    }

    @Test
    void aConnectionThatIsCutBetweenPagesIsNoEnd() throws Exception {
        try (TestDirectory directory = company(0)) {
            directory.cutsSecondPage = true;
            assertThat(Fetched.failure(directory.settings("LDAP_PAGE_SIZE", "2")))
                    .isInstanceOf(Verdict.RetryWithBackoff.class);
        }
    }

    @Test
    void aPageThatDoesNotSayWhetherThereAreMoreIsNoEnd() throws Exception {
        try (TestDirectory directory = company(0)) {
            directory.saysNothingOfThirdPage = true;
            assertStop(
                    Fetched.failure(directory.settings("LDAP_PAGE_SIZE", "2")),
                    StopReason.INCOMPLETE,
                    "after 4 entries");
        }
    }

    @Test
    void failuresAreToldInOneReadableLine() throws Exception {
        try (TestDirectory directory = company(0)) {
            directory.searchFailure = ResultCode.UNWILLING_TO_PERFORM;
            assertThat(Fetched.thrown(directory.settings("LDAP_PAGE_SIZE", "2")))
                    .hasMessageMatching(
                            "search for \\(objectClass=person\\) below " + BASE
                                    + " on ldap://\\S+ ended after 2 entries with unwilling to perform \\(53\\): as the test wants it");
            directory.searchFailure = null;
            directory.hangsOnSecondPage = true;
            Exception timeout = Fetched.thrown(directory.settings("LDAP_PAGE_SIZE", "2", "LDAP_TIMEOUT", "300ms"));
            assertThat(timeout)
                    .hasMessageStartingWith("search for (objectClass=person) below " + BASE)
                    .hasMessageContaining("timeout (85)")
                    .hasMessageNotContaining("Request(");
            assertThat(timeout.getMessage()).hasSizeLessThan(400);
        }
    }

    @Test
    void aBaseThatDoesNotExistIsNotAnEmptyDirectory() throws Exception {
        try (TestDirectory directory = company(0)) {
            assertStop(
                    Fetched.failure(directory.settings("LDAP_BASE_DN", "ou=Nowhere," + BASE)),
                    StopReason.NOT_FOUND,
                    "ou=Nowhere," + BASE);
        }
    }

    @ParameterizedTest
    @CsvSource({
        "52e, BAD_CREDENTIALS, wrong password", "525, BAD_CREDENTIALS, no such user",
        "530, FORBIDDEN, at this time", "531, FORBIDDEN, from this machine",
        "532, PASSWORD_EXPIRED, has expired", "533, ACCOUNT_DISABLED, disabled",
        "701, ACCOUNT_DISABLED, account has expired", "773, PASSWORD_EXPIRED, must be changed",
        "775, ACCOUNT_LOCKED, locked"
    })
    void aRefusedBindSaysWhy(String code, StopReason reason, String said) throws Exception {
        try (TestDirectory directory = company(0)) {
            directory.bindRefusal =
                    "80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data " + code + ", v1db1";
            assertStop(Fetched.failure(directory.settings()), reason, said);
        }
    }

    @Test
    void aServerThatIsNotThereIsTriedAgain() throws Exception {
        Map<String, String> settings;
        try (TestDirectory directory = company(0)) {
            settings = directory.settings();
        }
        assertThat(Fetched.failure(settings)).isInstanceOf(Verdict.RetryWithBackoff.class);
    }

    @Test
    void certificatesAndHostNamesAreVerifiedOverLdapsAndStartTls() throws Exception {
        Path right = TestDirectory.keyStore(folder, "localhost");
        Path wrong = TestDirectory.keyStore(folder, "elsewhere.example.com");
        for (Path store : new Path[] {right, wrong}) {
            try (TestDirectory directory = TestDirectory.start(false, 0, store)) {
                String ca = store.toString().replace(".p12", ".pem");
                for (Map<String, String> settings : List.of(
                        directory.settings("LDAP_USE_SSL", "true", "LDAP_PORT", "" + directory.ldapsPort()),
                        directory.settings("LDAP_START_TLS", "true"))) {
                    assertStop(Fetched.failure(settings), StopReason.TLS, "PKIX path building failed");
                    settings.put("LDAP_CA_FILE", ca);
                    if (store.equals(right)) {
                        assertThat(Fetched.from(settings).of("ldap_directory")).hasSize(1);
                    } else {
                        assertStop(Fetched.failure(settings), StopReason.TLS, "localhost");
                        settings.put("LDAP_VERIFY_CERT", "false");
                        assertThat(Fetched.from(settings).of("ldap_directory")).hasSize(1);
                    }
                }
            }
        }
    }

    @Test
    void activeDirectoryIsRecognizedItsIdsDecodedAndRangesFollowed() throws Exception {
        try (TestDirectory directory = TestDirectory.start(true, 0, null)) {
            Entry group = new Entry("cn=big," + BASE);
            group.addAttribute("objectClass", "group");
            group.addAttribute("cn", "big");
            // Taken from a real domain controller, Samba 4.17.
            group.addAttribute("objectGUID", java.util.Base64.getDecoder().decode("FQq1iYd5aU2PWE8dDBRU9w=="));
            group.addAttribute(
                    "objectSid", java.util.Base64.getDecoder().decode("AQUAAAAAAAUVAAAAIWD2SiRsj9D+0QfGVQQAAA=="));
            for (int i = 0; i < 8; i++) {
                group.addAttribute("member", "cn=m" + i + "," + BASE);
            }
            directory.add(group);
            Fetched fetched = Fetched.from(directory.settings());
            JsonNode big = fetched.one("ldap_group", "name", "big");
            assertThat(big.get("schema").textValue()).isEqualTo("ad");
            assertThat(big.get("id").textValue()).isEqualTo("89b50a15-7987-4d69-8f58-4f1d0c1454f7");
            assertThat(big.at("/attributes/objectsid/0").textValue())
                    .isEqualTo("S-1-5-21-1257660449-3499060260-3322401278-1109");
            assertThat(big.get("member_count").intValue()).isEqualTo(8);
            assertThat(fetched.of("ldap_group_member")).hasSize(8);
        }
    }

    private static void assertStop(Verdict verdict, StopReason reason, String said) {
        assertThat(verdict).isInstanceOfSatisfying(Verdict.Stop.class, stop -> {
            assertThat(stop.reason()).as(stop.message()).isEqualTo(reason);
            assertThat(stop.message()).contains(said).doesNotContain(TestDirectory.PASSWORD);
        });
    }
}
