package io.elder.sink;

import io.elder.runtime.Component;
import io.elder.runtime.Health;
import io.micrometer.core.instrument.MeterRegistry;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The sink as a process runs it: loops that share the partitions, as several processes would. While one waits for the
 * database, another decodes.
 */
final class Sink implements Component {
    private final List<SinkLoop> loops = new ArrayList<>();

    Sink(SinkSettings settings, MeterRegistry meters) {
        for (int i = 1; i <= settings.threads(); i++) {
            loops.add(new SinkLoop(settings, meters, i == 1 ? SinkLoop.STAGE : SinkLoop.STAGE + "-" + i));
        }
    }

    @Override
    public void start() {
        loops.forEach(SinkLoop::start);
    }

    @Override
    public Health health() {
        return Health.all(loops.stream().map(SinkLoop::health).distinct().toList());
    }

    @Override
    public Map<String, Object> status() {
        Map<String, Object> status = new LinkedHashMap<>();
        for (SinkLoop loop : loops) {
            loop.status()
                    .forEach((name, value) -> status.merge(
                            name,
                            value,
                            (one, other) -> one instanceof Long a && other instanceof Long b ? a + b : one));
        }
        return status;
    }

    @Override
    public void close() {
        // All at once: each may take its time.
        List<Thread> closing = loops.stream()
                .map(loop -> Thread.ofVirtual().start(loop::close))
                .toList();
        try {
            for (Thread each : closing) {
                each.join();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
