package io.elder.fetch.okta;

import static org.assertj.core.api.Assertions.assertThat;

import io.elder.fetch.Provider;
import io.elder.fetch.http.JsonApi;
import io.elder.fetch.testkit.Answer;
import io.elder.fetch.testkit.HttpProviderContract;
import io.elder.fetch.testkit.ScriptedServer;
import java.io.IOException;
import java.net.URI;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

class OktaProviderTest extends HttpProviderContract<OktaClient> {
    @Override
    protected Provider<OktaClient> provider() {
        return new OktaProvider();
    }

    @Override
    protected Map<String, String> settings(String url) {
        return OktaVendor.settings(url);
    }

    @Override
    protected Set<String> secrets() {
        return OktaVendor.secrets();
    }

    @Override
    protected void script(ScriptedServer vendor) {
        OktaVendor.script(vendor);
    }

    @Override
    protected Map<String, Integer> expected() {
        return OktaVendor.EXPECTED;
    }

    /** Okta names no time but the end of its minute; something before it, such as a proxy, may. */
    @Override
    protected List<Answer> throttles() {
        return List.of(
                refusal(429, "vendor/throttled.json")
                        .header("X-Rate-Limit-Limit", "600")
                        .header("X-Rate-Limit-Remaining", "0")
                        .header(
                                "X-Rate-Limit-Reset",
                                String.valueOf(Instant.now().getEpochSecond() + 7)),
                refusal(429, "vendor/throttled.json"),
                Answer.of(429).header("Retry-After", "7"),
                Answer.of(503).header("Retry-After", "2"));
    }

    @Override
    protected Answer unauthorized() {
        return refusal(401, "vendor/invalid-token.json");
    }

    @Override
    protected Answer forbidden() {
        return refusal(403, "vendor/denied.json");
    }

    @Override
    protected Answer notFound() {
        return refusal(404, "vendor/not-found.json");
    }

    @Override
    protected Optional<Exception> gone() {
        URI url = URI.create(vendor().url());
        try (JsonApi api = new JsonApi(url, JsonApi.client(url).build(), Map::of, Duration.ofSeconds(10))) {
            api.get("/api/v1/groups/gone");
            return Optional.empty();
        } catch (IOException e) {
            return Optional.of(e);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    private Answer refusal(int status, String fixture) {
        return Answer.of(status, vendor().text(fixture)).header("Content-Type", "application/json");
    }

    @Test
    void checkNamesTheRightThatGroupsAloneLack() {
        vendor().on("GET /api/v1/groups?limit=1&after", forbidden());
        assertThat(check(settings())).contains("forbidden: GET /api/v1/groups: 403", "okta.groups.read");
    }

    @Test
    void saysWhoseTheTokenIsAndWhichOrgAnswered() throws Exception {
        try (OktaClient client = provider().connect(settings())) {
            assertThat(provider().identity(client)).isEqualTo("isaac.brock@example.com at 127.0.0.1");
        }
    }
}
