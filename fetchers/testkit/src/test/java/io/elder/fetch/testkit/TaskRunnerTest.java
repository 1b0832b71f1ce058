package io.elder.fetch.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.elder.fetch.BadConfigurationException;
import io.elder.fetch.Jobs;
import io.elder.fetch.Partition;
import io.elder.fetch.Provider;
import io.elder.fetch.Requests;
import io.elder.fetch.Resource;
import io.elder.fetch.StopReason;
import io.elder.fetch.Verdict;
import io.elder.runtime.Redactor;
import io.elder.runtime.Settings;
import io.elder.schemas.avro.PlanFailed;
import io.elder.schemas.avro.PlannedTask;
import io.elder.schemas.avro.RunPlanned;
import io.elder.schemas.avro.ScopeFailed;
import io.elder.schemas.avro.ScopeSealed;
import java.io.EOFException;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class TaskRunnerTest {
    private static final Jobs JOBS =
            task -> new Jobs.Configured(Settings.of(Map.of()), Redactor.of(Set.of("s3cret-value")));

    private final Team team = new Team();

    @Test
    void everyScopeIsSealedWithTheNumberOfItsRecords() throws InterruptedException {
        RecordingPublisher published = run().everything();
        assertThat(published.events(ScopeSealed.class))
                .extracting(ScopeSealed::getScope, ScopeSealed::getCount)
                .containsExactly(tuple("team/acme/-/group", 3L), tuple("team/acme/-/member", 6L));
        assertThat(published.seals())
                .extracting(RecordingPublisher.Sealed::count)
                .containsExactly(3L, 6L);
    }

    @Test
    void aRetryOfARootRowStartsANewAttemptSoThatTheCountIsExact() throws InterruptedException {
        team.rootFailures.add(new IOException("reset"));
        TestRun<Team.Client> run = run();
        RecordingPublisher published = run.everything();
        assertThat(published.records().stream()
                        .filter(record -> record.key().kind().equals("group")))
                .hasSize(5);
        assertThat(published.seals().get(0).count()).isEqualTo(3);
        assertThat(published.sealedRecords().stream()
                        .filter(record -> record.key().kind().equals("group")))
                .hasSize(3);
        assertThat(run.pauses()).hasSize(1);
        assertThat(run.pauses().get(0)).isBetween(Duration.ofMillis(1), Duration.ofSeconds(1));
        assertThat(team.connections).as("one for the plan, two for the task").isEqualTo(3);
        assertThat(team.open).isZero();
    }

    @Test
    void aRootRowThatKeepsFailingFailsItsScopeAndThoseOfItsChildren() throws InterruptedException {
        IntStream.range(0, 9).forEach(i -> team.rootFailures.add(new IOException("reset s3cret-value")));
        RecordingPublisher published = run().everything();
        assertThat(published.seals()).isEmpty();
        assertThat(published.events(ScopeFailed.class))
                .extracting(ScopeFailed::getScope, ScopeFailed::getReason, ScopeFailed::getMessage)
                .containsExactly(
                        tuple("team/acme/-/group", "unreachable", "tried 3 times: reset ***"),
                        tuple("team/acme/-/member", "incomplete", "group was not read whole"));
        assertThat(published.events(ScopeFailed.class).get(0).getCount()).isEqualTo(2);
    }

    @Test
    void aChildRowThatFailsLeavesTheRootSealed() throws InterruptedException {
        team.childFailures.add(new IllegalStateException("403 s3cret-value"));
        RecordingPublisher published = run().everything();
        assertThat(published.events(ScopeSealed.class))
                .extracting(ScopeSealed::getScope)
                .containsExactly("team/acme/-/group");
        assertThat(published.events(ScopeFailed.class))
                .extracting(ScopeFailed::getScope, ScopeFailed::getReason, ScopeFailed::getMessage)
                .containsExactly(tuple("team/acme/-/member", "forbidden", "403 ***"));
    }

    @Test
    void aParentThatIsGoneIsSkipped() throws InterruptedException {
        team.childFailures.add(new FileNotFoundException("404"));
        RecordingPublisher published = run().everything();
        assertThat(published.seals())
                .extracting(RecordingPublisher.Sealed::count)
                .containsExactly(3L, 4L);
    }

    @Test
    void whenAllParentsAreSaidToBeGoneNothingIsSealed() throws InterruptedException {
        IntStream.range(0, 3).forEach(i -> team.childFailures.add(new FileNotFoundException("404")));
        RecordingPublisher published = run().everything();
        assertThat(published.events(ScopeSealed.class))
                .extracting(ScopeSealed::getScope)
                .containsExactly("team/acme/-/group");
        assertThat(published.events(ScopeFailed.class))
                .extracting(ScopeFailed::getScope, ScopeFailed::getReason, ScopeFailed::getMessage)
                .containsExactly(tuple(
                        "team/acme/-/member",
                        "incomplete",
                        "each of 3 group is said to be gone since it was listed (expected: not all of them)"));
    }

    @Test
    void aParentThatIsGoneAfterAPartOfItWasReadSealsNothing() throws InterruptedException {
        team.lateChildFailures.add(new FileNotFoundException("404 s3cret-value"));
        assertThat(run().everything().events(ScopeFailed.class))
                .extracting(ScopeFailed::getScope, ScopeFailed::getReason, ScopeFailed::getMessage)
                .containsExactly(
                        tuple("team/acme/-/member", "incomplete", "gone after a part of it was read: 404 ***"));
    }

    @Test
    void aParentThatIsGoneWhenItIsReadAgainSealsNothing() throws InterruptedException {
        team.lateChildFailures.add(new IOException("reset"));
        team.childFailures.add(null);
        team.childFailures.add(new FileNotFoundException("404"));
        assertThat(run().everything().events(ScopeFailed.class))
                .extracting(ScopeFailed::getReason)
                .containsExactly("incomplete");
    }

    @Test
    void aRootThatIsGoneStops() throws InterruptedException {
        team.rootFailures.add(new FileNotFoundException("404"));
        RecordingPublisher published = run().everything();
        assertThat(published.seals()).isEmpty();
        assertThat(published.events(ScopeFailed.class).get(0).getReason()).isEqualTo("not_found");
    }

    @Test
    void anObjectWithoutAnIdFailsTheScope() throws InterruptedException {
        team.idField = "name";
        RecordingPublisher published = run().everything();
        assertThat(published.seals()).isEmpty();
        assertThat(published.events(ScopeFailed.class).get(0).getMessage())
                .isEqualTo("group: an object without an id; it has the fields id");
    }

    @Test
    void aConnectionThatIsRefusedFailsThePlan() throws InterruptedException {
        team.connectFailures.add(new IllegalStateException("wrong password s3cret-value"));
        RecordingPublisher published = run().everything();
        assertThat(published.events(PlanFailed.class))
                .extracting(PlanFailed::getReason, PlanFailed::getMessage)
                .containsExactly(tuple("forbidden", "wrong password ***"));
    }

    @Test
    void aJobThatCannotBeReadFailsThePlan() throws InterruptedException {
        TestRun<Team.Client> run = new TestRun<>(
                team,
                task -> {
                    throw new BadConfigurationException("job 7: no such row in discovery_jobs");
                },
                2);
        assertThat(run.everything().events(PlanFailed.class))
                .extracting(PlanFailed::getReason)
                .containsExactly("bad_configuration");
    }

    @Test
    void aDatabaseThatIsAwayIsWaitedForHoweverLong() throws InterruptedException {
        List<SQLException> failures = new ArrayList<>();
        IntStream.range(0, 12).forEach(i -> failures.add(new SQLException("connection refused", "08001")));
        RecordingPublisher published = runWith(failures).everything();
        assertThat(published.events(PlanFailed.class)).isEmpty();
        assertThat(published.seals()).hasSize(2);
    }

    @Test
    void aDatabaseThatRefusesIsNotWaitedForLong() throws InterruptedException {
        List<SQLException> failures = new ArrayList<>();
        IntStream.range(0, 12).forEach(i -> failures.add(new SQLException("permission denied", "42501")));
        RecordingPublisher published = runWith(failures).everything();
        assertThat(published.events(PlanFailed.class))
                .extracting(PlanFailed::getMessage)
                .containsExactly("tried 3 times: permission denied");
    }

    private TestRun<Team.Client> runWith(List<SQLException> failures) {
        return new TestRun<>(
                team,
                task -> {
                    if (!failures.isEmpty()) {
                        throw failures.remove(0);
                    }
                    return JOBS.configuration(task);
                },
                2);
    }

    @Test
    void aClientThatCanBeSharedServesTheWholeRun() throws InterruptedException {
        team.isShareable = true;
        team.accounts = 5;
        team.rootFailures.add(new IOException("reset"));
        TestRun<Team.Client> run = run();
        assertThat(run.everything().seals()).hasSize(10);
        assertThat(team.connections).isEqualTo(1);
        assertThat(team.open).isEqualTo(1);
        run.close();
        assertThat(team.open).isZero();
    }

    @Test
    void aClientWhoseCredentialsExpireIsReplacedForTheTasksThatFollow() throws InterruptedException {
        team.isShareable = true;
        team.accounts = 5;
        team.rootFailures.add(new EOFException("token expired"));
        RecordingPublisher published = run().everything();
        assertThat(published.seals()).hasSize(10);
        assertThat(published.seals().get(0).count()).isEqualTo(3);
        assertThat(team.connections).isEqualTo(2);
        assertThat(team.open).isEqualTo(1);
    }

    @Test
    void aTaskIsNotReadWithWhatWasConfiguredSinceForAnotherAccount() throws InterruptedException {
        team.onlyPartition = Partition.of("acme");
        TestRun<Team.Client> run = run();
        List<PlannedTask> plan = run.plan();
        team.onlyPartition = new Partition("bmce", "north");
        plan.forEach(run::fetch);
        assertThat(run.published().records()).isEmpty();
        assertThat(run.published().seals()).isEmpty();
        assertThat(run.published().events(ScopeFailed.class))
                .extracting(ScopeFailed::getReason, ScopeFailed::getMessage)
                .containsExactly(
                        tuple(
                                "bad_configuration",
                                "the task is for team/acme, the configuration is of team/bmce/north (expected: the same;"
                                        + " it was changed meanwhile)"),
                        tuple("incomplete", "group was not read whole"));
        assertThat(team.open).isZero();
    }

    @Test
    void whatWasConfiguredForAnotherAccountWhileParentsWereReadSealsNoChildren() throws InterruptedException {
        team.onlyPartition = Partition.of("acme");
        TestRun<Team.Client> run = run();
        List<PlannedTask> plan = run.plan();
        team.childFailures.add(new EOFException("token expired"));
        team.atChildFailure = () -> team.onlyPartition = Partition.of("bmce");
        plan.forEach(run::fetch);
        assertThat(run.published().events(ScopeSealed.class))
                .extracting(ScopeSealed::getScope)
                .containsExactly("team/acme/-/group");
        assertThat(run.published().events(ScopeFailed.class))
                .extracting(ScopeFailed::getScope, ScopeFailed::getReason)
                .containsExactly(tuple("team/acme/-/member", "bad_configuration"));
    }

    @Test
    void aRowIsPlannedOnlyWhereItApplies() throws InterruptedException {
        team.accounts = 3;
        team.onlyAccount = "acme1";
        assertThat(run().plan()).extracting(PlannedTask::getAccount).containsExactly("acme1");
        team.onlyAccount = "nobody";
        RecordingPublisher published = run().everything();
        assertThat(published.events(PlanFailed.class))
                .extracting(PlanFailed::getReason)
                .containsExactly("bad_configuration");
    }

    @Test
    void aPlanOfAHundredThousandTasksIsToldInPartsThatKafkaTakes() throws InterruptedException {
        team.accounts = 102_000;
        TestRun<Team.Client> run = run();
        assertThat(run.plan()).hasSize(102_000);
        assertThat(run.published().events(RunPlanned.class))
                .hasSizeGreaterThanOrEqualTo(102)
                .allSatisfy(part -> assertThat(part.getTasks().stream()
                                .flatMap(task -> task.getScopes().stream())
                                .mapToInt(String::length)
                                .sum())
                        .isLessThan(600_000));
    }

    @Test
    void aLongPlanComesInParts() throws InterruptedException {
        team.accounts = 2500;
        TestRun<Team.Client> run = run();
        assertThat(run.plan()).hasSize(2500);
        List<RunPlanned> parts = run.published().events(RunPlanned.class);
        assertThat(parts).extracting(RunPlanned::getPart).containsExactly(0, 1, 2);
        assertThat(parts).extracting(RunPlanned::getLast).containsExactly(false, false, true);
    }

    private TestRun<Team.Client> run() {
        return new TestRun<>(team, JOBS, 2);
    }

    /** Three groups of two members each, and failures to order, each after two objects. */
    private static final class Team implements Provider<Team.Client> {
        private final List<Exception> connectFailures = new ArrayList<>();
        private final List<Exception> rootFailures = new ArrayList<>();
        private final List<Exception> childFailures = new ArrayList<>();
        private final List<Exception> lateChildFailures = new ArrayList<>();
        private String idField = "id";
        private int accounts = 1;
        private String onlyAccount;
        private Partition onlyPartition;
        private Runnable atChildFailure = () -> {};
        private boolean isShareable;
        private int connections;
        private int open;

        final class Client implements AutoCloseable {
            @Override
            public void close() {
                open--;
            }
        }

        @Override
        public String name() {
            return "team";
        }

        @Override
        public String title() {
            return "Team";
        }

        @Override
        public Client connect(Settings settings) throws Exception {
            failIfAsked(connectFailures);
            connections++;
            open++;
            return new Client();
        }

        @Override
        public boolean isShareable() {
            return isShareable;
        }

        @Override
        public Optional<Partition> findOnlyPartition(Client client) {
            return Optional.ofNullable(onlyPartition);
        }

        @Override
        public List<Partition> partitions(Client client, Requests requests) {
            return IntStream.range(0, accounts)
                    .mapToObj(i -> Partition.of(i == 0 ? "acme" : "acme" + i))
                    .toList();
        }

        @Override
        public List<Resource<Client>> resources() {
            Resource<Client> groups = Resource.<Client>root("group", idField, (client, where, out) -> {
                        out.accept(object("g1"));
                        out.accept(object("g2"));
                        failIfAsked(rootFailures);
                        out.accept(object("g3"));
                    })
                    .only((client, where) ->
                            onlyAccount == null || where.account().equals(onlyAccount));
            return List.of(groups, Resource.child(groups, "member", "id", (client, where, parent, out) -> {
                if (!childFailures.isEmpty()) {
                    atChildFailure.run();
                }
                failIfAsked(childFailures);
                out.accept(object(parent.get("id").asText() + "/a"));
                failIfAsked(lateChildFailures);
                out.accept(object(parent.get("id").asText() + "/b"));
            }));
        }

        @Override
        public Verdict classify(Throwable failure) {
            return switch (failure) {
                case FileNotFoundException e -> new Verdict.Gone();
                case EOFException e -> new Verdict.StartOver();
                case IOException e -> new Verdict.RetryWithBackoff();
                default -> new Verdict.Stop(StopReason.FORBIDDEN, failure.getMessage());
            };
        }

        private static void failIfAsked(List<Exception> failures) throws Exception {
            Exception failure = failures.isEmpty() ? null : failures.remove(0);
            if (failure != null) {
                throw failure;
            }
        }

        private static ObjectNode object(String id) {
            return JsonNodeFactory.instance.objectNode().put("id", id);
        }
    }
}
