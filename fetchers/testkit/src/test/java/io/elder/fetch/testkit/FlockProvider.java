package io.elder.fetch.testkit;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.elder.fetch.Page;
import io.elder.fetch.Partition;
import io.elder.fetch.Provider;
import io.elder.fetch.Requests;
import io.elder.fetch.Resource;
import io.elder.fetch.StopReason;
import io.elder.fetch.Verdict;
import io.elder.fetch.http.HttpFailure;
import io.elder.fetch.http.JsonApi;
import io.elder.runtime.Secret;
import io.elder.runtime.Settings;
import java.io.IOException;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** A small provider over HTTP, as an example and to prove the contract: sheep by farm and meadow, their lambs, and fences. */
public final class FlockProvider implements Provider<FlockProvider.Client> {
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
                        (flock, where, out) -> out.pages(cursor ->
                                flock.page("/sheep?farm=" + where.account() + "&meadow=" + where.region(), cursor)))
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
                                (flock, where, out) ->
                                        out.pages(cursor -> flock.page("/fences?farm=" + where.account(), cursor)))
                        .only((flock, where) -> where.isGlobal()));
    }

    @Override
    public Verdict classify(Throwable failure) {
        return switch (failure) {
            // Of the vendor's own codes: a cursor that was forgotten.
            case HttpFailure e -> e.status() == 410 ? new Verdict.StartOver() : e.verdict();
            case IOException unused -> new Verdict.RetryWithBackoff();
            default -> new Verdict.Stop(StopReason.UNKNOWN, String.valueOf(failure));
        };
    }

    /** A few lines over {@link JsonApi}; a vendor's SDK, where one serves better. */
    public static final class Client implements AutoCloseable {
        private final JsonApi api;

        Client(URI endpoint, Secret token) {
            this.api = new JsonApi(
                    endpoint,
                    JsonApi.client(endpoint).build(),
                    () -> Map.of("Authorization", "Bearer " + token.value()),
                    Duration.ofSeconds(10));
        }

        Page<ObjectNode> page(String path, String cursor) throws IOException, InterruptedException {
            ObjectNode page = get(cursor == null ? path : path + "&cursor=" + cursor);
            // Throws where there is no list: that is not the same as an empty one.
            List<ObjectNode> items = JsonApi.objects("GET " + path + ": items", page.path("items"));
            return new Page<>(items, page.path("next").asText(null));
        }

        ObjectNode get(String path) throws IOException, InterruptedException {
            return api.get(path);
        }

        @Override
        public void close() {
            api.close();
        }
    }
}
