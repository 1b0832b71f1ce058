package io.elder.runtime;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.encoder.JsonEncoder;
import ch.qos.logback.classic.encoder.PatternLayoutEncoder;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.ConsoleAppender;
import ch.qos.logback.core.encoder.Encoder;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.bridge.SLF4JBridgeHandler;

/** Runs one component as a process: settings in, logging up, ops server on, and down again on SIGTERM. */
public final class Launcher {
    /** Builds a component from the settings; whatever it reads is checked before it starts. */
    @FunctionalInterface
    public interface Factory {
        Component create(Settings settings, Metrics metrics);
    }

    private static final List<String> LIBRARIES = List.of(
            "org.apache.kafka",
            "kafka",
            "io.debezium",
            "org.eclipse.jetty",
            "io.javalin",
            "com.zaxxer",
            "org.flywaydb",
            "org.reflections",
            "org.glassfish",
            "state.change");

    private Launcher() {}

    /** The environment, with {@code .env} of the working directory below it. */
    public static Settings environment() {
        Map<String, String> values = new LinkedHashMap<>(dotEnv(Path.of(".env")));
        values.putAll(System.getenv());
        return Settings.of(withLongNames(values));
    }

    /** The names of Kubernetes' settings are in use with both prefixes. */
    static Map<String, String> withLongNames(Map<String, String> values) {
        Map<String, String> all = new LinkedHashMap<>(values);
        values.forEach((name, value) -> {
            if (name.startsWith("K8S_")) {
                all.putIfAbsent("KUBERNETES_" + name.substring("K8S_".length()), value);
            }
        });
        return all;
    }

    /**
     * Runs until the process is told to stop.
     *
     * @param args {@code NAME=value} overrides of settings
     * @return the exit code: 0 after a clean stop, 1 if it could not start, 2 for wrong settings
     */
    public static int run(String role, String[] args, Factory factory) {
        Settings settings = environment().with(overrides(args));
        logging(settings);
        Metrics metrics = new Metrics();
        Component component;
        String host = settings.text("HEALTH_CHECK_HOST", "0.0.0.0");
        int port = settings.whole("HEALTH_CHECK_PORT", 8000, 0, 65535);
        try {
            DeclaredSettings.onClassPath().noteUnknown(settings);
            component = factory.create(settings, metrics);
            settings.check();
        } catch (SettingsException e) {
            System.err.println(role + ": these settings are wrong:");
            e.problems().forEach(problem -> System.err.println("  " + problem));
            return 2;
        }
        Logger log = LoggerFactory.getLogger(Launcher.class);
        CountDownLatch stopped = new CountDownLatch(1);
        CountDownLatch closed = new CountDownLatch(1);
        Runtime.getRuntime()
                .addShutdownHook(new Thread(
                        () -> {
                            stopped.countDown();
                            awaitQuietly(closed);
                        },
                        "shutdown"));
        try (OpsServer ops = new OpsServer(host, port, role, component, metrics)) {
            component.start();
            log.info("{} started, ops port {}", role, ops.port());
            stopped.await();
            log.info("{} stopping", role);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (RuntimeException e) {
            System.err.println(role + ": could not start: " + e.getMessage());
            log.debug("could not start", e);
            return 1;
        } finally {
            component.close();
            metrics.close();
            closed.countDown();
        }
        return 0;
    }

    /** JSON lines, or text for people: {@code LOG_FORMAT}, {@code LOG_LEVEL}. */
    public static void logging(Settings settings) {
        SLF4JBridgeHandler.removeHandlersForRootLogger();
        SLF4JBridgeHandler.install();
        LoggerContext context = (LoggerContext) LoggerFactory.getILoggerFactory();
        context.reset();
        Encoder<ILoggingEvent> encoder;
        if (settings.text("LOG_FORMAT", "json").equalsIgnoreCase("text")) {
            PatternLayoutEncoder text = new PatternLayoutEncoder();
            text.setPattern("%d{HH:mm:ss.SSS} %-5level %logger{20} %msg %mdc%n");
            text.setCharset(StandardCharsets.UTF_8);
            encoder = text;
        } else {
            JsonEncoder json = new JsonEncoder();
            json.setWithSequenceNumber(false);
            json.setWithNanoseconds(false);
            json.setWithContext(false);
            json.setWithMessage(false);
            json.setWithArguments(false);
            json.setWithFormattedMessage(true);
            encoder = json;
        }
        encoder.setContext(context);
        encoder.start();
        ConsoleAppender<ILoggingEvent> console = new ConsoleAppender<>();
        console.setContext(context);
        console.setTarget("System.err");
        console.setEncoder(encoder);
        console.start();
        ch.qos.logback.classic.Logger root = context.getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME);
        String level = settings.text("LOG_LEVEL", "INFO").toUpperCase(Locale.ROOT);
        root.setLevel(Level.toLevel(
                "WARNING".equals(level) ? "WARN" : "CRITICAL".equals(level) ? "ERROR" : level, Level.INFO));
        root.addAppender(console);
        // A step quieter than we are: their INFO is a page of configuration per client, and much of what they warn of
        // passes by itself.
        if (!root.isDebugEnabled()) {
            Level libraries = root.isInfoEnabled() ? Level.WARN : root.isErrorEnabled() ? Level.ERROR : Level.OFF;
            LIBRARIES.forEach(library -> context.getLogger(library).setLevel(libraries));
            // They log what they throw, several times over; who catches it says it once.
            List.of("com.azure", "com.microsoft.aad")
                    .forEach(library -> context.getLogger(library).setLevel(Level.OFF));
        }
        // A topic that was made a moment ago is not known everywhere yet: it is asked for again, an error a time.
        context.getLogger("org.apache.kafka.clients.admin.internals.PartitionLeaderStrategy")
                .setLevel(Level.OFF);
        // Warns of every setting that is not its own; ours are shared by all clients.
        context.getLogger("org.apache.kafka.clients.producer.ProducerConfig").setLevel(Level.ERROR);
        context.getLogger("org.apache.kafka.clients.consumer.ConsumerConfig").setLevel(Level.ERROR);
        context.getLogger("org.apache.kafka.clients.admin.AdminClientConfig").setLevel(Level.ERROR);
        context.getLogger("org.apache.kafka.common.config.AbstractConfig").setLevel(Level.ERROR);
    }

    private static Map<String, String> overrides(String[] args) {
        Map<String, String> overrides = new LinkedHashMap<>();
        for (String arg : args) {
            int equals = arg.indexOf('=');
            if (equals > 0) {
                overrides.put(arg.substring(0, equals), arg.substring(equals + 1));
            }
        }
        return overrides;
    }

    /** The {@code NAME=value} lines of a file; none if it can't be read. */
    public static Map<String, String> dotEnv(Path file) {
        Map<String, String> values = new LinkedHashMap<>();
        if (!Files.isReadable(file)) {
            return values;
        }
        try {
            for (String line : Files.readAllLines(file)) {
                String stripped = line.strip();
                int equals = stripped.indexOf('=');
                if (!stripped.startsWith("#") && equals > 0) {
                    String name = stripped.substring(0, equals).strip().replaceFirst("^export\\s+", "");
                    values.put(name, unquoted(stripped.substring(equals + 1).strip()));
                }
            }
        } catch (IOException e) {
            throw new SettingsException(List.of(file + ": could not be read: " + e.getMessage()));
        }
        return values;
    }

    private static String unquoted(String value) {
        if (value.length() >= 2
                && "\"'".indexOf(value.charAt(0)) >= 0
                && value.charAt(0) == value.charAt(value.length() - 1)) {
            return value.substring(1, value.length() - 1);
        }
        // As Compose reads it: a comment follows a blank.
        return value.replaceFirst("\\s+#.*$", "");
    }

    private static void awaitQuietly(CountDownLatch latch) {
        try {
            latch.await(30, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
