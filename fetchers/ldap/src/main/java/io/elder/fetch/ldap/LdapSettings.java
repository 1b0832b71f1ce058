package io.elder.fetch.ldap;

import com.unboundid.ldap.sdk.DN;
import com.unboundid.ldap.sdk.Filter;
import com.unboundid.ldap.sdk.LDAPException;
import io.elder.runtime.Secret;
import io.elder.runtime.Settings;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * How to reach a directory and what to read there. What is empty is chosen by the kind of server.
 *
 * @param server host name, lower-cased: the account of everything that is read
 * @param bindDn a DN, a user principal name or {@code DOMAIN\\user}; empty binds anonymously
 * @param isEmailVerified whether nobody but administrators writes e-mail addresses
 * @param idAttribute overrides objectGUID, entryUUID and their kin
 */
record LdapSettings(
        String server,
        int port,
        boolean useSsl,
        boolean startTls,
        boolean verifyCert,
        Optional<Path> caFile,
        String bindDn,
        Optional<Secret> bindPassword,
        Optional<String> baseDn,
        Optional<Filter> userFilter,
        Optional<Filter> groupFilter,
        Filter ouFilter,
        Optional<String> userNameAttribute,
        Optional<String> userEmailAttribute,
        boolean isEmailVerified,
        Optional<String> userFullNameAttribute,
        Optional<String> groupNameAttribute,
        Optional<String> groupMemberAttribute,
        Optional<String> idAttribute,
        List<String> extraAttributes,
        int pageSize,
        int memberRange,
        Duration timeout) {

    private static final Pattern ATTRIBUTE = Pattern.compile("[A-Za-z][A-Za-z0-9-]*|\\d+(\\.\\d+)+");

    /**
     * Attributes that hold a password, a key or a hash of one, in the directories that are known to keep them. Matched as
     * a part of the lower-cased name.
     */
    private static final List<String> SECRETS = List.of(
            "password",
            "passwd",
            "unicodepwd",
            "dbcspwd",
            "pwdhistory",
            "admpwd",
            "mslaps",
            "supplementalcredentials",
            "credential",
            "managedpassword",
            "krbprincipalkey",
            "krbmkey",
            "krbextradata",
            "ipanthash",
            "rootpw",
            "privatekey",
            "userpkcs12",
            "secret",
            "trustauth",
            "recoverypassword",
            "oathkey",
            "otpkey",
            "otptoken");

    static LdapSettings from(Settings settings) {
        String text = settings.text("LDAP_SERVER");
        boolean useSsl = settings.yes("LDAP_USE_SSL", false);
        String host = text;
        int port = -1;
        if (text.contains("://")) {
            try {
                URI uri = URI.create(text);
                useSsl = useSsl || "ldaps".equalsIgnoreCase(uri.getScheme());
                host = uri.getHost() == null ? "" : uri.getHost();
                port = uri.getPort();
            } catch (IllegalArgumentException e) {
                host = "";
            }
        }
        // A bracketed IPv6 address stays whole; everything else with a colon is a host and a port.
        if (!text.isEmpty() && (host.isEmpty() || (host.contains(":") && !host.startsWith("[")))) {
            settings.problem(
                    "LDAP_SERVER",
                    text,
                    "a host name or an address; the port belongs into LDAP_PORT or into ldap://host:port");
        }
        boolean startTls = settings.yes("LDAP_START_TLS", false);
        if (useSsl && startTls) {
            settings.problem("LDAP_START_TLS", "true with LDAP_USE_SSL=true", "only one of the two");
        }
        Optional<Path> caFile = settings.find("LDAP_CA_FILE").map(Path::of);
        caFile.filter(file -> !Files.isReadable(file))
                .ifPresent(file -> settings.problem("LDAP_CA_FILE", file.toString(), "a readable PEM file"));
        String bindDn = settings.text("LDAP_BIND_DN", "");
        Optional<Secret> bindPassword = settings.findSecret("LDAP_BIND_PASSWORD");
        if (bindDn.isEmpty() == bindPassword.isPresent()) {
            // RFC 4513 5.1.2: a name with an empty password "succeeds" as anonymous, which nobody means.
            settings.problem(
                    bindDn.isEmpty() ? "LDAP_BIND_DN" : "LDAP_BIND_PASSWORD",
                    "not set",
                    "LDAP_BIND_DN and LDAP_BIND_PASSWORD together, or neither for an anonymous bind");
        }
        Optional<String> baseDn = settings.find("LDAP_BASE_DN");
        baseDn.filter(dn -> !DN.isValidDN(dn))
                .ifPresent(dn -> settings.problem("LDAP_BASE_DN", dn, "a DN such as dc=example,dc=com"));
        return new LdapSettings(
                host.replace("[", "").replace("]", "").toLowerCase(Locale.ROOT),
                settings.whole("LDAP_PORT", port > 0 ? port : useSsl ? 636 : 389, 1, 65535),
                useSsl,
                startTls,
                settings.yes("LDAP_VERIFY_CERT", true),
                caFile,
                bindDn,
                bindPassword,
                baseDn,
                filter(settings, "LDAP_USER_FILTER", "(objectClass=person)"),
                filter(settings, "LDAP_GROUP_FILTER", "(objectClass=group)"),
                filter(settings, "LDAP_OU_FILTER", "")
                        .orElseGet(() -> Filter.createEqualityFilter("objectClass", "organizationalUnit")),
                attribute(settings, "LDAP_USER_NAME_ATTRIBUTE"),
                attribute(settings, "LDAP_USER_EMAIL_ATTRIBUTE"),
                settings.yes("LDAP_USER_EMAIL_VERIFIED", false),
                attribute(settings, "LDAP_USER_FULL_NAME_ATTRIBUTE"),
                attribute(settings, "LDAP_GROUP_NAME_ATTRIBUTE"),
                attribute(settings, "LDAP_GROUP_MEMBER_ATTRIBUTE"),
                attribute(settings, "LDAP_ID_ATTRIBUTE"),
                settings.list("LDAP_EXTRA_ATTRIBUTES", "").stream()
                        .filter(name -> isAllowed(settings, "LDAP_EXTRA_ATTRIBUTES", name))
                        .toList(),
                settings.whole("LDAP_PAGE_SIZE", 500, 1, 100_000),
                settings.whole("LDAP_MEMBER_RANGE", 1500, 1, 100_000),
                settings.duration("LDAP_TIMEOUT", Duration.ofSeconds(30)));
    }

    static boolean isSecret(String attribute) {
        String name = attribute.toLowerCase(Locale.ROOT).replace("-", "");
        return SECRETS.stream().anyMatch(name::contains);
    }

    String url() {
        return (useSsl ? "ldaps://" : "ldap://") + server + ":" + port;
    }

    /**
     * The filter of a setting. The documented default stands for "whatever suits the server", also when it is spelled out:
     * taken literally, (objectClass=group) finds nothing in OpenLDAP and (objectClass=person) finds computers in Active
     * Directory.
     */
    private static Optional<Filter> filter(Settings settings, String name, String documentedDefault) {
        Optional<String> text = settings.find(name);
        try {
            Optional<Filter> filter = Optional.empty();
            if (text.isPresent() && !text.get().equalsIgnoreCase(documentedDefault)) {
                filter = Optional.of(Filter.create(text.get()));
            }
            return filter;
        } catch (LDAPException e) {
            settings.problem(name, text.orElse(""), "an LDAP filter such as (objectClass=person)");
            return Optional.empty();
        }
    }

    private static Optional<String> attribute(Settings settings, String name) {
        return settings.find(name).filter(value -> isAllowed(settings, name, value));
    }

    private static boolean isAllowed(Settings settings, String setting, String attribute) {
        if (!ATTRIBUTE.matcher(attribute).matches()) {
            settings.problem(setting, attribute, "the name of an attribute, such as employeeNumber");
            return false;
        }
        if (isSecret(attribute)) {
            settings.problem(setting, attribute, "an attribute that holds no password or key");
            return false;
        }
        return true;
    }
}
