package io.elder.fetch.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.classic.spi.ThrowableProxyUtil;
import ch.qos.logback.core.Appender;
import ch.qos.logback.core.read.ListAppender;
import com.fasterxml.jackson.databind.JsonNode;
import io.elder.fetch.ConnectivityCheck;
import io.elder.fetch.Fetcher;
import io.elder.fetch.FetcherSettings;
import io.elder.fetch.Out;
import io.elder.fetch.Partition;
import io.elder.fetch.Provider;
import io.elder.fetch.Requests;
import io.elder.fetch.Resource;
import io.elder.fetch.Verdict;
import io.elder.runtime.Launcher;
import io.elder.runtime.Settings;
import io.elder.schemas.avro.PlanFailed;
import io.elder.schemas.avro.PlannedTask;
import io.elder.schemas.avro.ScopeFailed;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.net.ConnectException;
import java.net.SocketTimeoutException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.ServiceLoader;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;

/**
 * What every provider must do. A test class extends it, stands up a server with more objects than fit on a page, and says
 * what is in it.
 */
public abstract class ProviderContract<C extends AutoCloseable> {
    /** RFC 7519: three parts, of which the first is an object in base64url. */
    private static final Pattern WEB_TOKEN = Pattern.compile("eyJ[\\w-]{5,}\\.[\\w-]+\\.[\\w-]+");

    private final ListAppender<ILoggingEvent> log = new ListAppender<>();
    private final Appender<ILoggingEvent> console = root().getAppender("console");
    private final List<TestRun<C>> runs = new ArrayList<>();

    protected abstract Provider<C> provider();

    /** Settings that reach the server. */
    protected abstract Settings settings();

    /** How many objects of each kind there are: more than a page of at least one. */
    protected abstract Map<String, Integer> expected();

    /** Every secret among the settings, and every canary in a field of a fixture that must not leave the fetcher. */
    protected abstract Set<String> secrets();

    /** The settings with a wrong password or token; the wrong one belongs to {@link #secrets} too. */
    protected abstract Settings wrongCredentials();

    /** The settings with a place that does not exist, e.g. a base DN or an account. */
    protected abstract Settings wrongPlace();

    /** Makes the server die after it has answered a part of the next read of this kind, until {@link #heal}. */
    protected abstract void dieMidway(String kind) throws Exception;

    protected void heal() throws Exception {}

    /** A failure that this provider takes for "there is no such object"; empty if it has none. */
    protected Optional<Exception> gone() {
        return Optional.empty();
    }

    @BeforeEach
    void listen() {
        log.start();
        root().addAppender(log);
    }

    @AfterEach
    void stopListening() {
        runs.forEach(TestRun::close);
        root().detachAppender(log);
    }

    @Test
    void isFoundByTheServiceLoader() {
        List<String> found = new ArrayList<>();
        for (Provider<?> each : ServiceLoader.load(Provider.class)) {
            found.add(each.getClass().getName());
        }
        assertThat(found).contains(provider().getClass().getName());
    }

    @Test
    void kindsAreUniqueAndSnakeCaseAndParentsAreInTheTable() {
        Set<String> kinds = new HashSet<>();
        for (Resource<C> resource : provider().resources()) {
            assertThat(resource.kind()).matches("[a-z][a-z0-9]*(_[a-z0-9]+)*");
            assertThat(kinds.add(resource.kind()))
                    .as("%s appears twice", resource.kind())
                    .isTrue();
            if (resource instanceof Resource.Child<C> child) {
                assertThat(kinds)
                        .as("the parent of %s stands above it", child.kind())
                        .contains(child.parent().kind());
            }
        }
    }

    @Test
    void readsEverythingOnEveryPageAndSealsEveryScope() throws InterruptedException {
        RecordingPublisher published = run(provider(), settings()).everything();
        assertThat(published.events(PlanFailed.class)).isEmpty();
        assertThat(published.events(ScopeFailed.class)).isEmpty();
        assertThat(counts(published)).isEqualTo(new TreeMap<>(expected()));
        assertThat(published.seals().stream().map(seal -> seal.scope().kind()).collect(Collectors.toSet()))
                .isEqualTo(provider().resources().stream().map(Resource::kind).collect(Collectors.toSet()));
    }

    @Test
    void readingTwiceGivesTheSameKeys() throws InterruptedException {
        assertThat(keys(run(provider(), settings()).everything()))
                .isEqualTo(keys(run(provider(), settings()).everything()));
    }

    @Test
    void saysWhoItIs() throws Exception {
        try (C client = provider().connect(settings())) {
            assertThat(provider().identity(client)).isNotBlank();
            assertNoSecret(provider().identity(client));
        }
    }

    @Test
    void checkPrintsOneLineOfWhoWeAre() {
        assertThat(check(settings()))
                .startsWith("✓ " + provider().title() + " connection successful (")
                .endsWith(")");
    }

    @Test
    void checkSaysThatCredentialsAreWrong() {
        assertThat(check(wrongCredentials()))
                .startsWith("✗ " + provider().title() + " connection failed: ")
                .containsPattern("bad_credentials|account_disabled|account_locked|password_expired|forbidden");
    }

    /** The line that {@code ./elder check} prints. */
    protected final String check(Settings settings) {
        Map<String, String> environment = new TreeMap<>(settings.values());
        environment.put(provider().name().toUpperCase(Locale.ROOT) + "_ENABLED", "true");
        environment.put("ENDPOINT_ALLOWLIST", "127.0.0.1,localhost,nowhere.invalid");
        ByteArrayOutputStream printed = new ByteArrayOutputStream();
        new ConnectivityCheck(FetcherSettings.from(Settings.of(environment)), List.of(provider()))
                .print(new PrintStream(printed, true, StandardCharsets.UTF_8));
        List<String> lines = printed.toString(StandardCharsets.UTF_8).lines().toList();
        assertThat(lines)
                .as("a title, the connector's line, a summary, between rules")
                .hasSize(7);
        String line = lines.get(3);
        assertNoSecret(line);
        // What only a programmer of ours understands.
        assertThat(line).doesNotContain("Exception", "java.", "unknown: ", ": null");
        assertThat(line).hasSizeLessThan(600);
        return line;
    }

    @Test
    void wrongCredentialsFailThePlanAndSealNothing() throws InterruptedException {
        RecordingPublisher published = run(provider(), wrongCredentials()).everything();
        assertThat(published.events(PlanFailed.class)).hasSize(1);
        assertThat(published.events(PlanFailed.class).get(0).getReason())
                .isIn("bad_credentials", "account_disabled", "account_locked", "password_expired", "forbidden");
        assertThat(published.seals()).isEmpty();
    }

    @Test
    void whatIsTooLateSaysSoAndReadsNothing() throws InterruptedException {
        TestRun<C> run = run(provider(), settings());
        List<PlannedTask> plan = run.plan();
        run.passDeadline();
        plan.forEach(run::fetch);
        run.plan();
        RecordingPublisher published = run.published();
        assertThat(published.seals()).isEmpty();
        assertThat(published.events(ScopeFailed.class))
                .extracting(ScopeFailed::getReason)
                .hasSize(plan.stream().mapToInt(task -> task.getScopes().size()).sum())
                .isSubsetOf("timeout", "incomplete");
        assertThat(published.events(PlanFailed.class))
                .extracting(PlanFailed::getReason)
                .containsExactly("timeout");
    }

    /** As when a job was pointed at another system after its run was planned. */
    @Test
    void aTaskOfAnotherAccountSealsNothing() throws InterruptedException {
        TestRun<C> run = run(provider(), settings());
        for (PlannedTask task : run.plan()) {
            run.fetch(new PlannedTask("elsewhere", task.getRegion(), task.getKind(), task.getScopes()));
        }
        assertThat(run.published().seals()).isEmpty();
        assertThat(run.published().events(ScopeFailed.class))
                .hasSize(run.planned().stream()
                        .mapToInt(task -> task.getScopes().size())
                        .sum());
    }

    @Test
    void aPlaceThatDoesNotExistSealsNothing() throws InterruptedException {
        RecordingPublisher published = run(provider(), wrongPlace()).everything();
        assertThat(published.seals()).isEmpty();
        assertThat(published.events(PlanFailed.class).size()
                        + published.events(ScopeFailed.class).size())
                .isPositive();
    }

    @Test
    void aReadThatBreaksOffSealsNothingOfItsKind() throws Exception {
        for (Resource<C> resource : provider().resources()) {
            if (resource instanceof Resource.Root<C> && expected().getOrDefault(resource.kind(), 0) > 1) {
                TestRun<C> run = run(provider(), settings());
                List<PlannedTask> plan = run.plan();
                dieMidway(resource.kind());
                try {
                    plan.stream()
                            .filter(task -> task.getKind().equals(resource.kind()))
                            .forEach(run::fetch);
                } finally {
                    heal();
                }
                assertThat(run.published().seals()).as(resource.kind()).isEmpty();
                assertThat(run.published().events(ScopeFailed.class))
                        .as(resource.kind())
                        .isNotEmpty();
            }
        }
    }

    @Test
    void everyFailureHasAVerdict() {
        for (Throwable failure : List.of(
                new IOException("broken"),
                new SocketTimeoutException(),
                new ConnectException("refused"),
                new UncheckedIOException(new IOException()),
                new RuntimeException(),
                new IllegalStateException("?"),
                new NullPointerException(),
                new OutOfMemoryError(),
                new Exception(new IOException("inner")))) {
            assertThat(provider().classify(failure)).as(failure.toString()).isNotNull();
        }
    }

    @Test
    void aRootThatIsGoneStopsAndAChildThatIsGoneIsSkipped() throws InterruptedException {
        assumeTrue(gone().isPresent(), "this provider never takes a failure for a missing object");
        assertThat(provider().classify(gone().orElseThrow())).isInstanceOf(Verdict.Gone.class);

        RecordingPublisher roots = run(failing(true), settings()).everything();
        assertThat(roots.seals()).isEmpty();
        assertThat(roots.events(ScopeFailed.class))
                .extracting(ScopeFailed::getReason)
                .contains("not_found");

        boolean hasChildren = provider().resources().stream().anyMatch(Resource.Child.class::isInstance);
        if (hasChildren) {
            RecordingPublisher children = run(failing(false), settings()).everything();
            assertThat(children.events(ScopeFailed.class)).isEmpty();
        }
    }

    @Test
    void secretsAreInNoRecordNoEventAndNoLog() throws InterruptedException {
        assertNoSecret(traced(() -> run(provider(), settings()).everything()));
        assertNoSecret(traced(() -> run(provider(), wrongCredentials()).everything()));
        assertNoSecret(traced(() -> run(provider(), wrongPlace()).everything()));
    }

    @FunctionalInterface
    interface Reading {
        RecordingPublisher read() throws InterruptedException;
    }

    /** All that a reading publishes and, at the finest level, writes into the log. */
    final List<String> traced(Reading reading) throws InterruptedException {
        log.list.clear();
        Level before = root().getLevel();
        root().setLevel(Level.TRACE);
        Launcher.keepSecrets();
        root().detachAppender(console);
        RecordingPublisher published;
        try {
            published = reading.read();
        } finally {
            root().addAppender(console);
            root().setLevel(before);
        }
        List<String> texts = new ArrayList<>();
        published.records().forEach(record -> texts.add(record.payload()));
        published.events().forEach(event -> texts.add(event.toString()));
        for (ILoggingEvent event : List.copyOf(log.list)) {
            texts.add(event.getLoggerName() + ": " + event.getFormattedMessage());
            if (event.getThrowableProxy() != null) {
                texts.add(event.getLoggerName() + ": " + ThrowableProxyUtil.asString(event.getThrowableProxy()));
            }
        }
        return texts;
    }

    final void assertNoSecret(String... texts) {
        assertNoSecret(List.of(texts));
    }

    final void assertNoSecret(List<String> texts) {
        Set<String> secrets = secrets();
        assertThat(secrets).isNotEmpty();
        for (String text : texts) {
            for (String secret : secretsIn(text, secrets)) {
                throw new AssertionError("a secret is in: " + text.replace(secret, "<here>"));
            }
        }
    }

    /** Those among the secrets, and JSON Web Tokens, that a text holds. */
    static List<String> secretsIn(String text, Set<String> secrets) {
        List<String> found =
                new ArrayList<>(secrets.stream().filter(text::contains).toList());
        if (text.contains("eyJ")) {
            WEB_TOKEN.matcher(text).results().map(MatchResult::group).forEach(found::add);
        }
        return found;
    }

    final TestRun<C> run(Provider<C> provider, Settings settings) {
        TestRun<C> run = new TestRun<>(provider, Fetcher.connectors(settings), 1);
        runs.add(run);
        return run;
    }

    private static Map<String, Integer> counts(RecordingPublisher published) {
        Map<String, Set<String>> keys = new TreeMap<>();
        published.sealedRecords().forEach(record -> keys.computeIfAbsent(
                        record.key().kind(), kind -> new HashSet<>())
                .add(record.key().toString()));
        Map<String, Integer> counts = new TreeMap<>();
        keys.forEach((kind, each) -> counts.put(kind, each.size()));
        return counts;
    }

    private static Set<String> keys(RecordingPublisher published) {
        return published.sealedRecords().stream()
                .map(record -> record.key().toString())
                .collect(Collectors.toSet());
    }

    private static Logger root() {
        return (Logger) LoggerFactory.getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME);
    }

    /** The provider, whose root rows, or else whose first child of every row, do not exist. */
    private Provider<C> failing(boolean isRoot) {
        Provider<C> real = provider();
        List<Resource<C>> rows = new ArrayList<>();
        for (Resource<C> row : real.resources()) {
            AtomicInteger calls = new AtomicInteger();
            switch (row) {
                case Resource.Root<C> root ->
                    rows.add(Resource.<C>root(root.kind(), root.id(), (client, where, out) -> {
                                if (isRoot) {
                                    throw gone().orElseThrow();
                                }
                                root.fetch().fetch(client, where, out);
                            })
                            .only(root.applies()));
                case Resource.Child<C> child ->
                    rows.add(Resource.child(child.parent(), child.kind(), child.id(), (client, where, parent, out) -> {
                        if (calls.getAndIncrement() == 0) {
                            throw gone().orElseThrow();
                        }
                        fetch(child, client, where, parent, out);
                    }));
            }
        }
        return new Provider<>() {
            @Override
            public String name() {
                return real.name();
            }

            @Override
            public String title() {
                return real.title();
            }

            @Override
            public C connect(Settings settings) throws Exception {
                return real.connect(settings);
            }

            @Override
            public List<Partition> partitions(C client, Requests requests) throws Exception {
                return real.partitions(client, requests);
            }

            @Override
            public boolean isShareable() {
                return real.isShareable();
            }

            @Override
            public List<Resource<C>> resources() {
                return rows;
            }

            @Override
            public Verdict classify(Throwable failure) {
                return real.classify(failure);
            }
        };
    }

    private static <C> void fetch(Resource.Child<C> child, C client, Partition where, JsonNode parent, Out out)
            throws Exception {
        child.fetch().fetch(client, where, parent, out);
    }
}
