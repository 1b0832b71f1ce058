package io.elder.fetch.ldap;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.unboundid.ldap.sdk.Attribute;
import com.unboundid.ldap.sdk.DN;
import com.unboundid.ldap.sdk.Entry;
import com.unboundid.ldap.sdk.LDAPException;
import com.unboundid.ldap.sdk.RDN;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.StringJoiner;
import java.util.UUID;

/** Reads entries: ids, flags, and the JSON of them. */
final class LdapEntries {
    /** Where directories keep an id that outlives a rename, the most telling first. */
    static final List<String> ID_ATTRIBUTES = List.of("objectGUID", "entryUUID", "nsUniqueId", "GUID");

    /** ADS_UF_ACCOUNTDISABLE, MS-ADTS 2.2.16. */
    private static final int ACCOUNT_DISABLED = 0x2;

    /** draft-behera-ldap-password-policy 5.3.3: locked until an administrator unlocks it. */
    private static final String LOCKED_FOR_GOOD = "000001010000Z";

    private LdapEntries() {}

    static Optional<String> findId(Entry entry, List<String> attributes) {
        return attributes.stream()
                .filter(entry::hasAttribute)
                .map(name -> id(entry.getAttribute(name)))
                .findFirst();
    }

    private static String id(Attribute attribute) {
        byte[] bytes = attribute.getValueByteArray();
        return switch (attribute.getBaseName().toLowerCase(Locale.ROOT)) {
            case "objectguid" -> guid(bytes);
            case "guid" -> bytes.length == 16 ? bigEndian(bytes).toString() : attribute.getValue();
            default -> attribute.getValue().toLowerCase(Locale.ROOT);
        };
    }

    /** MS-DTYP 2.3.4.2: the first three fields are little-endian. */
    static String guid(byte[] bytes) {
        if (bytes.length != 16) {
            throw new IllegalArgumentException("objectGUID of " + bytes.length + " bytes (expected: 16)");
        }
        ByteBuffer little = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        long most =
                ((long) little.getInt() << 32) | ((little.getShort() & 0xffffL) << 16) | (little.getShort() & 0xffffL);
        return new UUID(most, little.order(ByteOrder.BIG_ENDIAN).getLong()).toString();
    }

    private static UUID bigEndian(byte[] bytes) {
        ByteBuffer big = ByteBuffer.wrap(bytes);
        return new UUID(big.getLong(), big.getLong());
    }

    /** MS-DTYP 2.4.2.2: revision, count, a 48-bit authority in big-endian, sub-authorities in little-endian. */
    static String sid(byte[] bytes) {
        if (bytes.length < 8 || bytes.length != 8 + 4 * (bytes[1] & 0xff)) {
            throw new IllegalArgumentException(
                    "objectSid of " + bytes.length + " bytes (expected: 8 + 4 per sub-authority)");
        }
        ByteBuffer in = ByteBuffer.wrap(bytes);
        StringJoiner text = new StringJoiner("-", "S-", "").add(String.valueOf(in.get() & 0xff));
        in.get();
        text.add(String.valueOf(((in.getShort() & 0xffffL) << 32) | (in.getInt() & 0xffffffffL)));
        in.order(ByteOrder.LITTLE_ENDIAN);
        while (in.hasRemaining()) {
            text.add(String.valueOf(in.getInt() & 0xffffffffL));
        }
        return text.toString();
    }

    /** Whether the account may be used, by whatever flag the directory keeps; temporary lock-outs do not count. */
    static boolean isEnabled(Entry user) {
        Integer control = user.getAttributeValueAsInteger("userAccountControl");
        return !((control != null && (control & ACCOUNT_DISABLED) != 0)
                || isTrue(user, "nsAccountLock")
                || isTrue(user, "loginDisabled")
                || isTrue(user, "ds-pwp-account-disabled")
                || isTrue(user, "msDS-UserAccountDisabled")
                || LOCKED_FOR_GOOD.equals(user.getAttributeValue("pwdAccountLockedTime")));
    }

    private static boolean isTrue(Entry entry, String name) {
        return "true".equalsIgnoreCase(entry.getAttributeValue(name));
    }

    /**
     * The value of the first of these attributes that is there. Of several values the one in the entry's own name wins, else
     * the first in order: servers may return them in any.
     */
    static Optional<String> findText(Entry entry, List<String> names) {
        return names.stream().flatMap(name -> findText(entry, name).stream()).findFirst();
    }

    private static Optional<String> findText(Entry entry, String name) {
        String[] values = entry.getAttributeValues(name);
        if (values == null) {
            return Optional.empty();
        }
        List<String> present =
                Arrays.stream(values).filter(value -> !value.isBlank()).sorted().toList();
        return present.stream()
                .filter(value -> isInName(entry, name, value))
                .findFirst()
                .or(() -> present.stream().findFirst());
    }

    private static boolean isInName(Entry entry, String name, String value) {
        try {
            RDN rdn = entry.getRDN();
            return rdn != null && rdn.hasAttributeValue(name, value);
        } catch (LDAPException e) {
            return false;
        }
    }

    /** A DN in one spelling, whatever its case, blanks and escapes. */
    static String normal(String dn) {
        try {
            return DN.normalize(dn);
        } catch (LDAPException e) {
            return dn.strip().toLowerCase(Locale.ROOT);
        }
    }

    /** {name: [values...]}, names in lower case and without options. No secret gets through, whoever asked for it. */
    static ObjectNode attributes(Entry entry, List<String> without) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        for (Attribute attribute : entry.getAttributes()) {
            String name = attribute.getBaseName().toLowerCase(Locale.ROOT);
            if (LdapSettings.isSecret(name) || without.stream().anyMatch(name::equalsIgnoreCase)) {
                continue;
            }
            ArrayNode values = json.withArray("/" + name);
            for (byte[] value : attribute.getValueByteArrays()) {
                values.add(text(name, value));
            }
        }
        return json;
    }

    private static String text(String name, byte[] value) {
        return switch (name) {
            case "objectguid" -> guid(value);
            case "objectsid" -> sid(value);
            case "guid" -> Base64.getEncoder().encodeToString(value);
            default -> decoded(value);
        };
    }

    private static String decoded(byte[] value) {
        try {
            String text = StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(value))
                    .toString();
            // A NUL is no text, and PostgreSQL would refuse it.
            return text.indexOf('\0') < 0 ? text : Base64.getEncoder().encodeToString(value);
        } catch (CharacterCodingException e) {
            return Base64.getEncoder().encodeToString(value);
        }
    }
}
