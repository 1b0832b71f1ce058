package io.elder.fetch.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.elder.fetch.Resource;
import io.elder.runtime.Settings;
import io.elder.schemas.avro.PlannedTask;
import io.elder.schemas.avro.ScopeFailed;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BiConsumer;
import java.util.function.BiFunction;
import java.util.function.UnaryOperator;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What every provider that speaks HTTP must do. A test class extends it, scripts the vendor's answers from fixtures, and
 * says in what form this vendor refuses.
 */
public abstract class HttpProviderContract<C extends AutoCloseable> extends ProviderContract<C> {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String UNKNOWN_FIELD = "fieldThatNobodyKnowsYet";

    private ScriptedServer server;

    /** What the vendor answers: {@link ScriptedServer#on} and {@link ScriptedServer#page}, for every kind, one of two pages. */
    protected abstract void script(ScriptedServer vendor);

    /** Settings that send every request to the server, with one account and one region of each sort. */
    protected abstract Map<String, String> settings(String url);

    /** How the vendor throttles; with {@code Retry-After} where it names a time. */
    protected List<Answer> throttles() {
        return List.of(
                Answer.of(429).header("Retry-After", "7"),
                Answer.of(429),
                Answer.of(503).header("Retry-After", "2"));
    }

    /** How the vendor refuses credentials that are wrong. */
    protected Answer unauthorized() {
        return Answer.of(401, "{}");
    }

    /** How the vendor refuses what these credentials may not do. */
    protected Answer forbidden() {
        return Answer.of(403, "{}");
    }

    /** How the vendor says that something does not exist. */
    protected Answer notFound() {
        return Answer.of(404, "{}").header("Content-Type", "application/json");
    }

    /** How the vendor says that a session, a token or a cursor has expired; empty where nothing expires. */
    protected Optional<Answer> expired() {
        return Optional.empty();
    }

    /** A failure that gives this text for its reason, in every form in which this vendor gives reasons. */
    protected List<String> saying(String text) {
        ObjectNode nested = JSON.createObjectNode()
                .put("message", text)
                .put("errorSummary", text)
                .put("detail", text)
                .put("error_description", text);
        nested.withObject("error").put("code", text).put("message", text);
        return List.of(
                nested.toString(),
                JSON.createObjectNode()
                        .put("error", text)
                        .put("error_description", text)
                        .toString(),
                "<html><body>" + text + "</body></html>");
    }

    /** Text as it stands in an element. */
    protected static String xml(String text) {
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;");
    }

    /** Bodies of successes that hold none of what was asked for. */
    protected List<String> answersOfAnotherForm() {
        return List.of("{}", "{\"error\": {\"code\": 500, \"message\": \"Backend error\"}}", "null", "\"\"", "");
    }

    /** Whether records are the vendor's bytes: an SDK's classes drop what they do not know. */
    protected boolean keepsUnknownFields() {
        return true;
    }

    /** Whether requests hold credentials: a certificate is shown to TLS and to nobody else. */
    protected boolean isToldSecrets() {
        return true;
    }

    /** Whether a page names the next one: else there is nothing that could come again. */
    protected boolean hasCursors() {
        return true;
    }

    @BeforeEach
    void startServer() throws IOException {
        server = ScriptedServer.start(getClass());
        script(server);
    }

    @AfterEach
    void stopServer() {
        server.close();
    }

    /** The server of this test, scripted. */
    protected final ScriptedServer vendor() {
        return server;
    }

    @Override
    protected final Settings settings() {
        return Settings.of(settings(server.url()));
    }

    @Override
    protected Settings wrongCredentials() {
        server.breakAll(unused -> unauthorized());
        return settings();
    }

    @Override
    protected Settings wrongPlace() {
        server.heal();
        server.breakAll(unused -> notFound());
        return settings();
    }

    @Override
    protected void dieMidway(String kind) {
        server.breakPages(kind, server.pageCount(kind) > 1 ? 1 : 0, -1, Answer::cut);
    }

    @Override
    protected void heal() {
        server.heal();
    }

    @Test
    void everyKindHasAFixtureAndOneHasSeveralPages() throws InterruptedException {
        for (Resource<C> row : provider().resources()) {
            assertThat(expected()).as("objects that the fixtures have").containsKey(row.kind());
            assertThat(server.pageCount(row.kind()))
                    .as("pages of %s", row.kind())
                    .isPositive();
        }
        assertThat(provider().resources())
                .as("kinds with a second page")
                .anyMatch(row -> server.pageCount(row.kind()) > 1);
        run(provider(), settings()).everything();
        assertThat(server.unexpected()).as("requests without a route").isEmpty();
    }

    @Test
    void aThrottledPageIsAskedForAgainAloneAndNotBeforeTheTimeNamed() throws Exception {
        for (String kind : pagedRoots()) {
            for (Answer throttle : throttles()) {
                TestRun<C> run = planned();
                int before = server.firstPages(kind);
                server.breakPages(kind, 1, 2, unused -> throttle);
                fetch(run, kind);
                assertSealedWhole(run, kind);
                assertThat(server.firstPages(kind) - before)
                        .as("the first page of %s", kind)
                        .isEqualTo(1);
                Optional.ofNullable(throttle.headers().get("Retry-After"))
                        .ifPresent(seconds -> assertThat(run.pauses().stream()
                                        .filter(pause -> pause.compareTo(Duration.ofSeconds(Long.parseLong(seconds))
                                                        .minusMillis(200))
                                                >= 0))
                                .as("pauses of %s s or more among %s", seconds, run.pauses())
                                .hasSizeGreaterThanOrEqualTo(2));
                server.heal();
            }
        }
    }

    @Test
    void aPageThatFailsOnceIsAskedForAgainAlone() throws Exception {
        for (String kind : pagedRoots()) {
            TestRun<C> run = planned();
            int before = server.firstPages(kind);
            server.breakPages(kind, 1, 1, unused -> Answer.of(502, "<html>Bad gateway</html>"));
            fetch(run, kind);
            assertSealedWhole(run, kind);
            assertThat(server.firstPages(kind) - before)
                    .as("the first page of %s", kind)
                    .isEqualTo(1);
            server.heal();
        }
    }

    @Test
    void aPageThatKeepsFailingSealsNothing() throws Exception {
        for (String kind : pagedRoots()) {
            assertFails(kind, answer -> Answer.of(500, "{}"), "unreachable");
        }
    }

    @Test
    void aThrottlingThatNeverEndsSealsNothing() throws Exception {
        for (String kind : pagedRoots()) {
            assertFails(kind, answer -> throttles().getFirst(), "unreachable", "timeout");
        }
    }

    @Test
    void aTruncatedPageSealsNothing() throws Exception {
        for (String kind : pagedRoots()) {
            assertFails(
                    kind,
                    answer ->
                            answer.body(answer.body().substring(0, answer.body().length() / 2)),
                    "unreachable",
                    "bad_response");
        }
    }

    @Test
    void aWebPageInPlaceOfAnAnswerSealsNothing() throws Exception {
        for (String kind : pagedRoots()) {
            assertFails(
                    kind,
                    unused -> Answer.of(200, "<!DOCTYPE html><html><body>Please log in</body></html>")
                            .header("Content-Type", "text/html"),
                    "unreachable",
                    "bad_response");
        }
    }

    /** Lists that are not there are not lists that are empty: who takes one for the other deletes everything. */
    @Test
    void anAnswerOfAnotherFormSealsNothing() throws Exception {
        for (String kind : pagedRoots()) {
            for (String other : answersOfAnotherForm()) {
                TestRun<C> run = planned();
                server.breakPages(kind, 0, -1, answer -> answer.body(other));
                fetch(run, kind);
                server.heal();
                assertFailed(run, kind, "bad_response", "incomplete", "unreachable");
                assertIsForPeople(run);
            }
        }
    }

    @Test
    void aNullAmongTheObjectsOfAListSealsNothing() throws Exception {
        assumeTrue(keepsUnknownFields(), "this vendor's classes, or its XML, know no null");
        for (String kind : pagedRoots()) {
            TestRun<C> run = planned();
            server.breakPages(kind, 0, -1, answer -> answer.body(withNull(answer.body())));
            fetch(run, kind);
            server.heal();
            assertFailed(run, kind, "bad_response");
            assertIsForPeople(run);
        }
    }

    private static <C extends AutoCloseable> void assertIsForPeople(TestRun<C> run) {
        assertThat(run.published().events(ScopeFailed.class))
                .allSatisfy(failed -> assertThat(failed.getMessage()).doesNotContain("Exception", "java."));
    }

    @Test
    void checkSaysHowFarAConnectionGot(@TempDir Path folder) throws Exception {
        String failed = "✗ " + provider().title() + " connection failed: ";
        assertThat(check(Settings.of(settings("https://nowhere.invalid"))))
                .startsWith(failed + "DNS: ")
                // A vendor's SDK may keep the name to itself.
                .containsAnyOf("nowhere.invalid has no address", "the host's name has no address");
        String closed;
        try (ScriptedServer gone = ScriptedServer.start(getClass())) {
            closed = gone.url();
        }
        assertThat(check(Settings.of(settings(closed))))
                .startsWith(failed + "TCP: ")
                .contains("refused");
        try (ScriptedServer selfSigned = ScriptedServer.start(getClass(), LocalTls.create(folder))) {
            assertThat(check(Settings.of(settings(selfSigned.url()))))
                    .startsWith(failed + "TLS: the server's certificate is signed by nobody who is trusted here");
        }
    }

    @Test
    void checkSaysWhatIsForbiddenOrNotThere() {
        String failed = "✗ " + provider().title() + " connection failed: ";
        server.breakService(unused -> forbidden());
        assertThat(check(settings())).startsWith(failed + "forbidden: ");
        server.heal();
        server.breakService(unused -> notFound());
        assertThat(check(settings())).startsWith(failed + "not_found: ");
        server.heal();
        server.breakService(unused -> Answer.of(200, "<!DOCTYPE html><html><body>Please log in</body></html>")
                .header("Content-Type", "text/html"));
        assertThat(check(settings()))
                .matches(Pattern.quote(failed) + "(bad_response|unreachable): .*")
                .containsAnyOf("text/html", "no JSON");
    }

    /** As servers do that show a request to whoever looks for its mistake. */
    @Test
    void aVendorThatRepeatsWhatItIsToldGivesNothingAway() throws InterruptedException {
        String kind = pagedRoots().getFirst();
        Set<String> told = ConcurrentHashMap.newKeySet();
        List<BiConsumer<ScriptedServer, BiFunction<Asked, Answer, Answer>>> where = List.of(
                ScriptedServer::answerAll,
                ScriptedServer::answerService,
                (vendor, how) -> vendor.answerPages(kind, how),
                (vendor, how) -> vendor.answerPages(ScriptedServer.NO_KIND, how));
        for (int form = 0; form < saying("").size(); form++) {
            boolean isPage = saying("").get(form).startsWith("<html");
            for (int status : form == 0 ? List.of(401, 404, 500) : isPage ? List.of(200) : List.of(401)) {
                BiFunction<Asked, Answer, Answer> repeating = repeating(status, form, told);
                for (BiConsumer<ScriptedServer, BiFunction<Asked, Answer, Answer>> each : where) {
                    each.accept(server, repeating);
                    assertNoSecret(traced(() -> run(provider(), settings()).everything()));
                    server.heal();
                }
            }
        }
        Set<String> secrets = secrets();
        assertThat(told.stream().anyMatch(text -> !secretsIn(text, secrets).isEmpty()))
                .as("a request held a secret, or what was given for one")
                .isEqualTo(isToldSecrets());
    }

    private BiFunction<Asked, Answer, Answer> repeating(int status, int form, Set<String> told) {
        return (asked, unused) -> {
            told.add(asked.everything());
            String body = saying(asked.everything()).get(form);
            return Answer.of(status, body)
                    .header("Content-Type", contentType(body))
                    .header("Retry-After", "1");
        };
    }

    private static String contentType(String body) {
        return body.startsWith("{") ? "application/json" : body.startsWith("<html") ? "text/html" : "text/xml";
    }

    @Test
    void aCursorThatComesAgainSealsNothing() throws Exception {
        assumeTrue(hasCursors(), "pages of this vendor do not name the next one");
        for (String kind : pagedRoots()) {
            Answer first = server.firstPage(kind);
            assertFails(kind, unused -> first, "repeated_cursor");
        }
    }

    @Test
    void credentialsThatAreRefusedMidwaySealNothing() throws Exception {
        for (String kind : pagedRoots()) {
            assertFails(
                    kind,
                    unused -> unauthorized(),
                    "bad_credentials",
                    "account_disabled",
                    "password_expired",
                    "forbidden",
                    "unreachable");
        }
    }

    @Test
    void whatIsForbiddenIsAskedForOnceAndSealsNothing() throws Exception {
        for (String kind : pagedRoots()) {
            TestRun<C> run = planned();
            int before = server.firstPages(kind);
            server.breakPages(kind, 0, -1, unused -> forbidden());
            fetch(run, kind);
            assertFailed(run, kind, "forbidden");
            assertThat(server.firstPages(kind) - before).isEqualTo(1);
            server.heal();
        }
    }

    @Test
    void aListThatDoesNotExistSealsNothing() throws Exception {
        for (String kind : pagedRoots()) {
            TestRun<C> run = planned();
            server.breakPages(kind, 0, -1, unused -> notFound());
            fetch(run, kind);
            assertFailed(run, kind, "not_found");
            server.heal();
        }
    }

    @Test
    void aParentThatIsGoneMeanwhileIsSkipped() throws Exception {
        for (Resource<C> row : provider().resources()) {
            if (row instanceof Resource.Child<C> child && child.parent() instanceof Resource.Root<C>) {
                TestRun<C> run = planned();
                server.breakPages(child.kind(), 0, 1, unused -> notFound());
                fetch(run, child.parent().kind());
                assertThat(run.published().events(ScopeFailed.class)).isEmpty();
                assertThat(run.published().seals())
                        .anyMatch(seal -> seal.scope().kind().equals(child.kind()));
                server.heal();
            }
        }
    }

    /** As an ingress answers for seconds while there is no server behind it. */
    @Test
    void aWebPageThatSaysNotFoundSealsNoChildren() throws Exception {
        for (Resource<C> row : provider().resources()) {
            if (row instanceof Resource.Child<C> child && child.parent() instanceof Resource.Root<C>) {
                TestRun<C> run = planned();
                AtomicInteger told = new AtomicInteger();
                server.breakPages(child.kind(), 0, -1, unused -> {
                    told.incrementAndGet();
                    return Answer.of(404, "<html><body><h1>404 Not Found</h1></body></html>")
                            .header("Content-Type", "text/html");
                });
                fetch(run, child.parent().kind());
                server.heal();
                if (told.get() > 0) {
                    assertFailed(run, child.kind(), "unreachable", "incomplete");
                }
            }
        }
    }

    @Test
    void whatExpiresMidwayIsReadFromTheStartOnANewConnection() throws Exception {
        assumeTrue(expired().isPresent(), "nothing expires at this vendor");
        for (String kind : pagedRoots()) {
            TestRun<C> run = planned();
            int before = server.firstPages(kind);
            server.breakPages(kind, 1, 1, unused -> expired().orElseThrow());
            fetch(run, kind);
            assertSealedWhole(run, kind);
            assertThat(server.firstPages(kind) - before)
                    .as("the first page of %s", kind)
                    .isEqualTo(2);
            server.heal();
        }
    }

    @Test
    void fieldsThatNobodyKnowsSurvive() throws Exception {
        assumeTrue(keepsUnknownFields(), "this vendor's classes drop what they do not know");
        for (String kind : pagedRoots()) {
            TestRun<C> run = planned();
            server.breakPages(kind, 0, -1, answer -> answer.body(withUnknownField(answer.body())));
            fetch(run, kind);
            assertSealedWhole(run, kind);
            assertThat(records(run, kind))
                    .allSatisfy(record -> assertThat(record.payload()).contains(UNKNOWN_FIELD));
            server.heal();
        }
    }

    private List<String> pagedRoots() {
        List<String> paged = provider().resources().stream()
                .filter(row -> row instanceof Resource.Root<C> && server.pageCount(row.kind()) > 1)
                .map(Resource::kind)
                .toList();
        assertThat(paged).as("kinds with a second page").isNotEmpty();
        return paged;
    }

    private TestRun<C> planned() throws InterruptedException {
        TestRun<C> run = run(provider(), settings());
        assertThat(run.plan()).as("the plan").isNotEmpty();
        return run;
    }

    private static <C extends AutoCloseable> void fetch(TestRun<C> run, String kind) throws InterruptedException {
        List<PlannedTask> tasks = run.planned().stream()
                .filter(task -> task.getKind().equals(kind))
                .toList();
        assertThat(tasks).as("tasks of %s", kind).isNotEmpty();
        tasks.forEach(run::fetch);
    }

    private void assertFails(String kind, UnaryOperator<Answer> how, String... reasons) throws InterruptedException {
        TestRun<C> run = planned();
        server.breakPages(kind, 1, -1, how);
        fetch(run, kind);
        server.heal();
        assertFailed(run, kind, reasons);
    }

    private static <C extends AutoCloseable> void assertFailed(TestRun<C> run, String kind, String... reasons) {
        assertThat(run.published().seals())
                .as("seals of %s", kind)
                .noneMatch(seal -> seal.scope().kind().equals(kind));
        assertThat(run.published().events(ScopeFailed.class))
                .filteredOn(failed -> failed.getScope().endsWith("/" + kind))
                .as("failures of %s", kind)
                .isNotEmpty()
                .allSatisfy(failed ->
                        assertThat(failed.getReason()).as(failed.getMessage()).isIn((Object[]) reasons));
    }

    private void assertSealedWhole(TestRun<C> run, String kind) {
        assertThat(run.published().events(ScopeFailed.class)).isEmpty();
        assertThat(records(run, kind).stream()
                        .map(record -> record.key().toString())
                        .distinct())
                .as("sealed records of %s", kind)
                .hasSize(expected().get(kind));
    }

    private static <C extends AutoCloseable> List<RecordingPublisher.Written> records(TestRun<C> run, String kind) {
        return run.published().sealedRecords().stream()
                .filter(record -> record.key().kind().equals(kind))
                .toList();
    }

    private static String withUnknownField(String body) {
        try {
            JsonNode json = JSON.readTree(body);
            add(json);
            return JSON.writeValueAsString(json);
        } catch (JsonProcessingException e) {
            throw new AssertionError("a page that is no JSON; override keepsUnknownFields()", e);
        }
    }

    /** With a null at the end of the outermost list of objects. */
    private static String withNull(String body) {
        try {
            JsonNode json = JSON.readTree(body);
            Deque<JsonNode> open = new ArrayDeque<>(List.of(json));
            while (!open.isEmpty()) {
                JsonNode each = open.removeFirst();
                if (each instanceof ArrayNode list && list.path(0).isObject()) {
                    list.addNull();
                    return JSON.writeValueAsString(json);
                }
                each.forEach(open::addLast);
            }
            throw new AssertionError("a page without a list of objects: " + body);
        } catch (JsonProcessingException e) {
            throw new AssertionError("a page that is no JSON; override keepsUnknownFields()", e);
        }
    }

    private static void add(JsonNode json) {
        if (json instanceof ObjectNode object) {
            object.put(UNKNOWN_FIELD, "kept");
        }
        json.forEach(HttpProviderContract::add);
    }
}
