package io.elder.sink;

import io.elder.schemas.RunId;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** Where the rows of each run belong, read once per transaction: a person may change it between two. */
final class Homes {
    /**
     * The surroundings of a run's rows.
     *
     * @param organization of the job: for what has none of its own
     * @param organizationKey its source key; null if people made it
     * @param tenant the tenant of the job's organisation, else the default one
     */
    record Home(Integer organization, String organizationKey, Integer tenant) {
        /** Whether the job's organisation is itself a find in that account: its ancestors can't be put under it. */
        boolean isFoundBeside(String key) {
            return organizationKey != null && account(organizationKey).equals(account(key));
        }

        private static String account(String key) {
            int provider = key.indexOf('/');
            int account = provider < 0 ? -1 : key.indexOf('/', provider + 1);
            return account < 0 ? key : key.substring(0, account);
        }
    }

    private static final Home NOWHERE = new Home(null, null, null);

    private final Connection connection;
    private final ElderShape shape;
    private final Optional<Integer> defaultOrganization;
    private final Map<String, Home> homes = new HashMap<>();
    private Home ofDefault;

    Homes(Connection connection, ElderShape shape, InventoryWriter.Rules rules) {
        this.connection = connection;
        this.shape = shape;
        this.defaultOrganization = rules.defaultOrganization();
    }

    Home of(String run) {
        return homes.getOrDefault(run, NOWHERE);
    }

    /** The organisation of {@code DEFAULT_ORGANIZATION_ID}; null if it is not set, or names none of this database. */
    Integer defaultOrganization() throws SQLException {
        if (ofDefault == null) {
            ofDefault = NOWHERE;
            if (defaultOrganization.isPresent()) {
                ofDefault = read(
                                "SELECT id, source_key, tenant_id FROM organizations WHERE id = ?",
                                defaultOrganization.get())
                        .orElse(NOWHERE);
            }
        }
        return ofDefault.organization();
    }

    /** What an operator can do about an organisation that is not to be made. */
    String remedy() {
        return "(expected: CREATE_MISSING_ORGANIZATIONS=true, or DEFAULT_ORGANIZATION_ID"
                + defaultOrganization
                        .map(id -> " of an organisation that exists, not " + id)
                        .orElse("")
                + ")";
    }

    void read(Collection<Change> changes) throws SQLException {
        Set<String> unknown = new HashSet<>();
        changes.forEach(change -> unknown.add(change.record.getRunId()));
        unknown.removeAll(homes.keySet());
        if (unknown.isEmpty()) {
            return;
        }
        defaultOrganization();
        Integer defaultTenant = defaultTenant();
        for (String run : unknown) {
            Home home = ofJob(run).orElse(NOWHERE);
            Integer tenant = home.tenant();
            if (home.organization() == null) {
                tenant = ofDefault.tenant();
            }
            homes.put(
                    run,
                    new Home(home.organization(), home.organizationKey(), tenant == null ? defaultTenant : tenant));
        }
    }

    private Optional<Home> ofJob(String run) throws SQLException {
        Integer job = jobId(run);
        if (job == null) {
            return Optional.empty();
        }
        String config = "j." + shape.jobConfigColumn() + " ->> '_organization_id'";
        return read(
                "SELECT o.id, o.source_key, o.tenant_id FROM discovery_jobs j JOIN organizations o ON o.id ="
                        + " coalesce(j.organization_id, CASE WHEN " + config + " ~ '^[0-9]{1,9}$' THEN (" + config
                        + ")::integer END) WHERE j.id = ?",
                job);
    }

    private Optional<Home> read(String sql, int id) throws SQLException {
        try (PreparedStatement query = connection.prepareStatement(sql)) {
            query.setInt(1, id);
            try (ResultSet row = query.executeQuery()) {
                return row.next()
                        ? Optional.of(new Home(row.getInt(1), row.getString(2), row.getObject(3, Integer.class)))
                        : Optional.empty();
            }
        }
    }

    private static Integer jobId(String run) {
        try {
            return RunId.parse(run).jobId().stream().boxed().findFirst().orElse(null);
        } catch (IllegalArgumentException e) {
            // A run id that is not ours, e.g. of a replay: its rows have no job.
            return null;
        }
    }

    private Integer defaultTenant() throws SQLException {
        try (PreparedStatement query = connection.prepareStatement(
                        "SELECT id FROM tenants WHERE slug IN ('default', 'system') ORDER BY slug LIMIT 1");
                ResultSet row = query.executeQuery()) {
            return row.next() ? (Integer) row.getInt(1) : null;
        }
    }
}
