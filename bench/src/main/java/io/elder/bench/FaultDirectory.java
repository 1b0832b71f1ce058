package io.elder.bench;

import com.unboundid.ldap.listener.InMemoryDirectoryServer;
import com.unboundid.ldap.listener.InMemoryDirectoryServerConfig;
import com.unboundid.ldap.listener.InMemoryListenerConfig;
import com.unboundid.ldap.sdk.Attribute;
import com.unboundid.ldap.sdk.DN;
import com.unboundid.ldap.sdk.Entry;
import com.unboundid.ldap.sdk.LDAPException;
import com.unboundid.ldap.sdk.Modification;
import com.unboundid.ldap.sdk.ModificationType;
import com.unboundid.ldap.sdk.SearchResultEntry;
import com.unboundid.ldap.sdk.SearchScope;
import io.elder.schemas.ResourceKey;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.NavigableSet;
import java.util.Random;
import java.util.TreeSet;

/** A directory of generated people, groups and memberships, and what the tables must say of it. */
final class FaultDirectory implements AutoCloseable {
    static final String BASE = "dc=faults,dc=test";
    static final String READER = "cn=reader," + BASE;
    static final String PASSWORD = "reads-faults";
    static final String HOST = "127.0.0.1";

    private static final String PEOPLE = "ou=people," + BASE;
    private static final String GROUPS = "ou=groups," + BASE;

    private final Random random;
    private final InMemoryDirectoryServer server;
    private final List<String> people = new ArrayList<>();
    private final List<String> groups = new ArrayList<>();
    private final Map<String, NavigableSet<String>> members = new HashMap<>();
    private int named;

    /** @param records people, groups and memberships together, about */
    FaultDirectory(int records, long seed) throws LDAPException {
        random = new Random(seed);
        InMemoryDirectoryServerConfig config = new InMemoryDirectoryServerConfig(BASE);
        config.setListenerConfigs(
                InMemoryListenerConfig.createLDAPConfig("faults", InetAddress.getLoopbackAddress(), 0, null));
        config.addAdditionalBindCredentials(READER, PASSWORD);
        config.setSchema(null);
        server = new InMemoryDirectoryServer(config);
        server.add(new Entry(BASE, new Attribute("objectClass", "top", "domain"), new Attribute("dc", "faults")));
        for (String unit : List.of("people", "groups")) {
            server.add(new Entry(
                    "ou=" + unit + "," + BASE,
                    new Attribute("objectClass", "top", "organizationalUnit"),
                    new Attribute("ou", unit)));
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
        String renamed = any(groups);
        String name = "g" + named++;
        server.modifyDN(group(renamed), "cn=" + name, true);
        groups.set(groups.indexOf(renamed), name);
        members.put(name, members.remove(renamed));
        for (NavigableSet<String> of : members.values()) {
            if (of.remove(group(renamed))) {
                of.add(group(name));
            }
        }
        for (String parent : groups) {
            replaceMember(parent, group(renamed), group(name));
        }
        join(any(groups), group(any(groups)));
        String dissolved = groups.remove(random.nextInt(groups.size()));
        server.delete(group(dissolved));
        members.remove(dissolved);
        for (String parent : groups) {
            if (members.get(parent).remove(group(dissolved))) {
                server.modify(group(parent), new Modification(ModificationType.DELETE, "member", group(dissolved)));
            }
        }
        found("g" + named++, Math.min(20, people.size()));
    }

    /** The live rows of the tables that stand for this directory, one text per row. */
    Map<String, NavigableSet<String>> expected() throws LDAPException {
        Map<String, NavigableSet<String>> tables = new LinkedHashMap<>();
        for (String table : List.of("identities", "entities", "identity_groups", "memberships", "dependencies")) {
            tables.put(table, new TreeSet<>());
        }
        Map<String, String> keyOfPerson = new HashMap<>();
        Map<String, String> keyOfGroup = new HashMap<>();
        List<SearchResultEntry> found = new ArrayList<>(
                server.search(GROUPS, SearchScope.ONE, "(cn=*)", "*", "+").getSearchEntries());
        for (SearchResultEntry entry :
                server.search(PEOPLE, SearchScope.ONE, "(uid=*)", "*", "+").getSearchEntries()) {
            String key = key(entry, "ldap_user");
            boolean enabled = !"TRUE".equals(entry.getAttributeValue("loginDisabled"));
            String name = entry.getAttributeValue("cn");
            keyOfPerson.put(DN.normalize(entry.getDN()), key);
            tables.get("identities")
                    .add(String.join(
                            "|",
                            key,
                            "ldap:" + entry.getAttributeValue("uid"),
                            entry.getAttributeValue("mail"),
                            name,
                            String.valueOf(enabled)));
            tables.get("entities").add(String.join("|", key + "#entity", name, enabled ? "active" : "inactive"));
        }
        for (SearchResultEntry entry : found) {
            keyOfGroup.put(DN.normalize(entry.getDN()), key(entry, "ldap_group"));
        }
        for (SearchResultEntry entry : found) {
            String key = key(entry, "ldap_group");
            String name = entry.getAttributeValue("cn");
            tables.get("identity_groups").add(String.join("|", key, "ldap:" + name, entry.getDN()));
            tables.get("entities").add(String.join("|", key + "#entity", "Group: " + name, "active"));
            for (String member : entry.getAttributeValues("member")) {
                String normal = DN.normalize(member);
                if (keyOfPerson.containsKey(normal)) {
                    tables.get("memberships").add(key + "|" + keyOfPerson.get(normal));
                } else if (keyOfGroup.containsKey(normal)) {
                    tables.get("dependencies").add(keyOfGroup.get(normal) + "|" + key);
                }
            }
        }
        return tables;
    }

    @Override
    public void close() {
        server.shutDown(true);
    }

    private static String key(SearchResultEntry entry, String kind) {
        return new ResourceKey(
                        "ldap", HOST, kind, entry.getAttributeValue("entryUUID").toLowerCase(Locale.ROOT))
                .toString();
    }

    private void hire(String uid) throws LDAPException {
        server.add(new Entry(
                person(uid),
                new Attribute("objectClass", "top", "person", "inetOrgPerson"),
                new Attribute("uid", uid),
                new Attribute("cn", "Person " + uid),
                new Attribute("sn", uid),
                new Attribute("mail", uid + "@faults.test")));
        people.add(uid);
    }

    private void leave(String uid) throws LDAPException {
        server.delete(person(uid));
        people.remove(uid);
        for (String group : groups) {
            if (members.get(group).remove(person(uid))) {
                server.modify(group(group), new Modification(ModificationType.DELETE, "member", person(uid)));
            }
        }
    }

    private void found(String cn, int size) throws LDAPException {
        NavigableSet<String> of = new TreeSet<>();
        // Nobody leaves this one, so that no group is ever without a member.
        of.add("cn=nobody," + BASE);
        while (of.size() <= size * 9 / 10) {
            of.add(person(any(people)));
        }
        if (!groups.isEmpty()) {
            of.add(group(any(groups)));
        }
        server.add(new Entry(
                group(cn),
                new Attribute("objectClass", "top", "groupOfNames"),
                new Attribute("cn", cn),
                new Attribute("member", of)));
        groups.add(cn);
        members.put(cn, of);
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

    private void replaceMember(String group, String before, String after) throws LDAPException {
        if (server.getEntry(group(group)).hasAttributeValue("member", before)) {
            server.modify(
                    group(group),
                    new Modification(ModificationType.DELETE, "member", before),
                    new Modification(ModificationType.ADD, "member", after));
        }
    }

    private String any(List<String> of) {
        return of.get(random.nextInt(of.size()));
    }

    private static String person(String uid) {
        return "uid=" + uid + "," + PEOPLE;
    }

    private static String group(String cn) {
        return "cn=" + cn + "," + GROUPS;
    }
}
