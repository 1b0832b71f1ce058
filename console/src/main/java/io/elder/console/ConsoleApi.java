package io.elder.console;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.elder.runtime.Component;
import io.elder.runtime.Health;
import io.elder.runtime.KafkaClients;
import io.elder.runtime.PortTakenException;
import io.javalin.Javalin;
import io.javalin.config.JavalinConfig;
import io.javalin.http.Context;
import io.javalin.http.HandlerType;
import io.javalin.http.HttpResponseException;
import io.javalin.util.JavalinBindException;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Clock;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import javax.sql.DataSource;
import org.apache.kafka.common.KafkaException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Elder's HTTP API for discovery jobs and the inventory; docs/api.md describes it. */
public final class ConsoleApi implements Component {
    private static final Logger LOG = LoggerFactory.getLogger(ConsoleApi.class);
    private static final int LARGEST_BODY = 1 << 20;
    private static final int LONGEST_LIST = 1000;
    private static final Set<HandlerType> READS = Set.of(HandlerType.GET, HandlerType.HEAD, HandlerType.OPTIONS);

    private static final JsonMapper JSON = JsonMapper.builder()
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .build();

    private final ConsoleSettings settings;
    private final DataSource database;
    private final Optional<JobTester> tester;
    private final Clock clock;
    private final Optional<KafkaClients> kafka;
    private final JobStore jobs;
    private final InventoryReader inventory;
    private Javalin server;

    /** @param tester tries connections, where the process has providers; without it the test route answers 501 */
    public ConsoleApi(ConsoleSettings settings, DataSource database, Optional<JobTester> tester) {
        this(settings, database, tester, Optional.empty());
    }

    /** @param kafka where write-back and held plans are, if the process knows a cluster */
    ConsoleApi(
            ConsoleSettings settings, DataSource database, Optional<JobTester> tester, Optional<KafkaClients> kafka) {
        this(settings, database, tester, kafka, Clock.systemUTC());
    }

    ConsoleApi(
            ConsoleSettings settings,
            DataSource database,
            Optional<JobTester> tester,
            Optional<KafkaClients> kafka,
            Clock clock) {
        this.kafka = kafka;
        this.settings = settings;
        this.database = database;
        this.tester = tester;
        this.clock = clock;
        this.jobs = new JobStore(database, clock);
        this.inventory = new InventoryReader(database);
    }

    @Override
    public void start() {
        server = Javalin.create(config -> {
            config.startup.showJavalinBanner = false;
            config.concurrency.useVirtualThreads = true;
            config.http.prefer405over404 = true;
            config.http.defaultContentType = "application/json";
            routes(config);
        });
        try {
            server.start(settings.host(), settings.port());
        } catch (JavalinBindException e) {
            throw new PortTakenException("CONSOLE_PORT", settings.host(), settings.port(), e);
        }
        LOG.info("console at http://{}:{}/api/v1", settings.host(), port());
    }

    /** The port in use: another than the setting's where that is 0. */
    public int port() {
        return server.port();
    }

    @Override
    public Health health() {
        if (server == null) {
            return Health.notReady("the console has not started");
        }
        try (Connection connection = database.getConnection()) {
            return connection.isValid(2) ? Health.OK : Health.notReady("the database does not answer");
        } catch (SQLException e) {
            return Health.notReady("the database can't be reached (SQLSTATE " + e.getSQLState() + ")");
        }
    }

    @Override
    public Map<String, Object> status() {
        return server == null ? Map.of() : Map.of("console", "http://" + settings.host() + ":" + port() + "/api/v1");
    }

    @Override
    public void close() {
        if (server != null) {
            server.stop();
        }
    }

    private void routes(JavalinConfig config) {
        String base = "/api/v1/discovery";
        config.routes
                .before("/*", this::admit)
                .get(base + "/jobs", this::listJobs)
                .post(base + "/jobs", this::createJob)
                .get(base + "/jobs/{id}", this::showJob)
                .put(base + "/jobs/{id}", this::changeJob)
                .delete(base + "/jobs/{id}", this::deleteJob)
                .post(base + "/jobs/{id}/run", this::queueJob)
                .post(base + "/jobs/{id}/queue", this::queueJob)
                .post(base + "/jobs/{id}/test", this::testJob)
                .get(base + "/jobs/{id}/history", this::jobHistory)
                .get(base + "/history", context -> answer(context, 200, history(context, Optional.empty())))
                .get("/api/v1/entities", this::entities)
                .get("/api/v1/organizations", context -> list(context, InventoryReader.ORGANIZATIONS, Map.of()))
                .get(
                        "/api/v1/identities",
                        context -> list(context, InventoryReader.IDENTITIES, byOrganization(context)))
                .get("/api/v1/identity-groups", context -> list(context, InventoryReader.GROUPS, Map.of()))
                .get("/api/v1/identity-groups/{id}/members", this::members)
                .get("/api/v1/inventory/summary", context -> answer(context, 200, inventory.summary()))
                .get(
                        "/api/v1/writeback/status",
                        context -> answerItems(context, writebacks().status()))
                .get(
                        "/api/v1/writeback/plans",
                        context -> answerItems(context, writebacks().plans(limit(context, 20))))
                .get(
                        "/api/v1/writeback/plans/{id}",
                        context -> answer(context, 200, writebacks().plan(context.pathParam("id"))))
                .post("/api/v1/writeback/plans/{id}/undo", this::undo)
                .post("/api/v1/writeback/providers/{provider}/{action}", this::decideOnProvider)
                .get("/api/v1/held", context -> answerItems(context, held().list(isAsked(context, "all"))))
                .get(
                        "/api/v1/held/{id}",
                        context -> answer(
                                context,
                                200,
                                held().find(context.pathParam("id")).listed()))
                .post("/api/v1/held/{id}/{action}", this::decideOnPlan)
                .get("/healthz", this::healthz)
                .exception(BadInput.class, (e, context) -> refuse(context, 400, e.getMessage()))
                .exception(Conflict.class, (e, context) -> refuse(context, 409, e.getMessage()))
                .exception(CommandFailed.class, (e, context) -> refuse(context, 404, e.getMessage()))
                .exception(KafkaException.class, (e, context) -> refuse(context, 503, "Kafka: " + e.getMessage()))
                .exception(SQLException.class, this::databaseFailed)
                .exception(HttpResponseException.class, (e, context) -> refuse(context, e.getStatus(), e.getMessage()));
    }

    /** Who may call: this machine alone, from no foreign web page; or whoever shows the token. */
    private void admit(Context context) {
        context.header("Cache-Control", "no-store").header("X-Content-Type-Options", "nosniff");
        if (settings.loopback() && !isLoopbackName(context.header("Host"))) {
            // A page of another site whose name was made to resolve to this machine sends its own name here.
            throw refusal(403, "Host: " + context.header("Host") + " (expected: localhost or 127.0.0.1)");
        }
        boolean isProbe = context.path().equals("/healthz");
        if (settings.token().isPresent() && !isProbe && !showsToken(context.header("Authorization"))) {
            context.header("WWW-Authenticate", "Bearer");
            throw refusal(401, "Authorization: missing or wrong (expected: Bearer and the console's token)");
        }
        if (READS.contains(context.method())) {
            return;
        }
        String origin = context.header("Origin");
        String site = context.header("Sec-Fetch-Site");
        boolean foreign = (origin != null && !isOwn(origin, context.header("Host")))
                || "cross-site".equals(site)
                || "same-site".equals(site);
        if (foreign) {
            throw refusal(403, "Origin: " + origin + " (expected: a call from no other web site)");
        }
        String type = context.contentType();
        if (type == null ? hasBody(context) : !type.toLowerCase(Locale.ROOT).matches("application/json\\s*(;.*)?")) {
            throw refusal(415, "Content-Type: " + type + " (expected: application/json)");
        }
    }

    private static boolean hasBody(Context context) {
        return context.contentLength() > 0 || context.header("Transfer-Encoding") != null;
    }

    private boolean showsToken(String authorization) {
        if (authorization == null || !authorization.regionMatches(true, 0, "Bearer ", 0, 7)) {
            return false;
        }
        // Digests are of one length, so that the comparison tells nothing of the token's.
        return MessageDigest.isEqual(
                digest(authorization.substring(7).strip()),
                digest(settings.token().orElseThrow().value()));
    }

    private static byte[] digest(String text) {
        try {
            return MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every JDK has SHA-256", e);
        }
    }

    private static boolean isLoopbackName(String host) {
        if (host == null) {
            return false;
        }
        String name = host.replaceFirst(":\\d*$", "").toLowerCase(Locale.ROOT);
        return name.equals("localhost") || name.equals("[::1]") || name.matches("127\\.\\d{1,3}\\.\\d{1,3}\\.\\d{1,3}");
    }

    private static boolean isOwn(String origin, String host) {
        try {
            return host != null && host.equalsIgnoreCase(URI.create(origin).getAuthority());
        } catch (IllegalArgumentException e) {
            return false;
        }
    }

    private void listJobs(Context context) throws SQLException {
        Optional<String> provider = Optional.ofNullable(context.queryParam("provider"));
        Optional<Boolean> enabled =
                Optional.ofNullable(context.queryParam("enabled")).map(text -> yes("enabled", text));
        List<ObjectNode> found = jobs.jobs(provider, enabled, wholeParameter(context, "organization_id"));
        answer(context, 200, JSON.createObjectNode().put("count", found.size()).set("jobs", array(found)));
    }

    private void createJob(Context context) throws SQLException {
        answer(context, 201, jobs.create(JobDraft.toCreate(body(context))));
    }

    private void showJob(Context context) throws SQLException {
        int id = id(context);
        answer(context, 200, jobs.find(id).orElseThrow(() -> noJob(id)));
    }

    private void changeJob(Context context) throws SQLException {
        int id = id(context);
        answer(context, 200, jobs.update(id, JobDraft.toChange(body(context))).orElseThrow(() -> noJob(id)));
    }

    private void deleteJob(Context context) throws SQLException {
        int id = id(context);
        if (!jobs.delete(id)) {
            throw noJob(id);
        }
        answer(context, 200, JSON.createObjectNode().put("message", "job " + id + " deleted"));
    }

    private void queueJob(Context context) throws SQLException {
        int id = id(context);
        Instant queuedAt = jobs.queue(id).orElseThrow(() -> noJob(id));
        answer(
                context,
                202,
                JSON.createObjectNode()
                        .put("job_id", id)
                        .put("success", true)
                        .put("message", "Job queued for worker execution")
                        .put("queued_at", queuedAt.toString()));
    }

    private void testJob(Context context) throws SQLException {
        int id = id(context);
        ObjectNode job = jobs.findWithSecrets(id).orElseThrow(() -> noJob(id));
        ObjectNode result = ConnectionTest.run(tester, id, job, clock);
        answer(context, result.has("unavailable") ? 501 : 200, result);
    }

    private void jobHistory(Context context) throws SQLException {
        int id = id(context);
        if (jobs.find(id).isEmpty()) {
            throw noJob(id);
        }
        answer(context, 200, history(context, Optional.of(id)));
    }

    /** Newest first as Elder's API has it, and oldest first as the quickstart reads it. */
    private ObjectNode history(Context context, Optional<Integer> job) throws SQLException {
        List<ObjectNode> newestFirst = jobs.history(job, limit(context, 50));
        ObjectNode history = JSON.createObjectNode();
        history.set("history", array(newestFirst));
        history.set("results", array(newestFirst.reversed()));
        return history.put("count", newestFirst.size());
    }

    private void entities(Context context) throws SQLException {
        Map<String, Object> filters = new LinkedHashMap<>(byOrganization(context));
        Optional.ofNullable(context.queryParam("entity_type"))
                .or(() -> Optional.ofNullable(context.queryParam("type")))
                .ifPresent(type -> filters.put("type", type));
        Optional.ofNullable(context.queryParam("sub_type")).ifPresent(type -> filters.put("sub_type", type));
        list(context, InventoryReader.ENTITIES, filters);
    }

    private static Map<String, Object> byOrganization(Context context) {
        return wholeParameter(context, "organization_id")
                .<Map<String, Object>>map(id -> Map.of("organization_id", id))
                .orElse(Map.of());
    }

    private void list(Context context, Listing listing, Map<String, Object> filters) throws SQLException {
        boolean includeDeleted = isAsked(context, "include_deleted");
        int limit = limit(context, 100);
        int offset = wholeParameter(context, "offset").orElse(0);
        InventoryReader.Page page = inventory.page(listing, filters, includeDeleted, limit, offset);
        ObjectNode answer = JSON.createObjectNode();
        answer.set("items", array(page.items()));
        answer.put("count", page.items().size()).put("total", page.total());
        answer(context, 200, answer.put("limit", limit).put("offset", offset));
    }

    private void members(Context context) throws SQLException {
        int id = id(context);
        List<ObjectNode> members =
                inventory.members(id).orElseThrow(() -> refusal(404, "identity group " + id + ": not found"));
        answer(
                context,
                200,
                JSON.createObjectNode().put("count", members.size()).set("items", array(members)));
    }

    private Writebacks writebacks() {
        return new Writebacks(cluster());
    }

    private HeldPlans held() {
        return new HeldPlans(cluster());
    }

    private KafkaClients cluster() {
        return kafka.orElseThrow(() -> refusal(501, "this console knows no Kafka cluster"));
    }

    private static void answerItems(Context context, List<ObjectNode> items) {
        answer(context, 200, JSON.createObjectNode().put("count", items.size()).set("items", array(items)));
    }

    /** Whether a parameter of the address says yes; no if it is not there. */
    private static boolean isAsked(Context context, String parameter) {
        return Optional.ofNullable(context.queryParam(parameter))
                .map(text -> yes(parameter, text))
                .orElse(false);
    }

    /** Who decides, for the record: {@code by} of the body, if there is one. */
    private static String person(Context context) {
        String by = hasBody(context) ? body(context).path("by").asText("") : "";
        return by.isBlank() ? "console" : by;
    }

    private void undo(Context context) {
        String id = context.pathParam("id");
        ObjectNode plan = writebacks().plan(id);
        if (isAsked(context, "dry_run")) {
            answer(context, 200, plan.put("dry_run", true));
            return;
        }
        writebacks().undo(id, person(context));
        answer(context, 202, JSON.createObjectNode().put("plan_id", id).put("action", "undo"));
    }

    private void decideOnPlan(Context context) {
        String action = HeldPlans.known(context.pathParam("action"));
        HeldPlans.Plan plan = held().undecided(context.pathParam("id"));
        if (isAsked(context, "dry_run")) {
            answer(context, 200, plan.listed().put("dry_run", true));
            return;
        }
        held().decide(plan, action, person(context));
        answer(context, 202, JSON.createObjectNode().put("plan_id", plan.id()).put("action", action));
    }

    private void decideOnProvider(Context context) {
        String provider = context.pathParam("provider");
        String action = context.pathParam("action");
        Writebacks.known(provider);
        if (!action.equals("enable") && !action.equals("disable")) {
            throw new BadInput("action: " + action + " (expected: enable or disable)");
        }
        if (isAsked(context, "dry_run")) {
            answer(context, 200, writebacks().status(provider).put("dry_run", true));
            return;
        }
        writebacks().enable(provider, action.equals("enable"), person(context));
        answer(context, 202, JSON.createObjectNode().put("provider", provider).put("action", action));
    }

    private void healthz(Context context) {
        Health health = health();
        ObjectNode answer = JSON.createObjectNode().put("status", health.ok() ? "healthy" : "unhealthy");
        health.reasons().forEach(answer.putArray("reasons")::add);
        answer(context, health.ok() ? 200 : 503, answer);
    }

    private static JsonNode body(Context context) {
        byte[] bytes;
        try {
            // Read here: the length that a caller declares may be missing.
            bytes = context.req().getInputStream().readNBytes(LARGEST_BODY + 1);
        } catch (IOException e) {
            throw new BadInput("body: could not be read to its end (expected: a JSON object)");
        }
        if (bytes.length > LARGEST_BODY) {
            throw refusal(413, "body: more than " + LARGEST_BODY + " bytes (expected: at most that)");
        }
        try {
            return JSON.readTree(bytes);
        } catch (JsonProcessingException e) {
            // Not the parser's message: it quotes the body, which may hold a secret.
            int line = e.getLocation() == null ? 1 : e.getLocation().getLineNr();
            int column = e.getLocation() == null ? 1 : e.getLocation().getColumnNr();
            throw new BadInput(
                    "body: malformed JSON at line " + line + ", column " + column + " (expected: a JSON object)");
        } catch (IOException e) {
            throw new BadInput("body: could not be read as text (expected: a JSON object in UTF-8)");
        }
    }

    private static int id(Context context) {
        String text = context.pathParam("id");
        if (text.matches("\\d{1,10}") && Long.parseLong(text) <= Integer.MAX_VALUE) {
            return Integer.parseInt(text);
        }
        throw new BadInput("id: " + text + " (expected: a whole number)");
    }

    private static Optional<Integer> wholeParameter(Context context, String name) {
        return Optional.ofNullable(context.queryParam(name)).map(text -> {
            if (text.matches("\\d{1,10}") && Long.parseLong(text) <= Integer.MAX_VALUE) {
                return Integer.valueOf(text);
            }
            throw new BadInput(name + ": " + text + " (expected: a whole number from 0)");
        });
    }

    private static int limit(Context context, int otherwise) {
        int limit = wholeParameter(context, "limit").orElse(otherwise);
        if (limit < 1 || limit > LONGEST_LIST) {
            throw new BadInput("limit: " + limit + " (expected: 1 to " + LONGEST_LIST + ")");
        }
        return limit;
    }

    private static boolean yes(String name, String text) {
        return switch (text.toLowerCase(Locale.ROOT)) {
            case "true", "1", "yes" -> true;
            case "false", "0", "no" -> false;
            default -> throw new BadInput(name + ": " + text + " (expected: true or false)");
        };
    }

    private void databaseFailed(SQLException e, Context context) {
        // The message may quote the row; the log is for those who may see it, the answer is not.
        LOG.warn("{} {}: the database refused, SQLSTATE {}", context.method(), context.path(), e.getSQLState());
        LOG.debug("details", e);
        String state = e.getSQLState() == null ? "" : e.getSQLState();
        boolean away = state.startsWith("08") || state.startsWith("57") || state.startsWith("53") || state.isEmpty();
        refuse(
                context,
                away ? 503 : 500,
                away ? "the database can't be reached" : "the database refused (SQLSTATE " + state + ")");
    }

    private static HttpResponseException noJob(int id) {
        return refusal(404, "job " + id + ": not found");
    }

    private static HttpResponseException refusal(int status, String message) {
        return new HttpResponseException(status, message, Map.of());
    }

    private static void refuse(Context context, int status, String message) {
        answer(context, status, JSON.createObjectNode().put("error", message));
    }

    private static void answer(Context context, int status, JsonNode json) {
        context.status(status).contentType("application/json").result(json.toString());
    }

    private static ArrayNode array(List<ObjectNode> items) {
        return JSON.createArrayNode().addAll(items);
    }
}
