package io.elder.bench;

import com.unboundid.ldap.listener.InMemoryDirectoryServer;
import com.unboundid.ldap.listener.InMemoryDirectoryServerConfig;
import com.unboundid.ldap.listener.InMemoryDirectoryServerSnapshot;
import com.unboundid.ldap.listener.InMemoryListenerConfig;
import com.unboundid.ldap.sdk.Attribute;
import com.unboundid.ldap.sdk.DN;
import com.unboundid.ldap.sdk.Entry;
import com.unboundid.ldap.sdk.LDAPException;
import com.unboundid.ldap.sdk.Modification;
import com.unboundid.ldap.sdk.ModificationType;
import com.unboundid.ldap.sdk.SearchResultEntry;
import com.unboundid.ldap.sdk.SearchScope;
import io.elder.schemas.ElderTable;
import io.elder.schemas.ResourceKey;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.NavigableMap;
import java.util.NavigableSet;
import java.util.Random;
import java.util.TreeMap;
import java.util.TreeSet;

/** A directory of generated units, people, groups and memberships, and what the tables must say of it, column by column. */
final class FaultDirectory implements AutoCloseable {
    static final String BASE = "dc=faults,dc=test";
    static final String READER = "cn=reader," + BASE;
    static final String PASSWORD = "reads-faults";

    /** What a person of the directory logs in with. */
    static final String PERSONS_PASSWORD = Canaries.of("password of a person in the directory");

    static final String HOST = "127.0.0.1";

    private static final String PEOPLE = "ou=people," + BASE;
    private static final String GROUPS = "ou=groups," + BASE;

    /** Three in ten people are here: more than may be deleted at once. */
    private static final String BRANCH = "ou=branch," + PEOPLE;

    private static final String OFFICE = "ou=office," + PEOPLE;
    private static final String PLANT = "ou=plant," + OFFICE;

    private final Random random;
    private final InMemoryDirectoryServer server;
    private final List<String> people = new ArrayList<>();
    private final Map<String, String> unitOf = new HashMap<>();
    private final List<String> groups = new ArrayList<>();
    private final Map<String, NavigableSet<String>> members = new HashMap<>();
    private final List<String> emptyUnits = new ArrayList<>();
    private InMemoryDirectoryServerSnapshot beforeClosing;
    private int named;

    /**
     * The rows of a directory.
     *
     * @param tables per table the live rows by source key, columns as {@link FaultOracle} reads them
     * @param resources how many resources a whole read discovers
     */
    record Expected(Map<ElderTable, NavigableMap<String, String>> tables, long resources) {}

    /** @param records people, groups and their members together; units and nested groups come on top */
    FaultDirectory(int records, long seed) throws LDAPException {
        random = new Random(seed);
        InMemoryDirectoryServerConfig config = new InMemoryDirectoryServerConfig(BASE);
        config.setListenerConfigs(
                InMemoryListenerConfig.createLDAPConfig("faults", InetAddress.getLoopbackAddress(), 0, null));
        config.addAdditionalBindCredentials(READER, PASSWORD);
        config.setSchema(null);
        server = new InMemoryDirectoryServer(config);
        server.add(new Entry(BASE, new Attribute("objectClass", "top", "domain"), new Attribute("dc", "faults")));
        for (String unit : List.of(PEOPLE, GROUPS, BRANCH, OFFICE, PLANT)) {
            unit(unit);
        }
        int persons = Math.max(10, records / 4);
        int teams = Math.max(3, persons / 20);
        int each = Math.max(1, (records - persons - teams) / teams);
        for (int i = 0; i < persons; i++) {
            hire("u" + named++);
        }
        for (int i = 0; i < teams; i++) {
            found("g" + named++, Math.min(each, persons));
        }
        server.startListening();
    }

    int port() {
        return server.getListenPort();
    }

    /** As an afternoon would: every kind of change that a directory knows. */
    void change() throws LDAPException {
        int few = Math.max(1, people.size() / 200);
        for (int i = 0; i < few; i++) {
            String mail = "m" + random.nextInt(1_000_000) + "@faults.test";
            server.modify(person(any(people)), new Modification(ModificationType.REPLACE, "mail", mail));
            server.modify(
                    person(any(people)),
                    new Modification(
                            ModificationType.REPLACE, "loginDisabled", random.nextBoolean() ? "TRUE" : "FALSE"));
            move(any(people));
            String gone = any(people);
            leave(gone);
            if (random.nextBoolean()) {
                // The same name, another person.
                hire(gone);
            }
            String fresh = "u" + named++;
            hire(fresh);
            join(any(groups), person(fresh));
            join(any(groups), person(any(people)));
            part(any(groups));
        }
        rename(any(groups));
        join(any(groups), group(any(groups)));
        dissolve(any(groups));
        found("g" + named++, Math.min(20, people.size()));
        reorganize();
    }

    /** A third of the people is no longer to be seen, nor in any group: what a wrong filter or a lost right looks like. */
    void closeBranch() throws LDAPException {
        beforeClosing = server.createSnapshot();
        server.deleteSubtree(BRANCH);
        for (String group : groups) {
            List<String> left = members.get(group).stream()
                    .filter(member -> !member.endsWith(BRANCH))
                    .toList();
            if (left.size() < members.get(group).size()) {
                server.modify(
                        group(group),
                        new Modification(ModificationType.REPLACE, "member", left.toArray(String[]::new)));
            }
        }
    }

    /** Everything is as it was before {@link #closeBranch}, the same objects. */
    void reopenBranch() throws LDAPException {
        server.restoreSnapshot(beforeClosing);
    }

    /** What the tables must hold once a read of the directory as it is now is visible. */
    Expected expected() throws LDAPException {
        Map<ElderTable, NavigableMap<String, String>> tables = new EnumMap<>(ElderTable.class);
        for (ElderTable table : FaultOracle.TABLES) {
            tables.put(table, new TreeMap<>());
        }
        String directory = key("ldap_directory", BASE);
        Map<String, String> idOfUnit = new HashMap<>();
        List<SearchResultEntry> units = search(BASE, "(objectClass=organizationalUnit)");
        for (SearchResultEntry entry : units) {
            idOfUnit.put(DN.normalize(entry.getDN()), id(entry));
        }
        Map<String, Object> more = new TreeMap<>(Map.of(
                "ldap_dn",
                BASE,
                "ldap_server",
                HOST,
                "provider",
                "ldap",
                "vendor",
                server.getRootDSE().getVendorName()));
        tables.get(ElderTable.ORGANIZATIONS)
                .put(directory, FaultOracle.row("LDAP: " + HOST, "directory", null, true, null, "default", more));
        for (SearchResultEntry entry : units) {
            more = new TreeMap<>(Map.of("ldap_dn", entry.getDN(), "ldap_server", HOST, "provider", "ldap"));
            tables.get(ElderTable.ORGANIZATIONS)
                    .put(
                            key("ldap_ou", id(entry)),
                            FaultOracle.row(
                                    entry.getAttributeValue("ou"),
                                    "organizational_unit",
                                    entry.getAttributeValue("description"),
                                    true,
                                    organization(entry, idOfUnit),
                                    "default",
                                    more));
        }
        Map<String, String> idOfPerson = new HashMap<>();
        Map<String, String> idOfGroup = new HashMap<>();
        long resources = 1L + units.size();
        for (SearchResultEntry entry : search(PEOPLE, "(objectClass=person)")) {
            idOfPerson.put(DN.normalize(entry.getDN()), id(entry));
            person(entry, organization(entry, idOfUnit), tables);
            resources++;
        }
        List<SearchResultEntry> found = search(GROUPS, "(objectClass=groupOfNames)");
        for (SearchResultEntry entry : found) {
            idOfGroup.put(DN.normalize(entry.getDN()), id(entry));
        }
        for (SearchResultEntry entry : found) {
            group(entry, organization(entry, idOfUnit), tables);
            String[] values = entry.getAttributeValues("member");
            for (String value : values) {
                member(entry, value, idOfPerson, idOfGroup, tables);
            }
            resources += 1L + values.length;
        }
        return new Expected(tables, resources);
    }

    @Override
    public void close() {
        server.shutDown(true);
    }

    private static void person(Entry entry, String organization, Map<ElderTable, NavigableMap<String, String>> tables) {
        String key = key("ldap_user", id(entry));
        boolean enabled = !"TRUE".equals(entry.getAttributeValue("loginDisabled"));
        String name = entry.getAttributeValue("cn");
        String mail = entry.getAttributeValue("mail");
        String uid = entry.getAttributeValue("uid");
        tables.get(ElderTable.IDENTITIES)
                .put(
                        key,
                        FaultOracle.row(
                                "ldap:" + uid,
                                "EMPLOYEE",
                                "LDAP",
                                "ldap:" + HOST + ":" + id(entry),
                                mail,
                                name,
                                enabled,
                                organization,
                                "default"));
        Map<String, Object> more = new TreeMap<>();
        more.put("ldap_dn", entry.getDN());
        more.put("cn", name);
        more.put("uid", uid);
        more.put("email", mail);
        more.put("first_name", entry.getAttributeValue("givenName"));
        more.put("last_name", entry.getAttributeValue("sn"));
        more.put("display_name", name);
        more.put("provider", "ldap");
        more.put("ldap_server", HOST);
        tables.get(ElderTable.ENTITIES)
                .put(
                        key + "#entity",
                        FaultOracle.row(
                                name,
                                "user",
                                "ldap_user",
                                id(entry),
                                enabled ? "active" : "inactive",
                                organization,
                                more,
                                List.of("ldap", "user", "identity")));
    }

    private static void group(Entry entry, String organization, Map<ElderTable, NavigableMap<String, String>> tables) {
        String key = key("ldap_group", id(entry));
        String name = entry.getAttributeValue("cn");
        String description = entry.getAttributeValue("description");
        tables.get(ElderTable.IDENTITY_GROUPS)
                .put(key, FaultOracle.row("ldap:" + name, description, entry.getDN(), "ldap", id(entry), false, true));
        Map<String, Object> more = new TreeMap<>();
        more.put("ldap_dn", entry.getDN());
        more.put("cn", name);
        more.put("group_name", name);
        if (description != null) {
            more.put("description", description);
        }
        more.put("member_count", entry.getAttributeValues("member").length);
        more.put("type", "group");
        more.put("provider", "ldap");
        more.put("ldap_server", HOST);
        tables.get(ElderTable.ENTITIES)
                .put(
                        key + "#entity",
                        FaultOracle.row(
                                "Group: " + name,
                                "user",
                                "ldap_group",
                                id(entry),
                                "active",
                                organization,
                                more,
                                List.of("ldap", "group", "identity")));
    }

    private static void member(
            Entry group,
            String value,
            Map<String, String> idOfPerson,
            Map<String, String> idOfGroup,
            Map<ElderTable, NavigableMap<String, String>> tables)
            throws LDAPException {
        String normal = DN.normalize(value);
        String of = key("ldap_group", id(group));
        String person = idOfPerson.get(normal);
        String subgroup = idOfGroup.get(normal);
        if (person != null) {
            tables.get(ElderTable.IDENTITY_GROUP_MEMBERSHIPS)
                    .put(
                            key("ldap_group_member", id(group) + "/" + person),
                            FaultOracle.row(of, key("ldap_user", person), value, null));
        } else if (subgroup != null) {
            tables.get(ElderTable.DEPENDENCIES)
                    .put(
                            key("ldap_group_member", id(group) + "/" + subgroup) + "#dependency",
                            FaultOracle.row(
                                    key("ldap_group", subgroup),
                                    of,
                                    "identity_group",
                                    "identity_group",
                                    "member_of",
                                    Map.of("ldap_dn", value)));
        }
    }

    private static String organization(Entry entry, Map<String, String> idOfUnit) throws LDAPException {
        for (DN above = entry.getParsedDN().getParent(); above != null; above = above.getParent()) {
            String unit = idOfUnit.get(above.toNormalizedString());
            if (unit != null) {
                return key("ldap_ou", unit);
            }
        }
        return key("ldap_directory", BASE);
    }

    private List<SearchResultEntry> search(String base, String filter) throws LDAPException {
        return server.search(base, SearchScope.SUB, filter, "*", "+").getSearchEntries();
    }

    private static String id(Entry entry) {
        return entry.getAttributeValue("entryUUID").toLowerCase(Locale.ROOT);
    }

    private static String key(String kind, String id) {
        return new ResourceKey("ldap", HOST, kind, id).toString();
    }

    private void unit(String dn) throws LDAPException {
        server.add(new Entry(
                dn,
                new Attribute("objectClass", "top", "organizationalUnit"),
                new Attribute("ou", new DN(dn).getRDN().getAttributeValues()[0]),
                new Attribute("description", "Unit of " + dn)));
    }

    /** A unit more, one that gets another name, and one that is closed. */
    private void reorganize() throws LDAPException {
        if (emptyUnits.size() > 1) {
            String renamed = emptyUnits.removeFirst();
            String name = "unit" + named++;
            server.modifyDN(renamed, "ou=" + name, true);
            server.delete(emptyUnits.removeFirst());
            emptyUnits.add("ou=" + name + "," + OFFICE);
        }
        for (int i = 0; i < 2; i++) {
            String fresh = "ou=unit" + named++ + "," + OFFICE;
            unit(fresh);
            emptyUnits.add(fresh);
        }
    }

    private void hire(String uid) throws LDAPException {
        int where = random.nextInt(10);
        unitOf.put(uid, where < 3 ? BRANCH : where < 6 ? OFFICE : where < 8 ? PLANT : PEOPLE);
        server.add(new Entry(
                person(uid),
                new Attribute("objectClass", "top", "person", "inetOrgPerson"),
                new Attribute("uid", uid),
                new Attribute("cn", "Person " + uid),
                new Attribute("givenName", "Person"),
                new Attribute("sn", uid),
                new Attribute("userPassword", PERSONS_PASSWORD),
                new Attribute("mail", uid + "@faults.test")));
        people.add(uid);
    }

    private void move(String uid) throws LDAPException {
        String before = person(uid);
        String from = unitOf.get(uid);
        // Into the branch as often as out of it, else it would run dry.
        String to = from.equals(BRANCH) ? OFFICE : random.nextInt(10) < 4 ? BRANCH : PLANT;
        if (to.equals(from)) {
            return;
        }
        server.modifyDN(before, "uid=" + uid, true, to);
        unitOf.put(uid, to);
        replaceMember(before, person(uid));
    }

    private void leave(String uid) throws LDAPException {
        String dn = person(uid);
        server.delete(dn);
        people.remove(uid);
        replaceMember(dn, null);
    }

    private void found(String cn, int size) throws LDAPException {
        NavigableSet<String> of = new TreeSet<>();
        // Nobody leaves this one, so that no group is ever without a member.
        of.add("cn=nobody," + BASE);
        while (of.size() <= size) {
            of.add(person(any(people)));
        }
        if (!groups.isEmpty()) {
            of.add(group(any(groups)));
        }
        Entry entry = new Entry(
                group(cn),
                new Attribute("objectClass", "top", "groupOfNames"),
                new Attribute("cn", cn),
                new Attribute("member", of));
        if (random.nextBoolean()) {
            entry.addAttribute("description", "All of " + cn);
        }
        server.add(entry);
        groups.add(cn);
        members.put(cn, of);
    }

    private void rename(String cn) throws LDAPException {
        String name = "g" + named++;
        server.modifyDN(group(cn), "cn=" + name, true);
        groups.set(groups.indexOf(cn), name);
        members.put(name, members.remove(cn));
        replaceMember(group(cn), group(name));
    }

    private void dissolve(String cn) throws LDAPException {
        groups.remove(cn);
        server.delete(group(cn));
        members.remove(cn);
        replaceMember(group(cn), null);
    }

    private void join(String group, String member) throws LDAPException {
        if (members.get(group).add(member)) {
            server.modify(group(group), new Modification(ModificationType.ADD, "member", member));
        }
    }

    private void part(String group) throws LDAPException {
        String member = members.get(group).first();
        if (!member.startsWith("cn=nobody") && members.get(group).remove(member)) {
            server.modify(group(group), new Modification(ModificationType.DELETE, "member", member));
        } else {
            String last = members.get(group).last();
            if (!last.startsWith("cn=nobody") && members.get(group).remove(last)) {
                server.modify(group(group), new Modification(ModificationType.DELETE, "member", last));
            }
        }
    }

    /** In every group; nobody in its place if there is no successor. */
    private void replaceMember(String before, String after) throws LDAPException {
        for (String group : groups) {
            if (members.get(group).remove(before)) {
                List<Modification> changes = new ArrayList<>();
                changes.add(new Modification(ModificationType.DELETE, "member", before));
                if (after != null) {
                    members.get(group).add(after);
                    changes.add(new Modification(ModificationType.ADD, "member", after));
                }
                server.modify(group(group), changes);
            }
        }
    }

    private String any(List<String> of) {
        return of.get(random.nextInt(of.size()));
    }

    private String person(String uid) {
        return "uid=" + uid + "," + unitOf.get(uid);
    }

    private static String group(String cn) {
        return "cn=" + cn + "," + GROUPS;
    }
}
