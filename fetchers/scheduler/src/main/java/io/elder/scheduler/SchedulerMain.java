package io.elder.scheduler;

import io.elder.runtime.Component;
import io.elder.runtime.KafkaClients;
import io.elder.runtime.Launcher;
import io.elder.runtime.Metrics;
import io.elder.runtime.Settings;

/** The scheduler as a process. */
public final class SchedulerMain {
    private SchedulerMain() {}

    public static void main(String[] args) {
        System.exit(Launcher.run("scheduler", args, SchedulerMain::component));
    }

    /** The component that the process runs. */
    public static Component component(Settings settings, Metrics metrics) {
        SchedulerSettings scheduler = SchedulerSettings.from(settings);
        KafkaClients kafka = new KafkaClients(settings);
        settings.check();
        return new Scheduler(scheduler, kafka, metrics);
    }
}
