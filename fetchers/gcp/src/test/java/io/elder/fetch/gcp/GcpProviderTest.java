package io.elder.fetch.gcp;

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

class GcpProviderTest extends HttpProviderContract<GcpClient> {
    @Override
    protected Provider<GcpClient> provider() {
        return new GcpProvider();
    }

    @Override
    protected Map<String, String> settings(String url) {
        return GcpVendor.settings(url);
    }

    @Override
    protected Set<String> secrets() {
        return GcpVendor.secrets();
    }

    @Override
    protected void script(ScriptedServer vendor) {
        GcpVendor.script(vendor);
    }

    @Override
    protected Map<String, Integer> expected() {
        return GcpVendor.EXPECTED;
    }

    /** https://cloud.google.com/compute/docs/api/rate-limits, .../storage/docs/json_api/v1/status-codes */
    @Override
    protected List<Answer> throttles() {
        return List.of(
                json(429, "{'error': {'code': 429, 'status': 'RESOURCE_EXHAUSTED', 'message': 'Quota exceeded'}}")
                        .header("Retry-After", "7"),
                error(403, "rateLimitExceeded", "Rate Limit Exceeded"),
                error(403, "userRateLimitExceeded", "User Rate Limit Exceeded"),
                error(403, "quotaExceeded", "Quota exceeded for quota metric 'List requests'"),
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
        return error(403, "forbidden", "Required 'compute.instances.list' permission for 'projects/my-project-123'");
    }

    @Override
    protected Answer notFound() {
        return error(404, "notFound", "The resource 'projects/my-project-123' was not found");
    }

    /** {@code {}} is how several of these APIs say that there is nothing. */
    @Override
    protected List<String> answersOfAnotherForm() {
        return super.answersOfAnotherForm().stream()
                .filter(each -> !each.equals("{}"))
                .toList();
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

    private static Answer error(int status, String reason, String message) {
        return json(
                status,
                "{'error': {'errors': [{'domain': 'global', 'reason': '" + reason + "', 'message': '"
                        + message.replace("'", "`") + "'}], 'code': " + status + ", 'message': '"
                        + message.replace("'", "`") + "'}}");
    }

    private static Answer json(int status, String body) {
        return Answer.of(status, body.replace('\'', '"')).header("Content-Type", "application/json");
    }
}
