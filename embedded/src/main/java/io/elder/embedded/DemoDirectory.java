package io.elder.embedded;

import com.unboundid.ldap.listener.InMemoryDirectoryServer;
import com.unboundid.ldap.listener.InMemoryDirectoryServerConfig;
import com.unboundid.ldap.listener.InMemoryListenerConfig;
import com.unboundid.ldap.sdk.Attribute;
import com.unboundid.ldap.sdk.Entry;
import com.unboundid.ldap.sdk.LDAPException;
import com.unboundid.ldap.sdk.Modification;
import com.unboundid.ldap.sdk.ModificationType;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.Set;

/**
 * A company's directory in memory, the same at every start, that changes a little each time it is told to: people join,
 * leave, move and change teams. It speaks LDAP on loopback, so the pipeline reads it as it would read any other.
 */
public final class DemoDirectory implements AutoCloseable {
    static final String BASE_DN = "dc=example,dc=com";
    static final String BIND_DN = "cn=reader," + BASE_DN;

    private static final int PEOPLE = 540;
    private static final List<String> FIRST = List.of(
            "Ada", "Amara", "Anton", "Bilal", "Carmen", "Chen", "Dana", "Elif", "Emeka", "Farah", "Georg", "Hana",
            "Ines", "Ivan", "Jonas", "Kaito", "Leila", "Linnea", "Mateo", "Mina", "Nadia", "Noah", "Olga", "Omar",
            "Paula", "Priya", "Quinn", "Rafael", "Sanna", "Tariq", "Uma", "Viktor", "Wen", "Yara", "Zoë", "José");
    private static final List<String> LAST = List.of(
            "Abbas",
            "Andersen",
            "Banda",
            "Becker",
            "Castro",
            "Diaz",
            "Eriksen",
            "Fofana",
            "Garcia",
            "Haddad",
            "Ito",
            "Jansen",
            "Kaya",
            "Kim",
            "Larsen",
            "Mbeki",
            "Müller",
            "Nakamura",
            "Novak",
            "Okafor",
            "Petrov",
            "Quispe",
            "Rossi",
            "Sato",
            "Schmidt",
            "Silva",
            "Tanaka",
            "Ueda",
            "Varga",
            "Wang",
            "Yilmaz",
            "Zhang");
    private static final Map<String, List<String>> DEPARTMENTS = departments();

    private final Random random = new Random(20);
    private final InMemoryDirectoryServer server;
    private final Set<String> people = new LinkedHashSet<>();
    private final Map<String, String> departmentOf = new LinkedHashMap<>();
    private final List<String> teams = new ArrayList<>();
    private int hired;

    /** @param password what {@link #BIND_DN} binds with */
    public DemoDirectory(String password) throws LDAPException {
        InMemoryDirectoryServerConfig config = new InMemoryDirectoryServerConfig(BASE_DN);
        config.setListenerConfigs(
                InMemoryListenerConfig.createLDAPConfig("demo", InetAddress.getLoopbackAddress(), 0, null));
        config.addAdditionalBindCredentials(BIND_DN, password);
        config.setSchema(null);
        config.setGenerateOperationalAttributes(true);
        server = new InMemoryDirectoryServer(config);
        server.add(new Entry(BASE_DN, new Attribute("objectClass", "top", "domain"), new Attribute("dc", "example")));
        fill();
        server.startListening();
    }

    public int port() {
        return server.getListenPort();
    }

    public int people() {
        return people.size();
    }

    /** One thing that happens in a company of this size, told in a few words. */
    public String change() throws LDAPException {
        return switch (random.nextInt(6)) {
            case 0, 1 -> join();
            case 2 -> leave();
            case 3 -> promote();
            default -> changeTeam();
        };
    }

    @Override
    public void close() {
        server.shutDown(true);
    }

    private void fill() throws LDAPException {
        server.add(new Entry("ou=People," + BASE_DN, unit("People")));
        server.add(new Entry("ou=Groups," + BASE_DN, unit("Groups")));
        for (String department : DEPARTMENTS.keySet()) {
            server.add(new Entry("ou=" + department + ",ou=People," + BASE_DN, unit(department)));
        }
        List<String> names = new ArrayList<>(DEPARTMENTS.keySet());
        while (people.size() < PEOPLE) {
            hire(names.get(Math.min(
                    names.size() - 1, (int) (random.nextDouble() * random.nextDouble() * 1.6 * names.size()))));
        }
        for (Map.Entry<String, List<String>> department : DEPARTMENTS.entrySet()) {
            List<String> dns = people.stream()
                    .filter(dn -> departmentOf.get(dn).equals(department.getKey()))
                    .toList();
            List<String> nested = new ArrayList<>();
            for (String team : department.getValue()) {
                List<String> members =
                        dns.stream().filter(dn -> random.nextInt(3) == 0).toList();
                nested.add(group(
                        team, department.getKey() + " team " + team, members.isEmpty() ? dns.subList(0, 1) : members));
            }
            group("all-" + department.getKey().toLowerCase(Locale.ROOT), "Everybody in " + department.getKey(), nested);
        }
        group(
                "vpn-users",
                "Remote access",
                people.stream().filter(dn -> random.nextInt(4) == 0).toList());
        group(
                "staff",
                "The whole company",
                teams.stream().filter(dn -> dn.startsWith("cn=all-")).toList());
    }

    private String hire(String department) throws LDAPException {
        String first = FIRST.get(random.nextInt(FIRST.size()));
        String last = LAST.get(random.nextInt(LAST.size()));
        String uid = (first + "." + last + ++hired)
                .toLowerCase(Locale.ROOT)
                .replace("ë", "e")
                .replace("é", "e")
                .replace("ü", "u");
        String dn = "uid=" + uid + ",ou=" + department + ",ou=People," + BASE_DN;
        server.add(new Entry(
                dn,
                new Attribute("objectClass", "top", "person", "organizationalPerson", "inetOrgPerson"),
                new Attribute("uid", uid),
                new Attribute("cn", first + " " + last),
                new Attribute("sn", last),
                new Attribute("givenName", first),
                new Attribute("displayName", first + " " + last),
                new Attribute("mail", uid + "@example.com"),
                new Attribute("title", "Associate")));
        people.add(dn);
        departmentOf.put(dn, department);
        return dn;
    }

    private String join() throws LDAPException {
        List<String> names = new ArrayList<>(DEPARTMENTS.keySet());
        String dn = hire(names.get(random.nextInt(names.size())));
        server.modify(team(), new Modification(ModificationType.ADD, "member", dn));
        return name(dn) + " joined " + departmentOf.get(dn);
    }

    private String leave() throws LDAPException {
        String dn = person();
        for (String team : teams) {
            Entry entry = server.getEntry(team);
            if (entry.hasAttributeValue("member", dn) && entry.getAttributeValues("member").length > 1) {
                server.modify(team, new Modification(ModificationType.DELETE, "member", dn));
            }
        }
        server.delete(dn);
        people.remove(dn);
        return name(dn) + " left " + departmentOf.remove(dn);
    }

    private String promote() throws LDAPException {
        String dn = person();
        server.modify(
                dn, new Modification(ModificationType.REPLACE, "title", "Senior Associate " + random.nextInt(100)));
        server.modify(dn, new Modification(ModificationType.REPLACE, "displayName", name(dn) + " (Senior)"));
        return name(dn) + " was promoted";
    }

    private String changeTeam() throws LDAPException {
        String dn = person();
        String team = team();
        Entry entry = server.getEntry(team);
        boolean member = entry.hasAttributeValue("member", dn);
        if (member && entry.getAttributeValues("member").length == 1) {
            return promote();
        }
        server.modify(team, new Modification(member ? ModificationType.DELETE : ModificationType.ADD, "member", dn));
        return name(dn) + (member ? " left " : " joined ") + entry.getAttributeValue("cn");
    }

    private String group(String cn, String description, List<String> members) throws LDAPException {
        String dn = "cn=" + cn + ",ou=Groups," + BASE_DN;
        server.add(new Entry(
                dn,
                new Attribute("objectClass", "top", "groupOfNames"),
                new Attribute("cn", cn),
                new Attribute("description", description),
                new Attribute("member", members)));
        teams.add(dn);
        return dn;
    }

    private String person() {
        return people.stream().skip(random.nextInt(people.size())).findFirst().orElseThrow();
    }

    private String team() {
        List<String> plain = teams.stream()
                .filter(dn -> !dn.startsWith("cn=all-") && !dn.startsWith("cn=staff"))
                .toList();
        return plain.get(random.nextInt(plain.size()));
    }

    private static String name(String dn) {
        return dn.substring("uid=".length(), dn.indexOf(','));
    }

    private static Attribute[] unit(String ou) {
        return new Attribute[] {new Attribute("objectClass", "top", "organizationalUnit"), new Attribute("ou", ou)};
    }

    private static Map<String, List<String>> departments() {
        Map<String, List<String>> departments = new LinkedHashMap<>();
        departments.put(
                "Engineering",
                List.of(
                        "backend",
                        "frontend",
                        "mobile",
                        "platform",
                        "data",
                        "sre",
                        "security-eng",
                        "release",
                        "qa",
                        "search"));
        departments.put(
                "Sales", List.of("sales-emea", "sales-amer", "sales-apac", "inside-sales", "sales-ops", "solutions"));
        departments.put(
                "Support", List.of("support-tier1", "support-tier2", "support-tier3", "onboarding", "renewals"));
        departments.put("Operations", List.of("datacenter", "network", "helpdesk", "backup", "facilities"));
        departments.put("Marketing", List.of("brand", "events", "web", "content", "analytics"));
        departments.put("Finance", List.of("payroll", "accounting", "controlling", "treasury"));
        departments.put("Legal", List.of("contracts", "privacy", "compliance"));
        departments.put("People", List.of("recruiting", "learning", "people-ops"));
        departments.put("Product", List.of("product-core", "product-growth", "design", "research"));
        departments.put("Executive", List.of("board", "strategy"));
        departments.put("Labs", List.of("prototypes", "ml", "quantum", "robotics"));
        return departments;
    }
}
