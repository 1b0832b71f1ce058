package io.elder.fetch.ldap;

import com.unboundid.ldap.sdk.LDAPException;
import com.unboundid.ldap.sdk.ResultCode;
import io.elder.fetch.Provider;
import io.elder.fetch.testkit.ProviderContract;
import io.elder.runtime.Settings;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;

/** The contract of all providers, on a directory of three pages. */
class LdapProviderTest extends ProviderContract<LdapClient> {
    private static final String WRONG_PASSWORD = "not-the-password-7";
    private static final String BASE = TestDirectory.BASE;

    private TestDirectory directory;

    @BeforeEach
    void start() throws Exception {
        directory = TestDirectory.start(false, 0, null);
        for (int i = 0; i < 5; i++) {
            directory.add("dn: ou=unit" + i + "," + BASE, "objectClass: organizationalUnit", "ou: unit" + i);
            directory.user("user" + i, "ou=unit" + i + "," + BASE);
            directory.add(
                    "dn: cn=group" + i + "," + BASE,
                    "objectClass: groupOfNames",
                    "cn: group" + i,
                    "member: uid=user" + i + ",ou=unit" + i + "," + BASE,
                    "member: cn=group" + (i + 1) % 5 + "," + BASE);
        }
    }

    @AfterEach
    void stop() {
        directory.close();
    }

    @Override
    protected Provider<LdapClient> provider() {
        return new LdapProvider();
    }

    @Override
    protected Settings settings() {
        return Settings.of(directory.settings("LDAP_PAGE_SIZE", "2"));
    }

    @Override
    protected Map<String, Integer> expected() {
        return Map.of("ldap_directory", 1, "ldap_ou", 5, "ldap_user", 5, "ldap_group", 5, "ldap_group_member", 10);
    }

    @Override
    protected Set<String> secrets() {
        return Set.of(TestDirectory.PASSWORD, WRONG_PASSWORD, "top-secret-hash");
    }

    @Override
    protected Settings wrongCredentials() {
        return Settings.of(directory.settings("LDAP_BIND_PASSWORD", WRONG_PASSWORD));
    }

    @Override
    protected Settings wrongPlace() {
        return Settings.of(directory.settings("LDAP_BASE_DN", "dc=nowhere"));
    }

    @Override
    protected void dieMidway(String kind) {
        directory.cutsSecondPage = true;
    }

    @Override
    protected void heal() {
        directory.cutsSecondPage = false;
    }

    @Override
    protected Optional<Exception> gone() {
        return Optional.of(new LDAPException(ResultCode.NO_SUCH_OBJECT, "gone"));
    }
}
