package io.elder.fetch.testkit;

import io.elder.fetch.Provider;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** How long a test of a provider over HTTP is. */
class FlockProviderTest extends HttpProviderContract<FlockProvider.Client> {
    @Override
    protected Provider<FlockProvider.Client> provider() {
        return new FlockProvider();
    }

    @Override
    protected Map<String, String> settings(String url) {
        return Map.of("FLOCK_ENDPOINT_URL", url, "FLOCK_TOKEN", "wool-4711-token");
    }

    @Override
    protected Set<String> secrets() {
        return Set.of("wool-4711-token");
    }

    @Override
    protected void script(ScriptedServer vendor) {
        vendor.on("GET /whoami", "flock/whoami.json");
        vendor.on("GET /farms", "flock/farms.json");
        vendor.page("sheep", "GET /sheep?farm=down&meadow=hill", "flock/sheep-1.json");
        vendor.page("sheep", "GET /sheep?farm=down&meadow=hill&cursor=b2", "flock/sheep-2.json");
        vendor.page("lamb", "GET /lambs", "flock/no-lambs.json");
        vendor.page("lamb", "GET /lambs?of=dolly", "flock/lambs-of-dolly.json");
        vendor.page("fence", "GET /fences?farm=down", "flock/fences-1.json");
        vendor.page("fence", "GET /fences?farm=down&cursor=f2", "flock/fences-2.json");
    }

    @Override
    protected Map<String, Integer> expected() {
        return Map.of("sheep", 3, "lamb", 2, "fence", 2);
    }

    @Override
    protected Optional<Answer> expired() {
        return Optional.of(Answer.of(410, "{}"));
    }
}
