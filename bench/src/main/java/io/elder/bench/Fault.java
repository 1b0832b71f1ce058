package io.elder.bench;

import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/**
 * Something that goes wrong for a while.
 *
 * @param kind what {@code --kinds} calls it
 * @param name for the report
 * @param victims the roles that must be healthy again when it is over
 * @param lasting whether it lasts until it is healed; else it is over at once
 */
record Fault(String kind, String name, List<String> victims, boolean lasting, Step strike, Step heal) {
    /** Part of a fault. */
    interface Step {
        void take() throws Exception;
    }

    /** One or more links that are in the same state. */
    interface Network {
        void be(Link.State state) throws Exception;
    }

    /** More than a run may take, and less than Kafka lets the time of a record be ahead (an hour). */
    private static final Duration CLOCK_STEP = Duration.ofMinutes(40);

    static final Set<String> KINDS = new TreeSet<>(Set.of(
            "kill",
            "marked",
            "freeze",
            "broker",
            "database",
            "network",
            "provider",
            "slot",
            "disk",
            "rebalance",
            "upgrade",
            "again",
            "clock"));

    /**
     * All that can be done to these roles on this site.
     *
     * @param nextSchemas classes of {@link NextSchemas}; empty if nothing is to be upgraded
     * @param clocks of the roles; empty if they can't be set
     */
    static List<Fault> all(
            RoleProcesses roles,
            FaultySite site,
            FaultMembers members,
            Optional<Path> nextSchemas,
            ToldAgain again,
            Optional<Clocks> clocks) {
        List<Fault> all = new ArrayList<>();
        for (String role : RoleProcesses.ROLES) {
            List<String> victim = List.of(role);
            all.add(new Fault("kill", "kill -9 " + role, victim, false, () -> roles.killAndRestart(role), () -> {}));
            all.add(new Fault(
                    "freeze",
                    "SIGSTOP " + role,
                    victim,
                    true,
                    () -> roles.signal(role, "STOP"),
                    () -> roles.signal(role, "CONT")));
        }
        List<String> everybody = RoleProcesses.ROLES;
        all.add(new Fault("broker", "broker killed", everybody, true, site::killBroker, site::restartBroker));
        all.add(new Fault("database", "database crashed", everybody, true, site::crashDatabase, site::restartDatabase));
        all.add(new Fault(
                "database",
                "database read-only",
                everybody,
                true,
                () -> statement(site, "alter system set default_transaction_read_only = on"),
                () -> statement(
                        site,
                        "set default_transaction_read_only = off",
                        "alter system reset default_transaction_read_only")));
        all.add(locked(site));
        all.add(new Fault(
                "slot",
                "replication slot dropped",
                List.of("cdc"),
                false,
                () -> {
                    members.pause();
                    try {
                        site.dropSlot();
                        site.awaitSlot();
                    } finally {
                        members.goOn();
                    }
                },
                () -> {}));
        site.disk()
                .ifPresent(disk -> all.add(
                        new Fault("disk", "the database's disk full", everybody, true, disk::fill, site::freeDisk)));
        for (String role : List.of("sink", "normalizer", "writeback", "fetcher")) {
            all.add(new Fault(
                    "rebalance",
                    "two more of " + role + " come and go",
                    List.of(role),
                    true,
                    () -> {
                        roles.startAnother(role, role + "-2", site.environment(role));
                        roles.startAnother(role, role + "-3", site.environment(role));
                    },
                    () -> {
                        roles.end(role + "-2");
                        roles.end(role + "-3");
                    }));
        }
        List<String> upgraded = List.of("sink", "normalizer", "writeback", "fetcher", "scheduler");
        for (String role : nextSchemas.isPresent() ? upgraded : List.<String>of()) {
            all.add(new Fault(
                    "upgrade",
                    role + " of the next version of the schemas, and back",
                    List.of(role),
                    true,
                    () -> roles.replace(role, nextSchemas),
                    () -> roles.replace(role, Optional.empty())));
        }
        for (String provider : List.of("ldap", "okta")) {
            again(all, "what a run read of " + provider, () -> again.raw(provider, true));
            again(all, "what a run read of " + provider + ", in no order", () -> again.raw(provider, false));
            again(all, "a run's tasks of " + provider, () -> again.tasks(provider));
        }
        List<String> withClocks = List.of("scheduler", "fetcher", "normalizer", "sink", "cdc");
        for (String role : clocks.isPresent() ? withClocks : List.<String>of()) {
            clock(all, clocks.get(), role, "ahead", CLOCK_STEP);
            clock(all, clocks.get(), role, "behind", CLOCK_STEP.negated());
        }
        network(all, "broker", RoleProcesses.ROLES, site.toBroker()::be);
        network(all, "database", RoleProcesses.ROLES, site::networkToDatabase);
        network(all, "schema registry", List.of(), site.toRegistry()::be);
        network(all, "directory", List.of(), site.toDirectory()::be);
        network(all, "Okta", List.of(), members.toOkta()::be);
        for (int status : List.of(401, 429, 500, 503)) {
            all.add(new Fault(
                    "provider",
                    "Okta answers " + status,
                    List.of(),
                    true,
                    () -> members.okta().door().refuse(status, Integer.MAX_VALUE),
                    () -> members.okta().door().open()));
        }
        all.add(new Fault(
                "provider",
                "Okta's answers to changes lost",
                List.of(),
                true,
                () -> members.okta().door().loseAnswers(Integer.MAX_VALUE),
                () -> members.okta().door().open()));
        for (CrookedFront.Manner manner : CrookedFront.Manner.values()) {
            if (manner != CrookedFront.Manner.STRAIGHT) {
                all.add(new Fault(
                        "provider",
                        "Okta's answers "
                                + manner.name().toLowerCase(Locale.ROOT).replace('_', ' '),
                        List.of(),
                        true,
                        () -> members.front().be(manner),
                        () -> members.front().be(CrookedFront.Manner.STRAIGHT)));
            }
        }
        marked(all, roles, site, members);
        return List.copyOf(all);
    }

    /** Roles that die between two steps, as what they say to others tells which was the last. */
    private static void marked(List<Fault> all, RoleProcesses roles, FaultySite site, FaultMembers members) {
        MarkedPoint.Watched okta = new MarkedPoint.Watched(members.toOkta());
        MarkedPoint.Watched broker = new MarkedPoint.Watched(site.toBroker());
        List<MarkedPoint> points = List.of(
                new MarkedPoint("writeback", "after the call, before its answer", okta, MarkedPoint.answerToChange()),
                new MarkedPoint(
                        "writeback",
                        "as its transaction is committed",
                        broker,
                        MarkedPoint.endOfTransaction("elder-writeback")),
                new MarkedPoint(
                        "writeback",
                        "after the commit in the database",
                        new MarkedPoint.Watched(site.toDatabase("writeback")),
                        MarkedPoint.committed()),
                new MarkedPoint(
                        "sink",
                        "after the commit in the database",
                        new MarkedPoint.Watched(site.toDatabase("sink")),
                        MarkedPoint.committed()),
                new MarkedPoint(
                        "normalizer",
                        "as its transaction is committed",
                        broker,
                        MarkedPoint.endOfTransaction("elder-normalizer")),
                new MarkedPoint(
                        "fetcher", "between last page and seal", okta, MarkedPoint.lastPage(FaultMembers.groups())),
                new MarkedPoint(
                        "cdc",
                        "as its transaction is committed",
                        broker,
                        MarkedPoint.endOfTransaction("connector-producer")));
        for (MarkedPoint point : points) {
            all.add(new Fault(
                    "marked",
                    point.toString(),
                    List.of(point.role()),
                    false,
                    () -> point.killAndRestart(roles),
                    () -> {}));
        }
    }

    private static void again(List<Fault> all, String what, Step strike) {
        all.add(new Fault("again", what + " said again", List.of(), false, strike, () -> {}));
    }

    private static void clock(List<Fault> all, Clocks clocks, String role, String where, Duration off) {
        all.add(new Fault(
                "clock",
                "clock of " + role + " " + CLOCK_STEP.toMinutes() + " min " + where,
                List.of(role),
                true,
                () -> clocks.set(role, off),
                () -> {
                    clocks.set(role, Duration.ZERO);
                    Thread.sleep(Clocks.NOTICED);
                }));
    }

    private static void network(List<Fault> all, String to, List<String> victims, Network link) {
        for (Link.State state : List.of(Link.State.CUT, Link.State.REFUSED, Link.State.SILENT, Link.State.SLOW)) {
            all.add(new Fault(
                    "network",
                    "network to " + to + " " + state.name().toLowerCase(Locale.ROOT),
                    victims,
                    true,
                    () -> link.be(state),
                    () -> link.be(Link.State.FINE)));
        }
    }

    /** Whether a run may fail because of it: who can't read may, and who takes its time for over. */
    boolean mayFailARun() {
        return name.startsWith("network to directory")
                || name.startsWith("clock of scheduler")
                || name.startsWith("clock of fetcher");
    }

    private static Fault locked(FaultySite site) {
        Connection[] holder = new Connection[1];
        return new Fault(
                "database",
                "table locked",
                RoleProcesses.ROLES,
                true,
                () -> {
                    holder[0] = site.connect();
                    holder[0].setAutoCommit(false);
                    try (Statement statement = holder[0].createStatement()) {
                        statement.execute("lock table identities in access exclusive mode");
                    }
                },
                () -> holder[0].close());
    }

    private static void statement(FaultySite site, String... statements) throws SQLException {
        try (Connection connection = site.connect();
                Statement statement = connection.createStatement()) {
            for (String each : statements) {
                statement.execute(each);
            }
            statement.execute("select pg_reload_conf()");
        }
    }
}
