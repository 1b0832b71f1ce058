package io.elder.fetch.authentik;

import static org.assertj.core.api.Assertions.assertThat;

import io.elder.fetch.Provider;
import io.elder.fetch.http.JsonApi;
import io.elder.fetch.testkit.Answer;
import io.elder.fetch.testkit.HttpProviderContract;
import io.elder.fetch.testkit.ScriptedServer;
import java.io.IOException;
import java.net.URI;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

class AuthentikProviderTest extends HttpProviderContract<AuthentikClient> {
    @Override
    protected Provider<AuthentikClient> provider() {
        return new AuthentikProvider();
    }

    @Override
    protected Map<String, String> settings(String url) {
        return AuthentikVendor.settings(url);
    }

    @Override
    protected Set<String> secrets() {
        return AuthentikVendor.secrets();
    }

    @Override
    protected void script(ScriptedServer vendor) {
        AuthentikVendor.script(vendor);
    }

    @Override
    protected Map<String, Integer> expected() {
        return AuthentikVendor.EXPECTED;
    }

    /** As the framework that Authentik is made with says it, and as what stands before a server that starts does. */
    @Override
    protected List<Answer> throttles() {
        return List.of(
                detail(429, "Request was throttled. Expected available in 7 seconds.")
                        .header("Retry-After", "7"),
                Answer.of(429),
                Answer.of(503, "<html>authentik starting</html>").header("Retry-After", "2"));
    }

    @Override
    protected Answer unauthorized() {
        return detail(403, "Token invalid/expired");
    }

    @Override
    protected Answer forbidden() {
        return detail(403, "You do not have permission to perform this action.");
    }

    @Override
    protected Answer notFound() {
        return detail(404, "Not found.");
    }

    /** Not a session, but the page: the list has become shorter while it was read. */
    @Override
    protected Optional<Answer> expired() {
        return Optional.of(detail(404, "Invalid page."));
    }

    @Override
    protected Optional<Exception> gone() {
        URI url = URI.create(vendor().url());
        try (JsonApi api = new JsonApi(url, JsonApi.client(url).build(), Map::of, Duration.ofSeconds(10))) {
            api.get("/api/v3/core/groups/gone/");
            return Optional.empty();
        } catch (IOException e) {
            return Optional.of(e);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    private static Answer detail(int status, String text) {
        return Answer.of(status, "{\"detail\": \"" + text + "\"}").header("Content-Type", "application/json");
    }

    @Test
    void checkNamesThePermissionThatGroupsAloneLack() {
        vendor().on("GET /api/v3/core/groups/?page_size=1&page", forbidden());
        assertThat(check(settings())).contains("forbidden: GET /api/v3/core/groups/: 403", "authentik_core.view_group");
    }

    @Test
    void checkNamesThePermissionWhereNoUserIsSeen() {
        vendor().on(
                        "GET /api/v3/core/users/?page_size=1&page",
                        Answer.of(200, "{\"pagination\": {\"count\": 0, \"next\": 0}, \"results\": []}")
                                .header("Content-Type", "application/json"));
        assertThat(check(settings())).contains("forbidden: GET /api/v3/core/users/", "authentik_core.view_user");
    }

    @Test
    void saysWhoseTheTokenIsAndWhichServerAnswered() throws Exception {
        try (AuthentikClient client = provider().connect(settings())) {
            assertThat(provider().identity(client)).isEqualTo("svc-elder at 127.0.0.1");
        }
    }
}
