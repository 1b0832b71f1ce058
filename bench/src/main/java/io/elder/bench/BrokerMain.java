package io.elder.bench;

import io.elder.embedded.servers.EmbeddedBroker;
import io.elder.runtime.Launcher;
import io.elder.runtime.Settings;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.CountDownLatch;

/** A broker as a process of its own, to be killed. */
final class BrokerMain {
    private BrokerMain() {}

    /** @param arguments folder, port, and the port that clients are told to use */
    public static void main(String[] arguments) throws InterruptedException {
        Launcher.logging(Settings.of(Map.of("LOG_FORMAT", "text", "LOG_LEVEL", "WARN")));
        Map<String, String> settings = new LinkedHashMap<>(FaultySite.USERS.settings());
        settings.put("advertised.listeners", "PLAINTEXT://127.0.0.1:" + arguments[2]);
        EmbeddedBroker.start(Path.of(arguments[0]), Integer.parseInt(arguments[1]), settings);
        new CountDownLatch(1).await();
    }
}
