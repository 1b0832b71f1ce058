package io.elder.bench;

import io.elder.runtime.Component;
import io.elder.runtime.Metrics;
import io.elder.runtime.Settings;
import io.elder.sink.SinkMain;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.time.Duration;
import java.util.Map;

/** Our own sink, as its process runs it. */
record ElderSink(String name, Map<String, String> settings) implements SinkPeer {
    private static final Duration STUCK = Duration.ofMinutes(2);

    @Override
    public double run(SinkFeed feed, Target target) throws Exception {
        String topic = feed.inventory();
        Map<String, String> environment = feed.environment();
        environment.put("DATABASE_URL", target.workerUrl());
        // Where runs end, what waits is looked at then; here are none.
        environment.put("SINK_SETTLE_INTERVAL", "100ms");
        environment.putAll(settings);
        try (Metrics metrics = new Metrics();
                Component sink = SinkMain.component(Settings.of(environment), metrics);
                Connection look = DriverManager.getConnection(target.jdbcUrl());
                PreparedStatement query = look.prepareStatement(
                        "SELECT sum(next_offset), EXISTS (SELECT FROM pipeline.pending_rows)"
                                + " OR EXISTS (SELECT FROM pipeline.pending_links) FROM pipeline.offsets WHERE topic = ?")) {
            query.setString(1, topic);
            sink.start();
            Pace pace = new Pace(feed.records());
            long until = System.nanoTime() + STUCK.toNanos();
            long before = 0;
            while (!pace.isDone()) {
                try (ResultSet row = query.executeQuery()) {
                    row.next();
                    // It is done when nothing waits for another row, either.
                    long now = Math.min(row.getLong(1), feed.records() - (row.getBoolean(2) ? 1 : 0));
                    pace.reached(now);
                    if (now > before) {
                        before = now;
                        until = System.nanoTime() + STUCK.toNanos();
                    }
                }
                if (System.nanoTime() > until) {
                    throw new IllegalStateException(
                            "the sink is stuck at " + before + " of " + feed.records() + ": " + sink.health());
                }
                Thread.sleep(10);
            }
            return pace.perSecond();
        }
    }
}
