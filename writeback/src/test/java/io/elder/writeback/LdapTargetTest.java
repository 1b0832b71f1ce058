package io.elder.writeback;

import static org.assertj.core.api.Assertions.assertThat;

import com.unboundid.ldap.listener.InMemoryDirectoryServer;
import com.unboundid.ldap.listener.InMemoryDirectoryServerConfig;
import com.unboundid.ldap.listener.InMemoryListenerConfig;
import com.unboundid.ldap.listener.interceptor.InMemoryInterceptedSimpleBindRequest;
import com.unboundid.ldap.listener.interceptor.InMemoryOperationInterceptor;
import com.unboundid.ldap.sdk.LDAPException;
import com.unboundid.ldap.sdk.ResultCode;
import com.unboundid.ldif.LDIFException;
import java.net.InetAddress;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LdapTargetTest extends TargetContract {
    private static final String BASE = "dc=example,dc=com";
    private static final String TEAM = "cn=team," + BASE;

    private final InMemoryDirectoryServer directory;
    private volatile boolean repeatsPasswords;

    LdapTargetTest() throws LDAPException, LDIFException {
        InMemoryDirectoryServerConfig config = new InMemoryDirectoryServerConfig(BASE);
        config.setListenerConfigs(
                InMemoryListenerConfig.createLDAPConfig("test", InetAddress.getLoopbackAddress(), 0, null));
        config.addAdditionalBindCredentials("cn=writer," + BASE, "token-secret");
        config.setSchema(null);
        config.addInMemoryOperationInterceptor(new InMemoryOperationInterceptor() {
            @Override
            public void processSimpleBindRequest(InMemoryInterceptedSimpleBindRequest bind) throws LDAPException {
                if (repeatsPasswords) {
                    throw new LDAPException(
                            ResultCode.INVALID_CREDENTIALS,
                            "wrong: " + bind.getRequest().getPassword().stringValue());
                }
            }
        });
        directory = new InMemoryDirectoryServer(config);
        directory.add("dn: " + BASE, "objectClass: domain", "dc: example");
        for (String user : new String[] {"in", "out"}) {
            directory.add("dn: uid=" + user + "," + BASE, "objectClass: inetOrgPerson", "uid: " + user, "cn: " + user);
        }
        directory.add("dn: " + TEAM, "objectClass: groupOfNames", "cn: team", "member: uid=in," + BASE);
        directory.startListening();
    }

    @AfterEach
    void close() {
        directory.shutDown(true);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"*", "*)(objectClass=*", "in)(|(uid=*", "(uid=*)", "in*", "\\2a", "in\u0000", ")(uid=*))(|(uid=*"
            })
    void whatLooksLikeAFilterIsNothingButAnIdThatNobodyHas(String id) throws InterruptedException {
        assertThat(make("remove", group(), id).outcome()).isEqualTo(Outcome.GONE);
        assertThat(make("add", group(), id).outcome()).isEqualTo(Outcome.GONE);
        assertThat(make("remove", id, member()).outcome()).isEqualTo(Outcome.GONE);
        assertThat(isIn(member())).isTrue();
        assertThat(isIn(stranger())).isFalse();
    }

    @Test
    void aServerThatRepeatsThePasswordIsNotQuotedWithIt() throws InterruptedException {
        repeatsPasswords = true;
        assertThat(make("add", group(), stranger()).message())
                .contains("wrong: ***")
                .doesNotContain("token-secret");
        assertThat(caller().troubles().toString()).doesNotContain("token-secret");
    }

    @Override
    String provider() {
        return "ldap";
    }

    @Override
    Map<String, String> settings() {
        return Map.of(
                "LDAP_SERVER",
                "ldap://127.0.0.1:" + directory.getListenPort(),
                "LDAP_BASE_DN",
                BASE,
                "LDAP_BIND_DN",
                "cn=writer," + BASE,
                "LDAP_BIND_PASSWORD",
                "token-secret");
    }

    @Override
    String group() {
        return id(TEAM);
    }

    @Override
    String member() {
        return id("uid=in," + BASE);
    }

    @Override
    String stranger() {
        return id("uid=out," + BASE);
    }

    @Override
    boolean isIn(String user) {
        try {
            String[] members = directory.getEntry(TEAM).getAttributeValues("member");
            for (String member : members == null ? new String[0] : members) {
                if (id(member).equals(user)) {
                    return true;
                }
            }
            return false;
        } catch (LDAPException e) {
            throw new IllegalStateException(e);
        }
    }

    private String id(String dn) {
        try {
            return directory.getEntry(dn, "entryUUID").getAttributeValue("entryUUID");
        } catch (LDAPException e) {
            throw new IllegalStateException(e);
        }
    }
}
