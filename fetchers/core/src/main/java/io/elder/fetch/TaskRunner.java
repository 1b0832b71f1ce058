package io.elder.fetch;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.elder.runtime.Redactor;
import io.elder.runtime.Settings;
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
import java.sql.SQLTransientException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BooleanSupplier;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.MDC;

/**
 * Carries out tasks of one provider: plans a run, or reads the scopes of one root row and its children, each sealed or
 * failed on its own.
 */
public final class TaskRunner<C extends AutoCloseable> implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(TaskRunner.class);
    private static final ObjectMapper JSON = new ObjectMapper();

    /** A plan is told in parts, so that no event outgrows what Kafka takes. */
    static final int TASKS_PER_PART = 1000;

    private static final int BYTES_PER_PART = 500_000;

    /** Being throttled is no failure: a request is worth more tries, times {@code SYNC_MAX_RETRIES}. */
    private static final int THROTTLES = 3;

    /**
     * Classes of SQL states that pass: no connection, refused login, read-only, out of resources, operator intervention.
     *
     * @see <a href="https://www.postgresql.org/docs/current/errcodes-appendix.html">PostgreSQL error codes</a>
     */
    private static final List<String> AWAY = List.of("08", "25", "28", "53", "57");

    private final Provider<C> provider;
    private final Jobs jobs;
    private final Publisher publisher;
    private final Retries retries;
    private final Listener listener;
    private final Clients<C> clients;
    private final Paces paces;

    /** Told of what goes on, for metrics. */
    @FunctionalInterface
    public interface Listener {
        void resolved(ScopeKey scope, boolean isSealed, long count, long millis);

        /** @param outcome {@code answered}, {@code throttled} or {@code failed} */
        default void requested(String provider, String outcome) {}
    }

    public TaskRunner(Provider<C> provider, Jobs jobs, Publisher publisher, Retries retries, Listener listener) {
        this.provider = provider;
        this.jobs = jobs;
        this.publisher = publisher;
        this.retries = retries;
        this.listener = listener;
        this.clients = new Clients<>(provider);
        this.paces = new Paces(provider);
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

    /** Closes what runs have left open. */
    @Override
    public void close() {
        clients.close();
    }

    private void plan(Session session) throws InterruptedException {
        List<Planned<C>> planned;
        try {
            planned = session.attempt(client -> {
                List<Partition> partitions =
                        provider.partitions(client, session.requests(new Partition("", Partition.GLOBAL)));
                List<Planned<C>> all = planned(client, partitions);
                if (all.isEmpty()) {
                    throw new BadConfigurationException(
                            provider.name() + ": nothing to read is configured (expected: at least one partition)");
                }
                return all;
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
        int part = 0;
        int bytes = 0;
        List<PlannedTask> tasks = new ArrayList<>();
        for (Planned<C> each : planned) {
            PlannedTask task = task(each);
            int size = task.getScopes().stream().mapToInt(String::length).sum()
                    + task.getAccount().length()
                    + 100;
            if (tasks.size() == TASKS_PER_PART || bytes + size > BYTES_PER_PART) {
                tell(session, new RunPlanned(part++, false, tasks));
                tasks = new ArrayList<>();
                bytes = 0;
            }
            tasks.add(task);
            bytes += size;
        }
        tell(session, new RunPlanned(part, true, tasks));
        LOG.info("run {}: planned {} tasks", session.task.getRunId(), planned.size());
    }

    private record Planned<C>(Partition where, Resource.Root<C> root) {}

    private PlannedTask task(Planned<C> planned) {
        Partition where = planned.where();
        List<String> scopes = withDescendants(planned.root()).stream()
                .map(each -> scope(where, each).toString())
                .toList();
        return new PlannedTask(where.account(), where.region(), planned.root().kind(), scopes);
    }

    /** Kind by kind, so that tasks that are carried out together meet the limits of different accounts. */
    private List<Planned<C>> planned(C client, List<Partition> partitions) {
        List<Planned<C>> planned = new ArrayList<>();
        for (Resource<C> resource : provider.resources()) {
            if (resource instanceof Resource.Root<C> root) {
                partitions.stream()
                        .filter(where -> root.applies().test(client, where))
                        .forEach(where -> planned.add(new Planned<>(where, root)));
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
                    new ScopeRead(session, ScopeKey.parse(scope), false),
                    new StoppedException(
                            StopReason.BAD_CONFIGURATION, task.getKind() + ": no such kind of " + provider.name()));
        }
    }

    private void fetchRoot(Session session, Partition where, Resource.Root<C> root) throws InterruptedException {
        List<Resource.Child<C>> children = children(root);
        try (ScopeRead read = new ScopeRead(session, scope(where, root), !children.isEmpty())) {
            try {
                session.attempt(client -> {
                    // Records of an attempt that broke off are in the log already: a new attempt keeps the count exact.
                    read.restart();
                    root.fetch().fetch(client, where, read.out(root, where));
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
                fetchChildren(session, where, child, read.objects);
            }
        }
    }

    private void fetchChildren(Session session, Partition where, Resource.Child<C> row, Parents parents)
            throws InterruptedException {
        List<Resource.Child<C>> children = children(row);
        try (ScopeRead read = new ScopeRead(session, scope(where, row), !children.isEmpty())) {
            read.restart();
            AtomicLong all = new AtomicLong();
            AtomicLong gone = new AtomicLong();
            try {
                eachParent(session, parents, (own, object) -> {
                    JsonNode parent = parsed(object);
                    AtomicLong seen = new AtomicLong();
                    all.incrementAndGet();
                    // Within one attempt: an object that is published twice counts twice, on both sides.
                    boolean isThere = own.attemptUnlessGone(seen::get, client -> {
                        row.fetch().fetch(client, where, parent, read.out(own, row, where, seen));
                        return null;
                    });
                    if (!isThere) {
                        gone.incrementAndGet();
                    }
                });
                if (gone.get() > 1 && gone.get() == all.get()) {
                    // A path that has changed, or a server that is not the vendor's, says the same.
                    throw new StoppedException(
                            StopReason.INCOMPLETE,
                            "each of " + all + " " + row.parent().kind()
                                    + " is said to be gone since it was listed (expected: not all of them)");
                }
                session.attempt(client -> {
                    read.seal();
                    return null;
                });
            } catch (StoppedException e) {
                fail(session, read, e);
                failDescendants(session, where, row);
                return;
            }
            sealed(session, read);
            for (Resource.Child<C> child : children) {
                fetchChildren(session, where, child, read.objects);
            }
        }
    }

    /** What is done about one parent. */
    private interface ParentStep<S> {
        void take(S session, byte[] parent) throws StoppedException, InterruptedException;
    }

    /** One after the other, or as many at once as the provider says: each with a session of its own, which is one thread's. */
    private void eachParent(Session session, Parents parents, ParentStep<Session> step)
            throws StoppedException, InterruptedException {
        if (!provider.isShareable() || provider.parentsAtOnce() == 1) {
            parents.each(parent -> step.take(session, parent));
            return;
        }
        try (Lanes<byte[]> lanes = new Lanes<>(provider.parentsAtOnce(), () -> lane(session, step))) {
            parents.each(lanes::give);
            lanes.finish();
        }
    }

    private Lanes.Lane<byte[]> lane(Session session, ParentStep<Session> step) {
        return new Lanes.Lane<>() {
            private final Session own = new Session(session.task, session.isAbandoned);

            @Override
            public void take(byte[] parent) throws StoppedException, InterruptedException {
                step.take(own, parent);
            }

            @Override
            public void close() {
                own.close();
            }
        };
    }

    private void failDescendants(Session session, Partition where, Resource<C> parent) throws InterruptedException {
        for (Resource.Child<C> child : children(parent)) {
            fail(
                    session,
                    new ScopeRead(session, scope(where, child), false),
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

    /** The reading of one scope, over all its attempts. */
    private final class ScopeRead implements AutoCloseable {
        private final Session session;
        private final ScopeKey scope;
        private final long startedAt = retries.clock().millis();
        private String attempt = UUID.randomUUID().toString();
        private Publisher.Attempt records;
        private final boolean hasChildren;
        private Parents objects;

        ScopeRead(Session session, ScopeKey scope, boolean hasChildren) {
            this.session = session;
            this.scope = scope;
            this.hasChildren = hasChildren;
        }

        void restart() {
            attempt = UUID.randomUUID().toString();
            records = publisher.open(session.task, scope, attempt);
            close();
            objects = hasChildren ? new Parents() : null;
        }

        Out out(Resource<C> row, Partition where) {
            return out(session, row, where, new AtomicLong());
        }

        /**
         * @param own of the thread that will use it, where several read one scope
         * @param seen counts what is handed to it
         */
        Out out(Session own, Resource<C> row, Partition where, AtomicLong seen) {
            Requests requests = own.requests(where);
            return new Out() {
                @Override
                public void accept(ObjectNode object) {
                    own.fence();
                    seen.incrementAndGet();
                    ResourceKey key = new ResourceKey(provider.name(), where.account(), row.kind(), id(row, object));
                    String payload = json(object);
                    records.write(key, payload);
                    if (hasChildren) {
                        objects.add(payload.getBytes(StandardCharsets.UTF_8));
                    }
                }

                @Override
                public <T> T request(Request<T> request) throws Exception {
                    return requests.request(request);
                }

                @Override
                public void rest(Duration pause) {
                    requests.rest(pause);
                }

                @Override
                public <T> void pages(PageRequest<T> request, Each<? super T> each) throws Exception {
                    requests.pages(request, each);
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

        @Override
        public void close() {
            if (objects != null) {
                objects.close();
            }
        }
    }

    private static JsonNode parsed(byte[] object) {
        try {
            return JSON.readTree(object);
        } catch (IOException e) {
            throw new IllegalStateException("a parent that was written as JSON can't be read back", e);
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

    /** How often one thing has failed, and when to try it again. */
    private final class Tries {
        private final Session session;
        private int failures;
        private int throttles;
        private int waits;

        Tries(Session session) {
            this.session = session;
        }

        /** @throws GivenUpException if it is not worth trying again */
        Instant next(Exception failure, Verdict verdict) {
            Instant next;
            if (isAway(failure)) {
                // Nothing of the task is to blame, and nothing that it could tell would be heard of.
                next = retries.next(++waits);
            } else if (verdict instanceof Verdict.RetryAfter after) {
                throttles++;
                next = retries.clock().instant().plus(after.pause());
            } else if (verdict instanceof Verdict.Throttled) {
                next = retries.next(++throttles);
            } else {
                next = retries.next(++failures);
            }
            String said = session.describe(failure);
            if (failures > retries.most() || throttles > retries.most() * THROTTLES) {
                throw new GivenUpException(
                        StopReason.UNREACHABLE, "tried " + (failures + throttles) + " times: " + said, failure);
            }
            Instant deadline = session.task.getDeadline();
            if (next.isAfter(deadline)) {
                throw new GivenUpException(
                        StopReason.TIMEOUT, "no time left to try again before " + deadline + ": " + said, failure);
            }
            LOG.warn("run {}: trying again at {}: {}", session.task.getRunId(), next, said);
            return next;
        }
    }

    /** Whether the database that knows how jobs are configured is down, full, starting or shutting down, for now. */
    private static boolean isAway(Exception failure) {
        if (!(failure instanceof SQLException sql)) {
            return false;
        }
        String state = sql.getSQLState();
        return sql instanceof SQLTransientException
                || state == null
                || AWAY.stream().anyMatch(state::startsWith);
    }

    /** A task's connection, opened when it is first needed and again when it is of no more use. */
    private final class Session implements AutoCloseable {
        private final Task task;
        private final BooleanSupplier isAbandoned;
        private Redactor redactor = Redactor.of(List.of());
        private Settings settings = Settings.of(Map.of());
        private Clients.Lease<C> lease;

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
            Tries tries = new Tries(this);
            while (true) {
                try {
                    return step.take(client());
                } catch (PublishException e) {
                    throw e;
                } catch (Exception e) {
                    retryOrThrow(e, tries);
                }
            }
        }

        /**
         * A step about one object, which may have gone away since it was listed: then this is false.
         *
         * @param seen how much the step has read of the object, over all its tries
         */
        boolean attemptUnlessGone(LongSupplier seen, Step<C, Void> step) throws StoppedException, InterruptedException {
            return attempt(client -> {
                try {
                    step.take(client);
                    return true;
                } catch (FencedException | PublishException | InterruptedException e) {
                    throw e;
                } catch (Exception e) {
                    if (!(verdict(e) instanceof Verdict.Gone)) {
                        throw e;
                    }
                    if (seen.getAsLong() > 0) {
                        // Whatever it is that is not there, the rest of what is was not read.
                        throw new GivenUpException(
                                StopReason.INCOMPLETE, "gone after a part of it was read: " + message(e), e);
                    }
                    LOG.debug("skipped: gone since it was listed: {}", describe(e));
                    return false;
                }
            });
        }

        /** Requests to a partition: each in its turn, and again by itself while that may help. */
        Requests requests(Partition where) {
            return new Requests() {
                @Override
                public <T> T request(Request<T> request) throws Exception {
                    return send(where, request);
                }

                @Override
                public void rest(Duration pause) {
                    Instant now = retries.clock().instant();
                    paces.of(where, settings, now).notBefore(now.plus(pause));
                }

                @Override
                public <T> void pages(PageRequest<T> request, Each<? super T> each) throws Exception {
                    if (provider.isShareable()) {
                        pagesAhead(this, request, each);
                    } else {
                        Requests.super.pages(request, each);
                    }
                }
            };
        }

        /** While a page is handed out, the next one is on its way. */
        private static <T> void pagesAhead(
                Requests requests, Requests.PageRequest<T> request, Requests.Each<? super T> each) throws Exception {
            Cursors cursors = new Cursors();
            Page<T> page = requests.request(() -> request.send(null));
            while (!page.isLast()) {
                String next = page.next();
                if (!cursors.isNew(next)) {
                    handOut(page, each);
                    throw cursors.repeated();
                }
                try (Ahead<Page<T>> ahead = Ahead.of(() -> requests.request(() -> request.send(next)))) {
                    handOut(page, each);
                    page = ahead.await();
                }
            }
            handOut(page, each);
        }

        private static <T> void handOut(Page<T> page, Requests.Each<? super T> each) throws Exception {
            for (T item : page.items()) {
                each.accept(item);
            }
        }

        private <T> T send(Partition where, Requests.Request<T> request) throws Exception {
            Pace pace = paces.of(where, settings, retries.clock().instant());
            Tries tries = new Tries(this);
            while (true) {
                Instant turn = pace.turn(retries.clock().instant());
                if (turn.isAfter(task.getDeadline())) {
                    throw new FencedException(task.getDeadline());
                }
                retries.waitUntil(turn);
                fence();
                Instant sentAt = retries.clock().instant();
                Exception failure;
                try {
                    T answer = request.send();
                    listener.requested(provider.name(), "answered");
                    return answer;
                } catch (FencedException | PublishException | InterruptedException e) {
                    throw e;
                } catch (Exception e) {
                    failure = e;
                }
                throwIfAbandoned(failure);
                Verdict verdict = verdict(failure);
                Instant now = retries.clock().instant();
                switch (verdict) {
                    case Verdict.RetryAfter after -> {
                        pace.throttled(sentAt, now);
                        pace.notBefore(now.plus(after.pause()));
                    }
                    case Verdict.Throttled unused -> pace.throttled(sentAt, now);
                    case Verdict.RetryWithBackoff unused -> {
                        // Only this request is made again.
                    }
                    default -> {
                        listener.requested(provider.name(), "failed");
                        throw failure;
                    }
                }
                listener.requested(
                        provider.name(), verdict instanceof Verdict.RetryWithBackoff ? "failed" : "throttled");
                retries.waitUntil(tries.next(failure, verdict));
            }
        }

        private void throwIfAbandoned(Exception failure) throws InterruptedException {
            if (isAbandoned.getAsBoolean() || failure instanceof InterruptedException) {
                throw new InterruptedException("the task was abandoned");
            }
        }

        /** Returns when it is time to try again. */
        private void retryOrThrow(Exception failure, Tries tries) throws StoppedException, InterruptedException {
            throwIfAbandoned(failure);
            if (failure instanceof FencedException) {
                throw new StoppedException(StopReason.TIMEOUT, failure.getMessage(), failure);
            }
            Verdict verdict = verdict(failure);
            release(verdict instanceof Verdict.StartOver);
            if (verdict instanceof Verdict.Stop stop) {
                throw new StoppedException(stop.reason(), redactor.redact(stop.message()), failure);
            }
            if (verdict instanceof Verdict.Gone) {
                throw new StoppedException(StopReason.NOT_FOUND, describe(failure), failure);
            }
            try {
                retries.waitUntil(tries.next(failure, verdict));
            } catch (GivenUpException e) {
                throw new StoppedException(e.reason(), e.getMessage(), failure);
            }
        }

        private Verdict verdict(Exception failure) {
            return switch (failure) {
                case GivenUpException e -> new Verdict.Stop(e.reason(), message(e));
                case RepeatedCursorException e -> new Verdict.Stop(StopReason.REPEATED_CURSOR, message(e));
                case MissingIdException e -> new Verdict.Stop(StopReason.BAD_RESPONSE, message(e));
                case RecordTooBigException e -> new Verdict.Stop(StopReason.BAD_RESPONSE, message(e));
                // Only the job's configuration is read by SQL.
                case SQLException unused -> new Verdict.RetryWithBackoff();
                default -> Verdict.on(failure, provider);
            };
        }

        private String describe(Exception failure) {
            return redactor.redact(message(failure)).replaceAll("\\s*\\R\\s*", " ");
        }

        private String message(Exception failure) {
            return Trouble.inWords(failure);
        }

        private C client() throws Exception {
            fence();
            if (lease == null) {
                Jobs.Configured configured = jobs.configuration(task);
                redactor = configured.redactor();
                settings = configured.settings();
                lease = clients.open(task.getRunId(), settings);
                proveCovered(lease.client());
            }
            return lease.client();
        }

        /** A task was planned by another client, before the configuration may have been changed to another system. */
        private void proveCovered(C client) {
            if (task.getBody() instanceof FetchTask fetch) {
                Partition where = new Partition(fetch.getAccount(), fetch.getRegion());
                Optional<Partition> only = provider.findOnlyPartition(client);
                if (only.isPresent() && !only.get().equals(where)) {
                    throw new BadConfigurationException("the task is for " + named(where) + ", the configuration is of "
                            + named(only.get()) + " (expected: the same; it was changed meanwhile)");
                }
            }
        }

        private String named(Partition where) {
            boolean hasRegion = !where.region().equals(ScopeKey.NO_REGION);
            return provider.name() + "/" + where.account() + (hasRegion ? "/" + where.region() : "");
        }

        private void release(boolean isSpent) {
            Clients.Lease<C> open = lease;
            lease = null;
            if (open != null) {
                clients.release(open, isSpent);
            }
        }

        @Override
        public void close() {
            release(false);
        }
    }
}
