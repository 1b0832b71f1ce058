package io.elder.scheduler;

import static org.assertj.core.api.Assertions.assertThat;

import io.elder.runtime.Settings;
import io.elder.schemas.RunId;
import io.elder.schemas.Topics;
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
import io.elder.schemas.serde.AvroDeserializer;
import io.elder.schemas.serde.AvroSerializer;
import io.elder.schemas.serde.DeadLetter;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.TestInputTopic;
import org.apache.kafka.streams.TestOutputTopic;
import org.apache.kafka.streams.TopologyTestDriver;
import org.apache.kafka.streams.test.TestRecord;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class SchedulerTopologyTest {
    private static final Topics TOPICS = new Topics("elder.");
    private static final Map<String, Object> SERDES = Map.of("schema.registry.url", "inprocess://scheduler-test");
    private static final Instant START = Instant.parse("2026-11-21T05:00:00Z");
    private static final String SCOPE_A = "ldap/host/dc=x/ldap_user";
    private static final String SCOPE_B = "ldap/host/dc=x/ldap_group";
    private static final String SCOPE_C = "ldap/host/dc=x/ldap_group_member";

    private final List<String> finished = new ArrayList<>();
    private Instant now = START;
    private TopologyTestDriver driver;
    private TestInputTopic<String, byte[]> jobs;
    private TestInputTopic<String, RunEvent> runs;
    private TestOutputTopic<String, RunEvent> events;
    private TestOutputTopic<String, Task> tasks;
    private TestOutputTopic<byte[], byte[]> deadletters;

    @AfterEach
    void close() {
        if (driver != null) {
            driver.close();
        }
    }

    @Test
    void aJobThatNeverRanRunsAtOnce() {
        open();
        job(42, "'schedule_interval': 3600, 'enabled': true");
        RunStarted started = (RunStarted) event().getBody();
        assertThat(started.getTrigger()).isEqualTo("first");
        assertThat(started.getJobId()).isEqualTo(42);
        assertThat(started.getDeadline()).isEqualTo(START.plusSeconds(3600));
        Task task = tasks.readValue();
        assertThat(task.getBody()).isInstanceOf(PlanTask.class);
        assertThat(task.getObservedAt()).isEqualTo(START);
        assertThat(RunId.parse(task.getRunId()).jobKey()).isEqualTo("42");
        assertThat(tasks.isEmpty()).isTrue();
    }

    @Test
    void aPlanBecomesTasksAndTheLastResolvedScopeFinishesTheRun() {
        open();
        job(42, "'schedule_interval': 3600, 'enabled': true");
        String run = startedRun();
        plan(run);
        List<Task> fetches = tasks.readValuesToList();
        assertThat(fetches).hasSize(2);
        assertThat(((FetchTask) fetches.get(1).getBody()).getScopes()).containsExactly(SCOPE_B, SCOPE_C);
        sealed(run, SCOPE_A, 10);
        sealed(run, SCOPE_B, 5);
        assertThat(events.isEmpty()).isTrue();
        sealed(run, SCOPE_C, 7);
        RunFinished over = finishedRun();
        assertThat(over.getStatus()).isEqualTo("completed");
        assertThat(over.getError()).isNull();
        assertThat(over.getDiscovered()).isEqualTo(22);
        assertThat(over.getSealed()).containsExactlyInAnyOrder(SCOPE_A, SCOPE_B, SCOPE_C);
        assertThat(over.getNextRunAt()).isEqualTo(START.plusSeconds(3600));
        assertThat(finished).containsExactly("ldap job completed");
    }

    @Test
    void aPlanThatArrivesTwiceIsCarriedOutOnce() {
        open();
        job(42, "'schedule_interval': 3600, 'enabled': true");
        String run = startedRun();
        plan(run);
        plan(run);
        assertThat(tasks.readValuesToList()).hasSize(2);
    }

    @Test
    void aLongPlanIsWholeWhenAllItsPartsAreThere() {
        open();
        job(42, "'schedule_interval': 3600, 'enabled': true");
        String run = startedRun();
        tell(run, new RunPlanned(1, true, List.of(planned(SCOPE_B))));
        sealed(run, SCOPE_B, 1);
        assertThat(events.isEmpty()).isTrue();
        tell(run, new RunPlanned(0, false, List.of(planned(SCOPE_A))));
        sealed(run, SCOPE_A, 1);
        assertThat(finishedRun().getStatus()).isEqualTo("completed");
    }

    @Test
    void aCronScheduleRunsAtItsTimes() {
        open();
        // Shape C keeps the schedule as text.
        job(42, "'schedule': '30 */6 * * 1-5', 'is_active': true");
        complete(startedRun());
        Instant next = finishedRun().getNextRunAt();
        assertThat(next).isAfter(START).isBeforeOrEqualTo(START.plus(Duration.ofDays(3)));
        assertThat(next.atZone(ZoneOffset.UTC).getMinute()).isEqualTo(30);
        assertThat(next.atZone(ZoneOffset.UTC).getHour() % 6).isZero();
        advance(Duration.between(now, next).minusSeconds(2));
        assertThat(events.isEmpty()).isTrue();
        advance(Duration.ofSeconds(3));
        complete(startedRun());
        assertThat(finishedRun().getNextRunAt()).isAfter(next);
    }

    @Test
    void aCronScheduleThatNeverComesOrIsNoneIsADeadLetter() {
        open();
        for (String schedule : List.of("0 0 31 2 *", "61 * * * *", "0 2 * *", "* * * * * *", "every now and then")) {
            job(42, "'schedule': '" + schedule + "', 'is_active': true");
            assertThat(DeadLetter.text(deadletters.readRecord().headers(), DeadLetter.ERROR_MESSAGE))
                    .as(schedule)
                    .startsWith("schedule: " + schedule + " (expected: ");
        }
        assertThat(events.isEmpty()).isTrue();
    }

    @Test
    void aRunOfManyScopesEndsInPartsThatKafkaTakes() {
        open();
        job(42, "'schedule_interval': 3600, 'enabled': true");
        String run = startedRun();
        int parts = Integer.getInteger("scheduler.test.parts", 12);
        Set<String> all = new HashSet<>();
        for (int part = 0; part < parts; part++) {
            List<PlannedTask> planned = new ArrayList<>();
            for (int i = 0; i < 1000; i++) {
                String scope = "ldap/host.example.com/dc%3Dexample%2Cdc%3Dcom%2Cou%3D" + part + "/ldap_user_" + i;
                all.add(scope);
                planned.add(planned(scope));
            }
            tell(run, new RunPlanned(part, part == parts - 1, planned));
        }
        assertThat(tasks.readValuesToList()).hasSize(parts * 1000);
        all.forEach(scope -> sealed(run, scope, 1));
        Set<String> told = new HashSet<>();
        RunFinished over;
        int part = 0;
        do {
            RunEvent event = event();
            over = (RunFinished) event.getBody();
            assertThat(size(event)).isLessThan(600_000);
            assertThat(over.getPart()).isEqualTo(part++);
            assertThat(over.getDiscovered()).isEqualTo(parts * 1000L);
            told.addAll(over.getSealed());
        } while (!over.getLast());
        assertThat(part).isGreaterThan(1);
        assertThat(told).isEqualTo(all);
        assertThat(events.isEmpty()).isTrue();
    }

    @Test
    void aFailedScopeMakesTheRunPartialAndIsNamed() {
        open();
        job(42, "'schedule_interval': 60, 'enabled': true");
        String run = startedRun();
        plan(run);
        sealed(run, SCOPE_A, 10);
        sealed(run, SCOPE_B, 5);
        tell(run, new ScopeFailed(SCOPE_C, "a", 2L, "size_limit", "cut at 500"));
        RunFinished over = finishedRun();
        assertThat(over.getStatus()).isEqualTo("partial");
        assertThat(over.getError()).isEqualTo("1 of 3 scopes failed: " + SCOPE_C + ": size_limit: cut at 500");
        assertThat(over.getFailed()).containsExactly(SCOPE_C);
        assertThat(over.getNextRunAt()).isEqualTo(START.plusSeconds(60));
    }

    @Test
    void aTaskDoneTwiceCountsOnceAndTheSealWins() {
        open();
        job(42, "'schedule_interval': 60, 'enabled': true");
        String run = startedRun();
        plan(run);
        tell(run, new ScopeFailed(SCOPE_A, "a", 2L, "unreachable", "gone"));
        sealed(run, SCOPE_A, 10);
        sealed(run, SCOPE_A, 10);
        tell(run, new ScopeFailed(SCOPE_A, "c", 2L, "unreachable", "gone"));
        sealed(run, SCOPE_B, 1);
        sealed(run, SCOPE_C, 1);
        RunFinished over = finishedRun();
        assertThat(over.getStatus()).isEqualTo("completed");
        assertThat(over.getDiscovered()).isEqualTo(12);
    }

    @Test
    void aRunThatCannotBePlannedFailsAndBacksOff() {
        open();
        job(42, "'schedule_interval': 10, 'enabled': true");
        for (int minutes : List.of(1, 2, 4)) {
            String run = startedRun();
            tell(run, new PlanFailed("bad_credentials", "no"));
            RunFinished over = finishedRun();
            assertThat(over.getStatus()).isEqualTo("failed");
            assertThat(over.getError()).isEqualTo("bad_credentials: no");
            assertThat(over.getNextRunAt()).isEqualTo(now.plus(Duration.ofMinutes(minutes)));
            advance(Duration.ofMinutes(minutes).minusSeconds(2));
            assertThat(events.isEmpty()).isTrue();
            advance(Duration.ofSeconds(3));
        }
    }

    @Test
    void aFailedRunOfALongIntervalWaitsForTheInterval() {
        open();
        job(42, "'schedule_interval': 7200, 'enabled': true");
        tell(startedRun(), new PlanFailed("bad_credentials", "no"));
        assertThat(finishedRun().getNextRunAt()).isEqualTo(START.plusSeconds(7200));
    }

    @Test
    void intervalZeroRunsOnceAndAgainOnlyWhenQueued() {
        open();
        job(42, "'schedule_interval': 0, 'enabled': true");
        complete(startedRun());
        assertThat(finishedRun().getNextRunAt()).isNull();
        advance(Duration.ofDays(2));
        job(42, "'schedule_interval': 0, 'enabled': true, 'last_run_at': '2026-11-21T05:00:00Z'");
        assertThat(events.isEmpty()).isTrue();
        job(42, "'schedule_interval': 0, 'enabled': true, 'next_run_at': '" + now.minusMillis(5) + "'");
        assertThat(((RunStarted) event().getBody()).getTrigger()).isEqualTo("queued");
    }

    @Test
    void intervalZeroThatRanBeforeDoesNotRun() {
        open();
        job(42, "'schedule_interval': 0, 'enabled': true, 'last_run_at': '2025-01-01T00:00:00Z'");
        advance(Duration.ofHours(3));
        assertThat(events.isEmpty()).isTrue();
    }

    @Test
    void intervalZeroThatFailedIsNotTriedAgainByItself() {
        open();
        job(42, "'schedule_interval': 0, 'enabled': true");
        tell(startedRun(), new PlanFailed("bad_credentials", "no"));
        assertThat(finishedRun().getNextRunAt()).isNull();
        advance(Duration.ofHours(30));
        assertThat(events.isEmpty()).isTrue();
    }

    @Test
    void aValueOfNextRunAtFiresOnce() {
        open();
        String row = "'schedule_interval': 0, 'enabled': true, 'last_run_at': '2025-01-01T00:00:00Z',"
                + " 'next_run_at': '2026-11-21T04:59:59.123456Z'";
        job(42, row);
        complete(startedRun());
        finishedRun();
        job(42, row + ", 'name': 'renamed meanwhile'");
        advance(Duration.ofHours(1));
        assertThat(events.isEmpty()).isTrue();
    }

    @Test
    void nextRunAtInTheFutureIsWaitedFor() {
        open();
        job(42, "'schedule_interval': 0, 'enabled': true, 'next_run_at': '" + START.plusSeconds(30) + "'");
        advance(Duration.ofSeconds(28));
        assertThat(events.isEmpty()).isTrue();
        advance(Duration.ofSeconds(3));
        startedRun();
    }

    @Test
    void queueingDuringARunStartsOneMoreAfterIt() {
        open();
        job(42, "'schedule_interval': 3600, 'enabled': true");
        String run = startedRun();
        advance(Duration.ofSeconds(5));
        job(42, "'schedule_interval': 3600, 'enabled': true, 'next_run_at': '" + now.minusMillis(3) + "'");
        job(42, "'schedule_interval': 3600, 'enabled': true, 'next_run_at': '" + now.minusMillis(2) + "'");
        assertThat(events.isEmpty()).isTrue();
        complete(run);
        finishedRun();
        String second = startedRun();
        assertThat(second).isNotEqualTo(run);
        complete(second);
        finishedRun();
        assertThat(events.isEmpty()).isTrue();
    }

    @Test
    void statusPendingQueuesOnceUntilItChanges() {
        open();
        String ran = "'schedule_interval': 3600, 'enabled': true, 'last_run_at': '" + START.minusSeconds(5) + "'";
        job(42, ran + ", 'status': 'pending'");
        String run = startedRun();
        job(42, ran + ", 'status': 'pending', 'name': 'x'");
        job(42, ran + ", 'status': 'running'");
        complete(run);
        finishedRun();
        assertThat(events.isEmpty()).isTrue();
        job(42, ran + ", 'status': 'completed'");
        job(42, ran + ", 'status': 'pending'");
        startedRun();
    }

    @Test
    void ourOwnNextRunAtPlansARunAndDoesNotQueueAnother() {
        open();
        job(42, "'schedule_interval': 10, 'enabled': true");
        complete(startedRun());
        Instant next = finishedRun().getNextRunAt();
        advance(Duration.ofSeconds(11));
        String second = startedRun();
        // The row comes late, while the second run is under way.
        job(42, "'schedule_interval': 10, 'enabled': true, 'next_run_at': '" + next + "'");
        complete(second);
        finishedRun();
        assertThat(events.isEmpty()).isTrue();
    }

    @Test
    void anIntervalJobRunsAgainWhenTheIntervalIsOver() {
        open();
        job(42, "'schedule_interval': 600, 'enabled': true, 'last_run_at': '" + START.minusSeconds(590) + "'");
        advance(Duration.ofSeconds(8));
        assertThat(events.isEmpty()).isTrue();
        advance(Duration.ofSeconds(3));
        assertThat(((RunStarted) event().getBody()).getTrigger()).isEqualTo("schedule");
    }

    @Test
    void aStartThatIsStillToComeDoesNotHoldUpTheSchedule() {
        open();
        // A scheduler whose clock was a day ahead has noted it.
        job(42, "'schedule_interval': 600, 'enabled': true, 'last_run_at': '" + START.plus(Duration.ofDays(1)) + "'");
        advance(Duration.ofSeconds(590));
        assertThat(events.isEmpty()).isTrue();
        advance(Duration.ofSeconds(12));
        assertThat(((RunStarted) event().getBody()).getTrigger()).isEqualTo("schedule");
    }

    @Test
    void theDeadlineEndsARunAndNamesWhatIsMissing() {
        open();
        job(42, "'schedule_interval': 7200, 'enabled': true");
        String run = startedRun();
        plan(run);
        sealed(run, SCOPE_A, 10);
        advance(Duration.ofSeconds(3599));
        assertThat(events.isEmpty()).isTrue();
        advance(Duration.ofSeconds(3));
        RunFinished over = finishedRun();
        assertThat(over.getStatus()).isEqualTo("failed");
        assertThat(over.getSealed()).containsExactly(SCOPE_A);
        assertThat(over.getFailed()).containsExactlyInAnyOrder(SCOPE_B, SCOPE_C);
        assertThat(over.getError()).startsWith("2 of 3 scopes failed: ").contains(SCOPE_B + ": timeout");
        sealed(run, SCOPE_B, 1);
        assertThat(events.isEmpty()).isTrue();
    }

    @Test
    void aRunWithoutAPlanEndsAtTheDeadline() {
        open("DISCOVERY_JOB_TIMEOUT", "60");
        job(42, "'schedule_interval': 0, 'enabled': true");
        startedRun();
        advance(Duration.ofSeconds(62));
        assertThat(finishedRun().getError()).isEqualTo("timeout: no plan by " + START.plusSeconds(60));
    }

    @Test
    void disabledAndDeletedJobsDoNotRun() {
        open();
        job(42, "'schedule_interval': 10, 'enabled': false");
        jobs.pipeInput("43", (byte[]) null, now);
        job(44, "'schedule_interval': 10, 'enabled': true");
        complete(startedRun());
        finishedRun();
        change(44, "{'op': 'd', 'before': {'id': 44}, 'after': null}");
        advance(Duration.ofHours(1));
        assertThat(events.isEmpty()).isTrue();
    }

    @Test
    void alembicsShapeIsUnderstood() {
        open();
        change(
                7,
                "{'op': 'r', 'after': {'id': 7, 'type': 'ldap', 'schedule': '5m', 'is_active': true,"
                        + " 'last_run_at': 1795000000123456}}");
        assertThat(((RunStarted) event().getBody()).getTrigger()).isEqualTo("schedule");
    }

    @Test
    void anEnabledConnectorRunsAtStartupAndByItsInterval() {
        open("LDAP_ENABLED", "true", "LDAP_SYNC_INTERVAL", "600");
        advance(Duration.ofSeconds(1));
        RunEvent event = event();
        assertThat(((RunStarted) event.getBody()).getTrigger()).isEqualTo("startup");
        assertThat(((RunStarted) event.getBody()).getJobId()).isNull();
        assertThat(RunId.parse(event.getRunId()).jobKey()).isEqualTo("connector:ldap");
        complete(event.getRunId());
        assertThat(finishedRun().getJobId()).isNull();
        advance(Duration.ofSeconds(590));
        assertThat(events.isEmpty()).isTrue();
        advance(Duration.ofSeconds(11));
        assertThat(((RunStarted) event().getBody()).getTrigger()).isEqualTo("schedule");
        assertThat(finished).containsExactly("ldap connector completed");
    }

    @Test
    void withoutSyncOnStartupAConnectorWaitsOneInterval() {
        open("LDAP_ENABLED", "true", "LDAP_SYNC_INTERVAL", "600", "SYNC_ON_STARTUP", "false");
        advance(Duration.ofSeconds(598));
        assertThat(events.isEmpty()).isTrue();
        advance(Duration.ofSeconds(3));
        startedRun();
    }

    @Test
    void aProviderThatIsNotThereFailsTheRunAndScannerJobsAreLeftAlone() {
        open();
        change(7, "{'op': 'r', 'after': {'id': 7, 'provider': 'network', 'schedule_interval': 5, 'enabled': true}}");
        assertThat(events.isEmpty()).isTrue();
        change(8, "{'op': 'r', 'after': {'id': 8, 'provider': 'nimbus', 'schedule_interval': 0, 'enabled': true}}");
        startedRunWithoutTask();
        assertThat(finishedRun().getError()).startsWith("provider nimbus: not supported (expected: ");
    }

    @Test
    void aChangeThatNobodyUnderstandsIsADeadLetterAndTheNextOneCounts() {
        open();
        jobs.pipeInput("42", "<html>".getBytes(StandardCharsets.UTF_8), now);
        TestRecord<byte[], byte[]> letter = deadletters.readRecord();
        assertThat(letter.value()).asString().isEqualTo("<html>");
        assertThat(DeadLetter.text(letter.headers(), DeadLetter.STAGE)).isEqualTo("scheduler");
        job(42, "'schedule_interval': 0, 'enabled': true");
        startedRun();
    }

    @Test
    void theStateSurvivesARoundTrip() {
        JobState state = new JobState();
        state.row = new JobRow("ldap", 60, null, true, "pending", START, START.plusNanos(123_456_000));
        state.ownNextRunAt.add(START);
        state.active = new JobState.ActiveRun();
        state.active.runId = "42.x";
        state.active.parts.add(3);
        JobState back = JobStateCodec.read(JobStateCodec.write(state));
        assertThat(back.row).isEqualTo(state.row);
        assertThat(back.ownNextRunAt).containsExactly(START);
        assertThat(back.active.parts).containsExactly(3);
        assertThat(back.active.runId).isEqualTo("42.x");
    }

    @Test
    void theTopologyIsTheOneInTheGoldenFile() throws IOException {
        String described = SchedulerTopology.topology(inputs()).describe().toString();
        Path golden = Path.of("src/test/resources/golden/topology.txt");
        if (Boolean.getBoolean("golden.write")) {
            Files.writeString(golden, described);
        }
        assertThat(described).isEqualTo(Files.readString(golden));
    }

    private SchedulerTopology.Inputs inputs(String... settings) {
        Map<String, String> values = new HashMap<>();
        for (int i = 0; i < settings.length; i += 2) {
            values.put(settings[i], settings[i + 1]);
        }
        return new SchedulerTopology.Inputs(
                TOPICS,
                SchedulerSettings.from(Settings.of(values)),
                SERDES,
                1,
                START,
                (provider, isConnector, status, failed, took) ->
                        finished.add(provider + (isConnector ? " connector " : " job ") + status));
    }

    private void open(String... settings) {
        Properties properties = new Properties();
        properties.put("application.id", "scheduler-test");
        driver = new TopologyTestDriver(SchedulerTopology.topology(inputs(settings)), properties, START);
        AvroSerializer<RunEvent> writer = new AvroSerializer<>();
        writer.configure(SERDES, false);
        AvroDeserializer<RunEvent> runReader = new AvroDeserializer<>();
        runReader.configure(SERDES, false);
        AvroDeserializer<Task> taskReader = new AvroDeserializer<>();
        taskReader.configure(SERDES, false);
        jobs = driver.createInputTopic(
                TOPICS.cdc("discovery_jobs").name(), new StringSerializer(), new ByteArraySerializer());
        runs = driver.createInputTopic(TOPICS.runs().name(), new StringSerializer(), writer);
        events = driver.createOutputTopic(TOPICS.runs().name(), new StringDeserializer(), runReader);
        tasks = driver.createOutputTopic(TOPICS.tasks("ldap").name(), new StringDeserializer(), taskReader);
        deadletters = driver.createOutputTopic(
                TOPICS.deadletter().name(), new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    private void advance(Duration by) {
        now = now.plus(by);
        driver.advanceWallClockTime(by);
    }

    private void job(int id, String fields) {
        change(id, "{'op': 'u', 'after': {'id': " + id + ", 'provider': 'ldap', " + fields + "}}");
    }

    private void change(int id, String envelope) {
        jobs.pipeInput(Integer.toString(id), envelope.replace('\'', '"').getBytes(StandardCharsets.UTF_8), now);
    }

    private void plan(String run) {
        tell(run, new RunPlanned(0, true, List.of(planned(SCOPE_A), planned(SCOPE_B, SCOPE_C))));
    }

    private void complete(String run) {
        plan(run);
        tasks.readValuesToList();
        sealed(run, SCOPE_A, 1);
        sealed(run, SCOPE_B, 1);
        sealed(run, SCOPE_C, 1);
    }

    private static PlannedTask planned(String... scopes) {
        return new PlannedTask("host", "dc=x", scopes[0].substring(scopes[0].lastIndexOf('/') + 1), List.of(scopes));
    }

    private void sealed(String run, String scope, long count) {
        tell(run, new ScopeSealed(scope, "a", count, 5L));
    }

    private void tell(String run, Object body) {
        runs.pipeInput(run, new RunEvent(run, "ldap", now, body), now);
    }

    /** The scheduler's own next event; the driver feeds those back, and the tests' events are not among its output. */
    private RunEvent event() {
        RunEvent event = events.readValue();
        return event;
    }

    private String startedRun() {
        String run = startedRunWithoutTask();
        assertThat(tasks.readValue().getBody()).isInstanceOf(PlanTask.class);
        return run;
    }

    private String startedRunWithoutTask() {
        RunEvent event = event();
        assertThat(event.getBody()).isInstanceOf(RunStarted.class);
        return event.getRunId();
    }

    private static int size(RunEvent event) {
        try (AvroSerializer<RunEvent> writer = new AvroSerializer<>()) {
            writer.configure(SERDES, false);
            return writer.serialize(TOPICS.runs().name(), event).length;
        }
    }

    private RunFinished finishedRun() {
        RunEvent event = event();
        assertThat(event.getBody()).isInstanceOf(RunFinished.class);
        return (RunFinished) event.getBody();
    }
}
