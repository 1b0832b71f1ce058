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
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
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

    private static final int MOST_TRIES = 12;
    private static final Duration BETWEEN_TRIES = Duration.ofSeconds(5);

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

    /** Why a component no longer runs. */
    private enum End {
        STOPPED(0),
        NOT_STARTED(1),
        WRONG_SETTINGS(2),
        /** It starts anew, so there is no exit code. */
        CLOCK_SET_BACK(-1);

        private final int exitCode;

        End(int exitCode) {
            this.exitCode = exitCode;
        }
    }

    /**
     * Runs until the process is told to stop. When the machine's clock is set back, the component is made anew: it would
     * stand still until the clock was as late as it had been.
     *
     * @param args {@code NAME=value} overrides of settings
     * @return the exit code: 0 after a clean stop, 1 if it could not start, 2 for wrong settings
     */
    public static int run(String role, String[] args, Factory factory) {
        Settings settings = environment().with(overrides(args));
        logging(settings);
        BlockingQueue<End> ends = new LinkedBlockingQueue<>();
        CountDownLatch closed = new CountDownLatch(1);
        Runtime.getRuntime()
                .addShutdownHook(new Thread(
                        () -> {
                            ends.add(End.STOPPED);
                            awaitQuietly(closed);
                        },
                        "shutdown"));
        try {
            End end = life(role, settings, factory, ends);
            while (end == End.CLOCK_SET_BACK) {
                end = again(role, settings, factory, ends);
            }
            return end.exitCode;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return End.STOPPED.exitCode;
        } catch (RuntimeException e) {
            // Whatever is left of it must not live on without anybody who can ask how it is.
            LoggerFactory.getLogger(Launcher.class).error("{} could not be made or closed", role, e);
            return End.NOT_STARTED.exitCode;
        } finally {
            closed.countDown();
        }
    }

    /** What ran before may take its time to go, and holds its folder until then. */
    private static End again(String role, Settings settings, Factory factory, BlockingQueue<End> ends)
            throws InterruptedException {
        for (int tries = 1; ; tries++) {
            try {
                return life(role, settings, factory, ends);
            } catch (RuntimeException e) {
                if (tries == MOST_TRIES) {
                    throw e;
                }
                LoggerFactory.getLogger(Launcher.class)
                        .warn("{} can't start anew yet, next try in {}: {}", role, BETWEEN_TRIES, e.getMessage());
            }
            if (ends.poll(BETWEEN_TRIES.toMillis(), TimeUnit.MILLISECONDS) == End.STOPPED) {
                return End.STOPPED;
            }
        }
    }

    /** One component, from its making to its end. */
    private static End life(String role, Settings settings, Factory factory, BlockingQueue<End> ends) {
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
            return End.WRONG_SETTINGS;
        }
        Logger log = LoggerFactory.getLogger(Launcher.class);
        try (ClockSteps clock = new ClockSteps(() -> ends.add(End.CLOCK_SET_BACK));
                OpsServer ops = new OpsServer(host, port, role, component, metrics)) {
            clock.start();
            component.start();
            log.info("{} started, ops port {}", role, ops.port());
            End end = ends.take();
            log.info("{} stopping", role);
            return end;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return End.STOPPED;
        } catch (RuntimeException e) {
            System.err.println(role + ": could not start: " + e.getMessage());
            log.debug("could not start", e);
            return End.NOT_STARTED;
        } finally {
            component.close();
            metrics.close();
        }
    }

    /** Whatever {@code LOG_LEVEL} says: these write requests into the log as they are signed and sent, credentials and all. */
    public static void keepSecrets() {
        LoggerContext context = (LoggerContext) LoggerFactory.getILoggerFactory();
        for (String library : List.of("software.amazon.awssdk", "io.fabric8.kubernetes.client.http")) {
            ch.qos.logback.classic.Logger logger = context.getLogger(library);
            if (logger.isDebugEnabled()) {
                logger.setLevel(Level.INFO);
            }
        }
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
        keepSecrets();
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
