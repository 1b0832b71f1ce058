package io.elder.schemas.serde;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import org.apache.avro.Schema;
import org.apache.kafka.common.config.types.Password;

/**
 * Confluent's REST API, as Confluent Schema Registry, Karapace, Redpanda and Apicurio (below {@code /apis/ccompat/v7})
 * serve it. Settings have Confluent's names: {@code schema.registry.url} (several, comma-separated, are tried in turn),
 * {@code basic.auth.credentials.source=USER_INFO} with {@code basic.auth.user.info}, {@code bearer.auth.token},
 * {@code schema.registry.ssl.truststore.location/.password/.type} and the same for {@code keystore}. A registry that is away is waited
 * for, {@code schema.registry.patience.ms} long (10 s).
 */
final class RestRegistry implements SchemaRegistry {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String CONTENT_TYPE = "application/vnd.schemaregistry.v1+json";
    /** Schemas are asked for once in the life of a process; how many milliseconds whoever asks may wait. */
    private static final String PATIENCE = "schema.registry.patience.ms";

    private static final String DEFAULT_PATIENCE = "10000";

    private static final Duration PAUSE = Duration.ofMillis(500);
    private static final Map<Object, RestRegistry> REGISTRIES = new ConcurrentHashMap<>();

    /** Whoever waits asks more often than that: who has not asked for longer waits no more. */
    private static final Duration FORGOTTEN = Duration.ofMinutes(1);

    private record Registered(String subject, Schema schema) {}

    private record Trouble(String message, long sinceNanos) {}

    private final List<String> urls;
    private final Optional<String> authorization;
    private final HttpClient http;
    private final Duration patience;
    private final Map<Registered, Integer> ids = new ConcurrentHashMap<>();
    private final Map<Integer, Schema> schemas = new ConcurrentHashMap<>();
    private volatile Trouble trouble;

    private RestRegistry(List<String> urls, Optional<String> authorization, SSLContext tls, Duration patience) {
        this.urls = urls;
        this.authorization = authorization;
        this.patience = patience;
        this.http = HttpClient.newBuilder()
                .connectTimeout(Duration.ofSeconds(5))
                .sslContext(tls)
                .build();
    }

    /** One registry, and so one cache, per set of settings. */
    static RestRegistry of(String urls, Map<String, ?> configuration) {
        Map<String, String> relevant = new java.util.TreeMap<>();
        configuration.forEach((name, value) -> {
            if (value != null
                    && (name.startsWith("schema.registry.")
                            || name.startsWith("basic.auth.")
                            || name.startsWith("bearer.auth."))) {
                relevant.put(name, value instanceof Password password ? password.value() : value.toString());
            }
        });
        return REGISTRIES.computeIfAbsent(
                relevant,
                unused -> new RestRegistry(
                        Arrays.stream(urls.split(","))
                                .map(String::trim)
                                .map(url -> url.replaceAll("/+$", ""))
                                .toList(),
                        authorization(relevant),
                        tls(relevant),
                        Duration.ofMillis(Long.parseLong(relevant.getOrDefault(PATIENCE, DEFAULT_PATIENCE)))));
    }

    /** Why those that this process waits for give no answer. */
    static List<String> troubles() {
        return REGISTRIES.values().stream()
                .map(registry -> registry.trouble)
                .filter(each -> each != null && System.nanoTime() - each.sinceNanos() < FORGOTTEN.toNanos())
                .map(Trouble::message)
                .toList();
    }

    @Override
    public int register(String subject, Schema schema) {
        return ids.computeIfAbsent(
                new Registered(subject, schema),
                key -> id(post(
                        "/subjects/" + encode(subject) + "/versions",
                        schema,
                        "register " + schema.getFullName() + " under " + subject)));
    }

    @Override
    public Optional<Integer> findId(String subject, Schema schema) {
        Integer known = ids.get(new Registered(subject, schema));
        if (known != null) {
            return Optional.of(known);
        }
        Optional<Integer> found = find(
                        body(schema),
                        "/subjects/" + encode(subject),
                        "look up " + schema.getFullName() + " under " + subject)
                .map(RestRegistry::id);
        found.ifPresent(id -> ids.put(new Registered(subject, schema), id));
        return found;
    }

    @Override
    public Map<Integer, Schema> versions(String subject) {
        String path = "/subjects/" + encode(subject) + "/versions";
        Optional<JsonNode> numbers = find(HttpRequest.newBuilder().GET(), path, "list the versions of " + subject);
        Map<Integer, Schema> versions = new TreeMap<>();
        numbers.ifPresent(found -> found.forEach(number -> {
            JsonNode version = send(
                    HttpRequest.newBuilder().GET(),
                    path + "/" + number.asInt(),
                    "read version " + number.asInt() + " of " + subject);
            versions.put(
                    number.asInt(),
                    new Schema.Parser().parse(version.required("schema").asText()));
        }));
        return versions;
    }

    @Override
    public List<String> objections(String subject, Schema schema) {
        // Against all versions: the registry looks at as many as its level for the subject says.
        Optional<JsonNode> answer = find(
                body(schema),
                "/compatibility/subjects/" + encode(subject) + "/versions?verbose=true",
                "compare " + schema.getFullName() + " with " + subject);
        if (answer.isEmpty() || answer.get().path("is_compatible").asBoolean(true)) {
            return List.of();
        }
        List<String> messages = new ArrayList<>();
        answer.get().path("messages").forEach(message -> messages.add(message.asText()));
        return messages.isEmpty() ? List.of("incompatible, and it says no more") : messages;
    }

    @Override
    public Schema schemaOf(int id) {
        return schemas.computeIfAbsent(id, key -> {
            JsonNode answer = send(HttpRequest.newBuilder().GET(), "/schemas/ids/" + id, "read schema id " + id);
            return new Schema.Parser().parse(answer.required("schema").asText());
        });
    }

    private static int id(JsonNode answer) {
        return answer.required("id").asInt();
    }

    private JsonNode post(String path, Schema schema, String what) {
        return send(body(schema), path, what);
    }

    private static HttpRequest.Builder body(Schema schema) {
        String body = JSON.createObjectNode().put("schema", schema.toString()).toString();
        return HttpRequest.newBuilder()
                .POST(HttpRequest.BodyPublishers.ofString(body))
                .header("Content-Type", CONTENT_TYPE);
    }

    private JsonNode send(HttpRequest.Builder request, String path, String what) {
        return find(request, path, what)
                .orElseThrow(() -> new SchemaRegistryException("schema registry " + String.join(", ", urls)
                        + " refused to " + what + ": HTTP 404, not there"));
    }

    /** The answer; empty for 404. A registry that is away is asked again for a while. */
    private Optional<JsonNode> find(HttpRequest.Builder request, String path, String what) {
        long end = System.nanoTime() + patience.toNanos();
        while (true) {
            try {
                Optional<JsonNode> answer = ask(request, path, what);
                trouble = null;
                return answer;
            } catch (IOException e) {
                String why = e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
                String message =
                        "schema registry " + String.join(", ", urls) + " could not be asked to " + what + ": " + why;
                trouble = new Trouble(message, System.nanoTime());
                if (System.nanoTime() > end) {
                    throw new SchemaRegistryAwayException(message, e);
                }
                pause(what);
            }
        }
    }

    private static void pause(String what) {
        try {
            Thread.sleep(PAUSE);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new SchemaRegistryAwayException("interrupted while asking the schema registry to " + what, e);
        }
    }

    /** @throws IOException if none of the addresses gave an answer to this question */
    private Optional<JsonNode> ask(HttpRequest.Builder request, String path, String what) throws IOException {
        IOException away = null;
        for (String url : urls) {
            HttpRequest.Builder one = request.copy()
                    .uri(URI.create(url + path))
                    .timeout(Duration.ofSeconds(10))
                    .header("Accept", CONTENT_TYPE);
            authorization.ifPresent(value -> one.header("Authorization", value));
            try {
                HttpResponse<String> answer = http.send(one.build(), HttpResponse.BodyHandlers.ofString());
                if (answer.statusCode() / 100 == 2) {
                    return Optional.of(JSON.readTree(answer.body()));
                }
                // Of a subject, a version or a schema; any other page's 404 says that this is no registry.
                if (answer.statusCode() == 404 && errorCode(answer.body()) / 100 == 404) {
                    return Optional.empty();
                }
                if (answer.statusCode() == 429 || answer.statusCode() / 100 == 5) {
                    throw new IOException(url + ": HTTP " + answer.statusCode());
                }
                throw new SchemaRegistryException("schema registry " + url + " refused to " + what + ": HTTP "
                        + answer.statusCode() + " " + message(answer.body()));
            } catch (IOException e) {
                away = e;
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new SchemaRegistryAwayException("interrupted while asking the schema registry to " + what, e);
            }
        }
        throw away == null ? new IOException("no address") : away;
    }

    private static int errorCode(String body) {
        try {
            return JSON.readTree(body).path("error_code").asInt();
        } catch (JsonProcessingException e) {
            return 0;
        }
    }

    private static String message(String body) {
        try {
            return JSON.readTree(body).path("message").asText("");
        } catch (JsonProcessingException e) {
            return "(no JSON: is this a schema registry?)";
        }
    }

    private static Optional<String> authorization(Map<String, String> settings) {
        String user = settings.get("basic.auth.user.info");
        String token = settings.get("bearer.auth.token");
        if (user != null) {
            return Optional.of("Basic " + Base64.getEncoder().encodeToString(user.getBytes(StandardCharsets.UTF_8)));
        }
        return Optional.ofNullable(token).map(value -> "Bearer " + value);
    }

    private static SSLContext tls(Map<String, String> settings) {
        try {
            Optional<KeyStore> trusted = store(settings, "schema.registry.ssl.truststore.");
            Optional<KeyStore> own = store(settings, "schema.registry.ssl.keystore.");
            if (trusted.isEmpty() && own.isEmpty()) {
                return SSLContext.getDefault();
            }
            TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
            trust.init(trusted.orElse(null));
            KeyManagerFactory keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
            keys.init(own.orElse(null), password(settings, "schema.registry.ssl.keystore."));
            SSLContext context = SSLContext.getInstance("TLS");
            context.init(keys.getKeyManagers(), trust.getTrustManagers(), null);
            return context;
        } catch (GeneralSecurityException | IOException e) {
            throw new SchemaRegistryException(
                    "schema.registry.ssl.*: the stores could not be read: " + e.getMessage(), e);
        }
    }

    private static Optional<KeyStore> store(Map<String, String> settings, String prefix)
            throws GeneralSecurityException, IOException {
        String location = settings.get(prefix + "location");
        if (location == null) {
            return Optional.empty();
        }
        KeyStore store = KeyStore.getInstance(settings.getOrDefault(prefix + "type", "PKCS12"));
        try (InputStream in = Files.newInputStream(Path.of(location))) {
            store.load(in, password(settings, prefix));
        }
        return Optional.of(store);
    }

    private static char[] password(Map<String, String> settings, String prefix) {
        return settings.getOrDefault(prefix + "password", "").toCharArray();
    }

    private static String encode(String subject) {
        return URLEncoder.encode(subject, StandardCharsets.UTF_8).replace("+", "%20");
    }
}
