package io.elder.console;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Clock;
import java.util.Optional;

/** What an operator is told of a job's connection, without a secret of its configuration. */
final class ConnectionTest {
    private ConnectionTest() {}

    /** @param job as it is stored, with its secrets */
    static ObjectNode run(Optional<JobTester> tester, int id, ObjectNode job, Clock clock) {
        String provider = job.path("provider").asText();
        ObjectNode result = JsonNodeFactory.instance.objectNode();
        result.put("job_id", id);
        if (tester.isEmpty()) {
            return result.put("success", false)
                    .put("unavailable", true)
                    .put(
                            "error",
                            "this console has no providers to test with; run ./elder check --providers=" + provider);
        }
        try {
            JobTester.Connection connection = tester.get().test(id, provider, job.path("config"));
            result.put("success", true);
            result.put("auth_method", connection.authMethod());
            result.put("identity", Redaction.scrub(connection.identity(), job.path("config")));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            result.put("success", false).put("error", "interrupted");
        } catch (Exception e) {
            String message = e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
            result.put("success", false).put("error", Redaction.scrub(message, job.path("config")));
        }
        return result.put("tested_at", clock.instant().toString());
    }
}
