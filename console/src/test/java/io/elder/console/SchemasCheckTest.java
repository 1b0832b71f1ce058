package io.elder.console;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.elder.runtime.KafkaClients;
import io.elder.runtime.Settings;
import io.elder.schemas.avro.RunEvent;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.avro.Schema;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** {@code schemas check} and {@code register} against a registry that speaks Confluent's REST API over HTTP. */
class SchemasCheckTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String RUNS = "elder.runs-value";

    /** Versions by subject, the first is 1. */
    private final Map<String, List<Schema>> subjects = new LinkedHashMap<>();

    private final List<Schema> ids = new ArrayList<>();
    private String objection = "";
    private HttpServer server;
    private Map<String, String> settings;

    @BeforeEach
    void start() throws IOException {
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/", this::answer);
        server.start();
        settings = Map.of(
                "SCHEMA_REGISTRY_URL", "http://127.0.0.1:" + server.getAddress().getPort());
    }

    @AfterEach
    void stop() {
        server.stop(0);
    }

    @Test
    void schemasThatTheRegistryLacksAreNewOrMissingAsWritersMayRegisterThemOrNot() {
        assertThat(run("check").code()).isZero();
        assertThat(run("check").out()).contains(RUNS).containsPattern("runs-value +RunEvent +new");
        settings = with("SCHEMA_REGISTRY_AUTO_REGISTER", "false");
        Run strict = run("check");
        assertThat(strict.code()).isEqualTo(1);
        assertThat(strict.out()).containsPattern("runs-value +RunEvent +not registered");
        assertThat(strict.err()).contains(RUNS + ": expected: ./elder schemas register");

        assertThat(run("register").code()).isZero();
        Run registered = run("check");
        assertThat(registered.code()).as(registered.err()).isZero();
        assertThat(registered.out()).containsPattern("runs-value +RunEvent +present +\\d+");
    }

    @Test
    void anOldVersionWithAnotherFieldThatHasADefaultIsCompatible() {
        register(RUNS, changed(fields -> fields.addObject()
                .put("name", "once")
                .put("type", "string")
                .put("default", "")));
        Run run = run("check");
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.out()).containsPattern("runs-value +RunEvent +compatible, new");
    }

    @Test
    void anIncompatibleFieldIsNamedWhicheverVersionItIsOf() {
        register(RUNS, changed(fields -> fields.addObject()
                .put("name", "mandatory_once")
                .put("type", "string")));
        register(RUNS, RunEvent.getClassSchema());
        Run run = run("check");
        assertThat(run.code()).isEqualTo(1);
        assertThat(run.out()).containsPattern("runs-value +RunEvent +incompatible");
        assertThat(run.err())
                .contains(RUNS + ": version 1 can't read it: field mandatory_once: reader field missing default value");
    }

    @Test
    void aChangedTypeIsNamedInBothDirections() {
        register(RUNS, changed(fields -> ((ObjectNode) fields.get(0)).put("type", "long")));
        String field = RunEvent.getClassSchema().getFields().getFirst().name();
        Run run = run("check");
        assertThat(run.code()).isEqualTo(1);
        assertThat(run.err())
                .contains("can't read version 1: field " + field + ": type mismatch")
                .contains("version 1 can't read it: field " + field + ": type mismatch");
    }

    @Test
    void whatTheRegistryItselfObjectsToIsSaid() {
        register(RUNS, RunEvent.getClassSchema());
        objection = "reader field 'x' has no default";
        Run run = run("check");
        assertThat(run.code()).isEqualTo(1);
        assertThat(run.err()).contains(RUNS + ": the registry: reader field 'x' has no default");
    }

    @Test
    void aRegistryThatIsAwayOrIsNoneFailsWithItsAddress() {
        server.stop(0);
        Run away = run("check");
        assertThat(away.code()).isEqualTo(1);
        assertThat(away.err()).contains("schema registry " + settings.get("SCHEMA_REGISTRY_URL"));
    }

    private Map<String, String> with(String name, String value) {
        Map<String, String> all = new LinkedHashMap<>(settings);
        all.put(name, value);
        return all;
    }

    private interface Change {
        void apply(ArrayNode fields);
    }

    private static Schema changed(Change change) {
        try {
            ObjectNode schema =
                    (ObjectNode) JSON.readTree(RunEvent.getClassSchema().toString());
            change.apply((ArrayNode) schema.get("fields"));
            return new Schema.Parser().parse(schema.toString());
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    private void register(String subject, Schema schema) {
        ids.add(schema);
        subjects.computeIfAbsent(subject, unused -> new ArrayList<>()).add(schema);
    }

    private void answer(HttpExchange exchange) throws IOException {
        String[] path = URLDecoder.decode(exchange.getRequestURI().getRawPath(), StandardCharsets.UTF_8)
                .split("/");
        byte[] body = exchange.getRequestBody().readAllBytes();
        Schema sent = body.length == 0
                ? null
                : new Schema.Parser().parse(JSON.readTree(body).path("schema").asText());
        ObjectNode answer = JSON.createObjectNode();
        JsonNode result = answer;
        int status = 200;
        String subject = path[1].equals("compatibility") ? path[3] : path[2];
        List<Schema> versions = subjects.getOrDefault(subject, List.of());
        if (path[1].equals("compatibility")) {
            answer.put("is_compatible", objection.isEmpty())
                    .putArray("messages")
                    .add(objection);
        } else if (path.length == 4 && sent != null) {
            if (!versions.contains(sent)) {
                register(subject, sent);
            }
            answer.put("id", ids.indexOf(sent) + 1);
        } else if (versions.isEmpty()) {
            status = 404;
            answer.put("error_code", 40401).put("message", "Subject not found.");
        } else if (path.length == 3 && versions.contains(sent)) {
            answer.put("id", ids.indexOf(sent) + 1);
        } else if (path.length == 3) {
            status = 404;
            answer.put("error_code", 40403).put("message", "Schema not found");
        } else if (path.length == 5) {
            answer.put("schema", versions.get(Integer.parseInt(path[4]) - 1).toString());
        } else {
            ArrayNode numbers = JSON.createArrayNode();
            for (int i = 1; i <= versions.size(); i++) {
                numbers.add(i);
            }
            result = numbers;
        }
        byte[] bytes = result.toString().getBytes(StandardCharsets.UTF_8);
        exchange.sendResponseHeaders(status, bytes.length);
        exchange.getResponseBody().write(bytes);
        exchange.close();
    }

    private record Run(int code, String out, String err) {}

    private Run run(String command) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        Terminal terminal = new Terminal(
                new PrintStream(out, true, StandardCharsets.UTF_8),
                new PrintStream(err, true, StandardCharsets.UTF_8),
                false);
        assertThat(new KafkaClients(Settings.of(settings)).topics().runs().name() + "-value")
                .isEqualTo(RUNS);
        int code = ElderCli.run(Settings.of(settings), terminal, "schemas", command);
        return new Run(code, out.toString(StandardCharsets.UTF_8), err.toString(StandardCharsets.UTF_8));
    }
}
