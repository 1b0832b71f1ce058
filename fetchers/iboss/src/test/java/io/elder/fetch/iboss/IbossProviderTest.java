package io.elder.fetch.iboss;

import io.elder.fetch.Provider;
import io.elder.fetch.http.JsonApi;
import io.elder.fetch.testkit.HttpProviderContract;
import io.elder.fetch.testkit.ScriptedServer;
import java.io.IOException;
import java.net.URI;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** Against answers of our own making: it proves how this behaves, and nothing about the service. */
class IbossProviderTest extends HttpProviderContract<IbossClient> {
    @Override
    protected Provider<IbossClient> provider() {
        return new IbossProvider();
    }

    @Override
    protected Map<String, String> settings(String url) {
        return Map.of("IBOSS_API_URL", url, "IBOSS_API_KEY", "canary-key-4711", "IBOSS_TENANT_ID", "example");
    }

    @Override
    protected Set<String> secrets() {
        return Set.of("canary-key-4711");
    }

    @Override
    protected void script(ScriptedServer vendor) {
        vendor.page("iboss_tenant", "GET /api/v1/health", "vendor/health.json");
        vendor.page("iboss_user", "GET /api/v1/users?page", "vendor/users-1.json");
        vendor.page("iboss_user", "GET /api/v1/users?page=2", "vendor/users-2.json");
        // Users say what groups they are in: nobody asks.
        vendor.page("iboss_group_member", "GET /api/v1/never", "vendor/groups.json");
        vendor.page("iboss_group", "GET /api/v1/groups", "vendor/groups.json");
        vendor.page("iboss_policy", "GET /api/v1/policies", "vendor/policies.json");
        vendor.page("iboss_application", "GET /api/v1/applications", "vendor/applications.json");
        vendor.page("iboss_connector", "GET /api/v1/connectors", "vendor/connectors.json");
        vendor.page("iboss_application_usage", "GET /api/v1/reports/application-usage", "vendor/usage.json");
    }

    @Override
    protected Map<String, Integer> expected() {
        return Map.of(
                "iboss_tenant", 1,
                "iboss_user", 3,
                "iboss_group_member", 4,
                "iboss_group", 2,
                "iboss_policy", 2,
                "iboss_application", 2,
                "iboss_connector", 1,
                "iboss_application_usage", 2);
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
