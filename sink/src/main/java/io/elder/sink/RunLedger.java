package io.elder.sink;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.elder.schemas.RunId;
import io.elder.schemas.avro.InventoryRecord;
import io.elder.schemas.avro.PlanFailed;
import io.elder.schemas.avro.RunEvent;
import io.elder.schemas.avro.RunFinished;
import io.elder.schemas.avro.RunStarted;
import io.elder.schemas.avro.ScopeMark;
import io.elder.sink.InventoryWriter.Tally;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/**
 * Keeps the book of runs: {@code pipeline.runs} for all, a history row and the job's own columns for runs of a job. A run is
 * closed when it is over and everything that it sealed is visible in the tables.
 */
final class RunLedger {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int ERROR_LENGTH = 4000;

    /** More than a topic has: numbers a mark by its two partitions. */
    private static final int MOST_PARTITIONS = 10_000;

    /** Twice as long as the topic of runs can say again that one began, which would open it again. */
    private static final String KEPT = "180 days";

    private static final String MARKS = "DELETE FROM pipeline.scope_progress WHERE run_id = ANY (%s)";
    private static final String RUNS_AND_MARKS =
            "WITH gone AS (DELETE FROM pipeline.runs WHERE run_id = ANY (%s) RETURNING run_id) "
                    + MARKS.formatted("ARRAY(SELECT run_id FROM gone)");

    private final ElderShape shape;

    RunLedger(ElderShape shape) {
        this.shape = shape;
    }

    void event(Connection connection, RunEvent event) throws SQLException {
        if (event.getBody() instanceof RunStarted started) {
            start(connection, event, started);
        } else if (event.getBody() instanceof RunFinished finished) {
            finish(connection, event, finished);
        } else if (event.getBody() instanceof PlanFailed failed) {
            try (PreparedStatement update = connection.prepareStatement(
                    "UPDATE pipeline.runs SET error = coalesce(error, ?) WHERE run_id = ? AND visible_at IS NULL")) {
                update.setString(1, clean(failed.getReason() + ": " + failed.getMessage()));
                update.setString(2, event.getRunId());
                update.executeUpdate();
            }
        }
    }

    /**
     * A mark that was read.
     *
     * @param source where from; the marks of the first inventory partition carry the counts
     */
    record Mark(InventoryRecord record, ScopeMark body, ConsumerRecord<byte[], byte[]> source) {
        /** The order in which all sinks note marks: each locks what it notes until its commit. */
        static final Comparator<Mark> ORDER = Comparator.comparing(Mark::run)
                .thenComparing(mark -> mark.record().getScope());

        String run() {
            return record.getRunId();
        }
    }

    /** Notes marks, each once however often it is read. Every raw partition's mark comes once in every inventory partition. */
    void mark(Connection connection, List<Mark> marks, int inventoryPartitions) throws SQLException {
        String sql = "INSERT INTO pipeline.scope_progress AS p"
                + " (run_id, scope, marks, expected, outcome, reason, seen, deleted, held, noted)"
                + " SELECT r.run_id, ?, 1, ?, ?, ?, ?, ?, ?, ARRAY[?::integer] FROM pipeline.runs r"
                // What is released later, or read again, says nothing new of a run that is closed.
                + " WHERE r.run_id = ? AND r.visible_at IS NULL"
                + " ON CONFLICT (run_id, scope) DO UPDATE SET marks = p.marks + 1, expected = excluded.expected,"
                + " outcome = CASE WHEN 'failed' IN (p.outcome, excluded.outcome) THEN 'failed'"
                + " WHEN 'held' IN (p.outcome, excluded.outcome) THEN 'held' ELSE excluded.outcome END,"
                + " reason = coalesce(p.reason, excluded.reason), seen = p.seen + excluded.seen,"
                + " deleted = p.deleted + excluded.deleted, held = p.held + excluded.held,"
                + " noted = p.noted || excluded.noted WHERE NOT p.noted @> excluded.noted";
        try (PreparedStatement upsert = connection.prepareStatement(sql)) {
            for (Mark mark : marks.stream().sorted(Mark.ORDER).toList()) {
                boolean counts = mark.source().partition() == 0;
                ScopeMark body = mark.body();
                upsert.setString(1, mark.record().getScope());
                upsert.setInt(2, body.getRawPartitions() * inventoryPartitions);
                upsert.setString(3, body.getOutcome());
                upsert.setString(4, clean(body.getReason()));
                upsert.setLong(5, counts ? body.getSeen() : 0);
                upsert.setLong(6, counts ? body.getDeleted() : 0);
                upsert.setLong(7, counts ? body.getHeld() : 0);
                upsert.setInt(
                        8,
                        body.getRawPartition() * MOST_PARTITIONS + mark.source().partition());
                upsert.setString(9, mark.run());
                upsert.addBatch();
            }
            upsert.executeBatch();
        }
    }

    /** Runs among these that are over and wholly visible, and not yet closed. */
    List<String> closable(Connection connection, Set<String> runs) throws SQLException {
        List<String> closable = new ArrayList<>();
        if (runs.isEmpty()) {
            return closable;
        }
        String sql =
                "SELECT run_id, NOT EXISTS (SELECT FROM unnest(r.sealed) AS s(scope) LEFT JOIN pipeline.scope_progress p"
                        + " ON p.run_id = r.run_id AND p.scope = s.scope WHERE p.marks IS NULL OR p.marks < p.expected)"
                        + " FROM pipeline.runs r WHERE run_id = ANY (?) AND finished_at IS NOT NULL AND visible_at IS NULL"
                        + " ORDER BY run_id";
        try (PreparedStatement query = connection.prepareStatement(sql)) {
            query.setArray(1, TableLayout.texts(connection, runs.toArray(String[]::new)));
            try (ResultSet row = query.executeQuery()) {
                while (row.next()) {
                    if (row.getBoolean(2)) {
                        closable.add(row.getString(1));
                    }
                }
            }
        }
        return closable;
    }

    /**
     * Adds what was done to the rows of runs, and locks these runs until the commit: the later of two sinks that note the
     * last marks sees those of the earlier. All at once and in one order, so that sinks wait for each other, and no longer.
     */
    void count(Connection connection, Map<String, Tally> runs) throws SQLException {
        if (runs.isEmpty()) {
            return;
        }
        Collection<Map.Entry<String, Tally>> all = runs.entrySet();
        try (PreparedStatement upsert = connection.prepareStatement(
                "INSERT INTO pipeline.runs AS r (run_id, created, updated, deleted, problem)"
                        + " SELECT * FROM unnest(?::text[], ?::bigint[], ?::bigint[], ?::bigint[], ?::text[])"
                        + " AS i(run_id, created, updated, deleted, problem) ORDER BY i.run_id"
                        + " ON CONFLICT (run_id) DO UPDATE SET created = r.created + excluded.created,"
                        + " updated = r.updated + excluded.updated, deleted = r.deleted + excluded.deleted,"
                        + " problem = coalesce(r.problem, excluded.problem)")) {
            Columns.bind(upsert, 1, "text", all, Map.Entry::getKey);
            Columns.bind(upsert, 2, "bigint", all, run -> run.getValue().created());
            Columns.bind(upsert, 3, "bigint", all, run -> run.getValue().updated());
            Columns.bind(upsert, 4, "bigint", all, run -> run.getValue().deleted());
            Columns.bind(upsert, 5, "text", all, run -> run.getValue().problem());
            upsert.executeUpdate();
        }
    }

    /**
     * Closes runs that will never be whole although a newer run of the same job is: their events or marks were lost, and
     * Elder would show them running for ever. Not before their deadline, unless the newer run's marks, which come after
     * theirs in every partition, prove that theirs will not come.
     */
    void supersede(Connection connection) throws SQLException {
        String sql = """
                SELECT o.run_id, n.run_id, o.finished_at IS NULL, array_to_string(m.scopes, ', ')
                FROM pipeline.runs o
                JOIN LATERAL (SELECT r.run_id, r.sealed FROM pipeline.runs r
                              WHERE r.visible_at IS NOT NULL AND r.started_at > o.started_at
                                AND regexp_replace(r.run_id, '[.][^.]*$', '') = regexp_replace(o.run_id, '[.][^.]*$', '')
                              ORDER BY r.started_at DESC LIMIT 1) n ON true
                JOIN LATERAL (SELECT coalesce(array_agg(s.scope ORDER BY s.scope), '{}') AS scopes
                              FROM unnest(o.sealed) AS s(scope)
                              LEFT JOIN pipeline.scope_progress p ON p.run_id = o.run_id AND p.scope = s.scope
                              WHERE p.marks IS NULL OR p.marks < p.expected) m ON true
                WHERE o.visible_at IS NULL
                  AND (o.deadline < now() OR o.finished_at IS NOT NULL AND m.scopes <@ coalesce(n.sealed, '{}'))
                ORDER BY o.run_id
                FOR UPDATE OF o SKIP LOCKED
                """;
        Map<String, String> superseded = new LinkedHashMap<>();
        try (PreparedStatement query = connection.prepareStatement(sql);
                ResultSet row = query.executeQuery()) {
            while (row.next()) {
                superseded.put(
                        row.getString(1),
                        "superseded by run " + row.getString(2) + ": "
                                + (row.getBoolean(3)
                                        ? "its end was never heard of"
                                        : "never wholly visible: " + row.getString(4)));
            }
        }
        for (Map.Entry<String, String> one : superseded.entrySet()) {
            fail(connection, one.getKey(), one.getValue());
            close(connection, one.getKey());
        }
    }

    private static void fail(Connection connection, String run, String reason) throws SQLException {
        try (PreparedStatement update = connection.prepareStatement("UPDATE pipeline.runs SET status = 'failed',"
                + " error = concat_ws('; ', error, ?), finished_at = coalesce(finished_at, now()) WHERE run_id = ?")) {
            update.setString(1, clean(reason));
            update.setString(2, run);
            update.executeUpdate();
        }
    }

    /** Closes a run as failed whose history row this database refuses; the job is told, the history row is left. */
    void closeWithoutHistory(Connection connection, String run, String reason) throws SQLException {
        fail(connection, run, reason);
        try (PreparedStatement update =
                connection.prepareStatement("UPDATE pipeline.runs SET history_id = NULL WHERE run_id = ?")) {
            update.setString(1, run);
            update.executeUpdate();
        }
        close(connection, run);
    }

    /** Closes a run of which this database takes nothing but our own note. */
    void abandon(Connection connection, String run, String reason) throws SQLException {
        fail(connection, run, reason);
        try (PreparedStatement update =
                connection.prepareStatement("UPDATE pipeline.runs SET visible_at = now() WHERE run_id = ?")) {
            update.setString(1, run);
            update.executeUpdate();
        }
    }

    /** Writes the true result of a run: the history row, and the job's status and times. */
    void close(Connection connection, String run) throws SQLException {
        List<String> notes = new ArrayList<>();
        long held = 0;
        int failedSeals = 0;
        int seals = 0;
        try (PreparedStatement query = connection.prepareStatement(
                "SELECT p.scope, p.outcome, p.reason, p.held FROM pipeline.scope_progress p JOIN pipeline.runs r"
                        + " ON r.run_id = p.run_id AND p.scope = ANY (r.sealed) WHERE p.run_id = ? ORDER BY p.scope")) {
            query.setString(1, run);
            try (ResultSet scope = query.executeQuery()) {
                while (scope.next()) {
                    seals++;
                    held += scope.getLong(4);
                    if (!"sealed".equals(scope.getString(2))) {
                        failedSeals += "failed".equals(scope.getString(2)) ? 1 : 0;
                        notes.add(scope.getString(1) + ": " + scope.getString(2)
                                + (scope.getString(3) == null ? "" : ": " + scope.getString(3)));
                    }
                }
            }
        }
        String sql = "SELECT job_id, started_at, status, error, next_run_at, next_run_at_seen, discovered, history_id,"
                + " created, updated, deleted, problem, finished_at, array_length(failed, 1) FROM pipeline.runs"
                + " WHERE run_id = ?";
        try (PreparedStatement query = connection.prepareStatement(sql)) {
            query.setString(1, run);
            try (ResultSet row = query.executeQuery()) {
                if (!row.next()) {
                    return;
                }
                String status = row.getString(3);
                String problem = row.getString(12);
                String blocked = blocked(connection, run);
                if (problem != null || blocked != null) {
                    notes.addFirst(problem == null ? blocked : problem);
                    status = "failed";
                } else if (!notes.isEmpty() && "completed".equals(status)) {
                    status = failedSeals == seals ? "failed" : "partial";
                }
                if (row.getString(4) != null) {
                    notes.addFirst(row.getString(4));
                }
                String error = notes.isEmpty() ? null : clean(String.join("; ", notes));
                Closing closing = new Closing(
                        run,
                        row.getObject(1, Integer.class),
                        row.getObject(2, OffsetDateTime.class),
                        status,
                        error,
                        row.getObject(5, OffsetDateTime.class),
                        row.getObject(6, OffsetDateTime.class),
                        row.getLong(7),
                        row.getObject(8, Integer.class),
                        row.getLong(9),
                        row.getLong(10),
                        row.getLong(11),
                        held,
                        row.getObject(13, OffsetDateTime.class));
                write(connection, closing);
            }
        }
    }

    /** Why rows of the run's scopes can't be written until somebody does something about it; null if all are. */
    private static String blocked(Connection connection, String run) throws SQLException {
        String sql = "SELECT p.reason, count(*) OVER () FROM pipeline.pending_rows p JOIN pipeline.runs r"
                + " ON p.scope = ANY (r.sealed) WHERE r.run_id = ? AND p.reason IS NOT NULL"
                // The organisation itself, by its name, before what waits for it.
                + " ORDER BY p.table_name <> 'organizations', p.source_key LIMIT 1";
        try (PreparedStatement query = connection.prepareStatement(sql)) {
            query.setString(1, run);
            try (ResultSet row = query.executeQuery()) {
                if (!row.next()) {
                    return null;
                }
                return row.getString(1) + "; rows that wait for such: " + row.getLong(2);
            }
        }
    }

    private record Closing(
            String run,
            Integer job,
            OffsetDateTime startedAt,
            String status,
            String error,
            OffsetDateTime nextRunAt,
            OffsetDateTime nextRunAtSeen,
            long discovered,
            Integer history,
            long created,
            long updated,
            long deleted,
            long held,
            OffsetDateTime finishedAt) {}

    private void write(Connection connection, Closing closing) throws SQLException {
        try (PreparedStatement update = connection.prepareStatement(
                "UPDATE pipeline.runs SET visible_at = now(), status = ?, error = ? WHERE run_id = ?")) {
            update.setString(1, closing.status());
            update.setString(2, closing.error());
            update.setString(3, closing.run());
            update.executeUpdate();
        }
        if (closing.job() == null) {
            return;
        }
        String counts = shape.historyCounts();
        if (closing.history() != null) {
            try (PreparedStatement update =
                    connection.prepareStatement("UPDATE discovery_history SET completed_at = now(),"
                            + " status = ?, error_message = ?, " + counts + "_discovered = ?, " + counts
                            + "_created = ?, "
                            + counts + "_updated = ?, " + shape.historyPayloadColumn() + " = ?::json"
                            + (shape == ElderShape.C ? ", resources_deleted = ?" : "") + " WHERE id = ?")) {
                update.setString(1, closing.status());
                update.setString(2, closing.error());
                update.setInt(3, whole(closing.discovered()));
                update.setInt(4, whole(closing.created()));
                update.setInt(5, whole(closing.updated()));
                update.setString(6, payload(closing));
                if (shape == ElderShape.C) {
                    update.setInt(7, whole(closing.deleted()));
                }
                update.setInt(shape == ElderShape.C ? 8 : 7, closing.history());
                update.executeUpdate();
            }
        }
        // A job that was queued again meanwhile keeps its new time, and its new run its status.
        // Whoever begins a run of the job just now is waited for first: then the run is seen.
        String sql =
                "SELECT 1 FROM discovery_jobs WHERE id = ? FOR NO KEY UPDATE; UPDATE discovery_jobs j SET last_error = ?,"
                        + " last_run_at = greatest(j.last_run_at, ?::timestamptz),"
                        + " next_run_at = CASE WHEN later.found OR NOT (j.next_run_at IS NULL OR j.next_run_at <= ?::timestamptz"
                        + " OR j.next_run_at IS NOT DISTINCT FROM ?::timestamptz) THEN j.next_run_at ELSE ?::timestamptz END,"
                        + " status = CASE WHEN later.found OR j.status = 'pending' THEN j.status ELSE ? END,"
                        + " updated_at = now()"
                        + " FROM (SELECT EXISTS (SELECT FROM pipeline.runs r WHERE r.job_id = ? AND r.started_at > ?::timestamptz)"
                        + " AS found) later WHERE j.id = ?";
        try (PreparedStatement update = connection.prepareStatement(sql)) {
            update.setInt(1, closing.job());
            update.setString(2, closing.error());
            update.setObject(3, closing.startedAt());
            update.setObject(4, closing.startedAt());
            update.setObject(5, closing.nextRunAtSeen());
            update.setObject(6, closing.nextRunAt());
            update.setString(7, closing.status());
            update.setInt(8, closing.job());
            update.setObject(9, closing.startedAt());
            update.setInt(10, closing.job());
            update.execute();
        }
    }

    /**
     * Of earlier runs of the job of a run that was just closed, what they sealed is no longer kept, and the oldest not at all,
     * unless they sealed what this one has not: a person may want to know when that was read last.
     */
    void forgetOlder(Connection connection, String run) throws SQLException {
        String job = RunId.jobKeyOf(run);
        String earlier = "SELECT run_id FROM pipeline.runs WHERE regexp_replace(run_id, '[.][^.]*$', '') = ? AND ";
        try (PreparedStatement query = connection.prepareStatement(
                "SELECT started_at, coalesce(sealed, '{}') FROM pipeline.runs WHERE run_id = ?")) {
            query.setString(1, run);
            try (ResultSet row = query.executeQuery()) {
                if (!row.next() || row.getObject(1) == null) {
                    return;
                }
                OffsetDateTime startedAt = row.getObject(1, OffsetDateTime.class);
                String closed = earlier + "visible_at IS NOT NULL AND started_at < ?";
                forget(connection, MARKS, closed + " ORDER BY started_at DESC LIMIT 10", job, startedAt);
                String old = closed + " AND started_at < now() - interval '" + KEPT
                        + "' AND coalesce(sealed, '{}') <@ ? ORDER BY started_at LIMIT 100";
                forget(connection, RUNS_AND_MARKS, old, job, startedAt, row.getArray(2));
            }
        }
        // Known from its rows or marks only: whoever began it has been forgotten.
        String nameless = earlier + "started_at IS NULL AND (length(run_id), run_id) < (length(?), ?)";
        forget(connection, RUNS_AND_MARKS, nameless, job, run, run);
    }

    /** @param runs selects them by these parameters; what another sink has in hand is left to it */
    private static void forget(Connection connection, String deletion, String runs, Object... parameters)
            throws SQLException {
        try (PreparedStatement delete =
                connection.prepareStatement(deletion.formatted("ARRAY(" + runs + " FOR UPDATE SKIP LOCKED)"))) {
            for (int i = 0; i < parameters.length; i++) {
                delete.setObject(i + 1, parameters[i]);
            }
            delete.executeUpdate();
        }
    }

    private static String payload(Closing closing) {
        ObjectNode payload = JSON.createObjectNode();
        payload.put("run_id", closing.run());
        payload.put("deleted", closing.deleted());
        payload.put("held", closing.held());
        return payload.toString();
    }

    private void start(Connection connection, RunEvent event, RunStarted started) throws SQLException {
        Integer job = jobOf(event.getRunId(), started.getJobId());
        Instant startedAt = event.getAt();
        // What was queued after the run began is not what the run is for: it must survive the run's end.
        String sql = "INSERT INTO pipeline.runs AS r (run_id, job_id, provider, started_at, deadline, trigger, status,"
                + " next_run_at_seen) VALUES (?, ?, ?, ?, ?, ?, 'running', (SELECT j.next_run_at FROM discovery_jobs j"
                + " WHERE j.id = ? AND NOT (j.next_run_at > ?::timestamptz AND j.next_run_at <= now())))"
                + " ON CONFLICT (run_id) DO UPDATE SET job_id = excluded.job_id, provider = excluded.provider,"
                + " started_at = excluded.started_at, deadline = excluded.deadline, trigger = excluded.trigger,"
                + " status = coalesce(r.status, excluded.status), next_run_at_seen ="
                + " CASE WHEN r.started_at IS NULL THEN excluded.next_run_at_seen ELSE r.next_run_at_seen END"
                + " WHERE r.visible_at IS NULL RETURNING history_id, finished_at IS NULL";
        boolean opens;
        try (PreparedStatement upsert = connection.prepareStatement(sql)) {
            upsert.setString(1, event.getRunId());
            upsert.setObject(2, job);
            upsert.setString(3, event.getProvider());
            upsert.setObject(4, at(startedAt));
            upsert.setObject(5, at(started.getDeadline()));
            upsert.setString(6, started.getTrigger());
            upsert.setObject(7, job);
            upsert.setObject(8, at(startedAt));
            try (ResultSet row = upsert.executeQuery()) {
                // None: the run was closed, and this is read again.
                opens = row.next() && row.getObject(1) == null && row.getBoolean(2);
            }
        }
        if (job != null && opens) {
            openHistory(connection, event.getRunId(), job, startedAt);
            try (PreparedStatement update = connection.prepareStatement(
                    "UPDATE discovery_jobs SET status = 'running', updated_at = now() WHERE id = ?")) {
                update.setInt(1, job);
                update.executeUpdate();
            }
        }
    }

    private void openHistory(Connection connection, String run, int job, Instant startedAt) throws SQLException {
        String counts = shape.historyCounts();
        String sql = "WITH opened AS (INSERT INTO discovery_history (" + shape.historyJobColumn()
                + ", started_at, status, " + counts + "_discovered, " + counts + "_created, " + counts
                + "_updated) SELECT id, ?::timestamptz, 'running', 0, 0, 0 FROM discovery_jobs WHERE id = ? RETURNING id)"
                + " UPDATE pipeline.runs SET history_id = opened.id FROM opened WHERE run_id = ?";
        try (PreparedStatement insert = connection.prepareStatement(sql)) {
            insert.setObject(1, at(startedAt));
            insert.setInt(2, job);
            insert.setString(3, run);
            insert.executeUpdate();
        }
    }

    private void finish(Connection connection, RunEvent event, RunFinished finished) throws SQLException {
        Integer job = jobOf(event.getRunId(), finished.getJobId());
        String sql = "INSERT INTO pipeline.runs AS r (run_id, job_id, provider, started_at, status, error, next_run_at,"
                + " sealed, failed, discovered, finished_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                + " ON CONFLICT (run_id) DO UPDATE SET job_id = excluded.job_id, provider = excluded.provider,"
                + " started_at = coalesce(r.started_at, excluded.started_at), status = excluded.status,"
                + " error = coalesce(excluded.error, r.error), next_run_at = excluded.next_run_at,"
                + " sealed = CASE WHEN ? THEN excluded.sealed ELSE coalesce(r.sealed, '{}') || excluded.sealed END,"
                + " failed = CASE WHEN ? THEN excluded.failed ELSE coalesce(r.failed, '{}') || excluded.failed END,"
                + " discovered = excluded.discovered, finished_at = excluded.finished_at"
                + " WHERE r.visible_at IS NULL RETURNING history_id";
        boolean hasHistory;
        try (PreparedStatement upsert = connection.prepareStatement(sql)) {
            upsert.setString(1, event.getRunId());
            upsert.setObject(2, job);
            upsert.setString(3, event.getProvider());
            upsert.setObject(4, at(finished.getStartedAt()));
            upsert.setString(5, finished.getStatus());
            upsert.setString(6, clean(finished.getError()));
            upsert.setObject(
                    7,
                    Optional.ofNullable(finished.getNextRunAt())
                            .map(RunLedger::at)
                            .orElse(null));
            upsert.setArray(
                    8, TableLayout.texts(connection, finished.getSealed().toArray(String[]::new)));
            upsert.setArray(
                    9, TableLayout.texts(connection, finished.getFailed().toArray(String[]::new)));
            upsert.setLong(10, finished.getDiscovered());
            // Over only with the last part: a run that is over is closed once what it sealed is visible.
            upsert.setObject(11, finished.getLast() ? at(event.getAt()) : null);
            upsert.setBoolean(12, finished.getPart() == 0);
            upsert.setBoolean(13, finished.getPart() == 0);
            try (ResultSet row = upsert.executeQuery()) {
                if (!row.next()) {
                    return;
                }
                hasHistory = row.getObject(1) != null;
            }
        }
        if (job != null && !hasHistory) {
            openHistory(connection, event.getRunId(), job, finished.getStartedAt());
        }
    }

    private static Integer jobOf(String run, Integer job) {
        if (job != null) {
            return job;
        }
        try {
            return RunId.parse(run).jobId().stream().boxed().findFirst().orElse(null);
        } catch (IllegalArgumentException e) {
            return null;
        }
    }

    private static OffsetDateTime at(Instant instant) {
        return instant.atOffset(ZoneOffset.UTC);
    }

    private static int whole(long count) {
        return (int) Math.min(count, Integer.MAX_VALUE);
    }

    /** PostgreSQL has no NUL in text; a provider's message may. */
    private static String clean(String text) {
        return text == null ? null : TableLayout.cut(text.replace("\u0000", ""), ERROR_LENGTH);
    }
}
