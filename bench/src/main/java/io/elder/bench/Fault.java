package io.elder.bench;

import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
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

    static final Set<String> KINDS = new TreeSet<>(Set.of("kill", "freeze", "broker", "database", "network"));

    /** All that can be done to these roles on this site. */
    static List<Fault> all(RoleProcesses roles, FaultySite site) {
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
        network(all, "broker", site.toBroker());
        network(all, "database", site.toDatabase());
        network(all, "directory", site.toDirectory());
        return List.copyOf(all);
    }

    private static void network(List<Fault> all, String to, Link link) {
        for (Link.State state : List.of(Link.State.CUT, Link.State.SILENT, Link.State.SLOW)) {
            all.add(new Fault(
                    "network",
                    "network to " + to + " " + state.name().toLowerCase(Locale.ROOT),
                    to.equals("directory") ? List.of() : RoleProcesses.ROLES,
                    true,
                    () -> link.be(state),
                    () -> link.be(Link.State.FINE)));
        }
    }

    /** Whether a run may fail because of it: only one who can't read may. */
    boolean mayFailARun() {
        return name.startsWith("network to directory");
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
