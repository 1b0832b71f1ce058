package io.elder.console;

import static io.elder.console.Listing.field;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.elder.console.Listing.Condition;
import io.elder.console.Listing.Kind;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Timestamp;
import java.time.Clock;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import javax.sql.DataSource;

/** Discovery jobs and their history in Elder's database, in any of its shapes. What it shows holds no secret. */
final class JobStore {
    /** How Elder's own API keeps what has no column in older databases; kept in step with the column. */
    private static final String ORGANIZATION_IN_CONFIG = "_organization_id";

    private static final String DESCRIPTION_IN_CONFIG = "_description";

    private static final Listing JOBS = new Listing(
            "discovery_jobs",
            List.of(
                    field("id", Kind.NUMBER),
                    field("name", Kind.TEXT),
                    field("provider", Kind.TEXT, "provider", "type"),
                    field("config", Kind.JSON, "config_json", "config"),
                    field("organization_id", Kind.NUMBER),
                    field("schedule_interval", Kind.NUMBER, "schedule_interval", "schedule"),
                    field("enabled", Kind.BOOLEAN, "enabled", "is_active"),
                    field("status", Kind.TEXT),
                    field("last_error", Kind.TEXT),
                    field("credential_type", Kind.TEXT),
                    field("credential_id", Kind.NUMBER),
                    field("credential_mapping", Kind.JSON),
                    field("last_run_at", Kind.TIME),
                    field("next_run_at", Kind.TIME),
                    field("created_at", Kind.TIME),
                    field("updated_at", Kind.TIME)));

    private static final Listing HISTORY = new Listing(
            "discovery_history",
            List.of(
                    field("id", Kind.NUMBER),
                    field("job_id", Kind.NUMBER, "job_id", "discovery_job_id"),
                    field("started_at", Kind.TIME),
                    field("completed_at", Kind.TIME),
                    field("status", Kind.TEXT),
                    field("entities_discovered", Kind.NUMBER, "entities_discovered", "resources_discovered"),
                    field("entities_created", Kind.NUMBER, "entities_created", "resources_created"),
                    field("entities_updated", Kind.NUMBER, "entities_updated", "resources_updated"),
                    field("entities_deleted", Kind.NUMBER, "entities_deleted", "resources_deleted"),
                    field("error_message", Kind.TEXT),
                    field("results_json", Kind.JSON, "results_json", "metadata")));

    private final DataSource database;
    private final Clock clock;

    JobStore(DataSource database, Clock clock) {
        this.database = database;
        this.clock = clock;
    }

    List<ObjectNode> jobs(Optional<String> provider, Optional<Boolean> enabled, Optional<Integer> organization)
            throws SQLException {
        try (Connection connection = database.getConnection()) {
            Columns columns = Columns.read(connection, JOBS.table());
            List<Condition> conditions = new ArrayList<>();
            provider.ifPresent(value -> conditions.add(JOBS.equal(columns, "provider", value)));
            enabled.ifPresent(value -> conditions.add(JOBS.equal(columns, "enabled", value)));
            return JOBS.rows(connection, columns, conditions, "ORDER BY id").stream()
                    .map(JobStore::shown)
                    .filter(job -> organization.isEmpty()
                            || job.path("organization_id").asInt(-1) == organization.get())
                    .toList();
        }
    }

    Optional<ObjectNode> find(int id) throws SQLException {
        try (Connection connection = database.getConnection()) {
            return findStored(connection, id, "").map(JobStore::shown);
        }
    }

    /** A job as it is stored, with its secrets: for a connection test alone. */
    Optional<ObjectNode> findWithSecrets(int id) throws SQLException {
        try (Connection connection = database.getConnection()) {
            return findStored(connection, id, "");
        }
    }

    ObjectNode create(JobDraft draft) throws SQLException {
        return inTransaction(connection -> {
            Columns columns = Columns.read(connection, JOBS.table());
            ObjectNode config = draft.config().orElseThrow().deepCopy();
            Redaction.refuseMarks(config);
            Optional<Integer> organization = draft.organizationId().or(() -> organizationIn(config));
            refuseUnknownOrganization(connection, organization);
            Map<String, Value> values = new LinkedHashMap<>();
            Timestamp now = Timestamp.from(clock.instant());
            put(values, columns, "name", draft.name().orElseThrow());
            put(values, columns, "provider", draft.provider().orElseThrow());
            put(values, columns, "config", withExtras(config, organization, draft.description()));
            put(values, columns, "schedule_interval", draft.scheduleInterval().orElse(3600));
            put(values, columns, "enabled", draft.enabled().orElse(true));
            put(values, columns, "status", "pending");
            organization.ifPresent(value -> put(values, columns, "organization_id", value));
            putCredentials(values, columns, draft, JsonNodeFactory.instance.missingNode());
            put(values, columns, "created_at", now);
            put(values, columns, "updated_at", now);
            String sql = "INSERT INTO discovery_jobs (" + String.join(", ", values.keySet()) + ") VALUES ("
                    + values.values().stream().map(Value::placeholder).collect(Collectors.joining(", "))
                    + ") RETURNING id";
            try (PreparedStatement statement = connection.prepareStatement(sql)) {
                bind(statement, values);
                try (ResultSet rows = statement.executeQuery()) {
                    rows.next();
                    return findStored(connection, rows.getInt(1), "")
                            .map(JobStore::shown)
                            .orElseThrow();
                }
            }
        });
    }

    /** Changes what the draft has and leaves the rest; empty if there is no such job. */
    Optional<ObjectNode> update(int id, JobDraft draft) throws SQLException {
        return inTransaction(connection -> {
            Optional<ObjectNode> found = findStored(connection, id, "FOR UPDATE");
            if (found.isEmpty()) {
                return Optional.empty();
            }
            Columns columns = Columns.read(connection, JOBS.table());
            JsonNode stored = found.get().path("config");
            ObjectNode config = draft.config()
                    .map(sent -> (ObjectNode) Redaction.restore(sent, stored))
                    .orElseGet(() -> stored instanceof ObjectNode object ? object.deepCopy() : newObject());
            for (String kept : List.of(ORGANIZATION_IN_CONFIG, DESCRIPTION_IN_CONFIG)) {
                if (!config.has(kept) && stored.has(kept)) {
                    config.set(kept, stored.get(kept));
                }
            }
            Optional<Integer> sentOrganization =
                    draft.organizationId().or(() -> draft.config().flatMap(JobStore::organizationIn));
            refuseUnknownOrganization(connection, sentOrganization);
            Map<String, Value> values = new LinkedHashMap<>();
            draft.name().ifPresent(value -> put(values, columns, "name", value));
            draft.provider().ifPresent(value -> put(values, columns, "provider", value));
            put(values, columns, "config", withExtras(config, sentOrganization, draft.description()));
            draft.scheduleInterval().ifPresent(value -> put(values, columns, "schedule_interval", value));
            draft.enabled().ifPresent(value -> put(values, columns, "enabled", value));
            sentOrganization.ifPresent(value -> put(values, columns, "organization_id", value));
            putCredentials(values, columns, draft, found.get().path("credential_mapping"));
            put(values, columns, "updated_at", Timestamp.from(clock.instant()));
            change(connection, id, values);
            return findStored(connection, id, "").map(JobStore::shown);
        });
    }

    /** True if there was such a job. Its history goes with it. */
    boolean delete(int id) throws SQLException {
        return inTransaction(connection -> {
            Columns history = Columns.read(connection, HISTORY.table());
            Optional<String> job = HISTORY.column(history, "job_id");
            if (job.isPresent()) {
                runWithId(connection, "DELETE FROM discovery_history WHERE " + job.get() + " = ?", id);
            }
            return runWithId(connection, "DELETE FROM discovery_jobs WHERE id = ?", id) == 1;
        });
    }

    /** Makes a job due now; empty if there is no such job. */
    Optional<Instant> queue(int id) throws SQLException {
        return inTransaction(connection -> {
            Optional<ObjectNode> found = findStored(connection, id, "FOR UPDATE");
            if (found.isEmpty()) {
                return Optional.empty();
            }
            if (!found.get().path("enabled").asBoolean()) {
                throw new Conflict("job " + id + " is disabled (expected: an enabled job; set enabled to true first)");
            }
            String status =
                    Columns.read(connection, JOBS.table()).find("status").isPresent() ? ", status = 'pending'" : "";
            // The database's clock: whoever looks for due jobs compares with it.
            String sql =
                    "UPDATE discovery_jobs SET next_run_at = now()" + status + " WHERE id = ? RETURNING next_run_at";
            try (PreparedStatement statement = connection.prepareStatement(sql)) {
                statement.setInt(1, id);
                try (ResultSet rows = statement.executeQuery()) {
                    rows.next();
                    return Optional.of(rows.getTimestamp(1).toInstant());
                }
            }
        });
    }

    /** Newest first. */
    List<ObjectNode> history(Optional<Integer> job, int limit) throws SQLException {
        try (Connection connection = database.getConnection()) {
            Columns columns = Columns.read(connection, HISTORY.table());
            List<Condition> conditions =
                    job.map(id -> HISTORY.equal(columns, "job_id", id)).stream().toList();
            List<ObjectNode> rows =
                    HISTORY.rows(connection, columns, conditions, "ORDER BY started_at DESC, id DESC LIMIT " + limit);
            rows.forEach(row -> {
                row.set("results_json", Redaction.redact(row.get("results_json")));
                // Only one shape has a column for deletions; elsewhere the sink keeps them with the results.
                if (row.get("entities_deleted").isNull()
                        && row.path("results_json").has("deleted")) {
                    row.set("entities_deleted", row.path("results_json").get("deleted"));
                }
            });
            return rows;
        }
    }

    private static Optional<ObjectNode> findStored(Connection connection, int id, String lock) throws SQLException {
        Columns columns = Columns.read(connection, JOBS.table());
        return JOBS.rows(connection, columns, List.of(Condition.of("id = ?", id)), lock).stream()
                .findFirst();
    }

    private static ObjectNode shown(ObjectNode stored) {
        ObjectNode job = newObject();
        JsonNode config = stored.path("config");
        stored.properties().forEach(field -> job.set(field.getKey(), field.getValue()));
        job.set("config", Redaction.redact(config));
        job.set("config_json", job.get("config"));
        job.set("credential_mapping", Redaction.redact(stored.path("credential_mapping")));
        if (job.get("organization_id").isNull()) {
            organizationIn(config).ifPresent(id -> job.put("organization_id", id));
        }
        job.set("description", config.has(DESCRIPTION_IN_CONFIG) ? config.get(DESCRIPTION_IN_CONFIG) : null);
        return job;
    }

    private static Optional<Integer> organizationIn(JsonNode config) {
        JsonNode id = config.path(ORGANIZATION_IN_CONFIG);
        if (id.isMissingNode() || id.isNull()) {
            return Optional.empty();
        }
        if (id.canConvertToInt() && id.isIntegralNumber()) {
            return Optional.of(id.intValue());
        }
        if (id.isTextual() && id.textValue().matches("\\d{1,9}")) {
            return Optional.of(Integer.valueOf(id.textValue()));
        }
        return Optional.empty();
    }

    private static ObjectNode withExtras(
            ObjectNode config, Optional<Integer> organization, Optional<String> description) {
        organization.ifPresent(id -> config.put(ORGANIZATION_IN_CONFIG, id));
        description.ifPresent(text -> config.put(DESCRIPTION_IN_CONFIG, text));
        return config;
    }

    private static void putCredentials(Map<String, Value> values, Columns columns, JobDraft draft, JsonNode stored) {
        draft.credentialType().ifPresent(value -> put(values, columns, "credential_type", value));
        draft.credentialId().ifPresent(value -> put(values, columns, "credential_id", value));
        draft.credentialMapping()
                .ifPresent(value -> put(values, columns, "credential_mapping", Redaction.restore(value, stored)));
    }

    private static void refuseUnknownOrganization(Connection connection, Optional<Integer> organization)
            throws SQLException {
        if (organization.isEmpty()) {
            return;
        }
        try (PreparedStatement statement = connection.prepareStatement("SELECT 1 FROM organizations WHERE id = ?")) {
            statement.setInt(1, organization.get());
            try (ResultSet rows = statement.executeQuery()) {
                if (!rows.next()) {
                    throw new BadInput("organization_id: " + organization.get()
                            + " (expected: the id of an organization that exists, or none)");
                }
            }
        }
    }

    /** A value and the SQL that stands for it. */
    private record Value(String placeholder, Object value) {}

    private static void put(Map<String, Value> values, Columns columns, String name, Object value) {
        Optional<String> column = JOBS.column(columns, name);
        if (column.isEmpty()) {
            return;
        }
        // One shape keeps the interval as text.
        Object stored = column.get().equals("schedule") ? value.toString() : value;
        values.put(
                column.get(),
                stored instanceof JsonNode json ? new Value("?::json", json.toString()) : new Value("?", stored));
    }

    private static void change(Connection connection, int id, Map<String, Value> values) throws SQLException {
        String sql = "UPDATE discovery_jobs SET "
                + values.entrySet().stream()
                        .map(entry -> entry.getKey() + " = " + entry.getValue().placeholder())
                        .collect(Collectors.joining(", "))
                + " WHERE id = ?";
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            int next = bind(statement, values);
            statement.setInt(next, id);
            statement.executeUpdate();
        }
    }

    private static int bind(PreparedStatement statement, Map<String, Value> values) throws SQLException {
        int index = 1;
        for (Value value : values.values()) {
            statement.setObject(index++, value.value());
        }
        return index;
    }

    private static int runWithId(Connection connection, String sql, int id) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            statement.setInt(1, id);
            return statement.executeUpdate();
        }
    }

    private interface Work<T> {
        T run(Connection connection) throws SQLException;
    }

    private <T> T inTransaction(Work<T> work) throws SQLException {
        try (Connection connection = database.getConnection()) {
            connection.setAutoCommit(false);
            boolean done = false;
            try {
                T result = work.run(connection);
                connection.commit();
                done = true;
                return result;
            } finally {
                if (!done) {
                    connection.rollback();
                }
                connection.setAutoCommit(true);
            }
        }
    }

    private static ObjectNode newObject() {
        return JsonNodeFactory.instance.objectNode();
    }
}
