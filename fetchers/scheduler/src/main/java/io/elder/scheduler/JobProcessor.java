package io.elder.scheduler;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.elder.schemas.RunId;
import io.elder.schemas.avro.FetchTask;
import io.elder.schemas.avro.PlanFailed;
import io.elder.schemas.avro.PlanTask;
import io.elder.schemas.avro.PlannedTask;
import io.elder.schemas.avro.RunEvent;
import io.elder.schemas.avro.RunFinished;
import io.elder.schemas.avro.RunPlanned;
import io.elder.schemas.avro.RunStarted;
import io.elder.schemas.avro.ScopeFailed;
import io.elder.schemas.avro.ScopeSealed;
import io.elder.schemas.avro.Task;
import io.elder.schemas.serde.DeadLetter;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.apache.kafka.common.errors.SerializationException;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.processor.api.RecordMetadata;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.KeyValueStore;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Starts, follows and finishes the runs of the jobs of one partition. */
final class JobProcessor implements Processor<String, byte[], String, Object> {
    private static final Logger LOG = LoggerFactory.getLogger(JobProcessor.class);
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Duration TICK = Duration.ofSeconds(1);

    /** A change this old is part of a backlog, and newer ones of the same row may follow: the tick decides on it. */
    private static final Duration BACKLOG = Duration.ofSeconds(10);

    /** Elder's own scanner runs these. */
    private static final Set<String> NOT_OURS = Set.of("network", "http_screenshot", "banner");

    private static final int LONGEST_ERROR = 4000;

    private static final int BYTES_PER_PART = 400_000;
    private static final String SEALED = "sealed";

    /** Between a job's key and a scope of its active run; sorts before anything that a job key may go on with. */
    private static final char SCOPE = '\u0000';

    private final SchedulerTopology.Inputs inputs;
    private final Deserializer<RunEvent> events;
    private final Map<String, JobState> jobs = new TreeMap<>();
    private ProcessorContext<String, Object> context;
    private KeyValueStore<String, byte[]> store;

    JobProcessor(SchedulerTopology.Inputs inputs, Deserializer<RunEvent> events) {
        this.inputs = inputs;
        this.events = events;
    }

    @Override
    public void init(ProcessorContext<String, Object> given) {
        context = given;
        store = given.getStateStore(SchedulerTopology.STORE);
        try (KeyValueIterator<String, byte[]> all = store.all()) {
            while (all.hasNext()) {
                KeyValue<String, byte[]> entry = all.next();
                if (entry.key.indexOf(SCOPE) < 0) {
                    jobs.put(entry.key, JobStateCodec.read(entry.value));
                }
            }
        }
        connectors();
        context.schedule(TICK, PunctuationType.WALL_CLOCK_TIME, now -> tick(Instant.ofEpochMilli(now)));
    }

    /** The environment may have changed since the state was written. */
    private void connectors() {
        jobs.values().stream().filter(job -> job.isConnector).forEach(job -> job.row = null);
        inputs.settings().connectors().forEach((provider, interval) -> {
            String key = RunId.connectorKey(provider);
            if (RunId.partition(key, inputs.partitions()) == context.taskId().partition()) {
                JobState job = jobs.computeIfAbsent(key, unused -> new JobState());
                job.isConnector = true;
                job.row = JobRow.connector(provider, interval);
            }
        });
    }

    @Override
    public void process(Record<String, byte[]> record) {
        try {
            if (source().topic().equals(inputs.topics().runs().name())) {
                event(events.deserialize(source().topic(), record.value()));
            } else {
                change(record);
            }
        } catch (IOException | IllegalArgumentException | SerializationException e) {
            bury(record, e);
        }
    }

    private void change(Record<String, byte[]> record) throws IOException {
        String key = record.key().strip();
        JsonNode row = row(record.value());
        Instant now = now();
        if (row == null) {
            JobState gone = jobs.get(key);
            if (gone != null) {
                gone.row = null;
                save(key, gone);
            }
            return;
        }
        JobRow changed = JobRow.of(row);
        if (NOT_OURS.contains(changed.provider())) {
            return;
        }
        JobState job = jobs.computeIfAbsent(key, unused -> new JobState());
        job.changed(changed);
        if (job.active != null) {
            job.noteQueue(now);
        }
        save(key, job);
        if (record.timestamp() > now.minus(BACKLOG).toEpochMilli()) {
            startIfDue(key, job, now);
        }
    }

    /** The row as it is now, or null if it was deleted. */
    private static JsonNode row(byte[] value) throws IOException {
        if (value == null) {
            return null;
        }
        JsonNode envelope = JSON.readTree(value);
        if (envelope.has("payload")) {
            envelope = envelope.get("payload");
        }
        if (envelope.isNull() || "d".equals(envelope.path("op").asText())) {
            return null;
        }
        if (!envelope.path("after").isObject()) {
            throw new IllegalArgumentException(
                    "a change without a row (expected: Debezium's envelope with \"after\" as JSON)");
        }
        return envelope.get("after");
    }

    private void tick(Instant now) {
        for (Map.Entry<String, JobState> entry : List.copyOf(jobs.entrySet())) {
            JobState job = entry.getValue();
            if (job.active != null) {
                if (now.isAfter(job.active.deadline)) {
                    finish(entry.getKey(), job, "");
                } else {
                    boolean wasQueued = job.isQueued;
                    job.noteQueue(now);
                    if (job.isQueued != wasQueued) {
                        save(entry.getKey(), job);
                    }
                }
            } else {
                startIfDue(entry.getKey(), job, now);
            }
        }
    }

    private void startIfDue(String key, JobState job, Instant now) {
        job.due(now, inputs.settings().syncOnStartup(), inputs.processStart())
                .ifPresent(trigger -> start(key, job, trigger, now));
    }

    private void start(String key, JobState job, String trigger, Instant now) {
        JobState.ActiveRun run = new JobState.ActiveRun();
        // Clocks of schedulers differ: a later run must not look older, or its records would lose.
        run.startedAt =
                job.lastStartedAt == null || now.isAfter(job.lastStartedAt) ? now : job.lastStartedAt.plusMillis(1);
        run.runId = RunId.next(key, run.startedAt).toString();
        run.provider = job.row.provider();
        run.deadline = now.plus(inputs.settings().jobTimeout());
        job.started(run);
        Integer jobId = jobId(run);
        LOG.info("run {} of {} started: {}", run.runId, run.provider, trigger);
        // Runs are told apart by it, so it is not the clock's time if that is before the last run's.
        tell(run, run.startedAt, new RunStarted(jobId, trigger, run.deadline));
        if (inputs.settings().providers().contains(run.provider)) {
            task(run, run.runId, new PlanTask());
            save(key, job);
        } else {
            finish(
                    key,
                    job,
                    "provider " + run.provider + ": not supported (expected: "
                            + String.join(", ", inputs.settings().providers()) + ")");
        }
    }

    private void event(RunEvent event) {
        String key = RunId.parse(event.getRunId()).jobKey();
        JobState job = jobs.get(key);
        if (job == null || job.active == null || !job.active.runId.equals(event.getRunId())) {
            return;
        }
        JobState.ActiveRun run = job.active;
        switch (event.getBody()) {
            case RunPlanned planned -> planned(key, run, planned);
            case PlanFailed failed -> {
                // The plan may have been made twice, and only the other time with success.
                if (run.parts.isEmpty()) {
                    finish(key, job, failed.getReason() + ": " + failed.getMessage());
                    return;
                }
            }
            case ScopeSealed sealed -> resolved(key, run, sealed.getScope(), SEALED, sealed.getCount());
            case ScopeFailed failed ->
                resolved(key, run, failed.getScope(), failed.getReason() + ": " + failed.getMessage(), 0);
            default -> {
                return;
            }
        }
        if (run.isResolved()) {
            finish(key, job, "");
        } else {
            save(key, job);
        }
    }

    private void planned(String key, JobState.ActiveRun run, RunPlanned planned) {
        run.parts.add(planned.getPart());
        if (planned.getLast()) {
            run.lastPart = planned.getPart();
        }
        for (PlannedTask task : planned.getTasks()) {
            List<String> fresh = new ArrayList<>();
            for (String scope : task.getScopes()) {
                if (store.putIfAbsent(key + SCOPE + scope, new byte[0]) == null) {
                    fresh.add(scope);
                }
            }
            run.scopes += fresh.size();
            if (!fresh.isEmpty()) {
                task(
                        run,
                        task.getScopes().get(0),
                        new FetchTask(task.getAccount(), task.getRegion(), task.getKind(), task.getScopes()));
            }
        }
    }

    /** A scope's task may be done twice: then the seal counts. */
    private void resolved(String key, JobState.ActiveRun run, String scope, String outcome, long count) {
        String entry = key + SCOPE + scope;
        byte[] before = store.get(entry);
        boolean isSealed = outcome.equals(SEALED);
        if (before == null || text(before).equals(SEALED) || (before.length > 0 && !isSealed)) {
            return;
        }
        store.put(entry, outcome.getBytes(StandardCharsets.UTF_8));
        if (before.length > 0) {
            run.failed--;
        }
        if (isSealed) {
            run.sealed++;
            run.discovered += count;
        } else {
            run.failed++;
        }
    }

    private static String text(byte[] outcome) {
        return new String(outcome, StandardCharsets.UTF_8);
    }

    /** @param planError why there is no plan; empty if there is one, or time is up */
    private void finish(String key, JobState job, String planError) {
        JobState.ActiveRun run = job.active;
        Instant now = now();
        List<String> sealed = new ArrayList<>();
        List<String> failed = new ArrayList<>();
        StringBuilder why = new StringBuilder(planError);
        int unresolved = 0;
        try (KeyValueIterator<String, byte[]> scopes = store.range(key + SCOPE, key + (char) (SCOPE + 1))) {
            while (scopes.hasNext()) {
                KeyValue<String, byte[]> entry = scopes.next();
                String scope = entry.key.substring(key.length() + 1);
                String outcome = text(entry.value);
                if (outcome.equals(SEALED)) {
                    sealed.add(scope);
                } else {
                    failed.add(scope);
                    unresolved += outcome.isEmpty() ? 1 : 0;
                    append(why, scope + ": " + (outcome.isEmpty() ? "timeout: not done by " + run.deadline : outcome));
                }
            }
        }
        forgetScopes(key, sealed);
        forgetScopes(key, failed);
        boolean isPlanned = run.lastPart >= 0 && run.parts.size() == run.lastPart + 1;
        if (!isPlanned && planError.isEmpty()) {
            append(why, "timeout: no " + (run.parts.isEmpty() ? "plan" : "complete plan") + " by " + run.deadline);
        }
        String status = !isPlanned || unresolved > 0 || (sealed.isEmpty() && !failed.isEmpty())
                ? "failed"
                : failed.isEmpty() ? "completed" : "partial";
        String error = why.isEmpty()
                ? null
                : failed.isEmpty()
                        ? why.toString()
                        : failed.size() + " of " + (sealed.size() + failed.size()) + " scopes failed: " + why;
        Instant next = job.finished(status, now);
        // Less than nothing if the clock was ahead when it started.
        Duration took = now.isAfter(run.startedAt) ? Duration.between(run.startedAt, now) : Duration.ZERO;
        LOG.info(
                "run {} of {} {}: sealed={} failed={} discovered={} millis={}{}",
                run.runId,
                run.provider,
                status,
                sealed.size(),
                failed.size(),
                run.discovered,
                took.toMillis(),
                error == null ? "" : " " + error);
        tellFinished(run, status, error, next, sealed, failed);
        inputs.listener().finished(run.provider, job.isConnector, status, failed.size(), took);
        if (job.row == null) {
            jobs.remove(key);
            store.delete(key);
        } else {
            save(key, job);
            startIfDue(key, job, now);
        }
    }

    /** In parts, so that no event outgrows what Kafka takes. */
    private void tellFinished(
            JobState.ActiveRun run,
            String status,
            String error,
            Instant next,
            List<String> sealed,
            List<String> failed) {
        int part = 0;
        int from = 0;
        boolean isLast = false;
        while (!isLast) {
            List<String> sealedPart = new ArrayList<>();
            List<String> failedPart = new ArrayList<>();
            int bytes = 0;
            while (from < sealed.size() + failed.size() && bytes < BYTES_PER_PART) {
                boolean isSealed = from < sealed.size();
                String scope = isSealed ? sealed.get(from) : failed.get(from - sealed.size());
                (isSealed ? sealedPart : failedPart).add(scope);
                bytes += scope.length();
                from++;
            }
            isLast = from == sealed.size() + failed.size();
            tell(
                    run,
                    now(),
                    new RunFinished(
                            status,
                            error,
                            jobId(run),
                            run.startedAt,
                            next,
                            sealedPart,
                            failedPart,
                            run.discovered,
                            part++,
                            isLast));
        }
    }

    private void forgetScopes(String key, List<String> scopes) {
        scopes.forEach(scope -> store.delete(key + SCOPE + scope));
    }

    private static void append(StringBuilder why, String text) {
        if (why.length() + text.length() + 2 > LONGEST_ERROR) {
            if (why.length() < 3 || why.charAt(why.length() - 1) != '.') {
                why.append("; ...");
            }
            return;
        }
        why.append(why.isEmpty() ? "" : "; ").append(text);
    }

    private void save(String key, JobState job) {
        store.put(key, JobStateCodec.write(job));
    }

    private void task(JobState.ActiveRun run, String key, Object body) {
        Task task = new Task(run.runId, jobId(run), run.provider, run.startedAt, run.deadline, body);
        context.forward(new Record<>(key, task, now().toEpochMilli()), SchedulerTopology.TASKS);
    }

    private void tell(JobState.ActiveRun run, Instant at, Object body) {
        RunEvent event = new RunEvent(run.runId, run.provider, at, body);
        context.forward(new Record<>(run.runId, event, now().toEpochMilli()), SchedulerTopology.EVENTS);
    }

    private void bury(Record<String, byte[]> record, Exception failure) {
        RecordMetadata from = source();
        LOG.error("{}-{}@{}: dead letter: {}", from.topic(), from.partition(), from.offset(), failure.getMessage());
        context.forward(
                new Record<>(
                        record.key(),
                        (Object) record.value(),
                        now().toEpochMilli(),
                        DeadLetter.headers(
                                "scheduler",
                                from.topic(),
                                from.partition(),
                                from.offset(),
                                failure.getClass().getName(),
                                failure.getMessage(),
                                now())),
                SchedulerTopology.DEADLETTERS);
    }

    private static Integer jobId(JobState.ActiveRun run) {
        var id = RunId.parse(run.runId).jobId();
        return id.isPresent() ? id.getAsInt() : null;
    }

    private RecordMetadata source() {
        return context.recordMetadata().orElseThrow();
    }

    private Instant now() {
        return Instant.ofEpochMilli(context.currentSystemTimeMs());
    }
}
