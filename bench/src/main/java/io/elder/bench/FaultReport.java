package io.elder.bench;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.StringJoiner;
import java.util.TreeMap;

/** What a fault campaign did and what came of it. */
final class FaultReport {
    private record Sync(int number, String round, String status, double seconds, int differences) {}

    private final int records;
    private final int faults;
    private final long seed;
    private final Map<String, Integer> struck = new TreeMap<>();
    private final Map<String, Integer> notSeen = new TreeMap<>();
    private final Map<String, Integer> repeated = new TreeMap<>();
    private final Map<String, List<Double>> recoveries = new TreeMap<>();
    private final Map<String, Integer> during = new LinkedHashMap<>();
    private final Map<String, long[]> rows = new LinkedHashMap<>();
    private final List<Sync> syncs = new ArrayList<>();
    private final List<String> differences = new ArrayList<>();
    private double seconds;
    private FaultMembers members;
    private long retained;
    private int poison;
    private int canaries;
    private long searched;

    FaultReport(int records, int faults, long seed) {
        this.records = records;
        this.faults = faults;
        this.seed = seed;
    }

    /** Empty if every promise was kept. */
    List<String> differences() {
        return differences;
    }

    /** How many syncs held a mass deletion back, all of it. */
    long held() {
        return syncs.stream()
                .filter(sync -> sync.round().equals(FaultCampaign.Round.MASS_DELETION.toString()))
                .filter(sync -> sync.differences() == 0)
                .count();
    }

    /** How many calls to Okta changed something. */
    long effectiveCalls() {
        return members == null ? 0 : members.effective();
    }

    /** How many faults fell into a sync. */
    int faultsDuringSyncs() {
        return during.entrySet().stream()
                .filter(phase -> !phase.getKey().equals("between syncs"))
                .mapToInt(Map.Entry::getValue)
                .sum();
    }

    /** A run that did not see all of the directory and said so. */
    void repeated(String status) {
        repeated.merge(status, 1, Integer::sum);
    }

    void fault(String name, String phase) {
        struck.merge(name, 1, Integer::sum);
        during.merge(phase, 1, Integer::sum);
    }

    /** A point between two steps that did not come in time. */
    void notSeen(String name) {
        notSeen.merge(name, 1, Integer::sum);
    }

    void recovery(String role, double after) {
        recoveries.computeIfAbsent(role, unused -> new ArrayList<>()).add(after);
    }

    void sync(int number, FaultCampaign.Round round, String status, double took, List<String> found) {
        syncs.add(new Sync(number, round.toString(), status, took, found.size()));
        found.forEach(difference -> differences.add("sync " + number + " (" + round + "): " + difference));
    }

    void rows(String table, long[] liveAndDeleted) {
        rows.put(table, liveAndDeleted.clone());
    }

    void difference(String difference) {
        differences.add(difference);
    }

    /** Bytes of the database's log that are kept for change capture when all is over. */
    void retained(long bytes) {
        retained = bytes;
    }

    /** How many records that nobody can read were sent. */
    void poison(int sent) {
        poison = sent;
    }

    /** How many secrets were looked for, in how many bytes of topics and logs. */
    void searched(int canaries, long bytes) {
        this.canaries = canaries;
        searched = bytes;
    }

    void members(FaultMembers some) {
        members = some;
        differences.addAll(some.differences());
    }

    void finish(double took) {
        seconds = took;
    }

    void print(PrintStream out) {
        out.printf(Locale.ROOT, "%n%-60s %6s%n", "fault", "times");
        struck.forEach((fault, count) -> out.printf(Locale.ROOT, "%-60s %6d%n", fault, count));
        notSeen.forEach(
                (fault, count) -> out.printf(Locale.ROOT, "%-60s %6d%n", fault + ", which did not come", count));
        out.printf(Locale.ROOT, "%n%-28s %6s %17s %9s%n", "role", "times", "healthy after", "longest");
        RoleProcesses.ROLES.forEach(role -> out.printf(
                Locale.ROOT,
                "%-28s %6d %10.1f s (p50) %7.1f s%n",
                role,
                recoveries.getOrDefault(role, List.of()).size(),
                percentile(role, 50),
                percentile(role, 100)));
        out.printf(
                Locale.ROOT, "%n%-28s %6s %6s %17s %11s%n", "syncs", "runs", "faults", "seconds (p50)", "differences");
        byRound()
                .forEach((round, some) -> out.printf(
                        Locale.ROOT,
                        "%-28s %6d %6d %15.1f s %11d%n",
                        round,
                        some.size(),
                        during.getOrDefault(round, 0),
                        CdcBench.percentile(
                                some.stream()
                                        .mapToDouble(Sync::seconds)
                                        .sorted()
                                        .toArray(),
                                50),
                        some.stream().mapToInt(Sync::differences).sum()));
        out.printf(Locale.ROOT, "%-28s %6s %6d%n", "between syncs", "", during.getOrDefault("between syncs", 0));
        repeated.forEach(
                (status, count) -> out.printf(Locale.ROOT, "%-28s %6d%n", "repeated, as they were " + status, count));
        out.printf(Locale.ROOT, "%n%-28s %8s %16s%n", "table", "live", "deleted softly");
        rows.forEach((table, counts) -> out.printf(Locale.ROOT, "%-28s %8d %16d%n", table, counts[0], counts[1]));
        if (members != null) {
            out.printf(Locale.ROOT, "%n%-44s %6s%n", "changes of Okta's memberships", "times");
            members.made().forEach((kind, count) -> out.printf(Locale.ROOT, "%-44s %6d%n", kind, count));
            out.printf(
                    Locale.ROOT,
                    "%d rounds compared, %d calls, of which %d changed something (expected: %s)%n",
                    members.rounds(),
                    members.calls(),
                    members.effective(),
                    members.expectedEffective());
        }
        out.printf(Locale.ROOT, "%n%d poison records sent%n", poison);
        out.printf(
                Locale.ROOT, "%.1f MiB of topics and logs searched for %d secrets%n", searched / 1048576.0, canaries);
        out.printf(Locale.ROOT, "%.1f MiB of the database's log retained%n", retained / 1048576.0);
        out.printf(
                Locale.ROOT,
                "%n%d records, %d faults, %d syncs compared, seed %d, %.0f s: %s%n",
                records,
                struck.values().stream().mapToInt(Integer::intValue).sum(),
                syncs.size(),
                seed,
                seconds,
                differences.isEmpty() ? "no difference" : differences.size() + " DIFFERENCES");
        differences.forEach(difference -> out.println("  " + difference));
    }

    /** A table of promises, how each was tried, and what came of it; with what failed and how often. */
    String markdown() {
        StringBuilder text = new StringBuilder();
        int all = struck.values().stream().mapToInt(Integer::intValue).sum();
        text.append(String.format(
                Locale.ROOT,
                "%d faults at %d places in %.0f s (%.1f s a fault), seed %d, %d resources; %s; %s.%n%n",
                all,
                struck.size(),
                seconds,
                seconds / Math.max(1, all),
                seed,
                records,
                Machine.describe().path("at").asText(),
                Machine.line(Machine.describe())));
        text.append("| promise | how it was tried | figure |%n|---|---|---|%n".formatted());
        if (!syncs.isEmpty()) {
            row(
                    text,
                    "the tables equal the directory, column by column",
                    syncs.size() + " syncs compared, " + faultsDuringSyncs() + " faults fell into one",
                    syncs.stream().mapToInt(Sync::differences).sum() + " differences");
            long massDeletions = syncs.stream()
                    .filter(sync -> sync.round().equals(FaultCampaign.Round.MASS_DELETION.toString()))
                    .count();
            row(
                    text,
                    "too much to be true is held",
                    massDeletions + " mass deletions",
                    held() + " held, none carried out");
        }
        if (members != null) {
            row(
                    text,
                    "what is decided in Elder is made at Okta once, and nothing else is",
                    members.made().values().stream().mapToInt(Integer::intValue).sum() + " changes in "
                            + members.rounds() + " rounds",
                    members.effective() + " effective calls (expected: " + members.expectedEffective() + ") of "
                            + members.calls() + ", " + members.differences().size() + " differences");
        }
        RoleProcesses.ROLES.forEach(role -> row(
                text,
                role + " is ready again in " + (role.equals("normalizer") || role.equals("cdc") ? 60 : 30) + " s",
                recoveries.getOrDefault(role, List.of()).size() + " times",
                String.format(
                        Locale.ROOT, "%.1f s (p50), %.1f s at most", percentile(role, 50), percentile(role, 100))));
        row(
                text,
                "what nobody can read is in the dead letters once",
                poison + " records of " + FaultPoison.Kind.values().length + " kinds",
                count("poison", "dead letters") + " differences");
        row(
                text,
                "no secret is where it should not be",
                String.format(
                        Locale.ROOT,
                        "%d secrets; %.0f MiB of topics, logs and pages, and all tables searched",
                        canaries,
                        searched / 1048576.0),
                count("secret") + " found");
        row(
                text,
                "the database keeps less than 64 MiB of its log",
                "after the last fault",
                String.format(Locale.ROOT, "%.1f MiB", retained / 1048576.0));
        row(text, "all of the above", all + " faults", differences.size() + " differences");
        text.append("%nWhat failed, and how often: ".formatted());
        StringJoiner list = new StringJoiner(", ");
        struck.forEach((fault, times) -> list.add(fault + " " + times));
        notSeen.forEach((fault, times) -> list.add(fault + ", which did not come, " + times));
        return text.append(list).append(".\n").toString();
    }

    private long count(String... beginnings) {
        return differences.stream()
                .filter(difference -> List.of(beginnings).stream().anyMatch(difference::startsWith))
                .count();
    }

    private static void row(StringBuilder text, String promise, String how, String figure) {
        text.append("| ")
                .append(promise)
                .append(" | ")
                .append(how)
                .append(" | ")
                .append(figure)
                .append(" |\n");
    }

    ObjectNode json() {
        ObjectNode json = new ObjectMapper().createObjectNode();
        json.put("records", records).put("faults", faults).put("seed", seed).put("seconds", rounded(seconds));
        json.put("poison", poison);
        json.put("secrets", canaries);
        json.put("searched_bytes", searched);
        json.put("wal_retained_bytes", retained);
        ObjectNode kinds = json.putObject("times");
        struck.forEach(kinds::put);
        ObjectNode roles = json.putObject("roles");
        RoleProcesses.ROLES.forEach(role -> roles.putObject(role)
                .put("healthy_after_p50_s", rounded(percentile(role, 50)))
                .put("healthy_after_max_s", rounded(percentile(role, 100))));
        ObjectNode phases = json.putObject("faults_during");
        during.forEach(phases::put);
        ArrayNode compared = json.putArray("syncs");
        syncs.forEach(sync -> compared.addObject()
                .put("round", sync.round())
                .put("status", sync.status())
                .put("seconds", rounded(sync.seconds()))
                .put("differences", sync.differences()));
        ObjectNode tables = json.putObject("tables");
        rows.forEach((table, counts) ->
                tables.putObject(table).put("live", counts[0]).put("deleted", counts[1]));
        if (members != null) {
            json.putObject("memberships")
                    .put("rounds", members.rounds())
                    .put("calls", members.calls())
                    .put("effective_calls", members.effective())
                    .put("expected_effective_calls", members.expectedEffective())
                    .set("changes", new ObjectMapper().valueToTree(members.made()));
        }
        ArrayNode found = json.putArray("differences");
        differences.forEach(found::add);
        return json;
    }

    private Map<String, List<Sync>> byRound() {
        Map<String, List<Sync>> byRound = new LinkedHashMap<>();
        for (Sync sync : syncs) {
            byRound.computeIfAbsent(sync.round(), unused -> new ArrayList<>()).add(sync);
        }
        return byRound;
    }

    private double percentile(String role, int percent) {
        List<Double> some = recoveries.getOrDefault(role, List.of());
        return some.isEmpty()
                ? 0
                : CdcBench.percentile(
                        some.stream().mapToDouble(Double::doubleValue).sorted().toArray(), percent);
    }

    private static double rounded(double value) {
        return Math.round(value * 10) / 10.0;
    }
}
