package io.elder.sink;

import io.elder.runtime.Component;
import io.elder.runtime.Launcher;
import io.elder.runtime.Metrics;
import io.elder.runtime.Settings;

/** {@code ./elder sink}. */
public final class SinkMain {
    private SinkMain() {}

    public static void main(String[] args) {
        System.exit(Launcher.run("sink", args, SinkMain::component));
    }

    /** The component that the process runs. */
    public static Component component(Settings settings, Metrics metrics) {
        return new Sink(SinkSettings.from(settings), metrics.registry());
    }
}
