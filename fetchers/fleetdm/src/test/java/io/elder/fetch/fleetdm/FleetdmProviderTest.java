package io.elder.fetch.fleetdm;

import static io.elder.fetch.fleetdm.FleetdmVendor.error;

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

class FleetdmProviderTest extends HttpProviderContract<FleetdmClient> {
    @Override
    protected Provider<FleetdmClient> provider() {
        return new FleetdmProvider();
    }

    @Override
    protected Map<String, String> settings(String url) {
        return FleetdmVendor.settings(url);
    }

    @Override
    protected Set<String> secrets() {
        return FleetdmVendor.secrets();
    }

    @Override
    protected void script(ScriptedServer vendor) {
        FleetdmVendor.script(vendor);
    }

    @Override
    protected Map<String, Integer> expected() {
        return FleetdmVendor.EXPECTED;
    }

    /** As documented for logging in; a proxy before the server throttles without a time. */
    @Override
    protected List<Answer> throttles() {
        return List.of(
                error(429, "limit exceeded, retry after: 7s", "limit exceeded, retry after: 7s")
                        .header("Retry-After", "7"),
                Answer.of(429),
                Answer.of(503).header("Retry-After", "2"));
    }

    @Override
    protected Answer unauthorized() {
        return error(401, "Authentication required", "Authentication required");
    }

    @Override
    protected Answer forbidden() {
        return error(403, "Permission Denied", "forbidden");
    }

    @Override
    protected Answer notFound() {
        return error(404, "Resource Not Found", "Host 11 was not found in the datastore");
    }

    @Override
    protected Optional<Exception> gone() {
        URI url = URI.create(vendor().url());
        try (JsonApi api = new JsonApi(url, JsonApi.client(url).build(), Map::of, Duration.ofSeconds(10))) {
            api.get("/nothing-here");
            return Optional.empty();
        } catch (IOException e) {
            return Optional.of(e);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }
}
