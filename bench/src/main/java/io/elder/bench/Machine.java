package io.elder.bench;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Locale;
import org.apache.kafka.common.utils.AppInfoParser;

/** What a measurement ran on: figures without it say nothing. */
final class Machine {
    private Machine() {}

    static ObjectNode describe() {
        ObjectNode machine = JsonNodeFactory.instance.objectNode();
        machine.put("at", Instant.now().toString());
        machine.put("processors", Runtime.getRuntime().availableProcessors());
        machine.put("processor", line(Path.of("/proc/cpuinfo"), "model name"));
        machine.put("memory", line(Path.of("/proc/meminfo"), "MemTotal"));
        machine.put("system", System.getProperty("os.name") + " " + System.getProperty("os.version"));
        machine.put("java", System.getProperty("java.vm.name") + " " + Runtime.version());
        machine.put("heap_mib", Runtime.getRuntime().maxMemory() >> 20);
        machine.put("kafka", AppInfoParser.getVersion());
        machine.put("load_average", load());
        return machine;
    }

    /** Of the last minute: more than this process makes is somebody else's. */
    static double load() {
        return ManagementFactory.getOperatingSystemMXBean().getSystemLoadAverage();
    }

    /** Of this process so far: it says more than time does while others use the machine. */
    static double cpuMicros() {
        return ManagementFactory.getOperatingSystemMXBean() instanceof com.sun.management.OperatingSystemMXBean system
                ? system.getProcessCpuTime() / 1e3
                : Double.NaN;
    }

    /** What this process may see of the machine's: a container's limit counts. 0 if Java does not say. */
    static long memoryMebibytes() {
        return ManagementFactory.getOperatingSystemMXBean() instanceof com.sun.management.OperatingSystemMXBean system
                ? system.getTotalMemorySize() >> 20
                : 0;
    }

    static String line(ObjectNode machine) {
        return String.format(
                Locale.ROOT,
                "%d x %s, %s, %s, %s, load average %.1f",
                machine.path("processors").asInt(),
                machine.path("processor").asText(),
                machine.path("memory").asText(),
                machine.path("system").asText(),
                machine.path("java").asText(),
                machine.path("load_average").asDouble());
    }

    private static String line(Path file, String name) {
        try {
            return Files.readAllLines(file).stream()
                    .filter(line -> line.startsWith(name))
                    .map(line -> line.substring(line.indexOf(':') + 1).strip())
                    .findFirst()
                    .orElse("unknown");
        } catch (IOException e) {
            // Not Linux.
            return "unknown";
        }
    }
}
