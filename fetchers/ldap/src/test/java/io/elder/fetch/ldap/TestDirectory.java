package io.elder.fetch.ldap;

import com.unboundid.ldap.listener.InMemoryDirectoryServer;
import com.unboundid.ldap.listener.InMemoryDirectoryServerConfig;
import com.unboundid.ldap.listener.InMemoryListenerConfig;
import com.unboundid.ldap.listener.interceptor.InMemoryInterceptedSearchEntry;
import com.unboundid.ldap.listener.interceptor.InMemoryInterceptedSearchRequest;
import com.unboundid.ldap.listener.interceptor.InMemoryInterceptedSearchResult;
import com.unboundid.ldap.listener.interceptor.InMemoryInterceptedSimpleBindRequest;
import com.unboundid.ldap.listener.interceptor.InMemoryOperationInterceptor;
import com.unboundid.ldap.sdk.Attribute;
import com.unboundid.ldap.sdk.Control;
import com.unboundid.ldap.sdk.Entry;
import com.unboundid.ldap.sdk.LDAPException;
import com.unboundid.ldap.sdk.LDAPResult;
import com.unboundid.ldap.sdk.ResultCode;
import com.unboundid.ldap.sdk.SearchRequest;
import com.unboundid.ldap.sdk.controls.SimplePagedResultsControl;
import com.unboundid.util.ssl.KeyStoreKeyManager;
import com.unboundid.util.ssl.SSLUtil;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A directory in this process, which can be told to misbehave. */
final class TestDirectory implements AutoCloseable {
    static final String BASE = "dc=example,dc=com";
    static final String PASSWORD = "reader-pass-1";
    private static final Pattern RANGE = Pattern.compile("member;range=(\\d+)-(\\d+|\\*)");

    private final InMemoryDirectoryServer server;

    /** Said to everyone who binds. */
    volatile String bindRefusal;

    /** Every connection is cut when its second page is asked for. */
    volatile boolean cutsSecondPage;

    /** The second page is never answered. */
    volatile boolean hangsOnSecondPage;

    /** The second page does not say whether there is a third. */
    volatile boolean saysNothingOfThirdPage;

    private final CountDownLatch closed = new CountDownLatch(1);

    volatile int largestPage = Integer.MAX_VALUE;
    volatile ResultCode searchFailure;

    private TestDirectory(InMemoryDirectoryServerConfig config) throws LDAPException {
        config.addInMemoryOperationInterceptor(new Misbehaviour());
        server = new InMemoryDirectoryServer(config);
        server.startListening();
    }

    static TestDirectory start(boolean activeDirectory, int sizeLimit, Path keyStore) throws Exception {
        InMemoryDirectoryServerConfig config = new InMemoryDirectoryServerConfig(BASE);
        config.setSchema(null);
        config.addAdditionalBindCredentials("cn=reader", PASSWORD);
        if (sizeLimit > 0) {
            config.setMaxSizeLimit(sizeLimit);
        }
        if (activeDirectory) {
            config.setCustomRootDSEAttributes(
                    List.of(new Attribute("supportedCapabilities", "1.2.840.113556.1.4.800")));
        }
        List<InMemoryListenerConfig> listeners = new ArrayList<>();
        if (keyStore == null) {
            listeners.add(InMemoryListenerConfig.createLDAPConfig("ldap"));
        } else {
            SSLUtil ssl = new SSLUtil(
                    new KeyStoreKeyManager(keyStore.toFile(), "changeit".toCharArray(), "PKCS12", "server"), null);
            listeners.add(InMemoryListenerConfig.createLDAPConfig("ldap", null, 0, ssl.createSSLSocketFactory()));
            listeners.add(InMemoryListenerConfig.createLDAPSConfig("ldaps", ssl.createSSLServerSocketFactory()));
        }
        config.setListenerConfigs(listeners);
        TestDirectory directory = new TestDirectory(config);
        directory.add("dn: " + BASE, "objectClass: domain", "dc: example");
        return directory;
    }

    /** A certificate for a host, signed by nobody else, and the same in PEM beside it. */
    static Path keyStore(Path folder, String host) throws Exception {
        Path store = folder.resolve(host + ".p12");
        keytool(
                "-genkeypair",
                "-alias",
                "server",
                "-keyalg",
                "EC",
                "-dname",
                "CN=" + host,
                "-ext",
                "san=dns:" + host,
                "-validity",
                "2",
                "-keystore",
                store.toString(),
                "-storetype",
                "PKCS12",
                "-storepass",
                "changeit");
        keytool(
                "-exportcert",
                "-rfc",
                "-alias",
                "server",
                "-keystore",
                store.toString(),
                "-storepass",
                "changeit",
                "-file",
                folder.resolve(host + ".pem").toString());
        return store;
    }

    private static void keytool(String... arguments) throws Exception {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "keytool").toString()));
        command.addAll(List.of(arguments));
        Process process = new ProcessBuilder(command).inheritIO().start();
        if (!process.waitFor(60, TimeUnit.SECONDS) || process.exitValue() != 0) {
            throw new IllegalStateException("keytool failed");
        }
    }

    void add(String... ldif) throws Exception {
        server.add(ldif);
    }

    void add(Entry entry) throws LDAPException {
        server.add(entry);
    }

    void user(String uid, String above) throws Exception {
        add(
                "dn: uid=" + uid + "," + above,
                "objectClass: person",
                "objectClass: inetOrgPerson",
                "uid: " + uid,
                "cn: " + uid + " Example",
                "sn: Example",
                "mail: " + uid + "@example.com",
                "userPassword: top-secret-hash");
    }

    Map<String, String> settings(String... more) {
        Map<String, String> settings = new HashMap<>(Map.of(
                "LDAP_SERVER",
                "localhost",
                "LDAP_PORT",
                String.valueOf(server.getListenPort("ldap")),
                "LDAP_BIND_DN",
                "cn=reader",
                "LDAP_BIND_PASSWORD",
                PASSWORD,
                "LDAP_BASE_DN",
                BASE,
                "LDAP_TIMEOUT",
                "10"));
        for (int i = 0; i < more.length; i += 2) {
            settings.put(more[i], more[i + 1]);
        }
        return settings;
    }

    int ldapsPort() {
        return server.getListenPort("ldaps");
    }

    @Override
    public void close() {
        closed.countDown();
        server.shutDown(true);
    }

    private final class Misbehaviour extends InMemoryOperationInterceptor {
        @Override
        public void processSimpleBindRequest(InMemoryInterceptedSimpleBindRequest request) throws LDAPException {
            if (bindRefusal != null) {
                throw new LDAPException(ResultCode.INVALID_CREDENTIALS, bindRefusal);
            }
        }

        @Override
        public void processSearchRequest(InMemoryInterceptedSearchRequest request) throws LDAPException {
            SearchRequest search = request.getRequest().duplicate();
            Control control = search.getControl(SimplePagedResultsControl.PAGED_RESULTS_OID);
            if (control == null) {
                widen(request, search);
                return;
            }
            SimplePagedResultsControl page =
                    new SimplePagedResultsControl(control.getOID(), control.isCritical(), control.getValue());
            if (page.getSize() > largestPage) {
                throw new LDAPException(ResultCode.ADMIN_LIMIT_EXCEEDED, "illegal pagedResults page size");
            }
            if (page.getCookie().getValueLength() > 0) {
                if (cutsSecondPage) {
                    server.closeAllConnections(false);
                }
                request.setProperty("second", true);
                if (hangsOnSecondPage) {
                    awaitClose();
                }
                if (searchFailure != null) {
                    throw new LDAPException(searchFailure, "as the test wants it");
                }
            }
            widen(request, search);
        }

        @Override
        public void processSearchResult(InMemoryInterceptedSearchResult result) {
            if (saysNothingOfThirdPage && result.getProperty("second") != null) {
                LDAPResult said = result.getResult();
                result.setResult(new LDAPResult(
                        said.getMessageID(),
                        said.getResultCode(),
                        said.getDiagnosticMessage(),
                        said.getMatchedDN(),
                        said.getReferralURLs(),
                        new Control[0]));
            }
        }

        private void awaitClose() throws LDAPException {
            try {
                closed.await();
            } catch (InterruptedException e) {
                throw new LDAPException(ResultCode.UNAVAILABLE, "stopping", e);
            }
        }

        /** This server knows no ranges: it is asked for all, and the answer is cut. */
        private void widen(InMemoryInterceptedSearchRequest request, SearchRequest search) {
            String[] attributes = search.getAttributes();
            for (int i = 0; i < attributes.length; i++) {
                if (RANGE.matcher(attributes[i]).matches()) {
                    request.setProperty("range", attributes[i]);
                    attributes[i] = "member";
                }
            }
            search.setAttributes(attributes);
            request.setRequest(search);
        }

        @Override
        public void processSearchEntry(InMemoryInterceptedSearchEntry entry) {
            Object range = entry.getProperty("range");
            String[] members = entry.getSearchEntry().getAttributeValues("member");
            if (range == null || members == null) {
                return;
            }
            Matcher asked = RANGE.matcher(range.toString());
            if (!asked.matches()) {
                return;
            }
            int from = Integer.parseInt(asked.group(1));
            // Not more than three, whatever was asked: a server has its own limit.
            int to = Math.min(from + 2, members.length - 1);
            Entry cut = entry.getSearchEntry().duplicate();
            cut.removeAttribute("member");
            String[] some = java.util.Arrays.copyOfRange(members, Math.min(from, members.length), to + 1);
            cut.addAttribute("member;range=" + from + "-" + (to == members.length - 1 ? "*" : to), some);
            entry.setSearchEntry(new com.unboundid.ldap.sdk.SearchResultEntry(cut));
        }
    }
}
