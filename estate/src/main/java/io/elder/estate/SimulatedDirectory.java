package io.elder.estate;

import com.unboundid.ldap.listener.InMemoryDirectoryServer;
import com.unboundid.ldap.listener.InMemoryDirectoryServerConfig;
import com.unboundid.ldap.listener.InMemoryListenerConfig;
import com.unboundid.ldap.listener.interceptor.InMemoryInterceptedSearchRequest;
import com.unboundid.ldap.listener.interceptor.InMemoryOperationInterceptor;
import com.unboundid.ldap.sdk.Attribute;
import com.unboundid.ldap.sdk.Entry;
import com.unboundid.ldap.sdk.LDAPException;
import com.unboundid.ldap.sdk.Modification;
import io.elder.estate.Company.Person;
import io.elder.estate.Company.State;
import io.elder.estate.Company.Team;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;

/** The company's LDAP directory: a unit per department, an entry per person, a group per team. */
public final class SimulatedDirectory implements SimulatedSystem {
    private static final String BASE = "dc=example,dc=com";
    private static final String PEOPLE = "ou=People," + BASE;
    private static final String GROUPS = "ou=Groups," + BASE;
    private static final String READER = "cn=reader," + BASE;

    private final String password = UUID.randomUUID().toString();
    private final Company company;
    private final InMemoryDirectoryServer server;
    private Map<String, Entry> held = new LinkedHashMap<>();
    private State shown;

    public SimulatedDirectory(Company company) {
        this.company = company;
        try {
            InMemoryDirectoryServerConfig config = new InMemoryDirectoryServerConfig(BASE);
            config.setListenerConfigs(
                    InMemoryListenerConfig.createLDAPConfig("estate", InetAddress.getLoopbackAddress(), 0, null));
            config.addAdditionalBindCredentials(READER, password);
            config.setSchema(null);
            config.setGenerateOperationalAttributes(false);
            config.addInMemoryOperationInterceptor(new InMemoryOperationInterceptor() {
                @Override
                public void processSearchRequest(InMemoryInterceptedSearchRequest request) throws LDAPException {
                    follow();
                }
            });
            server = new InMemoryDirectoryServer(config);
            follow();
            server.startListening();
        } catch (LDAPException e) {
            throw new IllegalStateException(e);
        }
    }

    @Override
    public Map<String, String> settings() {
        return Map.of(
                "LDAP_ENABLED",
                "true",
                "LDAP_SERVER",
                "localhost",
                "LDAP_PORT",
                Integer.toString(server.getListenPort()),
                "LDAP_BASE_DN",
                BASE,
                "LDAP_BIND_DN",
                READER,
                "LDAP_BIND_PASSWORD",
                password,
                // The server in memory counts its pages anew for each, so somebody who leaves in between would hide
                // another.
                "LDAP_PAGE_SIZE",
                "10000");
    }

    @Override
    public void close() {
        server.shutDown(true);
    }

    /** Makes the directory what the company is now. */
    private synchronized void follow() throws LDAPException {
        State now = company.now();
        if (now.equals(shown)) {
            return;
        }
        Map<String, Entry> wanted = entries(now);
        for (String dn : held.keySet().stream()
                .filter(dn -> !wanted.containsKey(dn))
                .toList()
                .reversed()) {
            server.delete(dn);
        }
        for (Map.Entry<String, Entry> each : wanted.entrySet()) {
            Entry before = held.get(each.getKey());
            if (before == null) {
                server.add(each.getValue());
                continue;
            }
            List<Modification> changes = Entry.diff(before, each.getValue(), true);
            if (!changes.isEmpty()) {
                server.modify(each.getKey(), changes);
            }
        }
        held = wanted;
        shown = now;
    }

    /** Parents before their children. */
    private static Map<String, Entry> entries(State now) {
        Map<String, Entry> entries = new LinkedHashMap<>();
        add(entries, BASE, attribute("objectClass", "top", "domain"), attribute("dc", "example"));
        unit(entries, PEOPLE, "People");
        unit(entries, GROUPS, "Groups");
        now.people().stream()
                .map(Person::department)
                .distinct()
                .sorted()
                .forEach(department -> unit(entries, unitOf(department), department));
        Map<Integer, String> names = new HashMap<>();
        for (Person person : now.people()) {
            String dn = "uid=" + person.username() + "," + unitOf(person.department());
            names.put(person.number(), dn);
            add(
                    entries,
                    dn,
                    attribute("objectClass", "top", "person", "organizationalPerson", "inetOrgPerson"),
                    attribute("uid", person.username()),
                    attribute("cn", person.fullName()),
                    attribute("sn", person.family()),
                    attribute("givenName", person.given()),
                    attribute("displayName", person.fullName()),
                    attribute("mail", person.email()),
                    attribute("title", person.title()),
                    attribute("employeeNumber", Integer.toString(person.number())));
        }
        for (Team team : now.teams()) {
            List<String> members = new ArrayList<>();
            team.members().forEach(number -> members.add(names.get(number)));
            team.teams().forEach(name -> members.add("cn=" + name + "," + GROUPS));
            add(
                    entries,
                    "cn=" + team.name() + "," + GROUPS,
                    attribute("objectClass", "top", "groupOfNames"),
                    attribute("cn", team.name()),
                    attribute("description", team.description()),
                    new Attribute("member", members));
        }
        return entries;
    }

    private static String unitOf(String department) {
        return "ou=" + department + "," + PEOPLE;
    }

    private static void unit(Map<String, Entry> entries, String dn, String name) {
        add(entries, dn, attribute("objectClass", "top", "organizationalUnit"), attribute("ou", name));
    }

    /** With an id that is the same at every start: else everybody would be somebody else after a restart. */
    private static void add(Map<String, Entry> entries, String dn, Attribute... attributes) {
        Entry entry = new Entry(dn, attributes);
        entry.addAttribute(
                "entryUUID",
                UUID.nameUUIDFromBytes(dn.getBytes(StandardCharsets.UTF_8)).toString());
        entries.put(dn, entry);
    }

    private static Attribute attribute(String name, String... values) {
        return new Attribute(name, values);
    }
}
