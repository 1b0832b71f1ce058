package io.elder.fetch.kubernetes;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.MissingNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.elder.fetch.Page;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.fabric8.kubernetes.client.http.BasicBuilder;
import io.fabric8.kubernetes.client.http.HttpClient;
import io.fabric8.kubernetes.client.http.HttpRequest;
import io.fabric8.kubernetes.client.http.HttpResponse;
import io.fabric8.kubernetes.client.http.Interceptor;
import io.fabric8.kubernetes.client.jdkhttp.JdkHttpClientFactory;
import java.io.IOException;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * One cluster's API server. What it sends is kept as it is: the client's own classes would drop fields that they do not
 * know.
 */
final class KubernetesCluster implements AutoCloseable {
    private static final ObjectMapper JSON = new ObjectMapper();

    private static final Duration LEFT_ALONE = Duration.ofSeconds(10);

    static final String CERT_MANAGER = "cert-manager.io/v1";

    /** Who one is, since Kubernetes 1.28; everybody who is logged in may ask. */
    private static final String SELF_REVIEW = "/apis/authentication.k8s.io/v1/selfsubjectreviews";

    /** All of an object's fields, or only its metadata: a list of pods is ten times as long with the rest. */
    enum Detail {
        WHOLE("application/json"),
        METADATA("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json");

        private final String accept;

        Detail(String accept) {
            this.accept = accept;
        }
    }

    /** The client's own name, with what is being read: it stands in the cluster's audit log. */
    private record UserAgent(String name) implements Interceptor {
        @Override
        public void before(BasicBuilder builder, HttpRequest request, RequestTags tags) {
            builder.setHeader("User-Agent", name);
        }
    }

    /** The token is for this server alone, and a server that a job names must not have others asked. */
    private static final class WithoutRedirects extends JdkHttpClientFactory {
        @Override
        protected void additionalConfig(java.net.http.HttpClient.Builder builder) {
            builder.followRedirects(java.net.http.HttpClient.Redirect.NEVER);
        }
    }

    private final String name;
    private final Kubeconfig.Login login;
    private final KubernetesClient client;
    private final HttpClient http;
    private final Map<String, HttpClient> byKind = new ConcurrentHashMap<>();
    private final Duration timeout;
    private final int pageSize;
    private ObjectNode version;
    private Optional<Set<String>> groups = Optional.empty();
    private boolean hasCertManager;
    private IOException failure;
    private long failedAt;

    KubernetesCluster(Kubeconfig.Login login, Duration timeout, int pageSize) {
        this.name = login.clusterName();
        this.login = login;
        this.timeout = timeout;
        this.pageSize = pageSize;
        this.client = new KubernetesClientBuilder()
                .withConfig(login.config())
                .withHttpClientFactory(new WithoutRedirects())
                .build();
        this.http = client.getHttpClient();
    }

    String name() {
        return name;
    }

    /**
     * Proves that the server can be reached and accepts the credentials, once. A server that did not answer is left alone
     * for a moment: else each of thirty kinds would wait for it as long as the first did.
     */
    synchronized void prove() throws IOException, InterruptedException {
        if (version != null) {
            return;
        }
        if (failure != null && System.nanoTime() - failedAt < LEFT_ALONE.toNanos()) {
            throw failure;
        }
        try {
            ObjectNode answer = login();
            groups = served();
            hasCertManager = groups.isPresent() ? groups.get().contains(CERT_MANAGER) : answersFor(CERT_MANAGER);
            version = answer;
        } catch (IOException e) {
            failure = e;
            failedAt = System.nanoTime();
            throw e;
        }
    }

    private ObjectNode login() throws IOException, InterruptedException {
        try {
            return get("/version", "login", Detail.WHOLE);
        } catch (KubernetesFailure e) {
            throw e.atLogin();
        }
    }

    /** What {@code /version} says, e.g. {@code gitVersion}. */
    synchronized ObjectNode version() throws IOException, InterruptedException {
        prove();
        return version.deepCopy();
    }

    /**
     * Whether the server has this group in this version, such as {@code apps/v1}. One that does not tell has all that is
     * Kubernetes' own; an add-on is asked for. One that was not reached yet has no add-on.
     */
    synchronized boolean serves(String groupVersion) {
        return groupVersion.equals(CERT_MANAGER)
                ? hasCertManager
                : groups.map(known -> known.contains(groupVersion)).orElse(true);
    }

    private boolean answersFor(String groupVersion) throws IOException, InterruptedException {
        try {
            get("/apis/" + groupVersion, "discovery", Detail.WHOLE);
            return true;
        } catch (KubernetesFailure e) {
            if (e.status() == 403 || e.status() == 404) {
                return false;
            }
            throw e;
        }
    }

    private Optional<Set<String>> served() throws IOException, InterruptedException {
        ObjectNode answer;
        try {
            answer = get("/apis", "discovery", Detail.WHOLE);
        } catch (KubernetesFailure e) {
            if (e.status() == 403 || e.status() == 404) {
                return Optional.empty();
            }
            throw e;
        }
        Set<String> found = new HashSet<>();
        answer.path("groups").forEach(group -> group.path("versions")
                .forEach(each -> found.add(each.path("groupVersion").asText())));
        return found.isEmpty() ? Optional.empty() : Optional.of(found);
    }

    /** Who the server takes us for; empty where it does not tell. */
    Optional<String> username() throws InterruptedException {
        try {
            JsonNode review = send(
                    request(SELF_REVIEW, Detail.WHOLE)
                            .post(
                                    "application/json",
                                    "{\"apiVersion\":\"authentication.k8s.io/v1\",\"kind\":\"SelfSubjectReview\"}")
                            .build(),
                    "identity",
                    "POST " + SELF_REVIEW);
            return Optional.of(review.at("/status/userInfo/username").asText(""))
                    .filter(name -> !name.isEmpty());
        } catch (IOException e) {
            // Older than 1.28, or forbidden: it is only for the person who tests a connection.
            return Optional.empty();
        }
    }

    /** One page of a list; its objects with the kind and the version that a list leaves out. */
    Page<ObjectNode> page(String path, String kind, Detail detail, String cursor)
            throws IOException, InterruptedException {
        String query = "?limit=" + pageSize
                + (cursor == null ? "" : "&continue=" + URLEncoder.encode(cursor, StandardCharsets.UTF_8));
        ObjectNode list = get(path + query, kind, detail);
        String listKind = list.path("kind").asText("");
        JsonNode items = list.path("items");
        // An empty list is null with some servers.
        if (!listKind.endsWith("List") || !(items.isArray() || items.isNull())) {
            throw KubernetesFailure.nonsense(
                    "GET " + path, "a " + (listKind.isEmpty() ? "JSON object" : listKind) + " (expected: a list)");
        }
        List<ObjectNode> objects = new ArrayList<>(items.size());
        for (JsonNode item : items) {
            if (!(item instanceof ObjectNode object)) {
                throw KubernetesFailure.nonsense("GET " + path, "an item that is no object");
            }
            if (detail == Detail.WHOLE) {
                if (!object.has("kind")) {
                    object.put("kind", listKind.substring(0, listKind.length() - "List".length()));
                }
                if (!object.has("apiVersion")) {
                    object.set("apiVersion", list.path("apiVersion"));
                }
                Redaction.redact(object, kind);
            }
            objects.add(object);
        }
        return new Page<>(objects, list.path("metadata").path("continue").asText(null));
    }

    ObjectNode get(String path, String kind, Detail detail) throws IOException, InterruptedException {
        int query = path.indexOf('?');
        return send(request(path, detail).build(), kind, "GET " + (query < 0 ? path : path.substring(0, query)));
    }

    private HttpRequest.Builder request(String path, Detail detail) {
        String server = login.config().getMasterUrl();
        return http.newHttpRequestBuilder()
                .uri((server.endsWith("/") ? server.substring(0, server.length() - 1) : server) + path)
                .setHeader("Accept", detail.accept)
                .timeout(timeout.toMillis(), TimeUnit.MILLISECONDS);
    }

    private ObjectNode send(HttpRequest request, String kind, String where) throws IOException, InterruptedException {
        HttpResponse<byte[]> response = await(as(kind).sendAsync(request, byte[].class), where);
        byte[] body = response.body() == null ? new byte[0] : response.body();
        JsonNode json = parse(body);
        if (response.code() / 100 != 2) {
            throw KubernetesFailure.of(
                    where,
                    response.code(),
                    json,
                    Optional.ofNullable(response.header("Retry-After")).filter(text -> !text.isBlank()));
        }
        if (json instanceof ObjectNode object) {
            return object;
        }
        throw KubernetesFailure.nonsense(where, body.length + " bytes that are no JSON object");
    }

    private HttpClient as(String kind) {
        return byKind.computeIfAbsent(kind, unused -> http.newBuilder()
                .addOrReplaceInterceptor("user-agent", new UserAgent("elder-worker (" + kind + ")"))
                .build());
    }

    private <T> T await(CompletableFuture<T> answer, String where) throws IOException, InterruptedException {
        try {
            // The client's own time-out ends with the headers.
            return answer.get(timeout.toMillis() * 2, TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            answer.cancel(true);
            throw e;
        } catch (TimeoutException e) {
            answer.cancel(true);
            throw new IOException(
                    where + ": no answer within " + timeout.multipliedBy(2).toSeconds() + " s", e);
        } catch (ExecutionException e) {
            switch (e.getCause()) {
                case IOException cause -> throw cause;
                case RuntimeException cause -> throw cause;
                case Error cause -> throw cause;
                default -> throw new IOException(where + ": " + e.getCause(), e.getCause());
            }
        }
    }

    private static JsonNode parse(byte[] body) {
        try {
            return JSON.readTree(body);
        } catch (JsonProcessingException e) {
            return MissingNode.getInstance();
        } catch (IOException e) {
            throw new IllegalStateException("reading from memory failed", e);
        }
    }

    @Override
    public void close() {
        client.close();
    }
}
