package io.elder.normalizer;

import static org.assertj.core.api.Assertions.assertThat;

import io.elder.normalizer.state.ScopeState;
import io.elder.runtime.Settings;
import io.elder.schemas.Topics;
import io.elder.schemas.avro.HeldCommand;
import io.elder.schemas.avro.HeldItems;
import io.elder.schemas.avro.HeldPlan;
import io.elder.schemas.avro.HeldSummary;
import io.elder.schemas.avro.InventoryRecord;
import io.elder.schemas.avro.LastSeen;
import io.elder.schemas.avro.RawRecord;
import io.elder.schemas.avro.RawResource;
import io.elder.schemas.avro.Row;
import io.elder.schemas.avro.ScopeEvent;
import io.elder.schemas.avro.ScopeMark;
import io.elder.schemas.avro.Seal;
import io.elder.schemas.avro.SealReport;
import io.elder.schemas.avro.Verdict;
import io.elder.schemas.serde.AvroDeserializer;
import io.elder.schemas.serde.AvroSerializer;
import io.elder.schemas.serde.DeadLetter;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.UUID;
import java.util.stream.IntStream;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.generic.GenericRecordBuilder;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.EncoderFactory;
import org.apache.avro.specific.SpecificRecord;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.TestInputTopic;
import org.apache.kafka.streams.TestOutputTopic;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.TopologyTestDriver;
import org.apache.kafka.streams.test.TestRecord;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class NormalizerTopologyTest {
    private static final String SCOPE = "ldap/host/dc=x/ldap_user";
    private static final String OTHER_SCOPE = "ldap/host/dc=y/ldap_user";
    private static final Instant START = Instant.parse("2026-01-01T00:00:00Z");
    private static final Topics TOPICS = new Topics("elder.");

    @TempDir
    Path state;

    private Map<String, Object> serdes;
    private TopologyTestDriver driver;
    private TestInputTopic<String, RawRecord> raw;
    private TestInputTopic<String, byte[]> rawBytes;
    private TestInputTopic<String, ScopeEvent> commands;
    private TestInputTopic<String, ScopeEvent> decisions;
    private TestOutputTopic<String, ScopeEvent> decided;
    private TestOutputTopic<String, InventoryRecord> inventory;
    private TestOutputTopic<String, HeldPlan> held;
    private TestOutputTopic<String, Verdict> verdicts;
    private TestOutputTopic<String, ScopeEvent> reports;
    private TestOutputTopic<byte[], byte[]> letters;

    @BeforeEach
    void open() {
        open(Map.of());
    }

    private void open(Map<String, String> settings) {
        serdes = Map.of("schema.registry.url", "inprocess://" + UUID.randomUUID(), "auto.register.schemas", true);
        Properties properties = new Properties();
        properties.put("application.id", "normalizer-test");
        properties.put("bootstrap.servers", "nowhere:1");
        properties.put("state.dir", state.toString());
        properties.put("processing.guarantee", "exactly_once_v2");
        driver = new TopologyTestDriver(topology(settings), properties, START);
        raw = driver.createInputTopic(TOPICS.raw("ldap").name(), new StringSerializer(), this.<RawRecord>writer());
        rawBytes =
                driver.createInputTopic(TOPICS.raw("ldap").name(), new StringSerializer(), new ByteArraySerializer());
        commands = driver.createInputTopic(TOPICS.scopes().name(), new StringSerializer(), this.<ScopeEvent>writer());
        decisions =
                driver.createInputTopic(TOPICS.decisions().name(), new StringSerializer(), this.<ScopeEvent>writer());
        decided = driver.createOutputTopic(
                TOPICS.decisions().name(), new StringDeserializer(), this.<ScopeEvent>reader());
        inventory = driver.createOutputTopic(
                TOPICS.inventory().name(), new StringDeserializer(), this.<InventoryRecord>reader());
        held = driver.createOutputTopic(TOPICS.held().name(), new StringDeserializer(), this.<HeldPlan>reader());
        verdicts = driver.createOutputTopic(TOPICS.verdicts().name(), new StringDeserializer(), this.<Verdict>reader());
        reports = driver.createOutputTopic(TOPICS.scopes().name(), new StringDeserializer(), this.<ScopeEvent>reader());
        letters = driver.createOutputTopic(
                TOPICS.deadletter().name(), new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    @AfterEach
    void close() {
        driver.close();
    }

    @Test
    void describesItselfAsTheGoldenFileSays() throws IOException {
        Path golden = Path.of("src/test/resources/golden/normalizer-topology.txt");
        // The raw topics come in no order.
        String found = topology(Map.of())
                .describe()
                .toString()
                .replaceFirst("raw \\(topics: .*\\)", "raw (topics: elder.raw.*)");
        if (Boolean.getBoolean("golden.rewrite") && System.getenv("CI") == null) {
            Files.writeString(golden, found);
        }
        assertThat(found).isEqualTo(Files.readString(golden));
    }

    @Test
    void anUnchangedRecordIsDroppedUntilItsRefreshIsDue() {
        see("alice", 1);
        assertThat(rows()).hasSize(2);
        see("alice", 2);
        assertThat(rows()).isEmpty();
        see("alice", 1 + 24 * 60);
        assertThat(rows()).hasSize(2);
    }

    @Test
    void anOlderRecordIsOlderAlsoThanOneThatChangedNothing() {
        see("alice", 1);
        see("alice", 5);
        rows();
        send(SCOPE, "alice", 3, payload("alice", "Another Alice"));
        assertThat(rows()).isEmpty();
        send(SCOPE, "alice", 6, payload("alice", "Another Alice"));
        assertThat(rows()).isNotEmpty();
    }

    @Test
    void aSealDeletesWhatItsRunDidNotSee() {
        run(1, "alice", "bob");
        rows();
        run(2, "alice");
        List<InventoryRecord> found = all();
        assertThat(found.stream()
                        .filter(record -> record.getBody() instanceof Row)
                        .map(InventoryRecord::getKey))
                .containsExactly("ldap/host/ldap_user/bob", "ldap/host/ldap_user/bob#entity");
        assertThat(((Row) found.getFirst().getBody()).getDeleted()).isTrue();
        assertThat(((Row) found.getFirst().getBody()).getValues()).containsEntry("username", "ldap:bob");
        ScopeMark mark = (ScopeMark) found.getLast().getBody();
        assertThat(mark.getOutcome()).isEqualTo("sealed");
        assertThat(mark.getSeen()).isEqualTo(1);
        assertThat(mark.getDeleted()).isEqualTo(1);
        assertThat(found.getLast().getKey()).isEqualTo("mark|" + SCOPE + "|0");
    }

    @Test
    void aSealWhoseCountIsWrongDeletesNothing() {
        run(1, "alice", "bob");
        rows();
        see("alice", 2);
        seal(SCOPE, 2, 2);
        List<InventoryRecord> found = all();
        assertThat(found).hasSize(1);
        ScopeMark mark = (ScopeMark) found.getFirst().getBody();
        assertThat(mark.getOutcome()).isEqualTo("failed");
        assertThat(mark.getReason()).contains("1 records arrived (expected: 2)");
    }

    /** A record that was not understood has counted when it came first. */
    @Test
    void aRetriedDeadLetterDoesNotStandInForARecordThatIsMissing() {
        run(1, "alice", "bob", "cyd");
        see("alice", 2);
        send(SCOPE, "bob", 2, "{\"username\":7}");
        RawRecord again = record(SCOPE, 2, new RawResource("ldap/host/ldap_user/bob", payload("bob", "Bob")));
        TestRecord<String, RawRecord> retried = new TestRecord<>("ldap/host/ldap_user/bob", again, at(2));
        retried.headers().add(DeadLetter.RETRIED, new byte[] {'0', '-', '1'});
        raw.pipeInput(retried);
        assertThat(rows()).isNotEmpty();
        seal(SCOPE, 2, 3);
        List<InventoryRecord> found = all();
        assertThat(found).hasSize(1);
        assertThat(((ScopeMark) found.getFirst().getBody()).getReason()).contains("2 records arrived (expected: 3)");
    }

    @Test
    void poisonIsDeadLetteredAndTheNextRecordFlows() {
        rawBytes.pipeInput("k", new byte[] {9, 9}, at(1));
        send(SCOPE, "eve", 1, "{\"username\":7}");
        send(SCOPE, "mallory", 1, "[".repeat(20_000));
        see("alice", 1);
        assertThat(rows()).hasSize(2);
        List<TestRecord<byte[], byte[]>> refused = letters.readRecordsToList();
        assertThat(refused).hasSize(3);
        assertThat(refused.getFirst().value()).containsExactly(9, 9);
        assertThat(DeadLetter.text(refused.get(1).headers(), DeadLetter.ERROR_MESSAGE))
                .contains("ldap_user", "eve", "username: 7 (expected: a text)");
        assertThat(DeadLetter.text(refused.get(2).headers(), DeadLetter.ERROR_MESSAGE))
                .contains("mallory", "payload: too deep or too long (expected: a JSON object)");
    }

    @Test
    void aRecordOfAnotherTypeIsDeadLetteredAndTheNextRecordFlows() {
        InventoryRecord other =
                new InventoryRecord("k", SCOPE, "run", START, new ScopeMark(0, 1, "sealed", null, 0L, 0L, 0L));
        rawBytes.pipeInput("k", this.<InventoryRecord>writer().serialize("", other), at(1));
        see("alice", 1);
        assertThat(rows()).hasSize(2);
        List<TestRecord<byte[], byte[]>> refused = letters.readRecordsToList();
        assertThat(refused).hasSize(1);
        assertThat(DeadLetter.text(refused.getFirst().headers(), DeadLetter.ERROR_MESSAGE))
                .contains("InventoryRecord (expected: io.elder.schemas.avro.RawRecord)");
    }

    @Test
    void aRecordAfterItsDeadlineCountsOnlyIfItWasRetriedFromTheDeadLetters() {
        RawRecord late = record(SCOPE, 1, new RawResource("ldap/host/ldap_user/zoe", payload("zoe", "Zoe")));
        raw.pipeInput("ldap/host/ldap_user/zoe", late, at(62));
        assertThat(rows()).isEmpty();
        TestRecord<String, RawRecord> retried = new TestRecord<>("ldap/host/ldap_user/zoe", late, at(62));
        retried.headers().add(DeadLetter.RETRIED, new byte[] {'0', '-', '1'});
        raw.pipeInput(retried);
        assertThat(rows()).hasSize(2);
        run(63, "amy");
        rows();
        // Its run is over: what a later one saw, or missed, stays.
        raw.pipeInput(retried);
        assertThat(rows()).isEmpty();
    }

    @Test
    void aResourceThatCanNoLongerBeMappedIsStillSeen() {
        run(1, "alice", "bob");
        rows();
        see("alice", 2);
        send(SCOPE, "bob", 2, "{\"username\":7}");
        seal(SCOPE, 2, 2);
        assertThat(rows()).isEmpty();
    }

    @Test
    void anOlderObservationNeverWins() {
        see("alice", 5);
        rows();
        send(SCOPE, "alice", 4, payload("alice", "Old Name"));
        assertThat(rows()).isEmpty();
        run(6);
        rows();
        see("alice", 5);
        assertThat(rows()).isEmpty();
    }

    @Test
    void whatReturnsIsRestored() {
        run(1, "alice");
        run(2);
        rows();
        see("alice", 3);
        assertThat(rows()).hasSize(2).allMatch(record -> !((Row) record.getBody()).getDeleted());
    }

    @Test
    void twentyDeletionsAreWithinTheBudgetAndTwentyOneAreHeld() {
        run(1, names(0, 40));
        run(2, names(20, 40));
        assertThat(deletions()).hasSize(40);
        run(3, names(20, 61));
        deletions();
        run(4, names(41, 61));
        assertThat(deletions()).isEmpty();
        assertThat(held.readValuesToList().stream().map(HeldPlan::getBody).filter(HeldSummary.class::isInstance))
                .hasSize(1);
    }

    @Test
    void aFifthOfALargeScopeIsWithinTheBudgetAndOneMoreIsNot() {
        run(1, names(0, 200));
        run(2, names(40, 200));
        assertThat(deletions()).hasSize(80);
        run(3, names(73, 200));
        assertThat(deletions()).isEmpty();
    }

    @Test
    void aReleasedPlanDeletesExactlyItsKeysThatWereNotSeenSince() {
        run(1, names(0, 50));
        run(2, names(30, 50));
        rows();
        List<HeldPlan> plans = held.readValuesToList();
        HeldPlan summary = plans.stream()
                .filter(plan -> plan.getBody() instanceof HeldSummary)
                .findFirst()
                .orElseThrow();
        HeldItems items = (HeldItems) plans.stream()
                .map(HeldPlan::getBody)
                .filter(HeldItems.class::isInstance)
                .findFirst()
                .orElseThrow();
        assertThat(items.getKeys()).hasSize(30);
        see("user-3", 3);
        // Late and unseen by run 2, but not in the plan that was shown.
        see("latecomer", 1);
        rows();
        command(summary.getPlanId(), "release");
        assertThat(deletions())
                .hasSize(58)
                .noneMatch(record -> record.getKey().contains("user-3#")
                        || record.getKey().endsWith("/user-3")
                        || record.getKey().contains("latecomer"));
        assertThat(held.readKeyValuesToList().stream()
                        .filter(entry -> entry.key.equals(SCOPE))
                        .map(entry -> ((HeldSummary) entry.value.getBody()).getState()))
                .containsExactly("released");
    }

    /** One transaction has ten seconds. */
    @Test
    void aLargePlanIsReleasedBitByBit() {
        run(1, names(0, 25_050));
        run(2, names(0, 50));
        rows();
        command(lastPlan(), "release");
        List<Verdict> slices = verdicts.readValuesToList().stream()
                .filter(verdict -> verdict.getOutcome().equals("release"))
                .toList();
        assertThat(slices).extracting(Verdict::getPartition).containsExactly(null, 0, 0);
        assertThat(deletions()).hasSize(2 * 25_000);
        assertThat(held.readKeyValuesToList().stream()
                        .filter(entry -> entry.value == null)
                        .map(entry -> entry.key))
                .doesNotHaveDuplicates()
                .hasSize(25);
        run(3, names(0, 50));
        assertThat(deletions()).isEmpty();
    }

    @Test
    void aRejectedPlanDeletesNothingAndAnExpiredOneNeither() {
        run(1, names(0, 50));
        run(2, names(30, 50));
        command(lastPlan(), "reject");
        run(3, names(30, 50));
        String plan = lastPlan();
        driver.advanceWallClockTime(Duration.ofDays(8));
        assertThat(states()).contains("expired");
        command(plan, "release");
        assertThat(deletions()).isEmpty();
        assertThat(letters.readValuesToList()).hasSize(1);
    }

    @Test
    void aRebuildKnowsWhatPeopleDecided() {
        run(1, names(0, 50));
        run(2, names(30, 50));
        String released = lastPlan();
        command(released, "release");
        command(released, "reject");
        run(3, names(0, 50));
        run(4, names(21, 50));
        String superseded = lastPlan();
        run(5, names(22, 50));
        command(superseded, "release");
        command(lastPlan(), "reject");
        assertThat(letters.readValuesToList()).as("words on what was not held").hasSize(2);

        rebuild();
        run(1, names(0, 50));
        run(2, names(30, 50));
        assertThat(deletions()).hasSize(60);
        assertThat(states()).containsExactly("held", "released");
        run(3, names(0, 50));
        run(4, names(21, 50));
        assertThat(states()).containsExactly("held");
        run(5, names(22, 50));
        assertThat(states()).containsExactly("superseded", "held", "rejected");
        assertThat(deletions()).isEmpty();
        run(6, names(22, 50));
        assertThat(states()).as("decided on an earlier plan").containsExactly("held");
        assertThat(decided.isEmpty()).as("not said once more").isTrue();
        assertThat(letters.isEmpty()).isTrue();
    }

    /** Which of two topics is read first is up to the broker. */
    @Test
    void aRebuildKnowsWhatPeopleDecidedAlsoIfItIsReadAfterTheRun() {
        run(1, names(0, 50));
        run(2, names(30, 50));
        command(lastPlan(), "release");
        List<ScopeEvent> known = decided.readValuesToList();
        for (boolean anotherRunFollows : List.of(true, false)) {
            close();
            open();
            run(1, names(0, 50));
            run(2, names(30, 50));
            known.forEach(event -> decisions.pipeInput(SCOPE, event, event.getAt()));
            assertThat(deletions()).isEmpty();
            if (anotherRunFollows) {
                run(3, names(30, 50));
            } else {
                driver.advanceWallClockTime(Duration.ofDays(30));
            }
            assertThat(deletions()).hasSize(60);
            assertThat(states()).containsExactly("held", "released");
        }
    }

    @Test
    void aRebuildRetiresWhatWasRetiredHoweverLongAfter() {
        run(1, "alice", "bob");
        run(2, "alice", "bob");
        command("p", "retire");
        command("p", "release");
        assertThat(deletions()).hasSize(4);

        rebuild();
        driver.advanceWallClockTime(Duration.ofDays(30));
        run(1, "alice", "bob");
        assertThat(deletions()).as("retired after a later run").isEmpty();
        run(2, "alice", "bob");
        assertThat(deletions()).hasSize(4);
        assertThat(states()).isEmpty();
        run(10, "alice");
        assertThat(rows()).hasSize(2).noneMatch(record -> ((Row) record.getBody()).getDeleted());
    }

    /** In a rebuild a partition may be days of records, and hundreds of runs, ahead of another. */
    @Test
    void runsOfManyDaysBecomeWholePartitionByPartition() {
        for (int partition = 0; partition < 2; partition++) {
            for (int run = 1; run <= 400; run++) {
                partitionOfTwoReports(partition, run * 15);
            }
        }
        assertThat(verdicts.readValuesToList())
                .extracting(Verdict::getOutcome)
                .hasSize(400)
                .containsOnly("delete");
    }

    /** A pipeline may stand still for days, in the middle of a rebuild too. */
    @Test
    void reportsThatNobodyCompletesAreForgottenADayLaterOnceALaterRunWasDecidedOn() {
        partitionOfTwoReports(0, 1);
        partitionOfTwoReports(0, 3);
        driver.advanceWallClockTime(Duration.ofDays(3));
        partitionOfTwoReports(0, 2);
        partitionOfTwoReports(1, 2);
        driver.advanceWallClockTime(Duration.ofHours(2));
        partitionOfTwoReports(1, 1);
        assertThat(verdicts.readValuesToList()).extracting(Verdict::getRunId).containsExactly("1.2");
        partitionOfTwoReports(1, 3);
        assertThat(verdicts.readValuesToList()).extracting(Verdict::getRunId).containsExactly("1.3");
    }

    private void partitionOfTwoReports(int partition, int minute) {
        SealReport report = SealReport.newBuilder(report(minute, 0, 10, 0, Map.of()))
                .setRawPartition(partition)
                .setRawPartitions(2)
                .build();
        commands.pipeInput(SCOPE, new ScopeEvent(SCOPE, at(minute), report), at(minute));
    }

    @Test
    void aNewerSealSupersedesAPlan() {
        run(1, names(0, 50));
        run(2, names(30, 50));
        run(3, names(1, 50));
        assertThat(states()).containsExactly("held", "superseded");
        assertThat(deletions()).hasSize(2);
    }

    @Test
    void aScopeThatNobodyReadsAnyMoreIsRetiredOnceAPersonHasSeenWhatGoes() {
        send(OTHER_SCOPE, "shared", 1, payload("shared", "Shared"));
        seal(OTHER_SCOPE, 1, 1);
        run(2, "alice", "bob", "shared");
        rows();
        command("p", "retire");
        List<HeldPlan> plans = held.readValuesToList();
        assertThat(plans).allMatch(plan -> plan.getPlanId().equals("p"));
        assertThat(plans)
                .map(HeldPlan::getBody)
                .filteredOn(HeldItems.class::isInstance)
                .flatMap(body -> ((HeldItems) body).getKeys())
                .containsExactlyInAnyOrder(
                        "ldap/host/ldap_user/alice", "ldap/host/ldap_user/bob", "ldap/host/ldap_user/shared");
        assertThat(rows()).isEmpty();
        command("p", "release");
        assertThat(deletions()).hasSize(4).noneMatch(record -> record.getKey().contains("shared"));
        driver.advanceWallClockTime(Duration.ofHours(1));
        assertThat(inventory.readKeyValuesToList()).isEmpty();
        // Nobody else sees it then: the claim of the retired scope must not keep it for ever.
        seal(OTHER_SCOPE, 10, 0);
        assertThat(deletions()).hasSize(2).allMatch(record -> record.getKey().contains("shared"));
        // Who reads it after all finds it as it was.
        run(11, "alice");
        assertThat(rows()).hasSize(2).noneMatch(record -> ((Row) record.getBody()).getDeleted());
    }

    @Test
    void aScopeThatIsReadAgainIsNotRetired() {
        run(1, "alice", "bob");
        command("p", "retire");
        run(10, "alice", "bob");
        assertThat(states()).containsExactly("held", "superseded");
        command("p", "release");
        assertThat(deletions()).isEmpty();
        assertThat(letters.readValuesToList()).hasSize(1);
    }

    @Test
    void whatWasSeenSinceTheLastSealIsNotRetired() {
        run(1, "alice", "bob");
        see("bob", 3);
        command("p", "retire");
        see("alice", 3);
        command("p", "release");
        assertThat(deletions()).isEmpty();
    }

    @Test
    void aScopeIsNotRetiredBeforeEveryPartitionHasListedWhatItHas() {
        run(1, "alice", "bob");
        HeldCommand retire = new HeldCommand("p", "retire", "carol", 2, "", Instant.EPOCH);
        commands.pipeInput(SCOPE, new ScopeEvent(SCOPE, at(9), retire), at(9));
        assertThat(states()).isEmpty();
        command("p", "release");
        assertThat(deletions()).isEmpty();
        SealReport other = new SealReport(
                "retired", "p", "ldap", "ldap_user", at(1).plusMillis(1), 1, 2, 0L, 0L, 5L, 5L, at(0), List.of());
        commands.pipeInput(SCOPE, new ScopeEvent(SCOPE, at(9), other), at(9));
        HeldSummary summary = (HeldSummary) held.readValuesToList().getLast().getBody();
        assertThat(summary.getDeletions()).isEqualTo(7);
        command("p", "release");
        assertThat(deletions()).hasSize(4);
    }

    @Test
    void whatNeverWasAScopeIsNotRetired() {
        command("p", "retire");
        assertThat(states()).isEmpty();
        assertThat(letters.readRecordsToList()).singleElement().satisfies(letter -> assertThat(
                        DeadLetter.text(letter.headers(), DeadLetter.ERROR_MESSAGE))
                .contains(SCOPE, "expected: one that a run has sealed"));
    }

    @Test
    void aResourceThatAnotherScopeClaimsStays() {
        send(OTHER_SCOPE, "alice", 1, payload("alice", "Alice"));
        seal(OTHER_SCOPE, 1, 1);
        run(1, "alice");
        run(2);
        assertThat(deletions()).isEmpty();
        seal(OTHER_SCOPE, 3, 0);
        assertThat(deletions()).hasSize(2);
    }

    @Test
    void twoJobsThatShareAScopeDeleteNothingOfEachOther() {
        for (int round = 0; round < 3; round++) {
            runOf("7", 1 + 2 * round, "alice", "bob");
            runOf("connector:ldap", 2 + 2 * round, "cyd", "dan");
        }
        List<InventoryRecord> found = all();
        assertThat(found).noneMatch(record -> record.getBody() instanceof Row row && row.getDeleted());
        assertThat(found.stream().map(InventoryRecord::getBody).filter(ScopeMark.class::isInstance))
                .extracting(mark -> ((ScopeMark) mark).getOutcome())
                .containsExactly("sealed", "held", "held", "held", "held", "held");
        assertThat(((ScopeMark) found.getLast().getBody()).getReason())
                .startsWith("the scope was last read by job 7: two jobs must not share a scope"
                        + " (expected: job connector:ldap;")
                .endsWith("; 2 of 4 resources vanished (expected: at most 20)");
    }

    @Test
    void aJobThatReplacesAnotherIsHeldOnceAndThenDeletes() {
        runOf("7", 1, "alice", "bob");
        runOf("8", 2, "alice");
        assertThat(deletions()).isEmpty();
        HeldSummary summary = held.readValuesToList().stream()
                .map(HeldPlan::getBody)
                .filter(HeldSummary.class::isInstance)
                .map(HeldSummary.class::cast)
                .findFirst()
                .orElseThrow();
        assertThat(summary.getDeletions()).isEqualTo(1);
        assertThat(summary.getReason()).startsWith("the scope was last read by job 7: ");
        runOf("8", 3, "alice");
        assertThat(states()).containsExactly("superseded");
        assertThat(deletions()).extracting(InventoryRecord::getKey).allMatch(key -> key.contains("bob"));
    }

    @Test
    void whatIsHeldForAnotherJobsSakeIsReleasedAsShown() {
        runOf("7", 1, "alice", "bob");
        runOf("8", 2, "alice");
        rows();
        command(lastPlan(), "release");
        assertThat(deletions()).hasSize(2).allMatch(record -> record.getKey().contains("bob"));
    }

    @Test
    void aJobThatReplacesAnotherAndSeesTheSameIsNotHeld() {
        runOf("7", 1, "alice");
        runOf("8", 2, "alice", "bob");
        assertThat(states()).isEmpty();
        runOf("8", 3, "alice");
        assertThat(deletions()).hasSize(2);
    }

    @Test
    void theSealOfAnOlderRunIsIgnored() {
        run(3, "alice");
        rows();
        run(2);
        ScopeMark mark = (ScopeMark) all().getLast().getBody();
        assertThat(mark.getOutcome()).isEqualTo("failed");
        assertThat(mark.getReason()).isEqualTo(Judge.SUPERSEDED);
    }

    @Test
    void theBudgetIsThatOfAllPartitionsTogetherOnceAllHaveReported() {
        partitionReports(0, 40, 11);
        partitionReports(1, 10, 10);
        partitionReports(1, 10, 10);
        assertThat(states()).isEmpty();
        assertThat(all()).isEmpty();
        partitionReports(2, 0, 0);
        assertThat(states()).containsExactly("held");
        assertThat(((ScopeMark) all().getLast().getBody()).getRawPartitions()).isEqualTo(3);
    }

    /** Runs that wait follow each other faster than verdicts are carried out. */
    @Test
    void whatAnEarlierRunHasHadDeletedIsNotCountedAgain() {
        partitionReport(2, 0, 100, 15, Map.of(1, 15L));
        partitionReport(3, 0, 100, 34, Map.of(1, 15L, 2, 19L));
        partitionReport(4, 0, 100, 51, Map.of(1, 15L, 2, 19L, 3, 17L));
        assertThat(states()).isEmpty();
        partitionReport(5, 2, 85, 57, Map.of(2, 19L, 3, 17L, 4, 21L));
        assertThat(states()).containsExactly("held");
        assertThat(verdicts.readValuesToList().getLast().getReason())
                .isEqualTo("21 of 49 resources vanished (expected: at most 20)");
    }

    @Test
    void whatAPersonHasLetGoIsNotCountedAgain() {
        partitionReport(2, 0, 100, 30, Map.of(1, 30L));
        command(lastPlan(), "release");
        partitionReport(10, 0, 100, 45, Map.of(1, 30L, 2, 15L));
        partitionReport(11, 2, 70, 30, Map.of(1, 5L, 2, 15L, 10, 10L));
        assertThat(states()).containsExactly("released");
    }

    @Test
    void whatWasDeletedBeforeAReleaseIsNotCountedEither() {
        partitionReport(2, 0, 100, 15, Map.of(1, 15L));
        partitionReport(3, 0, 100, 45, Map.of(1, 15L, 2, 30L));
        command(lastPlan(), "release");
        partitionReport(10, 0, 100, 51, Map.of(1, 15L, 2, 30L, 3, 6L));
        assertThat(states()).containsExactly("released");
    }

    /** Another scope claimed the rest when the plan was made, so that nobody was shown it. */
    @Test
    void whatAPersonHasLetGoIsNoMoreThanWasShown() {
        partitionReport(2, 0, 100, 25, Map.of(1, 25L));
        command(lastPlan(), "release");
        partitionReport(10, 0, 100, 55, Map.of(1, 55L));
        assertThat(states()).containsExactly("released", "held");
        assertThat(verdicts.readValuesToList().getLast().getReason()).startsWith("30 of 75 resources vanished");
    }

    /** It came after the earlier run's deletions were carried out, however old it is. */
    @Test
    void whatCameAfterTheDeletionsOfAnEarlierRunIsCounted() {
        partitionReport(2, 0, 100, 15, Map.of(1, 15L));
        partitionReport(3, 2, 100, 21, Map.of(1, 21L));
        assertThat(states()).containsExactly("held");
    }

    /** What a run has had held still awaits a word: it is the next one's as well. */
    @Test
    void whatAnEarlierRunHasHadHeldIsCountedAgain() {
        partitionReport(2, 0, 100, 21, Map.of(1, 21L));
        partitionReport(3, 0, 100, 22, Map.of(1, 21L, 2, 1L));
        assertThat(states()).containsExactly("held", "superseded", "held");
    }

    @Test
    void aReportSaysWhoSawTheVanishedLastAndWhatWasDeletedBefore() {
        run(1, names(0, 30));
        run(2, names(0, 20));
        run(3, names(5, 15));
        send("ldap/other/ldap_user", "user-7", 3, payload("user-7", "user-7"));
        see("user-20", 4);
        reports.readValuesToList();
        seal(SCOPE, 5, 0);
        SealReport report = (SealReport) reports.readValuesToList().getFirst().getBody();
        assertThat(report.getDeletedBefore()).isEqualTo(at(3));
        assertThat(report.getLive()).isEqualTo(11);
        assertThat(report.getVanished()).isEqualTo(10);
        assertThat(report.getLastSeen()).containsExactly(new LastSeen(at(3), 9L), new LastSeen(at(4), 1L));
    }

    /** One transaction has ten seconds. */
    @Test
    void manyDeletionsWithinTheBudgetAreCarriedOutBitByBit() {
        close();
        open(Map.of("DELETE_BUDGET_PERCENT", "100"));
        run(1, names(0, 60_000));
        rows();
        run(2);
        List<InventoryRecord> found = all();
        assertThat(found.stream().filter(record -> record.getBody() instanceof Row))
                .hasSize(2 * 60_000);
        assertThat(((ScopeMark) found.getLast().getBody()))
                .returns("sealed", ScopeMark::getOutcome)
                .returns(60_000L, ScopeMark::getDeleted);
        assertThat(verdicts.readValuesToList().stream()
                        .filter(verdict -> verdict.getRunId().equals("1.2")))
                .extracting(Verdict::getPartition)
                .containsExactly(null, 0);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void whatWasDecidedBeforeAnUpgradeIsStillKnown(int format) throws IOException {
        Schema schema =
                new Schema.Parser().parse(ScopeState.class.getResourceAsStream("ScopeState-" + format + ".avsc"));
        GenericRecordBuilder written = new GenericRecordBuilder(schema)
                .set("decidedAt", 7L)
                .set("decidedRun", "1.7")
                .set("pending", List.of(pendingSeal(schema)));
        if (format > 1) {
            written.set("deletedBefore", 6L);
        }
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        bytes.write(format);
        BinaryEncoder encoder = EncoderFactory.get().directBinaryEncoder(bytes, null);
        new GenericDatumWriter<>(schema).write(written.build(), encoder);
        ScopeState expected = new ScopeState(7L, "1.7", format > 1 ? 6L : 0L, 0L, 0L);
        assertThat(Judge.scopeStates().record(bytes.toByteArray())).isEqualTo(expected);
        assertThat(Judge.scopeStates().record(Judge.scopeStates().bytes(expected)))
                .isEqualTo(expected);
    }

    /** What was being counted at the time is left out. */
    private static GenericRecord pendingSeal(Schema state) {
        Schema seal = state.getField("pending").schema().getElementType();
        Schema report = seal.getField("reports").schema().getElementType();
        GenericRecordBuilder one = new GenericRecordBuilder(report);
        report.getFields().stream()
                .filter(field -> !field.hasDefaultValue())
                .forEach(field ->
                        one.set(field, field.schema().getType() == Schema.Type.INT ? (Object) 1 : (Object) 1L));
        return new GenericRecordBuilder(seal)
                .set("runId", "1.8")
                .set("attempt", "attempt-8")
                .set("since", 5L)
                .set("reports", List.of(one.build()))
                .build();
    }

    @Test
    void aRecordAfterItsDeadlineIsFenced() {
        raw.pipeInput(
                "k", record(SCOPE, 1, new RawResource("ldap/host/ldap_user/alice", payload("alice", "A"))), at(100));
        assertThat(rows()).isEmpty();
    }

    @Test
    void deletedRowsArePurgedInTime() {
        run(1, "alice");
        run(2);
        rows();
        driver.advanceWallClockTime(Duration.ofDays(29));
        assertThat(inventory.readKeyValuesToList()).isEmpty();
        driver.advanceWallClockTime(Duration.ofDays(2));
        assertThat(inventory.readKeyValuesToList())
                .containsExactly(
                        KeyValue.pair("ldap/host/ldap_user/alice", null),
                        KeyValue.pair("ldap/host/ldap_user/alice#entity", null));
    }

    @Test
    void identitiesThatShareAVerifiedAddressAreLinkedToTheFirst() {
        person("cyd", 1, "Ann@Example.com", true);
        assertThat(links()).isEmpty();
        person("bea", 2, "ann@example.com", true);
        assertThat(links()).containsExactly("cyd -> bea");
        person("ann", 3, "ann@example.com ", true);
        assertThat(links()).containsExactly("bea -> ann", "cyd -> ann");
        person("dan", 4, "ann@example.com", false);
        person("eve", 4, "eve@example.com", true);
        assertThat(links()).isEmpty();
    }

    @Test
    void aLinkGoesWithEitherEndAndWithTheAddress() {
        person("ann", 1, "a@example.com", true);
        person("bea", 1, "a@example.com", true);
        person("cyd", 1, "a@example.com", true);
        seal(SCOPE, 1, 3);
        links();
        person("bea", 2, "b@example.com", true);
        assertThat(links()).containsExactly("bea -/-> ann");
        person("cyd", 2, "a@example.com", true);
        seal(SCOPE, 2, 2);
        // Who came first is gone, and nobody is left to point to.
        assertThat(links()).containsExactly("cyd -/-> ann");
        person("ann", 3, "a@example.com", true);
        assertThat(links()).containsExactly("cyd -> ann");
        person("cyd", 4, "a@example.com", false);
        assertThat(links()).containsExactly("cyd -/-> ann");
    }

    @Test
    void aLinkIsNeverOlderThanTheLastWordOnIt() {
        person("bea", 50, "a@example.com", true);
        person("cyd", 60, "a@example.com", true);
        links();
        person(OTHER_SCOPE, "ann", 5, "a@example.com", true);
        assertThat(rows().stream()
                        .filter(record -> record.getKey().contains("#same_person:"))
                        .map(InventoryRecord::getObservedAt))
                .containsExactly(at(60), at(60));
    }

    /** The end of the old link and the begin of the new one are told of by different partitions, in any order. */
    @Test
    void whoChangesFromOneSharedAddressToAnotherKeepsTheNewLinkInWhateverOrderTheyAreToldOf() {
        person("ann", 60, "a@example.com", true);
        person("abe", 40, "b@example.com", true);
        person("bea", 50, "a@example.com", true);
        assertThat(links()).containsExactly("bea -> ann");
        person("bea", 55, "b@example.com", true);
        Map<String, Boolean> ended = new TreeMap<>();
        rows().stream()
                .filter(record -> record.getKey().contains("#same_person:"))
                .forEach(record -> ended.put(record.getKey(), ((Row) record.getBody()).getDeleted()));
        assertThat(ended)
                .as("each under a key of its own, so that neither is older than the other")
                .isEqualTo(Map.of(
                        "ldap/host/ldap_user/bea#same_person:a@example.com",
                        true,
                        "ldap/host/ldap_user/bea#same_person:b@example.com",
                        false));
    }

    @Test
    void anAddressThatAnotherPersonGetsLinksToThatPersonAndNoLongerToTheFirst() {
        person("ann", 1, "desk@example.com", true);
        person(OTHER_SCOPE, "zoe", 1, "desk@example.com", true);
        assertThat(links()).containsExactly("zoe -> ann");
        person("ann", 2, "ann@example.com", true);
        person("bea", 2, "desk@example.com", true);
        assertThat(links()).containsExactly("zoe -/-> ann", "zoe -> bea");
    }

    @Test
    void nothingButTheWholeAddressLinks() {
        person("ann", 1, "ann@example.com", true);
        // Who may claim a tag, a dot, a look-alike or the same name is not who has the address.
        person(OTHER_SCOPE, "ann", 1, "ann+admin@example.com", true);
        person(OTHER_SCOPE, "a.nn", 1, "a.nn@example.com", true);
        person(OTHER_SCOPE, "look-alike", 1, "аnn@example.com", true);
        person(OTHER_SCOPE, "elsewhere", 1, "ann@example.org", true);
        person(OTHER_SCOPE, "unverified", 1, "ann@example.com", false);
        person(OTHER_SCOPE, "nameless", 1, "", true);
        person(OTHER_SCOPE, "too", 1, "", true);
        assertThat(links()).isEmpty();
    }

    @Test
    void aPurgedIdentityTakesItsLinkWithIt() {
        person("ann", 1, "a@example.com", true);
        person("bea", 1, "a@example.com", true);
        seal(SCOPE, 1, 2);
        person("ann", 2, "a@example.com", true);
        seal(SCOPE, 2, 1);
        rows();
        driver.advanceWallClockTime(Duration.ofDays(31));
        assertThat(inventory.readKeyValuesToList())
                .containsExactly(
                        KeyValue.pair("ldap/host/ldap_user/bea", null),
                        KeyValue.pair("ldap/host/ldap_user/bea#same_person:a@example.com", null),
                        KeyValue.pair("ldap/host/ldap_user/bea#entity", null));
    }

    private void person(String name, int minute, String email, boolean isVerified) {
        person(SCOPE, name, minute, email, isVerified);
    }

    private void person(String scope, String name, int minute, String email, boolean isVerified) {
        send(
                scope,
                name,
                minute,
                payload(name, name)
                        .replaceFirst("\\{", "{\"email\":\"" + email + "\",\"email_verified\":" + isVerified + ","));
    }

    /** The links that were written since the last look. */
    private List<String> links() {
        return rows().stream()
                .filter(record -> record.getKey().contains("#same_person:"))
                .map(record -> (Row) record.getBody())
                .map(row -> name(row.getReferences().get("source"))
                        + (row.getDeleted() ? " -/-> " : " -> ")
                        + name(row.getReferences().get("target")))
                .toList();
    }

    private static String name(String key) {
        return key.substring(key.lastIndexOf('/') + 1);
    }

    private Topology topology(Map<String, String> environment) {
        NormalizerSettings settings = NormalizerSettings.from(Settings.of(environment));
        return NormalizerTopology.topology(new TopicsAndSettings(TOPICS, settings, serdes, new SimpleMeterRegistry()));
    }

    private void run(int minute, String... names) {
        for (String name : names) {
            see(name, minute);
        }
        seal(SCOPE, minute, names.length);
    }

    private void runOf(String job, int minute, String... names) {
        for (String name : names) {
            String key = "ldap/host/ldap_user/" + name;
            raw.pipeInput(key, of(job, minute, new RawResource(key, payload(name, name))), at(minute));
        }
        raw.pipeInput(SCOPE, of(job, minute, new Seal(0, 1, (long) names.length, (long) names.length)), at(minute));
    }

    private static RawRecord of(String job, int minute, Object body) {
        return new RawRecord(
                SCOPE, "ldap", "ldap_user", job + "." + minute, "attempt-" + minute, at(minute), at(minute + 60), body);
    }

    private void see(String name, int minute) {
        send(SCOPE, name, minute, payload(name, name));
    }

    private void send(String scope, String name, int minute, String payload) {
        String key = "ldap/host/ldap_user/" + name;
        raw.pipeInput(key, record(scope, minute, new RawResource(key, payload)), at(minute));
    }

    private void seal(String scope, int minute, long count) {
        raw.pipeInput(scope, record(scope, minute, new Seal(0, 1, count, count)), at(minute));
    }

    private void partitionReports(int partition, long live, long vanished) {
        SealReport report = new SealReport(
                "1.1", "attempt-1", "ldap", "ldap_user", at(1), partition, 3, 0L, 0L, live, vanished, at(0), List.of());
        commands.pipeInput(SCOPE, new ScopeEvent(SCOPE, at(1), report), at(1));
    }

    private void partitionReport(int minute, int deletedBefore, long live, long vanished, Map<Integer, Long> lastSeen) {
        SealReport report = report(minute, deletedBefore, live, vanished, lastSeen);
        commands.pipeInput(SCOPE, new ScopeEvent(SCOPE, at(minute), report), at(minute));
    }

    /** @param lastSeen the minute of a run to how many of the vanished it saw last */
    private static SealReport report(
            int minute, int deletedBefore, long live, long vanished, Map<Integer, Long> lastSeen) {
        return SealReport.newBuilder()
                .setRunId("1." + minute)
                .setAttempt("attempt-" + minute)
                .setProvider("ldap")
                .setKind("ldap_user")
                .setObservedAt(at(minute))
                // Of a partition that is not here: its verdicts are carried out by nobody.
                .setRawPartition(7)
                .setRawPartitions(1)
                .setExpected(0)
                .setArrived(0)
                .setLive(live)
                .setVanished(vanished)
                .setDeletedBefore(at(deletedBefore))
                .setLastSeen(lastSeen.entrySet().stream()
                        .map(run -> new LastSeen(at(run.getKey()), run.getValue()))
                        .toList())
                .build();
    }

    private void command(String plan, String action) {
        HeldCommand command = new HeldCommand(plan, action, "carol", 1, "", Instant.EPOCH);
        commands.pipeInput(SCOPE, new ScopeEvent(SCOPE, at(9), command), at(9));
    }

    /** As a rebuild begins: nothing is there but the raw topics and what was decided. */
    private void rebuild() {
        List<ScopeEvent> known = decided.readValuesToList();
        close();
        open();
        known.forEach(event -> decisions.pipeInput(SCOPE, event, event.getAt()));
    }

    private static RawRecord record(String scope, int minute, Object body) {
        return new RawRecord(
                scope, "ldap", "ldap_user", "1." + minute, "attempt-" + minute, at(minute), at(minute + 60), body);
    }

    private static Instant at(int minute) {
        return START.plus(Duration.ofMinutes(minute));
    }

    private static String payload(String username, String name) {
        return "{\"username\":\"" + username + "\",\"full_name\":\"" + name
                + "\",\"enabled\":true,\"dn\":\"uid=" + username
                + ",dc=x\",\"server\":\"host\",\"base_dn\":\"dc=x\",\"attributes\":{}}";
    }

    private static String[] names(int from, int to) {
        return IntStream.range(from, to).mapToObj(i -> "user-" + i).toArray(String[]::new);
    }

    private List<InventoryRecord> all() {
        return inventory.readValuesToList();
    }

    private List<InventoryRecord> rows() {
        return all().stream().filter(record -> record.getBody() instanceof Row).toList();
    }

    private List<InventoryRecord> deletions() {
        return rows().stream()
                .filter(record -> ((Row) record.getBody()).getDeleted())
                .toList();
    }

    private String lastPlan() {
        return held.readValuesToList().stream()
                .filter(plan -> plan != null && plan.getBody() instanceof HeldSummary)
                .toList()
                .getLast()
                .getPlanId();
    }

    private List<String> states() {
        return held.readValuesToList().stream()
                .filter(plan -> plan != null && plan.getBody() instanceof HeldSummary)
                .map(plan -> ((HeldSummary) plan.getBody()).getState())
                .toList();
    }

    private <T extends SpecificRecord> AvroSerializer<T> writer() {
        AvroSerializer<T> writer = new AvroSerializer<>();
        writer.configure(serdes, false);
        return writer;
    }

    private <T extends SpecificRecord> AvroDeserializer<T> reader() {
        AvroDeserializer<T> reader = new AvroDeserializer<>();
        reader.configure(serdes, false);
        return reader;
    }
}
