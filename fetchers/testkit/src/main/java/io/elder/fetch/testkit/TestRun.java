package io.elder.fetch.testkit;

import io.elder.fetch.Jobs;
import io.elder.fetch.Provider;
import io.elder.fetch.Retries;
import io.elder.fetch.TaskRunner;
import io.elder.runtime.Redactor;
import io.elder.runtime.Settings;
import io.elder.schemas.avro.FetchTask;
import io.elder.schemas.avro.PlanTask;
import io.elder.schemas.avro.PlannedTask;
import io.elder.schemas.avro.RunPlanned;
import io.elder.schemas.avro.Task;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.List;

/**
 * A whole run of a provider in memory: the plan, then every task of it, one after the other. Pauses are not waited for, but
 * the run's clock believes that they were.
 */
public final class TestRun<C extends AutoCloseable> implements AutoCloseable {
    private static final Duration LASTS = Duration.ofMinutes(10);

    private final RecordingPublisher published = new RecordingPublisher();
    private final List<Duration> pauses = Collections.synchronizedList(new ArrayList<>());
    private final String provider;
    private final TaskRunner<C> runner;
    private final Instant startedAt = Instant.ofEpochMilli(System.currentTimeMillis());
    private volatile Duration slept = Duration.ZERO;

    /** @param secrets what must be masked in messages */
    public TestRun(Provider<C> provider, Settings settings, Collection<String> secrets) {
        this(provider, task -> new Jobs.Configured(settings, Redactor.of(secrets)), 1);
    }

    public TestRun(Provider<C> provider, Jobs jobs, int retries) {
        this.provider = provider.name();
        InstantSource now = () -> Instant.now().plus(slept());
        this.runner = new TaskRunner<>(
                provider,
                jobs,
                published,
                new Retries(retries, now.withZone(ZoneOffset.UTC), this::pause, () -> 1.0),
                (scope, isSealed, count, millis) -> {});
    }

    /** Also from the thread that asks for the next page. */
    private synchronized void pause(Duration duration) {
        pauses.add(duration);
        slept = slept.plus(duration);
    }

    private synchronized Duration slept() {
        return slept;
    }

    /** Plans, and carries the plan out. */
    public RecordingPublisher everything() throws InterruptedException {
        plan().forEach(this::fetch);
        return published;
    }

    public List<PlannedTask> plan() throws InterruptedException {
        run(new PlanTask());
        return planned();
    }

    /** The tasks of the plan that was made. */
    public List<PlannedTask> planned() {
        return published.events(RunPlanned.class).stream()
                .flatMap(plan -> plan.getTasks().stream())
                .toList();
    }

    public void fetch(PlannedTask task) {
        try {
            run(new FetchTask(task.getAccount(), task.getRegion(), task.getKind(), task.getScopes()));
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    /** From now on the run is over. */
    public void passDeadline() {
        pause(LASTS);
    }

    public RecordingPublisher published() {
        return published;
    }

    /** How long the runner would have waited: for its turn, and before it tried again. */
    public synchronized List<Duration> pauses() {
        return List.copyOf(pauses);
    }

    /** Closes the clients that tasks shared. */
    @Override
    public void close() {
        runner.close();
    }

    private void run(Object body) throws InterruptedException {
        runner.run(new Task("1.test", null, provider, startedAt, startedAt.plus(LASTS), body), () -> false);
    }
}
