package io.elder.fetch.ldap;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.unboundid.ldap.sdk.Filter;
import com.unboundid.ldap.sdk.LDAPException;
import com.unboundid.ldap.sdk.ResultCode;
import com.unboundid.ldap.sdk.RootDSE;
import com.unboundid.ldap.sdk.SearchResultEntry;
import io.elder.fetch.Out;
import io.elder.fetch.Partition;
import io.elder.fetch.Provider;
import io.elder.fetch.ReadFailure;
import io.elder.fetch.Resource;
import io.elder.fetch.StopReason;
import io.elder.fetch.Verdict;
import io.elder.runtime.Settings;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/** OpenLDAP, Active Directory and their kin: organizational units, users, groups and who is in them. */
public final class LdapProvider implements Provider<LdapClient> {
    private static final List<String> COMMON = List.of(
            "objectClass",
            "cn",
            "description",
            "createTimestamp",
            "whenCreated",
            "objectGUID",
            "entryUUID",
            "nsUniqueId",
            "GUID");
    private static final List<String> OF_OUS = List.of("ou", "name", "l", "st", "c", "managedBy");
    private static final List<String> OF_USERS = List.of(
            "uid",
            "sAMAccountName",
            "userPrincipalName",
            "mail",
            "givenName",
            "sn",
            "displayName",
            "title",
            "department",
            "company",
            "o",
            "manager",
            "telephoneNumber",
            "mobile",
            "employeeID",
            "employeeNumber",
            "employeeType",
            "uidNumber",
            "gidNumber",
            "primaryGroupID",
            "objectSid",
            "userAccountControl",
            "msDS-UserAccountDisabled",
            "nsAccountLock",
            "loginDisabled",
            "ds-pwp-account-disabled",
            "pwdAccountLockedTime",
            "accountExpires");
    private static final List<String> OF_GROUPS =
            List.of("sAMAccountName", "displayName", "mail", "groupType", "gidNumber", "objectSid", "managedBy");

    /** Whole member lists come with these entries, so fewer at a time. */
    private static final int GROUPS_PER_PAGE = 100;

    @Override
    public String name() {
        return "ldap";
    }

    @Override
    public String title() {
        return "LDAP";
    }

    @Override
    public void readSettings(Settings settings) {
        LdapSettings.from(settings);
    }

    @Override
    public LdapClient connect(Settings settings) throws Exception {
        LdapSettings ldap = LdapSettings.from(settings);
        settings.check();
        return LdapClient.open(ldap);
    }

    @Override
    public Optional<Partition> findOnlyPartition(LdapClient ldap) {
        return Optional.of(new Partition(ldap.settings().server(), ldap.baseDn()));
    }

    @Override
    public List<Resource<LdapClient>> resources() {
        Resource<LdapClient> groups = Resource.root("ldap_group", "id", LdapProvider::fetchGroups);
        return List.of(
                Resource.root("ldap_directory", "id", LdapProvider::fetchDirectory),
                Resource.root("ldap_ou", "id", LdapProvider::fetchOus),
                Resource.root("ldap_user", "id", LdapProvider::fetchUsers),
                groups,
                Resource.child(groups, "ldap_group_member", LdapProvider::memberId, LdapProvider::fetchMembers));
    }

    @Override
    public String identity(LdapClient ldap) {
        return ldap.identity();
    }

    @Override
    public Verdict classify(Throwable failure) {
        return switch (failure) {
            case LDAPException e -> classify(e);
            case IOException unused -> new Verdict.RetryWithBackoff();
            // A value that is not what its attribute promises, such as an objectGUID of 3 bytes.
            case IllegalArgumentException e -> new Verdict.Stop(StopReason.BAD_RESPONSE, e.getMessage());
            default -> new Verdict.Stop(StopReason.UNKNOWN, String.valueOf(failure));
        };
    }

    private static Verdict classify(LDAPException e) {
        // https://www.rfc-editor.org/rfc/rfc4511#appendix-A and, from 81 on, the codes of the client itself.
        return switch (e.getResultCode().intValue()) {
            case ResultCode.NO_SUCH_OBJECT_INT_VALUE -> new Verdict.Gone();
            case ResultCode.BUSY_INT_VALUE,
                    ResultCode.UNAVAILABLE_INT_VALUE,
                    ResultCode.SERVER_DOWN_INT_VALUE,
                    ResultCode.CONNECT_ERROR_INT_VALUE,
                    ResultCode.TIMEOUT_INT_VALUE,
                    // A connection that was cut inside a message.
                    ResultCode.DECODING_ERROR_INT_VALUE,
                    // Domain controllers that start or shut down say "operations error" or "other".
                    ResultCode.OTHER_INT_VALUE -> new Verdict.RetryWithBackoff();
            case ResultCode.SIZE_LIMIT_EXCEEDED_INT_VALUE, ResultCode.ADMIN_LIMIT_EXCEEDED_INT_VALUE ->
                new Verdict.Stop(StopReason.SIZE_LIMIT, text(e));
            case ResultCode.TIME_LIMIT_EXCEEDED_INT_VALUE -> new Verdict.Stop(StopReason.TIMEOUT, text(e));
            case ResultCode.INSUFFICIENT_ACCESS_RIGHTS_INT_VALUE, ResultCode.OPERATIONS_ERROR_INT_VALUE ->
                new Verdict.Stop(StopReason.FORBIDDEN, text(e));
            case ResultCode.PROTOCOL_ERROR_INT_VALUE -> new Verdict.Stop(StopReason.BAD_RESPONSE, text(e));
            default -> new Verdict.Stop(StopReason.UNKNOWN, text(e));
        };
    }

    private static String text(LDAPException e) {
        String code = "(%d)".formatted(e.getResultCode().intValue());
        String said = LdapClient.said(e);
        return said.contains(code) ? said : said + " " + e.getResultCode().getName() + " " + code;
    }

    private static void fetchDirectory(LdapClient ldap, Partition where, Out out) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("dn", where.region()).put("id", where.region());
        json.put("vendor", ldap.rootDse().map(RootDSE::getVendorName).orElse(null));
        json.put(
                "dns_host",
                ldap.rootDse().map(dse -> dse.getAttributeValue("dnsHostName")).orElse(null));
        ArrayNode contexts = json.putArray("naming_contexts");
        ldap.rootDse().map(RootDSE::getNamingContextDNs).stream()
                .flatMap(Arrays::stream)
                .forEach(contexts::add);
        out.accept(from(json, ldap, where));
    }

    private static void fetchOus(LdapClient ldap, Partition where, Out out) throws Exception {
        List<SearchResultEntry> entries = new ArrayList<>();
        ldap.search(
                ldap.settings().ouFilter(),
                ldap.settings().pageSize(),
                requested(ldap, List.of(COMMON, OF_OUS)),
                entries::add);
        LdapIndex ous = LdapIndex.empty();
        for (SearchResultEntry entry : entries) {
            ous.addOu(entry.getDN(), id(ldap, entry));
        }
        for (SearchResultEntry entry : entries) {
            ObjectNode json = json(ldap, where, entry, ous);
            json.set("parent_ou_id", json.get("ou_id"));
            json.put(
                    "name",
                    LdapEntries.findText(entry, List.of("ou", "name", "cn")).orElse(null));
            out.accept(json);
        }
    }

    private static void fetchUsers(LdapClient ldap, Partition where, Out out) throws Exception {
        LdapIndex ous = ous(ldap);
        LdapSettings settings = ldap.settings();
        List<String> username = orDefault(
                settings.userNameAttribute(),
                ldap.isActiveDirectory()
                        ? List.of("sAMAccountName", "userPrincipalName", "cn")
                        : List.of("uid", "sAMAccountName", "cn"));
        List<String> email = orDefault(settings.userEmailAttribute(), List.of("mail"));
        List<String> fullName = orDefault(settings.userFullNameAttribute(), List.of("displayName", "cn"));
        ldap.search(
                userFilter(ldap),
                settings.pageSize(),
                requested(ldap, List.of(COMMON, OF_USERS, username, email, fullName)),
                entry -> {
                    ObjectNode json = json(ldap, where, entry, ous);
                    json.put("username", LdapEntries.findText(entry, username).orElse(null));
                    json.put("email", LdapEntries.findText(entry, email).orElse(null));
                    json.put("email_verified", settings.isEmailVerified());
                    json.put("full_name", LdapEntries.findText(entry, fullName).orElse(null));
                    json.put("enabled", LdapEntries.isEnabled(entry));
                    out.accept(json);
                });
    }

    private static void fetchGroups(LdapClient ldap, Partition where, Out out) throws Exception {
        LdapIndex index = index(ldap);
        List<String> name = orDefault(ldap.settings().groupNameAttribute(), List.of("cn", "sAMAccountName"));
        ldap.membersByGroup().clear();
        ldap.search(
                groupFilter(ldap),
                Math.min(GROUPS_PER_PAGE, ldap.settings().pageSize()),
                requested(ldap, List.of(COMMON, OF_GROUPS, name, memberAttributes(ldap, true))),
                entry -> {
                    ObjectNode json = json(ldap, where, entry, index);
                    List<LdapMember> members = members(ldap, entry, index);
                    // Only the count: a list of 100,000 would be no record of reasonable size, and each is a record
                    // itself.
                    json.put("member_count", members.size());
                    json.put("name", LdapEntries.findText(entry, name).orElse(null));
                    ldap.membersByGroup().put(json.get("id").textValue(), members);
                    out.accept(json);
                });
    }

    private static void fetchMembers(LdapClient ldap, Partition where, JsonNode group, Out out) throws Exception {
        List<LdapMember> members = ldap.membersByGroup().get(group.get("id").textValue());
        if (members == null) {
            // The connection that read the groups is gone, and with it what it knew.
            LdapIndex index = index(ldap);
            SearchResultEntry entry = ldap.read(
                    group.get("dn").textValue(), memberAttributes(ldap, true).toArray(String[]::new));
            members = members(ldap, entry, index);
        }
        for (LdapMember member : members) {
            ObjectNode json = JsonNodeFactory.instance.objectNode();
            json.set("group_id", group.get("id"));
            json.set("group_dn", group.get("dn"));
            json.put("member_dn", member.dn());
            json.put("member_id", member.id());
            json.put("member_kind", member.kind());
            out.accept(from(json, ldap, where));
        }
    }

    private static String memberId(JsonNode membership) {
        String member = membership.path("member_id").isTextual() ? "member_id" : "member_dn";
        return membership.path("group_id").asText() + "/"
                + membership.path(member).asText();
    }

    /** Every member once, however often and in however many attributes the group names it. */
    private static List<LdapMember> members(LdapClient ldap, SearchResultEntry group, LdapIndex index)
            throws LDAPException, ReadFailure {
        Map<String, LdapMember> members = new LinkedHashMap<>();
        for (String attribute : memberAttributes(ldap, false)) {
            for (String value : ldap.values(group, attribute)) {
                // groupOfNames must have a member; an empty DN stands for "nobody" at many sites.
                if (!value.isBlank()) {
                    LdapMember member = index.member(attribute, value);
                    members.putIfAbsent(member.id() == null ? LdapEntries.normal(member.dn()) : member.id(), member);
                }
            }
        }
        return List.copyOf(members.values());
    }

    private static List<String> memberAttributes(LdapClient ldap, boolean asRequested) {
        List<String> names = orDefault(
                ldap.settings().groupMemberAttribute(),
                ldap.isActiveDirectory() ? List.of("member") : List.of("member", "uniqueMember", "memberUid"));
        // In ranges from the first on: the server need not gather a huge group, nor we hold a page of them.
        return asRequested && ldap.isActiveDirectory()
                ? names.stream()
                        .map(name -> name + ";range=0-" + (ldap.settings().memberRange() - 1))
                        .toList()
                : names;
    }

    private static Filter userFilter(LdapClient ldap) {
        return ldap.settings()
                .userFilter()
                // A computer is a user and a person, by class; its category tells it apart.
                .orElseGet(() -> ldap.isActiveDirectory()
                        ? Filter.createANDFilter(equality("objectCategory", "person"), equality("objectClass", "user"))
                        : equality("objectClass", "person"));
    }

    private static Filter groupFilter(LdapClient ldap) {
        return ldap.settings()
                .groupFilter()
                .orElseGet(() -> ldap.isActiveDirectory()
                        ? equality("objectClass", "group")
                        : Filter.createORFilter(Stream.of("group", "groupOfNames", "groupOfUniqueNames", "posixGroup")
                                .map(name -> equality("objectClass", name))
                                .toList()));
    }

    private static Filter equality(String attribute, String value) {
        return Filter.createEqualityFilter(attribute, value);
    }

    private static LdapIndex ous(LdapClient ldap) throws Exception {
        LdapIndex index = LdapIndex.empty();
        ldap.search(
                ldap.settings().ouFilter(),
                ldap.settings().pageSize(),
                idAttributes(ldap),
                entry -> index.addOu(entry.getDN(), id(ldap, entry)));
        return index;
    }

    /** Who is who, read once per connection. */
    private static LdapIndex index(LdapClient ldap) throws Exception {
        Optional<LdapIndex> known = ldap.index();
        if (known.isPresent()) {
            return known.get();
        }
        LdapIndex index = ous(ldap);
        List<String> attributes = new ArrayList<>(idAttributes(ldap));
        if (!ldap.isActiveDirectory()) {
            attributes.add("uid");
        }
        // Groups first: what both filters find is a user.
        for (String kind : List.of("ldap_group", "ldap_user")) {
            ldap.search(
                    kind.equals("ldap_user") ? userFilter(ldap) : groupFilter(ldap),
                    ldap.settings().pageSize(),
                    attributes,
                    entry -> index.addMember(
                            new LdapMember(entry.getDN(), id(ldap, entry), kind),
                            kind.equals("ldap_user") ? entry.getAttributeValues("uid") : null));
        }
        ldap.remember(index);
        return index;
    }

    private static List<String> idAttributes(LdapClient ldap) {
        return ldap.settings().idAttribute().map(List::of).orElse(LdapEntries.ID_ATTRIBUTES);
    }

    private static String id(LdapClient ldap, SearchResultEntry entry) throws ReadFailure {
        return LdapEntries.findId(entry, idAttributes(ldap))
                .orElseThrow(() -> ReadFailure.stop(
                        StopReason.BAD_RESPONSE,
                        "%s has no id that lasts (expected: one of %s; LDAP_ID_ATTRIBUTE may name another)"
                                .formatted(entry.getDN(), idAttributes(ldap))));
    }

    private static ObjectNode json(LdapClient ldap, Partition where, SearchResultEntry entry, LdapIndex ous)
            throws ReadFailure {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("dn", entry.getDN()).put("id", id(ldap, entry));
        json.put("ou_id", ous.findOuAbove(entry.getDN()).orElse(null));
        json.set("attributes", LdapEntries.attributes(entry, memberAttributes(ldap, false)));
        return from(json, ldap, where);
    }

    private static ObjectNode from(ObjectNode json, LdapClient ldap, Partition where) {
        return json.put("server", where.account())
                .put("base_dn", where.region())
                .put("schema", ldap.isActiveDirectory() ? "ad" : "ldap");
    }

    private static List<String> requested(LdapClient ldap, List<List<String>> lists) {
        return Stream.concat(
                        lists.stream().flatMap(List::stream),
                        Stream.concat(idAttributes(ldap).stream(), ldap.settings().extraAttributes().stream()))
                .distinct()
                .toList();
    }

    private static List<String> orDefault(Optional<String> configured, List<String> otherwise) {
        return configured.map(List::of).orElse(otherwise);
    }
}
