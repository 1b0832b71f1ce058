package io.elder.fetch.googleworkspace;

import com.fasterxml.jackson.databind.JsonNode;
import io.elder.fetch.http.HttpFailure;
import java.util.Collections;
import java.util.Set;
import java.util.TreeSet;

/**
 * Why Google refuses: one status, 403, stands for too many requests as well as for too few rights.
 *
 * @see <a href="https://developers.google.com/workspace/admin/directory/v1/limits">the Directory API's limits</a>
 */
final class Reasons {
    private static final Set<String> THROTTLING = Set.of(
            "rateLimitExceeded",
            "userRateLimitExceeded",
            "quotaExceeded",
            "concurrentLimitExceeded",
            "RATE_LIMIT_EXCEEDED",
            "RESOURCE_EXHAUSTED");

    private Reasons() {}

    static boolean isThrottling(HttpFailure failure) {
        return !Collections.disjoint(of(failure), THROTTLING);
    }

    static Set<String> of(HttpFailure failure) {
        Set<String> reasons = new TreeSet<>();
        JsonNode error = failure.body().path("error");
        reasons.add(error.path("status").asText(""));
        error.path("errors").forEach(each -> reasons.add(each.path("reason").asText("")));
        error.path("details").forEach(each -> reasons.add(each.path("reason").asText("")));
        return reasons;
    }
}
