package io.elder.embedded;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.elder.runtime.Metrics;
import io.elder.runtime.Settings;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;

/** A whole pipeline that reads providers every few seconds and writes back to them. */
final class ChurnSite implements AutoCloseable {
    private static final Duration PATIENCE = Duration.ofMinutes(3);

    private final List<WatchedProvider> providers;
    private final Metrics metrics = new Metrics();
    private final Pipeline pipeline;
    private final List<MembershipChurn> churns = new ArrayList<>();
    private Connection database;

    /** @param tokens by provider */
    ChurnSite(Path folder, Map<String, String> more, Map<String, String> tokens, WatchedProvider... providers) {
        this.providers = List.of(providers);
        Map<String, String> settings = new HashMap<>(Map.of("CONSOLE_PORT", "0"));
        for (WatchedProvider each : providers) {
            String prefix = each.provider().toUpperCase(Locale.ROOT) + "_";
            settings.put(prefix + "ENABLED", "true");
            settings.put(prefix + "DOMAIN", each.url());
            settings.put(prefix + "API_TOKEN", tokens.get(each.provider()));
            settings.put(prefix + "SYNC_INTERVAL", "3s");
            settings.put(prefix + "RATE_LIMIT", "500");
            settings.put(prefix + "WRITE_BACK_ENABLED", "true");
        }
        // What is held is another test's matter: here every change must arrive.
        settings.put("WRITEBACK_BUDGET_MIN", "1000");
        settings.put("DELETE_BUDGET_MIN", "1000");
        settings.put("WRITEBACK_PROTECTED_GROUPS", "none");
        settings.put("WRITEBACK_CONFLICT_DELAY", "5s");
        settings.put("WRITEBACK_CONFIRMED", String.join(",", tokens.keySet()));
        settings.putAll(more);
        pipeline = new Pipeline(folder, Settings.of(settings), metrics);
    }

    /** @param initial how many memberships the providers have, which are then in Elder */
    void start(int initial) throws SQLException {
        pipeline.start();
        await().atMost(PATIENCE).until(() -> pipeline.health().ok());
        database = pipeline.database().connect("elder");
        await().atMost(PATIENCE)
                .until(() -> number("select count(*) from identity_group_memberships where source_key is not null")
                        == initial);
    }

    /** Random changes at a rate, a part of them for each provider. */
    void churn(int changes, int perSecond, long seed) throws Exception {
        if (churns.isEmpty()) {
            for (WatchedProvider each : providers) {
                churns.add(new MembershipChurn(each.provider(), each, database, seed));
            }
        }
        long begun = System.nanoTime();
        for (int i = 0; i < changes; i++) {
            churns.get(i % churns.size()).step();
            long due = begun + (i + 1) * 1_000_000_000L / perSecond;
            while (System.nanoTime() < due) {
                LockSupport.parkNanos(due - System.nanoTime());
            }
        }
    }

    /** All agree; and after two more full syncs nothing has been called in answer to them. */
    void settle(boolean isWithoutTrouble) throws SQLException {
        for (MembershipChurn churn : churns) {
            churn.assertSettled(isWithoutTrouble);
        }
        if (!isWithoutTrouble) {
            // Whatever had no answer is made again, and changes nothing.
            awaitQuiet();
        }
        List<Integer> writes = writes();
        long runs = runs();
        await().atMost(PATIENCE).until(() -> runs() >= runs + 2L * providers.size());
        assertThat(writes()).as("calls after two more syncs: no echo").isEqualTo(writes);
        assertThat(metric("writeback_changes_total", "fate=\"held\"")).isZero();
    }

    /** No call for longer than one that failed waits. */
    private void awaitQuiet() {
        List<Integer> before = new ArrayList<>();
        await().atMost(PATIENCE).pollInterval(Duration.ofSeconds(12)).until(() -> {
            List<Integer> now = writes();
            boolean isQuiet = now.equals(before);
            before.clear();
            before.addAll(now);
            return isQuiet;
        });
    }

    private List<Integer> writes() {
        return providers.stream().map(WatchedProvider::writes).toList();
    }

    private long runs() throws SQLException {
        return number("select count(*) from pipeline.runs where visible_at is not null");
    }

    /** Somebody adds a member, to whom nobody has done anything yet; {@code group/member}. */
    String addSomewhere(String provider) throws SQLException {
        return churns.stream()
                .filter(churn -> churn.provider().equals(provider))
                .findFirst()
                .orElseThrow()
                .addUntouched();
    }

    String health() {
        return String.join("; ", pipeline.health().reasons());
    }

    /** The sum of a counter over the lines that hold all of these tags. */
    double metric(String name, String... tags) {
        return metrics.scrape()
                .lines()
                .filter(line -> line.startsWith(name + "{"))
                .filter(line -> Arrays.stream(tags).allMatch(line::contains))
                .mapToDouble(line -> Double.parseDouble(line.substring(line.lastIndexOf(' ') + 1)))
                .sum();
    }

    private long number(String sql) throws SQLException {
        try (Statement statement = database.createStatement();
                ResultSet row = statement.executeQuery(sql)) {
            row.next();
            return row.getLong(1);
        }
    }

    @Override
    public void close() {
        pipeline.close();
        metrics.close();
    }
}
