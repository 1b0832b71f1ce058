package io.elder.sink;

import io.elder.runtime.Launcher;

/** {@code ./elder sink}. */
public final class SinkMain {
    private SinkMain() {}

    public static void main(String[] args) {
        System.exit(Launcher.run(
                "sink", args, (settings, metrics) -> new SinkLoop(SinkSettings.from(settings), metrics.registry())));
    }
}
