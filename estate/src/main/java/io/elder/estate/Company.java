package io.elder.estate;

import java.time.Duration;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Predicate;

/**
 * A company that does not exist, the same at every start, that changes a little each time it is told to: people join and
 * leave, machines come and go. All its systems answer from what {@link #now} says, so one person is the same in all of them.
 */
public final class Company {
    public static final String DOMAIN = "example.com";

    private static final int PEOPLE = 540;
    /** When what was there at the start came to be. */
    private static final Instant FOUNDED = Instant.parse("2024-03-01T09:00:00Z");

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
    private static final List<String> SERVICES =
            List.of("checkout", "search", "billing", "catalog", "accounts", "mail", "metrics", "warehouse");
    private static final List<String> ENVIRONMENTS = List.of("production", "production", "staging", "development");

    /**
     * Somebody who works here.
     *
     * @param number never given twice
     */
    public record Person(
            int number, String given, String family, String department, String title, boolean active, Instant since) {
        /** Unique, in letters that every system takes, e.g. {@code zoe.kim12}. */
        public String username() {
            return (given + "." + family + number)
                    .toLowerCase(Locale.ROOT)
                    .replace("ë", "e")
                    .replace("é", "e")
                    .replace("ü", "u");
        }

        public String email() {
            return username() + "@" + DOMAIN;
        }

        public String fullName() {
            return given + " " + family;
        }
    }

    /**
     * People who are given the same rights.
     *
     * @param members numbers of people
     * @param teams names of the teams within this one
     */
    public record Team(int number, String name, String description, TreeSet<Integer> members, List<String> teams) {}

    /** Where machines run. */
    public enum Place {
        AWS("AWS"),
        GCP("GCP"),
        AZURE("Azure"),
        VCENTER("vCenter"),
        LXD("LXD");

        private final String title;

        Place(String title) {
            this.title = title;
        }

        /** As people write it. */
        @Override
        public String toString() {
            return title;
        }
    }

    /**
     * A virtual machine.
     *
     * @param number never given twice, in no place
     * @param service what it serves; never null
     */
    public record Machine(
            int number,
            Place place,
            String service,
            String environment,
            int cores,
            int gibibytes,
            boolean isRunning,
            Instant since) {
        public String name() {
            return service + "-" + environment.substring(0, 4) + "-" + number;
        }
    }

    /** What runs in the Kubernetes cluster, with one deployment, one service and as many pods as it has replicas. */
    public record Workload(String name, String namespace, String image, int replicas, Instant since) {}

    /**
     * A laptop.
     *
     * @param owner a person's number
     */
    public record Laptop(int number, int owner, String platform, String osVersion, Instant since) {}

    /** The company at one moment. Lists are by number, and never change. */
    public record State(
            List<Person> people,
            List<Team> teams,
            List<Machine> machines,
            List<Workload> workloads,
            List<Laptop> laptops) {
        public List<Machine> machines(Place place) {
            return machines.stream().filter(machine -> machine.place() == place).toList();
        }

        public Person person(int number) {
            return people.stream()
                    .filter(person -> person.number() == number)
                    .findFirst()
                    .orElseThrow();
        }
    }

    private final Random random = new Random(20);
    private final TreeMap<Integer, Person> people = new TreeMap<>();
    private final TreeMap<Integer, Team> teams = new TreeMap<>();
    private final TreeMap<Integer, Machine> machines = new TreeMap<>();
    private final TreeMap<String, Workload> workloads = new TreeMap<>();
    private final TreeMap<Integer, Laptop> laptops = new TreeMap<>();
    private int last;
    private volatile State now;

    public Company() {
        List<String> names = List.copyOf(DEPARTMENTS.keySet());
        for (int i = 0; i < PEOPLE; i++) {
            // More of them in the first departments.
            hire(
                    names.get(Math.min(
                            names.size() - 1, (int) (random.nextDouble() * random.nextDouble() * 1.6 * names.size()))),
                    FOUNDED.plus(Duration.ofHours(i)));
        }
        DEPARTMENTS.forEach((department, of) -> {
            of.forEach(name -> team(
                    name,
                    department + " team " + name,
                    person -> in(person, department) && random.nextInt(3) == 0,
                    List.of()));
            team("all-" + lower(department), "Everybody in " + department, person -> false, of);
        });
        team("vpn-users", "Remote access", person -> random.nextInt(4) == 0, List.of());
        team(
                "staff",
                "The whole company",
                person -> false,
                names.stream().map(name -> "all-" + lower(name)).toList());
        for (Place place : Place.values()) {
            for (int i = 0; i < 24; i++) {
                start(place, FOUNDED.plus(Duration.ofDays(i)));
            }
        }
        for (String service : SERVICES) {
            for (String part : List.of("web", "worker")) {
                Workload workload = new Workload(
                        service + "-" + part,
                        service,
                        "registry.example.com/" + service + "/" + part + ":1." + random.nextInt(20),
                        1 + random.nextInt(4),
                        FOUNDED);
                workloads.put(workload.name(), workload);
            }
        }
        List.copyOf(people.values()).stream().limit(60).forEach(owner -> hand(owner, FOUNDED));
        look();
    }

    public State now() {
        return now;
    }

    /** What the company's machines and workloads serve. */
    public static List<String> services() {
        return SERVICES;
    }

    /** One thing that happens in a company of this size, told in a few words. */
    public synchronized String change(Instant when) {
        String told =
                switch (random.nextInt(10)) {
                    case 0, 1 -> join(when);
                    case 2 -> leave();
                    case 3 -> promote();
                    case 4, 5 -> changeTeam();
                    case 6 -> {
                        Machine machine = start(Place.values()[random.nextInt(Place.values().length)], when);
                        yield machine.name() + " was started in " + machine.place();
                    }
                    case 7 -> {
                        Machine machine = any(List.copyOf(machines.values()));
                        machines.remove(machine.number());
                        yield machine.name() + " is gone from " + machine.place();
                    }
                    case 8 -> {
                        Machine machine = any(List.copyOf(machines.values()));
                        machines.put(
                                machine.number(),
                                new Machine(
                                        machine.number(),
                                        machine.place(),
                                        machine.service(),
                                        machine.environment(),
                                        machine.cores(),
                                        machine.gibibytes(),
                                        !machine.isRunning(),
                                        machine.since()));
                        yield machine.name()
                                + (machine.isRunning() ? " was stopped in " : " runs again in ")
                                + machine.place();
                    }
                    default -> {
                        Workload old = any(List.copyOf(workloads.values()));
                        Workload scaled = new Workload(
                                old.name(), old.namespace(), old.image(), old.replicas() % 5 + 1, old.since());
                        workloads.put(old.name(), scaled);
                        yield old.name() + " was scaled from " + old.replicas() + " to " + scaled.replicas();
                    }
                };
        look();
        return told;
    }

    /** Nearly all machines of a place vanish at once, as if somebody's script had run wild. */
    public synchronized String lose(Place place) {
        List<Machine> of = now.machines(place);
        of.stream().skip(2).forEach(machine -> machines.remove(machine.number()));
        look();
        return (of.size() - Math.min(2, of.size())) + " of " + of.size() + " machines are gone from " + place
                + " at once";
    }

    private void look() {
        now = new State(
                List.copyOf(people.values()),
                teams.values().stream()
                        .map(team -> new Team(
                                team.number(),
                                team.name(),
                                team.description(),
                                new TreeSet<>(team.members()),
                                team.teams()))
                        .toList(),
                List.copyOf(machines.values()),
                List.copyOf(workloads.values()),
                List.copyOf(laptops.values()));
    }

    private Person hire(String department, Instant when) {
        int number = ++last;
        Person person = new Person(number, any(FIRST), any(LAST), department, "Associate", true, when);
        people.put(number, person);
        return person;
    }

    private String join(Instant when) {
        Person person = hire(any(List.copyOf(DEPARTMENTS.keySet())), when);
        plainTeam().members().add(person.number());
        hand(person, when);
        return person.username() + " joined " + person.department();
    }

    private String leave() {
        Person person = any(List.copyOf(people.values()));
        people.remove(person.number());
        laptops.values().removeIf(laptop -> laptop.owner() == person.number());
        teams.values().forEach(team -> team.members().remove(person.number()));
        return person.username() + " left " + person.department();
    }

    private String promote() {
        Person person = any(List.copyOf(people.values()));
        String title = person.title().startsWith("Senior") ? "Principal" : "Senior Associate";
        people.put(
                person.number(),
                new Person(
                        person.number(),
                        person.given(),
                        person.family(),
                        person.department(),
                        title,
                        person.active(),
                        person.since()));
        return person.username() + " was promoted to " + title;
    }

    private String changeTeam() {
        Person person = any(List.copyOf(people.values()));
        Team team = plainTeam();
        boolean joins = team.members().add(person.number());
        if (!joins && team.members().size() > 1) {
            team.members().remove(person.number());
        }
        return person.username() + (joins ? " joined " : " left ") + team.name();
    }

    private void team(String name, String description, Predicate<Person> isMember, List<String> within) {
        TreeSet<Integer> members = new TreeSet<>();
        people.values().stream().filter(isMember).map(Person::number).forEach(members::add);
        if (members.isEmpty() && within.isEmpty()) {
            members.add(people.firstKey());
        }
        int number = ++last;
        teams.put(number, new Team(number, name, description, members, within));
    }

    private Machine start(Place place, Instant when) {
        int number = ++last;
        int cores = 1 << (1 + random.nextInt(4));
        Machine machine = new Machine(number, place, any(SERVICES), any(ENVIRONMENTS), cores, cores * 4, true, when);
        machines.put(number, machine);
        return machine;
    }

    private void hand(Person owner, Instant when) {
        int number = ++last;
        boolean isMac = random.nextBoolean();
        laptops.put(
                number,
                new Laptop(number, owner.number(), isMac ? "darwin" : "ubuntu", isMac ? "15.6.1" : "24.04.3", when));
    }

    private Team plainTeam() {
        return any(
                teams.values().stream().filter(team -> team.teams().isEmpty()).toList());
    }

    private <T> T any(List<T> of) {
        return of.get(random.nextInt(of.size()));
    }

    private static boolean in(Person person, String department) {
        return person.department().equals(department);
    }

    private static String lower(String text) {
        return text.toLowerCase(Locale.ROOT);
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
