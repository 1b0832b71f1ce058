package io.elder.writeback;

import io.elder.runtime.Settings;
import io.elder.schemas.Topics;
import io.elder.schemas.avro.CallDone;
import io.elder.schemas.avro.HeldPlan;
import io.elder.schemas.avro.HeldSummary;
import io.elder.schemas.avro.InventoryRecord;
import io.elder.schemas.avro.PlannedChange;
import io.elder.schemas.avro.RawRecord;
import io.elder.schemas.avro.RawResource;
import io.elder.schemas.avro.Row;
import io.elder.schemas.avro.ScopeMark;
import io.elder.schemas.avro.Seal;
import io.elder.schemas.avro.WritebackCommand;
import io.elder.schemas.avro.WritebackEvent;
import io.elder.schemas.avro.WritebackPlan;
import io.elder.schemas.avro.WritebackResult;
import io.elder.schemas.serde.AvroDeserializer;
import io.elder.schemas.serde.AvroSerializer;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.avro.specific.SpecificRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.TestInputTopic;
import org.apache.kafka.streams.TestOutputTopic;
import org.apache.kafka.streams.TopologyTestDriver;
import org.apache.kafka.streams.test.TestRecord;

/**
 * Elder's tables, an Okta and all that is between them but for the planner, which is the real one: change capture, the
 * normalizer's and the sink's part in a sync, and whoever makes the calls.
 */
final class World implements AutoCloseable {
    private static final Topics TOPICS = new Topics("elder.");
    private static final Map<String, Object> SERDES = Map.of("schema.registry.url", "inprocess://writeback-test");
    static final Instant START = Instant.parse("2026-11-21T05:00:00Z");

    /** A row of the memberships' table. */
    static final class Membership {
        final int id;
        final String pair;
        final Instant madeAt;
        String expiresAt;
        String sourceKey;
        String runId;
        String deletedAt;

        Membership(int id, String pair, Instant madeAt) {
            this.id = id;
            this.pair = pair;
            this.madeAt = madeAt;
        }
    }

    final Set<String> provider = new TreeSet<>();
    final Map<Integer, Membership> rows = new LinkedHashMap<>();
    final List<String> calls = new ArrayList<>();
    final Map<String, HeldPlan> held = new TreeMap<>();
    final List<WritebackResult> results = new ArrayList<>();
    int effective;
    String account = "acme.okta.com";

    private final Path folder;
    private final WritebackSettings settings;
    private TopologyTestDriver driver;
    private TestInputTopic<String, byte[]> groups;
    private TestInputTopic<String, byte[]> identities;
    private TestInputTopic<String, byte[]> memberships;
    private TestInputTopic<String, InventoryRecord> inventory;
    private TestInputTopic<String, RawRecord> raw;
    private TestInputTopic<String, WritebackEvent> events;
    private TestOutputTopic<String, WritebackPlan> plans;
    private TestOutputTopic<String, WritebackResult> resultsOut;
    private TestOutputTopic<String, HeldPlan> heldOut;
    private final Map<String, Integer> ids = new HashMap<>();
    /** What the normalizer knows: present or not, by pair; it repeats nothing. */
    private final Map<String, Boolean> known = new HashMap<>();

    private final List<WritebackPlan> underWay = new ArrayList<>();

    private final List<String> carriedOut = new ArrayList<>();

    /** The last changes of rows, and the last results: what a log tells twice. */
    private final List<TestRecord<String, byte[]>> toldLast = new ArrayList<>();

    private final List<WritebackEvent> doneLast = new ArrayList<>();

    /** A run that has read the provider, and has said nothing of it yet. */
    private Run reading;

    private record Run(Instant at, Set<String> seen) {}

    /** How far the clock of the fetchers is ahead. */
    Duration readersAhead = Duration.ZERO;

    /** The sink does not see rows that people are just writing, and writes its own. */
    boolean sinkIsBlind;

    /** Rows that results were noted in, and whether they say that the member is there. */
    private final Map<Integer, Boolean> marked = new HashMap<>();

    private Instant now = START;
    private long log = 1000;
    private int transaction = 1;
    private int nextRow = 1;
    private int runs;

    World(Path folder, Map<String, String> more) {
        Map<String, String> values = new HashMap<>(Map.of(
                "OKTA_WRITE_BACK_ENABLED", "true",
                "OKTA_DOMAIN", "acme.okta.com",
                "OKTA_API_TOKEN", "token",
                "WRITEBACK_CONFIRMED", "okta",
                "WRITEBACK_CONFLICT_DELAY", "5s"));
        values.putAll(more);
        Settings all = Settings.of(values);
        this.folder = folder;
        this.settings = WritebackSettings.from(all);
        all.check();
        start();
    }

    private void start() {
        Properties properties = new Properties();
        properties.put("application.id", "writeback-test");
        properties.put("bootstrap.servers", "nowhere:1");
        properties.put("state.dir", folder.toString());
        driver = new TopologyTestDriver(
                PlannerTopology.topology(new PlannerTopology.Parts(
                        TOPICS,
                        settings,
                        SERDES,
                        1,
                        new SimpleMeterRegistry(),
                        org.apache.kafka.streams.state.Stores::inMemoryKeyValueStore)),
                properties,
                now);
        StringSerializer key = new StringSerializer();
        groups = driver.createInputTopic(TOPICS.cdc("identity_groups").name(), key, new ByteArraySerializer());
        identities = driver.createInputTopic(TOPICS.cdc("identities").name(), key, new ByteArraySerializer());
        memberships = driver.createInputTopic(
                TOPICS.cdc("identity_group_memberships").name(), key, new ByteArraySerializer());
        inventory = driver.createInputTopic(TOPICS.inventory().name(), key, writer());
        raw = driver.createInputTopic(TOPICS.raw("okta").name(), key, writer());
        events = driver.createInputTopic(TOPICS.writebackEvents().name(), key, writer());
        plans = driver.createOutputTopic(TOPICS.writebackPlans().name(), new StringDeserializer(), reader());
        resultsOut = driver.createOutputTopic(TOPICS.writebackResults().name(), new StringDeserializer(), reader());
        heldOut = driver.createOutputTopic(TOPICS.held().name(), new StringDeserializer(), reader());
    }

    /** Ends the planner at any moment; the next one has what its changelogs hold. */
    void restart() {
        hear();
        Map<String, List<KeyValue<String, Object>>> kept = new HashMap<>();
        for (String name : driver.getAllStateStores().keySet()) {
            kept.put(
                    name,
                    Stores.list(driver.<String, Object>getKeyValueStore(name).all()));
        }
        driver.close();
        start();
        kept.forEach((name, entries) -> entries.forEach(
                entry -> driver.<String, Object>getKeyValueStore(name).put(entry.key, entry.value)));
    }

    /** Change capture and the applier's log say their last words again, in the same order. */
    void tellAgain() {
        toldLast.forEach(memberships::pipeInput);
        doneLast.forEach(done -> events.pipeInput("", done, now));
        hear();
    }

    /** Begins another database: its log counts from the beginning. */
    void restoreElsewhere() {
        log = 1;
    }

    private static <T extends SpecificRecord> AvroSerializer<T> writer() {
        AvroSerializer<T> writer = new AvroSerializer<>();
        writer.configure(SERDES, false);
        return writer;
    }

    private static <T extends SpecificRecord> AvroDeserializer<T> reader() {
        AvroDeserializer<T> reader = new AvroDeserializer<>();
        reader.configure(SERDES, false);
        return reader;
    }

    Instant now() {
        return now;
    }

    void pass(Duration duration) {
        pass(duration, Planner.TICK);
    }

    /** Time in steps: what is due meanwhile is done at the end of a step. */
    void pass(Duration duration, Duration steps) {
        long left = duration.toMillis();
        while (left > 0) {
            long step = Math.min(left, steps.toMillis());
            now = now.plusMillis(step);
            driver.advanceWallClockTime(Duration.ofMillis(step));
            left -= step;
        }
        hear();
    }

    /** Lets time pass and makes the calls until nothing more happens. */
    void settle() {
        for (int quiet = 0; quiet < 7; ) {
            pass(Duration.ofMillis(1000), Duration.ofMillis(250));
            quiet = callAll() == 0 ? quiet + 1 : 0;
        }
    }

    void group(String name) {
        group(name, name);
    }

    void group(String id, String name) {
        groups.pipeInput(Integer.toString(id(id)), event("c", null, """
                        {"id": %d, "name": "okta:%s", "provider": "okta", "provider_group_id": "%s", "sync_enabled": true,
                         "is_active": true, "source_key": "okta/%s/okta_group/%s"}""".formatted(id(id), name, id, account, id)), now);
    }

    /** A group that is not synced. */
    void groupOff(String id) {
        groups.pipeInput(Integer.toString(id(id)), event("c", null, groupJson(id, false)), now);
    }

    /** Something that is heard of before the switch, though it was written after it. */
    void switchOnBehind(String id, Runnable later) {
        byte[] on = event("u", groupJson(id, false), groupJson(id, true));
        later.run();
        groups.pipeInput(Integer.toString(id(id)), on, now);
    }

    /** A group is switched off and on again, and both are heard of after what happened between them and then. */
    void switchOffAndOnBehind(String id, Runnable between, Runnable then) {
        byte[] off = event("u", groupJson(id, true), groupJson(id, false));
        pass(Planner.TICK);
        between.run();
        pass(Planner.TICK);
        byte[] on = event("u", groupJson(id, false), groupJson(id, true));
        pass(Planner.TICK);
        then.run();
        groups.pipeInput(Integer.toString(id(id)), off, now);
        groups.pipeInput(Integer.toString(id(id)), on, now);
    }

    private String groupJson(String id, boolean isOn) {
        return """
                {"id": %d, "name": "okta:%s", "provider": "okta", "provider_group_id": "%s", "sync_enabled": %s,
                 "is_active": true, "source_key": "okta/%s/okta_group/%s"}""".formatted(id(id), id, id, isOn, account, id);
    }

    void user(String name) {
        identities.pipeInput(
                Integer.toString(id(name)), event("c", null, """
                        {"id": %d, "auth_provider_id": "%s", "source_key": "okta/%s/okta_user/%s"}""".formatted(id(name), name, account, name)), now);
    }

    /** A second identity in Elder of a user of the provider. */
    void twin(String name, String of) {
        identities.pipeInput(Integer.toString(id(name)), event("c", null, """
                        {"id": %d, "auth_provider_id": "okta:%s:%s"}""".formatted(id(name), account, of)), now);
    }

    private int id(String name) {
        return ids.computeIfAbsent(name, unused -> ids.size() + 1);
    }

    static String pair(String group, String user) {
        return group + "/" + user;
    }

    Optional<Membership> live(String pair) {
        return rows.values().stream()
                .filter(row -> row.pair.equals(pair) && row.deletedAt == null)
                .filter(row ->
                        row.expiresAt == null || Instant.parse(row.expiresAt).isAfter(now))
                .findFirst();
    }

    /** All rows of a pair, one of which lives. */
    List<Membership> rowsOf(String pair) {
        return rows.values().stream()
                .filter(row -> row.pair.equals(pair) && row.deletedAt == null)
                .toList();
    }

    Set<String> livePairs() {
        Set<String> live = new TreeSet<>();
        rows.values().forEach(row -> live(row.pair).ifPresent(unused -> live.add(row.pair)));
        return live;
    }

    /** Somebody puts a row there. */
    Membership add(String pair, Instant expiresAt) {
        Membership row = new Membership(nextRow++, pair, now);
        row.expiresAt = expiresAt == null ? null : expiresAt.toString();
        rows.put(row.id, row);
        transaction++;
        tell("c", null, row);
        return row;
    }

    /** Somebody puts a row there, and it is heard of later. */
    void addHeardLate(String pair, Instant expiresAt, Duration late, Runnable meanwhile) {
        Membership row = new Membership(nextRow++, pair, now);
        row.expiresAt = expiresAt == null ? null : expiresAt.toString();
        rows.put(row.id, row);
        byte[] event = event("c", null, json(row));
        meanwhile.run();
        pass(late);
        memberships.pipeInput(Integer.toString(row.id), event, now);
        hear();
    }

    /** Somebody deletes a row, and it is heard of after what happened half a second later: they come from different partitions. */
    void deleteHeardLate(Membership row, Runnable meanwhile) {
        rows.remove(row.id);
        transaction++;
        byte[] event = event("d", json(row), "null");
        pass(Duration.ofMillis(500));
        meanwhile.run();
        TestRecord<String, byte[]> told = new TestRecord<>(Integer.toString(row.id), event, now);
        memberships.pipeInput(told);
        toldLast.add(told);
        hear();
    }

    /** The sink makes a person's row its own, and it is heard of later. */
    void adoptedHeardLate(Membership row, Duration late) {
        String before = json(row);
        row.sourceKey = key(row.pair);
        row.runId = "run-of-the-sink";
        byte[] event = event("u", before, json(row));
        pass(late);
        memberships.pipeInput(Integer.toString(row.id), event, now);
        hear();
    }

    /** Somebody deletes rows, all in one transaction. */
    void delete(List<Membership> some) {
        transaction++;
        deleteToo(some);
    }

    /** The same in the transaction that is open. */
    void deleteToo(List<Membership> some) {
        for (Membership row : List.copyOf(some)) {
            rows.remove(row.id);
            tell("d", json(row), row);
        }
    }

    void deleteOneByOne(List<Membership> some) {
        some.forEach(row -> delete(List.of(row)));
    }

    /** Puts rows back as they were, ids and all: in the transaction that is open, or one by one. */
    void putBack(List<Membership> some, boolean isOneByOne) {
        for (Membership row : some) {
            transaction += isOneByOne ? 1 : 0;
            rows.put(row.id, row);
            tell("c", null, row);
        }
    }

    void truncate() {
        rows.clear();
        transaction++;
        log++;
        memberships.pipeInput("truncate", source("t", "null", "null"), now);
        hear();
    }

    /** A truncation that overtakes what was written before it: they are in different partitions. */
    void truncateBefore(Runnable earlier) {
        log++;
        long truncated = log + 100;
        long heard = log;
        log = truncated;
        truncate();
        log = heard;
        earlier.run();
        rows.clear();
        log = truncated + 1;
    }

    void snapshot(Membership row) {
        rows.put(row.id, row);
        memberships.pipeInput(Integer.toString(row.id), source("r", "null", json(row)), now);
    }

    void imported(String pair) {
        provider.add(pair);
    }

    private void tell(String operation, String before, Membership row) {
        log++;
        String after = operation.equals("d") ? "null" : json(row);
        TestRecord<String, byte[]> told = new TestRecord<>(
                Integer.toString(row.id), source(operation, before == null ? "null" : before, after), now);
        memberships.pipeInput(told);
        toldLast.add(told);
        if (operation.equals("d")) {
            memberships.pipeInput(new TestRecord<>(told.key(), null, now));
        }
        if (toldLast.size() > 3) {
            toldLast.removeFirst();
        }
        hear();
    }

    private String json(Membership row) {
        String[] pair = row.pair.split("/");
        return """
                {"id": %d, "group_id": %d, "identity_id": %d, "expires_at": %s, "source_key": %s, "run_id": %s, "deleted_at": %s}""".formatted(
                        row.id,
                        id(pair[0]),
                        id(pair[1]),
                        text(row.expiresAt),
                        text(row.sourceKey),
                        text(row.runId),
                        text(row.deletedAt));
    }

    private static String text(String value) {
        return value == null ? "null" : '"' + value + '"';
    }

    private byte[] event(String operation, String before, String after) {
        log++;
        transaction++;
        return source(operation, before == null ? "null" : before, after);
    }

    private byte[] source(String operation, String before, String after) {
        return """
                {"before": %s, "after": %s, "op": "%s", "source": {"txId": %d, "lsn": %d, "ts_ms": %d}}""".formatted(before, after, operation, transaction, log, now.toEpochMilli())
                .getBytes(StandardCharsets.UTF_8);
    }

    /** The provider is read whole: by the fetcher, the normalizer and the sink. */
    void sync() {
        beginSync();
        endSync();
    }

    /** The fetcher reads the provider; what it saw is heard of when the sync ends. */
    void beginSync() {
        endSync();
        reading = new Run(now.plus(readersAhead), new TreeSet<>(provider));
    }

    void endSync() {
        endSync(() -> {});
    }

    /** @param between what happens once all members were named, and before it is known that these are all */
    void endSync(Runnable between) {
        if (reading == null) {
            return;
        }
        Instant at = reading.at();
        Set<String> seen = reading.seen();
        reading = null;
        String run = "run-" + ++runs;
        String scope = "okta/" + account + "/-/okta_group_member";
        for (String pair : seen) {
            raw.pipeInput(key(pair), raw(scope, run, at, new RawResource(key(pair), "{}")), now);
        }
        between.run();
        raw.pipeInput(scope, raw(scope, run, at, new Seal(0, 1, (long) seen.size(), (long) seen.size())), now);
        Set<String> all = new TreeSet<>(known.keySet());
        all.addAll(seen);
        for (String pair : all) {
            boolean is = seen.contains(pair);
            if (is == known.getOrDefault(pair, false)) {
                continue;
            }
            known.put(pair, is);
            String[] parts = pair.split("/");
            Row row = new Row(
                    "identity_group_memberships",
                    !is,
                    0L,
                    Map.of(),
                    Map.of(
                            "group", "okta/" + account + "/okta_group/" + parts[0],
                            "identity", "okta/" + account + "/okta_user/" + parts[1]),
                    null,
                    List.of());
            inventory.pipeInput(key(pair), new InventoryRecord(key(pair), scope, run, at, row), now);
            sink(pair, is, run, at);
        }
        if (!sinkIsBlind) {
            joinTwins();
        }
        ScopeMark mark = new ScopeMark(0, 1, "sealed", null, (long) seen.size(), 0L, 0L);
        inventory.pipeInput("mark|" + scope, new InventoryRecord("mark|" + scope, scope, run, at, mark), now);
        hear();
    }

    private static RawRecord raw(String scope, String run, Instant at, Object body) {
        return new RawRecord(scope, "okta", "okta_group_member", run, run + "-1", at, at.plusSeconds(3600), body);
    }

    private String key(String pair) {
        return "okta/" + account + "/okta_group_member/" + pair.replace("/", ":");
    }

    /** What the sink does when a run closes: of two rows for one membership the person's stays. */
    private void joinTwins() {
        for (Membership theirs : List.copyOf(rows.values())) {
            Optional<Membership> ours = rows.values().stream()
                    .filter(row -> row.sourceKey != null && row.deletedAt == null && row.pair.equals(theirs.pair))
                    .findFirst();
            if (theirs.sourceKey != null || theirs.expiresAt != null || ours.isEmpty()) {
                continue;
            }
            transaction++;
            String before = json(ours.get());
            String key = ours.get().sourceKey;
            ours.get().sourceKey = null;
            ours.get().deletedAt = now.toString();
            ours.get().expiresAt = now.toString();
            tell("u", before, ours.get());
            before = json(theirs);
            theirs.sourceKey = key;
            theirs.runId = ours.get().runId;
            tell("u", before, theirs);
        }
    }

    /** Whether a row was told that its member is at the provider. */
    boolean isMarked(Membership row) {
        return marked.getOrDefault(row.id, false);
    }

    /** What is written to rows of a result; change capture tells of that, too. */
    private void mark(List<Integer> ids, String operation, String outcome) {
        boolean isDone = outcome.equals(Outcome.APPLIED) || outcome.equals(Outcome.ALREADY);
        for (int id : ids) {
            marked.put(id, isDone && operation.equals("add"));
            Membership row = rows.get(id);
            if (row != null) {
                transaction++;
                log++;
                memberships.pipeInput(Integer.toString(id), source("u", json(row), json(row)), now);
            }
        }
    }

    /** What the sink makes of a row of the inventory: it adopts, inserts, undeletes or deletes softly. */
    private void sink(String pair, boolean is, String run, Instant at) {
        transaction++;
        Optional<Membership> mine = rows.values().stream()
                .filter(row -> key(pair).equals(row.sourceKey))
                .findFirst();
        if (mine.isEmpty()) {
            mine = rows.values().stream()
                    .filter(row -> row.sourceKey == null && row.deletedAt == null && row.pair.equals(pair))
                    .filter(row -> !sinkIsBlind || row.madeAt.isBefore(at))
                    .findFirst();
            if (mine.isPresent() && is) {
                String before = json(mine.get());
                mine.get().sourceKey = key(pair);
                tell("u", before, mine.get());
            }
        }
        if (mine.isEmpty() || (mine.get().sourceKey == null)) {
            if (is) {
                Membership row = new Membership(nextRow++, pair, now);
                row.sourceKey = key(pair);
                row.runId = run;
                rows.put(row.id, row);
                tell("c", null, row);
            }
            return;
        }
        Membership row = mine.get();
        String before = json(row);
        row.runId = run;
        if (is && row.deletedAt != null) {
            row.deletedAt = null;
            row.expiresAt = null;
        } else if (!is && row.deletedAt == null) {
            row.deletedAt = now.toString();
            row.expiresAt = now.toString();
        }
        tell("u", before, row);
    }

    private void hear() {
        underWay.addAll(plans.readValuesToList());
        resultsOut.readValuesToList().forEach(result -> {
            results.add(result);
            mark(result.getRows(), result.getOperation(), result.getOutcome());
        });
        heldOut.readRecordsToList().forEach(record -> {
            if (record.value() == null) {
                held.remove(record.key());
            } else {
                held.put(record.key(), record.value());
            }
        });
    }

    /** How a call ends. */
    enum Ending {
        WELL,
        NO_ANSWER,
        BROKEN,
        /** Whoever made the calls was killed before it said so: somebody else makes them all again. */
        KILLED
    }

    int callAll() {
        int made = 0;
        while (!underWay.isEmpty()) {
            made += call(Ending.WELL);
        }
        return made;
    }

    /** Carries out the plan that came first; with another ending than well, its results are failures. */
    int call(Ending ending) {
        if (underWay.isEmpty()) {
            return 0;
        }
        WritebackPlan plan = underWay.removeFirst();
        if (ending == Ending.KILLED) {
            underWay.addFirst(plan);
        } else {
            carriedOut.add(plan.getPlanId());
            doneLast.clear();
        }
        for (PlannedChange change : plan.getChanges()) {
            String pair = pair(plan.getGroupId(), change.getMemberId());
            calls.add(change.getOperation() + " " + pair);
            if (ending != Ending.BROKEN) {
                boolean changed = change.getOperation().equals("add") ? provider.add(pair) : provider.remove(pair);
                effective += changed ? 1 : 0;
            }
            if (ending == Ending.KILLED) {
                continue;
            }
            CallDone done = new CallDone(
                    plan.getPlanId(),
                    "okta",
                    plan.getGroupId(),
                    change.getMemberId(),
                    change.getOperation(),
                    ending == Ending.WELL ? Outcome.APPLIED : Outcome.FAILED,
                    null);
            mark(change.getRows(), change.getOperation(), done.getOutcome());
            doneLast.add(new WritebackEvent(now, done));
            events.pipeInput("", doneLast.getLast(), now);
        }
        hear();
        return plan.getChanges().size();
    }

    /** The plan whose calls are made next. */
    String planUnderWay() {
        return underWay.getFirst().getPlanId();
    }

    String firstPlan() {
        return carriedOut.getFirst();
    }

    String lastPlan() {
        return carriedOut.getLast();
    }

    void command(String action, String subject) {
        events.pipeInput("", new WritebackEvent(now, new WritebackCommand(action, subject, "somebody")), now);
        hear();
    }

    /** Plans that await a person. */
    List<HeldPlan> waiting() {
        return held.values().stream()
                .filter(plan -> plan.getBody() instanceof HeldSummary summary
                        && summary.getState().equals("held"))
                .toList();
    }

    HeldSummary summary(String planId) {
        return held.values().stream()
                .filter(plan -> plan.getPlanId().equals(planId))
                .map(HeldPlan::getBody)
                .filter(HeldSummary.class::isInstance)
                .map(HeldSummary.class::cast)
                .findFirst()
                .orElseThrow();
    }

    @Override
    public void close() {
        driver.close();
    }
}
