package io.elder.fetch.testkit;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.elder.fetch.Page;
import io.elder.fetch.Partition;
import io.elder.fetch.Provider;
import io.elder.fetch.Requests;
import io.elder.fetch.Resource;
import io.elder.fetch.StopReason;
import io.elder.fetch.Verdict;
import io.elder.runtime.Secret;
import io.elder.runtime.Settings;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/** A small provider over HTTP, as an example and to prove the contract: sheep by farm and meadow, their lambs, and fences. */
public final class FlockProvider implements Provider<FlockProvider.Client> {
    private static final ObjectMapper JSON = new ObjectMapper();

    @Override
    public String name() {
        return "flock";
    }

    @Override
    public String title() {
        return "Flock";
    }

    @Override
    public Client connect(Settings settings) throws Exception {
        Client client = new Client(URI.create(settings.text("FLOCK_ENDPOINT_URL")), settings.secret("FLOCK_TOKEN"));
        settings.check();
        client.get("/whoami");
        return client;
    }

    @Override
    public boolean isShareable() {
        return true;
    }

    @Override
    public List<Partition> partitions(Client flock, Requests requests) throws Exception {
        List<Partition> partitions = new ArrayList<>();
        for (JsonNode farm : requests.request(() -> flock.get("/farms")).get("farms")) {
            String account = farm.get("name").asText();
            partitions.add(Partition.global(account));
            farm.get("meadows").forEach(meadow -> partitions.add(new Partition(account, meadow.asText())));
        }
        return partitions;
    }

    @Override
    public List<Resource<Client>> resources() {
        Resource<Client> sheep = Resource.<Client>root(
                        "sheep",
                        "id",
                        (flock, where, out) ->
                                out.pages(cursor -> flock.page("/sheep?meadow=" + where.region(), cursor)))
                .only((flock, where) -> !where.isGlobal());
        return List.of(
                sheep,
                Resource.child(
                        sheep,
                        "lamb",
                        "id",
                        (flock, where, parent, out) -> out.pages(cursor ->
                                flock.page("/lambs?of=" + parent.get("id").asText(), cursor))),
                Resource.<Client>root(
                                "fence",
                                "id",
                                (flock, where, out) -> out.pages(cursor -> flock.page("/fences?all=yes", cursor)))
                        .only((flock, where) -> where.isGlobal()));
    }

    @Override
    public Verdict classify(Throwable failure) {
        return switch (failure) {
            case Refused e ->
                switch (e.status) {
                    case 401 -> new Verdict.Stop(StopReason.BAD_CREDENTIALS, e.getMessage());
                    case 403 -> new Verdict.Stop(StopReason.FORBIDDEN, e.getMessage());
                    case 404 -> new Verdict.Gone();
                    case 410 -> new Verdict.StartOver();
                    case 429 -> Verdict.throttled(e.retryAfter);
                    case 503 -> e.retryAfter == null ? new Verdict.RetryWithBackoff() : Verdict.throttled(e.retryAfter);
                    default -> new Verdict.RetryWithBackoff();
                };
            case IOException unused -> new Verdict.RetryWithBackoff();
            default -> new Verdict.Stop(StopReason.UNKNOWN, String.valueOf(failure));
        };
    }

    /** A few lines over the JDK's client; a vendor's SDK in a real provider. */
    public static final class Client implements AutoCloseable {
        private final HttpClient http = HttpClient.newHttpClient();
        private final URI endpoint;
        private final Secret token;

        Client(URI endpoint, Secret token) {
            this.endpoint = endpoint;
            this.token = token;
        }

        Page<ObjectNode> page(String path, String cursor) throws IOException, InterruptedException {
            JsonNode page = get(cursor == null ? path : path + "&cursor=" + cursor);
            List<ObjectNode> items = new ArrayList<>();
            page.get("items").forEach(item -> items.add((ObjectNode) item));
            return new Page<>(items, page.path("next").asText(null));
        }

        JsonNode get(String path) throws IOException, InterruptedException {
            HttpRequest request = HttpRequest.newBuilder(endpoint.resolve(path))
                    .header("Authorization", "Bearer " + token.value())
                    .timeout(Duration.ofSeconds(10))
                    .build();
            HttpResponse<String> answer = http.send(request, HttpResponse.BodyHandlers.ofString());
            if (answer.statusCode() != 200) {
                throw new Refused(
                        answer.statusCode(),
                        answer.headers().firstValue("Retry-After").orElse(null));
            }
            return JSON.readTree(answer.body());
        }

        @Override
        public void close() {
            http.close();
        }
    }

    private static final class Refused extends IOException {
        private static final long serialVersionUID = 1L;

        private final int status;
        private final String retryAfter;

        Refused(int status, String retryAfter) {
            super("the flock's API answers " + status);
            this.status = status;
            this.retryAfter = retryAfter;
        }
    }
}
