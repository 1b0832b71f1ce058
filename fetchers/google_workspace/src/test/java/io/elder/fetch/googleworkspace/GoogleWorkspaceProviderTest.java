package io.elder.fetch.googleworkspace;

import static io.elder.fetch.googleworkspace.GoogleWorkspaceVendor.error;
import static io.elder.fetch.googleworkspace.GoogleWorkspaceVendor.json;

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

class GoogleWorkspaceProviderTest extends HttpProviderContract<GoogleWorkspaceClient> {
    @Override
    protected Provider<GoogleWorkspaceClient> provider() {
        return new GoogleWorkspaceProvider();
    }

    @Override
    protected Map<String, String> settings(String url) {
        return GoogleWorkspaceVendor.settings(url);
    }

    @Override
    protected Set<String> secrets() {
        return GoogleWorkspaceVendor.secrets();
    }

    @Override
    protected void script(ScriptedServer vendor) {
        GoogleWorkspaceVendor.script(vendor);
    }

    @Override
    protected Map<String, Integer> expected() {
        return GoogleWorkspaceVendor.EXPECTED;
    }

    /** https://developers.google.com/workspace/admin/directory/v1/limits */
    @Override
    protected List<Answer> throttles() {
        return List.of(
                json(429, "{'error': {'code': 429, 'status': 'RESOURCE_EXHAUSTED', 'message': 'Quota exceeded'}}")
                        .header("Retry-After", "7"),
                error(403, "userRateLimitExceeded", "User Rate Limit Exceeded"),
                error(403, "rateLimitExceeded", "Rate Limit Exceeded"),
                error(403, "quotaExceeded", "Request rate higher than configured."),
                json(
                        403,
                        "{'error': {'code': 403, 'status': 'RESOURCE_EXHAUSTED', 'message': 'Quota exceeded',"
                                + " 'details': [{'@type': 'type.googleapis.com/google.rpc.ErrorInfo',"
                                + " 'reason': 'RATE_LIMIT_EXCEEDED', 'domain': 'googleapis.com'}]}}"));
    }

    @Override
    protected Answer unauthorized() {
        return error(401, "authError", "Invalid Credentials");
    }

    @Override
    protected Answer forbidden() {
        return error(403, "forbidden", "Not Authorized to access this resource/api");
    }

    @Override
    protected Answer notFound() {
        return error(404, "notFound", "Resource Not Found: groupKey");
    }

    @Override
    protected Optional<Answer> expired() {
        return Optional.of(json(
                401,
                "{'error': {'code': 401, 'status': 'UNAUTHENTICATED', 'message': 'Request had invalid authentication"
                        + " credentials.', 'details': [{'@type': 'type.googleapis.com/google.rpc.ErrorInfo',"
                        + " 'reason': 'ACCESS_TOKEN_EXPIRED', 'domain': 'googleapis.com'}]}}"));
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
