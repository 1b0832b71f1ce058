package io.elder.fetch;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.elder.runtime.SettingsException;
import io.elder.schemas.ResourceKey;
import io.elder.schemas.ScopeKey;
import io.elder.schemas.avro.FetchTask;
import io.elder.schemas.avro.PlanFailed;
import io.elder.schemas.avro.PlanTask;
import io.elder.schemas.avro.PlannedTask;
import io.elder.schemas.avro.RunEvent;
import io.elder.schemas.avro.RunPlanned;
import io.elder.schemas.avro.ScopeFailed;
import io.elder.schemas.avro.ScopeSealed;
import io.elder.schemas.avro.Task;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.sql.SQLException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.MDC;

/**
 * Carries out tasks of one provider: plans a run, or reads the scopes of one root row and its children, each sealed or
 * failed on its own.
 */
public final class TaskRunner<C extends AutoCloseable> {
    private static final Logger LOG = LoggerFactory.getLogger(TaskRunner.class);
    private static final ObjectMapper JSON = new ObjectMapper();

    /** A plan is told in parts, so that no event outgrows what Kafka takes. */
    static final int TASKS_PER_PART = 1000;

    private final Provider<C> provider;
    private final Jobs jobs;
    private final Publisher publisher;
    private final Retries retries;
    private final ScopeListener listener;

    /** Told of every scope that was resolved, for metrics. */
    @FunctionalInterface
    public interface ScopeListener {
        void resolved(ScopeKey scope, boolean isSealed, long count, long millis);
    }

    public TaskRunner(Provider<C> provider, Jobs jobs, Publisher publisher, Retries retries, ScopeListener listener) {
        this.provider = provider;
        this.jobs = jobs;
        this.publisher = publisher;
        this.retries = retries;
        this.listener = listener;
    }

    /**
     * Carries out a task. Whatever the provider does ends in events; nothing is thrown for it.
     *
     * @param isAbandoned whether somebody else will do the task: it ends soon, without an event
     * @throws InterruptedException if the task was abandoned
     * @throws PublishException if the log did not take something: the task must be done again
     */
    public void run(Task task, BooleanSupplier isAbandoned) throws InterruptedException {
        MDC.put("run", task.getRunId());
        MDC.put("provider", task.getProvider());
        if (task.getJobId() != null) {
            MDC.put("job", task.getJobId().toString());
        }
        try (Session session = new Session(task, isAbandoned)) {
            if (retries.clock().instant().isAfter(task.getDeadline())) {
                LOG.warn("run {}: not started, its deadline {} has passed", task.getRunId(), task.getDeadline());
                return;
            }
            switch (task.getBody()) {
                case PlanTask unused -> plan(session);
                case FetchTask fetch -> fetch(session, fetch);
                default ->
                    throw new IllegalArgumentException(
                            "task body " + task.getBody().getClass().getName() + " (expected: PlanTask or FetchTask)");
            }
        } finally {
            MDC.remove("run");
            MDC.remove("provider");
            MDC.remove("job");
        }
    }

    private void plan(Session session) throws InterruptedException {
        List<PlannedTask> planned;
        try {
            planned = session.attempt(client -> {
                List<Partition> partitions = provider.partitions(client);
                if (partitions.isEmpty()) {
                    throw new BadConfigurationException(
                            provider.name() + ": nothing to read is configured (expected: at least one partition)");
                }
                return planned(partitions);
            });
        } catch (StoppedException e) {
            LOG.error(
                    "run {}: no plan: {}: {}",
                    session.task.getRunId(),
                    e.reason().label(),
                    e.getMessage());
            tell(session, new PlanFailed(e.reason().label(), e.getMessage()));
            return;
        }
        for (int part = 0; part * TASKS_PER_PART < planned.size(); part++) {
            int from = part * TASKS_PER_PART;
            int to = Math.min(from + TASKS_PER_PART, planned.size());
            tell(session, new RunPlanned(part, to == planned.size(), List.copyOf(planned.subList(from, to))));
        }
        LOG.info("run {}: planned {} tasks", session.task.getRunId(), planned.size());
    }

    private List<PlannedTask> planned(List<Partition> partitions) {
        List<PlannedTask> planned = new ArrayList<>();
        for (Partition where : partitions) {
            for (Resource<C> resource : provider.resources()) {
                if (resource instanceof Resource.Root<C> root) {
                    List<String> scopes = withDescendants(root).stream()
                            .map(each -> scope(where, each).toString())
                            .toList();
                    planned.add(new PlannedTask(where.account(), where.region(), root.kind(), scopes));
                }
            }
        }
        return planned;
    }

    private ScopeKey scope(Partition where, Resource<C> resource) {
        return new ScopeKey(provider.name(), where.account(), where.region(), resource.kind());
    }

    /** A row and all below it, parents before their children. */
    private List<Resource<C>> withDescendants(Resource<C> resource) {
        List<Resource<C>> all = new ArrayList<>();
        all.add(resource);
        children(resource).forEach(child -> all.addAll(withDescendants(child)));
        return all;
    }

    private List<Resource.Child<C>> children(Resource<C> parent) {
        List<Resource.Child<C>> children = new ArrayList<>();
        for (Resource<C> resource : provider.resources()) {
            // By kind: a provider may build its table anew at every call.
            if (resource instanceof Resource.Child<C> child
                    && child.parent().kind().equals(parent.kind())) {
                children.add(child);
            }
        }
        return children;
    }

    private void fetch(Session session, FetchTask task) throws InterruptedException {
        Partition where = new Partition(task.getAccount(), task.getRegion());
        for (Resource<C> resource : provider.resources()) {
            if (resource instanceof Resource.Root<C> root && root.kind().equals(task.getKind())) {
                fetchRoot(session, where, root);
                return;
            }
        }
        // A task of another version of this program.
        for (String scope : task.getScopes()) {
            fail(
                    session,
                    new ScopeRead(session, ScopeKey.parse(scope)),
                    new StoppedException(
                            StopReason.BAD_CONFIGURATION, task.getKind() + ": no such kind of " + provider.name()));
        }
    }

    private void fetchRoot(Session session, Partition where, Resource.Root<C> root) throws InterruptedException {
        List<Resource.Child<C>> children = children(root);
        ScopeRead read = new ScopeRead(session, scope(where, root));
        Collected collected = new Collected(!children.isEmpty());
        try {
            session.attempt(client -> {
                // Records of an attempt that broke off are in the log already: a new attempt keeps the count exact.
                read.restart();
                collected.objects.clear();
                root.fetch().fetch(client, where, read.out(root, where, collected));
                read.seal();
                return null;
            });
        } catch (StoppedException e) {
            fail(session, read, e);
            failDescendants(session, where, root);
            return;
        }
        sealed(session, read);
        for (Resource.Child<C> child : children) {
            fetchChildren(session, where, child, collected);
        }
    }

    private void fetchChildren(Session session, Partition where, Resource.Child<C> row, Collected parents)
            throws InterruptedException {
        List<Resource.Child<C>> children = children(row);
        ScopeRead read = new ScopeRead(session, scope(where, row));
        Collected collected = new Collected(!children.isEmpty());
        read.restart();
        try {
            for (byte[] object : parents.objects) {
                JsonNode parent = JSON.readTree(object);
                // Within one attempt: an object that is published twice counts twice, on both sides.
                session.attemptOrGone(client -> {
                    row.fetch().fetch(client, where, parent, read.out(row, where, collected));
                    return null;
                });
            }
            session.attempt(client -> {
                read.seal();
                return null;
            });
        } catch (StoppedException e) {
            fail(session, read, e);
            failDescendants(session, where, row);
            return;
        } catch (IOException e) {
            throw new IllegalStateException("a parent that was written as JSON can't be read back", e);
        }
        sealed(session, read);
        for (Resource.Child<C> child : children) {
            fetchChildren(session, where, child, collected);
        }
    }

    private void failDescendants(Session session, Partition where, Resource<C> parent) throws InterruptedException {
        for (Resource.Child<C> child : children(parent)) {
            fail(
                    session,
                    new ScopeRead(session, scope(where, child)),
                    new StoppedException(StopReason.INCOMPLETE, parent.kind() + " was not read whole"));
            failDescendants(session, where, child);
        }
    }

    private void sealed(Session session, ScopeRead read) throws InterruptedException {
        long millis = read.millis();
        LOG.info(
                "scope {} kind={} seen={} outcome=sealed millis={}",
                read.scope,
                read.scope.kind(),
                read.count(),
                millis);
        tell(session, new ScopeSealed(read.scope.toString(), read.attempt, read.count(), millis));
        listener.resolved(read.scope, true, read.count(), millis);
    }

    private void fail(Session session, ScopeRead read, StoppedException why) throws InterruptedException {
        long millis = read.millis();
        LOG.warn(
                "scope {} kind={} seen={} outcome=failed millis={} reason={}: {}",
                read.scope,
                read.scope.kind(),
                read.count(),
                millis,
                why.reason().label(),
                why.getMessage());
        tell(
                session,
                new ScopeFailed(
                        read.scope.toString(),
                        read.attempt,
                        read.count(),
                        why.reason().label(),
                        why.getMessage()));
        listener.resolved(read.scope, false, read.count(), millis);
    }

    private void tell(Session session, Object body) throws InterruptedException {
        Task task = session.task;
        publisher.tell(new RunEvent(task.getRunId(), task.getProvider(), now(), body));
    }

    /** As precise as the log is. */
    private Instant now() {
        return Instant.ofEpochMilli(retries.clock().millis());
    }

    /** Objects of a parent row, kept as bytes until its children are read. */
    private static final class Collected {
        private final boolean isWanted;
        private final List<byte[]> objects = new ArrayList<>();

        Collected(boolean isWanted) {
            this.isWanted = isWanted;
        }
    }

    /** The reading of one scope, over all its attempts. */
    private final class ScopeRead {
        private final Session session;
        private final ScopeKey scope;
        private final long startedAt = retries.clock().millis();
        private String attempt = UUID.randomUUID().toString();
        private Publisher.Attempt records;

        ScopeRead(Session session, ScopeKey scope) {
            this.session = session;
            this.scope = scope;
        }

        void restart() {
            attempt = UUID.randomUUID().toString();
            records = publisher.open(session.task, scope, attempt);
        }

        Out out(Resource<C> row, Partition where, Collected collected) {
            return object -> {
                session.fence();
                ResourceKey key = new ResourceKey(provider.name(), where.account(), row.kind(), id(row, object));
                String payload = json(object);
                records.write(key, payload);
                if (collected.isWanted) {
                    collected.objects.add(payload.getBytes(StandardCharsets.UTF_8));
                }
            };
        }

        void seal() throws InterruptedException {
            session.fence();
            records.seal();
        }

        long count() {
            return records == null ? 0 : records.count();
        }

        long millis() {
            return retries.clock().millis() - startedAt;
        }
    }

    private static String json(ObjectNode object) {
        try {
            return JSON.writeValueAsString(object);
        } catch (JsonProcessingException e) {
            throw new IllegalArgumentException("an object that can't be written as JSON", e);
        }
    }

    private String id(Resource<C> row, ObjectNode object) {
        String id = row.id().apply(object);
        if (id == null || id.isBlank()) {
            throw new MissingIdException(row.kind() + ": an object without an id; it has the fields "
                    + String.join(", ", (Iterable<String>) object::fieldNames));
        }
        return id;
    }

    private static final class MissingIdException extends RuntimeException {
        private static final long serialVersionUID = 1L;

        MissingIdException(String message) {
            super(message);
        }
    }

    @FunctionalInterface
    private interface Step<C, T> {
        T take(C client) throws Exception;
    }

    /** A task's connection, opened when it is first needed and again after every failure. */
    private final class Session implements AutoCloseable {
        private final Task task;
        private final BooleanSupplier isAbandoned;
        private Redactor redactor = Redactor.of(List.of());
        private C client;

        Session(Task task, BooleanSupplier isAbandoned) {
            this.task = task;
            this.isAbandoned = isAbandoned;
        }

        /** Throws once there is no use in going on. */
        void fence() {
            if (isAbandoned.getAsBoolean()) {
                throw new FencedException("the task was abandoned");
            }
            if (retries.clock().instant().isAfter(task.getDeadline())) {
                throw new FencedException(task.getDeadline());
            }
        }

        <T> T attempt(Step<C, T> step) throws StoppedException, InterruptedException {
            for (int failures = 1; ; failures++) {
                try {
                    return step.take(client());
                } catch (PublishException e) {
                    throw e;
                } catch (Exception e) {
                    retryOrThrow(e, failures);
                }
            }
        }

        /** A step about one object, which may have gone away since it was listed. */
        void attemptOrGone(Step<C, Void> step) throws StoppedException, InterruptedException {
            attempt(client -> {
                try {
                    return step.take(client);
                } catch (FencedException | PublishException | InterruptedException e) {
                    throw e;
                } catch (Exception e) {
                    if (verdict(e) instanceof Verdict.Gone) {
                        LOG.debug("skipped: gone since it was listed", e);
                        return null;
                    }
                    throw e;
                }
            });
        }

        /** Returns when it is time to try again. */
        private void retryOrThrow(Exception failure, int failures) throws StoppedException, InterruptedException {
            if (isAbandoned.getAsBoolean() || failure instanceof InterruptedException) {
                throw new InterruptedException("the task was abandoned");
            }
            if (failure instanceof FencedException) {
                throw new StoppedException(StopReason.TIMEOUT, failure.getMessage(), failure);
            }
            close();
            Instant next =
                    switch (verdict(failure)) {
                        case Verdict.Stop stop ->
                            throw new StoppedException(stop.reason(), redactor.redact(stop.message()), failure);
                        case Verdict.Gone unused ->
                            throw new StoppedException(StopReason.NOT_FOUND, describe(failure), failure);
                        case Verdict.RetryAt at -> at.at();
                        case Verdict.RetryWithBackoff unused -> retries.next(failures);
                    };
            if (failures > retries.most()) {
                throw new StoppedException(
                        StopReason.UNREACHABLE, "tried " + failures + " times: " + describe(failure), failure);
            }
            if (next.isAfter(task.getDeadline())) {
                throw new StoppedException(
                        StopReason.TIMEOUT,
                        "no time left to try again before " + task.getDeadline() + ": " + describe(failure),
                        failure);
            }
            LOG.warn("run {}: trying again at {}: {}", task.getRunId(), next, describe(failure));
            retries.waitUntil(next);
        }

        private Verdict verdict(Exception failure) {
            return switch (failure) {
                case BadConfigurationException e -> new Verdict.Stop(StopReason.BAD_CONFIGURATION, message(e));
                case SettingsException e -> new Verdict.Stop(StopReason.BAD_CONFIGURATION, message(e));
                case MissingIdException e -> new Verdict.Stop(StopReason.BAD_RESPONSE, message(e));
                case RecordTooBigException e -> new Verdict.Stop(StopReason.BAD_RESPONSE, message(e));
                // Only the job's configuration is read by SQL; the database will be back.
                case SQLException unused -> new Verdict.RetryWithBackoff();
                default -> provider.classify(failure);
            };
        }

        private String describe(Exception failure) {
            return redactor.redact(message(failure));
        }

        private String message(Exception failure) {
            return failure.getMessage() == null ? failure.getClass().getSimpleName() : failure.getMessage();
        }

        private C client() throws Exception {
            fence();
            if (client == null) {
                Jobs.Configured configured = jobs.configuration(task);
                redactor = configured.redactor();
                client = provider.connect(configured.settings());
            }
            return client;
        }

        @Override
        public void close() {
            C open = client;
            client = null;
            if (open != null) {
                try {
                    open.close();
                } catch (Exception e) {
                    LOG.debug("closing a connection that is not needed any more", e);
                }
            }
        }
    }
}
