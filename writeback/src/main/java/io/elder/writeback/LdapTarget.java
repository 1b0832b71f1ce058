package io.elder.writeback;

import com.unboundid.ldap.sdk.Attribute;
import com.unboundid.ldap.sdk.BindResult;
import com.unboundid.ldap.sdk.ExtendedResult;
import com.unboundid.ldap.sdk.Filter;
import com.unboundid.ldap.sdk.LDAPConnection;
import com.unboundid.ldap.sdk.LDAPConnectionOptions;
import com.unboundid.ldap.sdk.LDAPException;
import com.unboundid.ldap.sdk.Modification;
import com.unboundid.ldap.sdk.ModificationType;
import com.unboundid.ldap.sdk.ResultCode;
import com.unboundid.ldap.sdk.SearchResultEntry;
import com.unboundid.ldap.sdk.SearchScope;
import com.unboundid.ldap.sdk.extensions.StartTLSExtendedRequest;
import com.unboundid.util.ssl.HostNameSSLSocketVerifier;
import com.unboundid.util.ssl.PEMFileTrustManager;
import com.unboundid.util.ssl.SSLUtil;
import com.unboundid.util.ssl.TrustAllTrustManager;
import io.elder.runtime.Redactor;
import io.elder.runtime.Secret;
import io.elder.runtime.Settings;
import java.io.File;
import java.io.IOException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.UUID;

/** Groups of an LDAP directory: MODIFY of the attribute that names its members, RFC 4511 section 4.6. */
final class LdapTarget implements WritebackTarget {
    private static final List<String> ID_ATTRIBUTES = List.of("entryUUID", "nsUniqueId", "GUID");

    private final Settings settings;
    private final double callsPerSecond;

    private LdapTarget(Settings settings, double callsPerSecond) {
        this.settings = settings;
        this.callsPerSecond = callsPerSecond;
    }

    static LdapTarget of(Settings settings) {
        settings.text("LDAP_SERVER");
        return new LdapTarget(settings, Targets.callsPerSecond(settings, "LDAP"));
    }

    @Override
    public void make(Change change) throws CallFailure, IOException, InterruptedException {
        try (LDAPConnection connection = connect()) {
            SearchResultEntry group = entry(connection, "group", change.group());
            SearchResultEntry member = entry(connection, "user", change.member());
            String attribute = memberAttribute(group);
            String value = attribute.equalsIgnoreCase("memberUid") ? member.getAttributeValue("uid") : member.getDN();
            if (value == null) {
                throw new CallFailure(CallFailure.Kind.REFUSED, member.getDN() + " has no uid (expected: one)");
            }
            boolean isAddition = change.operation().equals("add");
            connection.modify(
                    group.getDN(),
                    new Modification(isAddition ? ModificationType.ADD : ModificationType.DELETE, attribute, value));
        } catch (LDAPException e) {
            if (!isSoAlready(change, e.getResultCode())) {
                throw failure(e);
            }
        } catch (GeneralSecurityException e) {
            throw new IOException("TLS: " + e.getMessage(), e);
        }
    }

    private static boolean isSoAlready(Change change, ResultCode code) {
        return change.operation().equals("add")
                ? code.equals(ResultCode.ATTRIBUTE_OR_VALUE_EXISTS) || code.equals(ResultCode.ENTRY_ALREADY_EXISTS)
                : code.equals(ResultCode.NO_SUCH_ATTRIBUTE);
    }

    private CallFailure failure(LDAPException e) {
        int code = e.getResultCode().intValue();
        CallFailure.Kind kind =
                switch (code) {
                    case 32 -> CallFailure.Kind.GONE;
                    case 8, 49, 50 -> CallFailure.Kind.UNAUTHORIZED;
                    case 3, 51, 52, 80, 81, 85, 91 -> CallFailure.Kind.BROKEN;
                    // Active Directory says this of removing who is no member.
                    default -> CallFailure.Kind.REFUSED;
                };
        String message = "MODIFY: " + e.getResultCode() + ": " + e.getDiagnosticMessage();
        Redactor redactor = Redactor.of(settings.findSecret("LDAP_BIND_PASSWORD").stream()
                .map(Secret::value)
                .toList());
        return new CallFailure(kind, redactor.redact(message));
    }

    /** By what the sync takes for ids: {@code LDAP_ID_ATTRIBUTE}, else the server's own. */
    private SearchResultEntry entry(LDAPConnection connection, String what, String id)
            throws LDAPException, CallFailure {
        Filter filter = settings.find("LDAP_ID_ATTRIBUTE")
                .map(name -> Filter.createEqualityFilter(name, id))
                .orElseGet(() -> anyId(id));
        List<SearchResultEntry> found = connection
                .search(base(connection), SearchScope.SUB, filter, "objectClass", "uid")
                .getSearchEntries();
        if (found.size() != 1) {
            throw new CallFailure(
                    CallFailure.Kind.GONE, what + " " + id + ": " + found.size() + " entries (expected: one)");
        }
        return found.getFirst();
    }

    private static Filter anyId(String id) {
        List<Filter> any = new java.util.ArrayList<>(ID_ATTRIBUTES.stream()
                .map(name -> Filter.createEqualityFilter(name, id))
                .toList());
        try {
            any.add(Filter.createEqualityFilter("objectGUID", guid(UUID.fromString(id))));
        } catch (IllegalArgumentException unused) {
            // No UUID: none of Active Directory's.
        }
        return Filter.createORFilter(any);
    }

    /** As Active Directory keeps it: the first three fields little-endian. */
    private static byte[] guid(UUID id) {
        byte[] plain = ByteBuffer.allocate(16)
                .putLong(id.getMostSignificantBits())
                .putLong(id.getLeastSignificantBits())
                .array();
        byte[] guid = plain.clone();
        int[] order = {3, 2, 1, 0, 5, 4, 7, 6};
        for (int i = 0; i < order.length; i++) {
            guid[i] = plain[order[i]];
        }
        return guid;
    }

    private String base(LDAPConnection connection) throws LDAPException, CallFailure {
        Optional<String> base = settings.find("LDAP_BASE_DN");
        if (base.isPresent()) {
            return base.get();
        }
        String[] contexts = connection.getRootDSE() == null
                ? new String[0]
                : connection.getRootDSE().getNamingContextDNs();
        if (contexts == null || contexts.length != 1) {
            throw new CallFailure(CallFailure.Kind.REFUSED, "LDAP_BASE_DN: not set (expected: a DN)");
        }
        return contexts[0];
    }

    private String memberAttribute(SearchResultEntry group) {
        return settings.find("LDAP_GROUP_MEMBER_ATTRIBUTE").orElseGet(() -> {
            Attribute classes = group.getObjectClassAttribute();
            if (classes != null && classes.hasValue("groupOfUniqueNames")) {
                return "uniqueMember";
            }
            return classes != null && classes.hasValue("posixGroup") ? "memberUid" : "member";
        });
    }

    private LDAPConnection connect() throws LDAPException, GeneralSecurityException {
        String text = settings.text("LDAP_SERVER");
        URI server = URI.create(text.contains("://") ? text : "ldap://" + text);
        boolean isTls = settings.yes("LDAP_USE_SSL", false) || "ldaps".equalsIgnoreCase(server.getScheme());
        int port = settings.whole("LDAP_PORT", server.getPort() > 0 ? server.getPort() : isTls ? 636 : 389, 1, 65535);
        Duration timeout = settings.duration("LDAP_TIMEOUT", Duration.ofSeconds(30));
        boolean isVerified = settings.yes("LDAP_VERIFY_CERT", true);
        LDAPConnectionOptions options = new LDAPConnectionOptions();
        options.setConnectTimeoutMillis(10_000);
        options.setResponseTimeoutMillis(timeout.toMillis());
        options.setFollowReferrals(false);
        if (isVerified) {
            options.setSSLSocketVerifier(new HostNameSSLSocketVerifier(true));
        }
        SSLUtil ssl = !isVerified
                ? new SSLUtil(new TrustAllTrustManager())
                : settings.find("LDAP_CA_FILE").isPresent()
                        ? new SSLUtil(authority(settings.text("LDAP_CA_FILE")))
                        : new SSLUtil();
        LDAPConnection connection = isTls
                ? new LDAPConnection(ssl.createSSLSocketFactory(), options, server.getHost(), port)
                : new LDAPConnection(options, server.getHost(), port);
        try {
            if (!isTls && settings.yes("LDAP_START_TLS", false)) {
                ExtendedResult started =
                        connection.processExtendedOperation(new StartTLSExtendedRequest(ssl.createSSLSocketFactory()));
                if (!started.getResultCode().equals(ResultCode.SUCCESS)) {
                    throw new LDAPException(started.getResultCode(), "StartTLS was refused");
                }
            }
            String name = settings.text("LDAP_BIND_DN", "");
            if (!name.isEmpty()) {
                Secret password = settings.secret("LDAP_BIND_PASSWORD");
                BindResult bound = connection.bind(name, password.value());
                if (!bound.getResultCode().equals(ResultCode.SUCCESS)) {
                    throw new LDAPException(bound.getResultCode(), "the bind was refused");
                }
            }
            return connection;
        } catch (LDAPException e) {
            connection.close();
            throw e;
        }
    }

    private static PEMFileTrustManager authority(String file) {
        try {
            return new PEMFileTrustManager(new File(file));
        } catch (java.security.KeyStoreException e) {
            throw new IllegalStateException("LDAP_CA_FILE: " + e.getMessage(), e);
        }
    }

    @Override
    public double callsPerSecond() {
        return callsPerSecond;
    }
}
