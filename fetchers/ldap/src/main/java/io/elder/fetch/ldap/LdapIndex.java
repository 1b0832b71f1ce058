package io.elder.fetch.ldap;

import com.unboundid.ldap.sdk.DN;
import com.unboundid.ldap.sdk.LDAPException;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;

/** Which id is behind a name: the one thing about a directory that is held in memory, a few hundred bytes per entry. */
final class LdapIndex {
    /** RFC 4517 3.3.21: a uniqueMember may end in a bit string. */
    private static final Pattern UNIQUE_ID = Pattern.compile("#'[01]*'B$");

    private final Map<String, String> ous = new HashMap<>();
    private final Map<String, LdapMember> byDn = new HashMap<>();
    private final Map<String, LdapMember> byUid = new HashMap<>();

    private LdapIndex() {}

    static LdapIndex empty() {
        return new LdapIndex();
    }

    void addOu(String dn, String id) {
        ous.put(LdapEntries.normal(dn), id);
    }

    void addMember(LdapMember member, String[] uids) {
        byDn.put(LdapEntries.normal(member.dn()), member);
        if (uids != null) {
            for (String uid : uids) {
                byUid.putIfAbsent(uid.toLowerCase(Locale.ROOT), member);
            }
        }
    }

    /** The id of the nearest organizational unit that the entry is in, at whatever distance. */
    Optional<String> findOuAbove(String dn) {
        try {
            for (DN above = new DN(dn).getParent(); above != null; above = above.getParent()) {
                String id = ous.get(above.toNormalizedString());
                if (id != null) {
                    return Optional.of(id);
                }
            }
        } catch (LDAPException e) {
            // A name that is not a DN has nothing above it.
        }
        return Optional.empty();
    }

    /** Whom a value of a group's attribute means; somebody without an id if no user or group that we read. */
    LdapMember member(String attribute, String value) {
        if (attribute.equalsIgnoreCase("memberUid")) {
            LdapMember member = byUid.get(value.toLowerCase(Locale.ROOT));
            return member == null ? LdapMember.unknown("uid=" + value) : member;
        }
        String dn = attribute.equalsIgnoreCase("uniqueMember")
                ? UNIQUE_ID.matcher(value).replaceFirst("")
                : value;
        LdapMember member = byDn.get(LdapEntries.normal(dn));
        return member == null ? LdapMember.unknown(dn) : member;
    }
}
