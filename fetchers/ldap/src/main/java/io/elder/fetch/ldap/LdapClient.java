package io.elder.fetch.ldap;

import com.unboundid.asn1.ASN1OctetString;
import com.unboundid.ldap.sdk.Attribute;
import com.unboundid.ldap.sdk.BindResult;
import com.unboundid.ldap.sdk.ExtendedResult;
import com.unboundid.ldap.sdk.Filter;
import com.unboundid.ldap.sdk.LDAPBindException;
import com.unboundid.ldap.sdk.LDAPConnection;
import com.unboundid.ldap.sdk.LDAPConnectionOptions;
import com.unboundid.ldap.sdk.LDAPException;
import com.unboundid.ldap.sdk.LDAPSearchException;
import com.unboundid.ldap.sdk.ResultCode;
import com.unboundid.ldap.sdk.RootDSE;
import com.unboundid.ldap.sdk.SearchRequest;
import com.unboundid.ldap.sdk.SearchResult;
import com.unboundid.ldap.sdk.SearchResultEntry;
import com.unboundid.ldap.sdk.SearchScope;
import com.unboundid.ldap.sdk.SimpleBindRequest;
import com.unboundid.ldap.sdk.controls.SimplePagedResultsControl;
import com.unboundid.ldap.sdk.extensions.StartTLSExtendedRequest;
import com.unboundid.ldap.sdk.unboundidds.controls.PasswordPolicyRequestControl;
import com.unboundid.ldap.sdk.unboundidds.controls.PasswordPolicyResponseControl;
import com.unboundid.util.ssl.HostNameSSLSocketVerifier;
import com.unboundid.util.ssl.SSLSocketVerifier;
import com.unboundid.util.ssl.TrustAllTrustManager;
import io.elder.fetch.ReadFailure;
import io.elder.fetch.StopReason;
import io.elder.runtime.Secret;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;

/**
 * One authenticated connection to a directory, and the two ways in which directories cut long answers: pages of entries
 * (RFC 2696) and ranges of values (MS-ADTS 3.1.1.3.1.3.3). Either all of it arrives, or an exception. Used by one thread.
 */
final class LdapClient implements AutoCloseable {
    /** LDAP_CAP_ACTIVE_DIRECTORY_OID and its sibling for Lightweight Directory Services, MS-ADTS 3.1.1.3.4.3. */
    private static final Set<String> ACTIVE_DIRECTORY = Set.of("1.2.840.113556.1.4.800", "1.2.840.113556.1.4.1851");

    /** Why Active Directory refused a bind, as in "AcceptSecurityContext error, data 52e, v1db1"; numbers of winerror.h. */
    private static final Pattern INNERMOST = Pattern.compile("[A-Za-z]+Exception\\(([^()]+)\\)");

    /** Such as {@code SearchRequest(baseDN='...', filter='(...)', ...)}. */
    private static final Pattern REQUEST = Pattern.compile("\\b[A-Z][A-Za-z]*(?:Request|Control)\\(");

    private static final int LONGEST_TEXT = 400;

    private static final Pattern SUB_CODE = Pattern.compile("\\bdata ([0-9a-fA-F]{3,8})\\b");

    private static final Pattern RANGE = Pattern.compile("range=(\\d+)-(\\d+|\\*)", Pattern.CASE_INSENSITIVE);

    /** What OpenLDAP, FreeIPA and eDirectory allow at the least is far above. */
    private static final int SMALLEST_PAGE = 5;

    /** A group with a million members still fits; anything longer is not an answer to our questions. */
    private static final int LONGEST_MESSAGE = 512 << 20;

    private final LdapSettings settings;
    private final LDAPConnection connection;
    private final Optional<RootDSE> rootDse;
    private final boolean activeDirectory;
    private final String baseDn;
    private final Map<String, List<LdapMember>> membersByGroup = new HashMap<>();
    private LdapIndex index;
    private int largestPage;
    private long referencesSkipped;

    private LdapClient(LdapSettings settings, LDAPConnection connection) throws LDAPException, ReadFailure {
        this.settings = settings;
        this.connection = connection;
        this.largestPage = settings.pageSize();
        bind();
        rootDse = findRootDse();
        activeDirectory = rootDse.map(dse -> dse.getAttributeValues("supportedCapabilities")).stream()
                .flatMap(Arrays::stream)
                .anyMatch(ACTIVE_DIRECTORY::contains);
        baseDn = readBaseDn();
    }

    static LdapClient open(LdapSettings settings) throws LDAPException, ReadFailure {
        LDAPConnection connection = connect(settings);
        try {
            return new LdapClient(settings, connection);
        } catch (LDAPException | ReadFailure | RuntimeException e) {
            connection.close();
            throw e;
        }
    }

    LdapSettings settings() {
        return settings;
    }

    boolean isActiveDirectory() {
        return activeDirectory;
    }

    /** As the server spells it, so that another spelling in the settings is the same directory. */
    String baseDn() {
        return baseDn;
    }

    Optional<RootDSE> rootDse() {
        return rootDse;
    }

    /** Search references that pointed to other servers. They are never followed: what is there is another directory. */
    long referencesSkipped() {
        return referencesSkipped;
    }

    /** Members that the groups' rows have read already, by the group's id. */
    Map<String, List<LdapMember>> membersByGroup() {
        return membersByGroup;
    }

    Optional<LdapIndex> index() {
        return Optional.ofNullable(index);
    }

    void remember(LdapIndex complete) {
        index = complete;
    }

    /** Who is bound to what, in one line. */
    String identity() {
        String vendor = rootDse.map(dse -> dse.getVendorName() == null ? "" : dse.getVendorName() + " ")
                .orElse("");
        String security = settings.useSsl() ? "LDAPS" : settings.startTls() ? "StartTLS" : "not encrypted";
        return "%s at %s (%s%s, %s), base %s"
                .formatted(
                        who(),
                        settings.url(),
                        vendor,
                        activeDirectory ? "Active Directory" : "LDAP directory",
                        security,
                        baseDn);
    }

    @FunctionalInterface
    interface EachEntry {
        void accept(SearchResultEntry entry) throws Exception;
    }

    /** Every entry at and below the base that matches, page by page; normal return means that the server had no more. */
    void search(Filter filter, int pageSize, List<String> attributes, EachEntry each) throws Exception {
        ASN1OctetString cookie = null;
        Set<String> cookies = new HashSet<>();
        Set<String> firstOfPages = new HashSet<>();
        long seen = 0;
        while (true) {
            int size = Math.min(pageSize, largestPage);
            SearchRequest request =
                    new SearchRequest(baseDn, SearchScope.SUB, filter, attributes.toArray(String[]::new));
            request.addControl(new SimplePagedResultsControl(size, cookie, true));
            SearchResult page;
            try {
                page = connection.search(request);
            } catch (LDAPSearchException e) {
                if (cookie == null && size > SMALLEST_PAGE && refusesPageSize(e)) {
                    largestPage = Math.max(SMALLEST_PAGE, size / 2);
                    continue;
                }
                throw cut(filter, seen + e.getEntryCount(), e);
            }
            referencesSkipped += page.getReferenceCount();
            for (SearchResultEntry entry : page.getSearchEntries()) {
                each.accept(entry);
            }
            seen += page.getEntryCount();
            SimplePagedResultsControl answer = SimplePagedResultsControl.get(page);
            if (answer == null && cookie != null) {
                throw ReadFailure.stop(
                        StopReason.INCOMPLETE,
                        "search for %s below %s: a page that does not say whether there are more, after %d entries"
                                .formatted(filter, baseDn, seen));
            }
            if (answer == null || !answer.moreResultsToReturn()) {
                return;
            }
            cookie = answer.getCookie();
            // 389 Directory Server answers every page with the same cookie, so the cookie alone proves nothing.
            boolean cookieIsNew = cookies.add(HexFormat.of().formatHex(cookie.getValue()));
            boolean pageIsNew = page.getEntryCount() > 0
                    && firstOfPages.add(page.getSearchEntries().getFirst().getDN());
            if (!cookieIsNew && !pageIsNew) {
                throw ReadFailure.stop(
                        StopReason.REPEATED_CURSOR,
                        "search for %s below %s: the server repeats its paging cookie after %d entries"
                                .formatted(filter, baseDn, seen));
            }
        }
    }

    /** All values of an attribute, also where the server hands them out in ranges. */
    List<String> values(SearchResultEntry entry, String name) throws LDAPException, ReadFailure {
        List<String> values = new ArrayList<>();
        Optional<Attribute> part = findPart(entry, name);
        while (part.isPresent()) {
            values.addAll(Arrays.asList(part.get().getValues()));
            Matcher range = RANGE.matcher(part.get().getName());
            if (!range.find() || range.group(2).equals("*")) {
                return values;
            }
            long next = Long.parseLong(range.group(2)) + 1;
            String wanted = "%s;range=%d-%d".formatted(name, next, next + settings.memberRange() - 1);
            part = findPart(read(entry.getDN(), wanted), name);
            if (part.stream().noneMatch(found -> found.getName().contains("range=" + next + "-"))) {
                throw ReadFailure.stop(
                        StopReason.INCOMPLETE,
                        "%s of %s: asked for %s, got %s"
                                .formatted(
                                        name,
                                        entry.getDN(),
                                        wanted,
                                        part.map(Attribute::getName).orElse("nothing")));
            }
        }
        return values;
    }

    /** One entry. An entry that is gone is an exception with {@link ResultCode#NO_SUCH_OBJECT}. */
    SearchResultEntry read(String dn, String... attributes) throws LDAPException {
        SearchResult result;
        try {
            result = connection.search(dn, SearchScope.BASE, Filter.createPresenceFilter("objectClass"), attributes);
        } catch (LDAPException e) {
            throw readable("reading " + dn, e);
        }
        if (result.getEntryCount() != 1) {
            throw new LDAPException(ResultCode.NO_SUCH_OBJECT, dn + " is not visible to " + who());
        }
        return result.getSearchEntries().getFirst();
    }

    @Override
    public void close() {
        connection.close();
    }

    /** What the bind's refusal means, or empty if it is not about the account. */
    static Optional<ReadFailure> refusal(LDAPException e, String who) {
        String said = e.getDiagnosticMessage() == null
                ? ""
                : ": " + e.getDiagnosticMessage().replace("\u0000", "");
        return switch (e.getResultCode().intValue()) {
            case ResultCode.INVALID_CREDENTIALS_INT_VALUE -> Optional.of(invalidCredentials(e, who, said));
            case ResultCode.INSUFFICIENT_ACCESS_RIGHTS_INT_VALUE ->
                Optional.of(ReadFailure.stop(StopReason.FORBIDDEN, who + " may not do this" + said, e));
            case ResultCode.INAPPROPRIATE_AUTHENTICATION_INT_VALUE, ResultCode.NO_SUCH_OBJECT_INT_VALUE ->
                Optional.of(
                        ReadFailure.stop(StopReason.BAD_CREDENTIALS, who + " can not bind with a password" + said, e));
            case ResultCode.INVALID_DN_SYNTAX_INT_VALUE ->
                Optional.of(ReadFailure.stop(
                        StopReason.BAD_CONFIGURATION, "LDAP_BIND_DN: " + who + " (expected: a DN)" + said, e));
            case ResultCode.STRONG_AUTH_REQUIRED_INT_VALUE, ResultCode.CONFIDENTIALITY_REQUIRED_INT_VALUE ->
                Optional.of(ReadFailure.stop(
                        StopReason.BAD_CONFIGURATION,
                        "the server takes passwords over TLS only (LDAP_START_TLS=true or LDAP_USE_SSL=true)" + said,
                        e));
            default -> Optional.empty();
        };
    }

    private static ReadFailure invalidCredentials(LDAPException e, String who, String said) {
        Matcher subCode = SUB_CODE.matcher(said);
        String code = subCode.find() ? subCode.group(1).toLowerCase(Locale.ROOT) : "";
        StopReason reason =
                switch (code) {
                    case "530", "531" -> StopReason.FORBIDDEN;
                    case "532", "773" -> StopReason.PASSWORD_EXPIRED;
                    case "533", "701" -> StopReason.ACCOUNT_DISABLED;
                    case "775" -> StopReason.ACCOUNT_LOCKED;
                    default -> StopReason.BAD_CREDENTIALS;
                };
        String meaning =
                switch (code) {
                    case "525" -> "no such user";
                    case "52e" -> "wrong password";
                    case "530" -> "not permitted to log on at this time";
                    case "531" -> "not permitted to log on from this machine";
                    case "532" -> "the password has expired";
                    case "533" -> "the account is disabled";
                    case "701" -> "the account has expired";
                    case "773" -> "the password must be changed first";
                    case "775" -> "the account is locked";
                    default -> "wrong name or password";
                };
        return ReadFailure.stop(reason, "bind as %s refused: %s (49)%s".formatted(who, meaning, said), e);
    }

    private void bind() throws LDAPException, ReadFailure {
        String password = settings.bindPassword().map(Secret::value).orElse("");
        try {
            // Not critical: servers that know no password policy control ignore it.
            BindResult result = connection.bind(
                    new SimpleBindRequest(settings.bindDn(), password, new PasswordPolicyRequestControl(false)));
            refusalByPolicy(PasswordPolicyResponseControl.get(result), null);
        } catch (LDAPBindException e) {
            refusalByPolicy(PasswordPolicyResponseControl.get(e.getBindResult()), e);
            throwRefusal(e);
        } catch (LDAPException e) {
            throwRefusal(e);
        }
    }

    private void throwRefusal(LDAPException e) throws LDAPException, ReadFailure {
        Optional<ReadFailure> refusal = refusal(e, who());
        if (refusal.isPresent()) {
            throw refusal.get();
        }
        throw readable("bind as " + who(), e);
    }

    /** OpenLDAP's ppolicy overlay and its like say in a control what error 49 does not. */
    private void refusalByPolicy(PasswordPolicyResponseControl policy, LDAPException cause) throws ReadFailure {
        if (policy == null || policy.getErrorType() == null) {
            return;
        }
        switch (policy.getErrorType()) {
            case ACCOUNT_LOCKED ->
                throw ReadFailure.stop(StopReason.ACCOUNT_LOCKED, who() + " refused: the account is locked", cause);
            case PASSWORD_EXPIRED ->
                throw ReadFailure.stop(
                        StopReason.PASSWORD_EXPIRED, who() + " refused: the password has expired", cause);
            case CHANGE_AFTER_RESET ->
                throw ReadFailure.stop(
                        StopReason.PASSWORD_EXPIRED, who() + " refused: the password must be changed first", cause);
            default -> {
                // The others are about changing a password, which we never do.
            }
        }
    }

    private String who() {
        return settings.bindDn().isEmpty() ? "anonymous" : settings.bindDn();
    }

    private Optional<RootDSE> findRootDse() throws LDAPException {
        try {
            return Optional.ofNullable(connection.getRootDSE());
        } catch (LDAPException e) {
            if (e.getResultCode().isConnectionUsable()) {
                // Some sites hide it. Then the server is taken for a plain LDAP server.
                return Optional.empty();
            }
            throw readable("reading the root DSE", e);
        }
    }

    /** What the SDK itself reports names every detail of the request; what a server says is left as it is. */
    private LDAPException readable(String what, LDAPException e) {
        return e.getResultCode().isClientSideResultCode()
                ? new LDAPException(
                        e.getResultCode(),
                        "%s on %s: %s (%d): %s"
                                .formatted(
                                        what,
                                        settings.url(),
                                        e.getResultCode().getName(),
                                        e.getResultCode().intValue(),
                                        said(e)),
                        e)
                : e;
    }

    /** What was said about a failure, without the requests that the SDK quotes whole. */
    static String said(LDAPException e) {
        String text = e.getDiagnosticMessage() == null ? e.getMessage() : e.getDiagnosticMessage();
        Matcher request = REQUEST.matcher(text);
        while (request.find()) {
            int end = request.end();
            for (int open = 1; end < text.length() && open > 0; end++) {
                open += text.charAt(end) == '(' ? 1 : text.charAt(end) == ')' ? -1 : 0;
            }
            text = text.substring(0, request.start()) + text.substring(end);
            request = REQUEST.matcher(text);
        }
        text = text.replace("\u0000", "").replaceAll("\\s+", " ").strip();
        return text.length() <= LONGEST_TEXT ? text : text.substring(0, LONGEST_TEXT) + "...";
    }

    private String readBaseDn() throws LDAPException, ReadFailure {
        String wanted = settings.baseDn().or(this::findOnlyNamingContext).orElse(null);
        if (wanted == null) {
            throw ReadFailure.stop(
                    StopReason.BAD_CONFIGURATION,
                    "LDAP_BASE_DN: not set (expected: one of %s)"
                            .formatted(rootDse.map(RootDSE::getNamingContextDNs)
                                    .map(Arrays::asList)
                                    .orElse(List.of())));
        }
        try {
            return read(wanted, SearchRequest.NO_ATTRIBUTES).getDN();
        } catch (LDAPException e) {
            throw missingBase(wanted, e);
        }
    }

    private Optional<String> findOnlyNamingContext() {
        return rootDse.flatMap(dse -> Optional.ofNullable(dse.getAttributeValue("defaultNamingContext"))
                .or(() -> Optional.ofNullable(dse.getNamingContextDNs())
                        .filter(contexts -> contexts.length == 1)
                        .map(contexts -> contexts[0])));
    }

    private LDAPException missingBase(String wanted, LDAPException e) throws LDAPException, ReadFailure {
        String said = e.getDiagnosticMessage() == null ? "" : ": " + e.getDiagnosticMessage();
        switch (e.getResultCode().intValue()) {
            case ResultCode.NO_SUCH_OBJECT_INT_VALUE ->
                throw ReadFailure.stop(
                        StopReason.NOT_FOUND,
                        "base DN %s does not exist on %s, or %s may not see it (32)%s"
                                .formatted(wanted, settings.url(), who(), said),
                        e);
            case ResultCode.REFERRAL_INT_VALUE ->
                throw ReadFailure.stop(
                        StopReason.NOT_FOUND,
                        "base DN %s is not on %s, which refers to %s (10)"
                                .formatted(wanted, settings.url(), Arrays.toString(e.getReferralURLs())),
                        e);
            case ResultCode.INVALID_DN_SYNTAX_INT_VALUE ->
                throw ReadFailure.stop(
                        StopReason.BAD_CONFIGURATION,
                        "LDAP_BASE_DN: %s (expected: a DN such as dc=example,dc=com) (34)%s".formatted(wanted, said),
                        e);
            case ResultCode.OPERATIONS_ERROR_INT_VALUE ->
                // Active Directory to an anonymous user: "a successful bind must be completed on the connection".
                throw ReadFailure.stop(
                        StopReason.FORBIDDEN,
                        "%s may not read base DN %s on %s (1)%s".formatted(who(), wanted, settings.url(), said),
                        e);
            default -> {
                throwRefusal(e);
                return e;
            }
        }
    }

    /** An answer that ended early, with how far it came. What can be tried again stays an {@link LDAPException}. */
    private Exception cut(Filter filter, long seen, LDAPSearchException e) throws LDAPException, ReadFailure {
        String what = "search for %s below %s on %s ended after %d entries with %s (%d)%s"
                .formatted(
                        filter,
                        baseDn,
                        settings.url(),
                        seen,
                        e.getResultCode().getName(),
                        e.getResultCode().intValue(),
                        e.getDiagnosticMessage() == null ? "" : ": " + said(e));
        return switch (e.getResultCode().intValue()) {
            case ResultCode.SIZE_LIMIT_EXCEEDED_INT_VALUE, ResultCode.ADMIN_LIMIT_EXCEEDED_INT_VALUE ->
                ReadFailure.stop(StopReason.SIZE_LIMIT, what, e);
            case ResultCode.TIME_LIMIT_EXCEEDED_INT_VALUE -> ReadFailure.stop(StopReason.TIMEOUT, what, e);
            case ResultCode.NO_SUCH_OBJECT_INT_VALUE, ResultCode.REFERRAL_INT_VALUE -> missingBase(baseDn, e);
            case ResultCode.UNAVAILABLE_CRITICAL_EXTENSION_INT_VALUE ->
                ReadFailure.stop(StopReason.BAD_CONFIGURATION, what + " (expected: a server with paged results)", e);
            case ResultCode.INSUFFICIENT_ACCESS_RIGHTS_INT_VALUE -> ReadFailure.stop(StopReason.FORBIDDEN, what, e);
            default -> new LDAPException(e.getResultCode(), what, e);
        };
    }

    /** OpenLDAP with {@code size.pr=100} says "illegal pagedResults page size" instead of giving 100. */
    private static boolean refusesPageSize(LDAPSearchException e) {
        String said = e.getDiagnosticMessage() == null ? "" : e.getDiagnosticMessage();
        return e.getEntryCount() == 0
                && (e.getResultCode().equals(ResultCode.ADMIN_LIMIT_EXCEEDED)
                        || said.toLowerCase(Locale.ROOT).contains("page size"));
    }

    private static Optional<Attribute> findPart(SearchResultEntry entry, String name) {
        // Active Directory answers "member" with an empty "member" beside "member;range=0-1499".
        List<Attribute> parts = entry.getAttributes().stream()
                .filter(attribute -> attribute.getBaseName().equalsIgnoreCase(name))
                .toList();
        return parts.stream()
                .filter(attribute -> RANGE.matcher(attribute.getName()).find())
                .findFirst()
                .or(() -> parts.stream().findFirst());
    }

    private static LDAPConnection connect(LdapSettings settings) throws LDAPException, ReadFailure {
        LDAPConnectionOptions options = new LDAPConnectionOptions();
        int millis = Math.max(1, Math.toIntExact(Math.min(settings.timeout().toMillis(), Integer.MAX_VALUE)));
        options.setConnectTimeoutMillis(millis);
        options.setResponseTimeoutMillis(millis);
        options.setFollowReferrals(false);
        options.setUseSynchronousMode(true);
        options.setMaxMessageSize(LONGEST_MESSAGE);
        if (settings.verifyCert()) {
            options.setSSLSocketVerifier(new VerifiedHostName());
        }
        SSLContext tls = settings.useSsl() || settings.startTls() ? sslContext(settings) : null;
        LDAPConnection connection =
                settings.useSsl() ? new LDAPConnection(tls.getSocketFactory(), options) : new LDAPConnection(options);
        try {
            connection.connect(settings.server(), settings.port(), millis);
            if (settings.startTls()) {
                ExtendedResult result = connection.processExtendedOperation(new StartTLSExtendedRequest(tls));
                if (!result.getResultCode().equals(ResultCode.SUCCESS)) {
                    throw ReadFailure.stop(
                            StopReason.TLS,
                            "%s refuses StartTLS: %s".formatted(settings.url(), result.getDiagnosticMessage()));
                }
            }
            return connection;
        } catch (LDAPException e) {
            connection.close();
            SSLException failure = findTlsFailure(e);
            if (failure != null) {
                throw ReadFailure.stop(
                        StopReason.TLS, "no TLS with %s: %s".formatted(settings.url(), failure.getMessage()), e);
            }
            throw new LDAPException(e.getResultCode(), "%s: %s".formatted(settings.url(), reason(e)), e);
        } catch (ReadFailure e) {
            connection.close();
            throw e;
        }
    }

    /** The SDK wraps a refused connection three times, each time with the whole text of the one below. */
    private static String reason(LDAPException e) {
        Throwable root = e;
        while (root.getCause() != null && root.getCause().getMessage() != null) {
            root = root.getCause();
        }
        Matcher innermost = INNERMOST.matcher(root.getMessage());
        return innermost.find() ? innermost.group(1) : root.getMessage();
    }

    private static SSLException findTlsFailure(Throwable e) {
        for (Throwable cause = e; cause != null; cause = cause.getCause()) {
            if (cause instanceof SSLException tls) {
                return tls;
            }
        }
        return null;
    }

    private static SSLContext sslContext(LdapSettings settings) throws ReadFailure {
        try {
            TrustManager[] trust = null;
            if (!settings.verifyCert()) {
                trust = new TrustManager[] {new TrustAllTrustManager()};
            } else if (settings.caFile().isPresent()) {
                trust = trusting(settings.caFile().get());
            }
            SSLContext context = SSLContext.getInstance("TLS");
            context.init(null, trust, null);
            return context;
        } catch (GeneralSecurityException | IOException e) {
            throw ReadFailure.stop(
                    StopReason.BAD_CONFIGURATION,
                    "LDAP_CA_FILE: %s (expected: certificates in PEM): %s"
                            .formatted(settings.caFile().orElse(null), e.getMessage()),
                    e);
        }
    }

    private static TrustManager[] trusting(Path caFile) throws GeneralSecurityException, IOException {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, null);
        try (InputStream pem = Files.newInputStream(caFile)) {
            int number = 0;
            for (Certificate certificate :
                    CertificateFactory.getInstance("X.509").generateCertificates(pem)) {
                store.setCertificateEntry("ca" + number++, certificate);
            }
            if (number == 0) {
                throw new IOException("no certificate in the file");
            }
        }
        TrustManagerFactory factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        factory.init(store);
        return factory.getTrustManagers();
    }

    /** The certificate must be for the host that was asked for. */
    private static final class VerifiedHostName extends SSLSocketVerifier {
        private final HostNameSSLSocketVerifier hostName = new HostNameSSLSocketVerifier(true);

        @Override
        public void verifySSLSocket(String host, int port, SSLSocket socket) throws LDAPException {
            try {
                // First, so that an untrusted certificate is reported as that and not as "peer not authenticated".
                socket.startHandshake();
            } catch (IOException e) {
                throw new LDAPException(ResultCode.CONNECT_ERROR, e.getMessage(), e);
            }
            try {
                hostName.verifySSLSocket(host, port, socket);
            } catch (LDAPException e) {
                throw new LDAPException(
                        ResultCode.CONNECT_ERROR, e.getMessage(), new SSLPeerUnverifiedException(e.getMessage()));
            }
        }
    }
}
