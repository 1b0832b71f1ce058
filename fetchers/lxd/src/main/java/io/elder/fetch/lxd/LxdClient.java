package io.elder.fetch.lxd;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.elder.fetch.ReadFailure;
import io.elder.fetch.StopReason;
import io.elder.fetch.http.JsonApi;
import io.elder.fetch.http.Tls;
import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.util.List;
import java.util.Map;
import javax.net.ssl.KeyManager;
import javax.net.ssl.TrustManager;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One LXD over HTTPS. We prove who we are by a client certificate; a trust token makes the server trust it, once.
 *
 * @see <a href="https://documentation.ubuntu.com/lxd/latest/rest-api/">LXD: REST API</a>
 */
public final class LxdClient implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(LxdClient.class);
    private static final ObjectMapper JSON = new ObjectMapper();

    private final LxdSettings settings;
    private final URI url;
    private final HttpClient http;
    private final JsonApi api;

    private LxdClient(LxdSettings settings, URI url) {
        this.settings = settings;
        this.url = url;
        HttpClient.Builder builder = JsonApi.client(url);
        if ("https".equals(url.getScheme())) {
            KeyManager key = ClientKey.manager(
                    settings.certificate().orElseThrow(),
                    settings.key().orElseThrow().value());
            builder.sslContext(Tls.context(trust(settings), key));
        }
        this.http = builder.build();
        this.api = new JsonApi(url, http, Map::of, settings.timeout());
    }

    private static TrustManager trust(LxdSettings settings) {
        if (!settings.verifiesCertificate()) {
            return Tls.anybody();
        }
        if (settings.fingerprint().isPresent()) {
            return Tls.pinned(settings.fingerprint().get());
        }
        return settings.authorities()
                .map(file -> Tls.authorities("LXD_CA_FILE", file))
                .orElse(null);
    }

    /** Opens the first address that answers, and makes the server trust us if it does not yet and there is a token. */
    static LxdClient open(LxdSettings settings) throws IOException, InterruptedException {
        IOException last = null;
        for (URI each : settings.urls()) {
            LxdClient client = new LxdClient(settings, each);
            boolean isOpen = false;
            try {
                client.prove();
                isOpen = true;
                return client;
            } catch (ReadFailure e) {
                throw e;
            } catch (IOException e) {
                LOG.debug("{} does not answer", each, e);
                last = e;
            } finally {
                if (!isOpen) {
                    client.close();
                }
            }
        }
        throw last == null ? new IOException("no address") : last;
    }

    private void prove() throws IOException, InterruptedException {
        JsonNode server = server();
        if (server.path("auth").asText().equals("trusted")) {
            return;
        }
        if (settings.token().isPresent() && "https".equals(url.getScheme())) {
            introduce(server);
            server = server();
        }
        if (!server.path("auth").asText().equals("trusted")) {
            throw ReadFailure.stop(
                    StopReason.BAD_CREDENTIALS,
                    "the server does not trust the client certificate " + client()
                            + " (expected: \"lxc config trust add\" with the certificate, or LXD_TRUST_TOKEN)");
        }
    }

    /** Hands in the token. LXD 5.0 takes it as the password, later ones have a field for it. */
    private void introduce(JsonNode server) throws IOException, InterruptedException {
        boolean hasField = false;
        for (JsonNode extension : server.path("api_extensions")) {
            hasField |= extension.asText().equals("explicit_trust_token");
        }
        ObjectNode body = JSON.createObjectNode();
        body.put("type", "client");
        body.put(
                hasField ? "trust_token" : "password",
                settings.token().orElseThrow().text().value());
        HttpRequest request = HttpRequest.newBuilder(
                        URI.create(url.toString().replaceFirst("/$", "") + "/1.0/certificates"))
                .timeout(settings.timeout())
                .header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(body.toString()))
                .build();
        HttpResponse<String> answer = http.send(request, HttpResponse.BodyHandlers.ofString());
        if (answer.statusCode() / 100 != 2) {
            throw ReadFailure.stop(
                    answer.statusCode() >= 500 ? StopReason.UNREACHABLE : StopReason.BAD_CREDENTIALS,
                    "the server refuses LXD_TRUST_TOKEN for the client certificate " + client() + ": "
                            + answer.statusCode() + said(answer.body())
                            + " (expected: a token that was not used yet and has not expired)");
        }
    }

    private static String said(String body) {
        try {
            String error = JSON.readTree(body).path("error").asText();
            return error.isBlank() ? "" : ": " + error.strip();
        } catch (IOException e) {
            return "";
        }
    }

    /** What the server says of itself, and of whether it trusts us. */
    ObjectNode server() throws IOException, InterruptedException {
        return object("/1.0");
    }

    /** Every LXD has the project {@code default}: who is shown none was given none. */
    List<ObjectNode> projects() throws IOException, InterruptedException {
        List<ObjectNode> projects = list("/1.0/projects?recursion=1");
        if (projects.isEmpty()) {
            throw ReadFailure.stop(
                    StopReason.FORBIDDEN,
                    "GET /1.0/projects: none (expected: a client certificate that may see one project at least;"
                            + " what is in the others would look deleted)");
        }
        return projects;
    }

    /** The object that an answer is about. */
    ObjectNode object(String pathAndQuery) throws IOException, InterruptedException {
        if (metadata(pathAndQuery) instanceof ObjectNode object) {
            return object;
        }
        throw ReadFailure.stop(StopReason.BAD_RESPONSE, "GET " + pathAndQuery + ": no object in metadata");
    }

    /** The objects that an answer is about. */
    List<ObjectNode> list(String pathAndQuery) throws IOException, InterruptedException {
        return JsonApi.objects("GET " + pathAndQuery + ": metadata", metadata(pathAndQuery));
    }

    private JsonNode metadata(String pathAndQuery) throws IOException, InterruptedException {
        ObjectNode envelope = api.get(pathAndQuery);
        String type = envelope.path("type").asText();
        if (!type.equals("sync")) {
            throw ReadFailure.stop(
                    StopReason.BAD_RESPONSE,
                    "GET " + pathAndQuery + ": an answer of type " + type + " (expected: sync)");
        }
        return envelope.path("metadata");
    }

    LxdSettings settings() {
        return settings;
    }

    URI url() {
        return url;
    }

    /** How LXD names us: the beginning of the certificate's fingerprint. */
    String client() {
        try {
            return settings.certificate().isEmpty()
                    ? "(none)"
                    : ClientKey.fingerprint(settings.certificate().get()).substring(0, 12);
        } catch (GeneralSecurityException e) {
            return "(unreadable)";
        }
    }

    static String encoded(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8).replace("+", "%20");
    }

    @Override
    public void close() {
        api.close();
    }
}
